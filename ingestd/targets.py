"""From a settled roster to actions: which target records are desired now, against those that ingestd owns.

Only what can have changed is mapped: the records that changed, unless the rules, the scope, a table that is looked
up or a key that is not the record's own id make it the whole table. Both ways end in the same plan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core import findings
from ingestd.core.administrators import NAMES, with_administrators
from ingestd.core.adopt import adopt, there_of
from ingestd.core.collect import collect
from ingestd.core.columns import to_series
from ingestd.core.grace import Absences, Grace, wait
from ingestd.core.mapping import Mapped, found_values, key_text, map_records
from ingestd.core.model import Actions, Batch, Breach, Kind
from ingestd.core.pins import Pinned, Stamp, plan_pinned, spare
from ingestd.core.plan import Owned, plan_target
from ingestd.core.rules import Collect, Joins, OnUnmapped, Target
from ingestd.core.standing import REST, is_as_it_is, without_standing
from ingestd.core.verbs import column_of, join
from ingestd.owned import OwnedRecords
from ingestd.policy import Policy
from ingestd.stages import Stages
from ingestd.tables import Tables

Lookups = dict[str, dict[str, dict[str, str]]]
Read = Callable[[Target], pd.DataFrame]
"""Gives the records of a target table that the application has, whoever made them: their key, and what to match by."""


@dataclass(slots=True)
class Targets:
    """The planning of all target tables in one sink. Use it once: iterate `actions`, then read the rest."""

    records: OwnedRecords
    tables: Tables
    policy: Policy
    is_full: bool
    stages: Stages
    read: Read | None = None
    batches: list[Batch] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    held_back: int = 0
    pinned: dict[str, int] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)
    there: dict[str, pd.DataFrame] = field(default_factory=dict)
    absences: dict[str, Absences] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)

    def actions(self) -> Iterator[Actions]:
        """Yield the actions of each target table, in the order of the rules."""
        for target in self.policy.rules.targets:
            with self.stages.measure("plan", target.name):
                yield from self._actions(target)

    def _actions(self, target: Target) -> Iterator[Actions]:
        if self._is_whole(target):
            frame, owned = self._whole(target)
            mapped = self._map(target, frame)
        elif self.tables.has_changed(target.source):
            mapped = self._map(target, self.tables.changed(target.source))
            before = self._map(target, self.tables.before(target.source))
            owned = self.records.owned(target, np.unique(np.concatenate([mapped.keys, before.keys])))
        else:
            return
        self._tell(mapped)
        actions = self._planned(mapped, owned)
        yield from self._patiently(target, actions, target.grace) if target.grace else actions

    def _is_whole(self, target: Target) -> bool:
        """Return whether all records of the target table are looked at, not only those that changed."""
        if self.is_full or not target.is_local or any(map(self.tables.has_changed, target.lookups())):
            return True
        if target.grace and len(self.records.absent.of(target.name)):
            return True
        return target.source == "users" and self.tables.has_roles

    def _whole(self, target: Target) -> tuple[pd.DataFrame, Owned]:
        """Return all that target records are made of, and all that is owned, but for what is seen to be the same."""
        owned = self.records.owned(target)
        if target.adopt or not is_as_it_is(target) or not self.tables.is_as_kept(target.source):
            return self._source(target), owned
        name, snapshot = target.source, self.tables.snapshot
        live, rest = snapshot.live(name), snapshot.read_live(name, columns=REST)
        rids, others = without_standing(live, rest, owned, self.records.seed)
        if len(rids) > len(live) // 2:  # most are read anyhow
            return self._source(target), owned
        return snapshot.read(name, rids), others

    def _source(self, target: Target) -> pd.DataFrame:
        """Return the records of which target records are made, with the columns that the rules read."""
        columns = target.columns()
        named = NAMES if target.source == "users" else ()
        return self.tables.after(target.source, None if columns is None else {*columns, *named})

    def _planned(self, mapped: Mapped, owned: Owned) -> Sequence[Actions]:
        """Return the actions, but for what is pinned."""
        target = mapped.target
        owned = self._with_inactive(mapped, owned)
        pinned = self._pinned(target)
        if pinned is None:
            return self._adopted(mapped, list(plan_target(mapped, owned, kept=mapped.keys[mapped.held])))
        pinned = replace(pinned, returning=np.sort(self.records.ever_owned(target.name, pinned.all)))
        spared = plan_pinned(mapped, owned, pinned, lambda: self._map_past(target))
        if spared.left_out:
            self.pinned[target.name] = spared.left_out
        self.stamps.append(spared.stamp)
        return list(spare(self._adopted(mapped, spared.actions), pinned))

    def _pinned(self, target: Target) -> Pinned | None:
        """Return the pins of a target table, which go with records whose key changed; None if there are none."""
        pinned = self.policy.pins.of(target.name, self.records.seed)
        return pinned.following(*self.records.rekeyed.of(target.name)) if pinned else None

    def _adopted(self, mapped: Mapped, actions: Sequence[Actions]) -> Sequence[Actions]:
        """Return the actions, but that what the application has already is taken over instead of created."""
        target = mapped.target
        create = next((one for one in actions if one.kind is Kind.CREATE), None)
        if create is None or self.read is None or not target.adopt:
            return actions
        desired = mapped if self._is_whole(target) else self.map_whole(target)
        self.there[target.name] = self.read(target)
        there = there_of(self.there[target.name], target.key, self.records.seed)
        owned = self.records.ever_owned(target.name, np.unique(np.concatenate([desired.keys, there.keys])))
        found = adopt(create, desired, there, owned, self.records.seed)
        if found.unclear:
            self.held_back += found.unclear
            file = f"{target.source}.csv"
            self.batches.append(
                findings.batch("ambiguous-adoption", file=file, stands_for=found.unclear, target=target.name)
            )
        return [*found.actions, *(one for one in actions if one is not create)]

    def _patiently(self, target: Target, actions: Sequence[Actions], grace: Grace) -> Sequence[Actions]:
        """Return the actions without the removals that are not due yet; note what is absent, where that is news."""
        before, is_drop = self.records.absent.of(target.name), target.source in self.tables.settled
        actions, absent = wait(actions, grace, before, self.tables.today, is_drop=is_drop)
        if len(absent):
            self.waiting[target.name] = len(absent)
        if is_drop or not np.array_equal(np.sort(absent.keys), np.sort(before.keys)):
            self.absences[target.name] = absent
        return actions

    def _with_inactive(self, mapped: Mapped, owned: Owned) -> Owned:
        """Return what is owned, with which of the records to make are there and inactive: where that matters."""
        if mapped.target.update is None:
            return owned
        new = np.setdiff1d(mapped.keys, owned.keys)
        return replace(owned, inactive=np.sort(self.records.ever_owned(mapped.target.name, new)))

    def _map_past(self, target: Target) -> Mapped:
        """Return a whole target table as it was desired before this run."""
        return Targets(self.records, self.tables.past(), self.policy, True, self.stages).map_whole(target)

    def map_whole(self, target: Target) -> Mapped:
        """Return a whole target table as it is desired after this run."""
        return self._map(target, self._source(target))

    def found_values(self) -> Iterator[tuple[str, str, Mapping[str, int]]]:
        """Yield what each value map is asked: its name, the field as `target.field`, how often each value is found."""
        for target in self.policy.rules.targets:
            frame, _ = self._with_more(target, self._source(target))
            for name, field_name, counts in found_values(target, frame, self._lookups(target)):
                yield name, f"{target.name}.{field_name}", counts

    def keys_of(self, target: Target, frame: pd.DataFrame) -> list[str]:
        """Return the keys of the target records that some records give, each once."""
        return list(dict.fromkeys(key_text(self._map(target, frame).frame, target.key).to_pylist()))

    # Mapping -------------------------------------------------------------------------------------------------

    def _map(self, target: Target, frame: pd.DataFrame) -> Mapped:
        frame, told = self._with_more(target, frame)
        mapped = map_records(target, frame, self._lookups(target), self.policy.rules, self.records.seed)
        return replace(mapped, batches=(*mapped.batches, *told))

    def _with_more(self, target: Target, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Batch]]:
        """Return the records with what the rules read beside their own columns, and what is odd about that."""
        if target.source == "users" and target.fields:
            frame = with_administrators(frame, self.policy.administrators)
        frame = self._join(frame, target.joins)
        lists: dict[str, pa.Array] = {}
        told: list[Batch] = []
        for name, one in target.collect.items():
            related = self._join(self.tables.after(one.table, one.columns()), one.joins)
            lists[name], crowded = collect(frame, related, one)
            if crowded:
                told.append(_tell_crowded(target, name, one, crowded))
        return _with_columns(frame, lists), told

    def _join(self, frame: pd.DataFrame, joins: Joins) -> pd.DataFrame:
        """Return the records with columns of those that they refer to."""
        taken: dict[str, set[str]] = {}
        for one in joins.values():
            taken.setdefault(one.table, set()).add(one.take)
        related = {table: self.tables.after(table, columns) for table, columns in taken.items()}
        return _with_columns(frame, {name: join(frame, one, related[one.table]) for name, one in joins.items()})

    def _lookups(self, target: Target) -> Lookups:
        found: Lookups = {}
        for rule in target.ways():
            if rule.lookup and rule.take:
                frame = self.tables.after(rule.lookup, [rule.take])
                ids, values = (column_of(frame, name).to_pylist() for name in ("sourcedId", rule.take))
                found.setdefault(rule.lookup, {})[rule.take] = dict(zip(ids, values, strict=True))
        return found

    def _tell(self, mapped: Mapped) -> None:
        self.batches += mapped.batches
        self.held_back += int(mapped.held.sum())
        if self.policy.rules.on_unmapped is OnUnmapped.HOLD_RUN:
            for name, count in mapped.unmapped.items():
                message = f"{count:,} records have values that the map {name} does not have"
                self.breaches.append(Breach("unmapped-values", message, mapped.target.name, None, count))


def _with_columns(frame: pd.DataFrame, columns: Mapping[str, pa.Array]) -> pd.DataFrame:
    return frame.assign(**{name: to_series(values).array for name, values in columns.items()}) if columns else frame


def _tell_crowded(target: Target, name: str, one: Collect, count: int) -> Batch:
    file = f"{target.source}.csv"
    return findings.batch(
        "too-many-related", file=file, stands_for=count, target=target.name, name=name, limit=one.most
    )
