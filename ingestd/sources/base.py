"""The contract of a source of drops, and which file names are drops at all.

Law: a source only looks. It never opens, moves or removes what lies in an inbox; that is `claim`.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from ingestd.core.stability import Look, Sighting

__all__ = ["LONGEST_NAME", "PASSING", "Drop", "Look", "Sighting", "Source", "is_drop_name", "is_passing", "look_of"]

PASSING = (
    ".*",  # dot files; also macOS's "._*", Syncthing's .stfolder, and the hidden names of uploads under way
    ".in.*.",  # proftpd's HiddenStores
    "*.filepart",  # WinSCP, above 100 KB
    "*.part",
    "*.partial",
    "*.tmp",
    "*.writing",
    "*.crdownload",  # Chrome
    "~$*",  # a file that is open in Office
    "@eadir",  # Synology
    "thumbs.db",  # Windows
)
"""Names, in lower case, that belong to an upload under way or to somebody's desktop: passed over without a word."""

LONGEST_NAME = 200
"""Bytes in a drop's name: the rest of the 255 that a file system has is for names made from it, `NAME.report.txt`."""

_ZIP = re.compile(r".+\.zip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Drop:
    """A zip at rest in an inbox: where it lies, how it looked, since when (monotonic seconds) it has looked so."""

    path: Path
    look: Look
    since: float


class Source(Protocol):
    """One place that drops of a feed come from.

    An implementer promises:

    - `scan` is the truth and `watch` a hint. Whatever the watcher loses, the next scan finds.
    - `scan`, `waiting` and `is_looking` are called by one thread; `health` and `close` may be called by another.
    - `scan` ends within seconds, for the daemon's watchdog waits on it. Long work, such as fetching from a remote host,
      is done elsewhere, and what is fetched is a drop only when it is whole.
    - A world that is out of order (a missing folder, a remote host that is away) is a condition told by `health`, and
      an empty scan; it is not an exception.
    - A drop stays in the scans, with an equal look, for as long as it lies there unchanged.
    - No name that `is_passing` is ever a drop.
    """

    def scan(self, now: float, wall: datetime) -> Sequence[Drop]:
        """Look at the place, and return the stable drops, oldest first (by first seen, then by name).

        `now` is our monotonic clock in seconds, by which quiet periods are counted; `wall` is the time of day, aware.
        """
        ...

    def waiting(self) -> Sequence[Sighting]:
        """Return what the last scan found in its quiet period, oldest first."""
        ...

    def is_looking(self) -> bool:
        """Return whether the last scan came before the end of a longer look, as at a remote host; `once` waits for it.

        A look that failed is at its end; a drop that the look has found and that has yet to settle is part of it.
        """
        ...

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from any thread, as often as you like) when a scan may find something new; until `close`.

        Called again it replaces the watch.
        """
        ...

    def health(self) -> str | None:
        """Return what is wrong with the place, in words free of data, or None if nothing is."""
        ...

    def close(self) -> None:
        """End the watch and let go of everything; calling it again does nothing."""
        ...


def is_passing(name: str) -> bool:
    """Return whether a name is that of an unfinished upload or of desktop litter (see `PASSING`)."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in PASSING)


def is_drop_name(name: str) -> bool:
    """Return whether a name may be a drop's: any `*.zip` in printable characters that is not passing.

    A name with control characters, or one that is not UTF-8, can be neither shown nor stored as it is.
    """
    if is_passing(name) or not _ZIP.fullmatch(name) or not name.isprintable():
        return False
    return len(name.encode()) <= LONGEST_NAME


def look_of(facts: os.stat_result) -> Look:
    """Return the look that a file's `lstat` or `fstat` gives."""
    return Look(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
