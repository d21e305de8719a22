"""Which records of a file came before, and the bytes of those that did not. Law: what is known is not read again.

A record is recognised by the seeded hash of its bytes among those of the live snapshot. The seed covers the
header, so a header in another order makes everything new: slower, never wrong.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingestd.core import findings
from ingestd.core.gate import FIELD_LIMIT, Fault, Faults, gate, identify
from ingestd.core.hashing import find, hash_bytes, seed_of
from ingestd.core.model import Batch, Hashes, Ints, Mask
from ingestd.core.records import BOM, LINE_LIMIT, LineTooLongError, Piece, count_commas, split

NEW, BLANK = -1, -2
"""What `Scanned.met` says of a record that is not in the snapshot, and of a blank line."""
COLUMN_LIMIT = 256
"""Columns in a header; the standard's widest file has two dozen."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"\x00")


def _no_hashes() -> Hashes:
    return np.zeros(0, np.uint64)


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class References:
    """What one column of a table refers to: `target[i]` is the hash of an id in the record at position `row[i]`.

    A column that is no list has no `row`: `target[i]` is of record `i`, and 0 where it refers to nothing.
    """

    row: Ints | None
    target: Hashes

    def records(self, entries: Mask) -> Ints:
        """Return the positions of the records that have these entries of `target`."""
        at = np.flatnonzero(entries)
        return at if self.row is None else self.row[at]

    def entries(self, records: Mask) -> Mask:
        """Return the entries of `target` that belong to these records."""
        return records if self.row is None else records[self.row]


@dataclass(frozen=True, slots=True)
class Live:
    """The live records of one table as arrays of equal length, sorted by `hash`.

    `hash` is of the record's bytes (0: to be read again each time), `id` of its sourcedId, `content` of what is
    compared. `notes` has a bit for each repair or warning that the record carried when it was read.
    """

    rid: Ints = field(default_factory=_no_ints)
    hash: Hashes = field(default_factory=_no_hashes)
    id: Hashes = field(default_factory=_no_hashes)
    content: Hashes = field(default_factory=_no_hashes)
    notes: Ints = field(default_factory=_no_ints)
    references: Mapping[str, References] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rid)


@dataclass(frozen=True, slots=True)
class Scanned:
    """One file after the scan.

    `met` has an entry per record of the file: the position in `Live` of the one it equals, `NEW` or `BLANK`;
    `starts` is the line on which each begins. `data` holds the new records that passed the gate, `lines` and
    `hashes` go with them. `broken` are the sourcedIds of new records that did not; `unidentified` counts those
    whose sourcedId cannot be told.
    """

    header: tuple[str, ...]
    met: NDArray[np.int32]
    starts: Ints
    data: bytes
    lines: Ints
    hashes: Hashes
    broken: tuple[str, ...]
    unidentified: int
    batches: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        """Return the number of records in the file, good or bad."""
        return int(np.count_nonzero(self.met != BLANK))

    def present(self, live: Live) -> Mask:
        """Return which records of the snapshot came again as they were."""
        found = np.zeros(len(live), bool)
        found[self.met[self.met >= 0]] = True
        return found

    def lines_of(self, positions: Ints) -> Ints:
        """Return the first line on which each of the snapshot's records stands; they must be present."""
        if not len(positions):
            return _no_ints()
        at = np.flatnonzero(self.met >= 0)
        order = np.argsort(self.met[at], kind="stable")
        first = np.searchsorted(self.met[at][order], positions)
        return self.starts[at[order[first]]]


def scan(
    file: str,
    chunks: Iterable[bytes],
    live: Live,
    seed: int,
    sourced_id: str = "sourcedId",
    meaning: Callable[[Sequence[str]], Sequence[str]] = tuple,
) -> Scanned:
    """Scan one file against the snapshot's live records of its table.

    Args:
        file: the file's name, for findings.
        chunks: the file's bytes, in pieces of any size.
        live: the live records of the table.
        seed: of the feed and of everything but the header that decides how a record is read.
        sourced_id: the name of the column that holds a record's own id.
        meaning: what the names of a header stand for.
    """
    work = _Scan(file, live, seed, sourced_id.casefold(), meaning)
    try:
        for piece in split(chunks):
            work.add(piece)
    except LineTooLongError as fault:
        work.batches.append(findings.batch("line-too-long", file=file, lines=[fault.line], limit=LINE_LIMIT))
    return work.result()


@dataclass(slots=True)
class _Scan:
    """A scan under way. `header` is None before the first line, and empty when that cannot be used.

    `surplus` counts the blank names in which the header ends; a record may have as many blank cells more.
    """

    file: str
    live: Live
    seed: int
    sourced_id: str
    meaning: Callable[[Sequence[str]], Sequence[str]]
    surplus: int = 0
    header: tuple[str, ...] | None = None
    batches: list[Batch] = field(default_factory=list)
    met: list[NDArray[np.int32]] = field(default_factory=lambda: [np.zeros(0, np.int32)])
    starts: list[Ints] = field(default_factory=lambda: [_no_ints()])
    data: list[bytes] = field(default_factory=list)
    lines: list[Ints] = field(default_factory=lambda: [_no_ints()])
    hashes: list[Hashes] = field(default_factory=lambda: [_no_hashes()])
    faults: dict[Fault, list[int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unidentified: int = 0

    def add(self, piece: Piece) -> None:
        if self.header is None and piece.records:
            piece = self._take_header(piece)
        if self.header and piece.records:
            self._match(piece, len(self.header))

    def _take_header(self, piece: Piece) -> Piece:
        self.seed = seed_of(self.seed, _without_marks(piece.records[0]).hex())
        names, found = read_header(self.file, piece.records[0])
        self.header = _trimmed(names)
        self.surplus = len(names) - len(self.header)
        self.batches += found
        if self.surplus:
            told = findings.batch("trailing-columns", file=self.file, lines=[1], count=self.surplus)
            self.batches.append(told)
        return Piece(piece.records[1:], piece.lines[1:])

    def _match(self, piece: Piece, width: int) -> None:
        if self.surplus:
            piece = Piece(_without_surplus(piece.records, width, self.surplus), piece.lines)
        hashes = hash_bytes(piece.records, self.seed)
        met = find(hashes, self.live.hash).astype(np.int32)
        new = np.flatnonzero(met == NEW)
        records = piece.records if len(new) == len(met) else [piece.records[i] for i in new]
        faults = gate(records, width)
        if faults.any():
            met[new[faults == Fault.blank_line]] = BLANK
            self._fail(records, faults, piece.lines[new], width)
            good = np.flatnonzero(faults == 0)
            new, records = new[good], [records[i] for i in good]
        self.met.append(met)
        self.starts.append(piece.lines)
        self.data.append(b"\n".join([*records, b""]) if records else b"")
        self.lines.append(piece.lines[new])
        self.hashes.append(hashes[new])

    def _fail(self, records: list[bytes], faults: Faults, lines: Ints, width: int) -> None:
        for fault in map(Fault, np.unique(faults[faults != 0]).tolist()):
            self.faults.setdefault(fault, []).extend(lines[faults == fault].tolist())
        is_id_first = self.header is not None and self.meaning(self.header)[0].strip().casefold() == self.sourced_id
        failed = [records[i] for i in np.flatnonzero((faults != 0) & (faults != Fault.blank_line))]
        ids = [identify(one, width) for one in failed] if is_id_first else [None] * len(failed)
        self.broken += (one for one in ids if one is not None)
        self.unidentified += ids.count(None)

    def result(self) -> Scanned:
        if self.header is None and not self.batches:
            self.batches.append(_unusable(self.file, "it is empty"))
        for fault, lines in sorted(self.faults.items()):
            self.batches.append(findings.batch(fault.code, file=self.file, lines=lines, limit=FIELD_LIMIT))
        return Scanned(
            header=self.header or (),
            met=np.concatenate(self.met),
            starts=np.concatenate(self.starts),
            data=b"".join(self.data),
            lines=np.concatenate(self.lines),
            hashes=np.concatenate(self.hashes),
            broken=tuple(self.broken),
            unidentified=self.unidentified,
            batches=tuple(self.batches),
        )


def _trimmed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a header without the blank ones at its end."""
    filled = [i for i, name in enumerate(names) if name.strip()]
    return names[: filled[-1] + 1] if filled else ()


def _without_surplus(records: list[bytes], width: int, surplus: int) -> list[bytes]:
    """Return the records without the blank cells that stand below blank names; others are left as they are."""
    blank_cells = re.compile(rb'(?:,(?:""|[ \t]*)){%d}$' % surplus)
    full = width + surplus - 1
    return [blank_cells.sub(b"", one) if count_commas(one) == full else one for one in records]


def _unusable(file: str, detail: str, *at: int) -> Batch:
    return findings.batch("missing-header", file=file, lines=at, detail=detail)


def read_header(file: str, line: bytes) -> tuple[tuple[str, ...], list[Batch]]:
    """Return the names in a file's first line as they stand there, `()` if they cannot be used, and the findings."""
    if line.startswith(_UTF_16) or b"\x00" in line:
        return (), [findings.batch("not-utf-8-file", file=file, lines=[1], encoding="UTF-16 or binary")]
    found = [findings.batch("byte-order-mark", file=file, lines=[1])] if line.startswith(BOM) else []
    try:
        text = _without_marks(line).decode()
    except UnicodeDecodeError:
        return (), [*found, findings.batch("not-utf-8-file", file=file, lines=[1], encoding="in another encoding")]
    if "\r" in text:
        ends = "two carriage returns" if text.find("\r") == len(text) - 1 else "a carriage return alone"
        return (), [*found, _unusable(file, f"its lines end in {ends}", 1)]
    try:
        names = next(csv.reader([text], strict=True), [])
    except csv.Error:
        return (), [*found, _unusable(file, "it cannot be read", 1)]
    detail = _why_not(names)
    return (tuple(names), found) if detail is None else ((), [*found, _unusable(file, detail, 1)])


def _without_marks(line: bytes) -> bytes:
    """Return a first line without its byte order mark, of which software that adds one without a look makes two."""
    while line.startswith(BOM):
        line = line.removeprefix(BOM)
    return line


def _why_not(names: list[str]) -> str | None:
    """Return why names cannot be those of columns, without a word of them: it may be a record that stands there."""
    stripped = [name.strip() for name in names]
    if not any(stripped):
        return "the first line is blank"
    if why := _why_not_apart(names):
        return why
    if len(names) > COLUMN_LIMIT:
        return f"it has more than {COLUMN_LIMIT} columns"
    if not all(map(str.isprintable, stripped)):
        return "its names have characters that cannot be seen"
    return None


def _why_not_apart(names: list[str]) -> str | None:
    """Return why a first line does not fall into the names of columns."""
    if names[0].startswith("sep="):
        return "its first line is Excel's sep=, not the names of columns"
    if len(names) == 1 and "," in names[0]:
        return "its first line is in one pair of quotes, as if it were one name"
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        return "its columns are not separated by commas"
    return None
