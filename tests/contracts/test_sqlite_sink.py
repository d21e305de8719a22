"""The SQLite sink keeps the contract, and some of its own: who may read it, who else writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestd.core.plan import make_plan
from ingestd.core.rules import OnUnmapped, Rules
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.base import open_sink
from ingestd.sinks.sqlite import PLANS, SqliteSink
from ingestd.testing.actions import ANN, BOB, create, rekey, update
from ingestd.testing.readable import ReadableContract, rows_of
from ingestd.testing.sinks import Records

NO_RULES = Rules((), {}, OnUnmapped.HOLD_RECORD, "")


@contextmanager
def beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the sink's file as another program does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        yield db


def path_of(sink: SqliteSink) -> Path:
    """Return the sink's file."""
    return sink._path


class TestSqliteSink(ReadableContract):
    """Tables in a file."""

    def make(self, folder: Path) -> SqliteSink:
        """Return a sink whose file is not there yet."""
        return SqliteSink(folder / "roster.db", busy=0)

    def read(self, sink: SqliteSink, target: str) -> Records:
        """Return the rows of a table by its primary key."""
        with beside(path_of(sink)) as db:
            about = db.execute(f'PRAGMA table_info("{target}")').fetchall()
            key = [one["name"] for one in sorted(about, key=lambda one: one["pk"]) if one["pk"]]
            rows = [dict(row) for row in db.execute(f'SELECT * FROM "{target}"')]
            return {tuple(row[name] for name in key): row for row in rows}

    def trip(self, sink: SqliteSink, target: str, key: str) -> None:
        """Have the database refuse that record."""
        with beside(path_of(sink)) as db:
            refuse = f"WHEN NEW.id = '{key}' BEGIN SELECT RAISE(ABORT, 'Bob P2 P3'); END"
            db.execute(f'CREATE TRIGGER trip BEFORE INSERT ON "{target}" {refuse}')

    def heal(self, sink: SqliteSink, target: str) -> None:
        """Have it refuse no more."""
        with beside(path_of(sink)) as db:
            db.execute("DROP TRIGGER trip")

    def test_columns_are_those_of_the_design(self, sink: SqliteSink) -> None:
        """The rule's fields as they are called, then `_active`, `_run` and `_changed_at`; the key is unique."""
        self.apply(sink, create(ANN))
        with beside(path_of(sink)) as db:
            names = [row["name"] for row in db.execute("PRAGMA table_info(patrons)")]
            assert names == ["id", "name", "email", "_active", "_run", "_changed_at"]
            with pytest.raises(sqlite3.IntegrityError):
                db.execute("INSERT INTO patrons SELECT * FROM patrons")

    def test_only_its_owner_can_read_it(self, sink: SqliteSink) -> None:
        """It has children's data in it."""
        self.apply(sink, create(ANN))
        assert path_of(sink).stat().st_mode & 0o077 == 0

    def test_plans_are_remembered_with_run_and_time(self, sink: SqliteSink) -> None:
        """The table beside the target tables says what was applied when."""
        self.apply(sink, create(ANN), run="springfield.7")
        with beside(path_of(sink)) as db:
            row = dict(db.execute(f"SELECT * FROM {PLANS}").fetchone())
        digest = make_plan([create(ANN)]).digest
        assert row == {"once": "1", "digest": digest, "run": "springfield.7", "applied_at": "2026-01-01T00:00:00Z"}

    def test_a_file_that_is_busy_may_be_tried_again(self, sink: SqliteSink) -> None:
        """Another program's transaction is a passing fault, and nothing was done."""
        self.apply(sink, create(ANN))
        with beside(path_of(sink)) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(TransientSinkError, match="SQLITE_BUSY"):
                self.apply(sink, create(BOB), once="2")
        self.apply(sink, create(BOB), once="2")
        assert set(self.cells(sink)) == {("P1",), ("P2",)}

    def test_a_reader_at_the_wrong_time_may_be_waited_for(self, sink: SqliteSink) -> None:
        """A reader lets the work begin and the commit fail; that is as if nothing was done."""
        self.apply(sink, create(ANN, BOB))
        with beside(path_of(sink)) as db:
            reader = db.execute("SELECT * FROM patrons")
            reader.fetchone()
            with pytest.raises(TransientSinkError, match="SQLITE_BUSY"):
                self.apply(sink, create({**BOB, "id": "P3"}), once="2")
            reader.close()
        self.apply(sink, create({**BOB, "id": "P3"}), once="2")
        assert len(self.cells(sink)) == 3

    def test_a_file_that_is_no_database_is_a_fault_for_good(self, sink: SqliteSink) -> None:
        """A try again would not help."""
        path_of(sink).write_bytes(b"what lies here is something else" * 100)
        with pytest.raises(SinkError, match="SQLITE_NOTADB") as caught:
            self.apply(sink, create(ANN))
        assert not isinstance(caught.value, TransientSinkError)

    def test_a_folder_that_cannot_be_made_is_a_fault_of_the_sink(self, tmp_path: Path) -> None:
        """What the file system says is told as the sink's failure."""
        (tmp_path / "file").touch()
        with pytest.raises(SinkError, match="the sqlite sink failed: File exists"):
            self.apply(SqliteSink(tmp_path / "file" / "roster.db"), create(ANN))

    def test_a_table_with_another_key_is_refused(self, sink: SqliteSink) -> None:
        """A table cannot change its key; nothing is done."""
        self.apply(sink, create(ANN))
        with pytest.raises(SinkError):
            self.apply(sink, create(BOB, key=("id", "name")), once="2")
        assert set(self.cells(sink)) == {("P1",)}

    def test_a_table_of_somebody_elses_is_taken_as_it_is(self, sink: SqliteSink) -> None:
        """It gains what ingestd writes beside the fields; numbers and NULL are told as text, its other columns stay."""
        with beside(path_of(sink)) as db:
            db.execute("CREATE TABLE patrons (no INTEGER, id INTEGER UNIQUE, name TEXT, pin TEXT)")
            db.execute("INSERT INTO patrons VALUES (1, 17, NULL, '0000')")
        assert rows_of(sink, "id", "name", "email") == [("17", "", "")]
        self.apply(sink, rekey(("17",), ("P1",)), update(ANN))
        with beside(path_of(sink)) as db:
            row = dict(db.execute("SELECT * FROM patrons").fetchone())
        stamp = {"_active": 1, "_run": "r.1", "_changed_at": "2026-01-01T00:00:00Z"}
        assert row == {**ANN, "no": 1, "pin": "0000", **stamp}

    def test_a_column_of_somebody_elses_may_want_a_value(self, sink: SqliteSink) -> None:
        """It is blank in what is new, and stays in what is there, be it updated or created again."""
        with beside(path_of(sink)) as db:
            db.execute("CREATE TABLE patrons (id TEXT PRIMARY KEY NOT NULL, pin TEXT NOT NULL, email TEXT NOT NULL)")
            db.execute("INSERT INTO patrons VALUES ('P1', '0000', '')")
        self.apply(sink, update({"id": "P1", "name": "Anna"}), create(BOB))
        self.apply(sink, create(ANN), once="2")
        found = self.cells(sink)
        assert (found["P1",], found["P2",]) == (
            {**ANN, "pin": "0000", "_active": 1},
            {**BOB, "pin": "", "_active": 1},
        )

    def test_what_is_no_database_cannot_be_read(self, sink: SqliteSink) -> None:
        """It is told as any failure of the sink."""
        path_of(sink).write_bytes(b"what lies here is something else" * 100)
        with pytest.raises(SinkError, match="SQLITE_NOTADB"):
            sink.read("patrons", ["id"])

    def test_columns_that_differ_in_case_are_one(self, sink: SqliteSink) -> None:
        """SQLite takes `Name` for `name`."""
        self.apply(sink, create(ANN))
        self.apply(sink, create({"id": "P2", "Name": "Bob", "email": ""}, columns=("id", "Name", "email")), once="2")
        assert self.cells(sink)["P2",]["name"] == "Bob"


def test_a_sink_is_opened_by_its_kind(tmp_path: Path) -> None:
    """A relative path starts at the folder that is given."""
    sink: Any = open_sink("sqlite", {"path": "roster.db"}, tmp_path, NO_RULES)
    sink.apply(make_plan([create(ANN)]), once="1", run="r", at="t", progress=lambda _: None)
    sink.close()
    assert (tmp_path / "roster.db").exists()


@pytest.mark.parametrize(
    ("kind", "settings", "problem"),
    [
        ("sqlit", {}, "sinks.kind: 'sqlit' is not one of "),
        ("sqlite", {}, 'sinks.path: a sqlite sink needs path = "FILE"'),
        ("sqlite", {"path": 3}, 'sinks.path: a sqlite sink needs path = "FILE"'),
    ],
)
def test_wrong_settings_are_faults_of_the_configuration(
    tmp_path: Path, kind: str, settings: dict[str, Any], problem: str
) -> None:
    """An unknown kind, or a missing path, is told with its key."""
    with pytest.raises(ConfigError) as caught:
        open_sink(kind, settings, tmp_path, NO_RULES)
    assert caught.value.problems[0].startswith(problem)
