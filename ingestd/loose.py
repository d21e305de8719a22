"""Packs CSVs that lie loose in an inbox into one zip, which then is a drop like any other.

Law: the same files give the same bytes, so that a set that comes again is known by its SHA-256.
"""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from ingestd.claim import CHUNK, Copied, NotReady, NotReadyError, copy_drop, digest_of, is_unchanged
from ingestd.files import sync_folder
from ingestd.sources.base import Drop

_FOLDER = ".loose"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of each file in the zip: the earliest that a zip can tell."""

Progress = Callable[[int, int], None]


def copy_loose(drop: Drop, into: Path, *, progress: Progress | None = None) -> Copied:
    """Copy the parts of a drop into the folder `into` as one zip of the drop's name, durably; leave them alone.

    Raises:
        NotReadyError: one of them is not as it was sighted, or has a writer.
        OSError: the world.
    """
    folder = into / _FOLDER
    for part in drop.parts:
        copy_drop(part, folder, progress=progress)
    if not all(map(is_unchanged, drop.parts)):  # the first, while the last was copied
        raise NotReadyError(NotReady.CHANGED)
    target = into / drop.path.name
    _pack([folder / part.path.name for part in drop.parts], target, progress)
    shutil.rmtree(folder)
    sync_folder(into)
    return Copied(target, digest_of(target), target.stat().st_size)


def _pack(files: list[Path], target: Path, progress: Progress | None) -> None:
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w+b") as file:
        with zipfile.ZipFile(file, "w") as package:
            for one in sorted(files, key=lambda path: path.name):
                _add(package, one, progress)
        file.flush()
        os.fsync(file.fileno())


def _add(package: zipfile.ZipFile, path: Path, progress: Progress | None) -> None:
    about = zipfile.ZipInfo(path.name, _EPOCH)
    about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    about.file_size = size = path.stat().st_size
    with path.open("rb") as source, package.open(about, "w") as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)
            if progress is not None:
                progress(source.tell(), size)
