"""Other sourcedIds for records that stay what they are: in their own table, in all that refers to them, and in keys.

Law 1 in another dress: a record whose id changed is not absent, and what the application has of it is not to be lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core.columns import arrow, by_distinct, to_series
from ingestd.core.diff import Difference
from ingestd.core.hashing import find_unsorted, hash_ids, is_member
from ingestd.core.mapping import Mapped
from ingestd.core.model import Actions, Hashes, Ints, Kind, Mask, new_key_of
from ingestd.core.plan import Owned, order
from ingestd.core.restate import restate
from ingestd.core.roster import Settled
from ingestd.core.scan import Live
from ingestd.core.validate import Note
from schemas import Shape, shapes
from schemas.fields import GUID

Ids = Mapping[str, Mapping[str, str]]
"""By table: the new sourcedId of each old one."""
_NAMED = 5
_LIST_BITS = 20
"""Lists in a cell are shorter than 2 to this power: a value has at most 64 KiB."""


# The list -----------------------------------------------------------------------------------------------------------


def parse_list(given: pd.DataFrame, table: str) -> tuple[Ids, list[str]]:
    """Return what a list of ids says, and all that is wrong with it.

    Args:
        given: its columns `old`, `new` and maybe `table`, every cell a string, in the order of its lines.
        table: whose ids they are where the list has no column for it.
    """
    names = list(given.columns)
    if not {"old", "new"} <= set(names) <= {"old", "new", "table"}:
        return {}, ["its header is not old,new or table,old,new"]
    listed = given if "table" in names else given.assign(table=table)
    listed = listed[listed["old"] != listed["new"]]
    faults = [*_faults(listed)]
    ids = {str(name): dict(zip(part["old"], part["new"], strict=True)) for name, part in listed.groupby("table")}
    return ids, faults


def _faults(listed: pd.DataFrame) -> Iterator[str]:
    if not len(listed):
        yield "it has no id that changes"
    for name in sorted(set(listed["table"]) - set(shapes())):
        yield f"there is no table {name!r}; OneRoster has {', '.join(shapes())}"
    for side in ("old", "new"):
        wrong = listed.index[~listed[side].str.fullmatch(GUID).to_numpy(bool)]
        twice = listed.index[listed.duplicated(["table", side]).to_numpy(bool)]
        if len(wrong):
            yield f"{_lines(wrong)}: the {side} id is blank, or has characters that no sourcedId may have"
        if len(twice):
            yield f"{_lines(twice)}: the {side} id is on an earlier line, too"


def _lines(index: pd.Index) -> str:
    lines = [f"{int(at) + 2}" for at in index[:_NAMED]]
    more = f" and {len(index) - _NAMED:,} more" if len(index) > _NAMED else ""
    return f"line{'s' if len(index) > 1 else ''} {', '.join(lines)}{more}"


# The roster ---------------------------------------------------------------------------------------------------------


def id_columns(shape: Shape) -> Iterator[tuple[str, str]]:
    """Yield the columns of a table that hold ids, each with the table whose ids they are."""
    yield "sourcedId", shape.name
    yield from ((column.name, str(column.references)) for column in shape.references())


def own_ids(shape: Shape, ids: Ids) -> dict[str, str]:
    """Return which sourcedIds of a table change; they may be another table's: demographics have those of users."""
    found: dict[str, str] = {}
    for column, table in id_columns(shape):
        found |= ids.get(table, {}) if column == "sourcedId" else {}
    return found


def affected(shape: Shape, live: Live, ids: Ids, seed: int) -> Ints:
    """Return the positions of the live records that have an old id, as their own or in a reference."""
    olds = {table: np.sort(_hashes([*mapping], seed)) for table, mapping in ids.items()}
    found = np.zeros(len(live), bool)
    if shape.name in olds:
        found |= is_member(live.id, olds[shape.name])
    for column in shape.references():
        if column.references in olds and column.name in live.references:
            one = live.references[column.name]
            found[one.records(is_member(one.target, olds[column.references]))] = True
    return np.flatnonzero(found)


def tell_unknown(table: str, ids: Mapping[str, str], live: Live, seed: int) -> Iterator[str]:
    """Yield what is to be said of old ids that no live record of the table has."""
    if unknown := _chosen([*ids], ~is_member(_hashes([*ids], seed), np.sort(live.id))):
        yield f"{table}: {_listed(unknown, 'old id is not live', 'old ids are not live')}"


def tell_taken(table: str, ids: Mapping[str, str], live: Live, seed: int) -> Iterator[str]:
    """Yield what is to be said of new ids that a live record of the table has already."""
    if taken := _chosen([*ids.values()], is_member(_hashes([*ids.values()], seed), np.sort(live.id))):
        yield f"{table}: {_listed(taken, 'new id is live already', 'new ids are live already')}"


def _chosen(values: Sequence[str], mask: Mask) -> list[str]:
    return [values[int(i)] for i in np.flatnonzero(mask)]


def _listed(ids: Sequence[str], one: str, many: str) -> str:
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"{len(ids):,} {one if len(ids) == 1 else many} ({', '.join(ids[:_NAMED])}{more})"


def _hashes(ids: Sequence[str], seed: int) -> Hashes:
    return hash_ids(pa.array(ids, pa.large_string()), seed)


def renamed(shape: Shape, frame: pd.DataFrame, ids: Ids) -> pd.DataFrame:
    """Return records with their new ids, in single references and in lists too."""
    for column, table in id_columns(shape):
        if table in ids and column in frame.columns:
            values, _ = by_distinct(arrow(frame[column]), partial(_rename, ids[table]))
            frame = frame.assign(**{column: to_series(values).array})
    return frame


def _rename(ids: Mapping[str, str], text: str) -> str:
    return ",".join(ids.get(item, item) for item in text.split(","))


def settle_rekey(
    shape: Shape, live: Live, at: Ints, before: pd.DataFrame, ids: Ids, noted: tuple[Note, ...], seed: int
) -> Settled:
    """Return a table in which the records at these positions have new ids and are else as they were.

    They are read again when they come next: the bytes that they came in had the old ids.

    Args:
        shape: the table.
        live: its live records.
        at: the positions of those that change.
        before: these records.
        ids: the new ids.
        noted: what the bits of the snapshot's notes mean.
        seed: the feed's.
    """
    frame, none, every = renamed(shape, before, ids), np.zeros(0, np.int64), np.arange(len(at))
    difference = Difference(created=none, updated=every, was=at, same=none, still=none, absent=none)
    return restate(shape.name, live, frame, difference, none, live.notes[at], noted, seed)


# The target records -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sides:
    """Target records as the rules make them of the roster's old ids and of its new ones, and from which row each is."""

    before: Mapped
    after: Mapped
    before_rows: Ints
    after_rows: Ints


def rename_owned(sides: Sides, owned: Owned, taken: Hashes, held: Hashes) -> tuple[Owned, Actions | None, Hashes]:
    """Give owned target records the keys that new ids make.

    One whose new key is owned already, active or not, is let be: to rename it would cost the record that is there.

    Returns:
        What is owned afterwards, the actions if there are any, and the old keys of records that are held back.

    Args:
        sides: the target records of both ids.
        owned: what is there now.
        taken: which of the new keys are owned, be it inactively.
        held: keys of desired records that are held back.
    """
    _, became = _aligned(sides.before_rows, sides.after_rows)
    old, new = keys_of(sides)
    moves = (old != new) & _is_alone(old, sides.before.keys) & _is_alone(new, sides.after.keys)
    at = find_unsorted(old, owned.keys)
    chosen = np.flatnonzero(moves & (at >= 0) & ~np.isin(new, taken))
    stays = old[np.isin(new, held) | sides.after.held[became]]
    if not len(chosen):
        return owned, None, stays
    was_fields = owned.fields_of(old[chosen])
    rows = order(was_fields)
    at, became = at[chosen[rows]], became[chosen[rows]]
    target = sides.after.target
    fields = [arrow(sides.after.frame[name].iloc[became]) for name in target.key]
    columns = zip(
        (*target.key, *new_key_of(target.key)),
        (*(values.take(pa.array(rows)) for values in was_fields), *fields),
        strict=True,
    )
    frame = pd.DataFrame({name: to_series(values) for name, values in columns}, copy=False)
    every = tuple(sides.after.frame.columns)
    actions = Actions(target.name, Kind.REKEY, target.key, every, frame, owned.keys[at], owned.contents[at])
    keys = owned.keys.copy()
    keys[at] = sides.after.keys[became]
    renamed = Owned(keys, owned.contents, lambda some: _fields_of(some, owned, keys[at], fields))
    return renamed, actions, stays


def keys_of(sides: Sides) -> tuple[Hashes, Hashes]:
    """Return the keys of target records before and after, of those that come of the same record."""
    was, became = _aligned(sides.before_rows, sides.after_rows)
    return sides.before.keys[was], sides.after.keys[became]


def _aligned(before_rows: Ints, after_rows: Ints) -> tuple[Ints, Ints]:
    """Return the positions of target records that come of the same record: of its same item, if it gives several."""
    _, was, became = np.intersect1d(_places(before_rows), _places(after_rows), assume_unique=True, return_indices=True)
    return was, became


def _places(rows: Ints) -> Ints:
    return (rows << _LIST_BITS) + np.arange(len(rows)) - np.searchsorted(rows, rows)


def _is_alone(keys: Hashes, among: Hashes) -> Mask:
    """Return which keys are no blank, and no two records'."""
    distinct, counts = np.unique(among, return_counts=True)
    return np.asarray((keys != 0) & (counts[np.searchsorted(distinct, keys)] == 1))


def _fields_of(keys: Hashes, owned: Owned, renamed: Hashes, fields: Sequence[pa.Array]) -> list[pa.Array]:
    """Return the key fields of owned records of which some were `renamed`, and have these fields now."""
    at = find_unsorted(keys, renamed)
    others = keys[at < 0]
    place = at.copy()
    place[at < 0] = len(renamed) + np.arange(len(others))
    both = zip(fields, owned.fields_of(others), strict=True)
    return [pa.concat_arrays([values, more]).take(pa.array(place)) for values, more in both]
