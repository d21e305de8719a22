"""The next live arrays from the present ones and what was settled. Derived: the store can always rebuild them."""

import numpy as np
import pandas as pd

from ingestd.core.columns import arrow
from ingestd.core.hashing import hash_ids
from ingestd.core.model import Hashes, Ints, Mask
from ingestd.core.references import references_of
from ingestd.core.roster import Settled
from ingestd.core.scan import Live, References
from ingestd.core.validate import content_of
from schemas import Table


def live_of(table: Table, frame: pd.DataFrame, rid: Ints, hashes: Hashes, notes: Ints, seed: int) -> Live:
    """Return the arrays of live records, from their columns and what the store keeps beside them."""
    return sort(
        Live(
            rid=rid,
            hash=hashes,
            id=hash_ids(arrow(frame["sourcedId"]), seed),
            content=content_of(frame, seed),
            notes=notes,
            references={column.name: references_of(frame, column, seed) for column in table.references()},
        )
    )


def advance(settled: Settled, first_rid: int, notes: Ints, seed: int) -> Live:
    """Return the live arrays after this run.

    Args:
        settled: the table.
        first_rid: the key of the first opened version; the others follow.
        notes: the notes of all candidates, as bits of the snapshot.
        seed: the feed's.
    """
    live, new, opened = settled.live, settled.new, settled.opened
    hashes, noted = live.hash.copy(), live.notes.copy()
    hashes[settled.difference.still] = new.hash[settled.difference.same]
    noted[settled.difference.still] = notes[settled.difference.same]
    hashes[settled.forgotten] = 0
    stays = np.ones(len(live), bool)
    stays[settled.closed] = False
    frame = new.frame.iloc[opened]
    return sort(
        Live(
            rid=np.concatenate([live.rid[stays], np.arange(first_rid, first_rid + len(opened))]),
            hash=np.concatenate([hashes[stays], new.hash[opened]]),
            id=np.concatenate([live.id[stays], new.id[opened]]),
            content=np.concatenate([live.content[stays], new.content[opened]]),
            notes=np.concatenate([noted[stays], notes[opened]]),
            references={
                column.name: _joined(live.references.get(column.name), stays, references_of(frame, column, seed))
                for column in settled.table.references()
            },
        )
    )


def _joined(before: References | None, stays: Mask, added: References) -> References:
    count = int(stays.sum())
    if before is None:
        return References(added.row + count, added.target)
    kept = stays[before.row]
    place = np.cumsum(stays) - 1
    return References(
        np.concatenate([place[before.row[kept]], added.row + count]),
        np.concatenate([before.target[kept], added.target]),
    )


def sort(live: Live) -> Live:
    """Return the arrays in the order of `hash`, as the scan wants them."""
    order = np.argsort(live.hash, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Live(
        rid=live.rid[order],
        hash=live.hash[order],
        id=live.id[order],
        content=live.content[order],
        notes=live.notes[order],
        references={name: References(place[one.row], one.target) for name, one in live.references.items()},
    )
