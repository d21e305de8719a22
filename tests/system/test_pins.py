"""Pins in a feed: what somebody mended by hand stays as long as it is pinned, and no longer."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import changed, renamed, roster, without, zip_of
from places import FEED, Place, documents_of, invoke, live_of, once, place

HEAD = 'pins = "pins/springfield.csv"\n'
FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
RULES = """
[[table]]
name = "people"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
name = { from = "familyName" }
email = { from = "email" }
"""
DAY_1 = roster(3)


def pin(where: Place, *lines: str) -> Path:
    """Write the feed's pins, each "key,field"."""
    path = where.folder / "pins" / f"{FEED}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["target,key,field", *(f"people,{line}" for line in lines), ""]), encoding="utf-8")
    return path


def mend(where: Place, key: str, email: str) -> None:
    """Change a record in the application by hand."""
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("UPDATE people SET email = ? WHERE id = ?", [email, key])


def emails(where: Place) -> dict[str, str]:
    """Return the e-mail addresses in the application."""
    return live_of(where, "people", "email", key="id")


def people(document: dict[str, Any]) -> dict[str, int]:
    """Return a run's actions on people, those that there are."""
    return {kind: count for kind, count in document["actions"].get("people", {}).items() if count}


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Give a feed without pins that has taken its first day."""
    made = place(tmp_path, head=HEAD, more=FREE, rules=RULES)
    pin(made)
    once(made, zip_of(DAY_1))
    return made


def test_what_is_pinned_stays_and_is_told(where: Place) -> None:
    """A record's change is left out, a field's change is left out of an update that has more; both are counted."""
    mend(where, "U1", "own@x.example")
    mend(where, "U2", "own@x.example")
    pin(where, "U1,", "U2,email")
    day_2 = changed(changed(DAY_1, "users", "U1", email="new@x.example"), "users", "U2", familyName="Fern")
    assert once(where, zip_of(changed(day_2, "users", "U2", email="new@x.example"))).code == 0
    run = documents_of(where)[-1]
    assert (people(run), run["pinned"]) == ({"update": 1}, {"people": 1})
    assert emails(where) == {"U1": "own@x.example", "U2": "own@x.example", "U3": "user3@springfield.example"}
    assert live_of(where, "people", "name", key="id")["U2"] == "Fern"
    assert "Left out for pins\n  people: 1 action" in invoke(where, "show", run["run"]).out


def test_the_change_of_a_pinned_field_is_no_action(where: Place) -> None:
    """Not on the day of the pin, nor on the next, when only what changed is looked at."""
    pin(where, "U1,email")
    for email in ("a@x.example", "b@x.example"):
        once(where, zip_of(changed(DAY_1, "users", "U1", email=email)))
        assert people(documents_of(where)[-1]) == {}
        assert documents_of(where)[-1]["pinned"] == {"people": 1}
    assert emails(where)["U1"] == "user1@springfield.example"


@pytest.mark.parametrize("line", ["U1,", "U1,email"])
def test_unpinning_brings_what_the_roster_says(where: Place, line: str) -> None:
    """Also if the roster never changed meanwhile; the daily plan without a drop does it."""
    now = datetime.now(UTC)
    day = iter(range(9))

    def tick() -> None:
        feed = where.feed()
        feed.tick(now + timedelta(days=next(day)), lambda: False)
        feed.close()

    tick()
    pin(where, line)
    tick()
    mend(where, "U1", "own@x.example")
    tick()
    assert emails(where)["U1"] == "own@x.example"
    pin(where)
    about = invoke(where, "plan", FEED, "--json").json
    assert (about["actions"]["people"]["update"], about["pinned"]) == (1, {})
    tick()
    assert emails(where)["U1"] == "user1@springfield.example"
    assert len(documents_of(where)) == 3, "the first day, the pin, and that it is gone; no day in between"


def test_a_pinned_record_is_not_removed_and_one_with_a_pinned_field_is(where: Place) -> None:
    """When it comes back, the field still has the value that it was pinned for."""
    pin(where, "U1,", "U2,email")
    mend(where, "U2", "own@x.example")
    gone = without(without(DAY_1, "users", "U1", "U2"), "enrollments", "E1", "E2")
    once(where, zip_of(gone))
    assert (people(documents_of(where)[-1]), documents_of(where)[-1]["pinned"]) == ({"remove": 1}, {"people": 1})
    assert set(emails(where)) == {"U1", "U3"}
    once(where, zip_of(changed(DAY_1, "users", "U2", familyName="Fern")))
    assert emails(where)["U2"] == "own@x.example"
    assert live_of(where, "people", "name", key="id")["U2"] == "Fern"


def test_pins_go_with_a_record_whose_id_changes(where: Place, tmp_path: Path) -> None:
    """Once and again, in the run that changes the ids and in all that follow; their file names the key of old."""
    for key in ("U1", "U2"):
        mend(where, key, "own@x.example")
    pin(where, "U1,", "U2,email")
    once(where, zip_of(DAY_1))
    before = DAY_1
    for prefix in ("N-", "M-"):
        day = renamed(before, prefix)
        ids = zip(*([one["sourcedId"] for one in roster["users"]] for roster in (before, day)), strict=True)
        (tmp_path / "ids.csv").write_text("\n".join(["old,new", *(f"{old},{new}" for old, new in ids)]))
        assert invoke(where, "rekey", FEED, tmp_path / "ids.csv").code == 0
        first, second, third = (one["sourcedId"] for one in day["users"])
        before = changed(day, "users", first, email="new@x.example", familyName=prefix)
        before = changed(before, "users", second, email="new@x.example", familyName=prefix)
        assert once(where, zip_of(before)).code == 0
        assert emails(where) == {first: "own@x.example", second: "own@x.example", third: "user3@springfield.example"}
        assert live_of(where, "people", "name", key="id") == {first: "Family1", second: prefix, third: "Family3"}


def test_the_guard_counts_updates_beside_pins_too(where: Place) -> None:
    """A change of rules that updates everybody is a breach, in however many groups the updates are."""
    pin(where, *(f"U{number},email" for number in (1, 2)))
    limits = '\n[limits]\nupdate = "50%"\nminimum = 1\n'
    place(where.folder, head=HEAD, more=limits, rules=RULES.replace("familyName", "givenName"))
    about = invoke(where, "plan", FEED, "--json").json
    assert about["actions"]["people"]["update"] == 3
    assert [one["count"] for one in about["breaches"]] == [3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"target,key,field\npeople,U1,mail\n", "line 2: field 'mail' is not one of id, name, email; did you mean "),
        (b"target,key,field\n\xff\n", "line 2: is not UTF-8; save the file as UTF-8"),
        (None, "cannot be read (No such file or directory); correct `pins` of the feed"),
    ],
)
def test_config_check_tells_what_is_wrong_with_pins(where: Place, text: bytes | None, fault: str) -> None:
    """With the file, its line and what to do; the feed is not opened."""
    path = pin(where)
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    assert f"{path}: {fault}" in invoke(where, "config", "check").err
    assert invoke(where, "config", "check").code == invoke(where, "plan", FEED).code == 2


def test_a_spreadsheet_may_have_saved_the_pins(where: Place) -> None:
    """A byte order mark and line ends of Windows are no fault."""
    pin(where).write_bytes(b"\xef\xbb\xbftarget,key,field\r\npeople,U1,\r\n")
    assert invoke(where, "config", "check").code == 0
    once(where, zip_of(changed(DAY_1, "users", "U1", email="new@x.example")))
    assert documents_of(where)[-1]["pinned"] == {"people": 1}
