"""From a settled roster to actions: which target records are desired now, against those that ingestd owns.

Only what can have changed is mapped: the records that changed, unless the rules, the scope, a table that is looked
up or a key that is not the record's own id make it the whole table. Both ways end in the same plan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core import findings
from ingestd.core.administrators import NAMES, with_administrators
from ingestd.core.collect import collect
from ingestd.core.columns import to_series
from ingestd.core.mapping import Mapped, found_values, key_text, map_records
from ingestd.core.model import Actions, Batch, Breach
from ingestd.core.plan import Owned, plan_target
from ingestd.core.rules import Joins, OnUnmapped, Rule, Rules, Target
from ingestd.core.standing import REST, is_as_it_is, without_standing
from ingestd.core.verbs import column_of, join
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables

Lookups = dict[str, dict[str, dict[str, str]]]


@dataclass(slots=True)
class Targets:
    """The planning of all target tables of one run. Use it once: iterate `actions`, then read the rest."""

    store: Store
    tables: Tables
    rules: Rules
    administrators: tuple[str, ...]
    is_full: bool
    stages: Stages
    batches: list[Batch] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    held_back: int = 0

    def actions(self) -> Iterator[Actions]:
        """Yield the actions of each target table, in the order of the rules."""
        for target in self.rules.targets:
            with self.stages.measure("plan", target.name):
                yield from self._actions(target)

    def _actions(self, target: Target) -> Iterator[Actions]:
        if self.is_full or not self._is_local(target) or any(map(self.tables.has_changed, target.lookups())):
            frame, owned = self._whole(target)
            mapped = self._map(target, frame)
        elif self.tables.has_changed(target.source):
            mapped = self._map(target, self.tables.changed(target.source))
            before = self._map(target, self.tables.before(target.source))
            owned = self.store.owned(target, np.unique(np.concatenate([mapped.keys, before.keys])))
        else:
            return
        self._tell(mapped)
        yield from self._planned(mapped, owned)

    def _whole(self, target: Target) -> tuple[pd.DataFrame, Owned]:
        """Return all that target records are made of, and all that is owned, but for what is seen to be the same."""
        owned = self.store.owned(target)
        if not is_as_it_is(target) or not self.tables.is_as_kept(target.source):
            return self._source(target), owned
        name, snapshot = target.source, self.tables.snapshot
        live, rest = snapshot.live(name), snapshot.read_live(name, columns=REST)
        rids, others = without_standing(live, rest, owned, self.store.seed)
        if len(rids) > len(live) // 2:  # most are read anyhow
            return self._source(target), owned
        return snapshot.read(name, rids), others

    def _source(self, target: Target) -> pd.DataFrame:
        """Return the records of which target records are made, with the columns that the rules read."""
        columns = target.columns()
        named = NAMES if target.source == "users" else ()
        return self.tables.after(target.source, None if columns is None else {*columns, *named})

    def _is_local(self, target: Target) -> bool:
        """Return whether what changed of the source is all that can have changed of the target."""
        return _is_local(target) and not (target.source == "users" and self.tables.has_roles)

    def _planned(self, mapped: Mapped, owned: Owned) -> Iterator[Actions]:
        yield from plan_target(mapped, owned, kept=mapped.keys[mapped.held])

    def found_values(self) -> Iterator[tuple[str, str, Mapping[str, int]]]:
        """Yield what each value map is asked: its name, the field as `target.field`, how often each value is found."""
        for target in self.rules.targets:
            frame = self._with_more(target, self._source(target))
            for name, field_name, counts in found_values(target, frame, self._lookups(target)):
                yield name, f"{target.name}.{field_name}", counts

    def keys_of(self, target: Target, frame: pd.DataFrame) -> list[str]:
        """Return the keys of the target records that some records give, each once."""
        return list(dict.fromkeys(key_text(self._map(target, frame).frame, target.key).to_pylist()))

    # Mapping -------------------------------------------------------------------------------------------------

    def _map(self, target: Target, frame: pd.DataFrame) -> Mapped:
        frame = self._with_more(target, frame)
        return map_records(target, frame, self._lookups(target), self.rules, self.store.seed)

    def _with_more(self, target: Target, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the records with the columns that are collected for them, users with that of administrators."""
        if target.source == "users" and target.fields:
            frame = with_administrators(frame, self.administrators)
        frame = self._join(frame, target.joins)
        lists: dict[str, pa.Array] = {}
        for name, one in target.collect.items():
            related = self._join(self.tables.after(one.table, one.columns()), one.joins)
            lists[name], crowded = collect(frame, related, one)
            if crowded:
                told = findings.batch(
                    "too-many-related", file=f"{target.source}.csv", stands_for=crowded, target=target.name, name=name,
                    limit=one.most,
                )  # fmt: skip
                self.batches.append(told)
        return _with_columns(frame, lists)

    def _join(self, frame: pd.DataFrame, joins: Joins) -> pd.DataFrame:
        """Return the records with columns of those that they refer to."""
        taken: dict[str, set[str]] = {}
        for one in joins.values():
            taken.setdefault(one.table, set()).add(one.take)
        related = {table: self.tables.after(table, columns) for table, columns in taken.items()}
        return _with_columns(frame, {name: join(frame, one, related[one.table]) for name, one in joins.items()})

    def _lookups(self, target: Target) -> Lookups:
        found: Lookups = {}
        for rule in (target.fields or {}).values():
            if rule.lookup and rule.take:
                frame = self.tables.after(rule.lookup, [rule.take])
                ids, values = (column_of(frame, name).to_pylist() for name in ("sourcedId", rule.take))
                found.setdefault(rule.lookup, {})[rule.take] = dict(zip(ids, values, strict=True))
        return found

    def _tell(self, mapped: Mapped) -> None:
        self.batches += mapped.batches
        self.held_back += int(mapped.held.sum())
        if self.rules.on_unmapped is OnUnmapped.HOLD_RUN:
            for name, count in mapped.unmapped.items():
                message = f"{count:,} records have values that the map {name} does not have"
                self.breaches.append(Breach("unmapped-values", message, mapped.target.name, None, count))


def _with_columns(frame: pd.DataFrame, columns: Mapping[str, pa.Array]) -> pd.DataFrame:
    return frame.assign(**{name: to_series(values).array for name, values in columns.items()}) if columns else frame


def _is_local(target: Target) -> bool:
    """Return whether a record's key is its own sourcedId, safe or as it is, so that no other record gives the same."""
    if target.each or target.merge_by:
        return False
    if target.fields is None:
        return target.key == ("sourcedId",)
    rules = [target.fields[name] for name in target.key]
    return len(rules) == 1 and replace(rules[0], safe_id=False) == Rule(column="sourcedId")
