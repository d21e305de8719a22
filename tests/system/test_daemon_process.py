"""The daemon as a process of its own: what it does when a real signal comes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from intake_world import PATIENCE, hear, notify_socket, put

PROGRAM = """
import sys
from pathlib import Path
from ingestd.daemon import Pace, Taken, run
from ingestd.errors import StoppingError
from ingestd.sources.folder import FolderSource

class Feed:
    name = "a"
    def __init__(self, inbox):
        self.sources = [FolderSource(inbox, quiet_period=0)]
        self.names = []
    def resume(self): pass
    def is_due(self, wall): return False
    def tick(self, wall, stop): pass
    def claim(self, drop, stop):
        self.names.append(drop.path.name)
        return Taken.DONE
    def work(self, stop):
        if not self.names:
            return
        print("working", flush=True)
        if "deaf.zip" in self.names:
            sys.stdin.read()
        while not stop():
            pass
        print("at a safe point", flush=True)
        raise StoppingError("now")
    def close(self):
        print("closed", flush=True)

print(run([Feed(Path(sys.argv[1]))], pace=Pace(rescan=3600)).reason, flush=True)
"""


@contextmanager
def process(inbox: Path) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """Start the daemon as a process; yield it, and the ear of its systemd, when it has said that it is ready."""
    with notify_socket() as (ear, environ):
        words = [sys.executable, "-c", PROGRAM, str(inbox)]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, env=os.environ | environ, text=True) as started:
            deadline = Timer(2 * PATIENCE, started.kill)  # who waits for a line then gets the end instead
            deadline.start()
            try:
                hear(ear, "READY=1")
                yield started, ear
            finally:
                deadline.cancel()
                started.kill()


def lines_until(started: subprocess.Popen[str], line: str) -> list[str]:
    """Read what the process prints (its log aside) until a line."""
    assert started.stdout is not None
    heard: list[str] = []
    for each in started.stdout:
        heard.append(each.strip())
        if heard[-1] == line:
            return heard
    raise AssertionError(f"{line} was not printed")


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGTERM, "stop"), (signal.SIGINT, "stop"), (signal.SIGHUP, "reload")]
)
def test_a_signal_ends_a_run_at_its_safe_point(inbox: Path, number: int, reason: str) -> None:
    """A real process amid a run: told by signal it gets out where it may, closes, and says why it ended."""
    with process(inbox) as (started, _ear):
        put(inbox / "a.zip")
        lines_until(started, "working")
        started.send_signal(number)
        assert "at a safe point" in lines_until(started, "closed")
        lines_until(started, reason)
        assert started.wait(PATIENCE) == 0


def test_an_idle_process_stops_at_once(inbox: Path) -> None:
    """With an hour to the next rescan nothing has to be waited for."""
    with process(inbox) as (started, _ear):
        started.send_signal(signal.SIGTERM)
        lines_until(started, "closed")
        assert started.wait(PATIENCE) == 0


def test_a_second_signal_ends_it_where_it_is(inbox: Path) -> None:
    """A run that does not hear is ended by asking twice, as a kill would: that is safe, and sometimes wanted."""
    with process(inbox) as (started, ear):
        put(inbox / "deaf.zip")
        lines_until(started, "working")
        started.send_signal(signal.SIGTERM)
        hear(ear, "STOPPING=1")
        started.send_signal(signal.SIGTERM)
        assert started.wait(PATIENCE) == -signal.SIGTERM
