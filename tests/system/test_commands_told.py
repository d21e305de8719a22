"""The commands that tell, as their users type them: the fixed names of the JSON, mistakes, and processes."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from builders import changed, roster, without, zip_of
from commands_world import ACTIONS, CHANGES, DAY_1, LISTED, SEVERITIES, USERS, day_1, held, held_day, unchanged, where
from places import (
    FEED,
    Place,
    invoke,
    once,
    place,
    run_ingestd,
)

__all__ = ["day_1", "held", "held_day", "where"]

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
