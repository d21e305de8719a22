"""The daemon's loop: real threads, real inotify; time passes only where a test says so."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from intake_world import (
    PATIENCE,
    Diary,
    Log,
    Shelf,
    Ticker,
    drop_at,
    hear,
    kept_log,
    notify_socket,
    once_at_work,
    put,
    running,
)

from ingestd.daemon import Ended, Pace, Reason, Requests, Taken, once, run
from ingestd.errors import StoppingError
from ingestd.sources.base import Drop
from ingestd.sources.folder import FolderSource

HOURLY = Pace(rescan=3600)


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    """Keep what is logged."""
    with kept_log() as kept:
        yield kept


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return an empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


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


# once -------------------------------------------------------------------------------------------------------------


def test_once_takes_what_is_stable_and_returns(inbox: Path) -> None:
    """The oldest comes first; the feed is resumed before, ticked after, and closed with its sources at the end."""
    put(inbox / "b.zip")
    shelf = Shelf()
    feed = Diary("a", [FolderSource(inbox, quiet_period=0), shelf], on_claim=take_away)
    assert once([feed]) == Ended(Reason.DONE)
    assert feed.lines == ["resume", "b.zip", "work", "tick", "tick", "close"]
    assert shelf.is_closed


def test_once_without_a_feed_returns() -> None:
    """Nothing to do is done at once."""
    assert once([]) == Ended(Reason.DONE)


def test_once_waits_for_the_quiet_period(inbox: Path) -> None:
    """What is still in its quiet period is waited for, not left for the next time, and taken when it ends."""
    ticker = Ticker()
    times: list[float] = []

    def take(drop: Drop, stop: Callable[[], bool]) -> Taken:
        times.append(ticker.now)
        return take_away(drop, stop)

    put(inbox / "a.zip")
    once([Diary("a", [FolderSource(inbox, quiet_period=60)], on_claim=take)], clock=ticker.clock())
    assert times == [1060]


def test_a_slow_writer_is_never_taken(inbox: Path) -> None:
    """A sender that writes a little in each quiet period is waited for until it has stopped for a whole one."""
    times: list[float] = []

    def write(now: float) -> None:
        if now < 4600:
            with (inbox / "a.zip").open("ab") as writer:
                writer.write(b"more")

    ticker = Ticker(write)

    def take(drop: Drop, stop: Callable[[], bool]) -> Taken:
        times.append(ticker.now)
        return take_away(drop, stop)

    put(inbox / "a.zip")
    once([Diary("a", [FolderSource(inbox, quiet_period=60)], on_claim=take)], clock=ticker.clock())
    assert len(times) == 1
    assert times[0] >= 4600 - 30 + 60


def test_once_does_not_wait_for_what_its_intake_lets_wait(inbox: Path) -> None:
    """An incomplete drop is offered one time, and stays for the next run."""
    put(inbox / "a.zip")
    feed = Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=lambda _drop, _stop: Taken.WAIT)
    assert once([feed]) == Ended(Reason.DONE)
    assert feed.taken == ["a.zip"]


def test_once_takes_what_comes_meanwhile(inbox: Path) -> None:
    """A drop that arrives while another is taken is not left behind."""
    put(inbox / "a.zip")

    def take(drop: Drop, stop: Callable[[], bool]) -> Taken:
        if drop.path.name == "a.zip":
            put(inbox / "b.zip")
        return take_away(drop, stop)

    feed = Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=take)
    once([feed])
    assert feed.taken == ["a.zip", "b.zip"]


def test_once_names_the_feed_that_failed(inbox: Path) -> None:
    """A feed that fails ends there; the others are done, and the caller knows."""
    put(inbox / "a.zip")
    well = Diary("well", [FolderSource(inbox, quiet_period=0)], on_claim=take_away)
    assert once([Diary("ill", [Shelf()], on_tick=fail), well]) == Ended(Reason.DONE, ("ill",))
    assert well.taken == ["a.zip"]


# Which drops are offered, and when --------------------------------------------------------------------------------


def fail(*_anything: object) -> Any:
    """Raise what holds a child's name."""
    raise ValueError("Bart Simpson")


def test_a_file_is_taken_sooner_than_the_rescan(inbox: Path) -> None:
    """With an hour between rescans inotify alone brings a new file in."""
    feed = Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=take_away)
    with running([feed], pace=HOURLY):
        assert feed.wait_for("tick")
        put(inbox / "a.zip")
        assert feed.wait_for("a.zip")
        put(inbox.parent / "b.zip").rename(inbox / "b.zip")
        assert feed.wait_for("b.zip")


def test_without_a_watcher_the_rescan_takes_it(inbox: Path, log: Log) -> None:
    """Where inotify is out of reach a drop costs one rescan interval, no more."""

    def no_observer() -> Any:
        raise OSError(24, "inotify instance limit reached")

    times: list[float] = []

    def come(now: float) -> None:
        if now >= 1100 and not times:
            times.append(now)
            put(inbox / "a.zip")

    def take(drop: Drop, stop: Callable[[], bool]) -> Taken:
        times.append(ticker.now)
        return take_away(drop, stop)

    ticker = Ticker(come)
    source = FolderSource(inbox, quiet_period=0, observer=no_observer)
    run_until(Diary("a", [source], on_claim=take), ticker, 300)
    came, taken = times
    assert taken - came <= 30


def test_what_is_done_but_still_there_is_not_offered_again(inbox: Path) -> None:
    """A drop that cannot be removed from its inbox is not run for ever, until it changes."""
    path = put(inbox / "a.zip")

    def change(now: float) -> None:
        if now >= 5000 and path.read_bytes() != b"new":
            put(path, b"new")

    ticker = Ticker(change)
    feed = Diary("a", [FolderSource(inbox, quiet_period=0)])
    run_until(feed, ticker, 9000)
    assert feed.taken == ["a.zip", "a.zip"]


def test_what_waits_is_offered_again_less_and_less_often(inbox: Path) -> None:
    """An incomplete drop is looked at after one rescan, then twice as long, up to five minutes."""
    put(inbox / "a.zip")
    ticker = Ticker()
    times: list[float] = []

    def take(_drop: Drop, _stop: Callable[[], bool]) -> Taken:
        times.append(ticker.now)
        return Taken.WAIT

    run_until(Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=take), ticker, 1500)
    pauses = [round(after - before) for before, after in pairwise(times)]
    assert pauses == [30, 60, 120, 240, 300, 300, 300]


def test_what_waits_is_offered_when_it_changes(inbox: Path) -> None:
    """The rest of an upload comes: the drop is offered as soon as it is quiet again."""
    path = put(inbox / "a.zip", b"half")
    feed = Diary("a", [FolderSource(inbox, quiet_period=0)], on_claim=lambda _drop, _stop: Taken.WAIT)
    with running([feed], pace=HOURLY):
        assert feed.wait_for("a.zip")
        assert feed.wait_for("tick")
        put(path, b"half and half")
        assert feed.wait_for("a.zip", times=2)


def test_the_drops_of_all_sources_come_in_one_order(tmp_path: Path) -> None:
    """A feed with two sources takes what was seen first, wherever."""
    drops = [drop_at(put(tmp_path / f"{since}.zip"), since) for since in (3, 1, 2)]
    feed = Diary("a", [Shelf(lambda _now: drops[:1]), Shelf(lambda _now: drops[1:])])
    once([feed])
    assert feed.taken == ["1.zip", "2.zip", "3.zip"]


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
    assert first["at"][-1].startswith("test_daemon_loop.py:")
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
