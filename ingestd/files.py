"""Files and folders that survive a crash, and that nobody else can have prepared."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

ASIDE = ".report.part"
"""The name of a file that is not written to its end yet."""


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone can enter, durably; one that exists is left as it is."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the kernel write a folder's entries to the disk: creations, renames and removals in it are then durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of `path` when all is written; on a fault the old one stays.

    Its name until then is always the same, so that what a killed process left goes with the next report.
    """
    aside = path.with_name(ASIDE)
    try:
        with writing(aside, mode=mode) as file:
            yield file
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Give a new file in place of whatever is called so; when all is written it is durable.

    O_EXCL: nothing that somebody laid there under that name is followed or written to.
    """
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
