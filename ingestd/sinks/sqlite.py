"""Target tables in an SQLite file: the embedded default. The whole plan and its digest in one transaction."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pandas as pd

from ingestd import database
from ingestd.core.columns import blanks, to_series
from ingestd.core.model import Actions, Kind, OnAbsent, Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.database import quoted
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.base import Progress

PLANS = "_ingestd_plans"
"""The table that remembers which plans have been applied."""
_CREATE_PLANS = f"""CREATE TABLE IF NOT EXISTS {PLANS} (
    once TEXT NOT NULL, digest TEXT NOT NULL, run TEXT NOT NULL, applied_at TEXT NOT NULL,
    PRIMARY KEY (once, digest))"""
OWN = {
    "_active": "INTEGER NOT NULL DEFAULT 1",
    "_run": "TEXT NOT NULL DEFAULT ''",
    "_changed_at": "TEXT NOT NULL DEFAULT ''",
}
"""The columns of a target table beside the rules' fields."""
_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED")


class SqliteSink:
    """A target table per table of the rules: its fields as TEXT, unique by key, `_active`, `_run`, `_changed_at`."""

    transactional = True

    def __init__(
        self,
        path: Path,
        busy: float = database.BUSY,
        *,
        before_commit: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """`busy`: seconds to wait for somebody else's transaction.

        `before_commit` sees the target tables as they will be, also when a plan is applied again. If it raises, nothing
        is done.
        """
        self._path = path
        self._busy = busy
        self._before_commit = before_commit
        self._open: sqlite3.Connection | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Self:  # noqa: ARG003
        """Read `path`, relative to `folder`.

        Raises:
            ConfigError: there is no path.
        """
        if not isinstance(settings.get("path"), (str, Path)):
            raise ConfigError(['sinks.path: a sqlite sink needs path = "FILE"'])
        return cls(folder / settings["path"])

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Carry a plan out in one transaction."""
        with _told():
            return self._apply(plan, once, run, at, progress)

    def read(self, target: str, fields: Sequence[str]) -> pd.DataFrame:
        """Return all records of a target table. The file is not made, but what a kill left half done is undone."""
        with _told():
            have = _known(self._db(), target) if self._path.exists() else set()
            if not have:
                return pd.DataFrame({name: to_series(blanks(0)) for name in fields})
            cells = [
                f"coalesce(CAST({quoted(name)} AS TEXT), '')" if name.casefold() in have else "''" for name in fields
            ]
            return database.select(self._db(), f"SELECT {', '.join(cells)} FROM {quoted(target)}", fields)

    def is_lost(self) -> bool:
        """Return whether the file is not there."""
        return not self._path.exists()

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _db(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = database.connect(self._path, self._busy)
        return self._open

    def _apply(self, plan: Plan, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        db = self._db()
        with database.transaction(db):
            db.execute(_CREATE_PLANS)
            if not db.execute(f"SELECT 1 FROM {PLANS} WHERE once = ? AND digest = ?", [once, plan.digest]).fetchone():
                for group in plan.actions:
                    _carry_out(db, group, run, at)
                    progress(len(group))
                db.execute(f"INSERT INTO {PLANS} VALUES (?, ?, ?, ?)", [once, plan.digest, run, at])
            if self._before_commit is not None:
                self._before_commit(db)
        return tuple(Outcome(group.target, group.kind, len(group)) for group in plan.actions)


def columns_of(db: sqlite3.Connection, target: str) -> list[str]:
    """Return the columns of a target table in their order, none if it is not there."""
    return [str(row[1]) for row in db.execute(f"PRAGMA table_info({quoted(target)})")]


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong in the block as a fault of the sink, without a value of the data."""
    try:
        yield
    except sqlite3.Error as error:  # its text may quote a value, its name does not
        name = str(getattr(error, "sqlite_errorname", type(error).__name__))
        kind = TransientSinkError if name.startswith(_TRANSIENT) else SinkError
        raise kind(f"the sqlite sink failed: {name}") from None
    except OSError as error:
        raise SinkError(f"the sqlite sink failed: {error.strerror}") from None


def _carry_out(db: sqlite3.Connection, group: Actions, run: str, at: str) -> None:
    _fit_table(db, group)
    fields = tuple(group.frame.columns)
    stamp = [run] * len(group), [at] * len(group)
    if group.kind is Kind.REKEY:
        database.insert(db, _rekey(group), group.frame[[*group.new_key, *group.key]], *stamp)
    elif group.kind is not Kind.REMOVE:
        database.insert(db, _upsert(group, fields, _demanded(db, group.target, fields)), group.frame, *stamp)
    elif group.on_absent is OnAbsent.DELETE:
        database.insert(db, f"DELETE FROM {quoted(group.target)} WHERE {_where(fields)}", group.frame)
    else:
        statement = f"UPDATE {quoted(group.target)} SET _active = 0, _run = ?, _changed_at = ? WHERE {_where(fields)}"
        database.insert(db, statement, group.frame, *stamp)


def _upsert(group: Actions, fields: Sequence[str], demanded: Sequence[str]) -> str:
    """Return the statement that sets fields of a record; if it is new, those that are demanded are blank."""
    columns = ", ".join(map(quoted, ("_run", "_changed_at", *fields, *demanded)))
    marks = ", ".join(["?"] * (len(fields) + 2) + ["''"] * len(demanded))
    sets = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in ("_run", "_changed_at", *fields))
    key = ", ".join(map(quoted, group.key))
    insert = f"INSERT INTO {quoted(group.target)} (_active, {columns}) VALUES (1, {marks})"
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET _active = 1, {sets}"


def _rekey(group: Actions) -> str:
    sets = ", ".join(f"{quoted(name)} = ?" for name in ("_run", "_changed_at", *group.key))
    return f"UPDATE OR REPLACE {quoted(group.target)} SET {sets} WHERE {_where(group.key)}"


def _where(fields: Sequence[str]) -> str:
    return " AND ".join(f"{quoted(name)} = ?" for name in fields)


def _fit_table(db: sqlite3.Connection, group: Actions) -> None:
    """Make the target table, or add the fields that the rules added, and what a table of somebody else's lacks.

    Its rows lie in the order of the key, so that an update touches one page, not one more for an index.
    """
    table = quoted(group.target)
    have = _known(db, group.target)
    if not have:
        text = ", ".join(f"{quoted(name)} TEXT NOT NULL DEFAULT ''" for name in group.columns)
        own = ", ".join(f"{name} {kind}" for name, kind in OWN.items())
        key = ", ".join(map(quoted, group.key))
        db.execute(f"CREATE TABLE {table} ({text}, {own}, PRIMARY KEY ({key})) WITHOUT ROWID")
    for name in (*group.columns, *OWN) if have else ():
        if name.casefold() not in have:
            kind = OWN.get(name, "TEXT NOT NULL DEFAULT ''")
            db.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {kind}")


def _demanded(db: sqlite3.Connection, target: str, fields: Sequence[str]) -> list[str]:
    """Return the columns, in a table of somebody else's, without which SQLite takes no row, even to find it there."""
    given = {name.casefold() for name in (*fields, *OWN)}
    rows = db.execute(f"PRAGMA table_info({quoted(target)})")
    return [
        name
        for _, name, _, is_demanded, default, is_key in rows
        if is_demanded and default is None and not is_key and name.casefold() not in given
    ]


def _known(db: sqlite3.Connection, target: str) -> set[str]:
    """Return the columns of a table in one case, as SQLite compares names."""
    return {name.casefold() for name in columns_of(db, target)}
