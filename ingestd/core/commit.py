"""The next live arrays from the present ones and what was settled. Derived: the store can always rebuild them.

Both sides are in the order of `hash`, so they are merged; sorting the whole again would cost more than the rest.
"""

from typing import Any

import numpy as np
import pandas as pd

from ingestd.core.columns import arrow
from ingestd.core.hashing import hash_ids
from ingestd.core.model import Hashes, Ints, Mask
from ingestd.core.references import references_of
from ingestd.core.roster import Settled
from ingestd.core.scan import Live, References
from ingestd.core.validate import content_of
from schemas import Shape

_Arrays = Ints | Hashes
_PER_RECORD = ("rid", "hash", "id", "content", "notes")


def live_of(shape: Shape, frame: pd.DataFrame, rid: Ints, hashes: Hashes, notes: Ints, seed: int) -> Live:
    """Return the arrays of live records, from their columns and what the store keeps beside them."""
    return _sorted(
        Live(
            rid=rid,
            hash=hashes,
            id=hash_ids(arrow(frame["sourcedId"]), seed),
            content=content_of(frame, seed),
            notes=notes,
            references=_references(shape, frame, seed),
        )
    )


def _references(shape: Shape, frame: pd.DataFrame, seed: int) -> dict[str, References]:
    """Return what records refer to; columns that only other versions of the standard have are blank."""
    given = frame.reindex(columns=[column.name for column in shape.references()], fill_value="")
    return {column.name: references_of(given, column, seed) for column in shape.references()}


def advance(settled: Settled, shape: Shape, first_rid: int, notes: Ints, seed: int) -> Live:
    """Return the live arrays after this run.

    Args:
        settled: the table.
        shape: its columns as they are kept.
        first_rid: the key of the first opened version; the others follow.
        notes: the notes of all candidates, as bits of the snapshot.
        seed: the feed's.
    """
    live, new, opened = settled.live, settled.new, settled.opened
    still, same = settled.difference.still, settled.difference.same
    stays = np.ones(len(live), bool)
    stays[np.concatenate([settled.closed, still, settled.forgotten])] = False
    kept = _choose(live, np.flatnonzero(stays))
    touched = _choose(live, still, hash=new.hash[same], notes=notes[same])
    forgotten = settled.forgotten[~np.isin(settled.forgotten, still)]
    dulled = _choose(live, forgotten, hash=np.zeros(len(forgotten), np.uint64))
    frame = new.frame.iloc[opened]
    born = Live(
        rid=np.arange(first_rid, first_rid + len(opened)),
        hash=new.hash[opened],
        id=new.id[opened],
        content=settled.content[opened],
        notes=notes[opened],
        references=_references(shape, frame, seed),
    )
    for added in (touched, dulled, born):
        kept = _merged(kept, _sorted(added)) if len(added) else kept
    return kept


def _choose(live: Live, at: Ints, **instead: _Arrays) -> Live:
    """Return the records at these positions, with some of their arrays given instead."""
    chosen = {name: getattr(live, name)[at] for name in _PER_RECORD} | instead
    place = np.full(len(live), -1)
    place[at] = np.arange(len(at))
    references = {name: _choose_references(one, at, place) for name, one in live.references.items()}
    return Live(references=references, **chosen)


def _choose_references(one: References, at: Ints, place: Ints) -> References:
    if one.row is None:
        return References(None, one.target[at])
    rows = place[one.row]
    return References(rows[rows >= 0], one.target[rows >= 0])


def _sorted(live: Live) -> Live:
    return _choose(live, np.argsort(live.hash, kind="stable"))


def _merged(first: Live, second: Live) -> Live:
    """Return the records of both, in the order of `hash`, in which each of them is."""
    if not len(first):
        return second
    before = np.searchsorted(first.hash, second.hash)
    of_second = before + np.arange(len(second))
    is_first: Mask = np.ones(len(first) + len(second), bool)
    is_first[of_second] = False
    of_first = np.flatnonzero(is_first)
    references = {
        name: _both_references(one, second.references[name], is_first, of_first, of_second)
        for name, one in first.references.items()
    }
    woven: dict[str, Any] = {
        name: _woven(getattr(first, name), getattr(second, name), is_first) for name in _PER_RECORD
    }
    return Live(references=references, **woven)


def _woven(first: _Arrays, second: _Arrays, is_first: Mask) -> _Arrays:
    woven: Any = np.empty(len(is_first), first.dtype)
    woven[is_first], woven[~is_first] = first, second
    return np.asarray(woven)


def _both_references(
    first: References, second: References, is_first: Mask, of_first: Ints, of_second: Ints
) -> References:
    if first.row is None or second.row is None:
        return References(None, _woven(first.target, second.target, is_first).view(np.uint64))
    rows = np.concatenate([of_first[first.row], of_second[second.row]])
    return References(rows, np.concatenate([first.target, second.target]))
