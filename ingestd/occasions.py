"""Runs without a drop of their own: ids that change, a sink that others changed, a run that is undone.

Each is taken as far as its plan, of the parts that a drop's run is made of; what comes after is the same for all.
"""

from collections.abc import Mapping
from datetime import date

from ingestd import rekey
from ingestd.core import document
from ingestd.core.model import Breach
from ingestd.core.rekey import Ids
from ingestd.core.roster import Settled
from ingestd.examine import Examined
from ingestd.pipeline import Prepared, about_drop, changed_fields, depends_anew
from ingestd.planning import Sinks, distinct, plan_sinks
from ingestd.policy import Policy
from ingestd.reconcile import DriftTargets
from ingestd.sinks.base import Readable
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Targets
from ingestd.undo import reverse


def prepare_rekey(ids: Ids, store: Store, policy: Policy, today: date, stages: Stages, sinks: Sinks) -> Prepared:
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
    is_full = tables.is_scoped or depends_anew(examined, store, policy)
    made = {
        name: rekey.RekeyTargets(records, tables, policy, is_full or not records.is_whole, stages)
        for name in sinks
        for records in (store.at(name),)
    }
    planning = plan_sinks(made, stages)
    breaches = planning.guard(()) if any(one.is_full for one in made.values()) else []
    batches = tuple(distinct(planning.batches))
    fields = {name: document.changed_fields(tables.before(name), one.new.frame) for name, one in changing.items()}
    about = {
        **about_drop(None, batches, policy),
        **planning.about(settled, fields, breaches, planning.held_back),
        "rekey": {name: len(one) for name, one in ids.items()},
    }
    return Prepared(examined, planning.plan, batches, tuple(breaches), planning.held_back, about, planning.shares, ids)


def prepare_reconcile(name: str, sink: Readable, store: Store, policy: Policy, today: date, stages: Stages) -> Prepared:
    """Take what others changed in a sink as far as the plan that repairs it. It always waits for consent.

    Raises:
        SinkError: the sink cannot be read.
        StoppingError: asked to stop.
    """
    tables = Tables(store.snapshot, {}, policy.scope, today)
    targets = DriftTargets(store.at(name), tables, policy, True, stages)
    targets.sink = sink
    planning = plan_sinks({name: targets}, stages)
    breaches = [_breach("drift", target, counts) for target, counts in planning.plan.counts().items()]
    batches = tuple(distinct(planning.batches))
    about = {**about_drop(None, batches, policy), **planning.about({}, {}, breaches, planning.held_back)}
    about["reconcile"] = name
    return Prepared(None, planning.plan, batches, tuple(breaches), planning.held_back, about, planning.shares)


def _breach(code: str, target: str, counts: Mapping[str, int]) -> Breach:
    told = ", ".join(f"{number:,} to {kind}" for kind, number in counts.items() if number)
    return Breach(code, f"{target}: {told}", target, None, sum(counts.values()))


def prepare_undo(run: int, store: Store, policy: Policy, today: date, stages: Stages, sinks: Sinks) -> Prepared:
    """Take the reverse of an applied run as far as its plan. It always waits for consent.

    Raises:
        SinkError: a sink cannot be read.
        StoppingError: asked to stop.
    """
    with stages.measure("diff"):
        settled, let_be = reverse(store, run)
    changing = {name: one for name, one in settled.items() if name not in policy.terms.left_out}
    tables = Tables(store.snapshot, changing, policy.scope, today)
    is_full = tables.is_scoped or depends_anew(Examined(None, {}, settled, (), ()), store, policy)
    made = {
        name: Targets(records, tables, policy, is_full or not records.is_whole, stages, read)
        for name, read in sinks.items()
        for records in (store.at(name),)
    }
    planning = plan_sinks(made, stages)
    told = (_breach("undo", name, counts) for name, one in settled.items() if any((counts := _counts(one)).values()))
    breaches = [*told, *planning.guard(())]
    batches = tuple(distinct(planning.batches))
    fields = changed_fields(changing, tables)
    about = {**about_drop(None, batches, policy), **planning.about(settled, fields, breaches, planning.held_back)}
    about |= {"undo": run, "let_be": let_be}
    examined = Examined(None, {}, settled, (), ())
    return Prepared(examined, planning.plan, batches, tuple(breaches), planning.held_back, about, planning.shares)


def _counts(settled: Settled) -> dict[str, int]:
    changes = settled.changes
    return {"create": changes.created, "update": changes.updated, "remove": changes.deleted}
