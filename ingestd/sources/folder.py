"""A folder into which drops are put: by OpenSSH, by the embedded server, by hand.

Law: the scan is the truth, inotify is a hint. watchdog may lose events, its threads may die unseen, a watch ends with
its folder: any of it costs at most one rescan interval, and the next scan puts a new watcher in the old one's place.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog
from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from ingestd.core.stability import Look, Sighting, StabilityTracker
from ingestd.sources.base import Drop, is_drop_name, is_passing, look_of

Identity = tuple[int, int]
"""Device and inode."""

HINTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileClosedEvent]
"""What wakes the feed. Not each write, of which a slow upload has thousands; not opening and reading, which we do.

A file moved in is only *created*; OpenSSH's v3 rename is a link and an unlink, so only *created* as well.
"""


class FolderSource:
    """A flat folder of drops, each stable when it has looked the same for `quiet_period` seconds.

    The folder is created at the first scan if its parent exists. Later it is not: where a volume is not mounted, a new
    folder would hide that. `observer` makes watchdog's observer, one for each folder.
    """

    def __init__(self, path: Path, *, quiet_period: float, observer: Callable[[], BaseObserver] = Observer) -> None:
        self.path = path
        self._tracker = StabilityTracker(quiet_period)
        self._watcher = _Watcher(path, observer)
        self._waiting: tuple[Sighting, ...] = ()
        self._ignored: frozenset[str] = frozenset()
        self._problem: str | None = None
        self._is_new = True
        self._log = structlog.get_logger().bind(folder=str(path))

    def scan(self, now: float, wall: datetime) -> Sequence[Drop]:
        """Look at every file of the folder; mend the watcher; return the stable drops, oldest first."""
        self._create_at_start()
        looks = self._look()
        self._tracker.observe(looks, now, wall.timestamp())
        self._waiting = self._tracker.waiting(now)
        return tuple(Drop(self.path / seen.path, seen.look, seen.since) for seen in self._tracker.stable(now))

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
        return self._problem

    def close(self) -> None:
        """Stop watching."""
        self._watcher.close()

    def _create_at_start(self) -> None:
        if self._is_new:
            self._is_new = False
            with suppress(OSError):  # the scan that follows tells what is wrong
                self.path.mkdir(mode=0o770)

    def _look(self) -> dict[str, Look]:
        """Return the look of every drop in the folder; nothing if the folder cannot be read."""
        try:
            self._watcher.mend()  # before the scan: what comes in between is seen twice rather than never
            entries = _list(self.path)
        except OSError as error:
            self._tell(f"folder cannot be read: {errno.errorcode.get(error.errno or 0, 'unknown')}")
            return {}
        self._tell(None)
        looks = {name: look_of(facts) for name, facts in entries.items() if is_drop_name(name) and _is_file(facts)}
        self._tell_ignored(frozenset(name for name in entries if name not in looks and not is_passing(name)))
        self._watcher.compare(frozenset((look.dev, look.ino) for look in looks.values()))
        return looks

    def _tell(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                self._log.warning("folder.lost", problem=problem)
            else:
                self._log.info("folder.found")

    def _tell_ignored(self, names: frozenset[str]) -> None:
        for name in sorted(names - self._ignored):
            self._log.warning("file.ignored", file=ascii(name))
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
            self._observer = self._make()
            self._observer.schedule(self._hint, str(self._path), recursive=False, event_filter=HINTS)
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


def _list(folder: Path) -> dict[str, os.stat_result]:
    entries = {}
    with os.scandir(folder) as each:
        for entry in each:
            with suppress(FileNotFoundError):  # it left between the listing and the look
                entries[entry.name] = entry.stat(follow_symlinks=False)
    return entries


def _is_file(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode)
