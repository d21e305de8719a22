"""One feed's turn, over and over: scan, claim what is stable, work, rest. Whatever a feed raises stays in it."""

import errno
import math
import queue
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

import structlog

from ingestd.errors import StoppingError, UnforeseenError
from ingestd.slots import Slots
from ingestd.sources.base import Drop, Source


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

    def resume(self) -> None:
        """Put in order what an earlier process left behind. Called once, after the first scan, before any `claim`."""
        ...

    def claim(self, drop: Drop, stop: Callable[[], bool]) -> Taken:
        """Make a stable drop a run that `work` will go on with; WAIT if it is incomplete or has a writer."""
        ...

    def work(self, stop: Callable[[], bool]) -> None:
        """Go on with all runs that are not through: after `resume`, and after claims."""
        ...

    def is_due(self, wall: datetime) -> bool:
        """Return whether there is something to do for `tick`."""
        ...

    def tick(self, wall: datetime, stop: Callable[[], bool]) -> None:
        """Do what the time of day asks for (re-plan at `apply_at`), if it has not been done."""
        ...

    def close(self) -> None:
        """Let go of everything. Called once, at the end, after the sources have been closed."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how much at once; times in seconds.

    `settle` is waited after an event, so that a sender's many events are one scan; and for a slot before the next
    scan. A drop that has to wait is offered again unchanged after `rescan`, doubling to `longest_pause`; so is the
    pause of a feed that failed, from `first_pause`.
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
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        self.slots = Slots(self.pace.parallel_runs)


@dataclass(slots=True)
class _Offer:
    """A drop that was offered and still lies there: how it was, when to offer it again, how often it has waited."""

    drop: Drop
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
        self._has_work = True
        self._is_queueing = False
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
                if self._shop.until_idle and (self.failures or not (offered or self._is_awaiting())):
                    break
                # A feed that waits for a slot looks on; `once` looks again at once for what came meanwhile.
                if not (self._is_queueing or (self._shop.until_idle and offered)):
                    self._rest()
        finally:
            self._close()
            self.has_ended = True
            self._nudge()

    def _is_awaiting(self) -> bool:
        return bool(self._is_queueing or self.waiting or self.is_looking)

    def _round(self) -> int:
        """Scan, claim, work, tick; return how many drops were offered. Never raises."""
        try:
            drops = self._scan()
            self._resume()
            due = [drop for drop in drops if self._is_due(drop)]
            try:
                for drop in due:
                    self._offer(drop)
            finally:  # a drop that cannot be claimed keeps none waiting that has been
                self._work()
        except Exception as error:  # whatever it is, it stays in this feed
            self._fail(error)
            return 0
        if not self._is_queueing:
            self.failures = 0
        return len(due)

    def _scan(self) -> list[Drop]:
        sources = self.intake.sources
        try:
            self._watch()
            now, wall = self._shop.clock.monotonic(), self._shop.clock.wall()
            self._due = now
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
            with self._busy():
                self.intake.resume()
            self._has_resumed = True

    def _last(self, drop: Drop) -> _Offer | None:
        """Return when a drop was offered as it is now."""
        last = self._offers.get(drop.path)
        return last if last and replace(last.drop, since=drop.since) == drop else None

    def _is_due(self, drop: Drop) -> bool:
        """Return whether a drop is to be offered: it has not been as it is, or its time has come again."""
        last = self._last(drop)
        return last is None or self._shop.clock.monotonic() >= last.again

    def _offer(self, drop: Drop) -> None:
        last = self._last(drop)
        times = last.times if last else 0
        with self._busy():
            taken = self.intake.claim(drop, self._shop.stopping.is_set)
        self._has_work |= taken is Taken.DONE
        # What is done but could not be removed from the inbox is not offered for ever.
        pause = self._doubled(self._shop.pace.rescan, times) if taken is Taken.WAIT else math.inf
        self._offers[drop.path] = _Offer(drop, self._shop.clock.monotonic() + pause, times + 1)

    def _work(self) -> None:
        """Go on with runs, and tick if it is time. Without a free slot the feed scans and claims, and comes again."""
        wall = self._shop.clock.wall()
        self._is_queueing = False
        if not (self._has_work or self.intake.is_due(wall)):
            return
        with self._shop.slots.taken(timeout=self._shop.pace.settle) as has_slot:
            if has_slot:
                self._run(wall)
            else:
                self._is_queueing = True

    def _run(self, wall: datetime) -> None:
        self.is_running = True
        try:
            with self._busy():
                if self._has_work:
                    self.intake.work(self._shop.stopping.is_set)
                    self._has_work = False
                self.intake.tick(wall, self._shop.stopping.is_set)
        finally:
            self.is_running = False

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Count as alive, however long it takes."""
        self._stop_here()
        self.is_busy = True
        try:
            yield
        finally:
            self._due = self._shop.clock.monotonic()
            self.is_busy = False

    def _stop_here(self) -> None:
        if self._shop.stopping.is_set():
            raise StoppingError("told to stop")

    def _fail(self, error: Exception) -> None:
        if isinstance(error, StoppingError) and self._shop.stopping.is_set():
            return
        self.failures += 1
        self._is_queueing = False
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
