"""What is unambiguous is mended, and each mend is told (law 8). Values are mended by distinct value, not by row."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, blanks, by_distinct, is_blank, to_series
from ingestd.core.model import Mask, Mode
from ingestd.core.ways import DateForm, Ways, read_date
from schemas import Column, Table
from schemas.cells import text_of

_RANGE = re.compile(r"(\d{4})\s*[-/]\s*(\d{4}|\d{2})", re.ASCII)
_BLANKS = tuple(bytes([one]) for one in b" \t\n\r\v\f")
_TEXTS = ("string", "id")
"""Types of which blanks around a value may be part of it."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of mend in one column, and the rows that it touched."""

    code: str
    column: str
    rows: Mask


def repair(
    frame: pd.DataFrame, table: Table, mode: Mode, ways: Ways = Ways(), sound: Collection[str] = ()
) -> tuple[pd.DataFrame, tuple[Repair, ...]]:
    """Return the frame with what is unambiguous mended, and what was done to which rows.

    The word NULL and blanks alone as no value, blanks around what is no text, booleans and words of the standard in
    another case, a school year given as a range (its end is meant, rules 4.3), dates and times in other forms, lists
    separated otherwise; status and dateLastModified of bulk files passed over, passwords emptied.

    `sound` names columns of which every cell is as the standard has it: no form in them needs to be looked for.
    """
    mended: dict[str, pd.Series[str]] = {}
    done: list[Repair] = []
    is_passed_over = mode is Mode.BULK and table.knows_modes
    for column in table.columns:
        values = arrow(frame[column.name])
        if is_blank(values):
            continue
        is_date = column.type == "datetime" and is_passed_over  # of which nobody asks what form it has
        for code, mend in () if is_date else _mends(column, ways, is_sound=column.name in sound):
            after, touched = mend(values)
            if touched.any():
                values = after
                mended[column.name] = to_series(values)
                done.append(Repair(code, column.name, touched))
        if is_passed_over:
            done += _passed_over(column.name, values)
    return frame.assign(**mended) if mended else frame, tuple(done)


Mend = Callable[[pa.Array], tuple[pa.Array, Mask]]
"""A function that mends a column, and says which rows it touched."""


def _mends(column: Column, ways: Ways, *, is_sound: bool) -> Iterator[tuple[str, Mend]]:
    """Yield what may be mended in a column, in the order in which it is done."""
    if column.name == "password":
        yield "password-dropped", _empty
        return
    if not column.required:
        yield "null-word", _forget_null
    if is_sound:
        return
    if column.many:
        if column.references:
            yield "list-separator", _separate
        yield "list-blanks", _close_up
    elif column.type in _TEXTS:
        if not column.required:
            yield "blank-cell", _forget_blanks
    elif not column.values:
        yield "surrounding-blanks", _trim
    yield from _mends_of_type(column, ways)


def _mends_of_type(column: Column, ways: Ways) -> Iterator[tuple[str, Mend]]:
    if column.name == "status" and "inactive" not in column.values:
        yield "inactive-status", _reword({"inactive": "tobedeleted"})
    if column.values and not column.many:
        code = "boolean-case" if column.type == "boolean" else "enum-case"
        yield code, _reword({value.casefold(): value for value in column.values})
    if column.values and column.many:
        yield "enum-case", _reword_items({value.casefold(): value for value in column.values})
    if column.type == "year":
        yield "school-year-range", partial(by_distinct, change=_end_of_range)
    if column.type == "date":
        yield "date-form", partial(by_distinct, change=partial(read_date, form=ways.date_form))
    if column.type == "datetime":
        yield "datetime-form", partial(by_distinct, change=partial(_in_utc, form=ways.date_form))


def _forget_null(values: pa.Array) -> tuple[pa.Array, Mask]:
    """Make the word NULL blank, as some exporters write it (rules 6); only where a value may lack."""
    return _emptied(values, pc.equal(values, "NULL"))


def _forget_blanks(values: pa.Array) -> tuple[pa.Array, Mask]:
    return _emptied(values, pc.and_(pc.utf8_is_space(values), pc.not_equal(values, "")))


def _emptied(values: pa.Array, rows: pa.Array) -> tuple[pa.Array, Mask]:
    mask: Mask = rows.to_numpy(zero_copy_only=False)
    return (pc.if_else(rows, "", values), mask) if mask.any() else (values, mask)


def _trim(values: pa.Array) -> tuple[pa.Array, Mask]:
    text = text_of(values)
    if text.isascii() and not any(blank in text for blank in _BLANKS):
        return values, np.zeros(len(values), bool)
    after = pc.utf8_trim_whitespace(values)
    return after, _differ(after, values)


def _separate(values: pa.Array) -> tuple[pa.Array, Mask]:
    """Take semicolons for the commas that they stand for: an id has neither."""
    if not pc.any(pc.match_substring(values, ";")).as_py():
        return values, np.zeros(len(values), bool)
    after = pc.replace_substring(values, ";", ",")
    return after, _differ(after, values)


def _reword(words: Mapping[str, str]) -> Mend:
    return partial(by_distinct, change=lambda value: words.get(value.strip().casefold(), value))


def _reword_items(words: Mapping[str, str]) -> Mend:
    def change(value: str) -> str:
        return ",".join(words.get(item.casefold(), item) for item in value.split(","))

    return partial(by_distinct, change=change)


def _end_of_range(value: str) -> str:
    """Return the year that ends a range of two consecutive ones; 2011-12 is left alone, for it may be a month."""
    match = _RANGE.fullmatch(value.strip())
    if not match:
        return value
    end = str(int(match[1]) + 1)
    return end if match[2] == end or (match[2] == end[2:] and match[2] > "12") else value


def _in_utc(value: str, form: DateForm | None) -> str:
    """Return a time as the standard writes it: of another zone, without one (UTC is meant), or a day alone."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        day = read_date(value, form)
        return f"{day}T00:00:00Z" if day != value else value
    if "T" in value and found.utcoffset() is not None and not found.utcoffset():
        return value
    utc = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
