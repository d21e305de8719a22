"""What the tests of a watched folder share: a bell, the kernel's own list of inotifies, and a scan by names."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from intake_world import PATIENCE, put

from ingestd.sources.folder import FolderSource

LONG_AGO = datetime.fromtimestamp(0, UTC)
"""The wall's time: nothing has been at rest before."""


def names(source: FolderSource, now: float = 0) -> list[str]:
    """Scan and return the names of the stable drops."""
    return [drop.path.name for drop in source.scan(now, LONG_AGO)]


class Bell:
    """What a source wakes. Waiting for it says whether it rang since the last wait."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Ring; whoever waits goes on."""
        self._rung.set()

    def has_rung(self, patience: float = PATIENCE) -> bool:
        """Wait for it, and be ready for the next time."""
        rung = self._rung.wait(patience)
        self._rung.clear()
        return rung


def inotify_descriptors() -> set[int]:
    """Return this process's descriptors that are inotify's."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            if str(link.readlink()) == "anon_inode:inotify":
                found.add(int(link.name))
        except FileNotFoundError:
            continue
    return found


def watch(source: FolderSource, bell: Bell) -> int:
    """Have the source watch; return the descriptor of its inotify."""
    before = inotify_descriptors()
    source.watch(bell.ring)
    (descriptor,) = inotify_descriptors() - before
    return descriptor


def is_watching_again(source: FolderSource, inbox: Path, bell: Bell) -> bool:
    """Return whether a new file rings within moments, after whatever rang before."""
    while bell.has_rung(patience=0.1):
        pass
    put(inbox / f"proof{len(list(inbox.iterdir()))}.zip")
    return bell.has_rung()
