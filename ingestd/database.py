"""How SQLite is opened: one connection a process that writes, a rollback journal, one transaction a step.

A write-ahead log can lose a commit when there are several connections, before SQLite 3.51.3 (its "WAL-reset bug");
so there is none.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, to_series
from ingestd.core.hashing import RECORD
from ingestd.core.model import Hashes, Ints

CACHE = 8 << 10
"""KiB of pages that a connection keeps in memory."""
BUSY = 60.0
"""Seconds to wait for another process's transaction."""
_SLICE = 20_000
_VARIABLES = 30_000
_JOINED = 50_000
_READERS = 4
"""Connections that read one table side by side, at most; more would wait for each other."""


def connect(path: Path, busy: float = BUSY) -> sqlite3.Connection:
    """Open a database that only its owner can read; made if missing. `busy` as `BUSY`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
    db = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = TRUNCATE")
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("PRAGMA secure_delete = ON")
    db.execute(f"PRAGMA cache_size = -{CACHE}")
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a database that is there, to read it and to write nothing, not even beside it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA temp_store = MEMORY")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction, rolled back if it, or the commit, raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has SQLite roll back by itself
            db.execute("ROLLBACK")
        raise


def quoted(name: str) -> str:
    """Return a name as an SQL identifier; columns may have dots in them."""
    return '"' + name.replace('"', '""') + '"'


def insert(db: sqlite3.Connection, statement: str, frame: pd.DataFrame, *beside: Sequence[object]) -> None:
    """Execute a statement for every row: first the values of `beside`, then the frame's cells in its order."""
    cells = [arrow(frame[name]) for name in frame.columns]
    for start in range(0, len(frame), _SLICE):
        stop = start + _SLICE
        columns = [values[start:stop] for values in beside]
        columns += [values.slice(start, _SLICE).to_pylist() for values in cells]
        db.executemany(statement, zip(*columns, strict=True))


def select(db: sqlite3.Connection, query: str, columns: Sequence[str], values: Sequence[object] = ()) -> pd.DataFrame:
    """Return the rows of a query as a frame of strings."""
    cells = fetch(db, query, [pa.large_string()] * len(columns), values)
    return pd.DataFrame({name: to_series(one) for name, one in zip(columns, cells, strict=True)}, copy=False)


def fetch(
    db: sqlite3.Connection, query: str, types: Sequence[pa.DataType], values: Sequence[object] = ()
) -> list[pa.Array]:
    """Return the columns of a query as Arrow arrays of these types."""
    parts = fetch_parts(db, query, types, values)
    return [pa.concat_arrays(column) for column in zip([pa.array([], kind) for kind in types], *parts, strict=True)]


def fetch_parts(
    db: sqlite3.Connection, query: str, types: Sequence[pa.DataType], values: Sequence[object] = ()
) -> Iterator[list[pa.Array]]:
    """Yield the columns of a query some rows at a time, none if there are none."""
    cursor = db.execute(query, values)
    while rows := cursor.fetchmany(_SLICE):
        yield [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]


def joined(columns: Sequence[str]) -> str:
    """Return what is selected so that `select_joined` can read it.

    SQLite joins a column's values by a separator that the gate lets into no value, and Arrow cuts them apart, so that
    no Python object is made of each.
    """
    each = (f"CAST(group_concat({quoted(name)}, '{RECORD}') AS BLOB)" for name in columns)  # a call would be per row
    return ", ".join(["count(*)", *each])


def select_joined(db: sqlite3.Connection, query: str, columns: Sequence[str], last: int) -> pd.DataFrame:
    """Return text columns that are not null, which the query selects `joined` between two integer keys.

    They come in the order of the key, from 0 to `last`, for SQLite walks along it.

    Raises:
        ValueError: a value has the separator.
    """
    ranges = [(start, start + _JOINED - 1) for start in range(0, last + 1, _JOINED)]
    whole = map(to_series, _joined_of_each(db, query, len(columns), ranges))
    return pd.DataFrame(dict(zip(columns, whole, strict=True)), copy=False)


def select_joined_hashes(db: sqlite3.Connection, query: str, count: int, pieces: int) -> list[Hashes]:
    """Return `count` columns of hashes, which the query selects `joined` between two keys, themselves hashes.

    They come in the order of the key as `signed`, and are read in so many pieces, a power of two.
    """
    edges = range(-(1 << 63), 1 << 63, (1 << 64) // pieces)
    texts = _joined_of_each(db, query, count, [(first, first + edges.step - 1) for first in edges])
    return [hashes(column.cast(pa.int64())) for column in texts]


def _joined_of_each(
    db: sqlite3.Connection, query: str, count: int, ranges: Sequence[tuple[int, int]]
) -> list[pa.Array]:
    """Return as many columns of text, which the query selects `joined` in each range."""
    parts = [[pa.array([], pa.large_string())] for _ in range(count)]
    for rows, *cells in _row_of_each(db, query, ranges):
        for part, cell in zip(parts, cells, strict=True):
            part.append(_cut(cell, rows))
    return [pa.concat_arrays(part) for part in parts]


def _row_of_each(db: sqlite3.Connection, query: str, ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[Any]]:
    """Yield the one row that a query gives of each range, in their order.

    Several are read at once, by connections of their own in threads, for SQLite steps without Python's lock. Not
    within a transaction: what it wrote, only its own connection sees.
    """
    path = db.execute("PRAGMA database_list").fetchone()[2]
    readers = min(os.cpu_count() or 1, _READERS, len(ranges))
    if readers < 2 or not path or db.in_transaction:
        yield from (db.execute(query, one).fetchone() for one in ranges)
        return
    idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    def read(one: tuple[int, int]) -> Sequence[Any]:
        own = idle.get()
        try:
            row: Sequence[Any] = own.execute(query, one).fetchone()
            return row
        finally:
            idle.put(own)

    with ExitStack() as stack:
        for _ in range(readers):
            idle.put(stack.enter_context(closing(open_to_read(Path(path)))))
        yield from stack.enter_context(ThreadPoolExecutor(readers)).map(read, ranges)


def _cut(joined: bytes | None, count: int) -> pa.Array:
    """Return the values that SQLite joined."""
    text = pa.array([joined] if count else [], pa.large_binary()).cast(pa.large_string())
    values = pc.list_flatten(pc.split_pattern(text, RECORD))
    if len(values) != count:
        raise ValueError("a value has a character that the gate lets into none")
    return values


def fetch_hashes(db: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Hashes:
    """Return the hashes of a query, row after row, kept as `signed`; no list is made of them."""
    return np.fromiter(chain.from_iterable(db.execute(query, values)), np.int64).view(np.uint64)


def integers(column: pa.Array) -> Ints:
    """Return a fetched column of integers."""
    found: Ints = column.to_numpy(zero_copy_only=False)
    return found


def hashes(column: pa.Array) -> Hashes:
    """Return a fetched column of hashes, kept as `signed`."""
    return integers(column).view(np.uint64)


def signed(hashes: Hashes) -> list[int]:
    """Return 64-bit hashes as the integers that SQLite can hold."""
    found: list[int] = hashes.view(np.int64).tolist()
    return found


def slices(keys: Ints) -> Iterator[list[int]]:
    """Yield the keys in pieces that fit into one statement."""
    for start in range(0, len(keys), _VARIABLES):
        yield keys[start : start + _VARIABLES].tolist()
