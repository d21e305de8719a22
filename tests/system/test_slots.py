"""Slots: so many feeds are at work at once, and none of them has to wait for another's application."""

import threading
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from daemon_world import once_at_work, running
from intake_world import PATIENCE, Diary, Shelf

from ingestd.daemon import Pace
from ingestd.slots import MOST, Slots, lent

ONE = Pace(rescan=3600, settle=0.01, parallel_runs=1)


def waits_for(event: Event) -> Callable[[Callable[[], bool]], None]:
    """Return the work of a feed that waits for its application."""

    def work(_stop: Callable[[], bool]) -> None:
        with lent():
            assert event.wait(PATIENCE)

    return work


def test_who_waits_for_its_application_keeps_nobody_waiting() -> None:
    """Its slot is another feed's meanwhile."""
    answered = Event()
    waiting = Diary("waiting", [Shelf()], on_work=waits_for(answered))
    other = Diary("other", [Shelf(once_at_work(waiting))])
    with running([waiting, other], pace=ONE):
        assert other.wait_for("tick")
        assert "tick" not in waiting.lines
        answered.set()
        assert waiting.wait_for("tick")


def test_who_goes_on_waits_for_its_turn() -> None:
    """It is at work again when a slot is free, and not before."""
    slots, begin, lines = Slots(1), Event(), list[str]()

    def go_on() -> None:
        with slots.taken(PATIENCE) as has_slot:
            assert has_slot
            with lent():
                begin.set()
            lines.append("goes on")

    thread = threading.Thread(target=go_on, daemon=True)
    with slots.taken(PATIENCE):
        thread.start()
        assert not begin.wait(0.01), "the slot is not free"
        with lent():
            assert begin.wait(PATIENCE)
            thread.join(PATIENCE)
        lines.append("is at work")
    assert lines == ["goes on", "is at work"]


def test_only_so_many_begin() -> None:
    """Those that wait keep their memory, so that there is an end to it."""
    slots, release = Slots(2), Event()
    begun = threading.Semaphore(0)

    def wait() -> None:
        with slots.taken(PATIENCE) as has_slot:
            assert has_slot
            with lent():
                begun.release()
                assert release.wait(PATIENCE)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(2 * MOST)]
    for thread in threads:
        thread.start()
    assert all(begun.acquire(timeout=PATIENCE) for _ in threads)
    with slots.taken(0.01) as has_slot:
        assert not has_slot
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    with slots.taken(0.01) as has_slot:
        assert has_slot, "all is given back"


def test_a_slot_is_given_back_once() -> None:
    """However the block ends, and whatever was lent within it."""
    slots = Slots(1)
    for fault in (None, OSError("the receiver is away")) * MOST:
        with suppress(OSError), slots.taken(0.01) as has_slot, lent(), lent():
            assert has_slot
            end(fault)
    with slots.taken(0.01) as first, slots.taken(0.01) as second:
        assert first and not second


def end(fault: Exception | None) -> None:
    """End well, or by a fault."""
    if fault:
        raise fault


def test_without_a_daemon_nothing_is_lent() -> None:
    """`ingestd once FEED`, and a sink in a test, have no slot to lend."""
    with lent(), lent():
        pass
