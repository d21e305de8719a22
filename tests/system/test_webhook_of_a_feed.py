"""A feed whose target is a webhook, from drop to application: dead letters, and what a receiver that is away costs."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import added, changed, roster, user, without, zip_of
from places import FEED, Place, documents_of, invoke, once, place, rows_of, states_of
from receiver import SECRET, Fault, Receiver, receiving

from ingestd.errors import StoppingError
from ingestd.sinks.webhook import WebhookSink, World

SINK = """
[[sinks]]
kind = "webhook"
url = "{url}"
secret = "file:hook"
path = "hook.db"
batch = 2
max_retry = "0.01s"

[limits]
update = "100%"
delete = "100%"
per_org_delete = "100%"
"""
DAY_1 = roster(4)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run an application, whose feed is alone with it."""
    with receiving() as found:
        found.is_strict = True
        yield found
        assert found.odd == []
        assert set(found.effects.values()) <= {1}


@pytest.fixture
def where(receiver: Receiver, tmp_path: Path) -> Place:
    """Return the place of a feed with that application."""
    made = place(tmp_path / "place", more=SINK.replace("{url}", receiver.url))
    made.state.mkdir(parents=True, exist_ok=True)
    (made.state / "hook").write_text(SECRET)
    return made


def beside(where: Place) -> None:
    """Give the feed a database, too."""
    feed = where.folder / "feeds" / f"{FEED}.toml"
    feed.write_text(feed.read_text().replace("[limits]", '[[sinks]]\nkind = "sqlite"\npath = "roster.db"\n\n[limits]'))


def active(receiver: Receiver, column: str = "familyName", of: str = "users") -> dict[str, str]:
    """Return a field of the records of a table that are active in the application, by id."""
    return {key[0]: str(one[column]) for key, one in receiver.tables.get(of, {}).items() if one["_active"]}


def last(where: Place) -> dict[str, Any]:
    """Return the document of the newest run."""
    return documents_of(where)[-1]


def test_a_drop_becomes_records_of_the_application(where: Place, receiver: Receiver) -> None:
    """Created, changed and removed, with nothing sent that is there already."""
    assert once(where, zip_of(DAY_1)).code == 0
    assert active(receiver) == {f"U{n}": f"Family{n}" for n in range(1, 5)}
    sent = len(receiver.requests)
    tonight = changed(without(without(DAY_1, "users", "U3"), "enrollments", "E3"), "users", "U1", familyName="New")
    assert once(where, zip_of(tonight)).code == 0
    assert active(receiver) == {"U1": "New", "U2": "Family2", "U4": "Family4"}
    assert {one["kind"] for _, one in receiver.requests[sent:]} == {"update", "remove"}
    assert {one["feed"] for _, one in receiver.requests} == {FEED}


def test_a_dead_letter_is_seen_and_tried_again(where: Place, receiver: Receiver) -> None:
    """`show` tells why, `retry` plans what is left, and when it is done there is nothing left to do."""
    receiver.refuses["users", ("U2",)] = "no-seat"
    assert once(where, zip_of(DAY_1)).code == 4
    shown = invoke(where, "show", f"{FEED}.1", "--json").json
    failed = [one for one in shown["outcomes"] if one["failed"]]
    assert [(one["target"], one["kind"], list(one["failed"].values())) for one in failed] == [
        ("users", "create", ["no-seat"])
    ]
    for_people = invoke(where, "show", f"{FEED}.1").out
    assert "no-seat" in for_people and f"ingestd retry {FEED}.1" in for_people
    assert set(active(receiver)) == {"U1", "U3", "U4"}
    assert invoke(where, "retry", f"{FEED}.1").code == 4, "it fails once more"
    receiver.refuses.clear()
    again = invoke(where, "retry", f"{FEED}.1", "--json")
    assert (again.code, again.json["actions"]) == (0, {"users": {"create": 1, "update": 0, "remove": 0}})
    assert set(active(receiver)) == {"U1", "U2", "U3", "U4"}
    assert "Nothing is left to do" in invoke(where, "retry", f"{FEED}.1").out
    assert json.loads(invoke(where, "retry", f"{FEED}.1", "--json").out) is None


def test_a_pin_drops_a_dead_letter(where: Place, receiver: Receiver) -> None:
    """What the application will never take is left alone from then on."""
    receiver.refuses["users", ("U2",)] = "no-seat"
    once(where, zip_of(DAY_1))
    (where.folder / "pins.csv").write_text("target,key,field\nusers,U2,\n")
    feed = where.folder / "feeds" / f"{FEED}.toml"
    feed.write_text('pins = "pins.csv"\n' + feed.read_text())
    assert invoke(where, "retry", f"{FEED}.1").code == 0
    assert set(active(receiver)) == {"U1", "U3", "U4"}


def test_a_receiver_that_is_away_loses_nothing(where: Place, receiver: Receiver) -> None:
    """The run has failed, and goes on when it is tried again."""
    receiver.faults.extend([Fault(503)] * 9)
    assert once(where, zip_of(DAY_1)).code == 4
    assert (states_of(where), active(receiver)) == (["failed"], {})
    assert "it answered 503" in last(where)["error"]
    receiver.faults.clear()
    assert invoke(where, "retry", f"{FEED}.1").code == 0
    assert (states_of(where), len(active(receiver))) == (["applied"], 4)


def seen_minute_by_minute(where: Place, receiver: Receiver, fault: Fault) -> list[tuple[int, list[str]]]:
    """Take a drop while the receiver is away, which is back after nine minutes: when is what done, without a drop?"""
    now = datetime.fromisoformat("2026-11-26T02:00:00+00:00")

    def seconds() -> float:
        return now.timestamp()

    receiver.faults.extend([fault] * 99)
    with closing(where.feed(clock=lambda: now)) as feed:
        settings = {one.key: one.settings for one in feed.settings.sinks}["webhook"]
        world, rules = World(seconds, seconds, lambda _seconds: None), feed.runs.policy.rules
        feed.runs.sinks.put("webhook", WebhookSink.from_settings(settings, where.state, rules, world))
        feed.tick(now, lambda: False)  # today's
        feed.take_file(where.drop(zip_of(DAY_1)))
        seen = []
        for minute in range(40):
            if minute == 9:
                receiver.faults.clear()
            now = datetime.fromisoformat(f"2026-11-26T02:{minute:02}:00+00:00")
            if feed.is_due(now):
                feed.tick(now, lambda: False)
                seen.append((minute, states_of(where)))
    return seen


def test_a_receiver_that_is_away_is_met_when_it_is_back(where: Place, receiver: Receiver) -> None:
    """The daemon comes again in a minute, in two, and so on, before the next day's tick."""
    seen = seen_minute_by_minute(where, receiver, Fault(503))
    assert seen == [(1, ["failed"]), (3, ["failed"]), (7, ["failed"]), (15, ["applied"])]
    assert len(active(receiver)) == 4
    assert not {"retry_at", "tries"} & set(last(where))


def test_a_receiver_beside_another_sink_is_met_when_it_is_back(where: Place, receiver: Receiver) -> None:
    """What it lacks is planned anew each time; once it has all of it, there is nothing left to do."""
    beside(where)
    seen = seen_minute_by_minute(where, receiver, Fault(429))
    assert [minute for minute, _ in seen] == [1, 3, 7, 15]
    assert seen[-1][1] == ["applied"] * 5
    assert len(active(receiver)) == 4
    assert last(where)["sinks"]["webhook"]["error"] is None


def test_a_receiver_that_refuses_us_waits_for_somebody(where: Place, receiver: Receiver) -> None:
    """To ask again and again would change nothing; the day's tick and `retry` do."""
    receiver.faults.append(Fault(401))
    now = datetime.fromisoformat("2026-11-26T02:00:00+00:00")
    with closing(where.feed(clock=lambda: now)) as feed:
        feed.tick(now, lambda: False)
        feed.take_file(where.drop(zip_of(DAY_1)))
        assert (states_of(where), last(where)["retry_at"]) == (["failed"], None)
        assert not feed.is_due(now + timedelta(hours=20))
        feed.tick(now + timedelta(days=1), lambda: False)
    assert states_of(where) == ["applied"]


@pytest.mark.parametrize("fault", [None, Fault(503)], ids=["between two batches", "before a pause"])
def test_a_stop_leaves_a_plan_where_it_is(where: Place, receiver: Receiver, fault: Fault | None) -> None:
    """The daemon need not wait until all is sent; the next start goes on from there, and nothing is sent twice."""
    receiver.faults.extend([fault] * 9 if fault else [])
    with closing(where.feed()) as opened, pytest.raises(StoppingError):
        opened.take_file(where.drop(zip_of(DAY_1)), lambda: len(receiver.requests) > 0)
    assert (len(receiver.requests), states_of(where)) == (1, ["applying"])
    receiver.faults.clear()
    assert once(where).code == 0
    assert states_of(where)[0] == "applied"
    assert len(active(receiver)) == 4


def test_a_plan_that_is_half_done_is_made_whole_before_the_next(where: Place, receiver: Receiver) -> None:
    """Else the next would be made of what was before, and would not take back what is done: here, a new name."""
    once(where, zip_of(DAY_1))
    renamed = changed(added(DAY_1, "users", user(9)), "users", "U1", familyName="Wrong")
    receiver.faults.extend([Fault(200, does=True), *[Fault(500, does=True)] * 9])
    assert once(where, zip_of(renamed)).code == 4
    assert last(where)["partly_done"]
    assert "is, or may be" in invoke(where, "show", f"{FEED}.2").out
    receiver.faults.extend([Fault(401)] * 9)
    once(where, zip_of(DAY_1))
    assert states_of(where) == ["applied", "failed", "received"], "the newer drop waits"
    receiver.faults.clear()
    assert once(where).code == 0
    assert states_of(where) == ["applied", "applied", "applied"]
    assert not any("partly_done" in one for one in documents_of(where))
    assert active(receiver) == {f"U{n}": f"Family{n}" for n in range(1, 5)}


def test_a_plan_that_is_half_done_is_not_changed_for_another(where: Place, receiver: Receiver) -> None:
    """What of it was done and the other does not have, nobody would own; put back, it is made whole."""
    receiver.faults.extend([Fault(200, does=True), *[Fault(500)] * 9])
    assert once(where, zip_of(DAY_1)).code == 4
    receiver.faults.clear()
    sent = len(receiver.requests)
    (where.folder / "pins.csv").write_text("target,key,field\nusers,U2,\n")
    feed = where.folder / "feeds" / f"{FEED}.toml"
    as_it_was = feed.read_text()
    feed.write_text('pins = "pins.csv"\n' + as_it_was)
    assert invoke(where, "retry", f"{FEED}.1").code == 4
    assert "put rules, pins and scope back" in last(where)["error"]
    assert (len(receiver.requests), states_of(where), last(where)["partly_done"]) == (sent, ["failed"], True)
    feed.write_text(as_it_was)
    assert invoke(where, "retry", f"{FEED}.1").code == 0
    assert set(active(receiver)) == {"U1", "U2", "U3", "U4"}


def test_a_plan_that_is_half_done_is_still_that_of_its_day(where: Place, receiver: Receiver) -> None:
    """A class whose window ends in between is brought first, and taken back by the plan of the next day."""
    feed = where.folder / "feeds" / f"{FEED}.toml"
    feed.write_text(feed.read_text() + "\n[scope]\nclass_archive_after_days = 14\n")
    days = [datetime.fromisoformat(f"2026-06-{day}T12:00:00+00:00") for day in (26, 27)]
    assert DAY_1["academicSessions"][0]["endDate"] == "2026-06-12"
    receiver.faults.extend([Fault(200, does=True), Fault(401)])
    for day in days:
        with closing(where.feed(clock=lambda day=day: day)) as opened:  # type: ignore[misc]
            run = opened.retry(f"{FEED}.1") if states_of(where) else opened.take_file(where.drop(zip_of(DAY_1)))
    assert run is not None
    assert (run.state, run.document["day"]) == ("applied", "2026-06-26")
    assert active(receiver, of="classes", column="title")
    with closing(where.feed(clock=lambda: days[1])) as opened:
        planned = opened.replan()
    assert planned is not None
    assert planned.document["actions"]["classes"] == {"create": 0, "update": 0, "remove": 2}


def test_a_plan_that_is_half_done_holds_its_run_whatever_other_sinks_did(where: Place, receiver: Receiver) -> None:
    """It is made whole before anything newer, and the other sink, which did all of it, does none of it twice."""
    beside(where)
    receiver.faults.extend([Fault(200, does=True), *[Fault(500, does=True)] * 9])
    assert once(where, zip_of(DAY_1)).code == 4
    assert (states_of(where), last(where)["partly_done"]) == (["failed"], True)
    receiver.faults.clear()
    assert once(where, zip_of(without(DAY_1, "enrollments", "E3"))).code == 0
    assert states_of(where) == ["applied", "applied"]
    written = rows_of(where.state / "roster.db", "SELECT sourcedId, _run FROM users ORDER BY sourcedId")
    assert written == [(f"U{n}", f"{FEED}.1") for n in range(1, 5)]
    assert len(active(receiver)) == 4


def test_a_dead_letter_is_seen_beside_another_sink_that_took_all(where: Place, receiver: Receiver) -> None:
    """What is told first is what failed, and the code says so; of the other sink all is done."""
    beside(where)
    receiver.refuses["users", ("U2",)] = "no-seat"
    assert once(where, zip_of(DAY_1)).code == 4
    told = invoke(where, "show", f"{FEED}.1").out
    assert "users: 1 action: no-seat" in told and f"ingestd retry {FEED}.1" in told
    failed = {name: sum(len(each["failed"]) for each in one["outcomes"]) for name, one in last(where)["sinks"].items()}
    assert failed == {"webhook": 1, "sqlite": 0}


def test_a_sink_that_is_down_beside_another_is_told_of_first(where: Place, receiver: Receiver) -> None:
    """The run is applied, and says where it was not and what to do about it."""
    beside(where)
    receiver.faults.extend([Fault(401)])
    assert once(where, zip_of(DAY_1)).code == 4
    told = " ".join(invoke(where, "show", f"{FEED}.1").out.split())
    assert "Nothing was done in the sink webhook: the webhook sink takes nothing: it answered 401" in told
    assert invoke(where, "retry", f"{FEED}.1").code == 0
    assert len(active(receiver)) == 4


def test_a_plan_of_which_nothing_was_done_gives_way(where: Place, receiver: Receiver) -> None:
    """A newer set takes its place, as always."""
    receiver.faults.extend([Fault(401)])
    once(where, zip_of(DAY_1))
    assert once(where, zip_of(changed(DAY_1, "users", "U1", familyName="New"))).code == 0
    assert states_of(where) == ["superseded", "applied"]


def test_no_value_is_logged_or_kept_outside_the_store(where: Place, receiver: Receiver) -> None:
    """Not of a record, not of an answer, not the secret; whatever the receiver says."""
    receiver.faults.extend([Fault(422, body=b"Family1 is odd"), Fault(500, body=b"Family2 is odd")])
    told = once(where, zip_of(DAY_1))
    told_again = invoke(where, "retry", f"{FEED}.1")
    said = told.out + told.err + told_again.out + told_again.err + json.dumps(documents_of(where))
    assert not any(word in said for word in ("Family1", "Family2", "is odd", SECRET))
