"""A roster on disk: manifest.csv and a CSV per table, in a zip or a folder.

Quoted as RFC 4180 demands and no more, lines end in LF. The same roster gives the same bytes: a zip's times are fixed.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc

import schemas
from ingestd.core.model import Mode
from ingestd.generate.columns import VERSION, Strings, cells, join, text

SLICE = 100_000
"""How many records are rendered at a time: enough for speed, little for memory."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""


def write_zip(roster: Mapping[str, pd.DataFrame], path: Path, *, modes: Mapping[str, str] | None = None) -> None:
    """Write all tables of the roster, and a manifest that calls them `bulk` and all others `absent`.

    `modes` overrides what the manifest says of a table; no care is taken that it is true.

    Raises:
        OSError: the file cannot be written.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, parts in _members(roster, modes):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o100644 << 16
            with package.open(info, "w") as member:
                member.writelines(parts)


def write_folder(roster: Mapping[str, pd.DataFrame], folder: Path, *, modes: Mapping[str, str] | None = None) -> None:
    """Write what `write_zip` writes as files into a folder, which is made if need be.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in _members(roster, modes):
        with (folder / name).open("wb") as file:
            file.writelines(parts)


def _members(
    roster: Mapping[str, pd.DataFrame], modes: Mapping[str, str] | None
) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "manifest.csv", iter([_manifest(roster, modes or {})])
    for table, frame in roster.items():
        yield f"{table}.csv", _render_table(frame)


def _manifest(roster: Mapping[str, pd.DataFrame], modes: Mapping[str, str]) -> bytes:
    found = {
        table: Mode.BULK if table in roster else Mode.ABSENT for table in sorted(schemas.NAMES[VERSION], key=str.lower)
    }
    rows = {
        "propertyName": "value",
        "manifest.version": "1.0",
        "oneroster.version": VERSION,
        **{f"file.{table}": mode for table, mode in {**found, **modes}.items()},
        "source.systemName": "ingestd synthetic district",
    }
    return "".join(f"{name},{value}\n" for name, value in rows.items()).encode()


def _render_table(frame: pd.DataFrame) -> Iterator[bytes]:
    yield (",".join(frame.columns) + "\n").encode()
    for start in range(0, len(frame), SLICE):
        yield _render(frame.iloc[start : start + SLICE])


def _render(records: pd.DataFrame) -> bytes:
    columns = [_quoted(cells(records[name])) for name in records.columns]
    columns[-1] = join(columns[-1], "\n")
    lines = pc.binary_join_element_wise(*columns, text(","))
    # The values of a fresh column lie one behind the other: its buffer is the text of the lines.
    return lines.buffers()[2].to_pybytes()  # type: ignore[no-any-return]


def _quoted(column: Strings) -> Strings:
    needs = pc.match_substring_regex(column, '[",\r\n]')
    if not pc.any(needs).as_py():
        return column
    return pc.if_else(needs, join('"', pc.replace_substring(column, '"', '""'), '"'), column)
