"""Configured places, ingestd itself run on them, and what is there afterwards: what the whole-system tests share."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from builders import drop_into
from click.testing import CliRunner

from ingestd.cli import main
from ingestd.config import load as load_config
from ingestd.feed import Feed
from ingestd.feedloop import Taken
from ingestd.rulebook import rules_of
from ingestd.sources.base import Drop
from ingestd.stages import Show, Stages, Stop, utc_now
from ingestd.store import Store
from schemas import shapes

Cells = list[tuple[Any, ...]]

FEED = "springfield"
PATIENCE = 30.0
"""Seconds after which a test that waits for another process gives up: far more than it ever takes."""


# A configured place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration with its state folder, and how to look at what ingestd did there."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.folder / "ingestd.toml"

    @property
    def state(self) -> Path:
        """Return the state folder."""
        return self.folder / "var"

    def inbox(self, feed: str = FEED) -> Path:
        """Return a feed's inbox."""
        return self.state / "inbox" / feed

    def drop(self, content: bytes, name: str = "roster.zip", feed: str = FEED) -> Path:
        """Put a drop into a feed's inbox."""
        return drop_into(self.inbox(feed), content, name)

    def target(self, feed: str = FEED) -> Path:
        """Return the database of a feed's sink."""
        return self.state / f"{feed}.roster.db"

    def store(self, feed: str = FEED) -> Path:
        """Return a feed's store."""
        return self.state / "feeds" / f"{feed}.db"

    def feed(
        self,
        name: str = FEED,
        *,
        clock: Callable[[], datetime] = utc_now,
        show: Show | None = None,
        stages: Callable[[Show, Stop], Stages] = Stages,
    ) -> Feed:
        """Open a feed in this process; the caller closes it."""
        config = load_config(self.config)
        rules = rules_of(config.feeds[name])
        return Feed(config.feeds[name], rules, config.state_dir, show=show, clock=clock, stages=stages)

    def copy_to(self, folder: Path) -> "Place":
        """Return a copy of the whole place."""
        shutil.copytree(self.folder, folder)
        return Place(folder)


ADOPT = """
[[table]]
name = "people"
from = "users"
key = ["id"]
update = ["email"]
adopt = ["email"]
[table.fields]
id = { from = "sourcedId" }
name = { from = "familyName" }
email = { from = "email" }
"""
"""Rules that take over what the application has under an e-mail address."""

QUICK = '[[sources]]\nkind = "folder"\npath = "inbox/{feed}"\nquiet_period = "{quiet}"\n'


def place(
    folder: Path,
    *feeds: str,
    quiet: str = "0s",
    head: str = "",
    more: str = "",
    rules: str | None = None,
    **main: str,
) -> Place:
    """Write a configuration of feeds that take drops after `quiet`.

    `head` and `more` are TOML before and behind each feed's source, in which `{feed}` stands for its name. `rules` is
    the text of a rules file for all.
    `main` has whole files of further feeds by name.
    """
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "ingestd.toml").write_text("", encoding="utf-8")
    if rules is not None:
        write_rules(Place(folder), rules)
    for feed in feeds or (FEED,):
        own = 'rules = "own"\n' if rules is not None else ""
        text = own + (head + QUICK.replace("{quiet}", quiet) + more).replace("{feed}", feed)
        (folder / "feeds" / f"{feed}.toml").write_text(text, encoding="utf-8")
    for feed, text in main.items():
        (folder / "feeds" / f"{feed}.toml").write_text(text, encoding="utf-8")
    return Place(folder)


def write_rules(where: Place, text: str, name: str = "own") -> None:
    """Write a rules file beside the configuration."""
    (where.folder / "rules").mkdir(exist_ok=True)
    (where.folder / "rules" / f"{name}.toml").write_text(text, encoding="utf-8")


# Running ingestd --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what was printed, as JSON."""
        return json.loads(self.out)


def invoke(where: Place | None, *args: str | Path) -> Done:
    """Run a command in this process, which spares the second that a new one takes to start."""
    words = ["--config", str(where.config)] if where else []
    done = CliRunner().invoke(main, [*words, *map(str, args)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def take_drop(feed: Feed, drop: Drop, stop: Stop = lambda: False) -> Taken:
    """Have a feed claim a drop and work on it, as its loop does."""
    taken = feed.claim(drop, stop)
    feed.work(stop)
    return taken


def once(where: Place, *drops: bytes, feed: str = FEED) -> Done:
    """Put drops into the inbox and have them taken, one `once` for all."""
    for number, content in enumerate(drops):
        where.drop(content, f"roster-{number}.zip", feed)
    return invoke(where, "once", "--json")


def command(where: Place | None, *args: str | Path) -> list[str]:
    """Return the words that start ingestd as a process of its own."""
    words = ["--config", str(where.config)] if where else []
    return [sys.executable, "-m", "ingestd", *words, *map(str, args)]


def run_ingestd(where: Place | None, *args: str | Path, **environ: str) -> Done:
    """Run a command as a process of its own, to its end."""
    done = subprocess.run(
        command(where, *args),
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


# What is there afterwards -----------------------------------------------------------------------------------------


def rows_of(database: Path, query: str) -> Cells:
    """Return the rows of a query; none if there is no such file, or none of its tables yet."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def tables_of(database: Path) -> dict[str, list[str]]:
    """Return the tables of a database, each with its columns."""
    names = [str(name) for (name,) in rows_of(database, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: [str(one[1]) for one in rows_of(database, f'PRAGMA table_info("{name}")')]
        for name in names
        if not name.startswith("sqlite_")
    }


def contents(database: Path, hide: Sequence[str]) -> dict[str, Cells]:
    """Return all rows of all tables, sorted and without the columns `hide`."""
    found: dict[str, Cells] = {}
    for table, columns in tables_of(database).items():
        shown = ", ".join(f'"{name}"' for name in sorted(columns) if name not in hide)
        found[table] = sorted(rows_of(database, f'SELECT {shown} FROM "{table}"'))
    return found


def target_of(where: Place, feed: str = FEED) -> dict[str, Cells]:
    """Return the target tables, without what says which run wrote them, and when."""
    return _without_plans(contents(where.target(feed), ("_run", "_changed_at")))


def stamped_target_of(where: Place, feed: str = FEED) -> dict[str, Cells]:
    """Return the target tables with all their columns, to see that not even the same was written again."""
    return _without_plans(contents(where.target(feed), ()))


def _without_plans(found: dict[str, Cells]) -> dict[str, Cells]:
    return {name: rows for name, rows in found.items() if name != "_ingestd_plans"}


def snapshot_of(where: Place, feed: str = FEED) -> dict[str, Cells]:
    """Return the live records of the snapshot and the owned target records, without numbers of rows and runs."""
    if not where.store(feed).exists():
        return {}
    store = Store(where.store(feed).parent, feed, shapes())
    found = {name: sorted(store.snapshot.read_live(name).itertuples(index=False, name=None)) for name in shapes()}
    store.close()
    kept = contents(where.store(feed), ("key_hash", "content", "made", "run"))
    return {**found, **{name: rows for name, rows in kept.items() if name.startswith("owned_")}}


def states_of(where: Place, feed: str = FEED) -> list[str]:
    """Return the states of a feed's runs, oldest first."""
    return [str(state) for (state,) in rows_of(where.store(feed), "SELECT state FROM runs ORDER BY number")]


def documents_of(where: Place, feed: str = FEED) -> list[dict[str, Any]]:
    """Return the documents of a feed's runs, oldest first."""
    return [json.loads(text) for (text,) in rows_of(where.store(feed), "SELECT document FROM runs ORDER BY number")]


def codes_of(document: Mapping[str, Any]) -> set[str]:
    """Return the codes of a run's findings (or of what `check` and `plan` print)."""
    listed = document.get("listed_findings", document.get("findings", ()))
    return {str(one["code"]) for one in listed}


def breaches_of(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return a run's breaches as code and table."""
    return {(str(one["code"]), str(one["table"])) for one in document.get("breaches", ())}


def live_of(where: Place, table: str, column: str, feed: str = FEED, *, key: str = "sourcedId") -> dict[str, str]:
    """Return one column of the active target records, by their key."""
    found = rows_of(where.target(feed), f'SELECT "{key}", "{column}" FROM "{table}" WHERE _active = 1')
    return {str(sourced_id): str(value) for sourced_id, value in found}


# Waiting for other processes --------------------------------------------------------------------------------------


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait until a condition about files and other processes holds; return whether it came to."""
    never, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        never.wait(0.03)
    return True


@dataclass(slots=True)
class Daemon:
    """`ingestd run` as a process of its own; its log is a file."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged under an event's name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def waits_for(self, event: str, times: int = 1) -> bool:
        """Wait until an event was logged so often."""
        return wait_until(lambda: len(self.logged(event)) >= times)


@contextmanager
def daemon(where: Place) -> Iterator[Daemon]:
    """Run the daemon; it is killed at the end unless the test stopped it."""
    log = where.folder / "daemon.log"
    with log.open("ab") as out:
        process = subprocess.Popen(command(where, "run"), stdout=out, stderr=out)
        try:
            yield Daemon(process, log)
        finally:
            process.kill()
            process.wait()
