"""A group of actions as statements that each do all of its rows, which lie in a temporary table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ingestd.core.columns import arrow
from ingestd.core.model import Actions, Kind, OnAbsent
from ingestd.errors import SinkError
from ingestd.sinks.sql_rows import load
from ingestd.sinks.sql_tables import Target

Cells = Mapping[str, sa.ColumnElement[Any]]
"""Where a statement finds the cells of its rows, by the names of the frame's columns."""
_INSERT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_BLANK = sa.literal_column("''", sa.Text)


def carry_out(db: sa.Connection, target: Target, group: Actions, stamp: Mapping[str, str]) -> None:
    """Carry out a group of actions; `stamp` is what its records get beside their fields.

    Raises:
        SinkError: the table is somebody else's, and wants what nobody has.
    """
    for part in _apart(group) if group.kind is Kind.REKEY else [group.frame]:
        rows = load(db, [arrow(part[name]) for name in part.columns])
        cells: Cells = dict(zip(part.columns, rows.c, strict=True))
        for statement in _statements(db.dialect.name, target, group, cells, stamp):
            db.execute(statement)
        rows.drop(db)


def is_text(kind: sa.types.TypeEngine[Any]) -> bool:
    """Return whether a column takes text as it is."""
    return isinstance(kind, (sa.String, sa.types.NullType)) and not isinstance(kind, sa.Enum)


def _statements(
    dialect: str, target: Target, group: Actions, cells: Cells, stamp: Mapping[str, str]
) -> Sequence[sa.Executable]:
    table = target.table
    told = {name: _as(table.c[name], sa.literal(text, sa.Text)) for name, text in stamp.items()}
    if group.kind is Kind.REKEY:
        return _rekey(table, group, cells, told)
    if group.kind is not Kind.REMOVE:
        return [_upsert(_INSERT[dialect], target, group.key, cells, told)]
    found = _among(table, group.key, cells)
    if group.on_absent is OnAbsent.DELETE:
        return [table.delete().where(found)]
    return [table.update().where(found).values({"_active": _number(table, 0), **told})]


def _upsert(insert: Any, target: Target, key: Sequence[str], cells: Cells, told: Cells) -> sa.Executable:
    """Return what sets fields of records; in those that are new, what a table of somebody else's demands is blank."""
    table = target.table
    sets = {"_active": _number(table, 1), **told, **{name: _as(table.c[name], cell) for name, cell in cells.items()}}
    blank = {name: _blank(table, name) for name in target.demanded}
    values = sa.select(*sets.values(), *blank.values()).where(sa.literal_column("1") == sa.literal_column("1"))
    made: sqlite.Insert = insert(table).from_select([*sets, *blank], values)
    if target.is_empty:  # nothing can be in the way, and to look takes half as long again
        return made
    return made.on_conflict_do_update(index_elements=[*key], set_={name: made.excluded[name] for name in sets})


def _rekey(table: sa.Table, group: Actions, cells: Cells, told: Cells) -> Sequence[sa.Executable]:
    """Return what has whatever is at a new key give way, if there is who wants it, and what gives that key."""
    new = dict(zip(group.key, (cells[name] for name in group.new_key), strict=True))
    there = table.alias()
    is_wanted = sa.and_(_matches(there, group.key, cells), sa.or_(*(cells[name] != cell for name, cell in new.items())))
    sets = {name: _as(table.c[name], cell) for name, cell in new.items()}
    return [
        table.delete().where(_among(table, group.key, new, is_wanted)),
        table.update().where(_matches(table, group.key, cells)).values({**sets, **told}),
    ]


def _apart(group: Actions) -> Iterator[pd.DataFrame]:
    """Yield changes of keys so that none meets another: all at once, or, if one wants what another has, each alone."""
    frame = group.frame
    old, new = (pd.MultiIndex.from_frame(frame[[*names]]) for names in (group.key, group.new_key))
    if not new.isin(old).any() and new.is_unique:
        yield frame
        return
    for row in range(len(frame)):
        yield frame.iloc[[row]]


def _matches(table: sa.FromClause, key: Sequence[str], cells: Cells) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == _as(table.c[name], cells[name]) for name in key))


def _among(
    table: sa.Table, key: Sequence[str], cells: Cells, where: sa.ColumnElement[bool] | None = None
) -> sa.ColumnElement[bool]:
    """Return the condition that a record's key is that of some row, or of some such row."""
    keys = sa.select(*(_as(table.c[name], cells[name]) for name in key))
    return sa.tuple_(*(table.c[name] for name in key)).in_(keys if where is None else keys.where(where))


def _as(column: sa.ColumnElement[Any], cell: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a cell as a column takes it; a blank is NULL where it is no text."""
    return cell if is_text(column.type) else sa.cast(sa.func.nullif(cell, _BLANK), column.type)


def _number(table: sa.Table, value: int) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal_column(str(value), sa.Integer), table.c["_active"].type)


def _blank(table: sa.Table, name: str) -> sa.ColumnElement[Any]:
    """Return a blank.

    Raises:
        SinkError: the column takes none.
    """
    if not is_text(table.c[name].type):
        raise SinkError(
            f"the sql sink cannot take the table {table.name!r}: its column {name!r} wants a value; give it a default"
        )
    return _BLANK
