"""A client that says anything: whole SSH sessions by paramiko, below which each SFTP packet is made by hand.

A reply is what came, or that the connection ended. A server that says nothing for `DEADLINE` seconds raises
TimeoutError: that is the hang which these tests look for.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import paramiko

DEADLINE = 10.0

INIT, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = 1, *range(3, 13)
REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(13, 21)
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED = 101, 102, 103, 104, 105, 200
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, _, _, UNSUPPORTED = range(9)
FOR_READING, FOR_WRITING, APPENDING, CREATING, TRUNCATING, EXCLUSIVE = (1 << bit for bit in range(6))
NEW = FOR_WRITING | CREATING | TRUNCATING
ENDED = 0
"""The kind of reply that there is when the connection ended."""


def u32(number: int) -> bytes:
    """Return a number as four bytes."""
    return struct.pack(">I", number)


def u64(number: int) -> bytes:
    """Return a number as eight bytes."""
    return struct.pack(">Q", number)


def text(value: bytes | str) -> bytes:
    """Return a string as the protocol has it: its length, then its bytes."""
    raw = value.encode() if isinstance(value, str) else value
    return u32(len(raw)) + raw


NO_ATTRS = u32(0)


def size_attr(size: int) -> bytes:
    """Return attributes that set the size."""
    return u32(1) + u64(size)


def owner_attr(user: int, group: int) -> bytes:
    """Return attributes that set the owner."""
    return u32(2) + u32(user) + u32(group)


def mode_attr(mode: int) -> bytes:
    """Return attributes that set the mode."""
    return u32(4) + u32(mode)


def times_attr(accessed: int, modified: int) -> bytes:
    """Return attributes that set the times."""
    return u32(8) + u32(accessed) + u32(modified)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said to a request; of kind `ENDED` if it hung up instead."""

    kind: int
    body: bytes = b""

    @property
    def code(self) -> int:
        """Return the code of a status; -1 if this is none, or has not the three fields that a status has."""
        if self.kind != STATUS or len(self.body) < 16:
            return -1
        return int(struct.unpack(">I", self.body[4:8])[0])

    @property
    def string(self) -> bytes:
        """Return the first string: the handle, the data."""
        (size,) = struct.unpack(">I", self.body[4:8])
        return self.body[8 : 8 + size]

    @property
    def name(self) -> bytes:
        """Return the first name of a list of names."""
        (size,) = struct.unpack(">I", self.body[8:12])
        return self.body[12 : 12 + size]

    @property
    def is_refusal(self) -> bool:
        """Return whether this is a clean no: a status that is none of success, or the end of the connection."""
        return self.kind == ENDED or self.code > EOF


class Wire:
    """SFTP packets over a channel, one request at a time."""

    def __init__(self, channel: paramiko.Channel) -> None:
        channel.settimeout(DEADLINE)
        self.channel = channel
        self.heard = bytearray()
        self._numbers = count(1)

    def ask(self, kind: int, *parts: bytes) -> Reply:
        """Send a request and return the reply to it."""
        return self.say(bytes([kind]) + u32(next(self._numbers)) + b"".join(parts))

    def say(self, packet: bytes) -> Reply:
        """Send a packet of any bytes, with its true length, and return the reply."""
        return self.receive() if self.send(u32(len(packet)) + packet) else Reply(ENDED)

    def send(self, raw: bytes) -> bool:
        """Send bytes as they are; return whether the connection still took them."""
        try:
            self.channel.sendall(raw)
        except TimeoutError:
            raise
        except (OSError, EOFError, paramiko.SSHException):
            return False
        return True

    def receive(self) -> Reply:
        """Return the next packet that the server sends."""
        head = self._take(5)
        if head is None:
            return Reply(ENDED)
        body = self._take(struct.unpack(">I", head[:4])[0] - 1)
        return Reply(ENDED) if body is None else Reply(head[4], body)

    def _take(self, size: int) -> bytes | None:
        taken = b""
        while len(taken) < size:
            got = self.channel.recv(size - len(taken))
            if not got:
                return None
            taken += got
        self.heard += taken
        return taken

    def open(self, path: bytes | str, flags: int = NEW, attrs: bytes = NO_ATTRS) -> bytes:
        """Open a file and return its handle."""
        reply = self.ask(OPEN, text(path), u32(flags), attrs)
        assert reply.kind == HANDLE, reply
        return reply.string

    def write(self, handle: bytes, content: bytes, offset: int = 0) -> Reply:
        """Write content to an open file."""
        return self.ask(WRITE, text(handle), u64(offset), text(content))

    def close(self, handle: bytes) -> Reply:
        """Close an open file."""
        return self.ask(CLOSE, text(handle))

    def put(self, path: str, content: bytes) -> None:
        """Upload a small file."""
        handle = self.open(path)
        assert self.write(handle, content).code == OK
        assert self.close(handle).code == OK


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and from which address of ours it is called."""

    port: int
    source: str = "127.0.0.1"

    def dial(self) -> socket.socket:
        """Connect, and say nothing."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE, source_address=(self.source, 0))


@contextmanager
def met(address: Address) -> Iterator[paramiko.Transport]:
    """Connect and exchange keys, no more; all is closed at the end."""
    with closed_at_the_end(paramiko.Transport(address.dial())) as transport:
        transport.start_client(timeout=DEADLINE)
        yield transport


@contextmanager
def closed_at_the_end(transport: paramiko.Transport) -> Iterator[paramiko.Transport]:
    """Close a transport at the end, and wait for its thread."""
    try:
        yield transport
    finally:
        transport.close()
        if transport.ident is not None:
            transport.join(DEADLINE)


@contextmanager
def logged_in(address: Address, user: str, key: paramiko.PKey) -> Iterator[paramiko.Transport]:
    """Log in with a key."""
    with met(address) as transport:
        transport.auth_publickey(user, key)
        yield transport


@contextmanager
def sftp(address: Address, user: str, key: paramiko.PKey, *, greet: bool = True) -> Iterator[Wire]:
    """Log in and open the SFTP subsystem; unless told not to, agree on version 3."""
    with logged_in(address, user, key) as transport:
        yield subsystem(transport, greet=greet)


def subsystem(transport: paramiko.Transport, *, greet: bool = True) -> Wire:
    """Open the SFTP subsystem on a new channel of a session."""
    channel = transport.open_session(timeout=DEADLINE)
    channel.invoke_subsystem("sftp")
    wire = Wire(channel)
    if greet:
        assert wire.say(bytes([INIT]) + u32(3)).kind == 2
    return wire
