"""Where a feed's part of the embedded server lies, and how much may wait in it."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from ingestd.files import sync_folder
from ingestd.server.refusal import failed


@dataclass(frozen=True, slots=True)
class Room:
    """How much one upload may be, how much and how many may wait per feed, and what the disk keeps free; in bytes."""

    upload: int = 2 << 30
    waiting: int = 8 << 30
    files: int = 100
    free: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Folders:
    """One feed's folders: the inbox that its source looks into, the uploads under way, the receipts.

    `lock` is held by whoever looks whether a name is taken in the inbox and then puts something there.
    """

    inbox: Path
    uploads: Path
    results: Path
    room: Room = Room()
    lock: RLock = field(default_factory=RLock, compare=False)

    def prepare(self) -> None:
        """Make the folders, for their owner alone."""
        for folder in (self.inbox, self.uploads, self.results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def clear(self) -> None:
        """Remove what an earlier process left of uploads: nobody closed them."""
        shutil.rmtree(self.uploads, ignore_errors=True)
        self.prepare()

    def promote(self, part: Path, name: str) -> None:
        """Put an upload that is on the disk into the inbox: one rename, durable."""
        with self.lock:
            part.rename(self.inbox / name)
        sync_folder(self.inbox)

    def check_room(self, extra: int = 0, *, files: int = 0) -> None:
        """Raise RefusedError unless there is room for so many more bytes and files."""
        sizes = [size for folder in (self.inbox, self.uploads) for size in _sizes(folder)]
        if len(sizes) + files > self.room.files:
            raise failed(f"{self.room.files} files wait already; try again when some have been taken")
        if sum(sizes) + extra > self.room.waiting:
            raise failed("the files that wait already leave no room for this; try again when some have been taken")
        disk = os.statvfs(self.inbox)
        if disk.f_bavail * disk.f_frsize - extra < self.room.free:
            raise failed("the server's disk is full; try again later")


def folders_of(state_dir: Path, feed: str, room: Room = Room()) -> Folders:
    """Return the folders of a feed; nothing is made."""
    own = state_dir / "server" / feed
    return Folders(own / "inbox", own / "uploads", state_dir / "results" / feed, room)


def _sizes(folder: Path) -> list[int]:
    sizes = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                sizes.append(entry.stat(follow_symlinks=False).st_size)
            except FileNotFoundError:  # it was taken in between
                continue
    return sizes
