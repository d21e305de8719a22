"""Reads manifest.csv: the version of the binding, and what the SIS says of each file.

Its law: a fault that leaves no doubt is repaired and recorded, a missing word is answered by the zip itself, and
whatever could be read in two ways makes the manifest unreadable. All of its faults are told at once.
"""

import csv
import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingestd.core.findings import batch
from ingestd.core.model import Batch, Manifest, Mode
from schemas import NAMES, VERSIONS

FILE = "manifest.csv"
HEADER = ["propertyName", "value"]
_HEADERS = (["propertyname", "value"], ["propertyname", "propertyvalue"])
"""How the header is written too, blanks and case aside (rules 6)."""
MAX_ROWS = 1000
"""The longest manifest, 1.2's, has 26 rows."""

_PLAIN = ("manifest.version", "oneroster.version", "source.systemName", "source.systemCode")
_SHOWABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SUFFIXED = re.compile(rf"\s*[vV]?({'|'.join(map(re.escape, VERSIONS))})(?:[._-][0-9A-Za-z._-]{{0,12}})?\s*")
"""A version with a correction or a profile behind it, such as 1.2.1 or 1.2_JP: the binding is that of the version."""
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: str
    line: int


def parse(
    text: bytes, files: Collection[str] = (), version: str | None = None
) -> tuple[Manifest | None, tuple[Batch, ...]]:
    """Return the manifest, and all that is wrong or was repaired in it; None if it cannot be relied on.

    Args:
        text: the file's bytes, whatever they are.
        files: the names of the files in the zip (`users.csv`): they decide the mode of a table of which the manifest
            does not speak.
        version: the version to read as, whatever the manifest says.
    """
    rows, faults = _rows(text)
    if rows is None:
        return None, faults
    said, doubts = (version, ()) if version else _version(rows)
    tables = NAMES.get(said, NAMES[VERSIONS[-1]])
    present = {table for table in tables if f"{table}.csv" in files}
    modes = {table: Mode.BULK if table in present else Mode.ABSENT for table in tables}
    declared, found = _modes({f"file.{table}": table for table in tables}, rows, present)
    batches = (*faults, *doubts, *_manifest_version(rows), *_unknown(rows, tables), *found)
    if any(one.code == "bad-manifest" for one in batches):
        return None, batches
    return Manifest(said, modes | declared), batches


def render(version: str, modes: Mapping[str, str], **more: str) -> bytes:
    """Return a manifest of that version, whose tables are absent if `modes` does not say otherwise."""
    said = {f"file.{table}": modes.get(table, Mode.ABSENT) for table in sorted(NAMES[version], key=str.lower)}
    rows = {HEADER[0]: HEADER[1], "manifest.version": "1.0", "oneroster.version": version, **said, **more}
    return "".join(f"{name},{value}\n" for name, value in rows.items()).encode()


def _bad(detail: str, lines: Sequence[int] = ()) -> Batch:
    return batch("bad-manifest", file=FILE, lines=lines, detail=detail)


def _rows(text: bytes) -> tuple[list[_Row] | None, tuple[Batch, ...]]:
    """Return the rows under the header; None, with the reasons, if there is none to trust."""
    bom = (batch("byte-order-mark", file=FILE),) if text.startswith(b"\xef\xbb\xbf") else ()
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, (batch("not-utf-8-file", file=FILE, encoding="UTF-16"),)
    try:
        cells = list(_cells(text.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return None, (*bom, batch("not-utf-8-file", file=FILE, encoding="in another encoding"))
    except csv.Error:
        return None, (*bom, _bad("its quotes do not pair, a line ends in CR alone, or a value is far too long"))
    filled = [(line, row) for line, row in cells if any(map(str.strip, row))]
    faults = tuple(_shape(filled))
    if faults:
        return None, (*bom, *faults)
    blank = [line for line, row in cells if not any(map(str.strip, row))]
    repairs = (*bom, *([batch("blank-line", file=FILE, lines=blank)] if blank else ()), *_reheaded(filled[0]))
    return [_Row(row[0], row[1], line) for line, row in filled[1:]], repairs


def _reheaded(header: tuple[int, list[str]]) -> Iterator[Batch]:
    if header[1] != HEADER:
        yield batch("manifest-header", file=FILE, lines=[header[0]])


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line on which it ends.

    Lines are cut at LF alone, so that a lone CR, or a separator that only Unicode knows, stays in its cell.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    for row in reader:
        yield reader.line_num, row


def _shape(rows: Sequence[tuple[int, list[str]]]) -> Iterator[Batch]:
    """Find what keeps the rows from being properties, each once."""
    if not rows:
        yield _bad("it is empty")
        return
    if len(rows) > MAX_ROWS:
        yield _bad(f"it has more than {MAX_ROWS} rows")
        return
    if [name.strip().lower() for name in rows[0][1]] not in _HEADERS:
        yield _bad("its header is not propertyName,value", [rows[0][0]])
        return
    names = [row[0] for _, row in rows]
    faults = {
        "a row does not have two fields": [line for line, row in rows if len(row) != 2],
        "a row has a line break or a control character in it": [
            line for line, row in rows if any("\n" in cell or _CONTROL.search(cell) for cell in row)
        ],
        "a property is given twice": [line for i, (line, row) in enumerate(rows) if row[0] in names[:i]],
    }
    yield from (_bad(detail, lines) for detail, lines in faults.items() if lines)


def _version(rows: Sequence[_Row]) -> tuple[str, tuple[Batch, ...]]:
    """Return the version as `schemas` knows it, if it does, and what was done to get there."""
    row = next((row for row in rows if row.name == "oneroster.version" and row.value), None)
    if row is None:
        return "", (_bad("oneroster.version is not given"),)
    match = _SUFFIXED.fullmatch(row.value)
    if row.value in VERSIONS or match is None:
        return row.value, ()
    given = row.value.strip()
    told = batch("version-suffix", file=FILE, column="value", lines=[row.line], given=given, version=match[1])
    return match[1], (told,)


def _manifest_version(rows: Sequence[_Row]) -> Iterator[Batch]:
    """Record a version of the manifest that is left out, or lost its `.0` in a spreadsheet."""
    row = next((row for row in rows if row.name == "manifest.version"), None)
    if row is None or row.value in {"", "1"}:
        yield batch("manifest-version", file=FILE, column="value", lines=[row.line] if row else ())
    elif row.value != "1.0":
        yield _bad("manifest.version is not 1.0", [row.line])


def _unknown(rows: Sequence[_Row], tables: Sequence[str]) -> Iterator[Batch]:
    """Find properties that the binding does not have, with the nearest that it has."""
    known = (*_PLAIN, *(f"file.{table}" for table in tables))
    for row in rows:
        if row.name in known:
            continue
        other = next((version for version in VERSIONS if row.name.removeprefix("file.") in NAMES[version]), None)
        is_other = other and row.name.startswith("file.")
        hint = f"; it is of OneRoster {other}" if is_other else _nearest(row.name, known)
        name = row.name if _SHOWABLE.fullmatch(row.name) else f"on line {row.line}"
        yield batch("unknown-property", file=FILE, column="propertyName", lines=[row.line], name=name, hint=hint)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name[:64], known, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""


def _modes(
    properties: Mapping[str, str], rows: Sequence[_Row], present: Collection[str]
) -> tuple[dict[str, Mode], tuple[Batch, ...]]:
    """Return the modes that are declared, and what is wrong with the declarations. A blank value declares nothing."""
    said = {properties[row.name]: row for row in rows if row.name in properties and row.value}
    modes = {table: Mode(row.value.lower()) for table, row in said.items() if row.value.lower() in list(Mode)}
    silent = (table for table in properties.values() if table not in said and table in present)
    return modes, (
        *(batch("missing-property", file=FILE, name=f"{table}.csv") for table in silent),
        *_misspelt([row for table, row in said.items() if table in modes and row.value != modes[table]]),
        *(
            batch("bad-mode", file=FILE, column="value", lines=[row.line], name=row.name)
            for table, row in said.items()
            if table not in modes
        ),
    )


def _misspelt(rows: Sequence[_Row]) -> Iterator[Batch]:
    if rows:
        yield batch("enum-case", file=FILE, column="value", lines=[row.line for row in rows])
