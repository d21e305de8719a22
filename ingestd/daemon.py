"""The loop: one thread a feed that scans, takes what is stable, and ticks; a main thread that waits for signals.

Law: no feed's trouble is another's. Whatever a feed raises is logged without a value, that feed alone backs off and
goes on; and systemd's watchdog is fed only while every feed either looks on time or is at work.
"""

import os
import queue
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from types import FrameType

import structlog

from ingestd import systemd
from ingestd.feedloop import Clock, FeedLoop, Intake, Pace, Reason, Requests, Shop, Taken, describe

__all__ = [
    "Clock",
    "Ended",
    "Intake",
    "Pace",
    "Reason",
    "Requests",
    "Taken",
    "describe",
    "listen_for_signals",
    "once",
    "run",
]


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended, and the names of the feeds whose last round failed."""

    reason: Reason
    failed: tuple[str, ...] = ()


@contextmanager
def listen_for_signals() -> Iterator[Requests]:
    """Turn SIGTERM and SIGINT into STOP and SIGHUP into RELOAD; in the main thread only. A second stop kills.

    Who calls `run` again after a RELOAD holds this open around both, so that no signal meets a process without ears.
    """
    requests: Requests = queue.SimpleQueue()
    reasons = {signal.SIGTERM: Reason.STOP, signal.SIGINT: Reason.STOP, signal.SIGHUP: Reason.RELOAD}

    def hear(number: int, _frame: FrameType | None) -> None:
        reason = reasons[signal.Signals(number)]
        if reason is Reason.STOP:
            signal.signal(number, signal.SIG_DFL)  # whoever asks twice means it, and may: a kill harms nothing (law 6)
        requests.put(reason)

    before = {number: signal.signal(number, hear) for number in reasons}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    intakes: Sequence[Intake],
    *,
    pace: Pace = Pace(),
    clock: Clock = Clock(),
    requests: Requests | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Ended:
    """Drive the feeds until a signal, or a reason put into `requests`, ends it; return once every feed has let go.

    Without `requests` it listens for signals itself, which only the main thread can do.
    """
    return _drive(intakes, Shop(pace, clock), requests, environ)


def once(
    intakes: Sequence[Intake],
    *,
    pace: Pace = Pace(),
    clock: Clock = Clock(),
    requests: Requests | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Ended:
    """Take what is stable, wait for what is in its quiet period, tick; return when no feed has anything left.

    A drop that its intake lets wait is not waited for. A feed that fails ends there, and is named in the result.
    """
    return _drive(intakes, Shop(pace, clock, until_idle=True), requests, environ)


def _drive(intakes: Sequence[Intake], shop: Shop, requests: Requests | None, environ: Mapping[str, str]) -> Ended:
    log = structlog.get_logger()
    with listen_for_signals() if requests is None else nullcontext(requests) as shop.requests:
        crew = [FeedLoop(intake, shop) for intake in intakes]
        herald = systemd.Herald(environ)
        for feed in crew:
            feed.thread.start()
        log.info("daemon.started", feeds=len(crew))
        reason = _attend(crew, shop, herald)
        herald.say("RELOADING=1" if reason is Reason.RELOAD else "STOPPING=1")
        _wind_down(crew, shop, herald)
        if Reason.STOP in _drain(shop.requests):  # it came while a reload was winding down
            reason = Reason.STOP
        log.info("daemon.stopped", reason=str(reason))
    return Ended(reason, tuple(feed.intake.name for feed in crew if feed.failures))


def _attend(crew: Sequence[FeedLoop], shop: Shop, herald: systemd.Herald) -> Reason:
    """Tell systemd how things are until there is a reason to end."""
    while not (shop.until_idle and all(feed.has_ended for feed in crew)):
        _tell(crew, herald)
        with suppress(queue.Empty):
            request = shop.requests.get(timeout=herald.pulse)
            if request is not None:
                return request
    return Reason.DONE


def _wind_down(crew: Sequence[FeedLoop], shop: Shop, herald: systemd.Herald) -> None:
    """Have every feed stop at its next safe point, however long a run takes to come to one."""
    shop.stopping.set()
    for feed in crew:
        feed.wake.set()
    for feed in crew:
        while feed.thread.is_alive():
            _tell(crew, herald)
            feed.thread.join(herald.pulse)


def _tell(crew: Sequence[FeedLoop], herald: systemd.Herald) -> None:
    silent = [feed.intake.name for feed in crew if not feed.is_alive()]
    if silent and herald.is_alive:
        structlog.get_logger().error("watchdog.withheld", feeds=silent)
    parts = (
        (sum(feed.is_running for feed in crew), "running"),
        (sum(feed.waiting for feed in crew), "drops in their quiet period"),
        (sum(feed.failures > 0 for feed in crew), "failing"),
        (sum(feed.unwell for feed in crew), "sources out of order"),
    )
    status = ", ".join([f"{len(crew)} feeds", *(f"{count} {words}" for count, words in parts if count)])
    herald.tell(is_ready=all(feed.has_looked for feed in crew), is_alive=not silent, status=status)


def _drain(requests: Requests) -> set[Reason | None]:
    found: set[Reason | None] = set()
    with suppress(queue.Empty):
        while True:
            found.add(requests.get_nowait())
    return found
