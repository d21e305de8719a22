"""Finds where a zip's directory lies, from the two ends of the file.

Its law: one file, one reading. There is one end record, it ends the file, and the directory ends where it begins.
What falls short of that may be a file that is still on its way (`incomplete-zip`), and is told apart from what can
never become a package.
"""

import os
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Self

from ingestd.core.findings import batch
from ingestd.core.model import Batch
from ingestd.errors import IngestdError

LOCAL = b"PK\3\4"
"""How a member's own header begins."""
_END, _LOCATOR, _END_64 = b"PK\5\6", b"PK\6\7", b"PK\6\6"
_OTHERS = {
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF",
    b"-----BEGIN PGP": "a PGP message",
    b"age-encryption": "an age message",
    b"PK\x07\x08": "a part of a split zip",
    b"<": "a web page or XML",
    b"UEsDB": "a zip in base64, as mail carries it",
    b"\xd0\xcf\x11\xe0": "an old Office document",
}
_TEXT = re.compile(rb"[^\x00-\x08\x0e-\x1f\x7f]*")
_DIRECTORY_LIMIT = 1 << 20
"""Bytes of central directory that are parsed; 64 plain members need 6 KiB."""


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """How far a package may go (`[package]`): members in all, bytes of one and of all, inflated by deflated.

    `memory` and `seconds` are what reading it may take beside what its size allows.
    """

    members: int = 64
    member_bytes: int = 4 << 30
    total_bytes: int = 8 << 30
    ratio: int = 200
    memory: int = 1 << 30
    seconds: int = 60


class PackageFault(IngestdError):  # noqa: N818 - a finding of the drop, not an error of the world
    """The package cannot be read. The pipeline rejects the drop with `batch`, which is catastrophic."""

    exit_code = 1

    def __init__(self, found: Batch) -> None:
        super().__init__(found.message)
        self.batch = found

    def __reduce__(self) -> tuple[type[Self], tuple[Batch]]:
        return type(self), (self.batch,)


def fail(code: str, detail: str) -> NoReturn:
    """Raise a `PackageFault` of that code."""
    raise PackageFault(batch(code, detail=detail))


def read_at(handle: BinaryIO, offset: int, length: int) -> bytes:
    """Return up to `length` bytes from `offset` on; fewer, or none, where the file has none."""
    return os.pread(handle.fileno(), length, offset) if 0 <= offset < 1 << 62 else b""


def check_head(handle: BinaryIO) -> None:
    """Refuse what can never become a zip; a beginning of nothing, or of zeros, may still be on its way.

    Raises:
        PackageFault: `not-a-zip`, or `incomplete-zip`.
    """
    head = read_at(handle, 0, 512)
    begins = head[:4]
    if not any(begins):
        fail("incomplete-zip", "it is empty" if not begins else "it begins with zeros")
    came = begins.rstrip(b"\0")
    if not (LOCAL.startswith(came) or _END.startswith(came)):
        kinds = (kind for magic, kind in _OTHERS.items() if head.startswith(magic))
        fail("not-a-zip", f"it is {next(kinds, None) or _kind_within(head)}")


def _kind_within(head: bytes) -> str:
    """Return what it is whose first bytes do not tell."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    if _TEXT.fullmatch(head):
        return "a text, such as a CSV that was not zipped"
    return "something that does not begin as a zip does"


def find_directory(handle: BinaryIO, limits: PackageLimits) -> tuple[int, int]:
    """Return the central directory's offset and its number of entries, having checked that it ends where it should.

    Raises:
        PackageFault: it does not, or is larger than the limits allow.
    """
    end = _find_end(handle)
    disk, disk_0, here, count, length, start = struct.unpack("<4x4H2L2x", read_at(handle, end, 22))
    if read_at(handle, end - 20, 4) == _LOCATOR:
        end, here, count, length, start = _find_end_64(handle, end, (here, count, length, start))
    elif 0xFFFF in {here, count} or 0xFFFFFFFF in {length, start}:
        fail("incomplete-zip", "its zip64 end record is missing")
    if here > count:
        fail("incomplete-zip", "its end record tells of fewer members in all than in this file")
    if disk not in {0, 0xFFFF} or disk_0 not in {0, 0xFFFF} or here != count:
        fail("unsafe-zip", "it is a part of a split zip")
    if start + length != end:
        _misplaced(handle, end - length - start)
    if count > limits.members:
        fail("zip-too-large", f"it has {count} members, and {limits.members} are allowed")
    if length > _DIRECTORY_LIMIT:
        fail("zip-too-large", f"its directory has {length} bytes, and {_DIRECTORY_LIMIT} are allowed")
    return start, count


def _find_end(handle: BinaryIO) -> int:
    """Return the offset of the one end record that ends the file, its comment included."""
    size = os.fstat(handle.fileno()).st_size
    base = max(0, size - 22 - 0xFFFF)
    tail = read_at(handle, base, size - base)
    fitting = [found.start() for found in re.finditer(re.escape(_END), tail) if _ends(tail, found.start())]
    if not fitting:
        fail("incomplete-zip", f"it does not end as a zip does{_rest(tail)}")
    if len(fitting) > 1 or _END in tail[fitting[0] + 22 :]:
        fail("unsafe-zip", "it has more than one end: a comment or a member holds the end record of another zip")
    return base + fitting[0]


def _ends(tail: bytes, start: int) -> bool:
    """Return whether an end record at `start`, with the comment that it announces, comes to the end of the file."""
    return len(tail) >= start + 22 and start + 22 + int.from_bytes(tail[start + 20 : start + 22], "little") == len(tail)


def _rest(tail: bytes) -> str:
    last = tail.rfind(_END)
    return f", for {len(tail) - last - 22} bytes follow its end record" if 0 <= last <= len(tail) - 22 else ""


def _find_end_64(handle: BinaryIO, end: int, plain: tuple[int, int, int, int]) -> tuple[int, int, int, int, int]:
    """Return the zip64 end record's offset and values, having checked that all three records tell the same."""
    disk, record, disks = struct.unpack("<4xLQL", read_at(handle, end - 20, 20))
    if disk or disks > 1:
        fail("unsafe-zip", "it is a part of a split zip")
    raw = read_at(handle, end - 76, 56)
    if len(raw) < 56 or raw[:4] != _END_64 or record != end - 76:
        fail("incomplete-zip", "its zip64 end record is not where its locator says")
    length, here_disk, start_disk, *values = struct.unpack("<4xQ4x2L4Q", raw)
    if length != 44 or here_disk or start_disk:
        fail("unsafe-zip", "its zip64 end record is not a plain one")
    sentinels = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    if any(old not in (new, full) for old, new, full in zip(plain, values, sentinels, strict=True)):
        fail("incomplete-zip", "its two end records do not agree")
    here, count, size, start = values
    return end - 76, here, count, size, start


def _misplaced(handle: BinaryIO, surplus: int) -> NoReturn:
    """Tell apart two whole zips, one behind the other, from bytes that are missing or came twice."""
    if surplus < 0:
        fail("incomplete-zip", f"{-surplus} bytes are missing before its end")
    if read_at(handle, surplus - 22, 4) == _END:
        fail("unsafe-zip", "it is two zips, one behind the other")
    fail("incomplete-zip", f"{surplus} bytes too many stand before its end")
