"""What goes wrong between the SQL sink and PostgreSQL: what a later try mends, what not, and what is told of it."""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_world import Database
from sql_world import apply, refusal, sink

from ingestd.errors import ConfigError, TransientSinkError
from ingestd.sinks.base import open_sink
from ingestd.sinks.sql import PLANS, SqlSink
from ingestd.testing.actions import ANN, BOB, create, remove
from ingestd.testing.readable import rows_of

NOTHING_BUT = "the sql sink failed: "

__all__ = ["sink"]


def trap(db: Database, body: str) -> None:
    """Have PostgreSQL do something in the middle of a plan: at each record that comes into `patrons`."""
    db.do(
        f"CREATE OR REPLACE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NEW; END$$",
        "CREATE OR REPLACE TRIGGER trap BEFORE INSERT ON patrons FOR EACH ROW EXECUTE FUNCTION trap()",
    )


def until(is_so: Callable[[], bool]) -> None:
    """Return when something is so."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "it never came about"


# What PostgreSQL says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name", "is_passing"),
    [
        ("40001", "SerializationFailure", True),
        ("40P01", "DeadlockDetected", True),
        ("53300", "TooManyConnections", True),
        ("53100", "DiskFull", True),
        ("55P03", "LockNotAvailable", True),
        ("57014", "QueryCanceled", True),
        ("57P01", "AdminShutdown", True),
        ("57P02", "CrashShutdown", True),
        ("57P03", "CannotConnectNow", True),
        ("08006", "ConnectionFailure", True),
        ("25006", "ReadOnlySqlTransaction", True),
        ("23502", "NotNullViolation", False),
        ("23503", "ForeignKeyViolation", False),
        ("23505", "UniqueViolation", False),
        ("23514", "CheckViolation", False),
        ("22001", "StringDataRightTruncation", False),
        ("42501", "InsufficientPrivilege", False),
        ("42P01", "UndefinedTable", False),
        ("54000", "ProgramLimitExceeded", False),
        ("P0001", "RaiseException", False),
        ("XX001", "DataCorrupted", False),
    ],
)
def test_faults_are_told_by_name_and_tried_again_if_they_pass(
    db: Database, sink: SqlSink, state: str, name: str, is_passing: bool
) -> None:
    """Nothing of the plan is done, no value is told, and the same plan is done when the fault is gone."""
    apply(sink, create(ANN))
    before = db.rows("SELECT * FROM patrons")
    trap(db, f"RAISE EXCEPTION '% %', NEW.name, NEW.email USING ERRCODE = '{state}'")
    found = refusal(sink, remove("P1"), create(BOB))
    assert str(found) == f"{NOTHING_BUT}{name} ({state})"
    assert isinstance(found, TransientSinkError) is is_passing
    assert db.rows("SELECT * FROM patrons") == before
    db.do("DROP FUNCTION trap CASCADE")
    apply(sink, remove("P1"), create(BOB), once="refused")
    assert db.rows("SELECT id, _active FROM patrons ORDER BY id") == [("P1", 0), ("P2", 1)]


def test_a_row_that_breaks_a_rule_is_not_told(db: Database, sink: SqlSink) -> None:
    """PostgreSQL quotes the row; what is raised has its class and its state alone, and no cause that has more."""
    db.do("CREATE TABLE patrons (id text PRIMARY KEY, email text UNIQUE)")
    found = refusal(sink, create({**ANN, "id": "1"}, {**ANN, "id": "2"}))
    assert str(found) == f"{NOTHING_BUT}UniqueViolation (23505)"
    assert found.__cause__ is None
    assert found.__suppress_context__


def test_a_value_that_does_not_fit_its_column_is_a_fault(db: Database, sink: SqlSink) -> None:
    """A column of somebody else's may be shorter, or no text."""
    db.do("CREATE TABLE patrons (id integer PRIMARY KEY, name varchar(2))")
    assert str(refusal(sink, create(ANN))) == f"{NOTHING_BUT}InvalidTextRepresentation (22P02)"
    assert str(refusal(sink, create({**ANN, "id": "1"}))) == f"{NOTHING_BUT}StringDataRightTruncation (22001)"


def test_a_database_may_have_another_encoding(db: Database, tmp_path: Path) -> None:
    """What it has a character for is kept; what not is a fault."""
    db.do(f"CREATE DATABASE {db.name}_latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    latin = Database(db.server, f"{db.name}_latin")
    sink = SqlSink(latin.reference(tmp_path))
    apply(sink, create({**ANN, "name": "Ærø"}))
    assert rows_of(sink, "name") == [("Ærø",)]
    assert str(refusal(sink, create({**ANN, "name": "雪"}))) == f"{NOTHING_BUT}UntranslatableCharacter (22P05)"


def test_a_lock_of_somebody_elses_is_waited_for_in_vain(db: Database, sink: SqlSink) -> None:
    """The wait has an end, it is a passing fault, and nothing was done."""
    apply(sink, create(ANN))
    with db.connect(autocommit=False) as other:
        other.execute("UPDATE patrons SET name = 'Anna'")
        assert str(refusal(sink, create(BOB), remove("P1"))) == f"{NOTHING_BUT}LockNotAvailable (55P03)"
        other.rollback()
    assert db.rows("SELECT id, _active FROM patrons") == [("P1", 1)]
    apply(sink, create(BOB), remove("P1"), once="refused")
    assert db.rows("SELECT id, _active FROM patrons ORDER BY id") == [("P1", 0), ("P2", 1)]


def test_a_stuck_client_does_not_hold_its_locks_for_ever(db: Database, sink: SqlSink) -> None:
    """The server is told how long a statement, a lock and an idle transaction may last; nobody else gets that."""
    apply(sink, create(ANN))
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    wanted = " OR ".join(f"current_setting('{name}') = '0'" for name in names)
    trap(db, f"IF {wanted} THEN RAISE EXCEPTION 'unbounded'; END IF")
    apply(sink, create(BOB))
    assert db.rows("SHOW statement_timeout") == [("0",)]


# Connections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("//ingestd@", "//nobody@"), "the server does not know the user"),
        (("/test", "/none"), "the server has no such database"),
        (("//ingestd@", "//guarded:wrong@"), "the server refuses the user or the password"),
        (("//ingestd@", "//guarded@"), "the server wants a password"),
        (("//ingestd@", "//unwelcome@"), "the server lets this machine, user or database not in"),
    ],
)
def test_who_is_refused_is_told_why(db: Database, tmp_path: Path, change: tuple[str, str], told: str) -> None:
    """No later try mends it; neither the URL nor a part of it is told."""
    with suppress(psycopg.errors.DuplicateObject):
        db.do("CREATE ROLE guarded LOGIN PASSWORD 'right'", "CREATE ROLE unwelcome LOGIN")
    (tmp_path / "url").write_text(db.url.replace(*change))
    found = refusal(SqlSink(f"file:{tmp_path / 'url'}"), create(ANN))
    assert str(found) == f"the sql sink cannot connect: {told}"
    assert not isinstance(found, TransientSinkError)


def test_a_server_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    """It is a passing fault, and says nothing of the URL."""
    (tmp_path / "url").write_text(f"postgresql://ingestd:secret@/roster?host={tmp_path}")
    sink = SqlSink(f"file:{tmp_path / 'url'}")
    found = refusal(sink, create(ANN))
    assert (str(found), type(found)) == (f"{NOTHING_BUT}OperationalError", TransientSinkError)
    with pytest.raises(TransientSinkError):
        sink.read("patrons", ["id"])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("secret", "URL is none, like postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("postgresql://u:secret@host:port/db", "URL is none, like postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("nosuchdb://u:secret@host/db", "URL begins with a kind of database that SQLAlchemy does not know"),
        ("mysql+pymysql://u:secret@host/db", "cannot speak to this database: the module pymysql is not installed"),
    ],
)
def test_what_is_no_url_is_told_without_it(tmp_path: Path, url: str, told: str) -> None:
    """It is a secret."""
    (tmp_path / "url").write_text(url)
    found = str(refusal(SqlSink(f"file:{tmp_path / 'url'}"), create(ANN)))
    assert told in found
    assert "secret" not in found


def test_a_secret_that_is_not_there_is_a_fault_of_the_run(tmp_path: Path) -> None:
    """It is told by its reference."""
    found = refusal(SqlSink("env:INGESTD_NO_SUCH_URL"), create(ANN))
    assert "env:INGESTD_NO_SUCH_URL" in str(found)


def test_a_backend_that_is_ended_in_the_middle_is_a_passing_fault(db: Database, sink: SqlSink) -> None:
    """As when the server is shut down."""
    apply(sink, create(ANN))
    trap(db, "PERFORM pg_terminate_backend(pg_backend_pid())")
    found = refusal(sink, create(BOB))
    assert (str(found), type(found)) == (f"{NOTHING_BUT}AdminShutdown (57P01)", TransientSinkError)
    db.do("DROP FUNCTION trap CASCADE")
    apply(sink, create(BOB), once="refused")
    assert rows_of(sink, "id") == [("P1",), ("P2",)]


@contextmanager
def deaf(target: Path, folder: Path, word: bytes) -> Iterator[None]:
    """Relay a socket of the server into `folder`, until a client says `word`: it is heard, its answer is not."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / target.name))
        listener.listen()

        def relay() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.socket(socket.AF_UNIX)
                    far.connect(str(target))
                    is_cut = threading.Event()
                    threading.Thread(target=_pass, args=(far, near, is_cut, b""), daemon=True).start()
                    threading.Thread(target=_pass, args=(near, far, is_cut, word), daemon=True).start()

        threading.Thread(target=relay, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def _pass(source: socket.socket, to: socket.socket, is_cut: threading.Event, word: bytes) -> None:
    with suppress(OSError):
        while said := source.recv(1 << 16):
            if word and word in said:
                is_cut.set()
            elif is_cut.is_set() and not word:
                to.shutdown(socket.SHUT_RDWR)
                source.close()
                return
            to.sendall(said)
    with suppress(OSError):
        to.shutdown(socket.SHUT_RDWR)


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_try(db: Database, tmp_path: Path) -> None:
    """The plan is done, nobody heard of it; to try again does nothing more and tells the same outcomes."""
    direct = SqlSink(db.reference(tmp_path))
    wanted = apply(direct, create(ANN))
    db.do("CREATE TABLE log (id text)")
    trap(db, "INSERT INTO log VALUES (NEW.id)")
    (tmp_path / "url").write_text(f"postgresql://ingestd@/{db.name}?host={tmp_path}")
    sink = SqlSink(f"file:{tmp_path / 'url'}")
    with deaf(db.server.folder / ".s.PGSQL.5432", tmp_path, b"COMMIT"):
        assert type(refusal(sink, create(BOB))) is TransientSinkError
    assert apply(direct, create(BOB), once="refused") == wanted
    assert db.rows("SELECT id FROM log") == [("P2",)]
    assert db.rows(f"SELECT count(*) FROM {PLANS}") == [(2,)]


def test_a_transaction_that_a_dead_process_left_is_waited_for(db: Database, tmp_path: Path) -> None:
    """The server goes on with a plan whose client is gone: the next try of it, or of another, comes after it."""
    sink = SqlSink(db.reference(tmp_path), lock_wait=5)
    apply(sink, create(ANN))
    db.do("CREATE TABLE log (id text)")
    trap(db, "PERFORM pg_advisory_xact_lock(1); INSERT INTO log VALUES (NEW.id)")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with db.connect(autocommit=False) as gate, ThreadPoolExecutor(2) as pool:
        gate.execute("SELECT pg_advisory_xact_lock(1)")
        first = pool.submit(apply, sink, create(BOB), once="2")
        until(lambda: db.rows(waiting) == [(1,)])
        again = pool.submit(apply, SqlSink(db.reference(tmp_path), lock_wait=5), create(BOB), once="2")
        until(lambda: db.rows(waiting) == [(2,)])
        gate.commit()
        assert first.result() == again.result()
    assert db.rows("SELECT id FROM log") == [("P2",)]


# What is not installed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"url": 3}])
def test_a_sink_without_a_url_is_a_fault_of_the_configuration(tmp_path: Path, settings: dict[str, Any]) -> None:
    """It is told with its key."""
    with pytest.raises(ConfigError, match=re.escape("sinks.url: a sql sink needs")):
        open_sink("sql", settings, tmp_path, None)  # type: ignore[arg-type]


def test_what_is_not_installed_is_told_with_the_remedy() -> None:
    """Nobody has to know what the sink is made of."""
    program = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from ingestd.core.rules import OnUnmapped, Rules\n"
        "from ingestd.sinks.base import check_sink\n"
        "print(*check_sink('sql', Rules((), {}, OnUnmapped.HOLD_RECORD, '')))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    told = "a sql sink cannot be had: the module sqlalchemy is not installed; pip install 'ingestd[postgres]'"
    assert ran.stdout == f"sinks.kind: {told}\n"
