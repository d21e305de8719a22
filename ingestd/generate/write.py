"""A roster on disk: manifest.csv and a CSV per table, in a zip or a folder.

Quoted as RFC 4180 demands and no more, lines end in LF. The same roster gives the same bytes: a zip's times are fixed.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from ingestd.core.columns import arrow
from ingestd.core.dialect import Dialect, render_header, render_lines
from ingestd.core.manifest import render as render_manifest
from ingestd.core.model import Mode
from ingestd.generate.columns import VERSION

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
    said = {**dict.fromkeys(roster, Mode.BULK), **(modes or {})}
    yield "manifest.csv", iter([render_manifest(VERSION, said, **{"source.systemName": "ingestd synthetic district"})])
    for table, frame in roster.items():
        yield f"{table}.csv", _render_table(frame)


def _render_table(frame: pd.DataFrame) -> Iterator[bytes]:
    yield render_header(tuple(frame.columns), Dialect.STANDARD)
    for start in range(0, len(frame), SLICE):
        part = frame.iloc[start : start + SLICE]
        yield render_lines([arrow(part[name]) for name in part], Dialect.STANDARD)
