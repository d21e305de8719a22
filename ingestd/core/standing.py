"""Target records that are roster records as they are: their hashes are known without the records.

A snapshot's arrays have the hash of each record's id and content; by them those are found that the application has
already, which is most. Only the others need be read and mapped.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from ingestd.core.diff import diff
from ingestd.core.hashing import hash_strings, seed_of
from ingestd.core.model import Hashes, Ints
from ingestd.core.plan import Owned
from ingestd.core.rules import Target
from ingestd.core.scan import Live
from ingestd.core.verbs import column_of

REST = ("status", "dateLastModified")
"""The columns that `core.validate.content_of` passes over, wholly or where they say nothing."""


def is_as_it_is(target: Target) -> bool:
    """Return whether each record of the source is a target record, its sourcedId the key, and all columns compared."""
    return target == Target(target.name, target.source, ("sourcedId",), target.on_absent)


def without_standing(live: Live, rest: pd.DataFrame, owned: Owned, seed: int) -> tuple[Ints, Owned]:
    """Return which roster records the application does not have as they are, and what is owned beside the others.

    Args:
        live: the live records.
        rest: of each of them the columns `REST`, in the order of their keys.
        owned: the target records that are owned.
        seed: the feed's.

    Returns:
        The keys of the roster records, in their order; the owned records that are not the same as any.
    """
    found = diff(owned.keys, owned.contents, live.id, _contents(live, rest, seed))
    rows = np.concatenate([found.created, found.updated])
    others = np.ones(len(owned.keys), bool)
    others[found.still] = False
    return np.sort(live.rid[rows]), replace(owned, keys=owned.keys[others], contents=owned.contents[others])


def _contents(live: Live, rest: pd.DataFrame, seed: int) -> Hashes:
    """Return what `hash_rows` gives of all columns but the sourcedId: it adds up the hashes of their cells."""
    status = column_of(rest, "status")
    added = hash_strings(pc.if_else(pc.equal(status, "active"), status, ""), seed_of(seed, "status"))
    added += hash_strings(column_of(rest, "dateLastModified"), seed_of(seed, "dateLastModified"))
    total = np.where(live.content == 1, np.uint64(0), live.content)
    if added.any():  # a bulk file should have neither; then nothing need be put in order
        total[np.argsort(live.rid)] += added
    total[total == 0] = 1
    return total
