"""A feed's roster as last accepted: append-only versions in SQLite, and beside them arrays derived from the live ones.

A version is live until a run closes it. The arrays are all that a daily run loads; they carry the snapshot's
generation, and are rebuilt from the versions when they are missing or of another generation.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ingestd import database
from ingestd.core.commit import advance, live_of
from ingestd.core.model import Hashes, Ints
from ingestd.core.read import METADATA
from ingestd.core.roster import Settled
from ingestd.core.scan import Live, References
from ingestd.core.validate import Note
from ingestd.database import quoted, select
from ingestd.files import sync_folder
from schemas import Table

_KEPT = ("rid", "opened", "closed", "hash", "notes")
_NOTES = 62
"""Notes a record can carry: bits of a signed 64-bit integer, less the sign and one to spare."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record: the numbers of the runs that opened and closed it, and its columns."""

    opened: int
    closed: int | None
    values: Mapping[str, str]


class Snapshot:
    """The snapshot of one feed. Writing happens inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, arrays: Path, tables: Mapping[str, Table], seed: int) -> None:
        self._db = db
        self._arrays = arrays
        self._tables = tables
        self._seed = seed

    # Reading -----------------------------------------------------------------------------------------------

    def live(self, name: str) -> Live:
        """Return the arrays of a table's live records; read-only maps of files where those are up to date."""
        folder = self._arrays / str(self._generation()) / name
        if (folder / "complete").exists():
            return _load(folder)
        live = self._rebuild(name)
        _save(folder, live)
        return live

    def columns(self, name: str) -> tuple[str, ...]:
        """Return a table's columns as kept: the binding's, then the vendor's own."""
        kept = [row[1] for row in self._db.execute(f"PRAGMA table_info({_versions(name)})")]
        return tuple(column for column in kept if column not in _KEPT) or self._tables[name].header

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return the versions with these keys, in this order."""
        columns = self.columns(name)
        order = np.argsort(rids, kind="stable")
        query = f"SELECT {_list(columns)} FROM {_versions(name)} WHERE rid IN (%s) ORDER BY rid"
        parts = [select(self._db, query % _marks(some), columns, some) for some in database.slices(rids[order])]
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pd.concat(parts, ignore_index=True).iloc[back].reset_index(drop=True) if parts else _empty(columns)

    def read_live(self, name: str, without: Ints | None = None) -> pd.DataFrame:
        """Return all live records of a table, save those with a key in `without`."""
        columns = self.columns(name)
        if not self._exists(name):
            return _empty(columns)
        live = f"FROM {_versions(name)} WHERE closed IS NULL ORDER BY rid"
        frame = select(self._db, f"SELECT {_list(columns)} {live}", columns)
        if without is None or not len(without):
            return frame
        rids = np.array(self._db.execute(f"SELECT rid {live}").fetchall(), np.int64)[:, 0]
        return frame[~np.isin(rids, without)].reset_index(drop=True)

    def notes(self, name: str) -> tuple[Note, ...]:
        """Return what the bits of a table's notes mean."""
        rows = self._db.execute("SELECT code, column_name FROM notes WHERE table_name = ? ORDER BY bit", [name])
        return tuple((code, column) for code, column in rows)

    def history(self, name: str, sourced_id: str) -> list["Version"]:
        """Return all versions of one record, oldest first."""
        if not self._exists(name):
            return []
        columns = self.columns(name)
        query = f"SELECT opened, closed, {_list(columns)} FROM {_versions(name)} WHERE sourcedId = ? ORDER BY rid"
        rows = self._db.execute(query, [sourced_id])
        return [Version(opened, closed, dict(zip(columns, cells, strict=True))) for opened, closed, *cells in rows]

    def count(self, name: str) -> int:
        """Return the number of live records of a table."""
        if not self._exists(name):
            return 0
        query = f"SELECT count(*) FROM {_versions(name)} WHERE closed IS NULL"
        return int(self._db.execute(query).fetchone()[0])

    # Writing -----------------------------------------------------------------------------------------------

    def commit(self, settled: Mapping[str, Settled], run: int) -> dict[str, Live]:
        """Write the versions that a run opens and closes. Return the next live arrays, for `publish`."""
        following = {name: self._commit(name, one, run) for name, one in settled.items()}
        self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
        return following

    def publish(self, following: Mapping[str, Live]) -> None:
        """Put the arrays of a committed generation in place, after the transaction; a crash here costs time only."""
        generation = self._generation()
        for name in self._tables:
            folder = self._arrays / str(generation) / name
            if name in following:
                _save(folder, following[name])
            else:
                _carry(self._arrays / str(generation - 1) / name, folder)
        for old in self._arrays.iterdir():
            if old.name != str(generation):
                shutil.rmtree(old, ignore_errors=True)

    def _commit(self, name: str, settled: Settled, run: int) -> Live:
        frame = settled.new.frame.iloc[settled.opened]
        self._create(name, tuple(frame.columns))
        notes = self._note_bits(name, settled)
        first = int(self._db.execute(f"SELECT coalesce(max(rid), 0) + 1 FROM {_versions(name)}").fetchone()[0])
        rids = range(first, first + len(frame))
        columns = ("rid", "opened", "hash", "notes", *frame.columns)
        statement = f"INSERT INTO {_versions(name)} ({_list(columns)}) VALUES ({_marks(columns)})"
        hashes, noted = database.signed(settled.new.hash[settled.opened]), notes[settled.opened].tolist()
        database.insert(self._db, statement, frame, rids, [run] * len(frame), hashes, noted)
        self._update(name, "closed = ?", settled.live.rid[settled.closed], [run] * len(settled.closed))
        still, same = settled.difference.still, settled.difference.same
        hashes, noted = database.signed(settled.new.hash[same]), notes[same].tolist()
        self._update(name, "hash = ?, notes = ?", settled.live.rid[still], hashes, noted)
        self._update(name, "hash = 0", settled.live.rid[settled.forgotten])
        return advance(settled, first, notes, self._seed)

    def _update(self, name: str, change: str, rids: Ints, *values: Sequence[int]) -> None:
        statement = f"UPDATE {_versions(name)} SET {change} WHERE rid = ?"
        self._db.executemany(statement, zip(*values, rids.tolist(), strict=True))

    def _create(self, name: str, columns: Sequence[str]) -> None:
        """Make the table of versions, or add the columns that the vendor added."""
        if not self._exists(name):
            text = ", ".join(f"{quoted(column)} TEXT NOT NULL DEFAULT ''" for column in columns)
            kept = "rid INTEGER PRIMARY KEY, opened INTEGER NOT NULL, closed INTEGER, hash INTEGER, notes INTEGER"
            self._db.execute(f"CREATE TABLE {_versions(name)} ({kept}, {text})")
            return
        for column in columns:
            if column.startswith(METADATA) and column not in self.columns(name):
                statement = f"ALTER TABLE {_versions(name)} ADD COLUMN {quoted(column)} TEXT NOT NULL DEFAULT ''"
                self._db.execute(statement)

    def _note_bits(self, name: str, settled: Settled) -> Ints:
        """Translate the candidates' notes into the snapshot's bits; what finds no bit is not remembered as known."""
        known = {note: bit for bit, note in enumerate(self.notes(name))}
        bits = np.zeros(len(settled.new), np.int64)
        for i, note in enumerate(settled.new.note_names):
            bit = known.setdefault(note, len(known))
            if bit <= _NOTES:
                self._db.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?)", [name, bit, *note])
                bits |= ((settled.new.notes >> i) & 1) << bit
        return bits

    def _exists(self, name: str) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [f"versions_{name}"]).fetchone()
        return found is not None

    def _generation(self) -> int:
        return int(self._db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])

    def _rebuild(self, name: str) -> Live:
        if not self._exists(name):
            return Live()
        frame = self.read_live(name)
        query = f"SELECT rid, hash, notes FROM {_versions(name)} WHERE closed IS NULL ORDER BY rid"
        beside = np.array(self._db.execute(query).fetchall(), np.int64).reshape(-1, 3)
        rid, hashes, notes = (np.ascontiguousarray(beside[:, i]) for i in range(3))
        return live_of(self._tables[name], frame, rid, hashes.view(np.uint64), notes, self._seed)


def _versions(name: str) -> str:
    return quoted(f"versions_{name}")


def _list(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted, columns))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype="str") for name in columns})


# The arrays as files ----------------------------------------------------------------------------------------


def _save(folder: Path, live: Live) -> None:
    """Write the arrays; the file `complete` comes last, so that a torn set is never read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    for name in ("rid", "hash", "id", "content", "notes"):
        _write(folder / f"{name}.npy", getattr(live, name))
    for column, one in live.references.items():
        _write(folder / f"{column}.row.npy", one.row)
        _write(folder / f"{column}.target.npy", one.target)
    (folder / "complete").write_text(json.dumps(sorted(live.references)))
    sync_folder(folder)


def _write(path: Path, values: Ints | Hashes) -> None:
    with path.open("wb") as file:
        np.save(file, values)
        file.flush()
        os.fsync(file.fileno())


def _load(folder: Path) -> Live:
    def array(name: str) -> Ints:
        found: Ints = np.load(folder / f"{name}.npy", mmap_mode="r")
        return found

    columns = json.loads((folder / "complete").read_text())
    references = {name: References(array(f"{name}.row"), array(f"{name}.target").view(np.uint64)) for name in columns}
    hashes = {name: array(name).view(np.uint64) for name in ("hash", "id", "content")}
    return Live(rid=array("rid"), notes=array("notes"), references=references, **hashes)


def _carry(before: Path, after: Path) -> None:
    """Take over the arrays of a table that a run did not touch."""
    if (before / "complete").exists():
        after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        before.rename(after)
