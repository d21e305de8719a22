"""Days in the life of a feed: what adds up over several drops, ticks, releases and changes of mind."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import added, bad_line, changed, enrollment, klass, roster, row, user, without, zip_of
from places import (
    FEED,
    Place,
    documents_of,
    invoke,
    live_of,
    once,
    place,
    snapshot_of,
    states_of,
    target_of,
    write_rules,
)

from ingestd.feed import Feed
from ingestd.generate import district, next_day, write_zip

DAY_1 = roster(30)
START = datetime(2100, 3, 1, 12, tzinfo=UTC)
"""Later than any day on which these tests run, for `once` ticks by the time of day."""
SHIPPED = (Path(__file__).parents[2] / "config" / "rules" / "default.toml").read_text(encoding="utf-8")
FREE = '\n[limits]\nupdate = "100%"\n'


@contextmanager
def on_day(where: Place, day: int, feed: str = FEED) -> Iterator[Feed]:
    """Open the feed at noon of a day."""
    opened = where.feed(feed, clock=lambda: START + timedelta(days=day))
    try:
        yield opened
    finally:
        opened.close()


def tick(where: Place, day: int) -> list[str]:
    """Have the feed tick on a day; return the states of the runs that this made."""
    with on_day(where, day) as feed:
        feed.tick(START + timedelta(days=day), lambda: False)
        return [str(run.state) for run in feed.finished]


# A roster that grows and shrinks ----------------------------------------------------------------------------------


def test_a_week_of_drops_ends_as_the_last_one_alone(tmp_path: Path) -> None:
    """Day by day only the differences are done; the sum is the last day's roster, and who left is there, inactive."""
    where, alone = place(tmp_path / "week"), place(tmp_path / "alone")
    made = district(100, 1)
    for day in range(1, 5):
        made = made if day == 1 else next_day(made, day=day, seed=1, changed=0.1, added=0.04, removed=0.04)
        write_zip(made, tmp_path / f"{day}.zip")
        assert once(where, (tmp_path / f"{day}.zip").read_bytes()).code == 0
    assert once(alone, (tmp_path / "4.zip").read_bytes()).code == 0
    for table in ("users", "enrollments", "classes"):
        column = "familyName" if table == "users" else "sourcedId"
        assert live_of(where, table, column) == live_of(alone, table, column)
    assert live_of(where, "patrons", "name", key="patron_id") == live_of(alone, "patrons", "name", key="patron_id")
    assert len(target_of(where)["users"]) > len(target_of(alone)["users"])
    live = [one for one in snapshot_of(where) if not one.startswith("owned_")]
    assert all(snapshot_of(where)[one] == snapshot_of(alone)[one] for one in live)


def test_a_user_who_comes_back_is_the_same_target_record_again(tmp_path: Path) -> None:
    """Deactivated, then active again, never twice."""
    where = place(tmp_path)
    for drop in (DAY_1, without(without(DAY_1, "enrollments", "E5"), "users", "U5"), DAY_1):
        once(where, zip_of(drop))
    assert live_of(where, "users", "username")["U5"] == "user5"
    assert len(target_of(where)["users"]) == 30


def test_what_a_held_back_record_hides_is_not_lost(tmp_path: Path) -> None:
    """Three days of a broken line, with its user changing behind it: the day it is mended, one update."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    for day in range(3):
        once(where, bad_line(changed(DAY_1, "users", "U5", familyName=f"Hidden{day}"), "U5", ","))
        assert live_of(where, "users", "familyName")["U5"] == "Family5"
    once(where, zip_of(changed(DAY_1, "users", "U5", familyName="Shown")))
    assert documents_of(where)[-1]["actions"]["users"] == {"create": 0, "update": 1, "remove": 0}


def test_a_new_school_year_is_held_once_and_released(tmp_path: Path) -> None:
    """New classes and enrollments for everybody: the old ones go only with consent, and then all is as it came."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    numbers = range(1, 31)
    year = {
        **DAY_1,
        "classes": [klass(11), klass(12)],
        "enrollments": [enrollment(100 + n, userSourcedId=f"U{n}", classSourcedId="C11") for n in numbers],
    }
    assert once(where, zip_of(year)).code == 3
    held = documents_of(where)[-1]
    assert invoke(where, "release", held["run"], "--plan", held["digest"]).code == 0
    assert live_of(where, "classes", "title").keys() == {"C11", "C12"}
    assert once(where, zip_of(changed(year, "users", "U1", familyName="Next"))).code == 0


# Ticks ------------------------------------------------------------------------------------------------------------


def test_a_tick_without_a_reason_does_nothing(tmp_path: Path) -> None:
    """Not even a run."""
    where = place(tmp_path)
    tick(where, 0)
    once(where, zip_of(DAY_1))
    assert tick(where, 1) == []
    assert states_of(where) == ["applied"]


def test_a_change_of_rules_is_applied_by_the_next_tick(tmp_path: Path) -> None:
    """No drop is needed, and the next one finds nothing left to do."""
    where = place(tmp_path, rules=SHIPPED, more=FREE)
    tick(where, 0)
    once(where, zip_of(DAY_1))
    write_rules(where, SHIPPED.replace("{familyName}, {givenName}", "{givenName} {familyName}"))
    assert tick(where, 1) == ["applied"]
    assert live_of(where, "patrons", "name", key="patron_id")["U1"] == "Given1 Family1"
    assert tick(where, 1) == []
    assert tick(where, 2) == []
    once(where, zip_of(changed(DAY_1, "courses", "K1", title="Geometry")))
    assert set(documents_of(where)[-1]["actions"]) == {"courses"}


def test_a_change_of_rules_is_in_the_plan_of_the_next_drop(tmp_path: Path) -> None:
    """A drop that comes before the tick does both."""
    where = place(tmp_path, rules=SHIPPED, more=FREE)
    once(where, zip_of(DAY_1))
    write_rules(where, SHIPPED.replace("{familyName}, {givenName}", "{givenName} {familyName}"))
    assert once(where, zip_of(changed(DAY_1, "users", "U1", familyName="New"))).code == 0
    assert documents_of(where)[-1]["actions"]["patrons"] == {"create": 0, "update": 30, "remove": 0}
    assert live_of(where, "patrons", "name", key="patron_id")["U1"] == "Given1 New"


def test_a_change_of_rules_that_concerns_too_many_is_held_once(tmp_path: Path) -> None:
    """A re-plan meets the guard like a drop, does not pile up tick after tick, and is released like a drop."""
    where = place(tmp_path, rules=SHIPPED)
    tick(where, 0)
    once(where, zip_of(DAY_1))
    write_rules(where, SHIPPED.replace("{familyName}, {givenName}", "{givenName} {familyName}"))
    assert tick(where, 1) == ["held"]
    assert tick(where, 2) == []
    write_rules(where, SHIPPED.replace("{familyName}, {givenName}", "{givenName}  {familyName}"))
    assert tick(where, 3) == ["superseded", "held"]
    held = invoke(where, "plan", FEED, "--json").json
    assert held["state"] == "held"
    assert invoke(where, "release", held["run"], "--plan", held["digest"]).code == 0
    assert live_of(where, "patrons", "name", key="patron_id")["U1"] == "Given1  Family1"


def test_a_tick_leaves_a_held_drop_alone(tmp_path: Path) -> None:
    """What waits for consent waits, with the digest that was looked at."""
    where = place(tmp_path)
    tick(where, 0)
    once(where, zip_of(DAY_1))
    once(where, zip_of({**DAY_1, "users": DAY_1["users"][:15], "enrollments": DAY_1["enrollments"][:15]}))
    held = documents_of(where)[-1]
    assert tick(where, 1) == []
    assert states_of(where) == ["applied", "held"]
    assert invoke(where, "release", held["run"], "--plan", held["digest"]).code == 0


def test_a_tick_tries_again_what_failed(tmp_path: Path) -> None:
    """The sink was away when the drop came; the next day's tick applies it."""
    where = place(tmp_path)
    tick(where, 0)
    where.target().mkdir()
    assert once(where, zip_of(DAY_1)).code == 4
    where.target().rmdir()
    assert tick(where, 1) == ["applied"]
    assert len(live_of(where, "users", "username")) == 30


@pytest.mark.parametrize(
    ("zone", "at", "before", "after"),
    [
        ("America/Chicago", "02:00", "2026-03-02T07:59", "2026-03-02T08:00"),
        ("America/Chicago", "02:30", "2026-03-08T07:00", "2026-03-08T08:30"),
        ("Pacific/Auckland", "00:30", "2026-03-01T11:29", "2026-03-01T11:30"),
    ],
)
def test_a_tick_comes_at_the_feeds_own_time(tmp_path: Path, zone: str, at: str, before: str, after: str) -> None:
    """At `apply_at` in the district's time zone; also on the night whose clocks skip that hour."""
    head = f'timezone = "{zone}"\nrules = "own"\n'
    where = place(tmp_path, rules=SHIPPED)
    path = where.folder / "feeds" / f"{FEED}.toml"
    path.write_text(head + path.read_text().replace('rules = "own"\n', "") + FREE + f'[schedule]\napply_at = "{at}"\n')
    early, late = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (before, after))
    with on_day(where, 0) as feed:
        feed.tick(early - timedelta(hours=12), lambda: False)
    once_at_noon(where, early - timedelta(hours=12))
    write_rules(where, SHIPPED.replace("{familyName}, {givenName}", "{givenName} {familyName}"))
    for moment, ran in ((early, 0), (late, 1), (late + timedelta(hours=1), 0)):
        with on_day(where, 0) as feed:
            feed.tick(moment, lambda: False)
            assert len(feed.finished) == ran


def once_at_noon(where: Place, moment: datetime) -> None:
    """Apply day 1 by hand, so that no tick of the present time comes with it."""
    (where.folder / "day-1.zip").write_bytes(zip_of(DAY_1))
    feed = where.feed(clock=lambda: moment)
    feed.take_file(where.folder / "day-1.zip")
    feed.close()


# Scope ------------------------------------------------------------------------------------------------------------


def scope(where: Place, *, demographics: bool) -> None:
    """Let demographics in, or not."""
    text = (where.folder / "feeds" / f"{FEED}.toml").read_text().split("\n[scope]")[0]
    allowed = "true" if demographics else "false"
    (where.folder / "feeds" / f"{FEED}.toml").write_text(f"{text}\n[scope]\ndemographics = {allowed}\n")


def test_demographics_come_in_when_they_are_let_in_and_go_with_consent(tmp_path: Path) -> None:
    """Out of scope they are neither read nor kept; let in, they come with the next drop; shut out, they are held."""
    where = place(tmp_path)
    full = {**DAY_1, "demographics": [row("demographics", sourcedId=f"U{n}", sex="female") for n in range(1, 31)]}
    tick(where, 0)
    assert once(where, zip_of(full)).code == 0
    assert not snapshot_of(where)["demographics"]
    assert "demographics" not in target_of(where)
    scope(where, demographics=True)
    assert once(where, zip_of(changed(full, "users", "U1", familyName="New"))).code == 0
    assert len(live_of(where, "demographics", "sex")) == 30
    scope(where, demographics=False)
    assert tick(where, 1) == ["held"]
    held = documents_of(where)[-1]
    assert {one["table"] for one in held["breaches"]} == {"demographics"}
    assert invoke(where, "release", held["run"], "--plan", held["digest"]).code == 0
    assert not live_of(where, "demographics", "sex")


# Feeds ------------------------------------------------------------------------------------------------------------


def test_feeds_do_not_know_of_each_other(tmp_path: Path) -> None:
    """The same ids in two districts are two people, in two stores and two targets."""
    where = place(tmp_path, "north", "south")
    where.drop(zip_of(DAY_1), feed="north")
    where.drop(zip_of(changed(roster(2), "users", "U1", familyName="South")), feed="south")
    assert invoke(where, "once").code == 0
    assert live_of(where, "users", "familyName", "north")["U1"] == "Family1"
    assert live_of(where, "users", "familyName", "south") == {"U1": "South", "U2": "Family2"}


def test_a_feed_whose_arrays_are_lost_goes_on(tmp_path: Path) -> None:
    """They are derived: without them the next drop is slower, and its plan the same."""
    where, other = place(tmp_path / "a"), place(tmp_path / "b")
    drop = zip_of(added(changed(DAY_1, "users", "U1", familyName="X"), "users", user(99)))
    for one in (where, other):
        once(one, zip_of(DAY_1))
    for path in (where.state / "feeds").rglob("*.npy"):
        path.unlink()
    for one in (where, other):
        assert once(one, drop).code == 0
    assert documents_of(where)[-1]["digest"] == documents_of(other)[-1]["digest"]
    assert target_of(where) == target_of(other)


# A store from a backup --------------------------------------------------------------------------------------------


def test_a_store_from_a_backup_gives_no_number_twice(tmp_path: Path) -> None:
    """Folders of the runs that it has forgotten stay as they are, and the next run has one of its own."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    backup = where.store().read_bytes()
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Second")))
    where.store().write_bytes(backup)
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Third")))
    assert [one["run"] for one in documents_of(where)] == [f"{FEED}.1", f"{FEED}.3"]
    assert {path.name for path in (where.state / "archive" / FEED).glob("*/*")} == {f"{FEED}.{n}" for n in (1, 2, 3)}


def test_a_drop_that_the_store_does_not_know_is_kept(tmp_path: Path) -> None:
    """It was claimed after the backup, so it lies nowhere else: it goes to quarantine."""
    where, drop = place(tmp_path), zip_of(DAY_1)
    once(where, drop)
    unknown = where.state / "runs" / f"{FEED}.7"
    unknown.mkdir()
    (unknown / "roster.zip").write_bytes(drop)
    assert once(where).code == 0
    assert (where.state / "quarantine" / FEED / unknown.name / "roster.zip").read_bytes() == drop
    assert not unknown.exists()


def test_a_claim_that_the_store_had_not_heard_of_is_made_again(tmp_path: Path) -> None:
    """The process was killed when the drop still lay in the inbox: it is taken from there, and once."""
    where, drop = place(tmp_path), zip_of(DAY_1)
    invoke(where, "once")
    unknown = where.state / "runs" / f"{FEED}.1"
    unknown.mkdir()
    (unknown / "roster-0.zip").write_bytes(drop)
    assert once(where, drop).code == 0
    assert [one["run"] for one in documents_of(where)] == [f"{FEED}.1"]
    assert not (where.state / "quarantine").exists()
