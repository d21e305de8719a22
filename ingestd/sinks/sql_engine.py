"""How a database is opened: one connection, bounded in all that it may wait for, and no plan beside another."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ingestd.errors import SinkError
from ingestd.sinks.base import lacking

SPOKEN = ("postgresql", "sqlite")
"""Databases that can upsert by key, and whose transactions hold what makes tables, too."""
LOCK_WAIT = 60.0
"""Seconds to wait for somebody else's lock."""
_TURN = 900
"""Seconds to wait for another plan into the same schema; a first load takes minutes."""
_STATEMENT = 3600
"""Seconds that one statement may take."""
_IDLE = 600
"""Seconds after which the server ends a transaction whose client is stuck, and frees its locks."""
_CONNECT: dict[str, dict[str, Any]] = {
    "psycopg": {
        "client_encoding": "utf8",
        "application_name": "ingestd",
        "connect_timeout": 15,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "prepare_threshold": None,  # statements run once, and poolers lose prepared ones
    },
}


def make(text: str) -> sa.Engine:
    """Return an engine for a URL that keeps no connection; what its query says goes before our own.

    Raises:
        SinkError: it is no URL, or what is needed to speak to that database is not installed. The URL is never told.
    """
    try:
        url = sa.make_url(text)
        if url.drivername in {"postgres", "postgresql"}:
            url = url.set(drivername="postgresql+psycopg")
        ours = {name: value for name, value in _CONNECT.get(url.get_driver_name(), {}).items() if name not in url.query}
        engine = sa.create_engine(url, connect_args=ours, poolclass=NullPool, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise SinkError(f"the sql sink cannot speak to this database: {lacking(error)}") from None
    except sa.exc.NoSuchModuleError:
        raise SinkError("the sql sink's URL begins with a kind of database that SQLAlchemy does not know") from None
    except (sa.exc.ArgumentError, ValueError, TypeError):
        raise SinkError("the sql sink's URL is none, like postgresql://USER:PASSWORD@HOST/DATABASE") from None
    if engine.dialect.name not in SPOKEN:
        raise SinkError(f"the sql sink speaks to {' and '.join(SPOKEN)} alone, not to {engine.dialect.name}")
    if engine.dialect.name == "sqlite":
        _mend(engine)
    return engine


def bound(db: sa.Connection, lock_wait: float) -> None:
    """Have the database give up in time whatever the transaction of this connection waits for."""
    if db.dialect.name == "postgresql":
        limits = {
            "lock_timeout": lock_wait,
            "statement_timeout": _STATEMENT,
            "idle_in_transaction_session_timeout": _IDLE,
        }
        _set(db, {name: f"{seconds * 1000:.0f}" for name, seconds in limits.items()})
    if db.dialect.name == "sqlite":
        db.exec_driver_sql(f"PRAGMA busy_timeout = {lock_wait * 1000:.0f}")


def wait_for_others(db: sa.Connection, schema: str | None, lock_wait: float) -> None:
    """Return when no other plan into the schema is under way, nor one of a process or a connection that is gone."""
    if db.dialect.name == "postgresql":
        _set(db, {"lock_timeout": f"{min(_TURN, lock_wait * 15) * 1000:.0f}"})
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"ingestd {schema}", 0))))
        _set(db, {"lock_timeout": f"{lock_wait * 1000:.0f}"})
    if db.dialect.name == "sqlite":
        db.exec_driver_sql("ROLLBACK")  # nothing was done yet: it only takes the writer's lock at once
        db.exec_driver_sql("BEGIN IMMEDIATE")


def _set(db: sa.Connection, settings: dict[str, str]) -> None:
    """Set parameters until the transaction's end: a pooler may give the connection to somebody else then."""
    db.execute(sa.select(*(sa.func.set_config(name, value, True) for name, value in settings.items())))


def _mend(engine: sa.Engine) -> None:
    """Have SQLite's driver begin transactions when it is told to: its own way leaves tables made outside of them."""

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _(db: sa.Connection) -> None:
        db.exec_driver_sql("BEGIN")
