"""Rules over frames: roster records in, target records out. Whole columns; a value map is asked once per value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow, blanks, by_distinct, to_series
from ingestd.core.hashing import first_of_each, hash_ids, hash_rows
from ingestd.core.model import Batch, Hashes, Mask, Severity
from ingestd.core.rules import METADATA, Case, OnUnmapped, Rule, Rules, Target

_UNMAPPED = "\0"
KEY_JOIN = "\x1f"
"""Between the fields of a key of several. The gate lets it into no value."""

Lookups = Mapping[str, Mapping[str, Mapping[str, str]]]
"""`{table: {column: {sourcedId: value}}}`: what fields look up."""


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


def compared(target: Target, fields: Sequence[str]) -> list[str]:
    """Return the fields whose change updates a target record: those of the `update` list, or all but the key."""
    wanted = target.update or fields
    return [name for name in wanted if name in fields and name not in target.key]


def map_records(target: Target, frame: pd.DataFrame, lookups: Lookups, rules: Rules, seed: int) -> Mapped:
    """Make the target records of one target table.

    A record is held back if its key is blank or not its own, or if a map does not have its value and the rules say so.

    Args:
        target: the target table's rules.
        frame: records of its source table.
        lookups: the values that the fields look up.
        rules: for the value maps.
        seed: the feed's, for the hashes.
    """
    lacking = _lacking(target, frame)
    frame = _choose(target, frame)
    made, misses = _fields(target, frame, lookups, rules)
    text = key_text(made, target.key)
    keys = hash_ids(text, seed)
    keys[pc.equal(text, KEY_JOIN * (len(target.key) - 1)).to_numpy(zero_copy_only=False)] = 0
    blank, twice = keys == 0, _repeated(keys)
    unmapped = {name: int(missed.sum()) for name, missed in misses.items() if missed.any()}
    held = blank | twice
    for missed in misses.values() if rules.on_unmapped is OnUnmapped.HOLD_RECORD else ():
        held |= missed
    return Mapped(
        target=target,
        frame=made,
        keys=keys,
        contents=_contents(made, compared(target, list(made.columns)), seed),
        held=held,
        unmapped=unmapped,
        batches=(*lacking, *_tell(target, rules, unmapped, int(blank.sum()), int(twice.sum()))),
    )


def key_text(frame: pd.DataFrame, key: tuple[str, ...]) -> pa.Array:
    """Return each record's key as one text."""
    return pc.binary_join_element_wise(*(arrow(frame[name]) for name in key), _text(KEY_JOIN))


def split_key(texts: pa.Array, fields: int) -> list[pa.Array]:
    """Return the `fields` columns of keys that `key_text` joined."""
    if fields == 1:
        return [texts]
    parts = pc.split_pattern(texts, KEY_JOIN)
    return [pc.list_element(parts, i) for i in range(fields)]


def _lacking(target: Target, frame: pd.DataFrame) -> tuple[Batch, ...]:
    """Find the columns of the standard that the rules read and this version of it does not have."""
    read = dict.fromkeys([*target.where, *(name for rule in (target.fields or {}).values() for name in rule.columns())])
    names = [name for name in read if name not in frame.columns and not name.startswith(METADATA)]
    file = f"{target.source}.csv"
    return tuple(
        findings.batch("rules-need-column", file=file, column=name, target=target.name, name=name)
        for name in (names if len(frame) else ())
    )


def _choose(target: Target, frame: pd.DataFrame) -> pd.DataFrame:
    if not target.where:
        return frame
    chosen = np.ones(len(frame), bool)
    for column, values in target.where.items():
        words = pa.array(values, pa.large_string())
        chosen &= pc.is_in(_column(frame, column), words).to_numpy(zero_copy_only=False)
    return frame[chosen]


def _fields(
    target: Target, frame: pd.DataFrame, lookups: Lookups, rules: Rules
) -> tuple[pd.DataFrame, dict[str, Mask]]:
    """Return the target records, and by the name of each value map which of them have a value that it lacks."""
    if target.fields is None:
        return frame.reset_index(drop=True), {}
    made: dict[str, pd.Series[str]] = {}
    misses: dict[str, Mask] = {}
    for name, rule in target.fields.items():
        values = _look_up(rule, _item(rule, _source(rule, frame)), lookups)
        if rule.map:
            values, missed = _map(values, rules.maps[rule.map])
            misses[rule.map] = misses.get(rule.map, False) | missed
        made[name] = to_series(_finish(rule, values))
    return pd.DataFrame(made, copy=False), misses


def _contents(frame: pd.DataFrame, fields: Sequence[str], seed: int) -> Hashes:
    """Return the hash of what is compared; records of nothing but a key are all alike."""
    return hash_rows(frame, fields, seed) if fields else np.ones(len(frame), np.uint64)


def _repeated(keys: Hashes) -> Mask:
    first = first_of_each(keys)
    return (keys != 0) & np.isin(keys, keys[~first]) if not first.all() else ~first


def _tell(target: Target, rules: Rules, unmapped: Mapping[str, int], blank: int, twice: int) -> Iterator[Batch]:
    file = f"{target.source}.csv"
    severity = Severity.ERROR if rules.on_unmapped is OnUnmapped.HOLD_RECORD else Severity.WARNING
    for name, count in unmapped.items():
        yield findings.batch("unmapped-value", file=file, stands_for=count, severity=severity, map=name)
    if blank:
        yield findings.batch("required-value", file=file, column=", ".join(target.key), stands_for=blank)
    if twice:
        yield findings.batch("duplicate-target-key", file=file, stands_for=twice, target=target.name)


# One field -------------------------------------------------------------------------------------------------------


def _source(rule: Rule, frame: pd.DataFrame) -> pa.Array:
    if rule.const is not None:
        return pa.repeat(_text(rule.const), len(frame))
    if rule.column is not None:
        return _column(frame, rule.column)
    parts = [_column(frame, part) if i % 2 else _text(part) for i, part in enumerate(rule.template)]
    return pc.binary_join_element_wise(*parts, _text(""))


def _column(frame: pd.DataFrame, name: str) -> pa.Array:
    """Return a column; a metadata column that this feed does not send is blank."""
    return arrow(frame[name]) if name in frame.columns else blanks(len(frame))


def _item(rule: Rule, values: pa.Array) -> pa.Array:
    """Take one item of a list, from 1; a list that has fewer gives a blank."""
    if rule.item is None:
        return values
    at = rule.item - 1
    return by_distinct(values, lambda text: next(iter(text.split(",")[at : at + 1]), ""))[0]


def _look_up(rule: Rule, values: pa.Array, lookups: Lookups) -> pa.Array:
    if rule.lookup is None or rule.take is None:
        return values
    found = lookups[rule.lookup][rule.take]
    return by_distinct(values, lambda sourced_id: found.get(sourced_id, ""))[0]


def _map(values: pa.Array, value_map: Mapping[str, str]) -> tuple[pa.Array, Mask]:
    """Map values; one that the map lacks becomes blank, and so does a blank unless the map has it."""
    entries = {"": "", **value_map}
    mapped, _ = by_distinct(values, lambda value: entries.get(value, _UNMAPPED))
    missed = pc.equal(mapped, _UNMAPPED)
    return pc.if_else(missed, "", mapped), missed.to_numpy(zero_copy_only=False)


def _finish(rule: Rule, values: pa.Array) -> pa.Array:
    if rule.default:
        values = pc.if_else(pc.equal(values, ""), rule.default, values)
    if rule.case:
        values = pc.utf8_lower(values) if rule.case is Case.LOWER else pc.utf8_upper(values)
    return values


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())
