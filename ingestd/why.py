"""`ingestd plan --why`: beside each action, the roster record and the change of it, or of what it depends on.

An owned target record is kept as a hash, so which of its fields change nobody knows; which columns of its roster record
changed is known. The rest is told by what else changed: records that it refers to, scope, rules, the day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pandas as pd

from ingestd import pipeline
from ingestd.core import verbs
from ingestd.core.explaining import why_not
from ingestd.core.hashing import find_unsorted
from ingestd.core.mapping import KEY_JOIN, choose, key_text, map_records
from ingestd.core.model import Actions, Hashes, Kind
from ingestd.core.rules import Target, names_in
from ingestd.core.scope import Scope
from ingestd.core.scoping import DECIDED
from ingestd.feed import Feed
from ingestd.owned import OwnedRecords
from ingestd.pipeline import Prepared
from ingestd.planning import largest
from ingestd.policy import Policy
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Targets
from ingestd.today import root_words, scope_of

LISTED = 100
"""How many actions of one kind on one target table are told."""
_ALL = Scope(demographics=True, contacts=True, user_flags=True)
Columns = dict[str, tuple[str, str]]
Because = tuple[str, str, Columns]
"""A word for the reason, a sentence, and the columns of the roster record that changed."""


def explain_plan(
    feed: Feed, prepared: Prepared, *, values: bool = False, sink: str | None = None
) -> list[dict[str, Any]]:
    """Return `{"target", "kind", "count", "listed"}` for each group of actions of a plan, in the plan's order.

    Of a feed with several sinks it is the plan for `sink`, or that which stands for all.

    `listed` has at most `LISTED` of them, each with `"key"`, `"table"` and `"sourcedId"` of the roster record that it
    comes of (the latter None if it cannot be told), `"reason"`, `"why"` in words, and `"columns"`: the names of those
    that changed, or with `values` each with its old and new value. Reasons are `created`, `changed`, `deleted`,
    `entered` (it came into scope), `scope`, `where`, `refers`, `rules`, `scope-changed`, `unfinished`, `related`, `day`
    and `rekeyed`.
    """
    if prepared.plan is None or (sink and sink not in prepared.shares):
        return []
    runs, name = feed.runs, sink or largest(prepared.shares)
    with feed.store.locked():
        reasons = Reasons(feed.store, runs.sinks.owned(name), prepared, runs.policy, runs.today())
        return [_group(reasons, one, values=values) for one in prepared.shares[name].plan.actions]


def _group(reasons: "Reasons", actions: Actions, *, values: bool) -> dict[str, Any]:
    first = replace(
        actions, frame=actions.frame.iloc[:LISTED], keys=actions.keys[:LISTED], contents=actions.contents[:LISTED]
    )
    keys = key_text(first.frame, first.key).to_pylist()
    listed = [
        {
            "key": key.replace(KEY_JOIN, ", "),
            "table": reasons.target(actions).source,
            "sourcedId": sourced_id,
            "reason": reason,
            "why": why,
            "columns": columns if values else list(columns),
        }
        for key, (sourced_id, (reason, why, columns)) in zip(keys, reasons.of(first, values=values), strict=True)
    ]
    return {"target": actions.target, "kind": str(actions.kind), "count": len(actions), "listed": listed}


@dataclass(frozen=True, slots=True)
class Change:
    """What a run changes in one table: the ids of records created and deleted, and the columns of those updated."""

    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    before: pd.DataFrame = field(default_factory=pd.DataFrame)
    after: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def ids(self) -> set[str]:
        """Return the ids of all of them."""
        return {*self.created, *self.deleted, *(self.after["sourcedId"] if len(self.after) else ())}

    def columns(self, sourced_id: str) -> Columns:
        """Return what changed of a record that is updated: by column the old value and the new one."""
        if not len(self.after):
            return {}
        old, new = (
            {str(name): str(value) for row in frame.to_dict("records") for name, value in row.items()}
            for frame in (one[(self.after["sourcedId"] == sourced_id).to_numpy()] for one in (self.before, self.after))
        )
        pairs = {name: (old.get(name, ""), new.get(name, "")) for name in dict.fromkeys([*new, *old])}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True)
class _Side:
    """Records of a target's source, those of them chosen, and the keys of what each chosen one gives."""

    records: pd.DataFrame
    chosen: pd.DataFrame
    keys: Hashes

    def ids(self, keys: Hashes) -> list[str | None]:
        """Return the sourcedIds of the records that give these keys."""
        at = find_unsorted(keys, self.keys)
        ids = self.chosen["sourcedId"].to_numpy(object)
        return [str(ids[row]) if row >= 0 else None for row in at.tolist()]


class _Sides(Targets):
    """Maps the records of a run as its plan does, and those of before it."""

    def side(self, target: Target, frame: pd.DataFrame) -> _Side:
        """Return the target records that these records give, by today's rules."""
        records, _ = self._with_more(target, frame.reset_index(drop=True))
        mapped = map_records(target, records, self._lookups(target), self.policy.rules, self.records.seed)
        return _Side(records, choose(target, records), mapped.keys)


class Reasons:
    """Tells of each action of a plan why it is there."""

    def __init__(self, store: Store, records: OwnedRecords, prepared: Prepared, policy: Policy, today: date) -> None:
        settled = {name: one for name, one in prepared.settled.items() if name not in policy.terms.left_out}
        self._tables = Tables(store.snapshot, settled, policy.scope, today)
        self._before = Tables(store.snapshot, {}, policy.scope, today)
        self._everything = Tables(store.snapshot, {}, _ALL, today)
        self._sides = _Sides(records, self._tables, policy, True, Stages())
        self._targets = {target.name: target for target in policy.rules.targets}
        self._after: dict[str, _Side] = {}
        self._changes: dict[str, Change] = {}
        self._general = list(_general(store, records, policy))

    def target(self, actions: Actions) -> Target:
        """Return the rules of the target table."""
        return self._targets[actions.target]

    def of(self, actions: Actions, *, values: bool) -> list[tuple[str | None, Because]]:
        """Return for each action the sourcedId of its roster record, if it can be told, and why it is there."""
        target = self.target(actions)
        after = self._side(target)
        if actions.kind is Kind.REMOVE:
            ids = self._ids_before(target, actions.keys)
            return [(one, self._removed(target, one, after, values=values)) for one in ids]
        if actions.kind is Kind.REKEY:
            rekeyed: Because = ("rekeyed", "its id changes, or one that its key is made of", {})
            return [(one, rekeyed) for one in self._ids_before(target, actions.keys)]
        asked = self._created if actions.kind is Kind.CREATE else self._updated
        return [(one, asked(target, one, after)) for one in after.ids(actions.keys)]

    def _side(self, target: Target) -> _Side:
        if target.name not in self._after:
            self._after[target.name] = self._sides.side(target, self._tables.after(target.source))
        return self._after[target.name]

    def _ids_before(self, target: Target, keys: Hashes) -> list[str | None]:
        """Return which records gave these keys before the run: of those that are chosen, else of all."""
        frame = self._everything.after(target.source)
        chosen, every = (self._sides.side(one, frame).ids(keys) for one in (target, replace(target, where={})))
        return [one or other for one, other in zip(chosen, every, strict=True)]

    # One action ----------------------------------------------------------------------------------------------

    def _created(self, target: Target, sourced_id: str | None, after: _Side) -> Because:
        change = self._change(target.source)
        if sourced_id in change.created:
            return "created", "created in the roster", {}
        if sourced_id and (was := self._left_out(self._before, target.source, sourced_id)):
            return "entered", f"in scope now; before: {was}", change.columns(sourced_id)
        return self._updated(target, sourced_id, after)

    def _updated(self, target: Target, sourced_id: str | None, after: _Side) -> Because:
        columns = self._change(target.source).columns(sourced_id) if sourced_id else {}
        read = _read(target)
        told = {name: pair for name, pair in columns.items() if read is None or name in read}
        if told:
            return "changed", f"changed: {', '.join(told)}", told
        record = after.records[(after.records["sourcedId"] == sourced_id).to_numpy()]
        return self._referred(target, record) or self._otherwise(target)

    def _removed(self, target: Target, sourced_id: str | None, after: _Side, *, values: bool) -> Because:
        if sourced_id is None:
            return self._otherwise(target)
        change = self._change(target.source)
        if sourced_id in change.deleted:
            return "deleted", "deleted in the roster", {}
        if out := self._left_out(self._tables, target.source, sourced_id):
            return "scope", f"out of scope: {out}", change.columns(sourced_id)
        record = after.records[(after.records["sourcedId"] == sourced_id).to_numpy()]
        if len(record) and (because := why_not(record, target.where, values=values)):
            return "where", f"not chosen any more: {because}", change.columns(sourced_id)
        return self._updated(target, sourced_id, after)

    def _left_out(self, tables: Tables, table: str, sourced_id: str) -> str | None:
        scope = scope_of(tables, table, sourced_id)
        return None if scope["in"] else root_words(scope)

    def _otherwise(self, target: Target) -> Because:
        """Return what else can have brought the action about."""
        if self._general:
            reason = self._general[0][0]
            return reason, " and ".join(words for _, words in self._general), {}
        others = {*target.lookups(), *({target.source} if target.merge_by else ())}
        others |= {*DECIDED} if self._tables.is_scoped else set()
        changed = [name for name in sorted(others) if self._tables.has_changed(name)]
        if changed:
            return "related", f"what it is made of, or its scope, changed with {', '.join(changed)}", {}
        return "day", "the day: scope asks what is of today", {}

    # What a record refers to ---------------------------------------------------------------------------------

    def _referred(self, target: Target, record: pd.DataFrame) -> Because | None:
        """Return the change of a record that this one refers to, or that refers to this one, if there is one."""
        for table, ids in self._references(target, record) if len(record) else ():
            change = self._change(table)
            found = next((one for one in ids if one in change.ids), None)
            if found is not None:
                names = ", ".join(change.columns(found))
                what = "deleted" if found in change.deleted else "created" if found in change.created else ""
                return "refers", f"{table} {found} {what or f'changed: {names}'}", {}
        return None

    def _references(self, target: Target, record: pd.DataFrame) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield the tables that a target record is made of beside its own, with the ids of the records there."""
        for rule in target.ways():
            if rule.lookup:
                yield rule.lookup, verbs.item(rule, verbs.source(rule, record)).to_pylist()
        for join in target.joins.values():
            yield join.table, verbs.column_of(record, join.reference).to_pylist()
        for one in target.collect.values():
            if one.of:
                yield one.table, _items(record, one.of)
            if one.by:
                yield one.table, self._naming(one.table, one.by, str(record["sourcedId"].iloc[0]))
        if target.source == "users" and self._tables.has_roles:
            yield "roles", self._naming("roles", "userSourcedId", str(record["sourcedId"].iloc[0]))

    def _naming(self, table: str, column: str, sourced_id: str) -> list[str]:
        """Return the records that the run changes and that name another one, before it or after it."""
        if not self._tables.has_changed(table):
            return []
        found: list[str] = []
        for frame in (self._tables.changed(table), self._tables.before(table)):
            items = verbs.items(verbs.column_of(frame, column))
            rows = items["row"].to_numpy()[(items["item"] == sourced_id).to_numpy()]
            found += frame["sourcedId"].iloc[rows].tolist()
        return found

    def _change(self, table: str) -> Change:
        if table not in self._changes:
            self._changes[table] = _change_of(self._tables, table)
        return self._changes[table]


def _change_of(tables: Tables, table: str) -> Change:
    if not tables.has_changed(table):
        return Change()
    settled, before, after = tables.settled[table], tables.before(table), tables.changed(table)
    created, updated = len(settled.difference.created), len(settled.difference.was)
    return Change(
        created=frozenset(after["sourcedId"].iloc[:created]),
        deleted=frozenset(before["sourcedId"].iloc[updated:]),
        before=before.iloc[:updated].reset_index(drop=True),
        after=after.iloc[created:].reset_index(drop=True),
    )


def _general(store: Store, records: OwnedRecords, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield what makes a plan of all target records, whatever the roster: a word and a sentence each."""
    words = {"rules": ("rules", "the rules changed"), "scope": ("scope-changed", "the scope changed")}
    for name, value in pipeline.fingerprints(policy).items():
        if store.meta(name, value) != value:
            yield words.get(name, (name, f"the {name} changed"))
    if not records.is_whole:
        yield "unfinished", "an earlier run left it undone, or the sink is new"


def _read(target: Target) -> set[str] | None:
    """Return the columns of its source that a target table depends on; None for all."""
    if target.fields is None:
        return None
    found = {name for rule in target.fields.values() for name in rule.columns()}
    found |= {join.reference for join in target.joins.values()} | {one.of for one in target.collect.values() if one.of}
    return found | {*names_in(target.where), *target.merge_by, *([target.each] if target.each else [])}


def _items(record: pd.DataFrame, column: str) -> list[str]:
    found: list[str] = verbs.items(verbs.column_of(record, column))["item"].tolist()
    return found
