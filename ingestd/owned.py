"""The target records in one sink that ingestd made, and what else must be known of them; a part of the feed's store."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pyarrow as pa

from ingestd import database
from ingestd.core.hashing import find_unsorted, hash_ids
from ingestd.core.mapping import key_text, split_key
from ingestd.core.model import Actions, Hashes, Kind, Mask, OnAbsent, Outcome, Plan
from ingestd.core.pins import Stamp
from ingestd.core.plan import Owned
from ingestd.core.rules import Target
from ingestd.database import quoted, signed
from ingestd.errors import ConfigError
from ingestd.keepers import Absent, Found, Rekeyed
from ingestd.ownedarrays import OwnedArrays, Pair, Settings, advance, sorted_pair, with_contents

BY_RUN = ("made", "run")
"""The columns with the numbers of the runs that made a record, and last wrote it."""
_LARGE, _PIECES = 50_000, 64
"""So many owned records are read in pieces, and in how many."""
_OWNED = ("key_hash", "content", "key", "active", *BY_RUN)
_AGAIN = """ON CONFLICT (key_hash) DO UPDATE
    SET content = excluded.content, key = excluded.key, active = 1, run = excluded.run"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an owned target record stands: whether it is active, and the numbers of the runs that made and last wrote it.

    The numbers are None for what was done before they were kept.
    """

    active: bool
    made: int | None
    run: int | None


class OwnedRecords:
    """The owned target records of one sink. Writing happens inside the caller's transaction.

    `absent` are those that wait to be removed, `found` is what the sink was found to have before a plan, `rekeyed` has
    the keys that records had before.
    """

    def __init__(self, settings: Settings, db: sqlite3.Connection, arrays: Path, prefix: str) -> None:
        self._settings = settings
        self._arrays = OwnedArrays(settings, arrays, prefix)
        self._db = db
        self._prefix = prefix
        self._whole = f"is_whole {prefix}" if prefix else "is_whole"
        self.seed = settings.seed
        self.absent, self.found, self.rekeyed = Absent(db, prefix), Found(db, prefix), Rekeyed(db, prefix)

    @property
    def is_whole(self) -> bool:
        """Return whether all that was planned for the sink was done; if not, or if it is new, all is planned anew."""
        return self._settings.meta(self._whole, "no" if self._prefix else "yes") == "yes"

    def set_whole(self, *, is_whole: bool) -> None:
        """Keep whether all that was planned was done."""
        self._settings.set_meta(self._whole, "yes" if is_whole else "no")

    def owned(self, target: Target, keys: Hashes | None = None) -> Owned:
        """Return the active target records that ingestd created; only those with a key in `keys` if given.

        Raises:
            ConfigError: the rules give the table another key than that by which its records were made.
        """
        self._check_key(target.name, target.key)
        found, contents = self._all(target.name) if keys is None else self._some(target.name, keys)
        return Owned(found, contents, lambda some: self._key_fields(target, some))

    def _all(self, target: str) -> Pair:
        """Return the keys of active records, ascending, and their contents."""
        return self._arrays.load(target) or self._read(target)

    def _some(self, target: str, keys: Hashes) -> Pair:
        """Return the same of those that have one of the keys, in any order."""
        if not self._owns(target):
            return keys[:0], keys[:0]
        query = f"SELECT key_hash, content FROM {self._table(target)} WHERE active = 1 AND key_hash"
        pairs = self._fetch(query, keys)
        return pairs[0::2], pairs[1::2]

    def _read(self, target: str) -> Pair:
        """Return what the store has of `_all`."""
        if not self._owns(target):
            return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
        pieces = _PIECES if self.count_owned(target, _LARGE) == _LARGE else 1
        selected = database.joined(["key_hash", "content"])
        query = f"SELECT {selected} FROM {self._table(target)} WHERE active = 1 AND key_hash BETWEEN ? AND ?"
        keys, contents = database.select_joined_hashes(self._db, query, 2, pieces)
        return sorted_pair(keys, contents)

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
            marks = ", ".join("?" * len(some))
            query = f"SELECT key_hash, key FROM {self._table(target.name)} WHERE key_hash IN ({marks})"
            for part, column in zip(parts, database.fetch(self._db, query, types, some), strict=True):
                part.append(column)
        found, text = (pa.concat_arrays(part) for part in parts)
        at = find_unsorted(keys, database.hashes(found))
        return split_key(text.take(pa.array(at)), len(target.key))

    def _check_key(self, target: str, key: Sequence[str]) -> None:
        kept = json.loads(self._settings.meta(f"key of {self._prefix}{target}", json.dumps(key)))
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
        row = self._db.execute(f"SELECT active, made, run FROM {self._table(target)} WHERE key = ?", [key]).fetchone()
        return Standing(bool(row[0]), row[1], row[2]) if row else None

    def ever_owned(self, target: str, keys: Hashes) -> Hashes:
        """Return which of these keys are those of target records that ingestd owns, active or not."""
        if not self._owns(target):
            return keys[:0]
        return self._fetch(f"SELECT key_hash FROM {self._table(target)} WHERE key_hash", keys)

    def count_owned(self, target: str, at_most: int = -1) -> int:
        """Return how many active target records ingestd owns in a target table; counting stops at `at_most`."""
        if not self._owns(target):
            return 0
        some = f"SELECT 1 FROM {self._table(target)} WHERE active = 1 LIMIT ?"
        return int(self._db.execute(f"SELECT count(*) FROM ({some})", [at_most]).fetchone()[0])

    def own(self, plan: Plan, outcomes: Sequence[Outcome], run: int | None = None) -> bool:
        """Record what was done to target records, and by which run. Return whether all of it was."""
        active: dict[str, Pair] = {}
        for group, outcome in zip(plan.actions, outcomes, strict=True):
            done = np.ones(len(group), bool)
            done[list(outcome.failed)] = False
            before = active.get(group.target) or self._all(group.target)
            self._own(group, done, run)
            is_renamed = group.kind is Kind.REKEY
            active[group.target] = self._read(group.target) if is_renamed else advance(before, group, done)
        for target, pair in active.items():
            self._arrays.save(target, pair)
        return not any(outcome.failed for outcome in outcomes)

    def stamp(self, stamps: Sequence[Stamp]) -> None:
        """Keep other contents of owned records, to which nothing was done."""
        for one in stamps:
            if len(one.keys):
                before = self._all(one.target)
                rows = zip(signed(one.contents), signed(one.keys), strict=True)
                self._db.executemany(f"UPDATE {self._table(one.target)} SET content = ? WHERE key_hash = ?", rows)
                self._arrays.save(one.target, with_contents(before, one.keys, one.contents))

    def _own(self, group: Actions, done: Mask, run: int | None) -> None:
        table = self._table(group.target)
        if not self._owns(group.target):
            columns = (
                "key_hash INTEGER PRIMARY KEY, content INTEGER NOT NULL, key TEXT NOT NULL, active INTEGER NOT NULL"
            )
            self._db.execute(f"CREATE TABLE {table} ({columns}, {', '.join(f'{one} INTEGER' for one in BY_RUN)})")
            self._settings.set_meta(f"key of {self._prefix}{group.target}", json.dumps(group.key))
        rows = np.flatnonzero(done)
        rows = rows[np.argsort(group.keys[rows].view(np.int64))]  # in the order of the table, or SQLite is slow
        keys, contents = signed(group.keys[rows]), signed(group.contents[rows])
        if group.kind is Kind.REKEY:
            texts = key_text(group.frame.iloc[rows], group.new_key)
            new = hash_ids(texts, self.seed)
            change = "SET key_hash = ?, key = ?, run = ? WHERE key_hash = ? AND active = 1"
            renamed = zip(signed(new), texts.to_pylist(), repeat(run), keys)
            self._db.executemany(f"UPDATE OR REPLACE {table} {change}", renamed)
            self.rekeyed.keep(group.target, group.keys[rows], new)
        elif group.kind is not Kind.REMOVE:
            texts = key_text(group.frame[list(group.key)].iloc[rows], group.key)
            statement = f"INSERT INTO {table} ({', '.join(_OWNED)}) VALUES (?, ?, ?, 1, ?, ?) {_AGAIN}"
            self._db.executemany(statement, zip(keys, contents, texts.to_pylist(), repeat(run), repeat(run)))
        elif group.on_absent is OnAbsent.DELETE:
            self._db.executemany(f"DELETE FROM {table} WHERE key_hash = ?", ((key,) for key in keys))
        else:
            statement = f"UPDATE {table} SET active = 0, run = ? WHERE key_hash = ?"
            self._db.executemany(statement, zip(repeat(run), keys))

    def _owns(self, target: str) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM sqlite_master WHERE name = ?", [f"owned_{self._prefix}{target}"]
        ).fetchone()
        return row is not None

    def _table(self, target: str) -> str:
        return quoted(f"owned_{self._prefix}{target}")
