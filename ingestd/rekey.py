"""Ids that change without a drop: the list of them, what it makes of the snapshot, and of the target records."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as pa_csv

from ingestd.core.columns import to_series
from ingestd.core.hashing import is_member
from ingestd.core.identity import Pairs
from ingestd.core.mapping import Mapped, choose
from ingestd.core.model import Actions
from ingestd.core.pins import spare
from ingestd.core.plan import Owned, plan_target
from ingestd.core.rekey import (
    Ids,
    Sides,
    affected,
    keys_of,
    own_ids,
    parse_list,
    rename_owned,
    settle_rekey,
    tell_taken,
    tell_unknown,
)
from ingestd.core.roster import Settled
from ingestd.core.rules import Target
from ingestd.errors import ConfigError
from ingestd.files import replacing
from ingestd.store import Store
from ingestd.targets import Lookups, Targets
from schemas import shapes

LIST = "ids.csv"
"""What the list of a run is called in the run's folder."""
_TEXT = pa_csv.ConvertOptions(column_types=dict.fromkeys(("table", "old", "new"), pa.large_string()))


def read_list(path: Path, table: str = "users") -> Ids:
    """Read a CSV of `old,new`, or `table,old,new`.

    Raises:
        ConfigError: it cannot be read, or something is wrong with it; all of it is told.
    """
    try:
        given = pa_csv.read_csv(path, convert_options=_TEXT)
    except (OSError, ValueError) as error:  # its words may hold what the file holds
        raise ConfigError([f"{path.name}: it cannot be read as CSV ({type(error).__name__})"]) from None
    columns = {name: to_series(given[name].cast(pa.large_string())) for name in given.column_names}
    ids, faults = parse_list(pd.DataFrame(columns), table)
    if faults:
        raise ConfigError([f"{path.name}: {fault}" for fault in faults])
    return ids


def lines_of(ids: Ids) -> str:
    """Return ids as a list that `read_list` reads."""
    out = StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["table", "old", "new"])
    for table, mapping in ids.items():
        lines.writerows((table, old, new) for old, new in mapping.items())
    return out.getvalue()


def write_list(path: Path, ids: Ids) -> None:
    """Write a list, so that it is there after a crash."""
    with replacing(path, mode=0o600) as file:
        file.write(lines_of(ids).encode())


def ids_of(pairs: Mapping[str, Pairs]) -> Ids:
    """Return pairs that were found as ids to change."""
    columns = {name: (one.old.to_pylist(), one.new.to_pylist()) for name, one in pairs.items()}
    found = {name: dict(sorted(zip(*both, strict=True))) for name, both in columns.items()}
    return {name: ids for name, ids in found.items() if ids}


def check(ids: Ids, store: Store) -> None:
    """Make sure that the ids can be changed.

    Raises:
        ConfigError: some old ones are not live, or some new ones are; all of them are told.
    """
    faults: list[str] = []
    for name, shape in shapes().items():
        if changing := own_ids(shape, ids):
            live = store.snapshot.live(name)
            faults += tell_unknown(name, ids.get(name, {}), live, store.seed)
            faults += tell_taken(name, changing, live, store.seed)
    if faults:
        raise ConfigError(faults)


def changes(ids: Ids, store: Store) -> dict[str, Settled]:
    """Return the tables in which something refers to the ids, or has them, with the new ones."""
    found = {}
    for name, shape in shapes().items():
        live = store.snapshot.live(name)
        at = affected(shape, live, ids, store.seed)
        if len(at):
            before = store.snapshot.read(name, live.rid[at])
            found[name] = settle_rekey(shape, live, at, before, ids, store.snapshot.notes(name), store.seed)
    return found


class RekeyTargets(Targets):
    """The planning of target tables when ids change: what the application has of a record is renamed, not replaced."""

    def _planned(self, mapped: Mapped, owned: Owned) -> Sequence[Actions]:
        target = mapped.target
        if not self.tables.has_changed(target.source):
            return super()._planned(mapped, owned)
        sides = self._sides(target)
        pinned = self._pinned(target)
        if pinned:
            pinned = pinned.following(*keys_of(sides))
            mapped = replace(mapped, held=mapped.held | is_member(mapped.keys, pinned.records))
        held = mapped.keys[mapped.held]
        taken = self.records.ever_owned(target.name, sides.after.keys)
        owned, renames, stays = rename_owned(sides, owned, taken, held)
        actions = list(plan_target(mapped, owned, kept=np.concatenate([held, stays])))
        return [*([renames] if renames else ()), *(spare(actions, pinned) if pinned else actions)]

    def _sides(self, target: Target) -> Sides:
        frames = self.tables.before(target.source), self.tables.changed(target.source)
        before, after = (self._map(target, one) for one in frames)
        rows = (choose(target, self._with_more(target, one)[0]).index.to_numpy("int64") for one in frames)
        return Sides(before, after, *rows)

    def _lookups(self, target: Target) -> Lookups:
        """Return what is looked up under the old ids, too: keys may be made of it."""
        found = super()._lookups(target)
        for name, columns in found.items():
            if self.tables.has_changed(name):
                before = self.tables.before(name)
                for column, values in columns.items():
                    if column in before.columns:
                        values.update(zip(before["sourcedId"], before[column], strict=True))
        return found
