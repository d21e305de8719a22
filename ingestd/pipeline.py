"""The arrow of the design, and the only place where the stages meet.

    drop → claim → unpack → check → scan → read → validate → scope → diff → guard → plan → apply → commit → report

`prepare` goes as far as the plan and changes nothing; `carry_out` does the last step. A plan to look at and a plan to
apply are made by the same code (law 3).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, TypeVar

import pandas as pd
import stamina

from ingestd import rekey
from ingestd.core import document, findings
from ingestd.core.administrators import missing_administrators
from ingestd.core.grace import Absences
from ingestd.core.model import Batch, Breach, Outcome, Plan
from ingestd.core.pins import Stamp
from ingestd.core.plan import make_plan, together
from ingestd.core.rekey import Ids
from ingestd.core.roster import Settled
from ingestd.core.scope import WORDS
from ingestd.core.scoping import missing_orgs
from ingestd.errors import IngestdError, TransientSinkError
from ingestd.examine import Examined
from ingestd.guarding import guard_roster, guard_targets
from ingestd.policy import Policy
from ingestd.sinks.base import Sink
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Read, Targets

_One = TypeVar("_One")
TRIES = 3
"""How often a sink is asked within one run, with a growing pause between."""


@dataclass(frozen=True, slots=True)
class Share:
    """What is to be done in one sink, and what is to be kept of it then.

    `stamps` are of owned records, `there` is what the sink was found to have, `absences` what waits, by target table.
    """

    plan: Plan
    stamps: tuple[Stamp, ...] = ()
    there: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    absences: Mapping[str, Absences] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Return whether it changes nothing, neither in the sink nor in what is kept of it."""
        return not self.plan and not self.absences and not any(len(one.keys) for one in self.stamps)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run as far as its plan. `examined` is None for a re-plan without a drop, `plan` None for a rejected drop.

    `shares` has what is to be done in each sink, by name; the plan stands for them all. `ids` has the ids that change,
    of a run that changes them.
    """

    examined: Examined | None
    plan: Plan | None
    batches: tuple[Batch, ...]
    breaches: tuple[Breach, ...]
    held_back: int
    document: Mapping[str, Any]
    shares: Mapping[str, Share] = field(default_factory=dict)
    ids: Ids = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Return whether applying it would change nothing."""
        return all(share.is_idle for share in self.shares.values())

    @property
    def settled(self) -> Mapping[str, Settled]:
        """Return the tables that came."""
        return self.examined.settled if self.examined else {}


Sinks = Mapping[str, Read | None]
"""The sinks of a feed by name, each with what reads it, if the rules may ask what it has."""
ONE: Sinks = MappingProxyType({"sqlite": None})


def prepare(
    examined: Examined | None, store: Store, policy: Policy, today: date, stages: Stages, sinks: Sinks = ONE
) -> Prepared:
    """Take what was read of a package, or the snapshot alone, as far as the plan. Nothing is changed.

    `today` is the day in the feed's time zone, by which classes and terms come in and go.

    Raises:
        SinkError: a sink cannot be read.
        StoppingError: asked to stop.
    """
    if examined and examined.is_rejected:
        return _rejected(examined, policy)
    settled = examined.settled if examined else {}
    with stages.measure("guard"):
        breaches = [*(examined.breaches if examined else ()), *guard_roster(settled, store, policy)]
    tables = Tables(store.snapshot, settled, policy.scope, today)
    with stages.measure("scope"):
        found, left_out = _find_in_scope(tables, policy), _about_scope(tables)
    is_full = tables.is_scoped or _is_full(examined, store, policy)
    made = {
        name: Targets(records, tables, policy, is_full or not records.is_whole, stages, read)
        for name, read in sinks.items()
        for records in (store.at(name),)
    }
    shares = {name: _share(targets, stages) for name, targets in made.items()}
    with stages.measure("guard"):
        breaches = _distinct([*breaches, *_guard_shares(shares, made, breaches, policy)])
    planned = _Planned(shares, made)
    batches = tuple(_distinct([*(examined.batches if examined else ()), *found, *planned.batches]))
    held_back = planned.held_back + sum(one.count.held_back for one in settled.values())
    about = _about_plan(settled, _changed_fields(settled, tables), planned, breaches, held_back)
    about = {**_about_drop(examined, batches, policy), **about}
    about["left_out"] += left_out
    return Prepared(examined, planned.plan, batches, tuple(breaches), held_back, about, shares)


def prepare_rekey(ids: Ids, store: Store, policy: Policy, today: date, stages: Stages, sinks: Sinks = ONE) -> Prepared:
    """Take a change of ids as far as the plan. Nothing is changed.

    No limit holds what was asked for record by record; only what else is to be planned is guarded.

    Raises:
        ConfigError: old ids are not live, or new ones are.
        StoppingError: asked to stop.
    """
    with stages.measure("diff"):
        rekey.check(ids, store)
        settled = rekey.changes(ids, store)
    examined = Examined(None, {}, settled, (), ())
    changing = {name: one for name, one in settled.items() if name not in policy.terms.left_out}
    tables = Tables(store.snapshot, changing, policy.scope, today)
    is_full = tables.is_scoped or _is_full(examined, store, policy)
    made = {
        name: rekey.RekeyTargets(records, tables, policy, is_full or not records.is_whole, stages)
        for name in sinks
        for records in (store.at(name),)
    }
    shares = {name: _share(targets, stages) for name, targets in made.items()}
    breaches = _guard_shares(shares, made, (), policy) if any(one.is_full for one in made.values()) else []
    planned = _Planned(shares, made)
    batches = tuple(_distinct(planned.batches))
    fields = {name: document.changed_fields(tables.before(name), one.new.frame) for name, one in changing.items()}
    about = {
        **_about_drop(None, batches, policy),
        **_about_plan(settled, fields, planned, breaches, planned.held_back),
        "rekey": {name: len(one) for name, one in ids.items()},
    }
    return Prepared(examined, planned.plan, batches, tuple(breaches), planned.held_back, about, shares, ids)


def _share(targets: Targets, stages: Stages) -> Share:
    actions = list(targets.actions())
    with stages.measure("plan"):
        plan = make_plan(actions)
    return Share(plan, tuple(targets.stamps), targets.there, targets.absences)


def _distinct(found: Iterable[_One]) -> list[_One]:
    """Return what several sinks told, each thing once."""
    return list({repr(one): one for one in found}.values())


@dataclass(frozen=True, slots=True)
class _Planned:
    """The planning of all sinks, and what is told of it: the largest plan stands for all, by a digest over all."""

    shares: Mapping[str, Share]
    made: Mapping[str, Targets]

    @property
    def batches(self) -> list[Batch]:
        return [batch for one in self.made.values() for batch in one.batches]

    @property
    def held_back(self) -> int:
        return max((one.held_back for one in self.made.values()), default=0)

    @property
    def largest(self) -> str:
        return max(self.shares, key=lambda name: len(self.shares[name].plan))

    @property
    def plan(self) -> Plan:
        if len(self.shares) == 1:
            return self.shares[self.largest].plan
        return together({name: share.plan for name, share in self.shares.items()}, self.largest)


def carry_out(plan: Plan, sink: Sink, *, once: str, run: str, at: str, stages: Stages) -> Sequence[Outcome]:
    """Apply a plan through a sink; a transient fault is tried again.

    Raises:
        SinkError: the sink did nothing.
    """
    total, done = len(plan), 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        stages.show.advance(done, total)

    with stages.measure("apply"):
        for attempt in stamina.retry_context(on=TransientSinkError, attempts=TRIES):
            with attempt:
                return sink.apply(plan, once=once, run=run, at=at, progress=progress)
    raise AssertionError("unreachable: the last attempt returns or raises")


def fingerprints(policy: Policy) -> dict[str, str]:
    """Return what the target records depend on beside the roster; where it changed, all of them are planned anew."""
    scope = f"{policy.scope.fingerprint} {policy.administrators}"
    return {"rules": policy.rules.fingerprint, "scope": scope, "pins": policy.pins.fingerprint}


def refuse(fault: Batch, policy: Policy) -> Prepared:
    """Return what comes of a package that cannot be read: rejected, with that one finding."""
    return _rejected(Examined(None, {}, {}, (fault,), ()), policy)


def _rejected(examined: Examined, policy: Policy) -> Prepared:
    about = _about_drop(examined, examined.batches, policy)
    held_back = sum(one.count.held_back for one in examined.settled.values())
    return Prepared(examined, None, examined.batches, (), held_back, {**about, "held_back": held_back})


def _about_drop(examined: Examined | None, batches: Sequence[Batch], policy: Policy) -> dict[str, Any]:
    if examined is None:
        return {**document.about_drop(oneroster=None, modes={}, tables={}, batches=batches), "left_out": []}
    counts = {name: one.count for name, one in examined.settled.items()}
    about = document.about_drop(oneroster=examined.oneroster, modes=examined.modes, tables=counts, batches=batches)
    left_out = [
        {"table": name, "reason": reason, "count": None}
        for name, reason in policy.terms.left_out.items()
        if examined.modes.get(name, "absent") != "absent"
    ]
    return {**about, "left_out": left_out}


def _about_plan(
    settled: Mapping[str, Settled], fields: Mapping[str, Mapping[str, int]], planned: _Planned,
    breaches: Sequence[Breach], held_back: int,
) -> dict[str, Any]:  # fmt: skip
    targets = planned.made[planned.largest]
    about = document.about_plan(
        changes={name: one.changes for name, one in settled.items()},
        fields=fields,
        breaches=breaches,
        plan=planned.plan,
        held_back=held_back,
        pinned=targets.pinned,
        waiting=targets.waiting,
    )
    if len(planned.shares) == 1:
        return about
    return {**about, "sinks": {name: {"actions": one.plan.counts()} for name, one in planned.shares.items()}}


def _find_in_scope(tables: Tables, policy: Policy) -> list[Batch]:
    """Find what the feed names and the roster does not have."""
    found: list[Batch] = []
    if policy.scope.orgs:
        missing = missing_orgs(policy.scope, tables.decided["orgs"].frame)
        found += [findings.batch("listed-org-missing", file="orgs.csv", id=one) for one in missing]
    if policy.administrators:
        users = tables.after("users")
        nobody = missing_administrators(users, policy.administrators) if len(users) else ()
        found += [findings.batch("listed-admin-missing", file="users.csv", count=at + 1) for at in nobody]
    return found


def _about_scope(tables: Tables) -> list[dict[str, Any]]:
    """Return how many records of each table are out of scope, a line per reason."""
    return [
        {"table": name, "reason": WORDS[reason], "count": count}
        for name, counts in tables.counts().items()
        for reason, count in counts.items()
    ]


def _guard_shares(
    shares: Mapping[str, Share], made: Mapping[str, Targets], found: Sequence[Breach], policy: Policy
) -> list[Breach]:
    """Guard the target records of each sink."""
    told: list[Breach] = []
    for name, share in shares.items():
        told += [*made[name].breaches, *guard_targets(share.plan.actions, found, made[name].records, policy)]
    return _distinct(told)


def _is_full(examined: Examined | None, store: Store, policy: Policy) -> bool:
    """Return whether all target records are to be planned, not only those whose source changed."""
    kept = {name: store.meta(name, "") for name in fingerprints(policy)}
    return examined is None or kept != fingerprints(policy)


def _changed_fields(settled: Mapping[str, Settled], tables: Tables) -> dict[str, dict[str, int]]:
    """Count which columns changed in the updated records of each table.

    Raises:
        IngestdError: two ids have the same hash (a chance of one in millions of years).
    """
    counts: dict[str, dict[str, int]] = {}
    for name, one in settled.items():
        if not len(one.difference.updated):
            continue
        before = tables.before(name).iloc[: len(one.difference.was)].reset_index(drop=True)
        after = one.new.frame.iloc[one.difference.updated].reset_index(drop=True)
        if (before["sourcedId"] != after["sourcedId"]).any():
            raise IngestdError(f"{name}: two sourcedIds have the same hash; give the feed a new store")
        counts[name] = document.changed_fields(before, after)
    return counts
