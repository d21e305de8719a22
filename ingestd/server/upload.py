"""An upload under way: a private file that becomes a drop only when the client closes it.

Law: `finish` is called for the client's own CLOSE and for nothing else; `close`, which paramiko calls whenever a
session ends (reliability.md 2.4), gives the upload up.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paramiko import SFTPAttributes, SFTPHandle
from paramiko.sftp import SFTP_OK

from ingestd.server.folders import Folders
from ingestd.server.refusal import RefusedError, denied, failed, of_system

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHECK_EVERY = 4 << 20
"""Bytes that an upload grows between two looks at the room that is left."""


class Upload(SFTPHandle):
    """What a client writes. `name` is what it will be called, and may change before it is closed."""

    def __init__(self, name: str, part: Path, folders: Folders, on_end: Callable[["Upload", bool], None]) -> None:
        super().__init__()
        self.name = name
        self.is_appending = False
        self._part, self._folders, self._on_end = part, folders, on_end
        self._file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.sent_size = 0
        self._is_open, self._is_broken = True, False
        self._checked = 0

    def begin_with(self, earlier: int) -> None:
        """Start from a copy of the file that is open as `earlier`: the client goes on with it."""
        with open(earlier, "rb", closefd=False) as source, open(self._file, "wb", closefd=False) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    @property
    def facts(self) -> os.stat_result:
        """Return the facts of the private file."""
        return os.fstat(self._file)

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        return self.facts.st_size

    def write(self, offset: int, data: "ReadableBuffer") -> int:
        """Write all of `data`, or refuse; after a refusal the upload cannot be finished any more."""
        try:
            at = self.size if self.is_appending else offset
            self._check(at + memoryview(data).nbytes)
            _write_all(self._file, memoryview(data), at)
        except OSError as error:
            self._is_broken = True
            raise of_system(error) from None
        except RefusedError:
            self._is_broken = True
            raise
        return SFTP_OK

    def read(self, _offset: int, _length: int) -> bytes | int:
        """Refuse: what was written is not given back."""
        raise denied("files in inbox can be written, not read")

    def stat(self) -> SFTPAttributes | int:
        """Return how large it is by now."""
        return SFTPAttributes.from_stat(self.facts, self.name)

    def chattr(self, attr: SFTPAttributes) -> int:
        """Cut off what lies behind a size, as `scp` does at its end; times and rights change nothing."""
        if attr.st_size is not None:
            if attr.st_size > self.size:
                raise denied("a file grows by being written")
            os.ftruncate(self._file, attr.st_size)
        return SFTP_OK

    def finish(self) -> None:
        """Put the upload, whole, into the inbox; raise RefusedError if it is not whole."""
        if self._is_broken:
            self.close()
            raise failed("a write of this file was refused, so it is not kept; send it again")
        try:
            os.fsync(self._file)
            self._release()
            self._folders.promote(self._part, self.name)
        except OSError as error:
            self._end(is_kept=False)
            raise of_system(error) from None
        self._end(is_kept=True)

    def close(self) -> None:
        """Give the upload up, if it has not been finished."""
        if self._is_open:
            self._release()
            self._end(is_kept=False)

    def _release(self) -> None:
        self._is_open = False
        self.sent_size = self.size
        os.close(self._file)

    def _end(self, *, is_kept: bool) -> None:
        self._part.unlink(missing_ok=True)
        self._on_end(self, is_kept)

    def _check(self, end: int) -> None:
        if end > self._folders.room.upload:
            raise failed(f"a file may have at most {self._folders.room.upload} bytes")
        if end > self._checked:
            self._folders.check_room(max(0, end - self.size))
            self._checked = end + CHECK_EVERY


def check_attributes(attr: SFTPAttributes) -> None:
    """Raise RefusedError if attributes say a size: what lies in inbox is changed by writing alone."""
    if attr.st_size is not None:
        raise denied("the size of a file is set by writing it")


def attributes_of_sent(name: str, size: int) -> SFTPAttributes:
    """Return how a file looks that was sent whole and has been taken since."""
    attr = SFTPAttributes()
    attr.filename, attr.st_size, attr.st_mode = name, size, 0o100600
    attr.st_atime = attr.st_mtime = int(time.time())
    return attr


def _write_all(file: int, rest: memoryview, offset: int) -> None:
    while rest:
        done = os.pwrite(file, rest, offset)
        rest, offset = rest[done:], offset + done
