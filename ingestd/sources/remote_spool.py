"""What a remote source keeps on our disk: a file that is being fetched, the drops that are whole, its memory.

Law: each step is durable before the next begins. A kill between any two fetches a drop again at worst, and the same
drop twice is a duplicate.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ingestd.core.fetching import Listed, Memory
from ingestd.files import make_private, replacing, sync_folder
from ingestd.zipends import PackageFault, check_head

PART = ".fetching.part"
"""What a file is called until it is whole."""

_END, _LONGEST_END = b"PK\5\6", 22 + 65535
"""How a zip's end record begins, and the size of the latter with the longest comment."""


class Spool:
    """One source's private folder. `drops` holds whole files alone, under the names that the server gave them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drops = folder / "drops"
        self._part = folder / PART
        self._memory = folder / "memory.json"

    def prepare(self) -> None:
        """Make the folders, and remove what a killed process left half fetched."""
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(self.folder)
        make_private(self.drops)
        self._part.unlink(missing_ok=True)

    def holds(self, name: str) -> bool:
        """Return whether a drop of that name has not been claimed yet."""
        return (self.drops / name).exists()

    def is_cut_off(self, name: str) -> bool:
        """Return whether such a drop lies here and is a zip without its end: fetched from an upload that stalled.

        It may have stalled before its first byte, or after a server has made room for all of it.
        """
        try:
            with (self.drops / name).open("rb") as file:
                check_head(file)
                file.seek(-min(_LONGEST_END, file.seek(0, os.SEEK_END)), os.SEEK_END)
                return _END not in file.read()
        except PackageFault as fault:
            return fault.batch.code == "incomplete-zip"
        except FileNotFoundError:
            return False

    @contextmanager
    def receiving(self, name: str) -> Iterator[BinaryIO]:
        """Give a private file to write; it becomes a drop when all is written, and is removed on a fault."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self._part, flags, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            self._part.rename(self.drops / name)
        finally:
            self._part.unlink(missing_ok=True)
        sync_folder(self.drops)

    def recall(self) -> dict[str, Listed]:
        """Return what was fetched. A memory that cannot be read is none: what comes twice is a duplicate."""
        try:
            told = json.loads(self._memory.read_text(encoding="utf-8"))
            return {name: Listed(name, int(size), int(mtime)) for name, (size, mtime) in told.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}

    def remember(self, memory: Memory) -> None:
        """Keep what was fetched, durably."""
        with replacing(self._memory, mode=0o600) as file:
            file.write(json.dumps({file.name: [file.size, file.mtime] for file in memory.values()}).encode())
        sync_folder(self.folder)
