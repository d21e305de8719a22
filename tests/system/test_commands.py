"""The commands as their users type them: exit codes, the fixed names of the JSON, and what is told of a mistake."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders import added, bad_line, changed, roster, user, without, zip_of
from places import (
    FEED,
    Place,
    documents_of,
    invoke,
    live_of,
    once,
    place,
    run_ingestd,
    snapshot_of,
    stamped_target_of,
    states_of,
    write_rules,
)

USERS = 30
DAY_1 = roster(USERS)
GONE = tuple(f"U{number}" for number in range(1, 13))
WIPED = without(without(DAY_1, "enrollments", *(f"E{number}" for number in range(1, 13))), "users", *GONE)
"""Day 1 without forty per cent of the users: held."""

CHANGES = {"created", "updated", "deleted", "unchanged"}
ACTIONS = {"create", "update", "remove"}
LISTED = {"run", "feed", "drop", "sha256", "state", "received_at", "digest", "changeset", "actions", "findings"}
SEVERITIES = {"catastrophic", "error", "warning", "info"}


@pytest.fixture(scope="module")
def day_1(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place in which the first day's drop was applied. Copy it."""
    where = place(tmp_path_factory.mktemp("day-1") / "place")
    assert once(where, zip_of(DAY_1)).code == 0
    return where


@pytest.fixture(scope="module")
def held_day(day_1: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a held run. Copy it."""
    where = day_1.copy_to(tmp_path_factory.mktemp("held-day") / "place")
    assert once(where, zip_of(WIPED)).code == 3
    return where


@pytest.fixture
def where(day_1: Place, tmp_path: Path) -> Place:
    """Return a copy of the place after the first day."""
    return day_1.copy_to(tmp_path / "place")


@pytest.fixture
def held(held_day: Place, tmp_path: Path) -> Place:
    """Return a copy of the place with a held run."""
    return held_day.copy_to(tmp_path / "place")


def file_of(where: Place, content: bytes, name: str = "given.zip") -> Path:
    """Put a zip somewhere that is no inbox."""
    path = where.folder / name
    path.write_bytes(content)
    return path


def digest_of(where: Place) -> str:
    """Return the digest of the newest run's plan."""
    return str(documents_of(where)[-1]["digest"])


@contextmanager
def unchanged(where: Place) -> Iterator[None]:
    """Check that the block changes nothing below the state folder but what is derived."""
    before = hashes(where)
    yield
    assert hashes(where) == before


def hashes(where: Place) -> dict[str, str]:
    """Return the SHA-256 of every file of the state, without the arrays that are derived from the store."""
    files = [path for path in where.state.rglob("*") if path.is_file() and ".arrays" not in str(path)]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def break_sink(where: Place) -> None:
    """Put a folder in the place of the target database."""
    where.target().rename(where.target().with_suffix(".aside"))
    where.target().mkdir()


def mend_sink(where: Place) -> None:
    """Put the target database back."""
    where.target().rmdir()
    where.target().with_suffix(".aside").rename(where.target())


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


# status, runs, show, explain --------------------------------------------------------------------------------------


def test_runs_lists_newest_first_with_the_fixed_names(held: Place) -> None:
    """Each run has what DESIGN section 7 names, and its findings by severity."""
    done = invoke(held, "runs", FEED, "--json")
    assert done.code == 0
    assert [one["run"] for one in done.json] == [f"{FEED}.2", f"{FEED}.1"]
    for one in done.json:
        assert one.keys() >= LISTED
        assert one["findings"].keys() == SEVERITIES
        assert one["changeset"]["users"].keys() == CHANGES
        assert one["actions"]["users"].keys() == ACTIONS
    assert done.json[1]["sha256"] == hashlib.sha256(zip_of(DAY_1)).hexdigest()


def test_runs_without_a_feed_lists_those_of_all(tmp_path: Path) -> None:
    """Two feeds, a run each."""
    where = place(tmp_path, "north", "south")
    where.drop(zip_of(roster(1)), feed="north")
    where.drop(zip_of(roster(2)), feed="south")
    assert invoke(where, "once").code == 0
    assert {one["feed"] for one in invoke(where, "runs", "--json").json} == {"north", "south"}


def test_show_has_breaches_outcomes_and_times(held: Place) -> None:
    """A held run has breaches, an applied one outcomes; both the seconds that each stage took."""
    first, second = (invoke(held, "show", f"{FEED}.{number}", "--json").json for number in (1, 2))
    assert first.keys() >= LISTED | {"breaches", "outcomes", "stages"}
    assert {one["target"] for one in first["outcomes"]} >= {"users", "patrons"}
    assert first["stages"].keys() >= {"unpack", "scan", "validate", "plan", "apply"}
    assert second["breaches"]
    assert not second["outcomes"]
    assert Path(second["folder"], "report.html").exists()


def test_status_tells_of_each_feed(held: Place) -> None:
    """The last run, what is held, and what waits in the inbox."""
    held.drop(b"x", "later.zip")
    (found,) = invoke(held, "status", "--json").json
    assert (found["feed"], found["state"], found["held"], found["inbox"]) == (FEED, "held", f"{FEED}.2", 1)
    assert found["live"]["users"] == USERS


def test_explain_tells_a_records_life(where: Place) -> None:
    """Created, changed, removed: with the drop that did it, and without values unless they are asked for."""
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Second")))
    once(where, zip_of(without(without(DAY_1, "enrollments", "E1"), "users", "U1")))
    done = invoke(where, "explain", FEED, "users", "U1", "--json")
    assert [one["what"] for one in done.json["events"]] == ["created", "changed", "removed"]
    assert done.json["events"][1]["columns"] == ["familyName"]
    assert "Second" not in done.out
    assert {one["target"]: one["active"] for one in done.json["owned"]} == {"users": False, "patrons": False}
    assert "Second" in invoke(where, "explain", FEED, "users", "U1", "--values").out


@pytest.mark.parametrize(
    "words",
    [("status",), ("runs",), ("show", f"{FEED}.2"), ("plan", FEED), ("explain", FEED, "users", "U1"), ("once",)],
)
def test_what_is_printed_for_people_fits_80_columns(held: Place, words: tuple[str, ...]) -> None:
    """Nothing of it is JSON, and no line is wider than a terminal, but commands to copy."""
    out = invoke(held, *words).out
    lines = [line for line in out.splitlines() if not line.startswith(("Consent:", "Refuse:", "Report:", "Digest:"))]
    assert max(map(len, lines)) <= 80
    assert not out.startswith(("{", "["))


# Mistakes ---------------------------------------------------------------------------------------------------------


COMMANDS = (
    "account",
    "apply",
    "check",
    "completion",
    "config",
    "demo",
    "discard",
    "doctor",
    "explain",
    "explain-code",
    "generate",
    "init",
    "scope",
    "maps",
    "once",
    "plan",
    "rekey",
    "reconcile",
    "release",
    "retry",
    "run",
    "runs",
    "show",
    "status",
    "undo",
)


def test_help_lists_every_command() -> None:
    """And each command's own help says what it does."""
    listed = invoke(None, "--help").out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", listed, re.MULTILINE)
        assert invoke(None, name, "--help").code == 0


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no such feed": (("plan", "springfeild"), f"the configuration has: {FEED}"),
    "no such run": (("show", f"{FEED}.99"), "there is no run"),
    "not a run's name": (("show", "99"), "look like"),
    "release of no such run": (("release", f"{FEED}.99", "--plan", "0" * 64), "there is no run"),
    "release of an applied run": (("release", f"{FEED}.1", "--plan", "0" * 64), "is applied, not held"),
    "discard of an applied run": (("discard", f"{FEED}.1"), "is applied, not held"),
    "retry of no such run": (("retry", f"{FEED}.99"), "there is no run"),
    "retry of a held run": (("retry", f"{FEED}.2"), "is held; what failed"),
    "a digest that is none": (("release", f"{FEED}.2", "--plan", "yes"), "hexadecimal"),
    "a digest too short": (("release", f"{FEED}.2", "--plan", "0" * 11), "hexadecimal"),
    "a release without a digest": (("release", f"{FEED}.2"), "--plan"),
    "no such zip": (("plan", FEED, "nowhere.zip"), "does not exist"),
    "no such command": (("launch",), "No such command"),
    "explain of no such table": (("explain", FEED, "pupils", "U1"), "there is no table"),
    "explain of no such record": (("explain", FEED, "users", "U-99"), "never had"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_exits_with_2_and_says_what_is_wrong(held: Place, mistake: str) -> None:
    """A sentence on stderr, no traceback, and nothing changed."""
    words, said = MISTAKES[mistake]
    with unchanged(held):
        done = invoke(held, *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_faults_of_the_configuration_are_told_all_at_once(tmp_path: Path) -> None:
    """Of several files, each with its key; every command exits with 2 before it does anything."""
    where = place(tmp_path, north='required = ["pupils"]\n', south='colour = "red"\n[limits]\ndelete = 10\n')
    (where.folder / "ingestd.toml").write_text('[log]\nlevel = "loud"\n')
    done = invoke(where, "config", "check", "--json")
    assert (done.code, done.json["ok"]) == (2, False)
    for words in ("log.level", "required", "colour", "limits.delete"):
        assert any(words in problem for problem in done.json["problems"])
    assert invoke(where, "once").code == 2
    assert not where.state.exists()


def test_faults_of_rules_are_faults_of_the_configuration(tmp_path: Path) -> None:
    """`config check` reads the rules of every feed too."""
    where = place(tmp_path, rules='[[table]]\nname = "patrons"\nfrom = "pupils"\nkey = ["x"]\n')
    done = invoke(where, "config", "check", "--json")
    assert done.code == 2
    assert any("own.toml" in problem for problem in done.json["problems"])


def test_a_sound_configuration_exits_with_0(where: Place) -> None:
    """And says of how many feeds it is."""
    done = invoke(where, "config", "check", "--json")
    assert (done.code, done.json) == (0, {"ok": True, "feeds": 1, "problems": []})


# Processes --------------------------------------------------------------------------------------------------------


def test_a_process_prints_json_alone_on_stdout_and_its_log_on_stderr(where: Place) -> None:
    """So that a pipe gets what it can read: also when the command fails."""
    where.drop(zip_of(changed(DAY_1, "users", "U1", familyName="X")))
    done = run_ingestd(where, "once", "--json")
    assert (done.code, done.json[0]["state"]) == (0, "applied")
    assert all(json.loads(line)["event"] for line in done.err.splitlines())
    failed = run_ingestd(where, "show", f"{FEED}.99", "--json")
    found: dict[str, Any] = failed.json
    assert (failed.code, found["error"]) == (2, "UsageError")


def test_the_configuration_is_found_by_the_environment(where: Place) -> None:
    """$INGESTD_CONFIG names it when no option does; one that is not there is told, not passed over."""
    assert run_ingestd(None, "status", INGESTD_CONFIG=str(where.config)).code == 0
    done = run_ingestd(None, "status", INGESTD_CONFIG=str(where.folder / "other.toml"))
    assert done.code == 2
    assert "other.toml" in done.err
