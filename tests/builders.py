"""Small hand-made rosters, drops, configurations, and ingestd itself run on them: what the whole-system tests share.

Plain functions: a roster is a dict of tables, a table a list of rows, a row a dict of cells. A test changes what it
is about and leaves the rest as it was made.
"""

import copy
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ingestd.cli import main
from ingestd.config import load as load_config
from ingestd.feed import Feed
from ingestd.feedloop import Taken
from ingestd.rulebook import rules_of
from ingestd.runs import Stop, utc_now
from ingestd.sources.base import Drop
from ingestd.stages import Show, Stages
from ingestd.store import Store
from schemas import load, shapes

Row = dict[str, str]
Roster = dict[str, list[Row]]
Cells = list[tuple[Any, ...]]

TABLES = load("1.1")
FEED = "springfield"
PATIENCE = 30.0
"""Seconds after which a test that waits for another process gives up: far more than it ever takes."""


# Rosters ----------------------------------------------------------------------------------------------------------


def row(table: str, **cells: str) -> Row:
    """Return a row of a table; what is not given is blank."""
    return {**dict.fromkeys(TABLES[table].header, ""), **cells}


def user(number: int, **cells: str) -> Row:
    """Return the user `U<number>`, a student of school S1."""
    given = {
        "sourcedId": f"U{number}",
        "enabledUser": "true",
        "orgSourcedIds": "S1",
        "role": "student",
        "username": f"user{number}",
        "givenName": f"Given{number}",
        "familyName": f"Family{number}",
        "email": f"user{number}@springfield.example",
        "grades": "09",
    }
    return row("users", **{**given, **cells})


def enrollment(number: int, **cells: str) -> Row:
    """Return the enrollment `E<number>`: of the user of that number, in class C1."""
    given = {
        "sourcedId": f"E{number}",
        "classSourcedId": "C1",
        "schoolSourcedId": "S1",
        "userSourcedId": f"U{number}",
        "role": "student",
    }
    return row("enrollments", **{**given, **cells})


def roster(users: int = 3) -> Roster:
    """Return a valid roster: a school, two classes of one course, `users` students, and an enrollment for each."""
    numbers = range(1, users + 1)
    return {
        "orgs": [
            row("orgs", sourcedId="D1", name="Springfield SD", type="district", identifier="1712345"),
            row("orgs", sourcedId="S1", name="High", type="school", identifier="0001", parentSourcedId="D1"),
        ],
        "academicSessions": [
            row(
                "academicSessions",
                sourcedId="T1",
                title="2026",
                type="schoolYear",
                startDate="2025-08-20",
                endDate="2026-06-12",
                schoolYear="2026",
            )
        ],
        "courses": [row("courses", sourcedId="K1", title="Algebra", orgSourcedId="D1")],
        "classes": [klass(1), klass(2)],
        "users": [user(number) for number in numbers],
        "enrollments": [enrollment(number) for number in numbers],
    }


def klass(number: int, **cells: str) -> Row:
    """Return the class `C<number>` of the course K1."""
    given = {
        "sourcedId": f"C{number}",
        "title": f"Algebra {number}",
        "courseSourcedId": "K1",
        "classType": "scheduled",
        "schoolSourcedId": "S1",
        "termSourcedIds": "T1",
    }
    return row("classes", **{**given, **cells})


def changed(before: Roster, table: str, sourced_id: str, **cells: str) -> Roster:
    """Return the roster with some cells of one record changed."""
    after = copy.deepcopy(before)
    next(one for one in after[table] if one["sourcedId"] == sourced_id).update(cells)
    return after


def without(before: Roster, table: str, *sourced_ids: str) -> Roster:
    """Return the roster without some records of a table; without the table itself if none is named."""
    after = copy.deepcopy(before)
    kept = [one for one in after.pop(table) if one["sourcedId"] not in sourced_ids]
    return {**after, table: kept} if sourced_ids else after


def added(before: Roster, table: str, *rows: Row) -> Roster:
    """Return the roster with more records at the end of a table."""
    after = copy.deepcopy(before)
    after[table] += rows
    return after


def renamed(before: Roster, prefix: str = "2026-") -> Roster:
    """Return the roster with another sourcedId for every user, and all that refers to users changed with it."""
    users = [{**one, "sourcedId": f"{prefix}{one['sourcedId']}"} for one in before["users"]]
    enrollments = [{**one, "userSourcedId": f"{prefix}{one['userSourcedId']}"} for one in before["enrollments"]]
    return {**before, "users": users, "enrollments": enrollments}


# Zips -------------------------------------------------------------------------------------------------------------


def csv_of(rows: Sequence[Row], header: Sequence[str] | None = None) -> str:
    """Return rows as CSV with CRLF; the header is that of the first row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, header or list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def manifest_of(modes: Mapping[str, str], version: str = "1.1") -> str:
    """Return a manifest that speaks of every table of the binding; those not in `modes` are absent."""
    properties = [("manifest.version", "1.0"), ("oneroster.version", version)]
    properties += [(f"file.{table}", modes.get(table, "absent")) for table in sorted(TABLES)]
    return "".join(f"{name},{value}\r\n" for name, value in [("propertyName", "value"), *properties])


def members_of(tables: Roster, *, mode: str = "bulk") -> dict[str, str]:
    """Return the files of a drop by name; an empty table becomes a header without rows."""
    manifest = {"manifest.csv": manifest_of(dict.fromkeys(tables, mode))}
    return manifest | {f"{name}.csv": csv_of(rows, TABLES[name].header) for name, rows in tables.items()}


def zip_of(tables: Roster, *, mode: str = "bulk", **files: str | bytes | None) -> bytes:
    """Return a drop: always the same bytes for the same content.

    `files` puts text or bytes in a member's place, or with None leaves it out; `users=…` means `users.csv`.
    """
    members: dict[str, str | bytes] = dict(members_of(tables, mode=mode))
    for name, content in files.items():
        members.pop(f"{name}.csv", None)
        if content is not None:
            members[f"{name}.csv"] = content
    return pack(members)


def bad_line(tables: Roster, sourced_id: str, extra: str) -> bytes:
    """Return a drop in which something is added to the end of one user's line."""
    lines = members_of(tables)["users.csv"].split("\r\n")
    spoilt = [line + extra if line.startswith(f"{sourced_id},") else line for line in lines]
    return zip_of(tables, users="\r\n".join(spoilt))


def pack(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of files by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def drop_into(inbox: Path, content: bytes, name: str = "roster.zip") -> Path:
    """Put a drop into an inbox as a careful sender does: written aside, then renamed."""
    inbox.mkdir(parents=True, exist_ok=True)
    aside = inbox.parent / f".{inbox.name}.{name}.part"
    aside.write_bytes(content)
    return aside.rename(inbox / name)


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
