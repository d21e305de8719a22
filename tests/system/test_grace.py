"""Who is missing from a drop is not removed at once, where the rules give some grace."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import Roster, added, changed, roster, without, zip_of
from places import FEED, Place, documents_of, invoke, live_of, place

from ingestd.store import Store
from schemas import shapes

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
RULES = """
[[table]]
name = "people"
from = "users"
key = ["id"]
on_absent = "deactivate"
remove_after = "GRACE"
[table.fields]
id = { from = "sourcedId" }
grade = { from = "grades" }
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WITHOUT = without(without(roster(3), "enrollments", "E3"), "users", "U3")


def day(where: Place, number: int, drop: Roster | None) -> set[str]:
    """Take a drop on a day, or none, and have the clock tick; return who is active then."""
    now = NOON + timedelta(days=number)
    feed = where.feed(clock=lambda: now)
    try:
        if drop is not None:
            feed.take_file(where.drop(zip_of(drop), f"day-{number}.zip"))
        feed.tick(now, lambda: False)
    finally:
        feed.close()
    return set(live_of(where, "people", "grade", key="id"))


def graced(folder: Path, grace: str) -> Place:
    """Return a feed whose rules give that grace."""
    return place(folder, rules=RULES.replace("GRACE", grace), more=FREE)


def test_one_missing_night_costs_nobody_anything(tmp_path: Path) -> None:
    """Who is back the next day was never touched, and plan and show tell who waits."""
    where = graced(tmp_path, "3 drops")
    everyone = day(where, 1, roster(3))
    assert day(where, 2, WITHOUT) == everyone
    assert documents_of(where)[-1]["waiting"] == {"people": 1}
    assert "Absent, to be removed later\n  people: 1 action" in invoke(where, "show", f"{FEED}.2").out
    assert day(where, 3, roster(3)) == everyone
    assert documents_of(where)[-1]["waiting"] == {}
    assert documents_of(where)[-1]["actions"] == {}


def test_the_third_drop_removes_whom_all_three_miss(tmp_path: Path) -> None:
    """Days without a drop do not count; other changes of these days are done as always."""
    where = graced(tmp_path, "3 drops")
    day(where, 1, roster(3))
    seen = [
        "U3" in day(where, number, drop)
        for number, drop in (
            (2, WITHOUT),
            (3, None),
            (4, changed(WITHOUT, "users", "U1", grades="10")),
            (5, None),
            (6, changed(WITHOUT, "users", "U1", grades="11")),
        )
    ]
    assert seen == [True, True, True, True, False]
    assert live_of(where, "people", "grade", key="id")["U1"] == "11"


def test_days_of_grace_end_by_the_clock(tmp_path: Path) -> None:
    """Without any further drop, and only once."""
    where = graced(tmp_path, "7d")
    day(where, 1, roster(3))
    assert ["U3" in day(where, number, drop) for number, drop in ((2, WITHOUT), (8, None), (9, None), (10, None))] == [
        True,
        True,
        False,
        False,
    ]
    assert [one["actions"] for one in documents_of(where)].count(
        {"people": {"create": 0, "update": 0, "remove": 1}}
    ) == 1


@pytest.mark.parametrize("grace", ["2 drops", "1d"])
def test_a_record_that_comes_back_later_is_restored(tmp_path: Path, grace: str) -> None:
    """It is made active again under its key, not made twice; what waited is forgotten."""
    where = graced(tmp_path, grace)
    day(where, 1, roster(3))
    day(where, 2, WITHOUT)
    assert "U3" not in day(where, 3, changed(WITHOUT, "users", "U1", grades="10"))
    back = added(roster(2), "users", roster(3)["users"][2])
    assert "U3" in day(where, 4, back)
    store = Store(where.store().parent, FEED, shapes())
    assert not len(store.at("sqlite").absent.of("people"))
    store.close()
