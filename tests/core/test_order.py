"""Which drop is worked on next, what takes another one's place, and what names tell of drops that did not come."""

import pytest

from ingestd.core.model import Mode
from ingestd.core.order import Modes, check_sequence, next_of, supersedes

BULK: Modes = {"users": Mode.BULK, "classes": Mode.BULK}
SMALL: Modes = {"users": Mode.BULK}
DELTA: Modes = {"users": Mode.DELTA}
OTHER: Modes = {"orgs": Mode.DELTA}
MIXED: Modes = {"users": Mode.DELTA, "classes": Mode.BULK}


@pytest.mark.parametrize(
    ("newer", "older", "does"),
    [
        (BULK, BULK, True),
        (SMALL, BULK, True),
        (BULK, DELTA, True),
        (BULK, MIXED, True),
        (BULK, OTHER, False),
        (DELTA, BULK, False),
        (DELTA, DELTA, False),
        (MIXED, BULK, False),
        ({}, BULK, False),
    ],
)
def test_a_bulk_set_takes_the_place_of_what_it_says_anew(newer: Modes, older: Modes, does: bool) -> None:
    """Of bulk sets, and of deltas of tables that it has; a delta takes no place."""
    assert supersedes(newer, older) is does


@pytest.mark.parametrize(
    ("waiting", "chosen"),
    [
        ([BULK], 0),
        ([BULK, BULK, BULK], 2),
        ([DELTA, DELTA], 0),
        ([DELTA, BULK, DELTA], 1),
        ([BULK, DELTA, BULK], 2),
        ([OTHER, BULK], 0),
        ([BULK, OTHER, BULK], 0),
        ([{}, BULK], 0),
    ],
)
def test_the_oldest_is_next_unless_a_later_one_takes_its_place(waiting: list[Modes], chosen: int) -> None:
    """What takes the place of others does so of all before it; what cannot be read is not passed over."""
    assert next_of(waiting) == chosen


@pytest.mark.parametrize(
    ("previous", "name", "told"),
    [
        ("delta-0012.zip", "delta-0013.zip", None),
        ("delta-9.zip", "delta-10.zip", None),
        ("delta-0012.zip", "delta-0014.zip", "0013|13"),
        ("delta-0012.zip", "DELTA-0015.ZIP", "13, 14"),
        ("delta-1.zip", "delta-1000.zip", "2, 3, 4, 5, 6 and 993 more"),
        ("delta-0013.zip", "delta-0012.zip", "earlier"),
        ("roster_2026-11-24.zip", "roster_2026-11-25.zip", None),
        ("roster_2026-11-23.zip", "roster_2026-11-25.zip", "2026-11-24"),
        ("roster_2026-11-27.zip", "roster_2026-11-30.zip", None),
        ("roster_20261231_0200.zip", "roster_20270104_0215.zip", "2027-01-01"),
        ("roster_2026-11-25.zip", "roster_2026-11-24.zip", "earlier"),
        ("roster_20261399.zip", "roster_20261400.zip", None),
        ("roster.zip", "roster.zip", None),
        ("delta-7.zip", "full-9.zip", None),
        ("a-1-1.zip", "a-2-5.zip", None),
        ("delta-1.zip", "delta-²3.zip", None),
    ],
)
def test_names_with_numbers_tell_what_did_not_come(previous: str, name: str, told: str | None) -> None:
    """The numbers or weekdays between two names; and a name that goes back. Other names tell nothing."""
    found = check_sequence(previous, name)
    assert (found is None) is (told is None)
    if found and told:
        assert told.split("|")[-1] in found.message
        assert found.code == ("sequence-backwards" if told == "earlier" else "sequence-gap")
