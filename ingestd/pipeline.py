"""The arrow of the design, and the only place where the stages meet.

    drop → claim → unpack → check → scan → read → validate → scope → diff → guard → plan → apply → commit → report

`prepare` goes as far as the plan and changes nothing; `carry_out` does the last step. A plan to look at and a plan to
apply are made by the same code (law 3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import stamina

from ingestd.core import document, findings
from ingestd.core.administrators import missing_administrators
from ingestd.core.model import Batch, Breach, Outcome, Plan
from ingestd.core.rekey import Ids
from ingestd.core.roster import Settled
from ingestd.core.scope import WORDS
from ingestd.core.scoping import missing_orgs
from ingestd.errors import IngestdError, StoppingError, TransientSinkError
from ingestd.examine import Examined
from ingestd.guarding import guard_roster
from ingestd.planning import ONE, Share, Sinks, distinct, plan_sinks
from ingestd.policy import Policy
from ingestd.sinks.base import Sink
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Targets

TRIES = 3
"""How often a sink is asked within one run, with a growing pause between."""


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
    is_full = tables.is_scoped or depends_anew(examined, store, policy)
    planning = plan_sinks(
        {
            name: Targets(records, tables, policy, is_full or not records.is_whole, stages, read)
            for name, read in sinks.items()
            for records in (store.at(name),)
        },
        stages,
    )
    with stages.measure("guard"):
        breaches = distinct([*breaches, *planning.guard(breaches)])
    batches = tuple(distinct([*(examined.batches if examined else ()), *found, *planning.batches]))
    held_back = planning.held_back + sum(one.count.held_back for one in settled.values())
    about = planning.about(settled, changed_fields(settled, tables), breaches, held_back)
    about = {**about_drop(examined, batches, policy), **about}
    about["left_out"] += left_out
    return Prepared(examined, planning.plan, batches, tuple(breaches), held_back, about, planning.shares)


def carry_out(plan: Plan, sink: Sink, *, once: str, run: str, at: str, stages: Stages) -> Sequence[Outcome]:
    """Apply a plan through a sink; a transient fault is tried again.

    Raises:
        SinkError: the sink did nothing, or a part of it (`is_partly_done`).
        StoppingError: asked to stop between two parts of it; the same plan goes on from there.
    """
    total, done = len(plan), 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        stages.show.advance(done, total)
        if not sink.transactional and stages.stop():
            raise StoppingError("asked to stop while a plan was carried out")

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
    about = about_drop(examined, examined.batches, policy)
    held_back = sum(one.count.held_back for one in examined.settled.values())
    return Prepared(examined, None, examined.batches, (), held_back, {**about, "held_back": held_back})


def about_drop(examined: Examined | None, batches: Sequence[Batch], policy: Policy) -> dict[str, Any]:
    """Return what a document says of a drop, or of a plan without one."""
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


def depends_anew(examined: Examined | None, store: Store, policy: Policy) -> bool:
    """Return whether all target records are to be planned, not only those whose source changed."""
    kept = {name: store.meta(name, "") for name in fingerprints(policy)}
    return examined is None or kept != fingerprints(policy)


def changed_fields(settled: Mapping[str, Settled], tables: Tables) -> dict[str, dict[str, int]]:
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
