"""Rows on their way into a database: whole columns, into a temporary table that the statements then read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ingestd.core.columns import arrow
from ingestd.core.model import Actions, Kind, Mask

LOAD = "_ingestd_load"
_TEMPORARY = {"postgresql": "pg_temp", "sqlite": "temp"}
"""The schema in which a table is a temporary one."""
_SLICE = 50_000
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
"""What COPY reads as anything but itself (PostgreSQL, COPY, text format)."""
_TAB, _NOTHING, _END = (pa.scalar(text, pa.large_string()) for text in ("\t", "", "\n"))
_NUL = "it has a NUL character, which PostgreSQL cannot keep"


def unkept(group: Actions, dialect: str) -> Mask:
    """Return which rows the database can keep in no way: PostgreSQL has no text with a NUL in it."""
    found = np.zeros(len(group), bool)
    for name in group.frame.columns if dialect == "postgresql" else ():
        values = arrow(group.frame[name])
        if _has(values, "\0"):
            found |= pc.match_substring(values, "\0").to_numpy(zero_copy_only=False)
    return found


def failures(group: Actions, unkept: Mask) -> Mapping[int, str]:
    """Return the rows that failed, and why. No record has such a key, so that it is removed already."""
    return {} if group.kind is Kind.REMOVE else dict.fromkeys(np.flatnonzero(unkept).tolist(), _NUL)


def load(db: sa.Connection, columns: Sequence[pa.Array]) -> sa.Table:
    """Return a new temporary table of these rows, its columns called c0, c1, and so on, all text."""
    names = [f"c{number}" for number in range(len(columns))]
    table = sa.Table(
        LOAD, sa.MetaData(), *(sa.Column(name, sa.Text) for name in names), schema=_TEMPORARY.get(db.dialect.name)
    )
    table.create(db)
    if db.dialect.name == "postgresql":
        driver: Any = db.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {_TEMPORARY['postgresql']}.{LOAD} FROM STDIN") as copy:
            for part in copy_lines(columns):
                copy.write(part)
        return table
    for start in range(0, len(columns[0]), _SLICE):
        cells = zip(*(values.slice(start, _SLICE).to_pylist() for values in columns), strict=True)
        db.exec_driver_sql(f"INSERT INTO temp.{LOAD} VALUES ({', '.join('?' * len(columns))})", [*cells])
    return table


def copy_lines(columns: Sequence[pa.Array]) -> Iterator[memoryview]:
    """Yield rows as COPY reads them, many at a time: Arrow joins the cells, and its buffer is the text."""
    for start in range(0, len(columns[0]), _SLICE):
        cells = [_escaped(values.slice(start, _SLICE)) for values in columns]
        yield _bytes(pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, _TAB), _NOTHING, _END))


def _escaped(values: pa.Array) -> pa.Array:
    for said, written in _ESCAPES.items():
        if _has(values, said):
            values = pc.replace_substring(values, said, written)
    return values


def _has(values: pa.Array, character: str) -> bool:
    """Return whether an ASCII character is anywhere in a column, which it nearly never is."""
    return bool((np.frombuffer(_bytes(values), np.uint8) == ord(character)).any())


def _bytes(values: pa.Array) -> memoryview:
    """Return the text of a column of large strings, one value directly after the other."""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None and len(values) else memoryview(b"")
