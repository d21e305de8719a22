"""Holds a zip's members to the letter: `zipfile` parses the directory, and nothing is believed that is said once.

Its law: the members lie one behind the other from the first byte to the directory, and what the directory says of a
member, the member's own header says too. What does not agree may be bytes that have not come yet
(`incomplete-zip`); only what both sides say is held against the sender.
"""

import stat
import struct
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from ingestd.core.layout import show
from ingestd.zipends import LOCAL, PackageLimits, check_head, fail, find_directory, read_at

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
_ENCRYPTED, _DESCRIPTOR, _PATCH, _STRONG, _UTF_8, _MASKED = 0x1, 0x8, 0x20, 0x40, 0x800, 0x2000
_OFFICE = {"[Content_Types].xml", "META-INF/manifest.xml"}
"""Files that Microsoft's documents have, and OpenDocument's; both are zips."""
_RATIO_FREE = 1 << 20
"""Bytes below which a member's ratio does not matter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of the zip: its name as it stands there, and where its bytes lie."""

    name: str
    method: int
    crc: int
    compressed: int
    size: int
    start: int


def read_directory(handle: BinaryIO, limits: PackageLimits) -> tuple[Entry, ...]:
    """Return the members in the order in which they lie, folders too.

    Raises:
        PackageFault: the structure is not that of a whole, plain zip within the limits.
    """
    check_head(handle)
    start, count = find_directory(handle, limits)
    infos = sorted(_parse(handle), key=lambda info: info.header_offset)
    if len(infos) != count:
        fail("incomplete-zip", f"its end record counts {count} members, its directory {len(infos)}")
    headers = [_agree(handle, info) for info in infos]
    if _OFFICE & {info.orig_filename for info in infos}:
        fail("not-a-zip", "it is an Office document, such as an Excel workbook")
    _refuse([complaint for info in infos for complaint in _complaints(info)])
    _check_sizes(infos, limits)
    _check_tiles(handle, infos, headers, start)
    return tuple(
        Entry(_name(info), info.compress_type, info.CRC, info.compress_size, info.file_size, header.start)
        for info, header in zip(infos, headers, strict=True)
    )


def _parse(handle: BinaryIO) -> Sequence[zipfile.ZipInfo]:
    try:
        return zipfile.ZipFile(handle).infolist()
    except NotImplementedError:
        fail("unsafe-zip", "it needs a newer version of the zip format")
    except UnicodeDecodeError:
        fail("unsafe-zip", "a name is marked as UTF-8 and is not")
    except (zipfile.BadZipFile, struct.error, ValueError, EOFError):
        fail("incomplete-zip", "its directory is damaged")


@dataclass(frozen=True, slots=True)
class _Header:
    """A member's own header: where its data starts, and whether sizes and CRC stand in it already."""

    start: int
    is_filled: bool


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8 else "cp437")


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; one that is UTF-8 without saying so, as macOS writes it, as what it is."""
    try:
        return _raw_name(info).decode()
    except UnicodeDecodeError:
        return info.orig_filename


def _agree(handle: BinaryIO, info: zipfile.ZipInfo) -> _Header:
    """Return the member's own header, having checked that it says what the directory says."""
    name = _raw_name(info)
    raw = read_at(handle, info.header_offset, 30)
    if len(raw) < 30 or raw[:4] != LOCAL:
        fail("incomplete-zip", f"the data of {show(_name(info))} is not where the directory says")
    flags, method, crc, compressed, size, name_length, extra_length = struct.unpack("<6x2H4x3L2H", raw)
    rest = read_at(handle, info.header_offset + 30, name_length + extra_length)
    compressed, size = _widen(rest[name_length:], compressed, size)
    is_filled = (crc, compressed, size) == (info.CRC, info.compress_size, info.file_size)
    # Bits 1 and 2 tell how hard the writer tried, which is no matter.
    same = rest[:name_length] == name and method == info.compress_type and not (flags ^ info.flag_bits) & ~0x6
    if not same or not (is_filled or flags & _DESCRIPTOR):
        fail("incomplete-zip", f"the header of {show(_name(info))} does not agree with the directory")
    return _Header(info.header_offset + 30 + name_length + extra_length, is_filled)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _widen(extra: bytes, compressed: int, size: int) -> tuple[int, int]:
    """Return the sizes of a local header, from its zip64 field if that is where they are."""
    for kind, data in _extras(extra):
        if kind == 1 and len(data) >= 16 and (compressed, size) == (0xFFFFFFFF, 0xFFFFFFFF):
            size, compressed = struct.unpack_from("<2Q", data)
    return compressed, size


def _refuse(complaints: Sequence[str]) -> None:
    if complaints:
        more = f"; and {len(complaints) - 5} more" if len(complaints) > 5 else ""
        fail("unsafe-zip", "; ".join(complaints[:5]) + more)


def _complaints(info: zipfile.ZipInfo) -> Iterator[str]:
    """Say what makes a member one that is not opened."""
    name = show(_name(info))
    if info.flag_bits & (_ENCRYPTED | _STRONG | _MASKED):
        yield f"{name} is encrypted"
    elif info.compress_type not in {STORED, DEFLATED}:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        yield f"{name} is packed with {method}, not Deflate"
    if info.flag_bits & _PATCH:
        yield f"{name} is a patch"
    if info.volume not in {0, 0xFFFF}:
        yield f"{name} lies in another part of a split zip"
    kind = stat.S_IFMT(info.external_attr >> 16)
    is_folder = info.orig_filename.endswith("/")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (kind == stat.S_IFDIR) > is_folder:
        yield f"{name} is a link or a device, not a file"
    if is_folder and info.file_size:
        yield f"{name} is a folder with content of its own"
    yield from (f"{name} {what}" for what in _name_complaints(info))


def _name_complaints(info: zipfile.ZipInfo) -> Iterator[str]:
    name = _name(info)
    if not name or len(name) > 255:
        yield "has no name, or one that is too long"
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in name):
        yield "has a control character in its name"
    if name.startswith("/") or name[1:2] == ":":
        yield "has an absolute path"
    elif any(part in {"", ".", ".."} for part in name.removesuffix("/").split("/")):
        yield "has .. or an empty part in its path"
    if "\\" in name and not _is_in_shift_jis(info):
        yield "has a backslash in its name"
    for kind, data in _extras(info.extra):
        if kind == 0x7075 and data[5:] != name.encode():
            yield "has a second name that is another"


def _is_in_shift_jis(info: zipfile.ZipInfo) -> bool:
    """Return whether what looks like a backslash is the second byte of a Japanese sign, as in the names of tables."""
    with suppress(UnicodeDecodeError):
        return not info.flag_bits & _UTF_8 and "\\" not in _raw_name(info).decode("cp932")
    return False


def _check_sizes(infos: Sequence[zipfile.ZipInfo], limits: PackageLimits) -> None:
    """Hold the declared sizes to the limits; that they are true is checked while reading."""
    for info in infos:
        name = show(_name(info))
        if info.file_size > limits.member_bytes:
            fail("zip-too-large", f"{name} has {info.file_size} bytes, and {limits.member_bytes} are allowed")
        if info.file_size > max(_RATIO_FREE, limits.ratio * info.compress_size):
            fail("zip-too-large", f"{name} is packed more than {limits.ratio} times smaller than it is")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        fail("zip-too-large", f"its members have {total} bytes, and {limits.total_bytes} are allowed")


def _check_tiles(handle: BinaryIO, infos: Sequence[zipfile.ZipInfo], headers: Sequence[_Header], end: int) -> None:
    """Check that members and their descriptors cover the file from 0 to `end`, without overlap or gap."""
    starts = [*(info.header_offset for info in infos), end]
    if starts[0]:
        fail("unsafe-zip", f"{starts[0]} bytes before the first member belong to none")
    for info, header, (_, following) in zip(infos, headers, pairwise(starts), strict=True):
        name = show(_name(info))
        stop = header.start + info.compress_size
        if stop > following:
            fail("unsafe-zip", f"{name} overlaps what follows it")
        if stop < following or not header.is_filled:
            _check_descriptor(read_at(handle, stop, min(following - stop, 25)), info, name)


def _check_descriptor(raw: bytes, info: zipfile.ZipInfo, name: str) -> None:
    """Check the bytes behind a member's data, which may only be its descriptor, of one of four forms."""
    values = (info.CRC, info.compress_size, info.file_size)
    if not info.flag_bits & _DESCRIPTOR or len(raw) not in {12, 16, 20, 24}:
        fail("unsafe-zip", f"what follows {name} is neither its descriptor nor the next member")
    signed = raw.removeprefix(b"PK\7\x08") if len(raw) in {16, 24} else raw
    form = {12: "<3L", 20: "<L2Q"}.get(len(signed))
    if form is None or struct.unpack(form, signed) != values:
        fail("incomplete-zip", f"what follows the data of {name} does not agree with the directory")
