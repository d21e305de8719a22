"""The verbs of rules, over whole columns. Those of a field take an array of texts and return one of the same length."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, blanks, by_distinct, to_series
from ingestd.core.model import Mask
from ingestd.core.phones import e164
from ingestd.core.rules import Case, Conditions, Rule
from ingestd.core.safe_ids import safe_ids

_UNMAPPED = "\0"

Lookups = Mapping[str, Mapping[str, Mapping[str, str]]]
"""`{table: {column: {sourcedId: value}}}`: what fields look up."""


def fulfils(frame: pd.DataFrame, conditions: Conditions) -> Mask:
    """Return which records have, in every column named, one of its values."""
    chosen = np.ones(len(frame), bool)
    for column, values in conditions.items():
        words = pa.array(values, pa.large_string())
        chosen &= pc.is_in(column_of(frame, column), words).to_numpy(zero_copy_only=False)
    return chosen


def per_item(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the records once per item of a list, with the item in its place; one that a list repeats counts once."""
    parts = pc.split_pattern(column_of(frame, column), ",")
    found = pd.DataFrame({"row": pc.list_parent_indices(parts).to_numpy(), "item": to_series(pc.list_flatten(parts))})
    found = found[found["item"] != ""].drop_duplicates()
    return frame.iloc[found["row"]].assign(**{column: found["item"].array})


def count_longer(values: pa.Array, most: int) -> int:
    """Return how many lists have more items than that."""
    return int(pc.sum(pc.greater_equal(pc.count_substring(values, ","), most)).as_py() or 0)


def source(rule: Rule, frame: pd.DataFrame) -> pa.Array:
    """Return what the field begins with; a blank where `when` does not hold."""
    values = _begin(rule, frame)
    return pc.if_else(pa.array(fulfils(frame, rule.when)), values, "") if rule.when else values


def item(rule: Rule, values: pa.Array) -> pa.Array:
    """Take one item of a list, from 1; a list that has fewer gives a blank."""
    if rule.item is None:
        return values
    at = rule.item - 1
    return by_distinct(values, lambda text: next(iter(text.split(",")[at : at + 1]), ""))[0]


def look_up(rule: Rule, values: pa.Array, lookups: Lookups) -> pa.Array:
    """Follow ids into a table; one that is not there gives a blank."""
    if rule.lookup is None or rule.take is None:
        return values
    found = lookups[rule.lookup][rule.take]
    return by_distinct(values, lambda sourced_id: found.get(sourced_id, ""))[0]


def map_values(values: pa.Array, value_map: Mapping[str, str]) -> tuple[pa.Array, Mask]:
    """Map values; one that the map lacks becomes blank, and so does a blank unless the map has it."""
    entries = {"": "", **value_map}
    mapped, _ = by_distinct(values, lambda value: entries.get(value, _UNMAPPED))
    missed = pc.equal(mapped, _UNMAPPED)
    return pc.if_else(missed, "", mapped), missed.to_numpy(zero_copy_only=False)


def write(rule: Rule, values: pa.Array) -> pa.Array:
    """Write values in another form: dates, telephone numbers, ids. What is none of the kind becomes blank."""
    if rule.date is not None:
        form = rule.date
        values = by_distinct(values, lambda text: _date(text, form))[0]
    if rule.phone is not None:
        values = e164(values, rule.phone)
    return safe_ids(values) if rule.safe_id else values


def finish(rule: Rule, values: pa.Array) -> pa.Array:
    """Fill in what is blank, and set the case."""
    if rule.default:
        values = pc.if_else(pc.equal(values, ""), rule.default, values)
    if rule.case:
        values = pc.utf8_lower(values) if rule.case is Case.LOWER else pc.utf8_upper(values)
    return values


def count_blanks(values: pa.Array) -> int:
    """Return how many cells are blank."""
    return int(pc.sum(pc.equal(values, "")).as_py() or 0)


def _begin(rule: Rule, frame: pd.DataFrame) -> pa.Array:
    if rule.const is not None:
        return pa.repeat(_text(rule.const), len(frame))
    if rule.column is not None:
        return column_of(frame, rule.column)
    parts = [column_of(frame, part) if i % 2 else _text(part) for i, part in enumerate(rule.template)]
    return pc.binary_join_element_wise(*parts, _text(""))


def column_of(frame: pd.DataFrame, name: str) -> pa.Array:
    """Return a column; a metadata column that this feed does not send is blank."""
    return arrow(frame[name]) if name in frame.columns else blanks(len(frame))


def _date(text: str, form: str) -> str:
    """Write a date, or the day of a date with a time, as the rules want it."""
    try:
        return date.fromisoformat(text[:10]).strftime(form)
    except ValueError:
        return ""


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())
