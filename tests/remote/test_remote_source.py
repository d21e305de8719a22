"""The thread of a remote source: it makes nobody wait, ends when told to, and a kill at any step harms nothing."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from intake_world import PATIENCE, Diary
from remote_world import Keys, Scripted, lay, listening, openssh, terms

from ingestd import daemon
from ingestd.core.fetching import Listed
from ingestd.feedloop import Pace, Taken
from ingestd.sources.base import Drop
from ingestd.sources.remote import RemoteSource
from ingestd.sources.remote_folder import Patience
from ingestd.sources.remote_spool import PART, Spool

LONG = float(os.environ.get("INGESTD_FLEET", "0"))
"""Seconds for which the fleet of servers is watched in the long run; the normal suite takes a short look."""

SLOW = Patience(connect=PATIENCE, stall=PATIENCE, least_speed=1)

pytestmark = pytest.mark.usefixtures("log")


def silent(keys: Keys, folder: Path, patience: Patience) -> Iterator[RemoteSource]:
    """Give a source whose server accepts and says nothing."""
    with listening(lambda line: [*iter(lambda: line.recv(1), b"")]) as port:
        source = RemoteSource(keys.account(port), terms("/", patience=patience), folder / "fetched")
        yield source
        source.close()


def test_a_hung_server_makes_no_scan_wait_and_no_close(keys: Keys, tmp_path: Path) -> None:
    """Its own time is long; scans take none of it, and closing cuts it."""
    for source in silent(keys, tmp_path, SLOW):
        diary = Diary("feed", [source])
        requests: daemon.Requests = queue.SimpleQueue()
        threading.Timer(1, requests.put, [daemon.Reason.STOP]).start()
        began = time.monotonic()
        daemon.run([diary], pace=Pace(rescan=0.1), requests=requests, environ={})
        assert time.monotonic() - began < 5
        assert diary.lines.count("tick") >= 3


def test_once_waits_until_what_is_there_has_settled(keys: Keys, tmp_path: Path) -> None:
    """It looks, waits, looks again, fetches and takes; and it ends."""
    (tmp_path / "export").mkdir()
    lay(tmp_path / "export", "a.zip", b"one")
    with openssh(keys, tmp_path) as port:
        about = terms(tmp_path / "export", settle=1, patience=SLOW)
        diary = Diary("feed", [RemoteSource(keys.account(port), about, tmp_path / "fetched")])
        diary.on_claim = lambda drop, _stop: _claimed(drop)
        daemon.once([diary], pace=Pace(settle=0.05), requests=queue.SimpleQueue(), environ={})
    assert diary.taken == ["a.zip"]


def test_once_does_not_wait_for_a_server_that_is_away(keys: Keys, tmp_path: Path) -> None:
    """One try; that it failed is told by its health."""
    for source in silent(keys, tmp_path, Patience(connect=0.2)):
        daemon.once([Diary("feed", [source])], requests=queue.SimpleQueue(), environ={})
        assert source.health() is not None


def _claimed(drop: Drop) -> Taken:
    drop.path.unlink()
    return Taken.DONE


# Killed at any step ------------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from pathlib import Path
from remote_world import Keys, terms
from ingestd.sources import remote_visits
from ingestd.sources.remote_folder import RemoteFolder
from ingestd.sources.remote_spool import Spool

keys, port, export, spool, step = Keys(Path(sys.argv[1]), Path(sys.argv[2])), *sys.argv[3:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def before(owner, name):
    setattr(owner, name, die)

def after(owner, name):
    call = getattr(owner, name)
    setattr(owner, name, lambda *given: (call(*given), die()))

match step:
    case "half fetched": RemoteFolder._check = die
    case "fetched": before(Spool, "remember")
    case "remembered": after(Spool, "remember")
    case "cleared": after(RemoteFolder, "delete")
about = terms(export, after=remote_visits.After.DELETE)
remote_visits.Visits(keys.account(int(port)), about, Spool(Path(spool))).visit(lambda: None)
"""


@pytest.mark.parametrize(
    ("step", "is_here", "is_there"),
    [
        ("half fetched", False, True),
        ("fetched", True, True),
        ("remembered", True, True),
        ("cleared", True, False),
    ],
)
def test_a_kill_at_any_step_loses_nothing(keys: Keys, tmp_path: Path, step: str, is_here: bool, is_there: bool) -> None:
    """The drop is whole here or still there, and the next visit ends it. Only one not yet remembered comes twice."""
    export, spool = tmp_path / "export", Spool(tmp_path / "fetched" / "place")
    export.mkdir()
    lay(export, "a.zip", b"one" * 100_000)
    with openssh(keys, tmp_path) as port:
        words = [keys.host, keys.user, str(port), export, spool.folder]
        child = [sys.executable, "-c", CHILD, *map(str, words)]
        tests = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"}
        killed = subprocess.run([*child, step], check=False, env=tests, timeout=PATIENCE)
        assert killed.returncode == -signal.SIGKILL
        assert ((spool.drops / "a.zip").exists(), (export / "a.zip").exists()) == (is_here, is_there)
        if is_here:
            (spool.drops / "a.zip").unlink()
        subprocess.run([*child, "to the end"], check=True, env=tests, timeout=PATIENCE)
    came_again = (spool.drops / "a.zip").exists()
    assert came_again == (step in {"half fetched", "fetched"})
    assert [path.name for path in export.iterdir()] == []
    assert not (spool.folder / PART).exists()


def test_a_drop_is_remembered_only_once_it_is_here(keys: Keys, tmp_path: Path) -> None:
    """The memory that a kill leaves never names a drop that was not fetched."""
    spool = Spool(tmp_path / "fetched" / "place")
    spool.prepare()
    spool.remember({"a.zip": Listed("a.zip", 1, 2)})
    assert spool.recall() == {"a.zip": Listed("a.zip", 1, 2)}
    assert (spool.folder / "memory.json").stat().st_mode & 0o777 == 0o600


# Twenty servers ----------------------------------------------------------------------------------------------


def test_servers_that_hang_or_crawl_delay_no_other(keys: Keys, tmp_path: Path) -> None:
    """Of twenty, five hang and three crawl: each of the others is visited on its time, and its drop is here."""
    every, watched, part = (10.0, LONG, 0.1) if LONG else (2.0, 9.0, 0.5)
    patience = Patience(connect=PATIENCE, stall=PATIENCE, least_speed=1)
    scripts = [Scripted({"a.zip": (b"x" * 1000, 1)}) for _ in range(15)]
    visited: list[list[float]] = [[] for _ in scripts]
    for number, script in enumerate(scripts):
        script.on_login = lambda number=number: visited[number].append(time.monotonic())  # type: ignore[misc]
        if number >= 12:
            script.files["a.zip"] = (b"x" * 4_000_000, 1)
            script.on_read = lambda _offset, script=script: script.ended.wait(1)  # type: ignore[misc]
    with ExitStack() as stack:
        ports = [stack.enter_context(script.serving(keys)) for script in scripts]
        ports += [stack.enter_context(listening(lambda line: [*iter(lambda: line.recv(1), b"")])) for _ in range(5)]
        about = terms("/", every=every, patience=patience)
        sources = [RemoteSource(keys.account(port), about, tmp_path / str(port), chance=lambda: 0.5) for port in ports]
        for source in sources:
            stack.callback(source.close)
            source.watch(lambda: None)
        for script in scripts:
            stack.callback(script.ended.set)
        time.sleep(watched)
        fetched = [(source.path / "a.zip").exists() for source in sources]  # before the crawlers are let go
    for times in visited[:12]:
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(gaps) >= watched / every * 0.6
        assert median(gaps) == pytest.approx(every, rel=part)
    assert fetched == [True] * 12 + [False] * 8
