"""Which drops the daemon offers its feeds, and when: real inotify; time passes only where a test says so."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from daemon_world import HOURLY, fail, run_until, running, take_away
from intake_world import (
    Diary,
    Log,
    Shelf,
    Ticker,
    drop_at,
    put,
)

from ingestd.daemon import Ended, Reason, Taken, once
from ingestd.sources.base import Drop
from ingestd.sources.folder import FolderSource

pytestmark = pytest.mark.usefixtures("log")


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
