"""New records against the schema of their table: each is valid, repaired, or held back (laws 1 and 8).

An error (a required value is wrong) holds the record back, a warning (an optional one is) only the value.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow, is_blank, to_series
from ingestd.core.findings import CATALOGUE
from ingestd.core.hashing import hash_ids, hash_rows
from ingestd.core.model import Batch, Cause, Hashes, Ints, Mask, Mode, Severity
from ingestd.core.phones import impossible
from ingestd.core.repair import Repair, repair
from ingestd.core.ways import Ways
from schemas import Column, Table

NOT_COMPARED = ("status", "dateLastModified")
"""A record in which only these differ has not changed, but for a status that is none of the standard's."""

DELETED = ("tobedeleted", "inactive")
"""What `status` says of a record that is gone; the second word is 1.0's."""
_IDENTITY = ("sourcedId", *NOT_COMPARED)
"""What must be right even in a record that is to be deleted."""

NOTES = 62
"""Notes that records of one table may carry; one with yet another note is read again each time."""
Note = tuple[str, str]
"""A code and a column, which a record carries from the time it was read; or the name of a mark, and no column."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """New records of one table on their way into the roster; every member has an entry per row of `frame`.

    `hash` is 0 for a record that must be read again next time, `held` marks records held back, and `gone` those that
    the file itself calls deleted. `notes` lists what each carries as bits over `note_names`. `causes` gives the first
    finding of a record held back.
    """

    table: Table
    frame: pd.DataFrame
    lines: Ints
    hash: Hashes
    id: Hashes
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
    ways: Ways = Ways(),
) -> Candidates:
    """Repair and validate new records of one table.

    Args:
        table: the binding's table.
        frame: the records, all of the table's columns present; every cell a string.
        lines: their lines in the file.
        hashes: the hashes of their bytes.
        mode: what the manifest says of the file; a delta must fill status and dateLastModified.
        seed: the feed's, for the hashes of ids and contents.
        ways: the sender's; `strict` has the codes of repairs and warnings that are errors.
    """
    sound = _sound(table, frame)
    frame, repairs = repair(frame, table, mode, ways, sound)
    gone = frame["status"].isin(DELETED).to_numpy(bool)
    failures = _forgiven(_failures(table, frame, mode, ways, sound), gone)
    held, found, causes = _hold_back(table, lines, repairs, failures, mode=mode, strict=ways.strict)
    dropped = [one for one in failures if _is_dropped(table, one, mode)]
    frame = _without(frame, dropped)
    kept = [one for one in failures if CATALOGUE[one.code].severity is not Severity.ERROR]
    noted = [*repairs, *kept, *(Repair("dropped-value", one.column, one.rows) for one in dropped)]
    noted = [*marks_of(table, frame), *noted]
    notes, is_noted = _bits(noted, len(frame))
    return Candidates(
        table=table,
        frame=frame,
        lines=lines,
        hash=np.where(is_noted, hashes, np.uint64(0)),
        id=hash_ids(arrow(frame["sourcedId"]), seed),
        held=held,
        gone=gone & ~held,
        notes=notes,
        note_names=tuple((one.code, one.column) for one in noted[:NOTES]),
        causes=causes,
        batches=tuple(found),
    )


def content_of(frame: pd.DataFrame, seed: int) -> Hashes:
    """Return the hash of what is compared in each record; its id is what it is compared by.

    Of the status only a word of the sender's own is compared, because scope may ask for it.
    """
    own = pc.if_else(pc.equal(arrow(frame["status"]), "active"), "", arrow(frame["status"]))
    frame = frame.assign(status=to_series(own).array)
    return hash_rows(frame, ["status", *(name for name in frame.columns if name not in _IDENTITY)], seed)


def _sound(table: Table, frame: pd.DataFrame) -> frozenset[str]:
    """Return the columns of which every cell has the form that the standard demands: most columns of most files.

    In them is nothing to mend and nothing to refuse, so that neither is looked for.
    """
    return frozenset(
        column.name
        for column in table.columns
        if len(column.conditions) > column.required and _all_hold(column, arrow(frame[column.name]))
    )


def _all_hold(column: Column, cells: pa.Array) -> bool:
    if is_blank(cells):
        return not column.required
    return all(pc.all(condition.holds(cells)).as_py() for condition in column.conditions)


def _failures(table: Table, frame: pd.DataFrame, mode: Mode, ways: Ways, sound: Collection[str]) -> list[Repair]:
    """Return what is wrong: a finding's code, a column, and the rows; in the order of columns, then codes.

    Columns that a bulk file should leave blank are passed over, so what they hold cannot be wrong.
    """
    if frame.empty:
        return []  # on most days nothing is new in most tables, and a schema costs its time even for no rows
    passed_over = NOT_COMPARED if mode is Mode.BULK and table.knows_modes else ()
    refused = _refused(table, frame, {*sound, *passed_over})
    found = [*refused, *_unfilled(table, frame, mode), *_broken(table, frame), *_unreachable(table, frame, ways)]
    order = [column.name for column in table.columns]
    return sorted(found, key=lambda one: (order.index(one.column), one.code))


def _refused(table: Table, frame: pd.DataFrame, passed_over: Collection[str]) -> Iterator[Repair]:
    """Yield what the schema's checks find; asked one by one, for to validate a whole schema costs 40 ms a table."""
    for column in table.columns:
        if column.name in passed_over:
            continue
        cells = arrow(frame[column.name])
        if is_blank(cells):
            if column.required:
                yield Repair("required-value", column.name, np.ones(len(frame), bool))
            continue
        for condition in column.conditions:
            yield from _told(condition.code, column.name, pc.invert(condition.holds(cells)))


def _unfilled(table: Table, frame: pd.DataFrame, mode: Mode) -> Iterator[Repair]:
    """Yield what the schema cannot know: a text of nothing but blanks is blank, and a delta must tell its state."""
    tests = {column.name: pc.utf8_is_space for column in table.columns if column.required and column.type == "string"}
    if mode is Mode.DELTA:
        tests |= dict.fromkeys(NOT_COMPARED, _is_blank)
    for name, test in tests.items():
        yield from _told("required-value", name, test(arrow(frame[name])))


def _broken(table: Table, frame: pd.DataFrame) -> Iterator[Repair]:
    """Yield the records whose cells do not go together."""
    for rule in table.rules:
        yield from _told(rule.code, rule.column, rule.breaks(frame))


def _unreachable(table: Table, frame: pd.DataFrame, ways: Ways) -> Iterator[Repair]:
    """Yield telephone numbers that the country of the feed cannot have; without one nobody can tell."""
    for name in ("sms", "phone"):
        if ways.country and table.has(name):
            rows = impossible(arrow(frame[name]), ways.country)
            if rows.any():
                yield Repair("invalid-phone", name, rows)


def _forgiven(failures: Sequence[Repair], gone: Mask) -> list[Repair]:
    """Return the failures, those aside that do not matter in a record that is to be deleted: its id is enough."""
    found: list[Repair] = []
    for one in failures:
        excused = one.rows & gone
        if one.column in _IDENTITY or not excused.any():
            found.append(one)
            continue
        found.append(replace(one, code="incomplete-deletion", rows=excused))
        if (one.rows & ~gone).any():
            found.append(replace(one, rows=one.rows & ~gone))
    return _merged(found)


def _merged(failures: Sequence[Repair]) -> list[Repair]:
    """Return failures so that no code comes twice for one column."""
    together: dict[Note, Repair] = {}
    for one in failures:
        before = together.get((one.code, one.column))
        together[one.code, one.column] = replace(one, rows=one.rows | before.rows) if before else one
    return list(together.values())


def _told(code: str, column: str, rows: pa.Array) -> Iterator[Repair]:
    """Yield what is wrong in some rows, if any are."""
    if pc.any(rows).as_py():
        yield Repair(code, column, _to_mask(rows))


def _to_mask(rows: pa.Array) -> Mask:
    mask: Mask = rows.to_numpy(zero_copy_only=False)
    return mask


def _is_blank(values: pa.Array) -> pa.Array:
    return pc.equal(values, "")


def _is_required(table: Table, failure: Repair, mode: Mode) -> bool:
    return table.column(failure.column).required or (mode is Mode.DELTA and failure.column in NOT_COMPARED)


def _is_dropped(table: Table, failure: Repair, mode: Mode) -> bool:
    """Return whether it is a value that cannot be kept: it is wrong, and the record can do without it."""
    return CATALOGUE[failure.code].severity is Severity.ERROR and not _is_required(table, failure, mode)


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
    code, words = one.code, _words(table, one.code, one.column)
    if CATALOGUE[code].severity is Severity.ERROR and not required:
        code, words = "dropped-value", {"why": CATALOGUE[code].message.format(**words)}
    column = table.told(one.column)
    made = findings.batch(code, file=table.file, column=column, lines=at[:1], stands_for=len(at), **words)
    (made,) = findings.strict([made], strict)
    return made if made.severity is Severity.INFO else replace(made, lines=tuple(at.tolist()), stands_for=None)


def _words(table: Table, code: str, column: str) -> dict[str, Any]:
    """Return the words that a failure's message may want."""
    rules = (rule for rule in table.rules if (rule.code, rule.column) == (code, column))
    told = {word: table.told(name) for rule in rules for word, name in rule.words.items()}
    return {"allowed": ", ".join(table.column(column).values), **told}


def _without(frame: pd.DataFrame, failures: Sequence[Repair]) -> pd.DataFrame:
    """Return the frame with optional values that are wrong left out."""
    for one in failures:
        frame = frame.assign(**{one.column: frame[one.column].mask(one.rows, "")})
    return frame


def marks_of(table: Table, frame: pd.DataFrame) -> list[Repair]:
    """Return the marks of records; they come before all other notes, so that none is ever without room."""
    return [Repair(one.name, "", _to_mask(one.holds(frame))) for one in table.marks]


def _bits(notes: Sequence[Repair], length: int) -> tuple[Ints, Mask]:
    """Return the notes of each record as bits, and which records have no note that finds no room."""
    bits, has_room = np.zeros(length, np.int64), np.ones(length, bool)
    for i, one in enumerate(notes):
        if i < NOTES:
            bits |= one.rows.astype(np.int64) << i
        else:
            has_room &= ~one.rows
    return bits, has_room


def recall(table: Table, notes: Ints, lines: Ints, names: Sequence[Note]) -> Iterator[Batch]:
    """Yield the repairs and warnings that records carry which were not read again; a mark is neither.

    Args:
        table: their table.
        notes: a number per record, with a bit for each of `names`.
        lines: where each of them stands in today's file.
        names: the codes and columns.
    """
    for bit, (code, column) in enumerate(names):
        at = lines[(notes >> bit) & 1 == 1]
        if len(at) and column:
            words = {**_words(table, code, column), "why": "as when it was first read"}
            told = table.told(column)
            yield findings.batch(code, file=table.file, column=told, lines=[int(at.min())], stands_for=len(at), **words)


def marked(notes: Ints, names: Sequence[Note], mark: str) -> Mask:
    """Return which records carry a mark."""
    bits = [bit for bit, name in enumerate(names) if name == (mark, "")]
    return np.asarray((notes >> bits[0]) & 1 == 1) if bits else np.zeros(len(notes), bool)
