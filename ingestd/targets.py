"""From a settled roster to actions: which target records are desired now, against those that ingestd owns.

Only what can have changed is mapped: the records that changed, unless the rules, the scope, a table that is looked
up or a key that is not the record's own id make it the whole table. Both ways end in the same plan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ingestd.core import findings
from ingestd.core.adopt import adopt, there_of
from ingestd.core.collect import collect
from ingestd.core.columns import arrow, to_series
from ingestd.core.mapping import Mapped, found_values, key_text, map_records
from ingestd.core.model import Actions, Batch, Breach, Kind
from ingestd.core.pins import Pins, Stamp, plan_pinned, spare
from ingestd.core.plan import Owned, plan_target
from ingestd.core.roster import Settled
from ingestd.core.rules import OnUnmapped, Rule, Rules, Target
from ingestd.stages import Stages
from ingestd.store import Store

Lookups = dict[str, dict[str, dict[str, str]]]
Read = Callable[[Target], pd.DataFrame]
"""Gives the records of a target table that the application has, whoever made them: their key, and what to match by."""


@dataclass(slots=True)
class Targets:
    """The planning of all target tables of one run. Use it once: iterate `actions`, then read the rest."""

    store: Store
    settled: Mapping[str, Settled]
    rules: Rules
    out_of_scope: frozenset[str]
    is_full: bool
    stages: Stages
    pins: Pins = field(default_factory=Pins)
    read: Read | None = None
    batches: list[Batch] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    held_back: int = 0
    pinned: dict[str, int] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)
    there: dict[str, pd.DataFrame] = field(default_factory=dict)
    _closed: dict[str, pd.DataFrame] = field(default_factory=dict)

    def actions(self) -> Iterator[Actions]:
        """Yield the actions of each target table, in the order of the rules."""
        for target in self.rules.targets:
            with self.stages.measure("plan", target.name):
                yield from self._actions(target)

    def _actions(self, target: Target) -> Iterator[Actions]:
        if self._is_whole(target):
            mapped = self.map_whole(target)
            owned = self.store.owned(target)
        elif self._has_changed(target.source):
            mapped = self._map(target, self._changed(target.source))
            before = self._map(target, self.before(target.source))
            owned = self.store.owned(target, np.unique(np.concatenate([mapped.keys, before.keys])))
        else:
            return
        self._tell(mapped)
        yield from self._planned(mapped, owned)

    def _planned(self, mapped: Mapped, owned: Owned) -> Sequence[Actions]:
        """Return the actions, but for what is pinned."""
        target = mapped.target
        pinned = self.pins.of(target.name, self.store.seed)
        if pinned is None:
            return self._adopted(mapped, list(plan_target(mapped, owned, kept=mapped.keys[mapped.held])))
        pinned = replace(pinned, returning=np.sort(self.store.ever_owned(target.name, pinned.all)))
        spared = plan_pinned(mapped, owned, pinned, lambda: replace(self, settled={}).map_whole(target))
        if spared.left_out:
            self.pinned[target.name] = spared.left_out
        self.stamps.append(spared.stamp)
        return list(spare(self._adopted(mapped, spared.actions), pinned))

    def _adopted(self, mapped: Mapped, actions: Sequence[Actions]) -> Sequence[Actions]:
        """Return the actions, but that what the application has already is taken over instead of created."""
        target = mapped.target
        create = next((one for one in actions if one.kind is Kind.CREATE), None)
        if create is None or self.read is None or not target.adopt:
            return actions
        desired = mapped if self._is_whole(target) else self.map_whole(target)
        self.there[target.name] = self.read(target)
        there = there_of(self.there[target.name], target.key, self.store.seed)
        owned = self.store.ever_owned(target.name, np.unique(np.concatenate([desired.keys, there.keys])))
        found = adopt(create, desired, there, owned, self.store.seed)
        if found.unclear:
            self.held_back += found.unclear
            file = f"{target.source}.csv"
            self.batches.append(
                findings.batch("ambiguous-adoption", file=file, stands_for=found.unclear, target=target.name)
            )
        return [*found.actions, *(one for one in actions if one is not create)]

    def map_whole(self, target: Target) -> Mapped:
        """Return a whole target table as it is desired after this run."""
        return self._map(target, self._after(target.source))

    def found_values(self) -> Iterator[tuple[str, str, Mapping[str, int]]]:
        """Yield what each value map is asked: its name, the field as `target.field`, how often each value is found."""
        for target in self.rules.targets:
            frame = self._with_lists(target, self._after(target.source))
            for name, field_name, counts in found_values(target, frame, self._lookups(target)):
                yield name, f"{target.name}.{field_name}", counts

    def keys_of(self, target: Target, frame: pd.DataFrame) -> list[str]:
        """Return the keys of the target records that some records give, each once."""
        return list(dict.fromkeys(key_text(self._map(target, frame).frame, target.key).to_pylist()))

    # The records to map --------------------------------------------------------------------------------------

    def _is_whole(self, target: Target) -> bool:
        """Return whether all records of the target table are looked at, not only those that changed."""
        return self.is_full or not _is_local(target) or any(self._has_changed(name) for name in target.lookups())

    def _has_changed(self, table: str) -> bool:
        settled = self.settled.get(table)
        return settled is not None and bool(len(settled.opened) or len(settled.closed))

    def _after(self, table: str) -> pd.DataFrame:
        """Return all records of a table as they will be after this run; none of a table out of scope."""
        settled = self.settled.get(table)
        if table in self.out_of_scope:
            return self.store.snapshot.read_live(table).iloc[:0]
        if settled is None:
            return self.store.snapshot.read_live(table)
        stays = self.store.snapshot.read_live(table, settled.live.rid[settled.closed])
        return pd.concat([stays, self._changed(table)], ignore_index=True).fillna("")

    def _changed(self, table: str) -> pd.DataFrame:
        settled = self.settled[table]
        frame = settled.new.frame.iloc[settled.opened].reset_index(drop=True)
        missing = [name for name in self.store.snapshot.columns(table) if name not in frame.columns]
        return frame.assign(**dict.fromkeys(missing, "")) if missing else frame

    def before(self, table: str) -> pd.DataFrame:
        """Return the versions that this run closes, in the order of `Settled.closed`; read once."""
        if table not in self._closed:
            settled = self.settled[table]
            self._closed[table] = self.store.snapshot.read(table, settled.live.rid[settled.closed])
        return self._closed[table]

    # Mapping -------------------------------------------------------------------------------------------------

    def _map(self, target: Target, frame: pd.DataFrame) -> Mapped:
        frame = self._with_lists(target, frame)
        return map_records(target, frame, self._lookups(target), self.rules, self.store.seed)

    def _with_lists(self, target: Target, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the records with the columns that are collected for them."""
        ids = arrow(frame["sourcedId"])
        lists = {name: collect(ids, self._after(one.table), one) for name, one in target.collect.items()}
        return frame.assign(**{name: to_series(values).array for name, values in lists.items()}) if lists else frame

    def _lookups(self, target: Target) -> Lookups:
        found: Lookups = {}
        for rule in (target.fields or {}).values():
            if rule.lookup and rule.take:
                frame = self._after(rule.lookup)
                values = frame[rule.take] if rule.take in frame.columns else [""] * len(frame)
                found.setdefault(rule.lookup, {})[rule.take] = dict(zip(frame["sourcedId"], values, strict=True))
        return found

    def _tell(self, mapped: Mapped) -> None:
        self.batches += mapped.batches
        self.held_back += int(mapped.held.sum())
        if self.rules.on_unmapped is OnUnmapped.HOLD_RUN:
            for name, count in mapped.unmapped.items():
                message = f"{count:,} records have values that the map {name} does not have"
                self.breaches.append(Breach("unmapped-values", message, mapped.target.name, None, count))


def _is_local(target: Target) -> bool:
    """Return whether a record's key is its own sourcedId, safe or as it is, so that no other record gives the same."""
    if target.each:
        return False
    if target.fields is None:
        return target.key == ("sourcedId",)
    rules = [target.fields[name] for name in target.key]
    return len(rules) == 1 and replace(rules[0], safe_id=False) == Rule(column="sourcedId")
