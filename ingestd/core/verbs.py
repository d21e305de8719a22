"""The verbs of rules, over whole columns. Those of a field take an array of texts and return one of the same length."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, blanks, by_distinct, flat, to_series
from ingestd.core.hashing import are_distinct, first_of_each
from ingestd.core.model import Ints, Mask
from ingestd.core.phones import e164
from ingestd.core.rules import Case, Conditions, Join, Rule
from ingestd.core.safe_ids import safe_ids

ANY = "*"
"""The entry of a value map for all values that have none of their own."""
_UNMAPPED = "\0"
_LARGEST = 1 << 62

Lookups = Mapping[str, Mapping[str, Mapping[str, str]]]
"""`{table: {column: {sourcedId: value}}}`: what fields look up."""


def fulfils(frame: pd.DataFrame, conditions: Conditions) -> Mask:
    """Return which records have, in every column named, one of its values, or any value at all, or none.

    Of several sets of conditions one is enough.
    """
    if isinstance(conditions, tuple):
        chosen = np.zeros(len(frame), bool)
        for one in conditions:
            chosen |= fulfils(frame, one)
        return chosen
    chosen = np.ones(len(frame), bool)
    for name, wanted in conditions.items():
        column = column_of(frame, name)
        if isinstance(wanted, bool):
            holds = pc.not_equal(column, "") if wanted else pc.equal(column, "")
        else:
            holds = pc.is_in(column, pa.array(wanted, pa.large_string()))
        chosen &= holds.to_numpy(zero_copy_only=False)
    return chosen


def per_item(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the records once per item of a list, with the item in its place; one that a list repeats counts once."""
    found = items(column_of(frame, column))
    return frame.iloc[found["row"]].assign(**{column: found["item"].array})


def items(lists: pa.Array) -> pd.DataFrame:
    """Return `row` and `item` for each item of some lists, in their order, each once."""
    parts = pc.split_pattern(lists, ",")
    texts = pc.utf8_trim_whitespace(pc.list_flatten(parts))
    found = pd.DataFrame({"row": pc.list_parent_indices(parts).to_numpy(), "item": to_series(texts)})
    return found[found["item"] != ""].drop_duplicates()


def join(frame: pd.DataFrame, one: Join, related: pd.DataFrame) -> pa.Array:
    """Return what the record that each one refers to has in a column; a blank if there is none."""
    at = pc.index_in(column_of(frame, one.reference), value_set=column_of(related, "sourcedId"))
    return pc.fill_null(column_of(related, one.take).take(at), "")


def merge(frame: pd.DataFrame, by: Sequence[str], lists: Sequence[str]) -> pd.DataFrame:
    """Return records of which those that agree in the columns `by` are one: the first by sourcedId.

    It has the items of all of them in each of `lists`, its own first. What is blank in all of `by` agrees with nothing.
    """
    group = _groups([column_of(frame, name) for name in by])
    if are_distinct(group):
        return frame
    order = pc.sort_indices(column_of(frame, "sourcedId")).to_numpy()
    group = group[order]
    kept = np.flatnonzero(first_of_each(group))
    kept = kept[np.argsort(order[kept])]  # records stay in the order that they have
    merged: pd.DataFrame = frame.iloc[order[kept]].copy()
    place = pd.Index(group[kept])
    for name in lists:
        found = items(column_of(frame, name).take(pa.array(order)))
        found["row"] = place.get_indexer(group[found["row"].to_numpy()])
        merged[name] = to_series(joined(found.drop_duplicates(), len(merged))).array
    return merged


def _groups(columns: Sequence[pa.Array]) -> Ints:
    """Return a number for each row that is the same where all columns are, but for rows of nothing but blanks."""
    numbers, most = np.zeros(len(columns[0]), np.int64), 1
    blank = np.ones(len(numbers), bool)
    for values in columns:
        encoded = pc.dictionary_encode(values)
        if most * len(encoded.dictionary) > _LARGEST:
            numbers, most = np.unique(numbers, return_inverse=True)[1], len(numbers)
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
        most *= len(encoded.dictionary)
        blank &= pc.equal(values, "").to_numpy(zero_copy_only=False)
    numbers[blank] = most + np.flatnonzero(blank)
    return numbers


def joined(found: pd.DataFrame, count: int) -> pa.Array:
    """Return `count` lists out of `row` and `item`, the items in the order in which they come."""
    table = pa.table({"row": found["row"].to_numpy(), "item": arrow(found["item"])})
    lists = table.group_by("row", use_threads=False).aggregate([("item", "list")])
    texts = pc.binary_join(flat(lists["item_list"]), _text(","))
    at = pc.index_in(pa.array(np.arange(count)), value_set=flat(lists["row"]))
    return pc.fill_null(texts.take(at), "").cast(pa.large_string())


def count_longer(values: pa.Array, most: int) -> int:
    """Return how many lists have more items than that."""
    return int(pc.sum(pc.greater_equal(pc.count_substring(values, ","), most)).as_py() or 0)


def ways(rule: Rule, frame: pd.DataFrame) -> Iterator[tuple[Rule, Ints]]:
    """Yield each way in which a field is made, with the positions of the records of which it makes the value."""
    left = np.arange(len(frame))
    for way in rule.ways():
        holds = fulfils(frame.iloc[left], way.when) if way.otherwise else np.ones(len(left), bool)
        yield way, left[holds]
        left = left[~holds]


def source(rule: Rule, frame: pd.DataFrame) -> pa.Array:
    """Return what the field begins with; a blank where `when` does not hold."""
    values = _begin(rule, frame)
    return pc.if_else(pa.array(fulfils(frame, rule.when)), values, "") if rule.when else values


def item(rule: Rule, values: pa.Array) -> pa.Array:
    """Take one item of a list, from 1; a list that has fewer gives a blank."""
    return values if rule.item is None else item_of(values, rule.item)


def item_of(values: pa.Array, number: int) -> pa.Array:
    """Return one item of each list, from 1, or a blank."""
    at = number - 1
    return by_distinct(values, lambda text: next(iter(text.split(",")[at : at + 1]), ""))[0]


def look_up(rule: Rule, values: pa.Array, lookups: Lookups) -> pa.Array:
    """Follow ids into a table; one that is not there gives a blank."""
    if rule.lookup is None or rule.take is None:
        return values
    found = lookups[rule.lookup][rule.take]
    return by_distinct(values, lambda sourced_id: found.get(sourced_id, ""))[0]


def map_values(values: pa.Array, value_map: Mapping[str, str], *, ignore_case: bool = False) -> tuple[pa.Array, Mask]:
    """Map values; one that the map lacks becomes blank, and so does a blank unless the map has it.

    The entry `*` is that of all values which have none of their own.
    """
    entries = {"": "", **value_map}
    anyhow = {found.casefold(): value for found, value in entries.items()} if ignore_case else {}
    other = entries.get(ANY, _UNMAPPED)
    mapped, _ = by_distinct(values, lambda value: entries.get(value, anyhow.get(value.casefold(), other)))
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
        columns = [column_of(frame, name) for name in (rule.column, *rule.others)]
        filled = [pc.if_else(pc.equal(values, ""), pa.scalar(None, values.type), values) for values in columns[:-1]]
        return pc.coalesce(*filled, columns[-1]) if filled else columns[-1]
    if rule.flags:
        names = [pc.if_else(pc.equal(column_of(frame, name), "true"), f"{name},", "") for name in rule.flags]
        listed = pc.binary_join_element_wise(*names, "").cast(pa.large_string())
        return pc.utf8_rtrim(listed, ",")
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
