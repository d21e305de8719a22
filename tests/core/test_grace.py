"""Grace: how long what is absent stays."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from roster_world import frame

from ingestd.core.grace import NONE, Absences, Grace, parse_grace, wait
from ingestd.core.model import Actions, Kind

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "grace"),
    [
        ("3 drops", Grace(drops=3)),
        ("1 drop", Grace(drops=1)),
        ("14d", Grace(days=14)),
        ("14 days", Grace(days=14)),
        ("0 drops", None),
        ("3 nights", None),
        ("drops", None),
    ],
)
def test_grace_is_a_number_of_drops_or_of_days(text: str, grace: Grace | None) -> None:
    """And at least one."""
    assert parse_grace(text) == grace


def removals(*keys: int) -> list[Actions]:
    """Return the removals of records with these keys."""
    ids = frame(id=[str(key) for key in keys])
    contents = np.ones(len(keys), np.uint64)
    return [Actions("people", Kind.REMOVE, ("id",), ("id",), ids, np.array(keys, np.uint64), contents)] if keys else []


def removed(actions: list[Actions]) -> list[str]:
    """Return the ids of what is removed."""
    return [one for group in actions for one in group.frame["id"]]


def test_who_is_missing_from_three_drops_is_removed_by_the_third() -> None:
    """A plan without a drop in between counts for nothing; one who was back begins anew."""
    absent, seen = NONE, []
    for is_drop, keys in ((True, (1, 2)), (False, (1, 2)), (True, (1,)), (True, (1, 2)), (True, (2,)), (True, (2,))):
        actions, absent = wait(removals(*keys), Grace(drops=3), absent, TODAY, is_drop=is_drop)
        seen.append(removed(actions))
    assert seen == [[], [], [], ["1"], [], ["2"]]


def test_who_is_missing_for_some_days_is_removed_without_a_drop() -> None:
    """The first day is that of the first plan that found it so."""
    absent, seen = NONE, []
    for days in (0, 1, 6, 7):
        actions, absent = wait(removals(1), Grace(days=7), absent, TODAY + timedelta(days=days), is_drop=False)
        seen.append(removed(actions))
    assert seen == [[], [], [], ["1"]]
    assert not len(absent)


@given(st.lists(st.sets(st.integers(1, 5)), max_size=8), st.integers(1, 4))
def test_nobody_goes_who_was_not_missing_from_so_many_drops_in_a_row(days: list[set[int]], drops: int) -> None:
    """And everybody who was does, on that very day, and is not counted any more then."""
    absent: Absences = NONE
    streak: dict[int, int] = {}
    gone: set[int] = set()
    for missing in days:
        asked = sorted(missing - gone)
        streak = {key: streak.get(key, 0) + 1 for key in asked}
        actions, absent = wait(removals(*asked), Grace(drops=drops), absent, TODAY, is_drop=True)
        due = {key for key, count in streak.items() if count >= drops}
        assert {int(one) for one in removed(actions)} == due
        gone |= due
        assert set(absent.keys.tolist()) == set(asked) - due
