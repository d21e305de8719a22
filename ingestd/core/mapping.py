"""Rules over frames: roster records in, target records out. Whole columns; a value map is asked once per value."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings, verbs
from ingestd.core.columns import arrow, to_series
from ingestd.core.hashing import are_distinct, first_of_each, hash_ids, hash_rows, seed_of
from ingestd.core.model import Batch, Hashes, Mask, Severity
from ingestd.core.rules import METADATA, OnUnmapped, Rule, Rules, Target, names_in
from ingestd.core.verbs import Lookups

KEY_JOIN = "\x1f"
"""Between the fields of a key of several. The gate lets it into no value."""


@dataclass(frozen=True, slots=True)
class Made:
    """The values of one field; by value map, which records have one that it lacks; how many could not be written."""

    values: pa.Array
    missed: Mapping[str, Mask]
    unwritable: int


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
    frame = choose(target, frame)
    made, misses, unwritable = _fields(target, frame, lookups, rules)
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
        contents=contents_of(target, made, compared(target, list(made.columns)), seed),
        held=held,
        unmapped=unmapped,
        batches=(
            *lacking,
            *_tell(target, rules, unmapped, int(blank.sum()), int(twice.sum())),
            *_tell_unwritable(target, unwritable),
            *_tell_crowded(target, frame),
        ),
    )


def key_text(frame: pd.DataFrame, key: tuple[str, ...]) -> pa.Array:
    """Return each record's key as one text."""
    return pc.binary_join_element_wise(*(arrow(frame[name]) for name in key), pa.scalar(KEY_JOIN, pa.large_string()))


def split_key(texts: pa.Array, fields: int) -> list[pa.Array]:
    """Return the `fields` columns of keys that `key_text` joined."""
    if fields == 1:
        return [texts]
    parts = pc.split_pattern(texts, KEY_JOIN)
    return [pc.list_element(parts, i) for i in range(fields)]


def _lacking(target: Target, frame: pd.DataFrame) -> tuple[Batch, ...]:
    """Find the columns of the standard that the rules read and this version of it does not have."""
    each = [target.each] if target.each else []
    read = dict.fromkeys(
        [*names_in(target.where), *each, *(name for rule in (target.fields or {}).values() for name in rule.columns())]
    )
    names = [name for name in read if name not in frame.columns and not name.startswith(METADATA)]
    file = f"{target.source}.csv"
    return tuple(
        findings.batch("rules-need-column", file=file, column=name, target=target.name, name=name)
        for name in (names if len(frame) else ())
    )


def choose(target: Target, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the records that give target records, once for each of these, in order and with the index of `frame`."""
    chosen = frame[verbs.fulfils(frame, target.where)] if target.where else frame
    chosen = verbs.merge(chosen, target.merge_by, target.lists) if target.merge_by else chosen
    return verbs.per_item(chosen, target.each) if target.each else chosen


def _fields(
    target: Target, frame: pd.DataFrame, lookups: Lookups, rules: Rules
) -> tuple[pd.DataFrame, dict[str, Mask], dict[str, int]]:
    """Return the target records; by value map, which have a value that it lacks; by field, how many are unwritable."""
    if target.fields is None:
        return frame.reset_index(drop=True), {}, {}
    made: dict[str, pd.Series[str]] = {}
    misses: dict[str, Mask] = {}
    unwritable: dict[str, int] = {}
    for name, rule in target.fields.items():
        one = make_field(rule, frame, lookups, rules)
        for value_map, missed in one.missed.items():
            misses[value_map] = misses.get(value_map, False) | missed
        if one.unwritable:
            unwritable[name] = one.unwritable
        made[name] = to_series(one.values)
    return pd.DataFrame(made, copy=False), misses, unwritable


def make_field(rule: Rule, frame: pd.DataFrame, lookups: Lookups, rules: Rules) -> Made:
    """Make one field of records that `choose` chose: each verb of the rule in its turn."""
    if rule.otherwise is None:
        return _make(rule, frame, lookups, rules)
    made = [(rows, _make(way, frame.iloc[rows], lookups, rules)) for way, rows in verbs.ways(rule, frame)]
    back = np.argsort(np.concatenate([rows for rows, _ in made]))
    missed: dict[str, Mask] = {}
    for rows, one in made:
        for name, mask in one.missed.items():
            missed.setdefault(name, np.zeros(len(frame), bool))[rows] = mask
    values = pa.concat_arrays([one.values for _, one in made]).take(pa.array(back))
    return Made(values, missed, sum(one.unwritable for _, one in made))


def _make(rule: Rule, frame: pd.DataFrame, lookups: Lookups, rules: Rules) -> Made:
    """Make a field in one way."""
    values = _look_up(rule, frame, lookups)
    missed: dict[str, Mask] = {}
    if rule.map:
        values, missed[rule.map] = verbs.map_values(values, rules.maps[rule.map], ignore_case=rules.ignore_case)
    written = verbs.write(rule, values)
    lost = verbs.count_blanks(written) - verbs.count_blanks(values) if written is not values else 0
    return Made(verbs.finish(rule, written), missed, lost)


def found_values(target: Target, frame: pd.DataFrame, lookups: Lookups) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Yield what the value maps of a target table are asked: the map, the field, and how often each value is found."""
    frame = choose(target, frame)
    for name, rule in (target.fields or {}).items():
        asked: dict[str, Counter[str]] = {}
        for way, rows in verbs.ways(rule, frame):
            if way.map:
                counts = pc.value_counts(_look_up(way, frame.iloc[rows], lookups))
                values, times = (counts.field(part).to_pylist() for part in ("values", "counts"))
                asked.setdefault(way.map, Counter()).update(dict(zip(values, times, strict=True)))
        yield from ((value_map, name, found) for value_map, found in asked.items())


def _look_up(rule: Rule, frame: pd.DataFrame, lookups: Lookups) -> pa.Array:
    return verbs.look_up(rule, verbs.item(rule, verbs.source(rule, frame)), lookups)


def contents_of(target: Target, frame: pd.DataFrame, fields: Sequence[str], seed: int) -> Hashes:
    """Return the hash of what is compared in each record; records of nothing but a key are all alike.

    Blank cells do not count in it, so the names of fields do: one that is compared from now on, or again, may be filled
    in the application still where it is blank by the rules. Of tables without fields new columns come with the roster.
    """
    if not fields:
        return np.ones(len(frame), np.uint64)
    contents = hash_rows(frame, fields, seed)
    if target.fields is None:
        return contents
    contents += np.uint64(seed_of(seed, *sorted(fields)))
    contents[contents == 0] = 1
    return contents


def _repeated(keys: Hashes) -> Mask:
    if are_distinct(keys):
        return np.zeros(len(keys), bool)
    twice: Mask = (keys != 0) & np.isin(keys, keys[~first_of_each(keys)])
    return twice


def _tell(target: Target, rules: Rules, unmapped: Mapping[str, int], blank: int, twice: int) -> Iterator[Batch]:
    file = f"{target.source}.csv"
    severity = Severity.ERROR if rules.on_unmapped is OnUnmapped.HOLD_RECORD else Severity.WARNING
    for name, count in unmapped.items():
        yield findings.batch("unmapped-value", file=file, stands_for=count, severity=severity, map=name)
    if blank:
        yield findings.batch("required-value", file=file, column=", ".join(target.key), stands_for=blank)
    if twice:
        yield findings.batch("duplicate-target-key", file=file, stands_for=twice, target=target.name)


def _tell_unwritable(target: Target, unwritable: Mapping[str, int]) -> Iterator[Batch]:
    """Tell what was left blank because it is no date, or no telephone number."""
    for name, count in unwritable.items():
        is_date = any(way.date for way in (target.fields or {})[name].ways())
        file, kind = f"{target.source}.csv", "date" if is_date else "telephone number"
        yield findings.batch("unwritable-value", file=file, stands_for=count, target=target.name, name=name, type=kind)


def _tell_crowded(target: Target, frame: pd.DataFrame) -> Iterator[Batch]:
    """Tell which lists have more items than their field has columns."""
    for name, most in target.spread.items():
        crowded = verbs.count_longer(verbs.source((target.fields or {})[name], frame), most)
        if crowded:
            file = f"{target.source}.csv"
            yield findings.batch(
                "too-many-items", file=file, stands_for=crowded, target=target.name, name=name, limit=most
            )
