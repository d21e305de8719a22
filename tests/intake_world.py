"""The world that the tests of intake and daemon need: files, a clock that does not run, a feed that keeps a diary."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import structlog

from ingestd.daemon import Clock, Taken
from ingestd.sources.base import Drop, Sighting, Source, look_of

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread gives up: far more than it ever takes."""


def put(path: Path, content: bytes = b"a zip, for all that intake knows") -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path


def drop_at(path: Path, since: float = 0) -> Drop:
    """Return the drop that a source sees in a file as it is now."""
    return Drop(path, look_of(path.lstat()), since)


class Ticker:
    """A clock that moves only while somebody waits, and tells `on_wait` each time before it does.

    The wall stands in the year 1970, so that no file ever looks as if it had been at rest. Once halted it waits really.
    """

    def __init__(self, on_wait: Callable[[float], None] = lambda _now: None) -> None:
        self.now = 1000.0
        self.on_wait = on_wait
        self._is_halted = False

    def halt(self) -> None:
        """Move no more: whoever waits does so until the event is set."""
        self._is_halted = True

    def wait(self, event: Event, seconds: float) -> bool:
        """Move on by so many seconds unless the event is set."""
        self.on_wait(self.now)
        if self._is_halted:
            return event.wait(PATIENCE)
        if not event.is_set():
            self.now += seconds
        return event.is_set()

    def clock(self) -> Clock:
        """Return it as the daemon takes it."""
        return Clock(lambda: self.now, lambda: datetime.fromtimestamp(self.now, UTC), self.wait)


@dataclass
class Diary:
    """A feed that writes down what is asked of it; each call first does what the test put into `on_…`."""

    name: str
    sources: Sequence[Source]
    on_resume: Callable[[], None] = lambda: None
    on_claim: Callable[[Drop, Callable[[], bool]], Taken] = lambda _drop, _stop: Taken.DONE
    on_work: Callable[[Callable[[], bool]], None] = lambda _stop: None
    on_tick: Callable[[Callable[[], bool]], None] = lambda _stop: None
    lines: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def resume(self) -> None:
        """Write it down."""
        self.write("resume")
        self.on_resume()

    def claim(self, drop: Drop, stop: Callable[[], bool]) -> Taken:
        """Write it down; by default remove nothing and be done."""
        self.write(drop.path.name)
        return self.on_claim(drop, stop)

    def work(self, stop: Callable[[], bool]) -> None:
        """Write it down."""
        self.write("work")
        self.on_work(stop)

    def is_due(self, wall: datetime) -> bool:
        """Return True: each round ticks."""
        assert wall.tzinfo is not None
        return True

    def tick(self, wall: datetime, stop: Callable[[], bool]) -> None:
        """Write it down, aware of the time."""
        assert wall.tzinfo is not None
        self.write("tick")
        self.on_tick(stop)

    def close(self) -> None:
        """Write it down."""
        self.write("close")

    def write(self, line: str) -> None:
        """Add a line and tell who waits for it."""
        with self.news:
            self.lines.append(line)
            self.news.notify_all()

    def wait_for(self, line: str, times: int = 1) -> bool:
        """Wait until the line has been written so often; return whether it has."""
        with self.news:
            return self.news.wait_for(lambda: self.lines.count(line) >= times, PATIENCE)

    @property
    def taken(self) -> list[str]:
        """Return the names of the drops that were offered, in order."""
        return [line for line in self.lines if line.endswith(".zip")]


@dataclass
class Shelf:
    """A source without a disk: `on_scan` returns what it holds."""

    on_scan: Callable[[float], Sequence[Drop]] = lambda _now: ()
    waits: Sequence[Sighting] = ()
    problem: str | None = None
    is_closed: bool = False

    def scan(self, now: float, wall: datetime) -> Sequence[Drop]:
        """Return what the test says."""
        return self.on_scan(now)

    def waiting(self) -> Sequence[Sighting]:
        """Return what the test says."""
        return self.waits

    def is_looking(self) -> bool:
        """Look no further."""
        return False

    def watch(self, wake: Callable[[], None]) -> None:
        """Have nothing to watch."""

    def health(self) -> str | None:
        """Return what the test says."""
        return self.problem

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


class Log:
    """What structlog was told, with a way to wait for it."""

    def __init__(self) -> None:
        self.entries: list[MutableMapping[str, Any]] = []
        self._news = threading.Condition()

    def __call__(self, _logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Keep an entry, as the last processor."""
        with self._news:
            self.entries.append(dict(entry))
            self._news.notify_all()
        raise structlog.DropEvent

    def of(self, event: str) -> list[MutableMapping[str, Any]]:
        """Return the entries of one event."""
        return [entry for entry in self.entries if entry["event"] == event]

    def wait_for(self, event: str, times: int = 1) -> bool:
        """Wait until an event has been logged so often; return whether it has."""
        with self._news:
            return self._news.wait_for(lambda: len(self.of(event)) >= times, PATIENCE)


@contextmanager
def kept_log() -> Iterator[Log]:
    """Keep what is logged instead of printing it."""
    before = structlog.get_config()
    log = Log()
    structlog.configure(processors=[log], cache_logger_on_first_use=False)
    try:
        yield log
    finally:
        structlog.configure(**before)


@contextmanager
def notify_socket() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """Be systemd: yield a socket that hears, and the environment that says where it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        address = f"@ingestd-test-{os.urandom(8).hex()}"  # abstract: a path is limited to 107 bytes
        ear.bind(address.replace("@", "\0", 1))
        ear.settimeout(PATIENCE)
        yield ear, {"NOTIFY_SOCKET": address}


def hear(ear: socket.socket, line: str) -> list[str]:
    """Read what comes until a datagram has the line; return all lines up to there."""
    heard: list[str] = []
    while line not in heard:
        heard += ear.recv(4096).decode().splitlines()
    return heard
