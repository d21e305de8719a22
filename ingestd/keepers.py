"""What is kept in a feed's store beside its runs, snapshot and owned records, a table or two for each kind.

Writing happens inside the caller's transaction.
"""

import sqlite3
from collections.abc import Mapping
from itertools import repeat

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd import database
from ingestd.core.grace import Absences
from ingestd.core.hashing import find_unsorted
from ingestd.core.model import Hashes
from ingestd.core.rekey import Ids
from ingestd.database import quoted, signed


class Absent:
    """Which owned target records of a sink are absent and wait to be removed; `prefix` tells sinks apart."""

    def __init__(self, db: sqlite3.Connection, prefix: str = "") -> None:
        self._db = db
        self._prefix = prefix

    def of(self, target: str) -> Absences:
        """Return the absences of a target table."""
        query = "SELECT key_hash, since, drops FROM absences WHERE target = ? ORDER BY key_hash"
        keys, since, drops = database.fetch(self._db, query, [pa.int64()] * 3, [self._prefix + target])
        return Absences(database.hashes(keys), database.integers(since), database.integers(drops))

    def keep(self, target: str, absent: Absences) -> None:
        """Keep these absences of a target table, and no others."""
        self._db.execute("DELETE FROM absences WHERE target = ?", [self._prefix + target])
        names, numbers = [self._prefix + target] * len(absent), (absent.since.tolist(), absent.drops.tolist())
        rows = zip(names, signed(absent.keys), *numbers, strict=True)
        self._db.executemany("INSERT INTO absences VALUES (?, ?, ?, ?)", rows)


class Rekeyed:
    """Which keys owned target records of a sink had before; `prefix` tells sinks apart."""

    def __init__(self, db: sqlite3.Connection, prefix: str = "") -> None:
        self._db = db
        self._prefix = prefix

    def of(self, target: str) -> tuple[Hashes, Hashes]:
        """Return former keys, and the key that the record of each has now."""
        query = "SELECT old, new FROM rekeyed WHERE target = ?"
        old, new = database.fetch(self._db, query, [pa.int64()] * 2, [self._prefix + target])
        return database.hashes(old), database.hashes(new)

    def keep(self, target: str, old: Hashes, new: Hashes) -> None:
        """Keep that records got other keys, all at once: one may have the key that another had."""
        former, had = self.of(target)
        at = find_unsorted(had, old)
        now = np.where(at >= 0, np.append(new, np.uint64(0))[at], had)
        for keys, become in ((former, now), (old, new)):
            rows = zip(repeat(self._prefix + target), signed(keys), signed(become))
            self._db.executemany("INSERT OR REPLACE INTO rekeyed VALUES (?, ?, ?)", rows)


class Renamed:
    """Which ids runs changed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, run: int, ids: Ids) -> None:
        """Keep which ids a run changed."""
        for table, mapping in ids.items():
            rows = ((run, table, old, new) for old, new in mapping.items())
            self._db.executemany("INSERT INTO ids VALUES (?, ?, ?, ?)", rows)

    def before(self, table: str, new: str, run: int) -> str | None:
        """Return from what id a run made this one, if it did."""
        query = "SELECT old FROM ids WHERE table_name = ? AND new = ? AND run = ?"
        row = self._db.execute(query, [table, new, run]).fetchone()
        return str(row[0]) if row else None

    def after(self, table: str, old: str, run: int) -> str | None:
        """Return what id a run made of this one, if it did."""
        query = "SELECT new FROM ids WHERE table_name = ? AND old = ? AND run = ?"
        row = self._db.execute(query, [table, old, run]).fetchone()
        return str(row[0]) if row else None


class Found:
    """What a sink was found to have, while a plan made from it is being applied; `prefix` tells sinks apart."""

    def __init__(self, db: sqlite3.Connection, prefix: str = "") -> None:
        self._db = db
        self._name = f"found_{prefix}" if prefix else "there_"

    def keep(self, found: Mapping[str, pd.DataFrame]) -> None:
        """Keep what a plan was made from, so that it is made again as it was: applying it changes the application."""
        self.forget()
        for target, frame in found.items():
            columns = ", ".join(f"{quoted(name)} TEXT NOT NULL" for name in frame.columns)
            self._db.execute(f"CREATE TABLE {quoted(self._name + target)} ({columns})")
            marks = ", ".join("?" * len(frame.columns))
            database.insert(self._db, f"INSERT INTO {quoted(self._name + target)} VALUES ({marks})", frame)

    def of(self, target: str) -> pd.DataFrame | None:
        """Return what is kept of a target table, if anything is."""
        table = quoted(self._name + target)
        names = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
        return database.select(self._db, f"SELECT * FROM {table} ORDER BY rowid", names) if names else None

    def forget(self) -> None:
        """Let go of what is kept."""
        for (table,) in self._db.execute(
            "SELECT name FROM sqlite_master WHERE name GLOB ?", [f"{self._name}*"]
        ).fetchall():
            self._db.execute(f"DROP TABLE {quoted(table)}")
