"""Keeps which owned target records are absent and wait to be removed; a table of its own in the feed's store."""

import sqlite3

import pyarrow as pa

from ingestd import database
from ingestd.core.grace import Absences
from ingestd.database import signed


class AbsenceKeeper:
    """The absences of all target tables. Writing happens inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def of(self, target: str) -> Absences:
        """Return the absences of a target table."""
        query = "SELECT key_hash, since, drops FROM absences WHERE target = ? ORDER BY key_hash"
        keys, since, drops = database.fetch(self._db, query, [pa.int64()] * 3, [target])
        return Absences(database.hashes(keys), database.integers(since), database.integers(drops))

    def keep(self, target: str, absent: Absences) -> None:
        """Keep these absences of a target table, and no others."""
        self._db.execute("DELETE FROM absences WHERE target = ?", [target])
        names, numbers = [target] * len(absent), (absent.since.tolist(), absent.drops.tolist())
        rows = zip(names, signed(absent.keys), *numbers, strict=True)
        self._db.executemany("INSERT INTO absences VALUES (?, ?, ?, ?)", rows)
