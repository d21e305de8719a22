"""What is kept of a feed, in one SQLite file: its runs, its snapshot, and the target records that it owns."""

import fcntl
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlite_utils

from ingestd import database
from ingestd.core.mapping import KEY_JOIN, key_text
from ingestd.core.model import Actions, Hashes, Kind, OnAbsent, Outcome, Plan
from ingestd.core.plan import Owned
from ingestd.core.rules import Target
from ingestd.core.state import State, step
from ingestd.database import quoted, signed
from ingestd.snapshot import Snapshot
from schemas import Table

migrations = sqlite_utils.Migrations("ingestd.store")


@migrations()
def runs_and_settings(db: sqlite_utils.Database) -> None:
    """Make the tables that every feed has. Versions and owned records get theirs when they first come."""
    db["meta"].create({"key": str, "value": str}, pk="key")
    db["meta"].insert_all([{"key": "generation", "value": "0"}, {"key": "seed", "value": str(secrets.randbits(63))}])
    db["notes"].create({"table_name": str, "bit": int, "code": str, "column_name": str}, pk=("table_name", "bit"))
    db["runs"].create(
        {"number": int, "run": str, "sha256": str, "state": str, "token": str, "origin": str, "document": str},
        pk="number",
        not_null={"run", "state", "token", "document"},
    )
    db["runs"].create_index(["run"], unique=True)


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


class Store:
    """One feed's store. Only the holder of `locked` may write."""

    def __init__(self, folder: Path, feed: str, tables: Mapping[str, Table]) -> None:
        self.feed = feed
        self._lock = folder / f"{feed}.lock"
        self._db = database.connect(folder / f"{feed}.db")
        migrations.apply(sqlite_utils.Database(self._db))
        self.seed = int(self.meta("seed", "0"))
        self.snapshot = Snapshot(self._db, folder / f"{feed}.arrays", tables, self.seed)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

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
            IllegalStepError: the state table has no such step.
        """
        if state is not run.state:
            step(run.state, state)
        self._db.execute(
            "UPDATE runs SET state = ?, document = ? WHERE number = ?", [str(state), json.dumps(document), run.number]
        )
        return self.run(run.id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do several of these things in one transaction."""
        with database.transaction(self._db):
            yield

    # Owned target records ------------------------------------------------------------------------------------

    def owned(self, target: Target, keys: Hashes | None = None) -> Owned:
        """Return the active target records that ingestd created; only those with a key in `keys` if given."""
        none = np.zeros(0, np.uint64)
        if not self._owns(target.name):
            return Owned(none, none, [pa.array([], pa.large_string()) for _ in target.key])
        query = f"SELECT key_hash, content, key FROM {_owned(target.name)} WHERE active = 1"
        if keys is None:
            rows = self._db.execute(query).fetchall()
        else:
            rows = [
                row
                for some in database.slices(keys.view(np.int64))
                for row in self._db.execute(f"{query} AND key_hash IN ({', '.join('?' * len(some))})", some)
            ]
        numbers = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
        parts = [str(row[2]).split(KEY_JOIN) for row in rows]
        fields = [pa.array([part[i] for part in parts], pa.large_string()) for i in range(len(target.key))]
        return Owned(_unsigned(numbers[:, 0]), _unsigned(numbers[:, 1]), fields)

    def owns(self, target: str, key: str) -> bool | None:
        """Return whether the target record of that key is active, or None if ingestd does not own it."""
        if not self._owns(target):
            return None
        row = self._db.execute(f"SELECT active FROM {_owned(target)} WHERE key = ?", [key]).fetchone()
        return bool(row[0]) if row else None

    def count_owned(self, target: str) -> int:
        """Return how many active target records ingestd owns in a target table."""
        if not self._owns(target):
            return 0
        return int(self._db.execute(f"SELECT count(*) FROM {_owned(target)} WHERE active = 1").fetchone()[0])

    def own(self, plan: Plan, outcomes: Sequence[Outcome]) -> bool:
        """Record what was done to target records. Return whether all of it was."""
        for group, outcome in zip(plan.actions, outcomes, strict=True):
            done = np.ones(len(group), bool)
            done[list(outcome.failed)] = False
            self._own(group, done)
        return not any(outcome.failed for outcome in outcomes)

    def _own(self, group: Actions, done: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> None:
        table = _owned(group.target)
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS {table} "
            "(key_hash INTEGER PRIMARY KEY, content INTEGER NOT NULL, key TEXT NOT NULL, active INTEGER NOT NULL)"
        )
        keys, contents = signed(group.keys[done]), signed(group.contents[done])
        if group.kind is not Kind.REMOVE:
            texts = key_text(group.frame[done], group.key).to_pylist()
            statement = f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, 1)"
            self._db.executemany(statement, zip(keys, contents, texts, strict=True))
        elif group.on_absent is OnAbsent.DELETE:
            self._db.executemany(f"DELETE FROM {table} WHERE key_hash = ?", ((key,) for key in keys))
        else:
            self._db.executemany(f"UPDATE {table} SET active = 0 WHERE key_hash = ?", ((key,) for key in keys))

    def _owns(self, target: str) -> bool:
        row = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [f"owned_{target}"]).fetchone()
        return row is not None


_RUNS = "SELECT number, run, state, sha256, token, origin, document FROM runs"


def _run(row: Sequence[Any]) -> Run:
    number, run, state, sha256, token, origin, document = row
    return Run(number, run, State(state), sha256, token, json.loads(origin or "{}"), json.loads(document))


def _owned(target: str) -> str:
    return quoted(f"owned_{target}")


def _unsigned(values: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Hashes:
    return np.ascontiguousarray(values).view(np.uint64)


def open_readonly(folder: Path, feed: str) -> sqlite3.Connection | None:
    """Return a connection that cannot write, or None if the feed has no store yet."""
    path = folder / f"{feed}.db"
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=database.BUSY) if path.exists() else None
