"""`ingestd demo`: three days of a synthetic district through a real daemon, and what each of the three people sees.

Nothing here is staged: the daemon is a process of its own, the drops are renamed into its inbox, and what is shown
is read from the receipt, the target database and the store.
"""

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ingestd import generate
from ingestd.cli import screen
from ingestd.errors import IngestdError
from ingestd.store import documents

FEED = "springfield"
SEED = 7
PATIENCE = 60.0
"""Seconds after which a run that does not come is given up."""
_SETTINGS = """name = "Springfield SD"
timezone = "America/Chicago"
[[sources]]
kind = "folder"
path = "inbox"
quiet_period = "1s"
"""
_STATES = ("applied", "held", "rejected", "failed")


def demo(*, users: int, keep: Path | None) -> None:
    """Run the demo and print it.

    Args:
        users: the district's size.
        keep: a new or empty folder to work in and to leave behind; None for a temporary one.

    Raises:
        IngestdError: the daemon did not do its work, or `keep` has something in it.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise IngestdError(f"{keep} is not empty; name a new folder")
    folder = keep or Path(tempfile.mkdtemp(prefix="ingestd-demo-"))
    try:
        _Demo(folder, screen.console()).show(users)
        _farewell(folder if keep else None, screen.console())
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _farewell(kept: Path | None, out: Console) -> None:
    out.print()
    if kept is None:
        out.print("The demo's folder is gone again; `ingestd demo --keep DIR` leaves one to look around in.")
        return
    config = f"--config {kept}/ingestd.toml"
    out.print(f"Look around:  ingestd {config} status", soft_wrap=True)
    out.print(f"The report:   {kept}/var/runs/{FEED}.3/report.html", soft_wrap=True)


class _Demo:
    def __init__(self, folder: Path, out: Console) -> None:
        self.folder = folder
        self.state = folder / "var"
        self.out = out

    def show(self, users: int) -> None:
        """Set the scene and tell the three days."""
        (self.folder / "feeds").mkdir(parents=True)
        (self.folder / "ingestd.toml").write_text("")
        (self.folder / "feeds" / f"{FEED}.toml").write_text(_SETTINGS)
        roster = generate.district(users, SEED)
        with self._daemon():
            self._day_1(roster)
            roster = generate.next_day(roster, day=2, seed=SEED, changed=0.02, added=0.01, removed=0.01)
            self._day_2(roster)
            self._day_3(generate.lose(roster, "users", 0.4, SEED))

    def _day_1(self, roster: generate.Roster) -> None:
        self._title("Day 1: the SIS sends its first roster")
        self._push(roster, 1)
        self.out.print("The vendor finds this receipt beside the inbox:\n", style="italic")
        self.out.print(Text((self.state / "results" / FEED / "day1.zip.report.txt").read_text(), "dim"))
        self.out.print("The application has its records:\n", style="italic")
        rows = self._query("SELECT patron_type, count(*) FROM patrons WHERE _active = 1 GROUP BY 1 ORDER BY 2 DESC")
        self.out.print(screen.table("", ("patrons by type", "number#"), rows))

    def _day_2(self, roster: generate.Roster) -> None:
        self._title("Day 2: the nightly roster, a few things changed")
        document = self._push(roster, 2)
        self.out.print(screen.changeset(document["changeset"]))
        self.out.print(
            "\nPatrons that this run wrote (the district is made up, so they can be shown):\n", style="italic"
        )
        rows = self._query(
            "SELECT patron_id, name, grade, patron_type, CASE _active WHEN 1 THEN 'active' ELSE 'inactive' END "
            "FROM patrons WHERE _run = ? ORDER BY _active, patron_id LIMIT 8",
            document["run"],
        )
        self.out.print(screen.table("", ("patron", "name", "grade", "type", "state"), rows))

    def _day_3(self, roster: generate.Roster) -> None:
        self._title("Day 3: the export broke, and 40 % of the users are missing")
        before = self._query("SELECT count(*) FROM patrons WHERE _active = 1")[0][0]
        document = self._push(roster, 3)
        after = self._query("SELECT count(*) FROM patrons WHERE _active = 1")[0][0]
        self.out.print(
            screen.word(str(document["state"]).upper()), "The plan waits for consent. Nobody lost an account:"
        )
        self.out.print(f"{before:,} active patrons before, {after:,} after.\n")
        for breach in document["breaches"]:
            if breach["org"] is None:
                self.out.print(Text(f"  {breach['message']}", "yellow"))
        self.out.print()
        self.out.print(screen.actions(document["actions"]))
        self.out.print(f"\nDigest of the plan: {document['digest']}", soft_wrap=True)
        self.out.print(f"Look:     ingestd plan {FEED}")
        self.out.print(f"Consent:  ingestd release {document['run']} --plan {document['digest'][:12]}…")
        self.out.print(f"Refuse:   ingestd discard {document['run']}")

    def _title(self, text: str) -> None:
        self.out.print()
        self.out.rule(f"[bold]{text}", align="left")
        self.out.print()

    def _push(self, roster: generate.Roster, day: int) -> Mapping[str, Any]:
        """Rename a drop into the inbox, as a careful SIS does, and wait for its run."""
        aside = self.folder / f"day{day}.zip"
        generate.write_zip(roster, aside)
        begin = time.monotonic()
        aside.rename(self.state / "inbox" / aside.name)
        document = self._wait(day)
        counts = f"{sum(len(frame) for frame in roster.values()):,} records"
        seconds = f"{time.monotonic() - begin:.1f} s"
        self.out.print(f"{aside.name} ({counts}): [bold]{document['state']}[/] {seconds} after it arrived.\n")
        return document

    def _wait(self, day: int) -> Mapping[str, Any]:
        """Return the document of a day's run, once its folder has the report."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = {one["run"]: one for one in documents(self.state / "feeds", FEED)}
            document = found.get(f"{FEED}.{day}", {})
            receipt = self.state / "results" / FEED / f"day{day}.zip.report.txt"
            if document.get("state") in _STATES and receipt.exists():
                return document
            time.sleep(0.1)
        raise IngestdError(f"the daemon has not taken day {day} within {PATIENCE:.0f} s; its log: {self.folder}/log")

    def _query(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        path = self.state / f"{FEED}.roster.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    @contextmanager
    def _daemon(self) -> Iterator[None]:
        """Run the daemon beside us, and stop it as systemd would."""
        command = [sys.executable, "-m", "ingestd", "--config", str(self.folder / "ingestd.toml"), "run"]
        with (self.folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as daemon:
            try:
                self._wait_for_inbox(daemon)
                yield
            finally:
                daemon.send_signal(signal.SIGTERM)

    def _wait_for_inbox(self, daemon: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + PATIENCE
        while not (self.state / "inbox").is_dir():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise IngestdError(f"the daemon did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)
