"""The SFTP subsystem: paramiko's, with what it does not do itself.

It tells a client's CLOSE from the end of a session, tells refusals in words, bounds packets and handles, answers
malformed packets by a status, and does not offer `check-file` (reliability.md 2.4).
"""

import struct
from contextlib import suppress
from typing import Any, Protocol

from paramiko import Channel, Message, ServerInterface, SFTPServer, SFTPServerInterface, SSHException
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_EXTENDED,
    CMD_FSETSTAT,
    CMD_INIT,
    CMD_NAMES,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_VERSION,
    CMD_WRITE,
    SFTP_BAD_MESSAGE,
    SFTP_FAILURE,
    SFTP_OK,
    SFTP_OP_UNSUPPORTED,
    SFTPError,
)

from ingestd.server.refusal import RefusedError, failed, of_system, unsupported

LONGEST_PACKET = 256 << 10
"""Bytes of a packet, as in OpenSSH: a client that sends more is not one."""
MOST_HANDLES = 32
VERSION = 3
RENAME = "posix-rename@openssh.com"
_MALFORMED = (struct.error, UnicodeDecodeError, IndexError, OverflowError, MemoryError)


class Watcher(Protocol):
    """Whom the subsystem tells that its session is alive, and that it has ended."""

    def seen(self) -> None:
        """Take note of a packet."""

    def ended(self) -> None:
        """Take note of the end."""


class Sftp(SFTPServer):
    """One session's subsystem, in a thread of its own."""

    def __init__(
        self,
        channel: Channel,
        name: str,
        server: ServerInterface,
        view: type[SFTPServerInterface],
        host: Watcher,
    ) -> None:
        super().__init__(channel, name, server, view, host)
        self._host = host

    def finish_subsystem(self) -> None:
        """End the session: what is still open is given up. `scp` wants to hear that all went well."""
        try:
            with suppress(OSError, EOFError, SSHException):
                if self.sock is not None:
                    self.sock.send_exit_status(0)
            super().finish_subsystem()
        finally:
            self._host.ended()

    def _send_server_version(self) -> int:
        kind, data = self._read_packet()
        if kind != CMD_INIT or len(data) < 4:
            raise SFTPError("no INIT")
        message = Message()
        message.add_int(VERSION)
        message.add_string(RENAME)
        message.add_string("1")
        self._send_packet(CMD_VERSION, message)  # type: ignore[attr-defined]  # not in the stubs
        return VERSION

    def _read_all(self, n: int) -> bytes:
        assert self.sock is not None
        data = bytearray()
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    def _read_packet(self) -> tuple[int, bytes]:
        (length,) = struct.unpack(">I", self._read_all(4))
        if not 5 <= length <= LONGEST_PACKET:
            raise SFTPError("a packet of impossible length")
        packet = self._read_all(length)
        self._host.seen()
        return packet[0], packet[1:]

    def _process(self, t: int, request_number: int, msg: Message) -> None:
        try:
            self._carry_out(t, request_number, msg)
        except RefusedError as refusal:
            self._send_status(request_number, refusal.status, refusal.words)
        except OSError as error:
            told = of_system(error)
            self._send_status(request_number, told.status, told.words)
        except _MALFORMED:
            self._send_status(request_number, SFTP_BAD_MESSAGE, "the request is malformed")

    def _carry_out(self, kind: int, number: int, msg: Message) -> None:
        if kind == CMD_CLOSE:
            self._close(number, msg)
            return
        if kind not in CMD_NAMES:
            raise unsupported("the request is unknown")
        if kind in {CMD_OPEN, CMD_OPENDIR} and len(self.file_table) + len(self.folder_table) >= MOST_HANDLES:
            raise failed(f"a session may have {MOST_HANDLES} files open, no more")
        if kind == CMD_EXTENDED:
            _check_extension(msg)
        if kind == CMD_WRITE:
            _check_write(msg)
        if kind == CMD_FSETSTAT:
            self._check_handle(msg)
        super()._process(kind, number, msg)  # type: ignore[misc]  # not in the stubs

    def _close(self, number: int, msg: Message) -> None:
        handle = msg.get_binary()
        if self.folder_table.pop(handle, None) is None:
            file = self.file_table.pop(handle, None)
            if file is None:
                raise RefusedError(SFTP_BAD_MESSAGE, "there is no such handle")
            finish: Any = getattr(file, "finish", file.close)
            finish()
        self._send_status(number, SFTP_OK)

    def _check_handle(self, msg: Message) -> None:
        if _peek(msg).get_binary() not in self.file_table:
            raise RefusedError(SFTP_BAD_MESSAGE, "there is no such handle")

    def _send_status(self, request_number: int, code: int, desc: str | None = None) -> None:
        super()._send_status(request_number, code if 0 <= code <= SFTP_OP_UNSUPPORTED else SFTP_FAILURE, desc)  # type: ignore[misc]  # not in the stubs


def _peek(msg: Message) -> Message:
    """Return the rest of a message, to look at without taking it."""
    return Message(msg.get_remainder())


def _check_extension(msg: Message) -> None:
    if _peek(msg).get_text() != RENAME:
        raise unsupported("the extension is not offered")


def _check_write(msg: Message) -> None:
    """Raise RefusedError unless a WRITE is exactly as long as it says: paramiko would fill up with zeros."""
    rest = msg.get_remainder()
    (handle,) = struct.unpack_from(">I", rest)
    (data,) = struct.unpack_from(">I", rest, 4 + handle + 8)
    if 4 + handle + 8 + 4 + data != len(rest):
        raise RefusedError(SFTP_BAD_MESSAGE, "the request is malformed")
