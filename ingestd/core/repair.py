"""What is unambiguous is mended, and each mend is told (law 8). Values are mended by distinct value, not by row."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, blanks, by_distinct, to_series
from ingestd.core.model import Mask, Mode
from schemas import Column, Table

_RANGE = re.compile(r"(\d{4})\s*[-/]\s*(\d{4}|\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of mend in one column, and the rows that it touched."""

    code: str
    column: str
    rows: Mask


def repair(frame: pd.DataFrame, table: Table, mode: Mode) -> tuple[pd.DataFrame, tuple[Repair, ...]]:
    """Return the frame with what is unambiguous mended, and what was done to which rows.

    Booleans and words of the standard in another case, a school year given as a range (its end is meant, rules 4.3),
    blanks around list items, status and dateLastModified of bulk files passed over, passwords emptied.
    """
    mended: dict[str, pd.Series[str]] = {}
    done: list[Repair] = []
    for column in table.columns:
        values = arrow(frame[column.name])
        for code, mend in _mends(column):
            after, touched = mend(values)
            if touched.any():
                values = after
                mended[column.name] = to_series(values)
                done.append(Repair(code, column.name, touched))
        if mode is Mode.BULK:
            done += _passed_over(column.name, values)
    return frame.assign(**mended) if mended else frame, tuple(done)


Mend = Callable[[pa.Array], tuple[pa.Array, Mask]]
"""A function that mends a column, and says which rows it touched."""


def _mends(column: Column) -> Iterator[tuple[str, Mend]]:
    """Yield what may be mended in a column of this type."""
    if column.name == "status":
        yield "inactive-status", _reword({"inactive": "tobedeleted"})
    if column.values:
        code = "boolean-case" if column.type == "boolean" else "enum-case"
        yield code, _reword({value.casefold(): value for value in column.values})
    if column.type == "year":
        yield "school-year-range", partial(by_distinct, change=_end_of_range)
    if column.many:
        yield "list-blanks", _close_up
    if column.name == "password":
        yield "password-dropped", _empty


def _reword(words: Mapping[str, str]) -> Mend:
    return partial(by_distinct, change=lambda value: words.get(value.strip().casefold(), value))


def _end_of_range(value: str) -> str:
    """Return the year that ends a range of two consecutive ones; 2011-12 is left alone, for it may be a month."""
    match = _RANGE.fullmatch(value.strip())
    if not match:
        return value
    end = str(int(match[1]) + 1)
    return end if match[2] == end or (match[2] == end[2:] and match[2] > "12") else value


def _close_up(values: pa.Array) -> tuple[pa.Array, Mask]:
    after = pc.utf8_trim_whitespace(pc.replace_substring_regex(values, r"[\s\pZ]*,[\s\pZ]*", ","))
    return after, _differ(after, values)


def _empty(values: pa.Array) -> tuple[pa.Array, Mask]:
    after = blanks(len(values))
    return after, _differ(after, values)


def _differ(after: pa.Array, before: pa.Array) -> Mask:
    changed: Mask = pc.not_equal(after, before).to_numpy(zero_copy_only=False)
    return changed


def _passed_over(name: str, values: pa.Array) -> Iterator[Repair]:
    """Note what the standard forbids in bulk files and nearly everybody fills in (rules 4.4, 6)."""
    if name == "status":
        yield from _noted("tobedeleted-in-bulk", name, pc.equal(values, "tobedeleted"))
        filled = pc.and_(pc.not_equal(values, ""), pc.not_equal(values, "tobedeleted"))
        yield from _noted("bulk-status", name, filled)
    elif name == "dateLastModified":
        yield from _noted("bulk-date", name, pc.not_equal(values, ""))


def _noted(code: str, column: str, rows: pa.Array) -> Iterator[Repair]:
    mask = rows.to_numpy(zero_copy_only=False)
    if mask.any():
        yield Repair(code, column, mask)
