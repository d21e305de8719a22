"""Builds zips byte by byte, so that each of their fields can be made to lie."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF


def deflate(data: bytes) -> bytes:
    """Return a raw deflate stream."""
    machine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A member. What is None is told truly; `local_…` is what its own header says where the directory differs."""

    name: bytes = b"users.csv"
    data: bytes = b"sourcedId\r\nu1\r\n"
    body: bytes | None = None
    method: int = 8
    flags: int = 0
    version: int = 20
    crc: int | None = None
    compressed: int | None = None
    size: int | None = None
    offset: int | None = None
    system: int = 3
    attributes: int = 0
    disk: int = 0
    extra: bytes = b""
    comment: bytes = b""
    zip64: bool = False
    signature: bytes = b"PK\3\4"
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_crc: int | None = None
    local_compressed: int | None = None
    local_size: int | None = None
    local_extra: bytes = b""
    behind: bytes = b""
    unlisted: bool = False

    @property
    def packed(self) -> bytes:
        """The bytes that lie in the zip."""
        if self.body is not None:
            return self.body
        return deflate(self.data) if self.method == 8 else self.data

    @property
    def told(self) -> tuple[int, int, int]:
        """CRC, compressed size and size as the directory tells them."""
        return (
            zlib.crc32(self.data) if self.crc is None else self.crc,
            len(self.packed) if self.compressed is None else self.compressed,
            len(self.data) if self.size is None else self.size,
        )

    def laid(self) -> bytes:
        """Return the member's own header, its data and what is behind it."""
        locals_ = (self.local_crc, self.local_compressed, self.local_size)
        crc, compressed, size = (
            told if local is None else local for told, local in zip(self.told, locals_, strict=True)
        )
        name = self.name if self.local_name is None else self.local_name
        extra = self.local_extra
        if self.zip64:
            extra += struct.pack("<2H2Q", 1, 16, size, compressed)
            compressed = size = FULL_32
        method = self.method if self.local_method is None else self.local_method
        flags = self.flags if self.local_flags is None else self.local_flags
        head = struct.pack("<4s3H2H3L2H", self.signature, self.version, flags, method, 0, 0x21, crc, compressed, size,
                           len(name), len(extra))  # fmt: skip
        return head + name + extra + self.packed + self.behind

    def listed(self, offset: int) -> bytes:
        """Return the member's entry in the directory."""
        crc, compressed, size = self.told
        extra = self.extra
        if self.zip64:
            extra += struct.pack("<2H3Q", 1, 24, size, compressed, offset)
            compressed = size = offset = FULL_32
        head = struct.pack("<4s2B3H2H3L5H2L", b"PK\1\2", self.version, self.system, self.version, self.flags,
                           self.method, 0, 0x21, crc, compressed, size, len(self.name), len(extra), len(self.comment),
                           self.disk, 0, self.attributes, offset)  # fmt: skip
        return head + self.name + extra + self.comment


def descriptor(part: Part, length: int = 16, crc: int | None = None) -> bytes:
    """Return a data descriptor of 12, 16, 20 or 24 bytes."""
    true, compressed, size = part.told
    sizes = struct.pack("<2L" if length < 20 else "<2Q", compressed, size)
    return (b"PK\7\x08" if length in {16, 24} else b"") + struct.pack("<L", true if crc is None else crc) + sizes


def streamed(part: Part, length: int = 16) -> Part:
    """Return the member as a writer leaves it that cannot seek: zeros in the header, a descriptor behind."""
    return replace(part, flags=8, local_crc=0, local_compressed=0, local_size=0, behind=descriptor(part, length))


def craft(
    parts: Sequence[Part],
    *,
    before: bytes = b"",
    gap: bytes = b"",
    comment: bytes = b"",
    comment_length: int | None = None,
    after: bytes = b"",
    disk: int = 0,
    here: int | None = None,
    count: int | None = None,
    start: int | None = None,
    zip64: bool = False,
    zip64_count: int | None = None,
    zip64_length: int = 44,
    zip64_start: int | None = None,
    zip64_disks: int = 1,
    zip64_at: int | None = None,
) -> bytes:
    """Return a zip of the parts."""
    raw, directory = bytearray(before), bytearray()
    for part in parts:
        offset = len(raw) if part.offset is None else part.offset
        raw += part.laid() if part.offset is None else b""
        directory += b"" if part.unlisted else part.listed(offset)
    raw += gap
    listed = sum(not part.unlisted for part in parts)
    total = listed if count is None else count
    now = total if here is None else here
    begin = len(raw) if start is None else start
    raw += directory
    size = len(directory)
    if zip64:
        at = len(raw) if zip64_at is None else zip64_at
        many = listed if zip64_count is None else zip64_count
        begins = begin if zip64_start is None else zip64_start
        raw += struct.pack("<4sQ2H2L4Q", b"PK\6\6", zip64_length, 45, 45, 0, 0, many, many, size, begins)
        raw += struct.pack("<4sLQL", b"PK\6\7", 0, at, zip64_disks)
        begin, size = FULL_32, FULL_32
    length = len(comment) if comment_length is None else comment_length
    raw += struct.pack("<4s4H2LH", b"PK\5\6", disk, 0, now, total, size, begin, length)
    return bytes(raw + comment + after)
