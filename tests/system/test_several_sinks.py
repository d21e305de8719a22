"""Several sinks of one feed: each is kept up by itself, and one that is down holds back nobody else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest
from builders import added, changed, roster, user, zip_of
from places import FEED, Place, documents_of, invoke, once, place, rows_of

from ingestd.cli import main
from ingestd.cli.context import SinkName

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
TWO = """
[[sinks]]
kind = "sqlite"
path = "first.db"
[[sinks]]
kind = "sqlite"
name = "second"
path = "second.db"
"""
DAY_1 = roster(3)
DAY_2 = changed(added(DAY_1, "users", user(4)), "users", "U1", grades="10")
DAY_3 = added(DAY_2, "users", user(5))


def users(where: Place, name: str) -> dict[str, str]:
    """Return the users in one of the sinks, with their grades."""
    return dict(rows_of(where.state / f"{name}.db", "SELECT sourcedId, grades FROM users WHERE _active = 1"))


def test_each_sink_gets_every_plan(tmp_path: Path) -> None:
    """And the run tells of each by its name; the plan is released by one digest for all."""
    where = place(tmp_path, more=TWO + FREE)
    for day in (DAY_1, DAY_2):
        assert once(where, zip_of(day)).code == 0
    assert users(where, "first") == users(where, "second") == {"U1": "10", "U2": "09", "U3": "09", "U4": "09"}
    told = documents_of(where)[-1]["sinks"]
    assert {name: one["error"] for name, one in told.items()} == {"sqlite": None, "second": None}
    assert told["second"]["actions"]["users"] == {"create": 1, "update": 1, "remove": 0}


def test_a_sink_that_is_down_holds_back_its_own_progress_only(tmp_path: Path) -> None:
    """The other is up to date; the next run brings it all that it missed, and no more than that to the other."""
    where = place(tmp_path, more=TWO + FREE)
    once(where, zip_of(DAY_1))
    with closing(sqlite3.connect(where.state / "second.db", timeout=0)) as db:
        db.execute("DROP TABLE users")
        db.execute("CREATE VIEW users AS SELECT 1 AS sourcedId")
        db.commit()
    done = once(where, zip_of(DAY_2))
    assert done.code == 4
    document = documents_of(where)[-1]
    assert (document["state"], document["sinks"]["sqlite"]["error"]) == ("applied", None)
    assert "sqlite sink failed" in document["sinks"]["second"]["error"]
    assert users(where, "first")["U4"] == "09"
    with closing(sqlite3.connect(where.state / "second.db")) as db:
        db.execute("DROP VIEW users")
        db.commit()
    assert once(where, zip_of(DAY_3)).code == 0
    document = documents_of(where)[-1]
    assert document["sinks"]["sqlite"]["actions"]["users"] == {"create": 1, "update": 0, "remove": 0}
    assert document["sinks"]["second"]["actions"]["users"] == {"create": 2, "update": 1, "remove": 0}


def test_when_all_sinks_are_down_the_run_has_failed(tmp_path: Path) -> None:
    """Nothing of it counts, and it is tried again whole."""
    where = place(tmp_path, more=TWO + FREE)
    for name in ("first", "second"):
        (where.state / f"{name}.db").mkdir(parents=True)
    assert once(where, zip_of(DAY_1)).code == 4
    assert documents_of(where)[-1]["state"] == "failed"
    for name in ("first", "second"):
        (where.state / f"{name}.db").rmdir()
    assert once(where, zip_of(DAY_2)).code == 0
    assert users(where, "first") == users(where, "second") == {"U1": "10", "U2": "09", "U3": "09", "U4": "09"}


def test_a_sink_that_is_new_gets_all_there_is(tmp_path: Path) -> None:
    """By the next plan, without a drop if need be; the first one has nothing to do."""
    where = place(tmp_path, more='\n[[sinks]]\nkind = "sqlite"\npath = "first.db"\n' + FREE)
    once(where, zip_of(DAY_1))
    where = place(tmp_path, more=TWO + FREE)
    planned = invoke(where, "plan", FEED, "--json").json
    assert planned["sinks"]["sqlite"]["actions"] == {}
    assert planned["sinks"]["second"]["actions"]["users"] == {"create": 3, "update": 0, "remove": 0}
    once(where, zip_of(DAY_2))
    assert users(where, "first") == users(where, "second")


def test_each_sink_can_be_asked_about(tmp_path: Path) -> None:
    """What its plan is and why, and what a record has become there; another name than theirs is told."""
    where = place(tmp_path, more='\n[[sinks]]\nkind = "sqlite"\npath = "first.db"\n' + FREE)
    once(where, zip_of(DAY_1))
    where = place(tmp_path, more=TWO + FREE)
    for sink, reasons in (("sqlite", set()), ("second", {"unfinished"})):
        told = invoke(where, "plan", FEED, "--why", "--sink", sink, "--json").json
        assert {one["reason"] for group in told["why"] for one in group["listed"]} == reasons
        assert bool(told["actions"]) is bool(reasons)
        story = invoke(where, "explain", FEED, "users", "U1", "--sink", sink, "--json").json
        assert bool(story["owned"]) is not bool(reasons)
    assert invoke(where, "plan", FEED, "--why", "--json").json["why"], "the larger plan stands for all"
    for asked in (("plan", FEED), ("explain", FEED, "users", "U1")):
        refused = invoke(where, *asked, "--sink", "third")
        assert refused.code == 2
        assert "has no sink third; it has sqlite, second" in refused.err


def test_sinks_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell is offered those of the feed that was named, and none of a feed that there is not."""
    where = place(tmp_path, more=TWO)
    monkeypatch.setenv("INGESTD_CONFIG", str(where.config))
    command = main.commands["explain"]
    context = click.Context(command)
    for feed, offered in ((FEED, ["second", "sqlite"]), ("nobody", [])):
        context.params = {"feed": feed}
        found = SinkName().shell_complete(context, command.params[0], "s")
        assert sorted(one.value for one in found) == offered


def test_two_sinks_of_one_name_are_refused(tmp_path: Path) -> None:
    """What is owned in them could not be told apart."""
    where = place(tmp_path, more=TWO.replace('name = "second"\n', ""))
    told = invoke(where, "config", "check")
    assert told.code == 2
    assert 'has two called "sqlite"; give each a name of its own' in told.err + told.out
