"""What is kept of a feed, in one SQLite file: its runs, its snapshot, and the target records that it owns."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlite_utils

from ingestd import database
from ingestd.core.model import Mode
from ingestd.core.state import IllegalStepError, State, step
from ingestd.database import quoted
from ingestd.keepers import Renamed
from ingestd.owned import BY_RUN, OwnedRecords
from ingestd.snapshot import Place, Snapshot
from schemas import Shape

MAIN_SINK = "main sink"
"""Keeps the name of the first sink that a feed had: its owned records lie in tables without a prefix."""
migrations = sqlite_utils.Migrations("ingestd.store")


@migrations()
def runs_and_settings(db: sqlite_utils.Database) -> None:
    """Make the tables that every feed has. Versions and owned records get theirs when they first come."""
    meta, runs = db.table("meta"), db.table("runs")
    meta.create({"key": str, "value": str}, pk="key")
    meta.insert_all([{"key": "generation", "value": "0"}, {"key": "seed", "value": str(secrets.randbits(63))}])
    notes = {"table_name": str, "bit": int, "code": str, "column_name": str}
    db.table("notes").create(notes, pk=("table_name", "bit"))
    runs.create(
        {"number": int, "run": str, "sha256": str, "state": str, "token": str, "origin": str, "document": str},
        pk="number",
        not_null={"run", "state", "token", "document"},
    )
    runs.create_index(["run"], unique=True)


@migrations()
def ids_that_changed(db: sqlite_utils.Database) -> None:
    """Make the table of what became of ids, so that a record's story goes on under its new one."""
    columns = {"run": int, "table_name": str, "old": str, "new": str}
    db.table("ids").create(columns, pk=("table_name", "new", "run"))
    db.table("ids").create_index(["table_name", "old"])


@migrations()
def runs_of_what_is_owned(db: sqlite_utils.Database) -> None:
    """Add which run made each owned record and which one wrote it last; of what was done before, nobody knows."""
    for table in db.table_names():
        if table.startswith("owned_"):
            for column in BY_RUN:
                db.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {column} INTEGER")


@migrations()
def absences(db: sqlite_utils.Database) -> None:
    """Make the table of owned target records that are absent and not removed yet."""
    columns = {"target": str, "key_hash": int, "since": int, "drops": int}
    db.table("absences").create(columns, pk=("target", "key_hash"))


@migrations()
def keys_that_changed(db: sqlite_utils.Database) -> None:
    """Make the table of what became of target records' keys, so that pins go with them."""
    db.table("rekeyed").create({"target": str, "old": int, "new": int}, pk=("target", "old"))


@dataclass(frozen=True, slots=True)
class Run:
    """A run as kept. `document` is what `ingestd show --json` prints; `token` is the sink's key to do it once."""

    number: int
    id: str
    state: State
    sha256: str
    token: str
    origin: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def is_begun(self) -> bool:
        """Return whether some of its plan may be done, so that this very plan must be made whole."""
        return self.state is State.APPLYING or bool(self.document.get("partly_done"))

    @property
    def modes(self) -> Mapping[str, Mode]:
        """Return what its drop says of its tables, without those that are absent; empty if that is not known."""
        return present(self.document.get("modes") or self.origin.get("modes") or {})

    @property
    def received_at(self) -> datetime:
        """Return when its drop was claimed."""
        return datetime.fromisoformat(self.document["received_at"])


def present(modes: Mapping[str, str]) -> dict[str, Mode]:
    """Return the modes of tables without those that are absent."""
    return {name: Mode(mode) for name, mode in modes.items() if mode != Mode.ABSENT}


class Store:
    """One feed's store. Only the holder of `locked` may write."""

    def __init__(self, folder: Path, feed: str, shapes: Mapping[str, Shape]) -> None:
        self.feed = feed
        self._lock = folder / f"{feed}.lock"
        path = folder.absolute() / f"{feed}.db"
        self._db = database.connect(path)
        self._migrate()
        self.seed = int(self.meta("seed", "0"))
        self.renamed = Renamed(self._db)
        self._arrays = path.with_suffix(".owned")
        self.snapshot = Snapshot(self._db, Place(path, path.with_suffix(".arrays"), self.seed), shapes)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def at(self, sink: str) -> OwnedRecords:
        """Return what is kept of the target records in a sink. The first sink that a feed ever had needs no prefix."""
        prefix = "" if sink == self.meta(MAIN_SINK, sink) else f"{sink}/"
        return OwnedRecords(self, self._db, self._arrays, prefix)

    def _migrate(self) -> None:
        """Bring the file to this version's form, at once or not at all, and one process after another."""
        db = sqlite_utils.Database(self._db)
        if migrations.pending(db):
            with self.transaction():
                migrations.apply(db)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other process works on this feed, and keep others out."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def is_busy(self) -> bool:
        """Return whether a process works on this feed now."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    # Settings that the snapshot depends on -------------------------------------------------------------------

    def meta(self, key: str, default: str) -> str:
        """Return a kept value."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        return str(row[0]) if row else default

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value."""
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value]
        )

    # Runs ----------------------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Return the number of the next run."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM runs").fetchone()[0])

    def add_run(self, number: int, sha256: str, origin: Mapping[str, Any], document: Mapping[str, Any]) -> Run:
        """Keep a new run in the state `received`."""
        run = f"{self.feed}.{number}"
        row = [number, run, sha256, str(State.RECEIVED), secrets.token_hex(8), json.dumps(origin), json.dumps(document)]
        self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return self.run(run)

    def run(self, run: str) -> Run:
        """Return a run.

        Raises:
            KeyError: there is none of that name.
        """
        row = self._db.execute(f"{_RUNS} WHERE run = ?", [run]).fetchone()
        if row is None:
            raise KeyError(run)
        return _run(row)

    def runs(self, *states: State, limit: int = -1) -> list[Run]:
        """Return runs, newest first; of these states if any are given."""
        where = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        rows = self._db.execute(f"{_RUNS}{where} ORDER BY number DESC LIMIT ?", [*map(str, states), limit])
        return [_run(row) for row in rows]

    def move(self, run: Run, state: State, document: Mapping[str, Any]) -> Run:
        """Take a run to its next state, and keep what is now known of it.

        Raises:
            IllegalStepError: the state table has no such step, or the run is in another state by now.
        """
        if state is not run.state:
            step(run.state, state)
        statement = "UPDATE runs SET state = ?, document = ? WHERE number = ? AND state = ?"
        done = self._db.execute(statement, [str(state), json.dumps(document), run.number, str(run.state)])
        if not done.rowcount:
            raise IllegalStepError(f"run {run.id} is not {run.state} any more")
        return self.run(run.id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do several of these things in one transaction."""
        with database.transaction(self._db):
            yield


_RUNS = "SELECT number, run, state, sha256, token, origin, document FROM runs"


def _run(row: Sequence[Any]) -> Run:
    number, run, state, sha256, token, origin, document = row
    return Run(number, run, State(state), sha256, token, json.loads(origin or "{}"), json.loads(document))


def documents(folder: Path, feed: str) -> list[Mapping[str, Any]]:
    """Return the documents of a feed's runs, newest first, without opening its store for writing."""
    path = folder / f"{feed}.db"
    if not path.exists() or not path.stat().st_size:  # it is empty until it has its tables
        return []
    with closing(database.open_to_read(path)) as db:
        rows = db.execute("SELECT document FROM runs ORDER BY number DESC").fetchall()
    return [json.loads(row[0]) for row in rows]
