"""How far a webhook has come with each plan, on the disk: a batch that was answered is never sent again."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingestd import database

_TABLES = (
    """CREATE TABLE IF NOT EXISTS plans (
    id INTEGER PRIMARY KEY, once TEXT NOT NULL, digest TEXT NOT NULL, receiver TEXT NOT NULL,
    run TEXT NOT NULL, at TEXT NOT NULL, size INTEGER NOT NULL, UNIQUE (once, digest, receiver))""",
    """CREATE TABLE IF NOT EXISTS answers (
    plan INTEGER NOT NULL, batch INTEGER NOT NULL, failed TEXT NOT NULL, PRIMARY KEY (plan, batch)) WITHOUT ROWID""",
)
_FIND = "SELECT id, run, at, size FROM plans WHERE once = ? AND digest = ? AND receiver = ?"
_BEGIN = "INSERT INTO plans (once, digest, receiver, run, at, size) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Begun:
    """A plan that is being sent: as whose and of when, in batches of which size, and what was answered to which.

    `is_new` says that no earlier try can have sent anything of it.
    """

    id: int
    run: str
    at: str
    size: int
    answers: Mapping[int, Mapping[int, str]]
    is_new: bool


class WebhookProgress:
    """The plans that were begun, and the answers to their batches. May raise `sqlite3.Error` and `OSError`."""

    def __init__(self, path: Path, busy: float = database.BUSY) -> None:
        """`busy`: seconds to wait for somebody else's transaction."""
        self._path = path
        self._busy = busy
        self._open: sqlite3.Connection | None = None

    def begin(self, once: str, digest: str, receiver: str, run: str, at: str, size: int) -> Begun:
        """Keep that a plan is begun, before anything of it is sent; or find how it was begun, and how far it came."""
        db = self._db()
        with database.transaction(db):
            found = db.execute(_FIND, [once, digest, receiver]).fetchone()
            if found is None:
                made = db.execute(_BEGIN, [once, digest, receiver, run, at, size])
                return Begun(int(made.lastrowid or 0), run, at, size, {}, is_new=True)
        rows = db.execute("SELECT batch, failed FROM answers WHERE plan = ?", [found[0]]).fetchall()
        answers = {number: {int(index): why for index, why in json.loads(text).items()} for number, text in rows}
        plan, run, at, size = found
        return Begun(plan, run, at, size, answers, is_new=False)

    def answered(self, plan: int, batch: int, failed: Mapping[int, str]) -> None:
        """Keep the answer to a batch."""
        db = self._db()
        with database.transaction(db):
            db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", [plan, batch, json.dumps(dict(failed))])

    def forget(self, plan: int) -> None:
        """Have a plan be as if it had not been begun; nothing of it was done."""
        db = self._db()
        with database.transaction(db):
            db.execute("DELETE FROM plans WHERE id = ?", [plan])

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _db(self) -> sqlite3.Connection:
        if self._open is None:
            db = database.connect(self._path, self._busy)
            try:
                for statement in _TABLES:
                    db.execute(statement)
            except sqlite3.Error:
                db.close()
                raise
            self._open = db
        return self._open
