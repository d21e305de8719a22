"""A feed whose sink is in PostgreSQL: what is there after a night, what is adopted, and that its URL stays a secret."""

from pathlib import Path

from builders import added, changed, roster, user, without, zip_of
from places import ADOPT, Place, documents_of, invoke, once, place, run_ingestd, states_of
from postgres_world import Database


def sink(url: str, folder: Path, more: str = "") -> str:
    """Return a feed's sink whose URL lies in a file."""
    (folder / "url").write_text(url)
    return f'[[sinks]]\nkind = "sql"\nurl = "file:{folder / "url"}"\n{more}'


def test_a_night_and_the_next(db: Database, tmp_path: Path) -> None:
    """Who came is there, who changed is changed, who went is inactive; each says which run wrote it."""
    db.do("CREATE SCHEMA roster")
    where = place(tmp_path / "place", more=sink(db.url, tmp_path, 'schema = "roster"\n'))
    first = roster(4)
    assert once(where, zip_of(first)).code == 0
    second = changed(without(without(first, "users", "U3"), "enrollments", "E3"), "users", "U1", familyName="New")
    assert once(where, zip_of(added(second, "users", user(9)))).code == 0
    query = 'SELECT "sourcedId", "familyName", _active, _run FROM roster.users ORDER BY 1'
    assert db.rows(query) == [
        ("U1", "New", 1, "springfield.2"),
        ("U2", "Family2", 1, "springfield.1"),
        ("U3", "Family3", 0, "springfield.2"),
        ("U4", "Family4", 1, "springfield.1"),
        ("U9", "Family9", 1, "springfield.2"),
    ]
    assert not list(where.state.glob("*.roster.db"))


def test_what_the_application_has_is_adopted(db: Database, tmp_path: Path) -> None:
    """Its records get the roster's keys, those of nobody stay, and `config check` has nothing against it."""
    db.do(
        "CREATE TABLE people (no serial PRIMARY KEY, id text UNIQUE, name text, email text NOT NULL)",
        "INSERT INTO people (id, name, email) SELECT 'k' || n, 'Name' || n, 'USER' || n || '@springfield.example'"
        " FROM unnest(ARRAY[1, 2, 99]) n",
    )
    where = place(tmp_path / "place", more=sink(db.url, tmp_path), rules=ADOPT)
    assert invoke(where, "config", "check").code == 0
    assert once(where, zip_of(roster(3))).code == 0
    assert db.rows("SELECT id, name FROM people ORDER BY no") == [
        ("U1", "Name1"),
        ("U2", "Name2"),
        ("k99", "Name99"),
        ("U3", "Family3"),
    ]


def test_the_url_is_told_nowhere(tmp_path: Path) -> None:
    """Not in the log, not in a run's document, not by a command: what is told is that the server is away."""
    url = f"postgresql://ingestd:hunter2@/app?host={tmp_path}/elm-street"
    where = place(tmp_path / "place", more=sink(url, tmp_path))
    where.drop(zip_of(roster(2)))
    done = run_ingestd(where, "once")
    assert done.code == 4
    assert states_of(where) == ["failed"]
    shown = invoke(where, "show", "springfield.1")
    assert documents_of(where)[-1]["error"] == "the sql sink failed: OperationalError"
    told = [done.out, done.err, shown.out, *map(contents, where.state.rglob("*"))]
    assert not [one for one in told if "hunter2" in one or "elm-street" in one]


def contents(path: Path) -> str:
    """Return what a file says, whatever it is."""
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def test_a_failed_night_is_made_good(db: Database, tmp_path: Path) -> None:
    """The server was away; when it is back, the next start applies what is waiting."""
    where: Place = place(tmp_path / "place", more=sink("postgresql://ingestd@/app?host=/nowhere", tmp_path))
    assert once(where, zip_of(roster(2))).code == 4
    (tmp_path / "url").write_text(db.url)
    assert invoke(where, "once").code == 0
    assert states_of(where) == ["applied"]
    assert db.rows("SELECT count(*) FROM users WHERE _active = 1") == [(2,)]
