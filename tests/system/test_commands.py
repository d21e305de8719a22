"""The commands that plan and apply, as their users type them: exit codes, and the fixed names of the JSON."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from builders import added, bad_line, changed, user, without, zip_of
from commands_world import (
    DAY_1,
    GONE,
    USERS,
    WIPED,
    break_sink,
    day_1,
    digest_of,
    file_of,
    held,
    held_day,
    mend_sink,
    unchanged,
    where,
)
from places import (
    FEED,
    Place,
    documents_of,
    invoke,
    live_of,
    once,
    snapshot_of,
    stamped_target_of,
    states_of,
    write_rules,
)

__all__ = ["day_1", "held", "held_day", "where"]

# plan -------------------------------------------------------------------------------------------------------------


def test_plan_says_what_would_happen_and_changes_nothing(where: Place) -> None:
    """The fixed names, exit 0, and not a byte of store, target or folders is another."""
    zip_path = file_of(where, zip_of(added(changed(DAY_1, "users", "U1", familyName="X"), "users", user(99))))
    with unchanged(where):
        done = invoke(where, "plan", FEED, zip_path, "--json")
    found = done.json
    assert done.code == 0
    assert found.keys() >= {"run", "feed", "state", "digest", "changeset", "breaches", "actions", "held_back"}
    assert found["changeset"]["users"] == {"created": 1, "updated": 1, "deleted": 0, "unchanged": USERS - 1}
    assert found["actions"]["users"] == {"create": 1, "update": 1, "remove": 0}
    assert re.fullmatch("[0-9a-f]{64}", found["digest"])


@pytest.mark.parametrize(
    ("content", "code", "state"),
    [(zip_of(WIPED), 3, "held"), (b"no zip", 1, "rejected"), (bad_line(DAY_1, "U1", ","), 1, "planned")],
)
def test_plan_exits_as_the_run_would(where: Place, content: bytes, code: int, state: str) -> None:
    """3 for a breach, 1 for a rejection or a record held back; nothing is changed either way."""
    zip_path = file_of(where, content)
    with unchanged(where):
        done = invoke(where, "plan", FEED, zip_path, "--json")
    assert (done.code, done.json["state"]) == (code, state)


def test_plan_without_a_zip_shows_the_held_run(held: Place) -> None:
    """It is the plan that the report shows, with the digest to release it by."""
    with unchanged(held):
        found = invoke(held, "plan", FEED, "--json").json
    assert (found["run"], found["state"], found["digest"]) == (f"{FEED}.2", "held", digest_of(held))
    assert {one["table"] for one in found["breaches"]} == {"users", "enrollments", "patrons"} - {"patrons"}


def test_plan_without_a_zip_or_a_held_run_plans_anew(where: Place) -> None:
    """Nothing changed since, so there is nothing to do."""
    found = invoke(where, "plan", FEED, "--json").json
    assert (found["run"], found["actions"]) == (None, {})


def test_plan_is_what_apply_does(where: Place) -> None:
    """The digest that `plan` prints is the digest of the run that `apply` makes of the same zip."""
    zip_path = file_of(where, zip_of(changed(DAY_1, "users", "U1", familyName="X")))
    planned = invoke(where, "plan", FEED, zip_path, "--json").json
    applied = invoke(where, "apply", FEED, zip_path, "--json").json
    assert (applied["digest"], applied["actions"]) == (planned["digest"], planned["actions"])


# apply, release, discard ------------------------------------------------------------------------------------------


def test_apply_runs_a_zip_that_stays_where_it_is(where: Place) -> None:
    """Exit 0, the run's document as JSON, the target changed, the admin's file untouched."""
    zip_path = file_of(where, zip_of(changed(DAY_1, "users", "U1", familyName="X")))
    done = invoke(where, "apply", FEED, zip_path, "--json")
    assert (done.code, done.json["state"], done.json["drop"]) == (0, "applied", "given.zip")
    assert live_of(where, "users", "familyName")["U1"] == "X"
    assert zip_path.exists()


def test_apply_with_the_digest_consents_to_the_breaches(where: Place) -> None:
    """Who names the plan has looked at it."""
    zip_path = file_of(where, zip_of(WIPED))
    digest = invoke(where, "plan", FEED, zip_path, "--json").json["digest"]
    assert invoke(where, "apply", FEED, zip_path, "--plan", digest[:12]).code == 0
    assert not set(GONE) & live_of(where, "users", "username").keys()


def test_apply_with_another_digest_applies_nothing(where: Place) -> None:
    """Exit 3, and the run waits with the plan that it would be."""
    zip_path = file_of(where, zip_of(changed(DAY_1, "users", "U1", familyName="X")))
    before = stamped_target_of(where), snapshot_of(where)
    done = invoke(where, "apply", FEED, zip_path, "--plan", "0" * 64)
    assert done.code == 3
    assert digest_of(where) in done.err
    assert (stamped_target_of(where), snapshot_of(where)) == before
    assert states_of(where)[-1] == "held"


def test_release_by_digest_applies_what_was_looked_at(held: Place) -> None:
    """After it the target is as the plan said, and the run's digest is the one that was given."""
    planned = invoke(held, "plan", FEED, "--json").json
    done = invoke(held, "release", f"{FEED}.2", "--plan", planned["digest"], "--json")
    assert (done.code, done.json["state"]) == (0, "applied")
    assert (done.json["digest"], done.json["actions"]) == (planned["digest"], planned["actions"])
    assert len(live_of(held, "users", "username")) == USERS - len(GONE)
    assert (held.state / "archive").exists()


def test_release_is_refused_when_the_world_has_moved(held: Place) -> None:
    """With other rules it would be another plan: nothing is applied, and there is a new one to look at."""
    digest = digest_of(held)
    default = Path("config/rules/default.toml")
    text = (Path(__file__).parents[2] / default).read_text(encoding="utf-8")
    write_rules(held, text.replace("{familyName}, {givenName}", "{givenName} {familyName}"), "default")
    before = stamped_target_of(held), snapshot_of(held)
    done = invoke(held, "release", f"{FEED}.2", "--plan", digest)
    assert done.code == 3
    assert digest_of(held) != digest
    assert digest_of(held) in done.err
    assert (stamped_target_of(held), snapshot_of(held)) == before
    assert invoke(held, "release", f"{FEED}.2", "--plan", digest_of(held)).code == 0


def test_discard_applies_nothing_and_frees_the_feed(held: Place) -> None:
    """The zip goes to the archive, the next drop is compared with what was there before."""
    before = stamped_target_of(held), snapshot_of(held)
    done = invoke(held, "discard", f"{FEED}.2", "--json")
    assert (done.code, done.json["state"]) == (0, "discarded")
    assert (stamped_target_of(held), snapshot_of(held)) == before
    assert list((held.state / "archive" / FEED).glob(f"*/{FEED}.2/roster-0.zip"))
    assert once(held, zip_of(changed(DAY_1, "users", "U1", familyName="X"))).code == 0


def test_a_newer_drop_supersedes_a_held_one(held: Place) -> None:
    """Nobody can release yesterday's roster over today's."""
    digest = digest_of(held)
    assert once(held, zip_of(changed(DAY_1, "users", "U1", familyName="X"))).code == 0
    assert states_of(held) == ["applied", "superseded", "applied"]
    done = invoke(held, "release", f"{FEED}.2", "--plan", digest)
    assert done.code == 2
    assert "superseded" in done.err


def test_a_rejected_drop_does_not_supersede_a_held_one(held: Place) -> None:
    """What is not a roster takes no roster's place."""
    assert once(held, b"no zip").code == 1
    assert states_of(held) == ["applied", "held", "rejected"]
    assert invoke(held, "release", f"{FEED}.2", "--plan", digest_of_run(held, 2)).code == 0


def digest_of_run(where: Place, number: int) -> str:
    """Return the digest of a run's plan."""
    return str(documents_of(where)[number - 1]["digest"])


# once, and the world that fails -----------------------------------------------------------------------------------


def test_once_with_nothing_to_do_exits_with_0(where: Place) -> None:
    """An empty list of runs."""
    done = invoke(where, "once", "--json")
    assert (done.code, done.json) == (0, [])


def test_once_gives_the_gravest_code_of_its_runs(where: Place) -> None:
    """A rejection outweighs a run that is held, whichever came first."""
    done = once(where, b"no zip", zip_of(WIPED))
    assert (done.code, {one["state"] for one in done.json}) == (1, {"rejected", "held"})


def test_a_sink_that_cannot_write_fails_the_run_and_the_next_once_mends_it(where: Place) -> None:
    """Exit 4, the snapshot unmoved, the drop kept with its run; once the sink is back nothing is missing."""
    before = snapshot_of(where)
    break_sink(where)
    done = once(where, zip_of(changed(DAY_1, "users", "U1", familyName="X")))
    assert (done.code, done.json[0]["state"]) == (4, "failed")
    assert snapshot_of(where) == before
    assert invoke(where, "once", "--json").code == 4
    mend_sink(where)
    done = invoke(where, "once", "--json")
    assert (done.code, [one["state"] for one in done.json]) == (0, ["applied"])
    assert live_of(where, "users", "familyName")["U1"] == "X"
    assert states_of(where) == ["applied", "applied"]


def test_a_held_run_that_nobody_was_told_of_is_told_at_the_next_start(held: Place) -> None:
    """A kill between the run's state and its report costs the report nothing but time."""
    report = held.state / "runs" / f"{FEED}.2" / "report.html"
    report.unlink()
    assert invoke(held, "once").code == 3
    assert report.exists()
    assert states_of(held) == ["applied", "held"]


def test_consent_outlives_a_sink_that_fails(held: Place) -> None:
    """What was released and could not be applied is applied by the next `once`; nobody is asked again."""
    break_sink(held)
    assert invoke(held, "release", f"{FEED}.2", "--plan", digest_of(held)).code == 4
    mend_sink(held)
    assert (invoke(held, "once", "--json").code, states_of(held)) == (0, ["applied", "applied"])
    assert not set(GONE) & live_of(held, "users", "username").keys()


def test_consent_is_for_one_plan_alone(held: Place) -> None:
    """If the rules change between the fault and the next try, it is another plan, and it is held."""
    break_sink(held)
    assert invoke(held, "release", f"{FEED}.2", "--plan", digest_of(held)).code == 4
    mend_sink(held)
    text = (Path(__file__).parents[2] / "config/rules/default.toml").read_text(encoding="utf-8")
    write_rules(held, text.replace("{familyName}, {givenName}", "{givenName} {familyName}"), "default")
    before = stamped_target_of(held)
    assert (invoke(held, "once", "--json").code, states_of(held)) == (3, ["applied", "held"])
    assert stamped_target_of(held) == before


def test_a_sink_that_fails_half_way_has_done_nothing(where: Place) -> None:
    """The plan's creations come before its removals, and one of these fails: all are rolled back."""
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("CREATE TRIGGER no BEFORE UPDATE ON patrons BEGIN SELECT raise(ABORT, 'no'); END")
    before = stamped_target_of(where), snapshot_of(where)
    after = added(without(without(DAY_1, "enrollments", "E1"), "users", "U1"), "users", user(99))
    assert once(where, zip_of(after)).code == 4
    assert (stamped_target_of(where), snapshot_of(where)) == before
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("DROP TRIGGER no")
    assert invoke(where, "once").code == 0
    assert live_of(where, "users", "username").keys() == {f"U{n}" for n in range(2, USERS + 1)} | {"U99"}
