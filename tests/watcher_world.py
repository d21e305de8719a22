"""A watched inbox to which anything may happen: its observers, what lies in it, and the volumes below it."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from intake_world import put
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, EventEmitter
from watchdog.observers.inotify_c import InotifyFD
from watching import Bell, inotify_descriptors, is_watching_again, names

from ingestd.sources.folder import FolderSource

CONTENT = b"a zip, for all that intake knows"
_LIBC = ctypes.CDLL(None, use_errno=True)
_BIND, _DETACH = 4096, 2  # mount(2), umount2(2)


def silent() -> BaseObserver:
    """Return an observer that lives and never says a word, as on a network file system."""
    return BaseObserver(EventEmitter)


def real() -> BaseObserver:
    """Return an observer that has inotify."""
    made: BaseObserver = Observer()
    return made


@dataclass
class World:
    """An inbox, a folder beside it, a source that watches it, and what must be found in it.

    `makes` are the ways in which the source's next observers are made; after them come real ones. `heal` ends what a
    scenario did, so that the watch can work again.
    """

    folder: Path
    makes: list[Callable[[], BaseObserver]] = field(default_factory=list)
    made: list[BaseObserver] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    heals: list[Callable[[], object]] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self.inbox = self.folder / "volume" / "inbox"
        self.outside = self.folder / "volume" / "outside"
        self.inbox.mkdir(parents=True)
        self.outside.mkdir()
        self.source = FolderSource(self.inbox, quiet_period=0, observer=self._make)

    def _make(self) -> BaseObserver:
        self.made.append((self.makes.pop(0) if self.makes else real)())
        return self.made[-1]

    def put(self, name: str = "a.zip") -> Path:
        """Put a drop into the inbox; it must be found."""
        self.expect(name)
        return put(self.inbox / name, CONTENT)

    def expect(self, *names: str) -> None:
        """Have these be found, however they came."""
        self.expected.update(names)

    @property
    def descriptor(self) -> int:
        """Return the one inotify that this process has."""
        (found,) = inotify_descriptors()
        return found

    @property
    def reader(self) -> InotifyFD:
        """Return the thread that reads inotify."""
        (found,) = (thread for thread in threading.enumerate() if isinstance(thread, InotifyFD))
        return found

    @contextmanager
    def stalled_reader(self) -> Iterator[None]:
        """Have the reader of inotify take nothing while the block runs: the kernel's queue fills."""
        with self.reader._lock:
            yield

    def replace_descriptor(self, path: str, flags: int = os.O_RDONLY) -> None:
        """Put another file in the place of inotify's descriptor."""
        other = os.open(path, flags)
        os.dup2(other, self.descriptor)
        os.close(other)

    def heal(self) -> None:
        """End what the scenario did."""
        while self.heals:
            self.heals.pop()()

    def close(self) -> None:
        """Leave nothing behind."""
        self.heal()
        self.source.close()


class Volume:
    """A folder that is mounted at a place and unmounted; where mounting is refused, renamed there and away."""

    def __init__(self, content: Path, place: Path) -> None:
        self.content, self.place = content, place
        self.is_mounted = False
        self._aside = place.with_name(f"{place.name}.aside")
        self._renames = False

    def attach(self) -> None:
        """Put the content in the place."""
        self._renames = _LIBC.mount(*map(os.fsencode, (self.content, self.place)), None, _BIND, None) != 0
        if self._renames:
            self.place.rename(self._aside)
            self.content.rename(self.place)
        self.is_mounted = True

    def detach(self) -> None:
        """Show again what was in the place before."""
        if not self.is_mounted:
            return
        self.is_mounted = False
        if self._renames:
            self.place.rename(self.content)
            self._aside.rename(self.place)
        else:
            assert _LIBC.umount2(os.fsencode(self.place), _DETACH) == 0


# What is asked of every scenario ----------------------------------------------------------------------------------

Scenario = Callable[[World], object]


def settle(world: World) -> None:
    """Have every event come that is on its way, and scan, as the daemon does when it is woken."""
    while world.bell.has_rung(patience=0.05):
        pass
    names(world.source, 1)


def assert_found_and_mended(world: World, scenario: Scenario) -> None:
    """Harm a watched inbox; a rescan finds all, and after the harm the watch works again."""
    world.source.watch(world.bell.ring)
    names(world.source, 0)
    scenario(world)
    made = len(world.made)
    settle(world)
    if world.inbox.is_dir():
        world.put("late.zip")
        if len(world.made) > made:
            world.bell.has_rung()  # this watch is new and well: its word comes before the next scan, 29 seconds later
    assert world.expected <= set(names(world.source, 30))
    world.heal()
    for now in (60, 90):
        names(world.source, now)
    assert is_watching_again(world.source, world.inbox, world.bell)
    assert world.expected <= set(names(world.source, 120))
