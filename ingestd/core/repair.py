"""What is unambiguous is mended, and each mend is told (law 8). Values are mended by distinct value, not by row."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, by_distinct, to_series
from ingestd.core.model import Mask, Mode
from schemas import Column, Table

_RANGE = re.compile(r"\d{4}\s*[-/]\s*(\d{4})")


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of mend in one column, and the rows that it touched."""

    code: str
    column: str
    rows: Mask


def repair(frame: pd.DataFrame, table: Table, mode: Mode) -> tuple[pd.DataFrame, tuple[Repair, ...]]:
    """Return the frame with what is unambiguous mended, and what was done to which rows.

    Lower-cased booleans and words of the standard, a school year given as a range (its end is meant, binding 1.1),
    blanks around list items, status and dateLastModified of bulk files passed over, passwords emptied.
    """
    mended: dict[str, pd.Series[str]] = {}
    done: list[Repair] = []
    for column in table.columns:
        values = arrow(frame[column.name])
        for code, mend in _mends(column):
            after, touched = by_distinct(values, mend)
            if touched.any():
                values = after
                mended[column.name] = to_series(values)
                done.append(Repair(code, column.name, touched))
        if mode is Mode.BULK:
            done += _passed_over(column.name, values)
    return frame.assign(**mended) if mended else frame, tuple(done)


Mend = Callable[[str], str]


def _mends(column: Column) -> Iterator[tuple[str, Mend]]:
    """Yield what may be mended in a column of this type."""
    if column.name == "status":
        yield "inactive-status", lambda value: "tobedeleted" if value.casefold() == "inactive" else value
    if column.type == "boolean":
        yield "boolean-case", _recase({"true": "true", "false": "false"})
    elif column.values:
        yield "enum-case", _recase({value.casefold(): value for value in column.values})
    if column.type == "year":
        yield "school-year-range", lambda value: match[1] if (match := _RANGE.fullmatch(value.strip())) else value
    if column.many:
        yield "list-blanks", lambda value: ",".join(item.strip() for item in value.split(","))
    if column.name == "password":
        yield "password-dropped", lambda _: ""


def _recase(words: Mapping[str, str]) -> Mend:
    return lambda value: words.get(value.strip().casefold(), value)


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
