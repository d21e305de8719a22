"""SFTP requests of every kind, and what becomes of them when their bytes are changed by chance."""

import random
from collections.abc import Callable, Iterator, Sequence

from hostile_clients import (
    CLOSE,
    EXTENDED,
    FOR_READING,
    FSETSTAT,
    FSTAT,
    LSTAT,
    MKDIR,
    NEW,
    NO_ATTRS,
    OPEN,
    OPENDIR,
    READ,
    READDIR,
    READLINK,
    REALPATH,
    REMOVE,
    RENAME,
    RMDIR,
    SETSTAT,
    STAT,
    SYMLINK,
    WRITE,
    Wire,
    mode_attr,
    size_attr,
    text,
    times_attr,
    u32,
    u64,
)

OWN, OUT, RECEIPT = text("/inbox/own.zip.part"), text("/inbox/../../outside/secret.zip"), text("/results/own.txt")


def requests(wire: Wire) -> tuple[bytes, ...]:
    """Return a request of each kind; those that take a handle have one of a file that is open now."""
    handle = text(wire.open("/inbox/fuzz.zip.part"))
    bodies = [
        *((kind, path) for kind in (LSTAT, STAT, OPENDIR, REMOVE, RMDIR, REALPATH, READLINK) for path in (OWN, OUT)),
        *((OPEN, path + u32(flags) + NO_ATTRS) for path in (OWN, OUT) for flags in (FOR_READING, NEW)),
        *((kind, path + attrs) for kind in (SETSTAT, MKDIR) for path in (OWN, OUT, RECEIPT) for attrs in ATTRS),
        *((FSETSTAT, handle + attrs) for attrs in ATTRS),
        *((kind, one + other) for kind in (RENAME, SYMLINK) for one in (OWN, RECEIPT) for other in (OUT, OWN)),
        *((EXTENDED, text(name) + OWN + OUT) for name in EXTENSIONS),
        (WRITE, handle + u64(0) + text(b"content")),
        (READ, handle + u64(0) + u32(100)),
        (FSTAT, handle),
        (READDIR, handle),
        (CLOSE, text(wire.open("/inbox/closed.zip.part"))),
    ]
    return tuple(bytes([kind]) + u32(7) + body for kind, body in bodies)


ATTRS = (NO_ATTRS, size_attr(5), mode_attr(0o6777), times_attr(1, 2))
EXTENSIONS = (
    "posix-rename@openssh.com",
    "hardlink@openssh.com",
    "statvfs@openssh.com",
    "check-file",
    "limits@openssh.com",
)


def mutated(packets: Sequence[bytes], chance: random.Random, count: int) -> Iterator[bytes]:
    """Yield `count` packets, each one of the given with one to four changes."""
    for _ in range(count):
        packet = bytearray(chance.choice(packets))
        for _ in range(chance.randint(1, 4)):
            chance.choice(CHANGES)(packet, chance)
        yield bytes(packet)


def _flip(packet: bytearray, chance: random.Random) -> None:
    if packet:
        packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)


def _replace(packet: bytearray, chance: random.Random) -> None:
    if packet:
        packet[chance.randrange(len(packet))] = chance.choice(b"\x00\xff\x7f\x80./")


def _cut(packet: bytearray, chance: random.Random) -> None:
    del packet[chance.randint(0, len(packet)) :]


def _insert(packet: bytearray, chance: random.Random) -> None:
    at = chance.randint(0, len(packet))
    packet[at:at] = chance.choice((chance.randbytes(chance.randint(1, 300)), b"../" * 20, b"\0", OUT, u32(0xFFFFFFFF)))


def _double(packet: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(packet))
    packet += packet[start:]


def _lengthen(packet: bytearray, chance: random.Random) -> None:
    """Put an extreme number where the first string's length is."""
    packet[5:9] = u32(chance.choice((0, 1, 2, 255, 65_536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _replace, _cut, _insert, _double, _lengthen)
