"""Opens a package, a zip or a folder of CSVs, and streams its files; nothing is ever extracted to a path.

Its law: what comes out was declared and is whole. A member that inflates to more than it declared, stops short, or
has another CRC is a fault as soon as that shows, and so memory and time are bounded by the limits and not by the
sender. Whether a drop is whole is asked of the zip alone: `completeness` inflates each member once.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from isal import isal_zlib

from ingestd.core.aliases import Aliases
from ingestd.core.findings import batch
from ingestd.core.layout import Layout, arrange, show
from ingestd.core.model import Batch, Mode, Severity
from ingestd.zipcheck import STORED, Entry, read_directory
from ingestd.zipends import PackageFault, PackageLimits, fail, read_at

__all__ = [
    "CHUNK",
    "Completeness",
    "Member",
    "Package",
    "PackageFault",
    "PackageLimits",
    "Verdict",
    "completeness",
    "open_package",
]

_ISAL_ERROR = cast("type[Exception]", isal_zlib.error)  # its stub calls the class an instance
CHUNK = 4 << 20
"""Bytes of a piece of a stream, at most."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the package: its name in the zip or the folder, and its size in bytes as declared."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Package:
    """The unpacked, checked zip. Use it as a context manager, or `close` it.

    `files` has the files of a roster by their canonical names (`users.csv`), `names` those of all files, read or not,
    and `batches` what was found so far.
    """

    files: Mapping[str, Member]
    names: tuple[str, ...]
    batches: tuple[Batch, ...]
    _open: Callable[[str, int], Iterator[bytes]]
    _held: ExitStack

    def stream(self, file: str, chunk: int = CHUNK) -> Iterator[bytes]:
        """Yield the content of a file in pieces of at most `chunk` bytes.

        What was yielded is only known to be whole once the iterator has ended.

        Raises:
            KeyError: the package has no such file.
            PackageFault: the file is damaged, or not of the size that it declares.
        """
        return self._open(self.files[file].name, chunk)

    def read(self, file: str, limit: int) -> bytes:
        """Return the content of a small file.

        Raises:
            KeyError: the package has no such file.
            PackageFault: it is damaged, or longer than `limit` bytes.
        """
        if self.files[file].size > limit:
            fail("zip-too-large", f"{file} has {self.files[file].size} bytes, and {limit} are allowed")
        return b"".join(self.stream(file))

    def close(self) -> None:
        """Let go of the zip; streams end with a `ValueError` from now on."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Verdict(StrEnum):
    """Whether a drop is whole: to be taken, to be waited for, or to be taken and rejected."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Completeness:
    """The verdict on a drop, with the finding that explains it unless it is complete.

    `modes` are what a complete one says of its tables, without those that are absent; empty if that cannot be told.
    """

    verdict: Verdict
    batch: Batch | None = None
    modes: Mapping[str, Mode] = field(default_factory=dict)


def open_package(path: Path, limits: PackageLimits, aliases: Aliases = Aliases()) -> Package:
    """Open a zip, or a folder of CSVs, whose files the sender may call as `aliases` say.

    Raises:
        PackageFault: its structure is not that of a safe, whole package. Its members' content is not looked at yet.
        OSError: it cannot be opened.
    """
    return _open_folder(path, limits, aliases) if path.is_dir() else _open_zip(path, limits, aliases)


def completeness(path: Path, limits: PackageLimits, aliases: Aliases = Aliases()) -> Completeness:
    """Return whether a drop is whole: its structure, and size and CRC of each member, read or not.

    A folder has no structure that would tell; it is complete if it can be opened.

    Raises:
        OSError: it cannot be opened or read.
    """
    try:
        if path.is_dir():
            open_package(path, limits, aliases).close()
            return Completeness(Verdict.COMPLETE)
        with path.open("rb", buffering=0) as handle:
            entries = read_directory(handle, limits)
            _arrange((entry.name for entry in entries), aliases)
            for entry in entries:
                deque(_inflate(handle, entry, CHUNK), maxlen=0)
    except PackageFault as fault:
        # More bytes, or the same ones in place of a hole, can mend this one fault and no other.
        verdict = Verdict.INCOMPLETE if fault.batch.code == "incomplete-zip" else Verdict.BROKEN
        return Completeness(verdict, fault.batch)
    return Completeness(Verdict.COMPLETE)


def _arrange(names: Iterable[str], aliases: Aliases) -> Layout:
    """Return the layout of the names, or raise the first thing in it that forbids to read the package."""
    layout = arrange(names, aliases)
    for one in layout.batches:
        if one.severity is Severity.CATASTROPHIC:
            raise PackageFault(one)
    return layout


# A zip --------------------------------------------------------------------------------------------------------------


def _open_zip(path: Path, limits: PackageLimits, aliases: Aliases) -> Package:
    with ExitStack() as stack:
        handle = stack.enter_context(path.open("rb", buffering=0))
        members = read_directory(handle, limits)
        layout = _arrange((entry.name for entry in members), aliases)
        entries = {entry.name: entry for entry in members}
        files = {file: Member(name, entries[name].size) for file, name in layout.files.items()}

        def inflate(name: str, chunk: int) -> Iterator[bytes]:
            return _inflate(handle, entries[name], chunk)

        return Package(files, layout.names, layout.batches, inflate, stack.pop_all())


def _inflate(handle: BinaryIO, entry: Entry, chunk: int) -> Iterator[bytes]:
    """Yield a member's content, holding it to the size and CRC that were declared."""
    if not (entry.compressed or entry.size or entry.crc):
        return
    packed = _packed(handle, entry, max(1, chunk // 4))
    size = crc = 0
    for piece in packed if entry.method == STORED else _deflated(packed, entry, chunk):
        size += len(piece)
        if size > entry.size:
            fail("incomplete-zip", f"{show(entry.name)} has more bytes than it declares")
        crc = isal_zlib.crc32(piece, crc)
        yield piece
    if size < entry.size:
        fail("incomplete-zip", f"{show(entry.name)} has fewer bytes than it declares")
    if crc != entry.crc:
        fail("incomplete-zip", f"the content of {show(entry.name)} is damaged: its CRC does not fit")


def _packed(handle: BinaryIO, entry: Entry, step: int) -> Iterator[bytes]:
    """Yield a member's bytes as they lie in the zip."""
    end = entry.start + entry.compressed
    for offset in range(entry.start, end, step):
        piece = read_at(handle, offset, min(step, end - offset))
        if len(piece) < min(step, end - offset):
            fail("incomplete-zip", "it became shorter while it was read")
        yield piece


def _deflated(packed: Iterator[bytes], entry: Entry, chunk: int) -> Iterator[bytes]:
    """Inflate pieces; the stream must end exactly where they end."""
    machine = isal_zlib.decompressobj(-15)
    try:
        for piece in packed:
            rest = piece
            while rest and not machine.eof:
                yield machine.decompress(rest, chunk)
                rest = machine.unconsumed_tail
            if rest or machine.unused_data:
                fail("incomplete-zip", f"the data of {show(entry.name)} goes on behind its end")
        while not machine.eof:
            # The last pieces may have filled the window without room to come out.
            inflated = machine.decompress(b"", chunk)
            if not inflated:
                fail("incomplete-zip", f"the data of {show(entry.name)} is cut off")
            yield inflated
    except _ISAL_ERROR:
        fail("incomplete-zip", f"the data of {show(entry.name)} is damaged")


# A folder -----------------------------------------------------------------------------------------------------------


def _open_folder(path: Path, limits: PackageLimits, aliases: Aliases) -> Package:
    """Open the plain files of a folder; links, devices and subfolders are not followed."""
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    plain = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in plain}
    layout = _arrange(sizes, aliases)
    files = {file: Member(name, sizes[name]) for file, name in layout.files.items()}
    largest = max((member.size for member in files.values()), default=0)
    total = sum(member.size for member in files.values())
    if largest > limits.member_bytes or total > limits.total_bytes:
        fail("zip-too-large", f"its files have {total} bytes, the largest {largest}")
    odd = [show(entry.name) for entry in entries if entry not in plain]
    batches = (*layout.batches, *(batch("ignored-file", file=name, name=name) for name in odd))

    def read(name: str, chunk: int) -> Iterator[bytes]:
        return _plain(path / name, sizes[name], chunk)

    return Package(files, layout.names, batches, read, ExitStack())


def _plain(path: Path, size: int, chunk: int) -> Iterator[bytes]:
    """Yield a file's content, which must have the size that was seen when the folder was opened."""
    total = 0
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as handle:
        while total <= size and (piece := handle.read(chunk)):
            total += len(piece)
            yield piece
    if total != size:
        fail("incomplete-zip", f"{show(path.name)} changed while it was read")
