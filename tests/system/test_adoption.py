"""A first run against an application that has records already: they are taken over, not made once more."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders import added, changed, roster, user, zip_of
from places import FEED, Place, documents_of, invoke, once, place, rows_of, run_ingestd, write_rules

RULES = """
[[table]]
name = "people"
from = "users"
key = ["id"]
update = ["name", "email"]
adopt = ["no", "email"]
[table.fields]
id = { from = "sourcedId" }
no = { from = "identifier" }
name = { from = "familyName" }
email = { from = "email" }
"""
MUTE = """
class Mute:
    transactional = True
    @classmethod
    def from_settings(cls, settings, folder, rules):
        return cls()
    def apply(self, plan, *, once, run, at, progress):
        return ()
    def close(self):
        pass
"""
"""A sink of somebody else's that only writes."""
PIN = 'pins = "pins/springfield.csv"\n'
PEOPLE = ("id TEXT PRIMARY KEY", "no INTEGER", "name TEXT", "email TEXT", "card TEXT")
"""The application's own table: no column of ingestd's, one that the rules do not know, a number for a text."""
DAY_1 = changed(roster(4), "users", "U2", identifier="202")
THERE = [
    ("k1", None, "Anna", "USER1@Springfield.example", "card 1"),
    ("k2", 202, "Bob", "bob@elsewhere.example", "card 2"),
    ("k9", None, "Zoe", "zoe@elsewhere.example", "card 9"),
]
"""The users U1 (by address) and U2 (by number), and somebody whom the roster does not know."""


def begin(where: Place, *rows: Sequence[Any]) -> Place:
    """Make the application's table with some records in it."""
    where.target().parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute(f"CREATE TABLE people ({', '.join(PEOPLE)})")
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", rows)
    return where


def people(where: Place) -> dict[str, tuple[Any, ...]]:
    """Return the application's records by key: name, address, card, and whether ingestd wrote it."""
    query = "SELECT id, name, email, card, _run <> '' FROM people WHERE _active = 1"
    return {row[0]: tuple(row[1:]) for row in rows_of(where.target(), query)}


def every(where: Place, columns: str = "*") -> list[tuple[Any, ...]]:
    """Return all that the application's table has."""
    return rows_of(where.target(), f"SELECT {columns} FROM people ORDER BY id")


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Give a place whose application has records before the first run."""
    return begin(place(tmp_path / "place", rules=RULES), *THERE)


def test_what_is_there_is_taken_over(where: Place) -> None:
    """It gets the roster's key and is updated; who is not there is created, who is nobody's is let be."""
    assert once(where, zip_of(DAY_1)).code == 0
    assert people(where) == {
        "U1": ("Family1", "user1@springfield.example", "card 1", 1),
        "U2": ("Family2", "user2@springfield.example", "card 2", 1),
        "U3": ("Family3", "user3@springfield.example", None, 1),
        "U4": ("Family4", "user4@springfield.example", None, 1),
        "k9": ("Zoe", "zoe@elsewhere.example", "card 9", 0),
    }
    assert documents_of(where)[-1]["actions"]["people"] == {"rekey": 2, "create": 2, "update": 2, "remove": 0}


def test_what_was_taken_over_is_owned(where: Place) -> None:
    """From then on it is changed and removed as what ingestd made; a day without changes has nothing to do."""
    once(where, zip_of(DAY_1))
    before = every(where)
    once(where, zip_of(changed(DAY_1, "classes", "C1", title="Geometry")))
    assert every(where) == before
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Fern", status="tobedeleted")))
    assert documents_of(where)[-1]["actions"]["people"] == {"create": 0, "update": 0, "remove": 1}
    assert set(people(where)) == {"U2", "U3", "U4", "k9"}


def test_a_plan_that_is_looked_at_is_the_one_that_is_applied(where: Place, tmp_path: Path) -> None:
    """`plan` reads the application and changes nothing in it; its digest holds."""
    before = every(where)
    drop = tmp_path / "roster.zip"
    drop.write_bytes(zip_of(DAY_1))
    planned = invoke(where, "plan", FEED, drop, "--json").json
    assert planned["actions"]["people"]["rekey"] == 2
    assert every(where) == before
    assert invoke(where, "apply", FEED, drop, "--plan", planned["digest"]).code == 0
    with closing(sqlite3.connect(where.target())) as db:
        assert db.execute("SELECT digest FROM _ingestd_plans").fetchall() == [(planned["digest"],)]


def test_a_release_is_refused_when_the_application_has_changed(where: Place, tmp_path: Path) -> None:
    """Somebody made one of the records by hand meanwhile: it is another plan."""
    drop = tmp_path / "roster.zip"
    drop.write_bytes(zip_of(DAY_1))
    digest = invoke(where, "plan", FEED, drop, "--json").json["digest"]
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("INSERT INTO people VALUES ('k3', NULL, 'Cy', 'user3@springfield.example', 'card 3')")
    assert invoke(where, "apply", FEED, drop, "--plan", digest).code == 3
    assert {row[0] for row in every(where)} == {"k1", "k2", "k3", "k9"}


def test_it_is_done_once_though_a_kill_came_before_it_was_recorded(where: Place, tmp_path: Path) -> None:
    """The application has it all and the store knows nothing: again it is found, by its key, and nothing is doubled."""
    before, columns = where.copy_to(tmp_path / "before"), "id, no, name, email, card, _active"
    once(where, zip_of(DAY_1))
    shutil.copy(where.target(), before.target())
    assert once(before, zip_of(DAY_1)).code == 0
    assert every(before, columns) == every(where, columns)
    assert documents_of(before)[-1]["actions"]["people"] == {"create": 0, "update": 4, "remove": 0}


def test_what_is_unclear_is_held_back_and_told(where: Place) -> None:
    """Two of the roster share the address of one there, and one of the roster has that of two there."""
    with closing(sqlite3.connect(where.target())) as db, db:
        for key in ("k3", "k33"):
            db.execute("INSERT INTO people VALUES (?, NULL, 'Cy', 'user3@springfield.example', NULL)", [key])
    day = added(DAY_1, "users", user(5, email="user1@springfield.example"))
    assert once(where, zip_of(day)).code == 1
    assert {key: cells[0] for key, cells in people(where).items()} == {
        "U2": "Family2",
        "U4": "Family4",
        "k1": "Anna",
        "k3": "Cy",
        "k33": "Cy",
        "k9": "Zoe",
    }
    run = documents_of(where)[-1]
    told = [one for one in run["listed_findings"] if one["code"] == "ambiguous-adoption"]
    assert [(one["severity"], one["file"], one["count"]) for one in told] == [("error", "users.csv", 3)]
    assert run["held_back"] == 3
    assert "give the record its key" in " ".join(invoke(where, "show", run["run"]).out.split())


def test_what_is_unclear_stays_held_back_until_it_is_mended(where: Place) -> None:
    """A change of one of them makes nothing clearer; when the application tells them apart, the next run does it."""
    day = added(DAY_1, "users", user(5, email="user1@springfield.example"))
    once(where, zip_of(day))
    day = changed(day, "users", "U5", familyName="Fern")
    once(where, zip_of(day))
    assert {"U1", "U5"} & set(people(where)) == set()
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("UPDATE people SET id = 'U1' WHERE id = 'k1'")
    assert once(where, zip_of(changed(day, "users", "U5", familyName="Moss"))).code == 0
    assert people(where)["U5"] == ("Moss", "user1@springfield.example", None, 1)
    assert invoke(where, "plan", FEED, "--json").json["actions"]["people"] == {"create": 0, "update": 1, "remove": 0}


def test_without_adoption_they_are_made_once_more(where: Place) -> None:
    """Only what has the very key is found, as ever."""
    write_rules(where, RULES.replace("adopt", "# adopt"))
    once(where, zip_of(DAY_1))
    assert set(people(where)) == {"U1", "U2", "U3", "U4", "k1", "k2", "k9"}


def test_adoption_leaves_what_is_pinned(tmp_path: Path) -> None:
    """A pinned field of a record that is taken over keeps its value; a pinned record is not taken over."""
    where = begin(place(tmp_path, rules=RULES, head=PIN), *THERE)
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / f"{FEED}.csv").write_text("target,key,field\npeople,U1,email\npeople,U2,\n")
    once(where, zip_of(DAY_1))
    assert people(where)["U1"] == ("Family1", "USER1@Springfield.example", "card 1", 1)
    assert people(where)["k2"] == ("Bob", "bob@elsewhere.example", "card 2", 0)
    assert documents_of(where)[-1]["pinned"] == {"people": 1}


def test_a_sink_that_cannot_be_read_is_no_place_to_adopt(tmp_path: Path) -> None:
    """`config check` says so before any run does, and a run fails rather than create what may be there."""
    about = tmp_path / "plugins" / "mute-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mute\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[ingestd.sinks.v1]\nmute = mute:Mute\n")
    (about.parent / "mute.py").write_text(MUTE)
    where = place(tmp_path, rules=RULES, more='[[sinks]]\nkind = "mute"\n')
    where.drop(zip_of(DAY_1))
    for command in ("config", "check"), ("plan", FEED, str(where.inbox() / "roster.zip")):
        done = run_ingestd(where, *command, PYTHONPATH=str(about.parent))
        assert done.code == 2
        assert "table.people.adopt: a sink of kind 'mute' cannot tell what the application has" in done.err
