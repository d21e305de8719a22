"""Whatever the machine has no more of: one rescan finds every complete file, and two later the watch works."""

import ctypes
import errno
import os
import resource
from functools import partial

import pytest
from watchdog.observers.api import BaseObserver
from watcher_world import Scenario, World, assert_found_and_mended
from watching import inotify_descriptors, names

LIBC = ctypes.CDLL(None, use_errno=True)


def use_up_the_instances(world: World) -> None:
    """The user has no inotify left (max_user_instances): counted by the real user, so another one is taken for it."""
    world.source.close()
    os.setresuid(54321, 0, 0)
    world.heals.append(lambda: os.setresuid(0, 0, 0))
    while (descriptor := LIBC.inotify_init1(os.O_CLOEXEC)) >= 0:
        world.heals.append(partial(os.close, descriptor))
    made = len(world.made)
    world.source.watch(world.bell.ring)
    assert len(world.made) == made
    world.put()


def leave_few_descriptors(world: World) -> None:
    """Enough to scan and not to watch: what an observer got of its three is given back (watchdog 7.1 keeps it)."""
    world.source.close()
    _limit_descriptors(world, free=2)
    world.source.watch(world.bell.ring)
    for now in range(5):
        names(world.source, now)
    assert inotify_descriptors() == set()
    world.put()


def leave_no_descriptor(world: World) -> None:
    """Not even the folder can be listed; that is told, and over when it is over."""
    world.put()
    _limit_descriptors(world, free=0)
    assert names(world.source, 5) == []
    assert world.source.health() == f"{world.inbox}: folder cannot be read: EMFILE"
    world.heal()


def use_more_descriptors_than_select_can_count(world: World) -> None:
    """As hundreds of feeds do: no watch that would hear nothing is begun (watchdog 7.1 waits by select)."""
    world.source.close()
    for _ in range(1024):
        world.heals.append(partial(os.close, os.eventfd(0)))
    made = len(world.made)
    world.source.watch(world.bell.ring)
    assert len(world.made) == made
    world.put()


def refuse_a_watch(world: World) -> None:
    """The user's watches are used up (max_user_watches): ENOSPC."""
    world.source.close()
    world.makes = [_without_watches]
    world.source.watch(world.bell.ring)
    world.put()


def refuse_a_thread(world: World) -> None:
    """No thread can be started for it."""
    world.source.close()
    world.makes = [_without_threads]
    world.source.watch(world.bell.ring)
    world.put()


def _without_watches() -> BaseObserver:
    raise OSError(errno.ENOSPC, "inotify watch limit reached")


def _without_threads() -> BaseObserver:
    raise RuntimeError("can't start new thread")


def _limit_descriptors(world: World, free: int) -> None:
    """Let the process have so many more descriptors: those below the limit that are not taken."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    probes = [os.eventfd(0) for _ in range(free + 1)]
    for probe in probes:
        os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probes[-1], before[1]))
    world.heals.append(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, before))


@pytest.mark.parametrize(
    "scenario",
    [
        use_up_the_instances,
        leave_few_descriptors,
        leave_no_descriptor,
        use_more_descriptors_than_select_can_count,
        refuse_a_watch,
        refuse_a_thread,
    ],
)
def test_the_machine_may_run_out(world: World, scenario: Scenario) -> None:
    """Instances, watches, descriptors, threads."""
    assert_found_and_mended(world, scenario)
