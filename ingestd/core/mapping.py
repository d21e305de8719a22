"""Rules over frames: roster records in, target records out. Whole columns; a value map is asked once per value."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow, blanks, by_distinct, to_series
from ingestd.core.hashing import first_of_each, hash_ids, hash_rows
from ingestd.core.model import Batch, Hashes, Mask
from ingestd.core.rules import Case, OnUnmapped, Rule, Rules, Target

_UNMAPPED = "\0"
KEY_JOIN = "\x1f"
"""Between the fields of a key of several."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Target records of one target table, a row each: the fields, the hashes of key and content, those held back.

    `unmapped` counts records with values that no map has, by the map's name.
    """

    target: Target
    frame: pd.DataFrame
    keys: Hashes
    contents: Hashes
    held: Mask
    unmapped: Mapping[str, int]
    batches: tuple[Batch, ...]


def compared(target: Target, fields: list[str]) -> list[str]:
    """Return the fields whose change updates a target record: the `update` list, or all but the key."""
    return [name for name in target.update or fields if name not in target.key]


def map_records(
    target: Target, frame: pd.DataFrame, lookups: Mapping[str, Mapping[str, Mapping[str, str]]], rules: Rules, seed: int
) -> Mapped:
    """Make the target records of one target table.

    Args:
        target: the target table's rules.
        frame: records of its source table.
        lookups: `{table: {column: {sourcedId: value}}}` for what the fields look up.
        rules: for the value maps.
        seed: the feed's, for the hashes.
    """
    frame = frame[_chosen(target, frame)].reset_index(drop=True)
    held = np.zeros(len(frame), bool)
    unmapped: dict[str, int] = {}
    made: dict[str, pd.Series[str]] = {}
    for name, rule in (target.fields or {column: Rule(column=column) for column in frame.columns}).items():
        values, missed = _field(rule, frame, lookups, rules)
        made[name] = to_series(values)
        if missed.any():
            unmapped[rule.map or ""] = unmapped.get(rule.map or "", 0) + int(missed.sum())
            held |= missed
    records = pd.DataFrame(made, copy=False)
    keys = hash_ids(key_text(records, target.key), seed)
    doubled = ~first_of_each(keys) if len(keys) else held
    twice = np.isin(keys, keys[doubled])
    held = (held if rules.on_unmapped is OnUnmapped.HOLD_RECORD else np.zeros(len(frame), bool)) | twice | (keys == 0)
    batches = _tell(target, unmapped, int(twice.sum()))
    contents = hash_rows(records, compared(target, list(records.columns)), seed)
    return Mapped(target, records, keys, contents, held, unmapped, batches)


def _tell(target: Target, unmapped: Mapping[str, int], twice: int) -> tuple[Batch, ...]:
    file = f"{target.source}.csv"
    found = [
        findings.batch("unmapped-value", file=file, stands_for=count, map=name) for name, count in unmapped.items()
    ]
    if twice:
        found.append(findings.batch("duplicate-target-key", file=file, stands_for=twice, target=target.name))
    return tuple(found)


def _chosen(target: Target, frame: pd.DataFrame) -> Mask:
    chosen = np.ones(len(frame), bool)
    for column, values in target.where.items():
        chosen &= frame[column].isin(values).to_numpy(bool)
    return chosen


def key_text(frame: pd.DataFrame, key: tuple[str, ...]) -> pa.Array:
    """Return each record's key as one text."""
    columns = [arrow(frame[name]) for name in key]
    return (
        columns[0]
        if len(columns) == 1
        else pc.binary_join_element_wise(*columns, pa.scalar(KEY_JOIN, pa.large_string()))
    )


def _field(
    rule: Rule, frame: pd.DataFrame, lookups: Mapping[str, Mapping[str, Mapping[str, str]]], rules: Rules
) -> tuple[pa.Array, Mask]:
    """Return a field's values, and which of them their value map does not have."""
    values = _source(rule, frame)
    if rule.item is not None:
        item = rule.item
        values, _ = by_distinct(values, lambda text: (text.split(",") + [""] * item)[item - 1])
    if rule.lookup and rule.take:
        found = lookups[rule.lookup][rule.take]
        values, _ = by_distinct(values, lambda sourced_id: found.get(sourced_id, ""))
    missed = np.zeros(len(frame), bool)
    if rule.map:
        entries = {"": "", **rules.maps[rule.map]}
        values, _ = by_distinct(values, lambda value: entries.get(value, _UNMAPPED))
        missed = pc.equal(values, _UNMAPPED).to_numpy(zero_copy_only=False)
        values = pc.if_else(pc.equal(values, _UNMAPPED), "", values)
    if rule.default:
        values = pc.if_else(pc.equal(values, ""), rule.default, values)
    if rule.case:
        values = pc.utf8_lower(values) if rule.case is Case.LOWER else pc.utf8_upper(values)
    return values, missed


def _source(rule: Rule, frame: pd.DataFrame) -> pa.Array:
    if rule.const is not None:
        return pc.if_else(pa.array(np.ones(len(frame), bool)), pa.scalar(rule.const, pa.large_string()), "")
    if rule.column is not None:
        return _column(frame, rule.column)
    parts = [
        _column(frame, part) if i % 2 else pa.scalar(part, pa.large_string()) for i, part in enumerate(rule.template)
    ]
    return pc.binary_join_element_wise(*parts, pa.scalar("", pa.large_string()))


def _column(frame: pd.DataFrame, name: str) -> pa.Array:
    """Return a column; a metadata column that this feed does not send is blank."""
    return arrow(frame[name]) if name in frame.columns else blanks(len(frame))
