"""What went wrong is put right: a sink that others changed, and a run that should not have been."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders import added, changed, roster, user, without, zip_of
from places import (
    FEED,
    Place,
    breaches_of,
    documents_of,
    invoke,
    live_of,
    once,
    place,
    snapshot_of,
    states_of,
    target_of,
)

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
DAY_1 = roster(4)
DAY_2 = changed(
    added(without(without(DAY_1, "enrollments", "E4"), "users", "U4"), "users", user(5)), "users", "U1", grades="10"
)


def alter(where: Place, *statements: str) -> None:
    """Change the application behind the back of ingestd."""
    with closing(sqlite3.connect(where.target())) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def release(where: Place, document: Mapping[str, Any]) -> None:
    """Consent to a run as it was looked at."""
    assert invoke(where, "release", document["run"], "--plan", document["digest"]).code == 0


# Drift ------------------------------------------------------------------------------------------------------------


def test_a_sink_that_is_as_it_should_be_has_nothing_to_repair(tmp_path: Path) -> None:
    """No run waits, and the code is that of success."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    done = invoke(where, "reconcile", FEED, "sqlite")
    assert (done.code, done.out) == (0, "sqlite has all that it should have, as it should be.\n")


def test_what_others_changed_is_planned_and_waits_for_consent(tmp_path: Path) -> None:
    """A changed field, a missing record, one switched off, one that is back; strangers are let be."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    once(where, zip_of(DAY_2))
    as_it_was = target_of(where)
    alter(
        where,
        "UPDATE users SET grades = '12' WHERE sourcedId = 'U1'",
        "DELETE FROM users WHERE sourcedId = 'U2'",
        "UPDATE users SET _active = 0 WHERE sourcedId = 'U3'",
        "UPDATE users SET _active = 1 WHERE sourcedId = 'U4'",
        "INSERT INTO users (sourcedId, _run, _changed_at) VALUES ('OTHER', 'x', 'x')",
    )
    held = invoke(where, "reconcile", FEED, "sqlite", "--json")
    assert held.code == 3
    assert held.json["actions"] == {"users": {"create": 1, "update": 2, "remove": 1}}
    assert breaches_of(held.json) == {("drift", "users")}
    release(where, held.json)
    alter(where, "DELETE FROM users WHERE sourcedId = 'OTHER'")
    assert target_of(where) == as_it_was
    assert invoke(where, "reconcile", FEED, "sqlite").code == 0


def test_a_target_table_that_is_gone_is_made_again(tmp_path: Path) -> None:
    """All of it is to create."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    alter(where, "DROP TABLE users")
    held = invoke(where, "reconcile", FEED, "sqlite", "--json").json
    assert held["actions"] == {"users": {"create": 4, "update": 0, "remove": 0}}
    release(where, held)
    assert set(live_of(where, "users", "role")) == {"U1", "U2", "U3", "U4"}


def test_a_sink_that_is_gone_is_not_begun_with_what_changed_today(tmp_path: Path) -> None:
    """The run fails and says what to do; reconcile fills the sink anew, and then all goes on."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    where.target().unlink()
    assert once(where, zip_of(DAY_2)).code == 4
    assert "ingestd reconcile springfield sqlite" in documents_of(where)[-1]["error"]
    assert not where.target().exists()
    release(where, invoke(where, "reconcile", FEED, "sqlite", "--json").json)
    assert set(live_of(where, "users", "role")) == {"U1", "U2", "U3", "U4"}
    once(where, zip_of(changed(DAY_2, "users", "U2", grades="11")))
    assert live_of(where, "users", "grades") == {"U1": "10", "U2": "11", "U3": "09", "U5": "09"}


def test_an_unknown_sink_is_told_with_those_there_are(tmp_path: Path) -> None:
    """It is a mistake of use."""
    where = place(tmp_path, more=FREE)
    done = invoke(where, "reconcile", FEED, "postgres")
    assert done.code == 2
    assert "feed springfield has no sink postgres; it has sqlite" in done.err


# Undo -------------------------------------------------------------------------------------------------------------


def test_an_undone_run_leaves_all_as_it_was_before(tmp_path: Path) -> None:
    """In the application and in the snapshot; it waits for consent, and is a run like any other."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    before = live_of(where, "users", "grades"), live_of(where, "enrollments", "role"), roster_of(where)
    once(where, zip_of(DAY_2))
    held = invoke(where, "undo", f"{FEED}.2", "--json")
    assert held.code == 3
    assert held.json["actions"]["users"] == {"create": 1, "update": 1, "remove": 1}
    assert {code for code, _ in breaches_of(held.json)} == {"undo"}
    release(where, held.json)
    assert (live_of(where, "users", "grades"), live_of(where, "enrollments", "role"), roster_of(where)) == before
    assert states_of(where) == ["applied", "applied", "applied"]


def roster_of(where: Place) -> dict[str, Any]:
    """Return the live records of the snapshot."""
    return {name: rows for name, rows in snapshot_of(where).items() if not name.startswith("owned_")}


def test_what_a_later_run_changed_once_more_is_let_be(tmp_path: Path) -> None:
    """The later word counts, and the run tells of how many records that is so."""
    where = place(tmp_path, more=FREE)
    for day in (DAY_1, DAY_2, changed(without(DAY_2, "users", "U5"), "users", "U1", grades="11")):
        once(where, zip_of(day))
    held = invoke(where, "undo", f"{FEED}.2", "--json").json
    assert held["let_be"] == {"users": 2}
    release(where, held)
    assert live_of(where, "users", "grades") == {"U1": "11", "U2": "09", "U3": "09", "U4": "09"}


def test_the_next_drop_brings_back_what_the_source_still_says(tmp_path: Path) -> None:
    """An undone run is not remembered against the roster."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    once(where, zip_of(DAY_2))
    release(where, invoke(where, "undo", f"{FEED}.2", "--json").json)
    once(where, zip_of(changed(DAY_2, "users", "U2", grades="11")))
    assert live_of(where, "users", "grades") == {"U1": "10", "U2": "11", "U3": "09", "U5": "09"}


@pytest.mark.parametrize(("run", "words"), [("springfield.9", "there is no run"), ("springfield.2", "is duplicate")])
def test_only_what_was_applied_can_be_undone(tmp_path: Path, run: str, words: str) -> None:
    """Anything else is a mistake of use."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    once(where, zip_of(DAY_1))
    done = invoke(where, "undo", run)
    assert done.code == 2
    assert words in done.err


def test_a_run_of_which_nothing_stands_is_not_undone(tmp_path: Path) -> None:
    """It says so and leaves no run that waits."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(DAY_1))
    once(where, zip_of(changed(DAY_1, "users", "U1", grades="10")))
    once(where, zip_of(DAY_1))
    done = invoke(where, "undo", f"{FEED}.2")
    assert (done.code, "nothing to undo" in done.out) == (0, True)
    assert "held" not in states_of(where)
    assert documents_of(where)
