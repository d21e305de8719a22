"""Which records of a file came before, and the bytes of those that did not. Law: what is known is not read again.

A record is recognised by the seeded hash of its bytes among those of the live snapshot. The seed covers the
header, so a header in another order makes everything new: slower, never wrong.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingestd.core import findings
from ingestd.core.gate import FIELD_LIMIT, Fault, gate, identify
from ingestd.core.hashing import find, hash_bytes, seed_of
from ingestd.core.model import Batch, Hashes, Ints, Mask
from ingestd.core.records import BOM, LINE_LIMIT, LineTooLongError, Piece, split

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
    """What one column of a table refers to: `target[i]` is the hash of an id in the record at position `row[i]`."""

    row: Ints
    target: Hashes


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
        at = np.flatnonzero(self.met >= 0)
        order = np.argsort(self.met[at], kind="stable")
        first = np.searchsorted(self.met[at][order], positions)
        return self.starts[at[order[first]]]


def scan(file: str, chunks: Iterable[bytes], live: Live, seed: int) -> Scanned:
    """Scan one file against the snapshot's live records of its table.

    Args:
        file: the file's name, for findings.
        chunks: the file's bytes, in pieces of any size.
        live: the live records of the table.
        seed: of the feed and of everything but the header that decides how a record is read.
    """
    work = _Scan(file, live, seed)
    try:
        for piece in split(chunks):
            work.add(piece)
    except LineTooLongError as fault:
        work.batches.append(findings.batch("line-too-long", file=file, lines=[fault.line], limit=LINE_LIMIT))
    return work.result()


@dataclass(slots=True)
class _Scan:
    file: str
    live: Live
    seed: int
    header: tuple[str, ...] | None = None
    batches: list[Batch] = field(default_factory=list)
    met: list[NDArray[np.int32]] = field(default_factory=list)
    starts: list[Ints] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    lines: list[Ints] = field(default_factory=list)
    hashes: list[Hashes] = field(default_factory=list)
    faults: dict[Fault, list[int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unidentified: int = 0

    def add(self, piece: Piece) -> None:
        if self.header is None and piece.records:
            piece = self._take_header(piece)
        if self.header and piece.records:
            self._match(piece)

    def _take_header(self, piece: Piece) -> Piece:
        line = piece.records[0]
        self.seed = seed_of(self.seed, line.removeprefix(BOM).hex())
        self.header, found = read_header(self.file, line)
        self.batches += found
        return Piece(piece.records[1:], piece.lines[1:])

    def _match(self, piece: Piece) -> None:
        hashes = hash_bytes(piece.records, self.seed)
        met = find(hashes, self.live.hash).astype(np.int32)
        new = np.flatnonzero(met == NEW)
        records = piece.records if len(new) == len(met) else [piece.records[i] for i in new]
        faults = gate(records, len(self.header or ()))
        met[new[faults == Fault.blank_line]] = BLANK
        good = np.flatnonzero(faults == 0)
        self.met.append(met)
        self.starts.append(piece.lines)
        self.data.append(b"\n".join([*(records[i] for i in good), b""]))
        self.lines.append(piece.lines[new[good]])
        self.hashes.append(hashes[new[good]])
        for i in np.flatnonzero(faults):
            self._fail(records[i], Fault(faults[i]), int(piece.lines[new[i]]))

    def _fail(self, record: bytes, fault: Fault, line: int) -> None:
        self.faults.setdefault(fault, []).append(line)
        if fault is Fault.blank_line:
            return
        id_first = bool(self.header) and self.header[0].casefold() == "sourcedid"  # type: ignore[index]
        sourced_id = identify(record, fault, len(self.header or ())) if id_first else None
        if sourced_id is None:
            self.unidentified += 1
        else:
            self.broken.append(sourced_id)

    def result(self) -> Scanned:
        if self.header is None:
            self.batches.append(findings.batch("missing-header", file=self.file, detail="it is empty"))
        for fault, lines in self.faults.items():
            self.batches.append(findings.batch(fault.code, file=self.file, lines=lines, limit=FIELD_LIMIT))
        return Scanned(
            header=self.header or (),
            met=np.concatenate([np.zeros(0, np.int32), *self.met]),
            starts=np.concatenate([_no_ints(), *self.starts]),
            data=b"".join(self.data),
            lines=np.concatenate([_no_ints(), *self.lines]),
            hashes=np.concatenate([_no_hashes(), *self.hashes]),
            broken=tuple(self.broken),
            unidentified=self.unidentified,
            batches=tuple(self.batches),
        )


def read_header(file: str, line: bytes) -> tuple[tuple[str, ...], list[Batch]]:
    """Return the names in a header line, `()` if it cannot be used, and the findings."""
    if line.startswith(_UTF_16) or b"\x00" in line[:64]:
        return (), [findings.batch("not-utf-8-file", file=file, lines=[1], encoding="UTF-16 or binary")]
    found = [findings.batch("byte-order-mark", file=file, lines=[1])] if line.startswith(BOM) else []
    try:
        names = next(csv.reader([line.removeprefix(BOM).decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return (), [*found, findings.batch("missing-header", file=file, lines=[1], detail="it cannot be read")]
    if not any(names) or len(names) > COLUMN_LIMIT or any(name.startswith("\ufeff") for name in names):
        detail = "the first line is blank" if not any(names) else "its names cannot be used"
        return (), [*found, findings.batch("missing-header", file=file, lines=[1], detail=detail)]
    return tuple(name.strip() for name in names), found
