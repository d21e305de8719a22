"""What the configuration points to and the daemon keeps: secrets, and the feeds' stores."""

import os
import re
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ingestd import secrets
from ingestd.database import open_to_read
from ingestd.doctor.check import Check, fault, ok, warning
from ingestd.errors import ConfigError

_REFERENCE = re.compile(r"(?:credential|env|file):.+")


def look_at_store(feed: str, path: Path) -> Check:
    """Have SQLite look through a feed's store; nothing is written."""
    if not path.exists():
        return ok("store", f"{feed} has none yet")
    try:
        with closing(open_to_read(path)) as db:
            answer = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        answer = error.sqlite_errorname
    return judge_store(feed, path, answer)


def judge_store(feed: str, path: Path, answer: str) -> Check:
    """Judge a store by SQLite's answer: `ok`, what is wrong with it, or the name of an error."""
    if answer == "ok":
        return ok("store", f"{feed}'s is sound")
    if answer.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return warning("store", f"{feed}'s is at work and could not be looked at", "ask again later")
    if answer.startswith("SQLITE_READONLY"):
        remedy = f"start the daemon, or any command about {feed}, as the daemon's user"
        return warning("store", f"{feed}'s has a transaction to roll back", remedy)
    if answer.startswith("SQLITE_CANTOPEN"):
        return fault("store", f"{path} cannot be opened", "look at its owner and mode")
    return fault("store", f"{path} is damaged", "stop the daemon and restore it from a backup")


def references(settings: object) -> Iterator[str]:
    """Yield every reference to a secret in the settings."""
    match settings:
        case BaseModel():
            for _, value in settings:
                yield from references(value)
        case Mapping():
            for value in settings.values():
                yield from references(value)
        case list() | tuple():
            for value in settings:
                yield from references(value)
        case str() if _REFERENCE.fullmatch(settings):
            yield settings


def look_at_secret(reference: str, environ: Mapping[str, str] = os.environ) -> Check:
    """Judge whether a secret is there and nobody else's to read."""
    kind, _, name = reference.partition(":")
    if kind == "credential" and "CREDENTIALS_DIRECTORY" not in environ:
        return warning("secret", f"{reference} is there only in the service", "see LoadCredential= in the unit")
    try:
        secrets.resolve(reference, environ=environ)
    except ConfigError as error:
        return fault("secret", str(error), "put it there, or correct the reference")
    return judge_secret(reference, Path(name).stat() if kind == "file" else None)


def judge_secret(reference: str, file: os.stat_result | None) -> Check:
    """Judge who else may read a secret that is a file."""
    if file is not None and file.st_mode & stat.S_IRWXO:
        return fault("secret", f"{reference} can be read by every user", f"chmod o= {reference.partition(':')[2]}")
    return ok("secret", f"{reference} is there")


def all_references(config: BaseModel) -> tuple[str, ...]:
    """Return every reference of a configuration once, in order."""
    return tuple(dict.fromkeys(references(_plain(config))))


def _plain(config: BaseModel) -> Any:
    return {name: value for name, value in config if name != "path"}
