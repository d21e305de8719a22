"""Rows on their way into a database: whole columns, into a temporary table that the statements then read."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ingestd.core.columns import arrow
from ingestd.core.model import Actions, Kind

LOAD = "_ingestd_load"
_TEMPORARY = {"postgresql": "pg_temp", "sqlite": "temp"}
"""The schema in which a table is a temporary one."""
_SLICE = 50_000
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
"""What COPY reads as anything but itself (PostgreSQL, COPY, text format)."""
_TAB, _NOTHING, _END = (pa.scalar(text, pa.large_string()) for text in ("\t", "", "\n"))
_NUL = "it has a NUL character, which PostgreSQL cannot keep"


def refused(group: Actions, dialect: str) -> Mapping[int, str]:
    """Return the rows that the database can keep in no way, and why. A removal finds no such record, so it is done."""
    if dialect != "postgresql" or group.kind is Kind.REMOVE:
        return {}
    cells = [arrow(group.frame[name]) for name in group.frame.columns]
    masks = [pc.match_substring(values, "\0").to_numpy(zero_copy_only=False) for values in cells if _has(values, "\0")]
    return dict(zip(np.flatnonzero(np.logical_or.reduce(masks)).tolist(), repeat(_NUL))) if masks else {}


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
