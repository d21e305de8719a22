"""A real PostgreSQL for tests: a server of our own on a socket in a temporary folder, a database for each test."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER = "ingestd"
_TIMEOUT = 60


def programs() -> Path | None:
    """Return the folder of the server's programs: Debian keeps them out of the PATH."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def account() -> str | None:
    """Return whom the server runs as, which must not be root; None if that is who runs the tests."""
    if os.geteuid():
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


@dataclass(slots=True)
class Postgres:
    """A server. `folder` has its files and its socket."""

    programs: Path
    folder: Path
    settings: Sequence[str] = ("fsync=off",)
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, program: str, *words: str) -> None:
        """Run one of the server's programs as who may; its words are told if it fails."""
        who = account()
        as_them = ["setpriv", f"--reuid={who}", f"--regid={pwd.getpwnam(who).pw_gid}", "--clear-groups"] if who else []
        with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in the server
            command = [*as_them, str(self.programs / program), *words]
            ended = subprocess.run(command, cwd="/", stdout=said, stderr=said, timeout=_TIMEOUT, check=False)
            said.seek(0)
            assert ended.returncode == 0, said.read()

    def make(self) -> None:
        """Make its files."""
        who = account()
        if who:
            os.chown(self.folder, pwd.getpwnam(who).pw_uid, pwd.getpwnam(who).pw_gid)
        words = ("--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.run("initdb", *words, f"--pgdata={self.data}")
        access = "local all guarded scram-sha-256\nlocal all unwelcome reject\nlocal all all trust\n"
        (self.data / "pg_hba.conf").write_text(access)

    @property
    def data(self) -> Path:
        """Return where its files are."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = ["listen_addresses=", f"unix_socket_directories={self.folder}", *self.settings]
        words = " ".join(f"-c {one}" for one in options)
        self.run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", words)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is as if it crashed."""
        self.run("pg_ctl", "stop", "-D", str(self.data), "-m", mode)

    def database(self) -> "Database":
        """Return a new database."""
        name = f"test{next(self.numbers)}"
        with psycopg.connect(host=str(self.folder), user=USER, dbname="postgres", autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")
        return Database(self, name)


@dataclass(slots=True)
class Database:
    """A database of a server, as another program than ingestd sees it."""

    server: Postgres
    name: str

    @property
    def url(self) -> str:
        """Return what is told to the sink."""
        return f"postgresql://{USER}@/{self.name}?host={self.server.folder}"

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """Connect; each statement is a transaction of its own unless told otherwise."""
        return psycopg.connect(host=str(self.server.folder), user=USER, dbname=self.name, autocommit=autocommit)

    def do(self, *statements: str) -> None:
        """Execute statements."""
        with self.connect() as db:
            for one in statements:
                db.execute(one)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connect() as db:
            return db.execute(query).fetchall()

    def reference(self, folder: Path) -> str:
        """Return a reference to a file with the URL."""
        file = folder / f"{self.name}.url"
        file.write_text(self.url + "\n")
        return f"file:{file}"


@contextmanager
def serving(settings: Sequence[str] = ("fsync=off",)) -> Iterator[Postgres]:
    """Run a server for the block; the test is skipped where there are no programs of PostgreSQL."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="ingestd-pg-") as name:
        server = Postgres(found, Path(name), settings)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
