"""New records against the schema of their table: each is valid, repaired, or held back (laws 1 and 8).

An error (a required value is wrong) holds the record back, a warning (an optional one is) only the value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow
from ingestd.core.findings import CATALOGUE
from ingestd.core.hashing import hash_ids, hash_rows
from ingestd.core.model import Batch, Cause, Hashes, Ints, Mask, Mode, Severity
from ingestd.core.repair import Repair, repair
from schemas import Table

NOT_COMPARED = ("status", "dateLastModified")
"""A record in which only these differ has not changed."""

Note = tuple[str, str]
"""A code and a column: a repair or warning that a record carries from the time it was read."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """New records of one table on their way into the roster; every member has an entry per row of `frame`.

    `hash` is 0 for a record that must be read again next time, `content` is what the diff compares, `held` marks
    records held back and `gone` those that the file itself calls deleted. `notes` lists what each carries as bits
    over `note_names`. `causes` gives the first finding of a record held back.
    """

    table: Table
    frame: pd.DataFrame
    lines: Ints
    hash: Hashes
    id: Hashes
    content: Hashes
    held: Mask
    gone: Mask
    notes: Ints
    note_names: tuple[Note, ...]
    causes: Mapping[int, Cause]
    batches: tuple[Batch, ...]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def valid(self) -> Mask:
        """Return which records are neither held back nor gone."""
        return ~self.held & ~self.gone

    def hold(self, rows: Mask, found: Sequence[Batch], cause_code: str) -> "Candidates":
        """Return the candidates with more of them held back, for the reason that `found` tells."""
        file = self.table.file
        causes = {int(i): Cause(cause_code, file, int(self.lines[i])) for i in np.flatnonzero(rows)}
        return replace(self, held=self.held | rows, causes={**causes, **self.causes}, batches=(*self.batches, *found))


def validate(
    table: Table,
    frame: pd.DataFrame,
    lines: Ints,
    hashes: Hashes,
    *,
    mode: Mode,
    seed: int,
    strict: bool | Sequence[str] = False,
) -> Candidates:
    """Repair and validate new records of one table.

    Args:
        table: the binding's table.
        frame: the records, all of the table's columns present; every cell a string.
        lines: their lines in the file.
        hashes: the hashes of their bytes.
        mode: what the manifest says of the file; a delta must fill status and dateLastModified.
        seed: the feed's, for the hashes of ids and contents.
        strict: codes of repairs that are errors, or True for all of them.
    """
    frame, repairs = repair(frame, table, mode)
    failures = _failures(table, frame, mode)
    held, found, causes = _hold_back(table, lines, repairs, failures, mode=mode, strict=strict)
    optional = [one for one in failures if not _is_required(table, one, mode)]
    frame = _without(frame, optional)
    noted = [*repairs, *(Repair("dropped-value", one.column, one.rows) for one in optional)]
    return Candidates(
        table=table,
        frame=frame,
        lines=lines,
        hash=hashes.copy(),
        id=hash_ids(arrow(frame["sourcedId"]), seed),
        content=content_of(frame, seed),
        held=held,
        gone=(frame["status"] == "tobedeleted").to_numpy(bool) & ~held,
        notes=_bits(noted, len(frame)),
        note_names=tuple((one.code, one.column) for one in noted),
        causes=causes,
        batches=tuple(found),
    )


def content_of(frame: pd.DataFrame, seed: int) -> Hashes:
    """Return the hash of what is compared in each record."""
    return hash_rows(frame, [name for name in frame.columns if name not in NOT_COMPARED], seed)


def _failures(table: Table, frame: pd.DataFrame, mode: Mode) -> list[Repair]:
    """Return what is wrong: a finding's code, a column, and the rows; in the order of columns, then codes.

    Columns that a bulk file should leave blank are passed over, so what they hold cannot be wrong.
    """
    if frame.empty:
        return []  # on most days nothing is new in most tables, and a schema costs its time even for no rows
    passed_over = NOT_COMPARED if mode is Mode.BULK else ()
    found = [*(one for one in _refused(table, frame) if one.column not in passed_over), *_unfilled(table, frame, mode)]
    order = [column.name for column in table.columns]
    return sorted(found, key=lambda one: (order.index(one.column), one.code))


def _refused(table: Table, frame: pd.DataFrame) -> Iterator[Repair]:
    """Yield what the schema finds."""
    try:
        table.schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for (column, code), rows in errors.failure_cases.groupby(["column", "check"], sort=False)["index"]:
            yield Repair(str(code), str(column), _mask(rows.to_numpy(np.int64), len(frame)))


def _unfilled(table: Table, frame: pd.DataFrame, mode: Mode) -> Iterator[Repair]:
    """Yield what the schema cannot know: a text of nothing but blanks is blank, and a delta must tell its state."""
    tests = {column.name: pc.utf8_is_space for column in table.columns if column.required and column.type == "string"}
    if mode is Mode.DELTA:
        tests |= dict.fromkeys(NOT_COMPARED, _is_blank)
    for name, test in tests.items():
        rows = test(arrow(frame[name])).to_numpy(zero_copy_only=False)
        if rows.any():
            yield Repair("required-value", name, rows)


def _is_blank(values: pa.Array) -> pa.Array:
    return pc.equal(values, "")


def _mask(rows: Ints, length: int) -> Mask:
    mask = np.zeros(length, bool)
    mask[rows] = True
    return mask


def _is_required(table: Table, failure: Repair, mode: Mode) -> bool:
    return table.column(failure.column).required or (mode is Mode.DELTA and failure.column in NOT_COMPARED)


def _hold_back(
    table: Table,
    lines: Ints,
    repairs: Sequence[Repair],
    failures: Sequence[Repair],
    *,
    mode: Mode,
    strict: bool | Sequence[str],
) -> tuple[Mask, list[Batch], dict[int, Cause]]:
    """Turn repairs and failures into findings; return which records they hold back, and each one's first cause."""
    held = np.zeros(len(lines), bool)
    causes: dict[int, Cause] = {}
    found: list[Batch] = []
    for one in (*repairs, *failures):
        made = _finding(table, one, lines[one.rows], required=_is_required(table, one, mode), strict=strict)
        found.append(made)
        if made.severity is Severity.ERROR:
            for i in np.flatnonzero(one.rows & ~held).tolist():
                causes[i] = Cause(made.code, table.file, int(lines[i]))
            held |= one.rows
    return held, found, causes


def _finding(table: Table, one: Repair, at: Ints, *, required: bool, strict: bool | Sequence[str]) -> Batch:
    """Tell of a repair or failure at some lines; of what is mere information only the first and the count."""
    code, allowed = one.code, ", ".join(table.column(one.column).values)
    words: dict[str, Any] = {"allowed": allowed}
    if CATALOGUE[code].severity is Severity.ERROR and not required:
        code, words = "dropped-value", {"why": CATALOGUE[code].message.format(allowed=allowed)}
    made = findings.batch(code, file=table.file, column=one.column, lines=at[:1], stands_for=len(at), **words)
    (made,) = findings.strict([made], strict)
    return made if made.severity is Severity.INFO else replace(made, lines=tuple(at.tolist()), stands_for=None)


def _without(frame: pd.DataFrame, failures: Sequence[Repair]) -> pd.DataFrame:
    """Return the frame with optional values that are wrong left out."""
    for one in failures:
        frame = frame.assign(**{one.column: frame[one.column].mask(one.rows, "")})
    return frame


def _bits(notes: Sequence[Repair], length: int) -> Ints:
    bits = np.zeros(length, np.int64)
    for i, one in enumerate(notes):
        bits |= one.rows.astype(np.int64) << i
    return bits


def recall(table: Table, notes: Ints, lines: Ints, names: Sequence[Note]) -> Iterator[Batch]:
    """Yield the repairs and warnings that records carry which were not read again.

    Args:
        table: their table.
        notes: a number per record, with a bit for each of `names`.
        lines: where each of them stands in today's file.
        names: the codes and columns.
    """
    for bit, (code, column) in enumerate(names):
        at = lines[(notes >> bit) & 1 == 1]
        if len(at):
            why = "as when it was first read"
            yield findings.batch(
                code, file=table.file, column=column, lines=[int(at.min())], stands_for=len(at), why=why
            )
