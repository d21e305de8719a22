"""The daemon in a thread of its own, and what its tests share."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from intake_world import (
    PATIENCE,
    Diary,
    Ticker,
)

from ingestd.daemon import Ended, Intake, Pace, Reason, Requests, Taken, run
from ingestd.sources.base import Drop

HOURLY = Pace(rescan=3600)


class Daemon:
    """`run` in a thread of its own, which the test ends by a request."""

    def __init__(self, intakes: Sequence[Intake], **words: Any) -> None:
        self.requests: Requests = queue.SimpleQueue()
        self.ended: Ended | None = None
        self._thread = threading.Thread(target=self._run, args=(intakes,), kwargs=words, daemon=True)
        self._thread.start()

    def _run(self, intakes: Sequence[Intake], **words: Any) -> None:
        self.ended = run(intakes, requests=self.requests, **words)

    def end(self, reason: Reason | None = Reason.STOP) -> Ended:
        """Ask it to end, and return how it did."""
        self.requests.put(reason)
        self._thread.join(PATIENCE)
        assert self.ended is not None, "the daemon did not end"
        return self.ended


@contextmanager
def running(intakes: Sequence[Intake], **words: Any) -> Iterator[Daemon]:
    """Run the daemon and end it, whatever the test does."""
    daemon = Daemon(intakes, **words)
    try:
        yield daemon
    finally:
        daemon.end()


def once_at_work(other: Diary, drops: Sequence[Drop] = ()) -> Callable[[float], Sequence[Drop]]:
    """Return a scan that finds these once the other feed is at work."""

    def scan(_now: float) -> Sequence[Drop]:
        assert other.wait_for("work")
        return drops

    return scan


def take_away(drop: Drop, _stop: Callable[[], bool]) -> Taken:
    """Do as an intake does in the end."""
    drop.path.unlink()
    return Taken.DONE


def run_until(feed: Diary, ticker: Ticker, end: float, **words: Any) -> Ended:
    """Run one feed by a clock that nobody waits for until `end` seconds have passed on it."""
    requests: Requests = queue.SimpleQueue()
    start, happen = ticker.now, ticker.on_wait

    def on_wait(now: float) -> None:
        happen(now)
        if now >= start + end:
            requests.put(Reason.STOP)
            ticker.halt()

    ticker.on_wait = on_wait
    return run([feed], clock=ticker.clock(), requests=requests, **words)


def fail(*_anything: object) -> Any:
    """Raise what holds a child's name."""
    raise ValueError("Bart Simpson")
