"""A folder into which drops are put: by OpenSSH, by the embedded server, by hand.

Law: the scan is the truth, inotify is a hint. watchdog may lose events, its threads may die unseen, a watch ends with
its folder: any of it costs at most one rescan interval, and the next scan puts a new watcher in the old one's place.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog
from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from ingestd.core.sentinel import Ready, Sentinel, is_sentinel_name, is_vouched, sentinels_of
from ingestd.core.stability import Look, Sighting, StabilityTracker
from ingestd.sources.base import Drop, is_drop_name, is_loose_name, is_passing, look_of

Identity = tuple[int, int]
"""Device and inode."""

LOOSE_NAME = "loose-csv.zip"
"""What the zip is called into which loose CSVs are packed; so is their receipt."""
LOOSE_HINT = "loose_csv of this feed is false"

HINTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileClosedEvent]
"""What wakes the feed. Not each write, of which a slow upload has thousands; not opening and reading, which we do.

A file moved in is only *created*; OpenSSH's v3 rename is a link and an unlink, so only *created* as well.
"""


ROOM = 8
"""Descriptors that must be free before a folder is watched; an observer takes three."""
FD_SETSIZE = 1024
"""The first descriptor that select(2) cannot wait for."""


class FolderSource:
    """A flat folder of drops, each stable when it has looked the same for `quiet_period` seconds.

    The folder is created at the first scan if its parent exists. Later it is not: where a volume is not mounted, a new
    folder would hide that. A sentinel ends a drop's quiet period; `ready` says whether a drop needs one. All CSVs that
    lie loose are one drop when they have looked the same for `loose_quiet` seconds; by default they are none.
    `observer` makes watchdog's observer, one for each folder.
    """

    def __init__(
        self,
        path: Path,
        *,
        quiet_period: float,
        ready: Ready = Ready.QUIET,
        loose_quiet: float | None = None,
        observer: Callable[[], BaseObserver] = Observer,
    ) -> None:
        self.path = path
        self._ready = ready
        self._tracker = StabilityTracker(quiet_period)
        self._sentinels: dict[str, tuple[Sentinel, ...]] = {}
        self._loose = StabilityTracker(loose_quiet or 0)
        self._takes_loose = loose_quiet is not None
        self._watcher = _Watcher(path, observer)
        self._waiting: tuple[Sighting, ...] = ()
        self._ignored: frozenset[str] = frozenset()
        self._problem: str | None = None
        self._is_new = True
        self._log = structlog.get_logger().bind(folder=str(path))

    def scan(self, now: float, wall: datetime) -> Sequence[Drop]:
        """Look at every file of the folder; mend the watcher; return the stable drops, oldest first."""
        self._create_at_start()
        files = self._look()
        self._loose.observe({name: look for name, look in files.items() if is_loose_name(name)}, now, wall.timestamp())
        looks = {name: look for name, look in files.items() if is_drop_name(name)}
        self._sentinels = {name: sentinels_of(name, look, files) for name, look in looks.items()}
        vouched = {name for name in looks if is_vouched(self._sentinels[name], self._ready)}
        if self._ready is not Ready.QUIET:
            looks = {name: looks[name] for name in vouched}
        self._tracker.observe(looks, now, wall.timestamp(), vouched)
        self._waiting = (*self._tracker.waiting(now), *self._loose.waiting(now))
        stable = [self._drop(seen) for seen in self._tracker.stable(now)]
        return sorted([*stable, *self._loose_drop(now)], key=lambda drop: (drop.since, drop.look.ctime_ns, drop.path))

    def waiting(self) -> Sequence[Sighting]:
        """Return what the last scan found in its quiet period."""
        return self._waiting

    def is_looking(self) -> bool:
        """Return False: a scan sees all there is."""
        return False

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a file is put into the folder, soon after: inotify where it works, else at the next scan."""
        self._create_at_start()
        self._watcher.start(wake)

    def health(self) -> str | None:
        """Return why the folder could not be read at the last scan, or None if it could."""
        return f"{self.path}: {self._problem}" if self._problem else None

    def close(self) -> None:
        """Stop watching."""
        self._watcher.close()

    def _drop(self, seen: Sighting) -> Drop:
        return Drop(self.path / seen.path, seen.look, seen.since, self._sentinels[seen.path])

    def _loose_drop(self, now: float) -> Iterator[Drop]:
        """Yield all loose CSVs as one drop, once they are all at rest."""
        parts = [Drop(self.path / seen.path, seen.look, seen.since) for seen in self._loose.stable(now)]
        if parts and self._takes_loose and not self._loose.waiting(now):
            newest = max(parts, key=lambda part: part.look.ctime_ns)
            since = max(part.since for part in parts)
            yield Drop(self.path / LOOSE_NAME, newest.look, since, parts=tuple(parts))

    def _create_at_start(self) -> None:
        if self._is_new:
            self._is_new = False
            with suppress(OSError):  # the scan that follows tells what is wrong
                self.path.mkdir(mode=0o770)

    def _look(self) -> dict[str, Look]:
        """Return the look of every file that is expected in the folder; nothing if the folder cannot be read."""
        try:
            self._watcher.mend()  # before the scan: what comes in between is seen twice rather than never
            entries = _list(self.path)
        except OSError as error:
            self._tell(f"folder cannot be read: {errno.errorcode.get(error.errno or 0, 'unknown')}")
            return {}
        self._tell(None)
        files = {name: look_of(facts) for name, facts in entries.items() if _is_file(facts)}
        wanted = {name: look for name, look in files.items() if self._is_wanted(name)}
        self._tell_ignored(frozenset(name for name in entries.keys() - wanted.keys() if not is_passing(name)))
        self._watcher.compare(frozenset((look.dev, look.ino) for look in wanted.values()))
        return wanted

    def _is_wanted(self, name: str) -> bool:
        return is_drop_name(name) or is_sentinel_name(name) or (self._takes_loose and is_loose_name(name))

    def _tell(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                self._log.warning("folder.lost", problem=problem)
            else:
                self._log.info("folder.found")

    def _tell_ignored(self, names: frozenset[str]) -> None:
        for name in sorted(names - self._ignored):
            hint = {"reason": LOOSE_HINT} if is_loose_name(name) else {}
            self._log.warning("file.ignored", file=ascii(name), **hint)
        self._ignored = names


class _Watcher:
    """The one observer of a folder, replaced whenever it is seen to be dead, deaf or on a folder that is gone."""

    def __init__(self, path: Path, observer: Callable[[], BaseObserver]) -> None:
        self._path = path
        self._make = observer
        self._wake: Callable[[], None] | None = None
        self._observer: BaseObserver | None = None
        self._watched: Identity | None = None
        self._known: frozenset[Identity] = frozenset()
        self._is_doubted = False
        self._has_failed = False
        self._hint = _Hint()
        self._log = structlog.get_logger().bind(folder=str(path))

    def start(self, wake: Callable[[], None]) -> None:
        """Watch from now on; whatever fails is tried again by `mend`."""
        self._stop()
        self._wake = wake
        with suppress(OSError):
            self._put_in_place()

    def mend(self) -> None:
        """Replace the observer if it needs it; raise OSError if the folder is not there."""
        folder = self._path.stat()
        if self._wake is None:
            return
        reason = self._fault((folder.st_dev, folder.st_ino))
        if reason is None:
            return
        self._stop()
        if self._put_in_place():
            self._log.info("watcher.restarted", reason=reason)

    def compare(self, files: frozenset[Identity]) -> None:
        """Doubt an observer that said nothing of a new file: if it still has not by the next scan, it is deaf.

        watchdog's reader thread can die while `is_alive()` stays True; what it fails to tell is all that can be seen
        of that from outside.
        """
        has_news = bool(files - self._known)
        self._is_doubted = not self._hint.heard and (has_news or self._is_doubted)
        self._known, self._hint.heard = files, False

    def close(self) -> None:
        """Stop watching for good."""
        self._wake = None
        self._stop()

    def _fault(self, folder: Identity) -> str | None:
        observer = self._observer
        if observer is None:
            return "not running"
        if not observer.is_alive() or not all(emitter.is_alive() for emitter in observer.emitters):
            return "thread died"
        if self._watched != folder:
            return "folder replaced"
        return "deaf" if self._is_doubted and not self._hint.heard else None

    def _put_in_place(self) -> bool:
        """Start a new observer; return whether it runs. A limit of the machine is told once and tried again later."""
        folder = self._path.stat()
        self._hint = _Hint(self._wake, heard=True)
        try:
            _check_room()
            self._observer = self._make()
            # A symbolic link itself never has news: it is the folder behind it that is watched.
            self._observer.schedule(self._hint, str(self._path.resolve()), recursive=False, event_filter=HINTS)
            self._observer.start()
        except (OSError, RuntimeError) as error:  # no inotify left, no thread left
            self._stop()
            if not self._has_failed:
                code = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
                self._log.warning("watcher.failed", error=code or type(error).__name__)
            self._has_failed = True
            return False
        self._watched, self._is_doubted, self._has_failed = (folder.st_dev, folder.st_ino), False, False
        return True

    def _stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is None:
            return
        with suppress(Exception):  # what is wrong with it is why it is stopped: nothing it raises matters any more
            observer.stop()
        with suppress(RuntimeError):  # never started
            observer.join(timeout=5)


class _Hint(FileSystemEventHandler):
    """Any event wakes. It cannot raise: an exception here would end watchdog's dispatcher for good (#663)."""

    def __init__(self, wake: Callable[[], None] | None = None, *, heard: bool = False) -> None:
        self._wake = wake
        self.heard = heard

    def dispatch(self, event: FileSystemEvent) -> None:  # noqa: ARG002 -- which event it is says nothing (section 2.3)
        self.heard = True
        with suppress(Exception):
            if self._wake is not None:
                self._wake()


def _check_room() -> None:
    """Raise OSError unless an observer can have its descriptors, and some remain to work with.

    One that gets only some of them leaves those open for good, and one that gets high numbers hears nothing, because it
    waits by select(2) (watchdog 7.1); and we try again at every rescan.
    """
    probes: list[int] = []
    try:
        probes += (os.eventfd(0) for _ in range(ROOM))
        if max(probes) >= FD_SETSIZE:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    finally:
        for probe in probes:
            os.close(probe)


def _list(folder: Path) -> dict[str, os.stat_result]:
    entries = {}
    with os.scandir(folder) as each:
        for entry in each:
            with suppress(FileNotFoundError):  # it left between the listing and the look
                entries[entry.name] = entry.stat(follow_symlinks=False)
    return entries


def _is_file(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode)
