"""Takes a drop out of the sender's hands: a private copy with its SHA-256, and only then the original's removal.

Law: the sender's inode is never parsed. Through a hard link or an open descriptor a sender can change the file after
any rename; so it is copied while it is hashed, and only the copy counts from then on.
"""

import errno
import fcntl
import hashlib
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ingestd.errors import IngestdError
from ingestd.files import make_private, sync_folder
from ingestd.sources.base import Drop, Look, look_of

CHUNK = 4 << 20
"""Bytes that are read, hashed and written at a time."""

PART = ".copying"
"""What a copy is called until it is whole."""

Progress = Callable[[int, int], None]
"""Called after each chunk with the bytes copied and the bytes in all; what it raises ends the copy."""


class NotReady(StrEnum):
    """Why a drop cannot be claimed yet."""

    GONE = "gone"
    CHANGED = "changed"
    HAS_WRITER = "open for writing"
    NOT_A_FILE = "not a regular file"
    UNREADABLE = "not readable"


class NotReadyError(IngestdError):
    """The drop is not at rest, or not to be read, at the moment; look at it again later. Nothing was kept of it."""

    def __init__(self, reason: NotReady) -> None:
        super().__init__(f"the drop is not ready: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Copied:
    """The private copy: where it lies, the SHA-256 of its bytes in hex, and how many they are."""

    path: Path
    sha256: str
    size: int


def copy_drop(drop: Drop, into: Path, *, progress: Progress | None = None) -> Copied:
    """Copy a drop into the folder `into` under its own name, durably; the folder is made (mode 0700) if need be.

    The name appears only when the copy is whole and on the disk, and replaces what had it. The original is left alone.

    Raises:
        NotReadyError: the file is not the one that was sighted, changed while it was copied, or has a writer.
        OSError: the world (disk full, a folder that cannot be written).
    """
    make_private(into)
    target = into / drop.path.name
    part = into / PART
    with _open_drop(drop) as source:
        try:
            sha256 = _copy(source, part, drop.look.size, progress)
            _check_at_rest(source, drop)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    sync_folder(into)
    return Copied(target, sha256, drop.look.size)


def remove_drop(drop: Drop) -> bool:
    """Remove a drop from its inbox if its path is still the file that was sighted, unchanged; return whether it was.

    Between look and removal lie some microseconds in which a sender could put another file in its place: no call of
    the kernel closes them. The daemon therefore never removes a drop before the copy of it is safe.
    """
    if not is_unchanged(drop):
        return False
    drop.path.unlink(missing_ok=True)
    sync_folder(drop.path.parent)
    return True


def is_unchanged(drop: Drop) -> bool:
    """Return whether a drop's path is still the file that was sighted, unchanged."""
    return _look_at(drop.path) == drop.look


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file of our own, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_writer(descriptor: int) -> bool | None:
    """Return whether some process has the file open for writing; None if the kernel will not tell.

    A read lease (`F_SETLEASE`, fcntl(2)) is granted only on a file that nobody has open for writing. It takes the
    owner of the file or CAP_LEASE, and a file system that has leases. `descriptor` must be open for reading only.
    """
    try:
        # A writer that comes while the lease is held makes the kernel signal us. The default, SIGIO, would end us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


@contextmanager
def _open_drop(drop: Drop) -> Iterator[int]:
    """Open the sighted file, and no link, pipe or other file that took its place; O_NONBLOCK never waits on a pipe."""
    try:
        descriptor = os.open(drop.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotReadyError(NotReady.GONE) from None
    except PermissionError:
        raise NotReadyError(NotReady.UNREADABLE) from None
    except BlockingIOError:  # a lease of somebody's is being broken
        raise NotReadyError(NotReady.HAS_WRITER) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # a symbolic link; a socket
            raise NotReadyError(NotReady.NOT_A_FILE) from None
        raise
    try:
        _check_at_rest(descriptor, drop)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_at_rest(descriptor: int, drop: Drop) -> None:
    """Raise NotReadyError unless descriptor and path are both the sighted file as it was, with no writer."""
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise NotReadyError(NotReady.NOT_A_FILE)
    if has_writer(descriptor):
        raise NotReadyError(NotReady.HAS_WRITER)
    # The look comes after the question for writers: one that wrote and closed in between is seen by what it changed.
    if look_of(os.fstat(descriptor)) != drop.look or not is_unchanged(drop):
        raise NotReadyError(NotReady.CHANGED)


def _look_at(path: Path) -> Look | None:
    try:
        return look_of(path.lstat())
    except FileNotFoundError:
        return None


def _copy(source: int, part: Path, size: int, progress: Progress | None) -> str:
    """Copy at most `size` bytes into a new file on the disk; return their SHA-256."""
    digest = hashlib.sha256()
    done = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(part, flags, 0o600), "wb", buffering=0) as target:  # noqa: PTH123 -- a descriptor, not a path
        while chunk := os.read(source, min(CHUNK, size - done)):
            digest.update(chunk)
            _write(target.fileno(), chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, size)
        os.fsync(target.fileno())
    if done < size:
        raise NotReadyError(NotReady.CHANGED)
    return digest.hexdigest()


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
