"""The guard stage: what a run would change, of the roster and of target records, held against the feed's limits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, isinf

from ingestd.core.guard import guard, guard_held_back, largest_at_risk
from ingestd.core.identity import Pairs, breach_of, fewest_of, pair_ids
from ingestd.core.model import Actions, Breach, Changes, Kind
from ingestd.core.roster import Settled, losses
from ingestd.owned import OwnedRecords
from ingestd.policy import Policy
from ingestd.store import Store


def guard_roster(settled: Mapping[str, Settled], store: Store, policy: Policy) -> list[Breach]:
    """Return the breaches of the tables that came: too much of them changed, or their ids did."""
    orgs = _org_ids(settled, store)
    breaches = [
        breach
        for name, one in settled.items()
        for breach in (
            *guard_held_back(name, one.count, policy.limits[name]),
            *guard(name, one.changes, len(one.live), policy.limits[name], losses(one, orgs)),
        )
    ]
    found = changed_ids(settled, store).items()
    return breaches + [breach for name, pairs in found if (breach := breach_of(name, pairs, len(settled[name].live)))]


def _org_ids(settled: Mapping[str, Settled], store: Store) -> dict[int, str]:
    """Return the sourcedIds of the known orgs by hash; read only where some org may lose records."""
    if not any(len(one.deleted) for one in settled.values()):
        return {}
    live = store.snapshot.live("orgs")
    ids = store.snapshot.read("orgs", live.rid)["sourcedId"]
    return dict(zip(live.id.tolist(), ids, strict=True))


def guard_targets(
    actions: Sequence[Actions], found: Sequence[Breach], records: OwnedRecords, policy: Policy
) -> list[Breach]:
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
            breaches += guard(target, changes, records.count_owned(target, at_most), policy.limits[source])
    return breaches


def changed_ids(settled: Mapping[str, Settled], store: Store) -> dict[str, Pairs]:
    """Return, by table, the records that go and come again under another sourcedId, where they can be many."""
    found = {}
    for name, one in settled.items():
        fewest = fewest_of(len(one.live))
        if min(len(one.deleted), len(one.difference.created)) >= fewest:
            gone = store.snapshot.read(name, one.live.rid[one.deleted])
            found[name] = pair_ids(name, gone, one.new.frame.iloc[one.difference.created])
    return found
