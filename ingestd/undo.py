"""The reverse of a run, out of the history that the snapshot keeps: what it changed is as it was before."""

import numpy as np

from ingestd.core.columns import arrow
from ingestd.core.diff import Difference
from ingestd.core.hashing import find_unsorted, hash_ids
from ingestd.core.model import Hashes, Ints
from ingestd.core.restate import restate
from ingestd.core.roster import Settled
from ingestd.store import Store
from schemas import shapes


def reverse(store: Store, run: int) -> tuple[dict[str, Settled], dict[str, int]]:
    """Return the tables as they are to be without what a run changed in them.

    A record that a later run changed once more is let be: the later word counts.

    Returns:
        The tables, and how many records of each were let be.
    """
    found, let_be = {}, {}
    for name in shapes():
        opened, closed = store.snapshot.opened_by(name, run), store.snapshot.closed_by(name, run)
        if len(opened) or len(closed):
            found[name], let_be[name] = _reverse(store, name, opened, closed)
    return found, {name: count for name, count in let_be.items() if count}


def _reverse(store: Store, name: str, opened: Ints, closed: Ints) -> tuple[Settled, int]:
    snapshot, live = store.snapshot, store.snapshot.live(name)
    before = snapshot.read(name, closed)
    made, was = _ids(store, name, opened), hash_ids(arrow(before["sourcedId"]), store.seed)
    mine = np.flatnonzero(np.isin(live.rid, opened))  # what the run made of records, and nobody changed since
    at = find_unsorted(was, live.id)
    updated = np.flatnonzero(np.isin(at, mine))
    created = np.flatnonzero((at < 0) & ~np.isin(was, made))  # what it deleted, and nobody brought back
    deleted = np.setdiff1d(mine, at[updated])
    rows = np.concatenate([created, updated])
    none, first = np.zeros(0, np.int64), len(created)
    difference = Difference(np.arange(first), np.arange(first, len(rows)), at[updated], none, none, deleted)
    frame = before.iloc[rows].reset_index(drop=True)
    notes = np.zeros(len(rows), np.int64)
    settled = restate(name, live, frame, difference, deleted, notes, (), store.seed)
    return settled, len(np.union1d(made, was)) - len(rows) - len(deleted)


def _ids(store: Store, name: str, rids: Ints) -> Hashes:
    return hash_ids(arrow(store.snapshot.read(name, rids)["sourcedId"]), store.seed)
