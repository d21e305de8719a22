"""When an arriving file has stopped changing."""

from dataclasses import replace

from ingestd.core.stability import Look, StabilityTracker

LOOK = Look(dev=1, ino=2, size=10, mtime_ns=3, ctime_ns=0)
QUIET = 60.0
JUST_NOW = 0.0  # the wall's time: what ctime 0 says is that the file has this moment changed


def stable(tracker: StabilityTracker, now: float) -> list[str]:
    """Return the names that are stable."""
    return [seen.path for seen in tracker.stable(now)]


def test_is_stable_when_the_quiet_period_is_over() -> None:
    """A file that has looked the same for the whole period is stable, and not a moment before."""
    tracker = StabilityTracker(QUIET)
    for now in (0.0, 30.0, 59.9):
        tracker.observe({"a.zip": LOOK}, now, JUST_NOW)
        assert stable(tracker, now) == []
    assert stable(tracker, 60.0) == ["a.zip"]


def test_any_change_restarts_the_period() -> None:
    """Every part of the look counts, the inode and ctime as much as size and mtime."""
    for change in ({"dev": 9}, {"ino": 9}, {"size": 9}, {"mtime_ns": 9}, {"ctime_ns": 9}):
        tracker = StabilityTracker(QUIET)
        tracker.observe({"a.zip": LOOK}, 0, JUST_NOW)
        tracker.observe({"a.zip": replace(LOOK, **change)}, 50, JUST_NOW)
        assert (stable(tracker, 60), stable(tracker, 110)) == ([], ["a.zip"]), change


def test_a_slow_writer_is_never_stable() -> None:
    """A file that grows once in each period waits for ever."""
    tracker = StabilityTracker(QUIET)
    for look in range(1, 200):
        now = look * (QUIET - 1)
        tracker.observe({"a.zip": replace(LOOK, size=look)}, now, JUST_NOW)
        assert stable(tracker, now) == []


def test_a_preserved_mtime_vouches_for_nothing() -> None:
    """WinSCP sets the mtime of years ago: the file waits like any other."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": replace(LOOK, mtime_ns=0, ctime_ns=int(1e18))}, 0, 1e9)
    assert stable(tracker, 0) == []


def test_a_file_at_rest_before_we_came_does_not_wait() -> None:
    """At first sight a ctime as far back as the quiet period is rest enough, for a client cannot set it."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"old.zip": LOOK, "new.zip": replace(LOOK, ctime_ns=int(1e9))}, 5, wall=60.0)
    assert stable(tracker, 5) == ["old.zip"]


def test_an_old_ctime_does_not_excuse_a_change() -> None:
    """After the first sight only our own clock counts, whatever the wall has jumped to."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": LOOK}, 0, JUST_NOW)
    tracker.observe({"a.zip": replace(LOOK, size=11)}, 1, wall=1e6)
    assert stable(tracker, 1) == []


def test_a_ctime_in_the_future_waits_the_period() -> None:
    """A wall clock that was set back makes a file wait by our clock, no longer."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": replace(LOOK, ctime_ns=int(1e12))}, 0, JUST_NOW)
    assert (stable(tracker, 59), stable(tracker, 60)) == ([], ["a.zip"])


def test_forgets_what_has_vanished() -> None:
    """A file that left and came back, looking the same, waits again."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": LOOK}, 0, JUST_NOW)
    tracker.observe({}, 30, JUST_NOW)
    tracker.observe({"a.zip": LOOK}, 40, JUST_NOW)
    assert (stable(tracker, 60), stable(tracker, 100)) == ([], ["a.zip"])


def test_an_empty_file_waits_as_any_other() -> None:
    """An export that failed may bring nothing at all, and its sender should hear of that."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": replace(LOOK, size=0)}, 0, JUST_NOW)
    assert [seen.path for seen in tracker.waiting(0)] == ["a.zip"]
    assert (stable(tracker, 59), stable(tracker, 60)) == ([], ["a.zip"])


def test_says_until_when_it_waits() -> None:
    """What waits tells when its period ends, so that nobody has to look more often."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"a.zip": LOOK}, 7, JUST_NOW)
    assert [(seen.path, seen.since, seen.due) for seen in tracker.waiting(7)] == [("a.zip", 7, 67)]
    assert tracker.waiting(67) == ()


def test_a_quiet_period_of_nothing_takes_at_once() -> None:
    """`quiet_period = "0s"` is stable at first sight."""
    tracker = StabilityTracker(0)
    tracker.observe({"a.zip": LOOK}, 7, JUST_NOW)
    assert stable(tracker, 7) == ["a.zip"]


def test_the_oldest_comes_first() -> None:
    """By first sight; among those of one scan by ctime, so yesterday's drop before today's; then by name."""
    tracker = StabilityTracker(QUIET)
    tracker.observe({"z.zip": LOOK}, 0, JUST_NOW)
    newer = replace(LOOK, ctime_ns=5)
    tracker.observe({"c.zip": newer, "b.zip": newer, "y.zip": LOOK, "z.zip": LOOK}, 1, JUST_NOW)
    assert stable(tracker, 100) == ["z.zip", "y.zip", "b.zip", "c.zip"]
