"""The daemon's loop: real threads, trouble, its end; time passes only where a test says so."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from daemon_world import HOURLY, fail, once_at_work, run_until, running, take_away
from intake_world import (
    PATIENCE,
    Diary,
    Log,
    Shelf,
    Ticker,
    drop_at,
    hear,
    notify_socket,
    put,
)

from ingestd.daemon import Ended, Pace, Reason, Taken, once
from ingestd.errors import StoppingError
from ingestd.sources.base import Drop
from ingestd.sources.folder import FolderSource

pytestmark = pytest.mark.usefixtures("log")


# Trouble ----------------------------------------------------------------------------------------------------------


def test_a_feed_that_raises_stops_no_other(inbox: Path, log: Log) -> None:
    """While one feed fails in scan, another in take, and a third in tick, the fourth works."""
    drop = drop_at(put(inbox.parent / "x.zip"))
    ill = [
        Diary("scan", [Shelf(fail)]),
        Diary("take", [Shelf(lambda _now: [drop])], on_claim=fail),
        Diary("tick", [Shelf()], on_tick=fail),
    ]
    well = Diary("well", [FolderSource(inbox, quiet_period=0)], on_claim=take_away)
    with running([*ill, well], pace=HOURLY) as daemon:
        assert log.wait_for("feed.failed", times=3)
        put(inbox / "a.zip")
        assert well.wait_for("a.zip")
        ended = daemon.end()
    assert ended == Ended(Reason.STOP, ("scan", "take", "tick"))


@pytest.mark.parametrize("call", ["scan", "waiting", "watch", "health"])
def test_nothing_that_a_source_raises_ends_its_feed(call: str) -> None:
    """Whichever call of a source of somebody else's fails, the feed goes on once it does not."""
    shelf = Shelf()
    well, times = getattr(shelf, call), iter(range(3))

    def ill(*words: Any) -> Any:
        return fail() if next(times, None) is not None else well(*words)

    setattr(shelf, call, ill)
    feed = Diary("a", [shelf])
    assert run_until(feed, Ticker(), 60) == Ended(Reason.STOP)
    assert "tick" in feed.lines


def test_a_failing_feed_backs_off_and_goes_on(log: Log) -> None:
    """The pauses double from five seconds to five minutes; once all is well again they begin anew."""
    ticker = Ticker()

    def tick(_stop: Callable[[], bool]) -> None:
        if ticker.now < 2000:
            fail()

    feed = Diary("a", [Shelf()], on_tick=tick)
    assert run_until(feed, ticker, 2000) == Ended(Reason.STOP)
    assert [entry["pause"] for entry in log.of("feed.failed")] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert feed.lines.count("resume") == 1


def test_a_failed_resume_is_tried_again_before_any_drop(inbox: Path) -> None:
    """What an earlier process left behind comes first, however often it fails."""
    put(inbox / "a.zip")
    feed = Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=take_away)
    feed.on_resume = lambda: fail() if feed.lines.count("resume") < 3 else None
    run_until(feed, Ticker(), 60)
    assert feed.lines[:5] == ["resume", "resume", "resume", "a.zip", "work"]


def test_a_failure_is_logged_without_a_value(log: Log) -> None:
    """What an exception says may be a child's name: class, place and errno are logged, its words are not."""

    def fail_at_disk(_stop: Callable[[], bool]) -> None:
        raise OSError(28, "No space left", "/inbox/Lisa Simpson.zip")

    once([Diary("a", [Shelf()], on_tick=fail), Diary("b", [Shelf()], on_tick=fail_at_disk)])
    first, second = sorted(log.of("feed.failed"), key=lambda entry: str(entry["feed"]))
    assert (first["error"], second["error"], second["errno"]) == ("ValueError", "OSError", "ENOSPC")
    assert first["at"][-1].startswith("daemon_world.py:")
    assert "Simpson" not in repr(log.entries)


def test_a_close_that_raises_leaves_nothing_open(log: Log) -> None:
    """The other source and the feed are closed all the same."""
    ill, shelf = Shelf(), Shelf()
    ill.close = fail  # type: ignore[method-assign]
    feed = Diary("a", [ill, shelf])
    once([feed])
    assert shelf.is_closed
    assert feed.lines[-1] == "close"
    assert len(log.of("feed.failed")) == 1


def test_no_more_runs_at_once_than_allowed(tmp_path: Path) -> None:
    """Of five feeds with a drop each, two run; the others follow as these end."""
    drop = drop_at(put(tmp_path / "a.zip"))
    lock, both, counts = threading.Lock(), threading.Barrier(2), [0, 0]

    def work(_stop: Callable[[], bool]) -> None:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        if len(ran) < 4:
            both.wait(PATIENCE)
        with lock:
            ran.append(1)
            counts[0] -= 1

    ran: list[int] = []
    feeds = [Diary(name, [Shelf(lambda _now: [drop])], on_work=work) for name in "abcd"]
    assert once(feeds, pace=Pace(parallel_runs=2)) == Ended(Reason.DONE)
    assert (len(ran), counts[1]) == (4, 2)


def test_a_feed_without_a_slot_claims_what_comes(tmp_path: Path) -> None:
    """While another's run takes the only slot, drops are claimed as ever; their runs begin when it ends."""
    release = Event()
    busy = Diary("busy", [Shelf()], on_work=lambda _stop: wait_for(release))
    drops = [drop_at(put(tmp_path / "a.zip"))]
    patient = Diary("patient", [Shelf(once_at_work(busy, drops))])
    with running([busy, patient], pace=Pace(rescan=3600, parallel_runs=1)):
        assert patient.wait_for("a.zip")
        drops.append(drop_at(put(tmp_path / "b.zip")))
        assert patient.wait_for("b.zip")
        assert "work" not in patient.lines
        release.set()
        assert patient.wait_for("work")


def test_a_drop_that_cannot_be_claimed_holds_up_no_other(tmp_path: Path) -> None:
    """What was claimed before it goes on in the same round."""
    drops = [drop_at(put(tmp_path / name), since) for since, name in enumerate(("a.zip", "b.zip"))]
    feed = Diary("a", [Shelf(lambda _now: drops)], on_claim=lambda drop, _stop: fail_at("b.zip", drop))
    assert once([feed]).failed == ("a",)
    assert feed.lines == ["resume", "a.zip", "b.zip", "work", "tick", "close"]


def fail_at(name: str, drop: Drop) -> Taken:
    """Claim any drop but this one."""
    return fail() if drop.path.name == name else Taken.DONE


def wait_for(event: Event) -> None:
    """Wait as long as a test may take."""
    event.wait(3 * PATIENCE)


# The end ----------------------------------------------------------------------------------------------------------


def test_a_stop_reaches_a_run_and_is_waited_for(tmp_path: Path, log: Log) -> None:
    """A run that is told to stop ends at its safe point, no further drop is begun, and all is closed."""
    drops = [drop_at(put(tmp_path / name)) for name in ("a.zip", "b.zip")]

    def stop_at_a_safe_point(stop: Callable[[], bool]) -> None:
        _until(stop)
        raise StoppingError("at a safe point")

    shelf = Shelf(lambda _now: drops)
    feed = Diary("a", [shelf], on_work=stop_at_a_safe_point)
    with running([feed]) as daemon:
        assert feed.wait_for("work")
        assert daemon.end() == Ended(Reason.STOP)
    assert feed.lines == ["resume", "a.zip", "b.zip", "work", "close"]
    assert shelf.is_closed
    assert [entry["event"] for entry in log.entries] == ["daemon.started", "daemon.stopped"]


def test_a_stop_reaches_a_feed_that_waits_for_its_turn() -> None:
    """A feed without a slot gives up waiting for one."""
    release = Event()
    busy = Diary("busy", [Shelf()], on_work=lambda _stop: wait_for(release))
    patient = Diary("patient", [Shelf(once_at_work(busy))])
    with running([busy, patient], pace=Pace(parallel_runs=1)) as daemon:
        assert patient.wait_for("resume")
        daemon.requests.put(Reason.STOP)
        assert patient.wait_for("close")
        release.set()
    assert patient.lines == ["resume", "close"]


def test_a_reload_is_told_to_the_caller() -> None:
    """The caller builds the feeds anew and runs them; what ran has let go of everything."""
    feed = Diary("a", [Shelf()])
    with running([feed]) as daemon:
        assert feed.wait_for("tick")
        assert daemon.end(Reason.RELOAD) == Ended(Reason.RELOAD)
    assert feed.lines[-1] == "close"


def test_a_stop_during_a_reload_is_not_lost() -> None:
    """Told to stop while it winds down for a reload, it stops."""
    feed = Diary("a", [Shelf()])

    def tick(stop: Callable[[], bool]) -> None:
        while not stop():
            Event().wait(0.01)
        daemon.requests.put(Reason.STOP)

    feed.on_tick = tick
    with running([feed]) as daemon:
        assert feed.wait_for("tick")
        assert daemon.end(Reason.RELOAD) == Ended(Reason.STOP)


# systemd ----------------------------------------------------------------------------------------------------------


def test_is_ready_when_every_feed_has_looked() -> None:
    """READY comes after the slowest first scan, a failed one included, and before any run ends."""
    looked, release = Event(), Event()

    def scan(_now: float) -> Sequence[Drop]:
        looked.set()
        release.wait(PATIENCE)
        return ()

    feeds = [
        Diary("slow", [Shelf(scan)]),
        Diary("ill", [Shelf(fail)]),
        Diary("long", [Shelf()], on_work=_until),
    ]
    with notify_socket() as (ear, environ), running(feeds, environ=environ):
        assert looked.wait(PATIENCE)
        assert "READY=1" not in hear(ear, "WATCHDOG=1")
        release.set()
        hear(ear, "READY=1")


def _until(stop: Callable[[], bool]) -> None:
    while not stop():
        Event().wait(0.01)


def test_tells_how_many() -> None:
    """The status counts feeds, and what is failing or out of order."""
    feeds = [Diary("a", [Shelf(problem="folder cannot be read: ENOENT")]), Diary("b", [Shelf(fail)])]
    with notify_socket() as (ear, environ), running(feeds, environ=environ) as daemon:
        hear(ear, "STATUS=2 feeds, 1 failing, 1 sources out of order")
        daemon.end()
        assert "STOPPING=1" in hear(ear, "STOPPING=1")


def test_a_scan_that_hangs_is_not_covered_up(log: Log) -> None:
    """After three rescan intervals without a look the watchdog gets nothing more, and the log says of whom."""
    ticker = Ticker()
    hangs, release = Event(), Event()

    def scan(_now: float) -> Sequence[Drop]:
        hangs.set()
        release.wait(PATIENCE)
        return ()

    with (
        notify_socket() as (ear, environ),
        running([Diary("a", [Shelf(scan)])], clock=ticker.clock(), environ=environ) as daemon,
    ):
        assert hangs.wait(PATIENCE)
        hear(ear, "WATCHDOG=1")
        ticker.now += 10_000
        daemon.requests.put(None)
        assert log.wait_for("watchdog.withheld")
        daemon.requests.put(Reason.STOP)
        assert "WATCHDOG=1" not in hear(ear, "STOPPING=1")
        ticker.halt()
        release.set()
    assert log.of("watchdog.withheld")[0]["feeds"] == ["a"]


def test_a_long_run_is_alive(log: Log) -> None:
    """A run may take hours by the clock: the watchdog is fed."""
    ticker = Ticker()
    feed = Diary("a", [Shelf()], on_work=_until)
    with notify_socket() as (ear, environ), running([feed], clock=ticker.clock(), environ=environ) as daemon:
        assert feed.wait_for("work")
        hear(ear, "READY=1")
        ticker.now += 10_000
        daemon.requests.put(None)
        hear(ear, "WATCHDOG=1")
    assert log.of("watchdog.withheld") == []
