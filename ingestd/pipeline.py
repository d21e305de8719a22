"""The arrow of the design, and the only place where the stages meet.

    drop → claim → unpack → check → scan → read → validate → scope → diff → guard → plan → apply → commit → report

`prepare` goes as far as the plan and changes nothing; `carry_out` does the last step. A plan to look at and a plan to
apply are made by the same code (law 3).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import ceil, isinf
from typing import Any

import pandas as pd
import stamina

from ingestd import rekey
from ingestd.core import document, findings
from ingestd.core.administrators import missing_administrators
from ingestd.core.grace import Absences
from ingestd.core.guard import guard, guard_held_back, largest_at_risk
from ingestd.core.identity import Pairs, breach_of, fewest_of, pair_ids
from ingestd.core.model import Actions, Batch, Breach, Changes, Kind, Outcome, Plan
from ingestd.core.pins import Stamp
from ingestd.core.plan import make_plan
from ingestd.core.rekey import Ids
from ingestd.core.roster import Settled, losses
from ingestd.core.scope import WORDS
from ingestd.core.scoping import missing_orgs
from ingestd.errors import IngestdError, TransientSinkError
from ingestd.examine import Examined
from ingestd.policy import Policy
from ingestd.sinks.base import Sink
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Read, Targets

TRIES = 3
"""How often a sink is asked within one run, with a growing pause between."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run as far as its plan. `examined` is None for a re-plan without a drop, `plan` None for a rejected drop.

    `ids` has the ids that change, of a run that changes them. `stamps` are to be kept of owned records, `there` is what
    the application was found to have, `absences` what is
    absent and waits, by target table.
    """

    examined: Examined | None
    plan: Plan | None
    batches: tuple[Batch, ...]
    breaches: tuple[Breach, ...]
    held_back: int
    document: Mapping[str, Any]
    ids: Ids = field(default_factory=dict)
    stamps: tuple[Stamp, ...] = ()
    there: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    absences: Mapping[str, Absences] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Return whether applying it would change nothing, neither in the application nor in what is kept of it."""
        return not self.plan and not self.absences and not any(len(one.keys) for one in self.stamps)

    @property
    def settled(self) -> Mapping[str, Settled]:
        """Return the tables that came."""
        return self.examined.settled if self.examined else {}


def prepare(
    examined: Examined | None, store: Store, policy: Policy, today: date, stages: Stages, read: Read | None = None
) -> Prepared:
    """Take what was read of a package, or the snapshot alone, as far as the plan. Nothing is changed.

    `today` is the day in the feed's time zone, by which classes and terms come in and go. `read` gives what the
    application has, for rules that adopt it.

    Raises:
        SinkError: the application cannot be read.
        StoppingError: asked to stop.
    """
    if examined and examined.is_rejected:
        return _rejected(examined, policy)
    settled = examined.settled if examined else {}
    with stages.measure("guard"):
        breaches = [*(examined.breaches if examined else ()), *_guard_roster(settled, store, policy)]
        breaches += _guard_ids(settled, store)
    tables = Tables(store.snapshot, settled, policy.scope, today)
    with stages.measure("scope"):
        found, left_out = _find_in_scope(tables, policy), _about_scope(tables)
    is_full = tables.is_scoped or _is_full(examined, store, policy)
    targets = Targets(store, tables, policy, is_full, stages, read)
    actions = list(targets.actions())
    with stages.measure("guard"):
        breaches += [*targets.breaches, *_guard_targets(actions, breaches, store, policy)]
    with stages.measure("plan"):
        plan = make_plan(actions)
    batches = (*(examined.batches if examined else ()), *found, *targets.batches)
    held_back = targets.held_back + sum(one.count.held_back for one in settled.values())
    planned = _about_plan(settled, _changed_fields(settled, tables), targets, plan, breaches, held_back)
    about = {**_about_drop(examined, batches, policy), **planned}
    about["left_out"] += left_out
    told = tuple(breaches)
    return Prepared(
        examined, plan, batches, told, held_back, about, {}, tuple(targets.stamps), targets.there, targets.absences
    )


def prepare_rekey(ids: Ids, store: Store, policy: Policy, today: date, stages: Stages) -> Prepared:
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
    planned = {name: one for name, one in settled.items() if name not in policy.terms.left_out}
    tables = Tables(store.snapshot, planned, policy.scope, today)
    is_full = tables.is_scoped or _is_full(examined, store, policy)
    targets = rekey.RekeyTargets(store, tables, policy, is_full, stages)
    actions = list(targets.actions())
    breaches = [*targets.breaches, *(_guard_targets(actions, (), store, policy) if is_full else ())]
    with stages.measure("plan"):
        plan = make_plan(actions)
    fields = {name: document.changed_fields(tables.before(name), one.new.frame) for name, one in planned.items()}
    about = {
        **_about_drop(None, targets.batches, policy),
        **_about_plan(settled, fields, targets, plan, breaches, targets.held_back),
        "rekey": {name: len(one) for name, one in ids.items()},
    }
    return Prepared(examined, plan, tuple(targets.batches), tuple(breaches), targets.held_back, about, ids)


def carry_out(prepared: Prepared, sink: Sink, *, once: str, run: str, at: str, stages: Stages) -> Sequence[Outcome]:
    """Apply a plan through a sink; a transient fault is tried again.

    Raises:
        SinkError: the sink did nothing.
    """
    if prepared.plan is None:
        raise IngestdError("a rejected drop has no plan to carry out")
    total, done = len(prepared.plan), 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        stages.show.advance(done, total)

    with stages.measure("apply"):
        for attempt in stamina.retry_context(on=TransientSinkError, attempts=TRIES):
            with attempt:
                return sink.apply(prepared.plan, once=once, run=run, at=at, progress=progress)
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
    settled: Mapping[str, Settled], fields: Mapping[str, Mapping[str, int]], targets: Targets, plan: Plan,
    breaches: Sequence[Breach], held_back: int,
) -> dict[str, Any]:  # fmt: skip
    return document.about_plan(
        changes={name: one.changes for name, one in settled.items()},
        fields=fields,
        breaches=breaches,
        plan=plan,
        held_back=held_back,
        pinned=targets.pinned,
        waiting=targets.waiting,
    )


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


def _guard_roster(settled: Mapping[str, Settled], store: Store, policy: Policy) -> list[Breach]:
    orgs = _org_ids(settled, store)
    return [
        breach
        for name, one in settled.items()
        for breach in (
            *guard_held_back(name, one.count, policy.limits[name]),
            *guard(name, one.changes, len(one.live), policy.limits[name], losses(one, orgs)),
        )
    ]


def changed_ids(settled: Mapping[str, Settled], store: Store) -> dict[str, Pairs]:
    """Return, by table, the records that go and come again under another sourcedId, where they can be many."""
    found = {}
    for name, one in settled.items():
        fewest = fewest_of(len(one.live))
        if min(len(one.deleted), len(one.difference.created)) >= fewest:
            gone = store.snapshot.read(name, one.live.rid[one.deleted])
            found[name] = pair_ids(name, gone, one.new.frame.iloc[one.difference.created])
    return found


def _guard_ids(settled: Mapping[str, Settled], store: Store) -> list[Breach]:
    found = changed_ids(settled, store).items()
    return [breach for name, pairs in found if (breach := breach_of(name, pairs, len(settled[name].live)))]


def _org_ids(settled: Mapping[str, Settled], store: Store) -> dict[int, str]:
    """Return the sourcedIds of the known orgs by hash; read only where some org may lose records."""
    if not any(len(one.deleted) for one in settled.values()):
        return {}
    live = store.snapshot.live("orgs")
    ids = store.snapshot.read("orgs", live.rid)["sourcedId"]
    return dict(zip(live.id.tolist(), ids, strict=True))


def _guard_targets(actions: Sequence[Actions], found: Sequence[Breach], store: Store, policy: Policy) -> list[Breach]:
    """Guard the target records too, for a change of rules or scope; what the roster's breach explains is told once."""
    sources = {target.name: target.source for target in policy.rules.targets}
    told = {breach.table for breach in found}
    breaches: list[Breach] = []
    for target, source in sources.items():
        counts = Counter[Kind]()
        for one in actions:
            counts[one.kind] += len(one) if one.target == target else 0
        changes = Changes(updated=counts[Kind.UPDATE], deleted=counts[Kind.REMOVE])
        at_risk = largest_at_risk(changes, policy.limits[source])
        if at_risk and source not in told:
            at_most = -1 if isinf(at_risk) else ceil(at_risk) + 1
            breaches += guard(target, changes, store.count_owned(target, at_most), policy.limits[source])
    return breaches


def _is_full(examined: Examined | None, store: Store, policy: Policy) -> bool:
    """Return whether all target records are to be planned, not only those whose source changed."""
    kept = {name: store.meta(name, "") for name in fingerprints(policy)}
    return examined is None or kept != fingerprints(policy) or store.meta("is_whole", "yes") != "yes"


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
