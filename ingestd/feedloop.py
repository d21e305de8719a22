"""One feed's turn, over and over: scan, take what is stable, tick, rest. Whatever a feed raises stays in it."""

import errno
import math
import queue
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import BoundedSemaphore, Event, Thread
from typing import Any, Protocol

import structlog

from ingestd.errors import StoppingError, UnforeseenError
from ingestd.sources.base import Drop, Look, Source


class Taken(StrEnum):
    """What came of a drop that was offered: it is dealt with, or it is to be offered again when it changes or later."""

    DONE = "done"
    WAIT = "wait"


class Reason(StrEnum):
    """Why the daemon came to an end: told to stop, told to read its configuration anew, nothing left to do (`once`)."""

    STOP = "stop"
    RELOAD = "reload"
    DONE = "done"


class Intake(Protocol):
    """One feed as the daemon drives it, from one thread.

    A call that finds `stop()` true ends at the next safe point, by returning or by StoppingError. Any other exception
    is a fault of the world: the feed backs off, and the same call is made again.
    """

    name: str
    sources: Sequence[Source]

    def resume(self, stop: Callable[[], bool]) -> None:
        """End the runs that an earlier process left behind. Called once, after the first scan, before any `take`."""
        ...

    def take(self, drop: Drop, stop: Callable[[], bool]) -> Taken:
        """Claim a stable drop and run it; WAIT if it is incomplete or has a writer."""
        ...

    def tick(self, wall: datetime, stop: Callable[[], bool]) -> None:
        """Do what the time of day asks for (re-plan at `apply_at`), if it has not been done. Called every round."""
        ...

    def close(self) -> None:
        """Let go of everything. Called once, at the end, after the sources have been closed."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how much at once; times in seconds.

    `settle` is waited after an event, so that a sender's many events are one scan. A drop that has to wait is offered
    again unchanged after `rescan`, doubling to `longest_pause`; so is the pause of a feed that failed, from
    `first_pause`.
    """

    rescan: float = 30
    parallel_runs: int = 2
    settle: float = 0.2
    first_pause: float = 5
    longest_pause: float = 300


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the daemon sees it. `wait` waits for an event at most so many seconds, and returns whether it is set."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[Event, float], bool] = Event.wait


Requests = queue.SimpleQueue[Reason | None]
"""What the main thread waits on: a reason to end, or None as a nudge to look at the feeds. Safe in signal handlers."""


@dataclass(slots=True)
class Shop:
    """What the feeds share."""

    pace: Pace
    clock: Clock
    until_idle: bool = False
    requests: Requests = field(default_factory=queue.SimpleQueue)
    stopping: Event = field(default_factory=Event)
    slots: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = BoundedSemaphore(self.pace.parallel_runs)


@dataclass(slots=True)
class _Offer:
    """A drop that was offered and still lies there: how it looked, when to offer it again, how often it has waited."""

    look: Look
    again: float
    times: int


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as fields of a log line: its class, where it arose, the system's name for it.

    Never its words: they may hold a value of the data (law 9).
    """
    if isinstance(error, UnforeseenError):
        return {"error": error.kind, "at": list(error.at)}
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    fields: dict[str, Any] = {"error": type(error).__name__, "at": where}
    if isinstance(error, OSError) and error.errno is not None:
        fields["errno"] = errno.errorcode.get(error.errno, "unknown")
    return fields


class FeedLoop:
    """One feed's loop, and what the main thread may know of it."""

    def __init__(self, intake: Intake, shop: Shop) -> None:
        self.intake = intake
        self.has_looked = False
        self.has_ended = False
        self.is_busy = False
        self.is_running = False
        self.failures = 0
        self.waiting = 0
        self.unwell = 0
        self.is_looking = False
        self.wake = Event()
        self.thread = Thread(target=self._loop, name=f"feed {intake.name}", daemon=True)
        self._shop = shop
        self._due = shop.clock.monotonic()
        self._soonest = math.inf
        self._offers: dict[Path, _Offer] = {}
        self._is_watching = shop.until_idle  # `once` has nothing to be woken by: it knows when quiet periods end
        self._has_resumed = False
        self._log = structlog.get_logger().bind(feed=intake.name)

    def is_alive(self) -> bool:
        """Return whether the feed is at work, or has looked within three rescan intervals (or as its pause allows)."""
        if not self.thread.is_alive():
            return self.has_ended and (self._shop.until_idle or self._shop.stopping.is_set())
        return self.is_busy or self._shop.clock.monotonic() <= self._due + 2 * self._shop.pace.rescan

    def _loop(self) -> None:
        try:
            while not self._shop.stopping.is_set():
                offered = self._round()
                if self._shop.until_idle and (self.failures or not (offered or self.waiting or self.is_looking)):
                    break
                if not (self._shop.until_idle and offered):  # `once` looks again at once for what came meanwhile
                    self._rest()
        finally:
            self._close()
            self.has_ended = True
            self._nudge()

    def _round(self) -> int:
        """Scan, resume, take, tick; return how many drops were offered. Never raises."""
        try:
            drops = self._scan()
            self._resume()
            offered = sum(map(self._offer, drops))
            with self._slot():
                self.intake.tick(self._shop.clock.wall(), self._shop.stopping.is_set)
        except Exception as error:  # whatever it is, it stays in this feed
            self._fail(error)
            return 0
        self.failures = 0
        return offered

    def _scan(self) -> list[Drop]:
        sources = self.intake.sources
        try:
            self._watch()
            now, wall = self._shop.clock.monotonic(), self._shop.clock.wall()
            drops = sorted((drop for source in sources for drop in source.scan(now, wall)), key=lambda drop: drop.since)
            waiting = [seen for source in sources for seen in source.waiting()]
            self.waiting, self._soonest = len(waiting), min((seen.due for seen in waiting), default=math.inf)
            self.is_looking = any(source.is_looking() for source in sources)
            self.unwell = sum(source.health() is not None for source in sources)
        finally:
            if not self.has_looked:
                self.has_looked = True
                self._nudge()
        there = {drop.path for drop in drops}
        self._offers = {path: offer for path, offer in self._offers.items() if path in there}
        return drops

    def _watch(self) -> None:
        if not self._is_watching:  # before the first scan, so that nothing comes unseen between the two
            for source in self.intake.sources:
                source.watch(self.wake.set)
            self._is_watching = True

    def _resume(self) -> None:
        if not self._has_resumed:
            with self._slot(is_run=True):
                self.intake.resume(self._shop.stopping.is_set)
            self._has_resumed = True

    def _offer(self, drop: Drop) -> bool:
        """Offer a drop unless it was offered as it is and its time has not come; return whether it was."""
        last = self._offers.get(drop.path)
        if last is None or last.look != drop.look:
            last = _Offer(drop.look, again=-math.inf, times=0)
        if self._shop.clock.monotonic() < last.again:
            return False
        with self._slot(is_run=True):
            taken = self.intake.take(drop, self._shop.stopping.is_set)
        # What is done but could not be removed from the inbox is not offered for ever.
        pause = self._doubled(self._shop.pace.rescan, last.times) if taken is Taken.WAIT else math.inf
        self._offers[drop.path] = _Offer(drop.look, self._shop.clock.monotonic() + pause, last.times + 1)
        return True

    @contextmanager
    def _slot(self, *, is_run: bool = False) -> Iterator[None]:
        """Hold one of the slots for runs, and count as alive from the moment it is asked for."""
        self.is_busy = True
        try:
            while not self._shop.slots.acquire(timeout=0.2):
                self._stop_here()
            try:
                self._stop_here()
                self.is_running = is_run
                yield
            finally:
                self._shop.slots.release()
        finally:
            self._due = self._shop.clock.monotonic()
            self.is_busy = self.is_running = False

    def _stop_here(self) -> None:
        if self._shop.stopping.is_set():
            raise StoppingError("told to stop")

    def _fail(self, error: Exception) -> None:
        if isinstance(error, StoppingError) and self._shop.stopping.is_set():
            return
        self.failures += 1
        self._log.error("feed.failed", **describe(error), times=self.failures, pause=self._pause())
        self._nudge()

    def _rest(self) -> None:
        """Wait for an event, the end of a quiet period or the next rescan; a failed feed is not woken by events."""
        clock, pause = self._shop.clock, self._pause()
        self._due = clock.monotonic() + pause
        if self.failures:
            clock.wait(self._shop.stopping, pause)
        elif clock.wait(self.wake, pause):
            clock.wait(self._shop.stopping, self._shop.pace.settle)
        self.wake.clear()

    def _pause(self) -> float:
        pace, now = self._shop.pace, self._shop.clock.monotonic()
        if self.failures:
            return self._doubled(pace.first_pause, self.failures - 1)
        if self._shop.until_idle and self.is_looking:
            return pace.settle
        return max(pace.settle, min(pace.rescan, self._soonest - now))

    def _doubled(self, pause: float, times: int) -> float:
        return float(min(self._shop.pace.longest_pause, pause * 2 ** min(times, 20)))

    def _close(self) -> None:
        for close in [*(source.close for source in self.intake.sources), self.intake.close]:
            try:
                close()
            except Exception as error:  # the rest must be closed all the same
                self._log.error("feed.failed", **describe(error))

    def _nudge(self) -> None:
        self._shop.requests.put(None)
