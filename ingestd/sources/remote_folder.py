"""A folder on an SFTP server, once logged in: look, read, write, move, remove. No call waits for ever.

Law: what a server says is looked at before it is believed, silence has its time, and data has a least speed. Measured
(reliability 2.4): without a channel timeout a stalled server hangs paramiko for good; its keepalive does not help, and
its own limit of requests under way makes it slow and holds the whole file in memory.
"""

import errno
import posixpath
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ingestd.core.fetching import Listed
from ingestd.errors import ConfigError, IngestdError
from ingestd.sources.remote_sftp import Sftp

BLOCK, WINDOW = 32 << 10, 64
"""Bytes per request, and requests under way: 39 MiB/s at 43 MiB of memory (reliability 2.4)."""

MOST_FILES = 10_000
"""Names in one listing; a folder with more is one that nobody ever clears."""


class RemoteError(IngestdError):
    """The server, or the way to it, is out of order. `problem` says what in words free of data."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class RemoteRefusalError(RemoteError):
    """The server is not the pinned one, or does not let us in: to ask again soon is of no use, and may do harm."""


class RemoteFileError(RemoteError):
    """One file cannot be had; the others can."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for each step of a login, seconds of silence, and the bytes a second below which a server is given up."""

    connect: float = 15
    stall: float = 30
    least_speed: int = 4 << 10


class RemoteFolder:
    """A folder on a server to which we are logged in."""

    def __init__(self, sftp: Sftp, pace: "Paced", path: str) -> None:
        self._sftp, self._pace, self._path = sftp, pace, path

    def listing(self) -> tuple[list[Listed], list[str]]:
        """Return the regular files, and the names of all else.

        Raises:
            RemoteError: the folder cannot be read, or holds more than `MOST_FILES`.
        """
        files: list[Listed] = []
        others: list[str] = []
        self._pace.restart()
        with told({errno.ENOENT: "the folder is not there", errno.EACCES: "the folder may not be read"}):
            for name, facts in self._sftp.entries(self._path):
                if len(files) + len(others) >= MOST_FILES:
                    raise RemoteError(f"more than {MOST_FILES} files in the folder; have them moved or deleted")
                file = _listed(name, facts)
                files += [file] if file else []
                others += [] if file else [name]
        return files, others

    def fetch(self, file: Listed, into: BinaryIO) -> None:
        """Write a file's content.

        Raises:
            RemoteFileError: it is not there, may not be read, or is no longer what was listed.
            RemoteError: the connection failed.
        """
        with self._about_a_file():
            source = self._sftp.open(self._at(file.name), "rb")
        for window in _windows(file.size):
            with self._about_a_file():
                blocks = self._sftp.blocks(source.handle, window)
            if [len(block) for block in blocks] != [count for _, count in window]:
                raise RemoteFileError("it changed while it was fetched")
            into.writelines(blocks)
        with self._about_a_file():
            source.close()
        self._check(file)

    def look(self, name: str) -> Listed | None:
        """Return a file as it is now, None if there is none.

        Raises:
            RemoteFileError: it cannot be told.
        """
        with self._about_a_file():
            try:
                return _listed(name, self._sftp.lstat(self._at(name)))
            except FileNotFoundError:
                return None

    def send(self, name: str, source: BinaryIO) -> Listed:
        """Write a file to its end, in place of what is called so; return how it is then. What is cut short is removed.

        Raises:
            RemoteFileError: it may not be written, or does not fit.
            RemoteError: the connection failed.
        """
        try:
            return self._write(name, source)
        except RemoteFileError:
            with suppress(RemoteError), self._about_a_file():
                self._sftp.remove(self._at(name))
            raise

    def _write(self, name: str, source: BinaryIO) -> Listed:
        size = 0
        with self._about_a_file(missing="the folder is not there"):
            file = self._sftp.open(self._at(name), "wb")
        while blocks := list(islice(iter(lambda: source.read(BLOCK), b""), WINDOW)):
            with self._about_a_file(refused="the server refused to write; its disk may be full"):
                size = self._sftp.write(file.handle, size, blocks)
        with self._about_a_file():
            file.close()
        sent = self.look(name)
        if sent is None or sent.size != size:
            raise RemoteFileError("what came of it there has another size")
        return sent

    def replace(self, name: str, other: str) -> None:
        """Give a file the name of another one, which gives way at that moment; where a server cannot, just before.

        Raises:
            RemoteFileError: it may not have that name.
        """
        old, new = self._at(name), self._at(other)
        with self._about_a_file(refused="the server refused to rename it"):
            try:
                self._sftp.posix_rename(old, new)
            except OSError as error:
                if isinstance(error, TimeoutError) or error.errno is not None:
                    raise
                self._rename_over(old, new)

    def _rename_over(self, old: str, new: str) -> None:
        try:
            self._sftp.rename(old, new)
        except OSError:  # which by the protocol's third version it must not, where there is a file already
            self._sftp.remove(new)
            self._sftp.rename(old, new)

    def delete(self, file: Listed) -> None:
        """Remove a file if it is still what was listed.

        Raises:
            RemoteFileError: it is not, or may not be removed.
        """
        self._check(file)
        with self._about_a_file():
            self._sftp.remove(self._at(file.name))

    def move(self, file: Listed, folder: str) -> None:
        """Move a file into another folder if it is still what was listed; what lies there keeps its place and name.

        Raises:
            RemoteFileError: it is not, or may not be moved.
        """
        self._check(file)
        with self._about_a_file():
            self._sftp.rename(self._at(file.name), self._free_name(file, folder))

    def _free_name(self, file: Listed, folder: str) -> str:
        stem, dot = posixpath.splitext(file.name)
        wanted = self._at(posixpath.join(folder, file.name))
        try:
            self._sftp.lstat(wanted)
        except FileNotFoundError:
            return wanted
        return self._at(posixpath.join(folder, f"{stem}.{file.mtime}{dot}"))

    def _check(self, file: Listed) -> None:
        with self._about_a_file():
            facts = self._sftp.lstat(self._at(file.name))
        if _listed(file.name, facts) != file:
            raise RemoteFileError("it changed while it was fetched")

    def _at(self, name: str) -> str:
        return posixpath.join(self._path, name)

    @contextmanager
    def _about_a_file(
        self, missing: str = "it is no longer there", refused: str = "the server refused"
    ) -> Iterator[None]:
        self._pace.restart()
        with told({}):
            try:
                yield
            except FileNotFoundError:
                raise RemoteFileError(missing) from None
            except PermissionError:
                raise RemoteFileError("the account has no permission") from None
            except OSError as error:
                if isinstance(error, TimeoutError) or error.errno is not None:
                    raise
                raise RemoteFileError(refused) from None


@contextmanager
def told(words: dict[int, str]) -> Iterator[None]:
    """Say in words what failed; `words` are those for an error's number here."""
    try:
        yield
    except ConfigError:
        raise RemoteRefusalError("the key or password cannot be read; see ingestd doctor") from None
    except paramiko.AuthenticationException:
        raise RemoteRefusalError("login refused: the server knows no such account, key or password") from None
    except IncompatiblePeer:
        raise RemoteRefusalError("the server speaks only algorithms that are no longer safe") from None
    except (EOFError, ConnectionError):
        raise RemoteError("the connection was refused or lost") from None
    except TimeoutError:
        raise RemoteError("no answer in time") from None
    except socket.gaierror:
        raise RemoteError("the host has no address") from None
    except (paramiko.SSHException, paramiko.SFTPError, ValueError):
        raise RemoteError("the connection was lost, or what answers is no SFTP server") from None
    except OSError as error:
        code = error.errno or 0
        raise RemoteError(words.get(code, f"failed: {errno.errorcode.get(code, 'refused by the server')}")) from None


def _windows(size: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the parts of a file, offset and length, in lists of those that are asked for together."""
    for start in range(0, size, BLOCK * WINDOW):
        end = min(size, start + BLOCK * WINDOW)
        yield [(offset, min(BLOCK, end - offset)) for offset in range(start, end, BLOCK)]


def _listed(name: str, facts: paramiko.SFTPAttributes) -> Listed | None:
    """Return a regular file whose size and time are told; a server that tells no kind means a file."""
    is_file = facts.st_mode is None or stat.S_ISREG(facts.st_mode)
    if not is_file or facts.st_size is None or facts.st_mtime is None:
        return None
    return Listed(name, facts.st_size, facts.st_mtime)


class Paced:
    """A channel that is given up when it is silent, and when it brings, or takes, less than the least speed."""

    def __init__(self, channel: paramiko.Channel, patience: Patience, clock: Callable[[], float]) -> None:
        self._channel, self._patience, self._clock = channel, patience, clock
        channel.settimeout(patience.stall)
        self.restart()

    def begin(self) -> "Paced":
        """Ask for SFTP."""
        self._channel.invoke_subsystem("sftp")
        return self

    def restart(self) -> None:
        """Count from now: what went before is no merit."""
        self._began, self._passed = self._clock(), 0

    def recv(self, count: int) -> bytes:
        """Receive; raise RemoteError when too little has come since the start."""
        data = self._channel.recv(count)
        self._pass(len(data))
        return data

    def send(self, data: bytes) -> int:
        """Send some of it, and return how much; raise RemoteError when too little has gone since the start."""
        count: int = self._channel.send(data)
        self._pass(count)
        return count

    def _pass(self, count: int) -> None:
        self._passed += count
        allowed = self._patience.stall + self._passed / self._patience.least_speed
        if self._clock() - self._began > allowed:
            raise RemoteError("too slow: fewer bytes a second than least_speed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)
