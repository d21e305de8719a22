"""Target tables in a database that SQLAlchemy speaks to, PostgreSQL first. The whole plan and its digest in one commit.

Law 6 for a server that may outlive us: a killed process, or a lost connection, can leave a transaction behind that has
not ended. So each plan begins by waiting for all others into the same schema; what it then sees is what was done.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from ingestd import secrets
from ingestd.core.columns import blanks, to_series
from ingestd.core.model import Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.errors import ConfigError, SinkError
from ingestd.sinks import sql_engine
from ingestd.sinks.base import Progress
from ingestd.sinks.sql_faults import fault_of
from ingestd.sinks.sql_rows import failures, unkept
from ingestd.sinks.sql_statements import carry_out, is_text
from ingestd.sinks.sql_tables import fit, with_key

PLANS = "_ingestd_plans"
"""The table that remembers which plans have been applied."""
_SLICE = 20_000


class SqlSink:
    """A target table per table of the rules: its fields as text, unique by key, `_active`, `_run`, `_changed_at`.

    A connection lasts as long as a plan, or as one look at a table; the secret is read anew for each.
    """

    transactional = True

    def __init__(self, url: str, schema: str | None = None, lock_wait: float = sql_engine.LOCK_WAIT) -> None:
        """Take a reference to the URL, and the schema of the tables: the connection's own if None.

        `lock_wait`: seconds to wait for somebody else's lock.
        """
        self._url = url
        self._schema = schema
        self._lock_wait = lock_wait

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Self:  # noqa: ARG003
        """Read `url`, a reference to a secret, and `schema`.

        Raises:
            ConfigError: there is no url.
        """
        if not isinstance(settings.get("url"), str):
            raise ConfigError(['sinks.url: a sql sink needs a reference to its URL, like url = "credential:db"'])
        return cls(settings["url"], settings.get("schema"))

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Carry a plan out in one transaction. Rows that the database can keep in no way are its outcome's `failed`."""
        with self._transaction() as (db, schema):
            lost = [unkept(group, db.dialect.name) for group in plan.actions]
            sql_engine.wait_for_others(db, schema, self._lock_wait)
            if _claim(db, schema, plan, once, run, at):
                targets = fit(db, schema, plan)
                for group, rows in zip(plan.actions, lost, strict=True):
                    carry_out(
                        db,
                        targets[group.target],
                        group.some(~rows) if rows.any() else group,
                        {"_run": run, "_changed_at": at},
                    )
                    targets[group.target] = with_key(db, targets[group.target])
                    progress(len(group))
        failed = [failures(group, rows) for group, rows in zip(plan.actions, lost, strict=True)]
        return tuple(
            Outcome(group.target, group.kind, len(group) - len(rows), rows)
            for group, rows in zip(plan.actions, failed, strict=True)
        )

    def read(self, target: str, fields: Sequence[str]) -> pd.DataFrame:
        """Return all records of a target table."""
        with self._transaction() as (db, schema):
            look = sa.inspect(db)
            have = look.get_columns(target, schema) if look.has_table(target, schema) else []
            parts = _cells(db, target, schema, {one["name"]: one["type"] for one in have}, fields) if have else ()
            columns = zip(*([blanks(0)] * len(fields), *parts), strict=True)
            return pd.DataFrame(
                {name: to_series(pa.concat_arrays(column)) for name, column in zip(fields, columns, strict=True)}
            )

    def try_out(self) -> None:
        """Log in, and do nothing."""
        with self._transaction():
            pass

    def close(self) -> None:
        """There is nothing to close between plans."""

    @contextmanager
    def _transaction(self) -> Iterator[tuple[sa.Connection, str | None]]:
        """Run the block in a transaction; give its connection and the schema of the tables.

        Raises:
            SinkError: what the database says, told without its words, for they may quote values.
        """
        engine = sql_engine.make(self._secret())
        dialect = engine.dialect
        try:
            with engine.begin() as db:
                sql_engine.bound(db, self._lock_wait)
                yield db, self._schema or sa.inspect(db).default_schema_name
        except (sa.exc.SQLAlchemyError, dialect.loaded_dbapi.Error) as error:
            raise fault_of(error) from None
        finally:
            engine.dispose()

    def _secret(self) -> str:
        try:
            return secrets.resolve(self._url)
        except ConfigError as error:
            raise SinkError(f"the sql sink has no URL: {error}") from None


def _claim(db: sa.Connection, schema: str | None, plan: Plan, once: str, run: str, at: str) -> bool:
    """Return whether a plan is yet to be done, and remember that it is done, which holds if all of it is."""
    names = ("once", "digest", "run", "applied_at")
    text = [sa.Column(name, sa.Text, primary_key=name in names[:2], nullable=False) for name in names]
    plans = sa.Table(PLANS, sa.MetaData(), *text, schema=schema)
    if not sa.inspect(db).has_table(PLANS, schema):
        plans.create(db)
    same = sa.select(plans.c.once).where(plans.c.once == once, plans.c.digest == plan.digest)
    if db.execute(same).first():
        return False
    db.execute(plans.insert().values(once=once, digest=plan.digest, run=run, applied_at=at))
    return True


def _cells(
    db: sa.Connection, target: str, schema: str | None, have: Mapping[str, Any], fields: Sequence[str]
) -> Iterator[list[pa.Array]]:
    """Yield a table's columns as text, some rows at a time; those that it does not have are blank."""
    table = sa.table(sa.quoted_name(target, quote=True), schema=schema)
    cells = [_cell(name, have.get(name)) for name in fields]
    rows = db.execution_options(stream_results=True).execute(sa.select(*cells).select_from(table))
    for part in rows.partitions(_SLICE):
        yield [pa.array(column, pa.large_string()) for column in zip(*part, strict=True)]


def _cell(name: str, kind: Any) -> sa.ColumnElement[str]:
    if kind is None:
        return sa.literal_column("''")
    column = sa.column(sa.quoted_name(name, quote=True), kind)
    return sa.func.coalesce(column if is_text(kind) else sa.cast(column, sa.Text), sa.literal_column("''"))
