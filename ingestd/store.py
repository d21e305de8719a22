"""What is kept of a feed, in one SQLite file: its runs, its snapshot, and the target records that it owns."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlite_utils

from ingestd import database
from ingestd.core.hashing import find_unsorted, hash_ids
from ingestd.core.mapping import key_text, split_key
from ingestd.core.model import Actions, Hashes, Kind, Mask, OnAbsent, Outcome, Plan
from ingestd.core.pins import Stamp
from ingestd.core.plan import Owned
from ingestd.core.rules import Target
from ingestd.core.state import IllegalStepError, State, step
from ingestd.database import quoted, signed
from ingestd.errors import ConfigError
from ingestd.keepers import Absent, Found, Renamed
from ingestd.snapshot import Place, Snapshot
from schemas import Shape

migrations = sqlite_utils.Migrations("ingestd.store")
_BY_RUN = ("made", "run")
_LARGE, _PIECES = 50_000, 64
"""So many owned records are read in pieces, and in how many."""


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
            for column in _BY_RUN:
                db.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {column} INTEGER")


@migrations()
def absences(db: sqlite_utils.Database) -> None:
    """Make the table of owned target records that are absent and not removed yet."""
    columns = {"target": str, "key_hash": int, "since": int, "drops": int}
    db.table("absences").create(columns, pk=("target", "key_hash"))


@dataclass(frozen=True, slots=True)
class Standing:
    """How an owned target record stands: whether it is active, and the numbers of the runs that made and last wrote it.

    The numbers are None for what was done before they were kept.
    """

    active: bool
    made: int | None
    run: int | None


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

    def __init__(self, folder: Path, feed: str, shapes: Mapping[str, Shape]) -> None:
        self.feed = feed
        self._lock = folder / f"{feed}.lock"
        path = folder.absolute() / f"{feed}.db"
        self._db = database.connect(path)
        self._migrate()
        self.seed = int(self.meta("seed", "0"))
        self.absent, self.renamed, self.found = Absent(self._db), Renamed(self._db), Found(self._db)
        self.snapshot = Snapshot(self._db, Place(path, path.with_suffix(".arrays"), self.seed), shapes)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

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

    # Owned target records ------------------------------------------------------------------------------------

    def owned(self, target: Target, keys: Hashes | None = None) -> Owned:
        """Return the active target records that ingestd created; only those with a key in `keys` if given.

        Raises:
            ConfigError: the rules give the table another key than that by which its records were made.
        """
        found, contents = self._hashes(target, keys) if self._owns(target.name) else np.zeros((2, 0), np.uint64)
        return Owned(found, contents, lambda some: self._key_fields(target, some))

    def _hashes(self, target: Target, keys: Hashes | None) -> Sequence[Hashes]:
        """Return keys and contents of owned records."""
        self._check_key(target.name, target.key)
        table = f"{_owned(target.name)} WHERE active = 1 AND key_hash"
        if keys is not None:
            pairs = self._fetch(f"SELECT key_hash, content FROM {table}", keys)
            return pairs[0::2], pairs[1::2]
        pieces = _PIECES if self.count_owned(target.name, _LARGE) == _LARGE else 1
        query = f"SELECT {database.joined(['key_hash', 'content'])} FROM {table} BETWEEN ? AND ?"
        return database.select_joined_hashes(self._db, query, 2, pieces)

    def _fetch(self, query: str, keys: Hashes) -> Hashes:
        """Return the hashes of a query that ends with what is one of the keys."""
        slices = database.slices(keys.view(np.int64))
        parts = (database.fetch_hashes(self._db, f"{query} IN ({', '.join('?' * len(some))})", some) for some in slices)
        return np.concatenate([np.zeros(0, np.uint64), *parts])

    def _key_fields(self, target: Target, keys: Hashes) -> list[pa.Array]:
        """Return the key fields of owned records, in the order of the keys asked for."""
        types = [pa.int64(), pa.large_string()]
        parts: list[list[pa.Array]] = [[pa.array([], kind)] for kind in types]
        for some in database.slices(keys.view(np.int64)):
            query = f"SELECT key_hash, key FROM {_owned(target.name)} WHERE key_hash IN ({', '.join('?' * len(some))})"
            for part, column in zip(parts, database.fetch(self._db, query, types, some), strict=True):
                part.append(column)
        found, text = (pa.concat_arrays(part) for part in parts)
        at = find_unsorted(keys, database.hashes(found))
        return split_key(text.take(pa.array(at)), len(target.key))

    def _check_key(self, target: str, key: Sequence[str]) -> None:
        kept = json.loads(self.meta(f"key of {target}", json.dumps(key)))
        if kept != list(key):
            words = f"its records were made with the key {kept}; a table of another key needs another name"
            raise ConfigError([f"table.{target}.key: {words}"])

    def owns(self, target: str, key: str) -> bool | None:
        """Return whether the target record of that key is active, or None if ingestd does not own it."""
        found = self.standing(target, key)
        return found.active if found else None

    def standing(self, target: str, key: str) -> Standing | None:
        """Return how the target record of that key stands, or None if ingestd does not own it."""
        if not self._owns(target):
            return None
        row = self._db.execute(f"SELECT active, made, run FROM {_owned(target)} WHERE key = ?", [key]).fetchone()
        return Standing(bool(row[0]), row[1], row[2]) if row else None

    def ever_owned(self, target: str, keys: Hashes) -> Hashes:
        """Return which of these keys are those of target records that ingestd owns, active or not."""
        if not self._owns(target):
            return keys[:0]
        return self._fetch(f"SELECT key_hash FROM {_owned(target)} WHERE key_hash", keys)

    def count_owned(self, target: str, at_most: int = -1) -> int:
        """Return how many active target records ingestd owns in a target table; counting stops at `at_most`."""
        if not self._owns(target):
            return 0
        some = f"SELECT 1 FROM {_owned(target)} WHERE active = 1 LIMIT ?"
        return int(self._db.execute(f"SELECT count(*) FROM ({some})", [at_most]).fetchone()[0])

    def own(self, plan: Plan, outcomes: Sequence[Outcome], run: int | None = None) -> bool:
        """Record what was done to target records, and by which run. Return whether all of it was."""
        for group, outcome in zip(plan.actions, outcomes, strict=True):
            done = np.ones(len(group), bool)
            done[list(outcome.failed)] = False
            self._own(group, done, run)
        return not any(outcome.failed for outcome in outcomes)

    def stamp(self, stamps: Sequence[Stamp]) -> None:
        """Keep other contents of owned records, to which nothing was done."""
        for one in stamps:
            rows = zip(signed(one.contents), signed(one.keys), strict=True)
            if len(one.keys):
                self._db.executemany(f"UPDATE {_owned(one.target)} SET content = ? WHERE key_hash = ?", rows)

    def _own(self, group: Actions, done: Mask, run: int | None) -> None:
        table = _owned(group.target)
        if not self._owns(group.target):
            columns = (
                "key_hash INTEGER PRIMARY KEY, content INTEGER NOT NULL, key TEXT NOT NULL, active INTEGER NOT NULL"
            )
            self._db.execute(f"CREATE TABLE {table} ({columns}, {', '.join(f'{one} INTEGER' for one in _BY_RUN)})")
            self.set_meta(f"key of {group.target}", json.dumps(group.key))
        rows = np.flatnonzero(done)
        rows = rows[np.argsort(group.keys[rows].view(np.int64))]  # in the order of the table, or SQLite is slow
        keys, contents = signed(group.keys[rows]), signed(group.contents[rows])
        if group.kind is Kind.REKEY:
            new = key_text(group.frame.iloc[rows], group.new_key)
            change = "SET key_hash = ?, key = ?, run = ? WHERE key_hash = ? AND active = 1"
            renamed = zip(signed(hash_ids(new, self.seed)), new.to_pylist(), repeat(run), keys)
            self._db.executemany(f"UPDATE OR REPLACE {table} {change}", renamed)
        elif group.kind is not Kind.REMOVE:
            texts = key_text(group.frame[list(group.key)].iloc[rows], group.key).to_pylist()
            statement = f"INSERT INTO {table} ({', '.join(_OWNED)}) VALUES (?, ?, ?, 1, ?, ?) {_AGAIN}"
            self._db.executemany(statement, zip(keys, contents, texts, repeat(run), repeat(run)))
        elif group.on_absent is OnAbsent.DELETE:
            self._db.executemany(f"DELETE FROM {table} WHERE key_hash = ?", ((key,) for key in keys))
        else:
            statement = f"UPDATE {table} SET active = 0, run = ? WHERE key_hash = ?"
            self._db.executemany(statement, zip(repeat(run), keys))

    def _owns(self, target: str) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [f"owned_{target}"])
        return found.fetchone() is not None


_OWNED = ("key_hash", "content", "key", "active", *_BY_RUN)
_AGAIN = """ON CONFLICT (key_hash) DO UPDATE
    SET content = excluded.content, key = excluded.key, active = 1, run = excluded.run"""
_RUNS = "SELECT number, run, state, sha256, token, origin, document FROM runs"


def _run(row: Sequence[Any]) -> Run:
    number, run, state, sha256, token, origin, document = row
    return Run(number, run, State(state), sha256, token, json.loads(origin or "{}"), json.loads(document))


def _owned(target: str) -> str:
    return quoted(f"owned_{target}")


def documents(folder: Path, feed: str) -> list[Mapping[str, Any]]:
    """Return the documents of a feed's runs, newest first, without opening its store for writing."""
    path = folder / f"{feed}.db"
    if not path.exists() or not path.stat().st_size:  # it is empty until it has its tables
        return []
    with closing(database.open_to_read(path)) as db:
        rows = db.execute("SELECT document FROM runs ORDER BY number DESC").fetchall()
    return [json.loads(row[0]) for row in rows]
