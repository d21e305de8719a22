"""Runs without a drop of their own: ids that change, a sink that others changed, a run that is undone.

Each is taken as far as its plan, of the parts that a drop's run is made of; what comes after is the same for all.
"""

from datetime import date

from ingestd import rekey
from ingestd.core import document
from ingestd.core.rekey import Ids
from ingestd.examine import Examined
from ingestd.pipeline import Prepared, about_drop, depends_anew
from ingestd.planning import Sinks, distinct, plan_sinks
from ingestd.policy import Policy
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables


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
