"""What changed: two keyed sets, before and after. The same function serves roster records and target records."""

from dataclasses import dataclass

import numpy as np

from ingestd.core.hashing import find_unsorted
from ingestd.core.model import Hashes, Ints


@dataclass(frozen=True, slots=True)
class Difference:
    """Positions of what changed. `updated[i]` of after was `was[i]` of before; likewise `same[i]` and `still[i]`."""

    created: Ints
    updated: Ints
    was: Ints
    same: Ints
    still: Ints
    absent: Ints


def diff(before_keys: Hashes, before_contents: Hashes, after_keys: Hashes, after_contents: Hashes) -> Difference:
    """Compare two sets of keyed contents, given as hashes; keys are unique on each side.

    Being absent is not yet being deleted: that is the caller's to say (law 1).
    """
    at = find_unsorted(after_keys, before_keys)
    common = np.flatnonzero(at >= 0)
    equal = before_contents[at[common]] == after_contents[common]
    absent = np.ones(len(before_keys), bool)
    absent[at[common]] = False
    return Difference(
        created=np.flatnonzero(at < 0),
        updated=common[~equal],
        was=at[common[~equal]],
        same=common[equal],
        still=at[common[equal]],
        absent=np.flatnonzero(absent),
    )
