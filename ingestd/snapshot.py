"""A feed's roster as last accepted: append-only versions in SQLite, and beside them files derived from the live ones.

A version is live until a run closes it, which is told in a table of its own: versions are never written again, and
closing a thousand of a million touches a few pages. The files are arrays, which are all that a daily run loads, and
columns, for plans that read whole tables; they lie in a folder of the snapshot's generation, and are made of the
versions anew when they are missing or of another generation.
"""

import shutil
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd import arrays, columnfiles, database
from ingestd.core.commit import advance, live_of
from ingestd.core.model import Ints, Mask
from ingestd.core.roster import Settled
from ingestd.core.scan import Live
from ingestd.core.validate import NOTES, Note
from ingestd.database import quoted, select
from schemas import Shape

_KEPT = ("rid", "opened", "hash", "notes")
_FIRST = ("sourcedId",)
"""The columns of a table that never came; which others it would have, its first file tells."""
_NEXT = "next"
"""The folder of arrays whose generation is not committed yet."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record: the numbers of the runs that opened and closed it, and its columns.

    `notes` has a bit for each of `Snapshot.notes` that it carries.
    """

    opened: int
    closed: int | None
    values: Mapping[str, str]
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a snapshot lies, and the feed's seed: by it another process can read it."""

    store: Path
    arrays: Path
    seed: int


class Snapshot:
    """The snapshot of one feed. Writing happens inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, place: Place, shapes: Mapping[str, Shape]) -> None:
        self.place = place
        self._db = db
        self._arrays = place.arrays
        self._shapes = shapes
        self._seed = place.seed

    # Reading -----------------------------------------------------------------------------------------------

    def live(self, name: str) -> Live:
        """Return the arrays of a table's live records; read-only maps of files where those are up to date."""
        if not self._exists(name):
            return Live()
        generation = self._generation()
        folder = self._arrays / str(generation) / name
        live = arrays.load(folder, self._shapes[name])
        if live is None:
            live, frame = self._rebuild(name)
            self._forget_others(generation)
            arrays.save(folder, live)
            columnfiles.replace(self._columns_of(name), np.sort(live.rid), frame)
        return live

    def columns(self, name: str) -> tuple[str, ...]:
        """Return a table's columns as kept: the standard's, then the vendor's own."""
        kept = [row[1] for row in self._db.execute(f"PRAGMA table_info({_versions(name)})")]
        return tuple(column for column in kept if column not in _KEPT) or _FIRST

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return the versions with these keys, in this order."""
        columns = self.columns(name)
        order = np.argsort(rids, kind="stable")
        query = f"SELECT {_list(columns)} FROM {_versions(name)} WHERE rid IN (%s) ORDER BY rid"
        parts = [select(self._db, query % _marks(some), columns, some) for some in database.slices(rids[order])]
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pd.concat(parts, ignore_index=True).iloc[back].reset_index(drop=True) if parts else _empty(columns)

    def read_live(self, name: str, without: Ints | None = None, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return all live records of a table, save those with a key in `without`; of `columns` if given."""
        kept = self.columns(name)
        columns = kept if columns is None else [column for column in kept if column in columns]
        if not self._exists(name):
            return _empty(columns)
        rids, frame = self._columns(name, columns)
        if without is None or not len(without):
            return frame
        return frame[~np.isin(rids, without)].reset_index(drop=True)

    def _columns(self, name: str, columns: Sequence[str]) -> tuple[Ints, pd.DataFrame]:
        """Return the keys of a table's live records and their columns, from the files beside the arrays.

        If these are not what they should be, they are made anew.
        """
        live, folder = self.live(name), self._columns_of(name)
        found = columnfiles.load(folder, live.rid, columns)
        if found is None:
            rids, frame = np.sort(live.rid), self._stored(name)
            columnfiles.replace(folder, rids, frame)
            found = rids, frame[list(columns)]
        return found

    def _columns_of(self, name: str) -> Path:
        return self._arrays / str(self._generation()) / name / columnfiles.COLUMNS

    def _stored(self, name: str) -> pd.DataFrame:
        """Return all live records of a table as the store has them."""
        columns = self.columns(name)
        query = f"SELECT {database.joined(columns)} FROM {_live(name)} AND rid BETWEEN ? AND ?"
        return database.select_joined(self._db, query, columns, self._last(name))

    def has_live(self, name: str, column: str, values: Sequence[str]) -> bool:
        """Return whether a live record of a table has one of these values in a column."""
        if not self._exists(name) or column not in self.columns(name):
            return False
        query = f"SELECT 1 FROM {_live(name)} AND {quoted(column)} IN ({_marks(values)}) LIMIT 1"
        return self._db.execute(query, list(values)).fetchone() is not None

    def notes(self, name: str) -> tuple[Note, ...]:
        """Return what the bits of a table's notes mean."""
        rows = self._db.execute("SELECT code, column_name FROM notes WHERE table_name = ? ORDER BY bit", [name])
        return tuple((code, column) for code, column in rows)

    def history(self, name: str, sourced_id: str) -> list["Version"]:
        """Return all versions of one record, oldest first."""
        if not self._exists(name):
            return []
        columns = self.columns(name)
        both = f"{_versions(name)} LEFT JOIN {_closings(name)} USING (rid)"
        query = f"SELECT opened, closed, notes, {_list(columns)} FROM {both} WHERE sourcedId = ? ORDER BY rid"
        rows = self._db.execute(query, [sourced_id])
        return [
            Version(opened, closed, dict(zip(columns, cells, strict=True)), notes)
            for opened, closed, notes, *cells in rows
        ]

    def opened_by(self, name: str, run: int) -> Ints:
        """Return the keys of the versions that a run opened."""
        return self._rids(name, f"SELECT rid FROM {_versions(name)} WHERE opened = ? ORDER BY rid", run)

    def closed_by(self, name: str, run: int) -> Ints:
        """Return the keys of the versions that a run closed."""
        return self._rids(name, f"SELECT rid FROM {_closings(name)} WHERE closed = ? ORDER BY rid", run)

    def _rids(self, name: str, query: str, run: int) -> Ints:
        if not self._exists(name):
            return np.zeros(0, np.int64)
        return database.integers(database.fetch(self._db, query, [pa.int64()], [run])[0])

    def count(self, name: str) -> int:
        """Return the number of live records of a table."""
        if not self._exists(name):
            return 0
        query = f"SELECT (SELECT count(*) FROM {_versions(name)}) - (SELECT count(*) FROM {_closings(name)})"
        return int(self._db.execute(query).fetchone()[0])

    # Writing -----------------------------------------------------------------------------------------------

    def commit(self, settled: Mapping[str, Settled], run: int) -> None:
        """Write the versions that a run opens, and which ones it closes; `publish` once the transaction is over."""
        shutil.rmtree(self._arrays / _NEXT, ignore_errors=True)
        for name, one in settled.items():
            folder, frame = self._arrays / _NEXT / name, one.new.frame.iloc[one.opened]
            rids, live = self._commit(name, one, frame, run)
            arrays.save(folder, live)
            columnfiles.save(folder / columnfiles.COLUMNS, rids, frame)
        self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def publish(self) -> None:
        """Put the arrays of a committed generation in place; a crash before that costs the time to rebuild them."""
        generation = self._generation()
        before, following = self._arrays / str(generation - 1), self._arrays / _NEXT
        following.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in self._shapes:
            if (following / name).exists():
                columnfiles.carry(before / name / columnfiles.COLUMNS, following / name / columnfiles.COLUMNS)
            else:
                arrays.carry(before / name, following / name)
        shutil.rmtree(self._arrays / str(generation), ignore_errors=True)
        following.rename(self._arrays / str(generation))
        self._forget_others(generation)
        for name in self._shapes:
            folder = self._columns_of(name)
            if columnfiles.count(folder) > columnfiles.MOST:
                columnfiles.replace(folder, *self._columns(name, self.columns(name)))

    def _forget_others(self, generation: int) -> None:
        """Remove the arrays of other generations, lest one of them is taken for good when its number comes again."""
        for old in self._arrays.iterdir() if self._arrays.exists() else ():
            if old.name != str(generation):
                shutil.rmtree(old, ignore_errors=True)

    def _commit(self, name: str, settled: Settled, frame: pd.DataFrame, run: int) -> tuple[Ints, Live]:
        """Write what becomes of a table, of which `frame` is opened; return the keys of that, and the arrays."""
        self._create(name, tuple(frame.columns))
        notes, has_room = self._note_bits(name, settled)
        settled = replace(settled, new=replace(settled.new, hash=np.where(has_room, settled.new.hash, np.uint64(0))))
        first = self._last(name) + 1
        rids = np.arange(first, first + len(frame))
        columns = ("rid", "opened", "hash", "notes", *frame.columns)
        statement = f"INSERT INTO {_versions(name)} ({_list(columns)}) VALUES ({_marks(columns)})"
        hashes, noted = database.signed(settled.new.hash[settled.opened]), notes[settled.opened].tolist()
        database.insert(self._db, statement, frame, rids.tolist(), [run] * len(frame), hashes, noted)
        rids_closed = settled.live.rid[settled.closed].tolist()
        self._db.executemany(f"INSERT INTO {_closings(name)} VALUES (?, ?)", ((rid, run) for rid in rids_closed))
        still, same = settled.difference.still, settled.difference.same
        hashes, noted = database.signed(settled.new.hash[same]), notes[same].tolist()
        self._update(name, "hash = ?, notes = ?", settled.live.rid[still], hashes, noted)
        self._update(name, "hash = 0", settled.live.rid[settled.forgotten])
        return rids, advance(settled, self._shapes[name], first, notes, self._seed)

    def _update(self, name: str, change: str, rids: Ints, *values: Sequence[int]) -> None:
        statement = f"UPDATE {_versions(name)} SET {change} WHERE rid = ?"
        self._db.executemany(statement, zip(*values, rids.tolist(), strict=True))

    def _create(self, name: str, columns: Sequence[str]) -> None:
        """Make the table of versions, or add the columns that the vendor, or the binding, added."""
        if not self._exists(name):
            text = ", ".join(f"{quoted(column)} TEXT NOT NULL DEFAULT ''" for column in columns)
            kept = "rid INTEGER PRIMARY KEY, opened INTEGER NOT NULL, hash INTEGER NOT NULL, notes INTEGER NOT NULL"
            self._db.execute(f"CREATE TABLE {_versions(name)} ({kept}, {text})")
            self._db.execute(f"CREATE TABLE {_closings(name)} (rid INTEGER PRIMARY KEY, closed INTEGER NOT NULL)")
            return
        have = {column.casefold() for column in self.columns(name)}  # as SQLite compares names
        for column in columns:
            if column.casefold() not in have:
                statement = f"ALTER TABLE {_versions(name)} ADD COLUMN {quoted(column)} TEXT NOT NULL DEFAULT ''"
                self._db.execute(statement)

    def _note_bits(self, name: str, settled: Settled) -> tuple[Ints, Mask]:
        """Translate the candidates' notes into the snapshot's bits, and say whose notes all find room there."""
        known = {note: bit for bit, note in enumerate(self.notes(name))}
        bits, has_room = np.zeros(len(settled.new), np.int64), np.ones(len(settled.new), bool)
        for i, note in enumerate(settled.new.note_names):
            carried = (settled.new.notes >> i) & 1
            bit = known.get(note, len(known))
            if bit >= NOTES:
                has_room &= carried == 0
                continue
            known[note] = bit
            self._db.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?)", [name, bit, *note])
            bits |= carried << bit
        return bits, has_room

    def _exists(self, name: str) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [f"versions_{name}"]).fetchone()
        return found is not None

    def _last(self, name: str) -> int:
        return int(self._db.execute(f"SELECT coalesce(max(rid), 0) FROM {_versions(name)}").fetchone()[0])

    def _generation(self) -> int:
        return int(self._db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])

    def _rebuild(self, name: str) -> tuple[Live, pd.DataFrame]:
        """Return the arrays of a table, and the columns in the order of their keys."""
        frame = self._stored(name)
        query = f"SELECT rid, hash, notes FROM {_live(name)} ORDER BY rid"
        rid, hashes, notes = database.fetch(self._db, query, [pa.int64()] * 3)
        rids, noted = database.integers(rid), database.integers(notes)
        return live_of(self._shapes[name], frame, rids, database.hashes(hashes), noted, self._seed), frame


def open_snapshot(place: Place, shapes: Mapping[str, Shape]) -> Snapshot:
    """Return a snapshot that can be read and not written; its arrays must be up to date.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return Snapshot(database.open_to_read(place.store), place, shapes)


def _versions(name: str) -> str:
    return quoted(f"versions_{name}")


def _closings(name: str) -> str:
    return quoted(f"closings_{name}")


def _live(name: str) -> str:
    return f"{_versions(name)} WHERE rid NOT IN (SELECT rid FROM {_closings(name)})"


def _list(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted, columns))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype="str") for name in columns})
