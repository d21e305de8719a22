"""The comparison of two keyed sets: what came, what changed, what stayed, what is absent."""

import numpy as np

from ingestd.core.diff import Difference, diff
from ingestd.core.model import Hashes


def hashes(*values: int) -> Hashes:
    """Return numbers as hashes."""
    return np.array(values, np.uint64)


def compare(before: dict[int, int], after: dict[int, int]) -> Difference:
    """Compare two sets, given as contents by key."""
    return diff(hashes(*before), hashes(*before.values()), hashes(*after), hashes(*after.values()))


def test_every_record_is_in_one_place() -> None:
    """A record is created, updated, the same or absent, by its key and content; positions say where."""
    found = compare({10: 1, 11: 1, 12: 1}, {13: 5, 12: 2, 10: 1})
    assert found.created.tolist() == [0]
    assert (found.updated.tolist(), found.was.tolist()) == ([1], [2])
    assert (found.same.tolist(), found.still.tolist()) == ([2], [0])
    assert found.absent.tolist() == [1]


def test_first_load_creates_everything() -> None:
    """Against nothing, all is created."""
    found = compare({}, {1: 1, 2: 2})
    assert found.created.tolist() == [0, 1]
    assert not len(found.updated) + len(found.same) + len(found.absent)


def test_nothing_after_is_absence_not_more() -> None:
    """Against an empty set all is absent; whether that is deletion is not for the diff to say."""
    found = compare({1: 1, 2: 2}, {})
    assert found.absent.tolist() == [0, 1]
    assert not len(found.created) + len(found.updated) + len(found.same)


def test_two_empty_sets_do_not_differ() -> None:
    """Nothing against nothing is no difference."""
    found = compare({}, {})
    assert not any(len(getattr(found, name)) for name in ("created", "updated", "was", "same", "still", "absent"))
