"""Ids that changed: who goes under one sourcedId and comes again under another, in the same drop.

A new SIS, or an export that makes ids in another way, would have every account removed and made anew. Records are
paired only where nobody else can be meant (reference/systems.md E8, P11, P19).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, blanks
from ingestd.core.hashing import UNIT
from ingestd.core.model import Breach, Ints, Mask

MATCHED_BY: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "users": (("identifier",), ("email",), ("username",)),
    "orgs": (("name", "type", "identifier"),),
    "courses": (("title", "courseCode", "orgSourcedId", "schoolYearSourcedId"),),
    "classes": (("title", "classCode", "schoolSourcedId", "courseSourcedId", "termSourcedIds"),),
    "academicSessions": (("title", "type", "startDate", "endDate"),),
}
"""By which columns two records of a table are one and the same: any of these keys, each with all of its columns.

A class has no number of its own, so its school, course and term belong to its key: next year's class is another one.
"""
FEWEST = 5
"""Fewer pairs are no change of ids: single records are made anew by hand in every SIS."""
SHARE = 0.05
"""From this part of the live records on it is one; a graduating class is larger, but its members do not come again."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Records that changed their sourcedId: `old[i]` became `new[i]`.

    `ambiguous` counts records that go and match some that come, but not one alone.
    """

    old: pa.Array
    new: pa.Array
    ambiguous: int

    def __len__(self) -> int:
        return len(self.old)


def fewest_of(live: int) -> int:
    """Return how many pairs among so many live records are a change of ids."""
    return max(FEWEST, ceil(SHARE * live))


def pair_ids(table: str, gone: pd.DataFrame, come: pd.DataFrame) -> Pairs:
    """Pair the records of a table that go with those that come, one to one.

    Two are a pair if some key of `MATCHED_BY`, whatever its case, is theirs alone on both sides, and no other key of
    either leads to another record.

    Args:
        table: its name.
        gone: the records that would be removed.
        come: those that would be created.
    """
    found = [_matches(gone, come, key) for key in MATCHED_BY.get(table, ())]
    if not found:
        return Pairs(blanks(0), blanks(0), 0)
    matches = np.unique(np.concatenate([pairs for pairs, _ in found]), axis=0)
    is_like = np.logical_or.reduce([like for _, like in found])
    times = [np.bincount(side, minlength=1) for side in matches.T]
    alone = (times[0][matches[:, 0]] == 1) & (times[1][matches[:, 1]] == 1)
    before, after = matches[alone].T
    old, new = (arrow(one["sourcedId"]).take(pa.array(at)) for one, at in ((gone, before), (come, after)))
    return Pairs(old, new, int(is_like.sum()) - len(before))


def breach_of(table: str, pairs: Pairs, live: int) -> Breach | None:
    """Return the breach of ids that changed, if they are so many."""
    if len(pairs) < fewest_of(live):
        return None
    message = f"{len(pairs):,} of {live:,} {table} would be removed and come again under another sourcedId"
    if pairs.ambiguous:
        message += f"; of {pairs.ambiguous:,} more it cannot be told which is which"
    return Breach("ids-changed", message, table, None, len(pairs), live, SHARE)


def _matches(gone: pd.DataFrame, come: pd.DataFrame, key: tuple[str, ...]) -> tuple[Ints, Mask]:
    """Return the rows of both, as pairs, that have a key to themselves; and which of `gone` share theirs with any."""
    both = pa.concat_arrays([_key(gone, key), _key(come, key)])
    codes, distinct = pd.factorize(both.to_numpy(zero_copy_only=False))  # a blank is -1
    before, after = codes[: len(gone)], codes[len(gone) :]
    filled = np.flatnonzero(before >= 0)
    times_before = np.bincount(before[filled], minlength=len(distinct))
    times_after = np.bincount(after[after >= 0], minlength=len(distinct))
    at = np.full(len(distinct), -1)
    at[after[after >= 0]] = np.flatnonzero(after >= 0)
    is_like = np.zeros(len(gone), bool)
    is_like[filled] = times_after[before[filled]] > 0
    rows = filled[(times_before[before[filled]] == 1) & (times_after[before[filled]] == 1)]
    return np.column_stack([rows, at[before[rows]]]), is_like


def _key(frame: pd.DataFrame, key: tuple[str, ...]) -> pa.Array:
    """Return the records' keys as texts of one case; of a record whose first column is blank, None."""
    cells = [arrow(frame[name]) if name in frame.columns else blanks(len(frame)) for name in key]
    text = pc.utf8_lower(pc.binary_join_element_wise(*cells, pa.scalar(UNIT, pa.large_string())))
    return pc.if_else(pc.equal(cells[0], ""), pa.scalar(None, pa.large_string()), text)
