"""Target tables as they must be before a plan is carried out: made, widened, or somebody else's, if they fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ingestd.core.model import Plan
from ingestd.errors import SinkError

_LONGEST = {"postgresql": 63}
"""Bytes of the longest name; PostgreSQL would cut longer ones, and two could become one."""
_BLANK = sa.text("''")


@dataclass(frozen=True, slots=True)
class Target:
    """A target table.

    `demanded` are the columns of somebody else's without which it takes no new row. One that was just made is empty and
    may still lack its key, which is `keyless` then.
    """

    table: sa.Table
    demanded: tuple[str, ...] = ()
    is_empty: bool = False
    keyless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan wants of a target table: its fields, and those that are its key."""

    name: str
    key: tuple[str, ...]
    fields: tuple[str, ...]


def fit(db: sa.Connection, schema: str | None, plan: Plan) -> dict[str, Target]:
    """Return the plan's target tables, having made or widened those that want it.

    Raises:
        SinkError: one does not fit. Nothing was done then.
    """
    look = sa.inspect(db)
    wishes = {group.target: group for group in plan.actions}
    found = []
    for name, group in wishes.items():
        columns = [column for one in plan.actions if one.target == name for column in one.columns]
        wish = Wish(name, group.key, tuple(dict.fromkeys(columns)))
        _check_names(wish, _LONGEST.get(db.dialect.name))
        have = look.get_columns(name, schema) if look.has_table(name, schema) else None
        if have is not None:
            _check_key(wish, {one["name"] for one in have}, _uniques(look, name, schema))
        found.append((wish, have))
    return {
        wish.name: _make(db, schema, wish) if have is None else _take(db, schema, wish, have) for wish, have in found
    }


def _own(dialect: str) -> list[sa.Column[Any]]:
    """Return the columns of a target table beside the rules' fields."""
    moment = sa.DateTime(timezone=True) if dialect == "postgresql" else sa.Text()
    since = sa.text("'1970-01-01T00:00:00Z'")
    return [
        sa.Column("_active", sa.SmallInteger, nullable=False, server_default=sa.text("1")),
        sa.Column("_run", sa.Text, nullable=False, server_default=_BLANK),
        sa.Column("_changed_at", moment, nullable=False, server_default=since),
    ]


def _field(name: str) -> sa.Column[Any]:
    return sa.Column(sa.quoted_name(name, quote=True), sa.Text, nullable=False, server_default=_BLANK)


def with_key(db: sa.Connection, target: Target) -> Target:
    """Return a table that is not empty any more, with its key."""
    if target.keyless:
        key = sa.PrimaryKeyConstraint(*target.keyless)
        target.table.append_constraint(key)
        db.execute(sa.schema.AddConstraint(key))
    return Target(target.table, target.demanded)


def _make(db: sa.Connection, schema: str | None, wish: Wish) -> Target:
    """Make a table. PostgreSQL gives it its key when the first rows are in: that is half the work."""
    is_later = db.dialect.name == "postgresql"
    columns: list[Any] = [*map(_field, wish.fields), *_own(db.dialect.name)]
    key = [] if is_later else [sa.PrimaryKeyConstraint(*wish.key)]
    table = sa.Table(sa.quoted_name(wish.name, quote=True), sa.MetaData(), *columns, *key, schema=schema)
    table.create(db)
    return Target(table, is_empty=True, keyless=wish.key if is_later else ())


def _take(db: sa.Connection, schema: str | None, wish: Wish, have: Sequence[Any]) -> Target:
    """Return a table that is there, with the columns that it lacked."""
    known = {one["name"] for one in have}
    more = [one for one in (*map(_field, wish.fields), *_own(db.dialect.name)) if one.name not in known]
    columns = [sa.Column(sa.quoted_name(one["name"], quote=True), one["type"]) for one in have]
    table = sa.Table(sa.quoted_name(wish.name, quote=True), sa.MetaData(), *columns, *more, schema=schema)
    place = db.dialect.identifier_preparer.format_table(table)
    for one in more:
        column = sa.schema.CreateColumn(one).compile(dialect=db.dialect)
        db.exec_driver_sql(f"ALTER TABLE {place} ADD COLUMN {column}")
    ours = {*wish.fields, *(one.name for one in _own(db.dialect.name))}
    return Target(table, tuple(one["name"] for one in have if _is_demanded(one) and one["name"] not in ours))


def _is_demanded(column: Any) -> bool:
    given = ("default", "identity", "computed")
    return (
        not column["nullable"] and not any(column.get(one) for one in given) and column.get("autoincrement") is not True
    )


def _check_names(wish: Wish, longest: int | None) -> None:
    for name in (wish.name, *wish.fields):
        if longest and len(name.encode()) > longest:
            raise SinkError(f"the sql sink cannot make {name!r}: a name has at most {longest} bytes; change the rules")


def _uniques(look: sa.Inspector, name: str, schema: str | None) -> Iterator[frozenset[str | None]]:
    """Yield the sets of columns by which a table's rows are unique."""
    yield frozenset(look.get_pk_constraint(name, schema)["constrained_columns"])
    yield from (frozenset(one["column_names"]) for one in look.get_unique_constraints(name, schema))
    for index in look.get_indexes(name, schema):
        is_partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        if index["unique"] and not is_partial:
            yield frozenset(index["column_names"])


def _check_key(wish: Wish, have: set[str], uniques: Iterator[frozenset[str | None]]) -> None:
    if missing := [name for name in wish.key if name not in have]:
        raise SinkError(f"the sql sink cannot take the table {wish.name!r}: it has no column {missing[0]!r}, the key")
    if frozenset(wish.key) not in uniques:
        key = ", ".join(map(repr, wish.key))
        raise SinkError(f"the sql sink cannot take the table {wish.name!r}: nothing makes its key ({key}) unique")
