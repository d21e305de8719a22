"""The SQL sink keeps the contract, in a real PostgreSQL and in SQLAlchemy's SQLite."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from postgres_world import Database, Postgres

from ingestd.sinks.sql import SqlSink
from ingestd.testing.readable import ReadableContract
from ingestd.testing.sinks import Records


def records_of(url: str, target: str) -> Records:
    """Return the rows of a table by its primary key, as another program finds them."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        if not sa.inspect(engine).has_table(target):
            return {}
        table = sa.Table(target, sa.MetaData(), autoload_with=engine)
        with engine.connect() as db:
            rows = [dict(row) for row in db.execute(sa.select(table)).mappings()]
        return {tuple(row[one.name] for one in table.primary_key): plain(row) for row in rows}
    finally:
        engine.dispose()


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its time as the contract has it."""
    moment = row["_changed_at"]
    if isinstance(moment, datetime):
        row["_changed_at"] = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return row


class TestPostgres(ReadableContract):
    """Tables in PostgreSQL."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres: Postgres) -> None:
        self.database: Database = postgres.database()

    def make(self, folder: Path) -> SqlSink:
        """Return a sink whose database is empty."""
        return SqlSink(self.database.reference(folder if folder.exists() else folder.parent), lock_wait=0.2)

    def read(self, sink: SqlSink, target: str) -> Records:
        """Return the rows of a table by its primary key."""
        return records_of(self.database.url, target)

    def trip(self, sink: SqlSink, target: str, key: str) -> None:
        """Have the database refuse that record."""
        refuse = "BEGIN RAISE EXCEPTION 'Bob P2 P3'; END"
        self.database.do(
            f"CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $${refuse}$$",
            f"CREATE TRIGGER trip BEFORE INSERT ON \"{target}\" FOR EACH ROW WHEN (NEW.id = '{key}')"
            " EXECUTE FUNCTION trip()",
        )

    def heal(self, sink: SqlSink, target: str) -> None:
        """Have it refuse no more."""
        self.database.do("DROP FUNCTION trip CASCADE")


class TestSqlite(ReadableContract):
    """Tables in a file, by SQLAlchemy: what is not PostgreSQL's own."""

    def make(self, folder: Path) -> SqlSink:
        """Return a sink whose file is not there yet."""
        place = folder if folder.exists() else folder.parent
        (place / "roster.url").write_text(f"sqlite:///{place / 'roster.db'}")
        return SqlSink(f"file:{place / 'roster.url'}", lock_wait=0)

    def read(self, sink: SqlSink, target: str) -> Records:
        """Return the rows of a table by its primary key."""
        return records_of(Path(sink._url.removeprefix("file:")).read_text(), target)

    def _do(self, sink: SqlSink, statement: str) -> None:
        engine = sa.create_engine(Path(sink._url.removeprefix("file:")).read_text())
        with engine.begin() as db:
            db.exec_driver_sql(statement)
        engine.dispose()

    def trip(self, sink: SqlSink, target: str, key: str) -> None:
        """Have the database refuse that record."""
        refuse = f"WHEN NEW.id = '{key}' BEGIN SELECT RAISE(ABORT, 'Bob P2 P3'); END"
        self._do(sink, f'CREATE TRIGGER trip BEFORE INSERT ON "{target}" {refuse}')

    def heal(self, sink: SqlSink, target: str) -> None:
        """Have it refuse no more."""
        self._do(sink, "DROP TRIGGER trip")
