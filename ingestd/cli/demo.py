"""`ingestd demo`: three days of a synthetic district through a real daemon, and what each of the three people sees.

Nothing here is staged: the daemon is a process of its own, the drops are pushed to its SFTP server by a client that
knows no more than a vendor does, and what is shown is read from the receipt, the target database and the store.
"""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import paramiko
from rich.console import Console
from rich.text import Text

from ingestd import generate
from ingestd.cli import screen
from ingestd.errors import IngestdError
from ingestd.server.keys import host_key
from ingestd.store import documents

FEED = "springfield"
SEED = 7
PATIENCE = 60.0
"""Seconds after which a run that does not come is given up."""
_MAIN = """[server]
listen = "127.0.0.1:0"    # any free port
"""
_SETTINGS = """name = "Springfield SD"
timezone = "America/Chicago"
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
        (self.folder / "ingestd.toml").write_text(_MAIN)
        (self.folder / "feeds" / f"{FEED}.toml").write_text(_SETTINGS)
        roster = generate.district(users, SEED)
        key = self._account()
        with self._daemon() as port, _Vendor(self.state, port, key) as self.vendor:
            self._day_1(roster)
            roster = generate.next_day(roster, day=2, seed=SEED, changed=0.02, added=0.01, removed=0.01)
            self._day_2(roster)
            self._day_3(generate.lose(roster, "users", 0.4, SEED))

    def _day_1(self, roster: generate.Roster) -> None:
        self._title("Day 1: the SIS sends its first roster")
        self._push(roster, 1)
        self.out.print("The vendor fetches this receipt by SFTP, from results/day1.zip.report.txt:\n", style="italic")
        self.out.print(Text(self.vendor.receipt("day1.zip"), "dim"))
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
        """Push a drop by SFTP, and wait for its run."""
        aside = self.folder / f"day{day}.zip"
        generate.write_zip(roster, aside)
        self.vendor.push(aside)
        begin = time.monotonic()
        document = self._wait(day)
        counts = f"{sum(len(frame) for frame in roster.values()):,} records"
        seconds = f"{time.monotonic() - begin:.1f} s"
        self.out.print(f"{aside.name} ({counts}): [bold]{document['state']}[/] {seconds} after it was pushed.\n")
        return document

    def _wait(self, day: int) -> Mapping[str, Any]:
        """Return the document of a day's run, once its folder has the report."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = {one["run"]: one for one in documents(self.state / "feeds", FEED)}
            document = found.get(f"{FEED}.{day}", {})
            if document.get("state") in _STATES and self.vendor.receipt(f"day{day}.zip"):
                return document
            time.sleep(0.1)
        raise IngestdError(f"the daemon has not taken day {day} within {PATIENCE:.0f} s; its log: {self.folder}/log")

    def _query(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        path = self.state / f"{FEED}.roster.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def _account(self) -> paramiko.PKey:
        """Give the vendor an account, by the key that the vendor sent; return its private half, which only it has."""
        key = paramiko.ECDSAKey.generate()
        public = self.folder / "vendor.pub"
        public.write_text(f"{key.get_name()} {key.get_base64()} vendor\n")
        command = ["account", "add", FEED, "--key", str(public)]
        done = subprocess.run(self._ingestd(*command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise IngestdError(f"no account could be made:\n{done.stderr}")
        return key

    def _ingestd(self, *command: str) -> list[str]:
        return [sys.executable, "-m", "ingestd", "--config", str(self.folder / "ingestd.toml"), *command]

    @contextmanager
    def _daemon(self) -> Iterator[int]:
        """Run the daemon beside us, and stop it as systemd would; give the port of its SFTP server."""
        command = self._ingestd("run")
        with (self.folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as daemon:
            try:
                yield self._wait_for_port(daemon)
            finally:
                daemon.send_signal(signal.SIGTERM)

    def _wait_for_port(self, daemon: "subprocess.Popen[bytes]") -> int:
        log = self.folder / "log"
        deadline = time.monotonic() + PATIENCE
        while not (told := _told(log, "server.listening")):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise IngestdError(f"the daemon did not start:\n{log.read_text()}")
            time.sleep(0.05)
        return int(told[-1]["port"])


def _told(log: Path, event: str) -> list[Mapping[str, Any]]:
    """Return the lines of a log that tell of an event; the last line may not be whole yet."""
    found = []
    for line in log.read_text().splitlines():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return [one for one in found if one.get("event") == event]


class _Vendor:
    """A vendor's SFTP client. It knows the server by its key, which the operator told."""

    def __init__(self, state: Path, port: int, key: paramiko.PKey) -> None:
        self._client = paramiko.SSHClient()
        host = f"[127.0.0.1]:{port}"
        server = host_key(state / "server", None)
        self._client.get_host_keys().add(host, server.get_name(), server)
        self._client.connect(
            "127.0.0.1", port, FEED, pkey=key, allow_agent=False, look_for_keys=False, timeout=PATIENCE
        )
        self._sftp = self._client.open_sftp()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def push(self, path: Path) -> None:
        """Upload a drop."""
        self._sftp.put(str(path), f"inbox/{path.name}")

    def receipt(self, name: str) -> str:
        """Return the receipt of a drop, blank if there is none yet."""
        with suppress(FileNotFoundError), self._sftp.open(f"results/{name}.report.txt") as file:
            return file.read().decode()
        return ""
