"""Whatever befalls the threads of a watch: one rescan finds every complete file, and two later it watches again."""

import ctypes
import os
import threading

import pytest
from intake_world import PATIENCE
from watcher_world import Scenario, World, assert_found_and_mended

LIBC = ctypes.CDLL(None, use_errno=True)


def kill_the_reader(world: World) -> None:
    """Its read fails with EISDIR, and the thread ends; all say that it lives."""
    world.replace_descriptor(str(world.folder))
    world.put()


def kill_the_reader_by_garbage(world: World) -> None:
    """What it reads is no event: it raises, and ends."""
    (world.folder / "garbage").write_bytes(b"\xff" * 64)
    world.replace_descriptor(str(world.folder / "garbage"))
    world.put()


def deafen_the_reader(world: World) -> None:
    """It waits for ever on something that is not inotify."""
    silence, end = os.pipe()
    os.dup2(silence, world.descriptor)
    os.close(silence)
    world.heals.append(lambda: os.close(end))
    world.put()


def have_the_reader_read_nothing(world: World) -> None:
    """Each of its reads returns nothing, at once."""
    world.replace_descriptor(os.devnull)
    world.put()


def stop_the_observer(world: World) -> None:
    """Its own thread, which calls the handler, ends."""
    world.made[-1].stop()
    world.made[-1].join(PATIENCE)
    world.put()


def stop_the_emitter(world: World) -> None:
    """The thread between reader and observer ends; the observer lives."""
    (emitter,) = world.made[-1].emitters
    emitter.stop()
    emitter.join(PATIENCE)
    world.put()


def unschedule(world: World) -> None:
    """The observer lives and has nothing to observe any more."""
    world.made[-1].unschedule_all()
    world.put()


def remove_the_watch(world: World) -> None:
    """The kernel's watch goes, as it does with an unmounted volume; the threads stay."""
    for watch in range(1, 4):
        LIBC.inotify_rm_watch(world.descriptor, watch)
    world.put()


def forget_the_handler(world: World) -> None:
    """Events come, and nobody is called."""
    observer = world.made[-1]
    (emitter,) = observer.emitters
    for handlers in observer._handlers.values():
        handlers.clear()
    assert emitter.is_alive()
    world.put()


def ring_a_bell_that_raises(world: World) -> None:
    """As the handler of a program does that has a fault (#663)."""
    world.source.watch(_raise)
    world.put()
    world.heals.append(lambda: world.source.watch(world.bell.ring))


def ring_a_bell_that_never_returns(world: World) -> None:
    """The observer's thread is stuck in the handler."""
    stuck = threading.Event()

    def ring() -> None:
        stuck.wait(PATIENCE)

    world.source.watch(ring)
    world.put()
    world.heals += [lambda: world.source.watch(world.bell.ring), stuck.set]


def _raise() -> None:
    raise RuntimeError("no bell")


@pytest.mark.parametrize(
    "scenario",
    [
        kill_the_reader,
        kill_the_reader_by_garbage,
        deafen_the_reader,
        have_the_reader_read_nothing,
        stop_the_observer,
        stop_the_emitter,
        unschedule,
        remove_the_watch,
        forget_the_handler,
        ring_a_bell_that_raises,
        ring_a_bell_that_never_returns,
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_threads_may_fail(world: World, scenario: Scenario) -> None:
    """A thread ends, is stuck or hears nothing more."""
    assert_found_and_mended(world, scenario)
