"""A folder on an SFTP server, once logged in: look, read, move, remove. No call waits for ever.

Law: what a server says is looked at before it is believed, silence has its time, and data has a least speed. Measured
(reliability 2.4): without a channel timeout a stalled server hangs paramiko for good; its keepalive does not help, and
its own limit of requests under way makes it slow and holds the whole file in memory.
"""

import errno
import posixpath
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR
from paramiko.ssh_exception import IncompatiblePeer

from ingestd.core.fetching import Listed
from ingestd.errors import ConfigError, IngestdError

BLOCK, WINDOW = 32 << 10, 64
"""Bytes per request, and requests under way: 39 MiB/s at 43 MiB of memory (reliability 2.4)."""

MOST_FILES = 10_000
"""Names in one listing; a folder with more is one that nobody ever clears."""


class RemoteError(IngestdError):
    """The server, or the way to it, is out of order. `problem` says what in words free of data."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


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

    def __init__(self, sftp: "Sftp", pace: "Paced", path: str) -> None:
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
                blocks = list(source.readv(window))
            if [len(block) for block in blocks] != [count for _, count in window]:
                raise RemoteFileError("it changed while it was fetched")
            into.writelines(blocks)
        with self._about_a_file():
            source.close()
        self._check(file)

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
    def _about_a_file(self) -> Iterator[None]:
        self._pace.restart()
        with told({}):
            try:
                yield
            except FileNotFoundError:
                raise RemoteFileError("it is no longer there") from None
            except PermissionError:
                raise RemoteFileError("the account has no permission") from None
            except OSError as error:
                if isinstance(error, TimeoutError) or error.errno is not None:
                    raise
                raise RemoteFileError("the server refused") from None


@contextmanager
def told(words: dict[int, str]) -> Iterator[None]:
    """Say in words what failed; `words` are those for an error's number here."""
    try:
        yield
    except ConfigError:
        raise RemoteError("the key or password cannot be read; see ingestd doctor") from None
    except paramiko.AuthenticationException:
        raise RemoteError("login refused: the server knows no such account, key or password") from None
    except IncompatiblePeer:
        raise RemoteError("the server speaks only algorithms that are no longer safe") from None
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
    """A channel that is given up when it is silent, and when it brings less than the least speed."""

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
        self._began, self._received = self._clock(), 0

    def recv(self, count: int) -> bytes:
        """Receive; raise RemoteError when too little has come since the start."""
        data = self._channel.recv(count)
        self._received += len(data)
        allowed = self._patience.stall + self._received / self._patience.least_speed
        if self._clock() - self._began > allowed:
            raise RemoteError("too slow: fewer bytes a second than least_speed")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


class Sftp(paramiko.SFTPClient):
    """paramiko's client, and a listing in which one name that is not UTF-8 does not cost all the others."""

    _request: Callable[..., tuple[int, paramiko.Message]]

    def entries(self, path: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
        """Yield names and attributes; bytes that are not UTF-8 are surrogates, which no drop's name has."""
        kind, answer = self._request(CMD_OPENDIR, path)
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("expected a handle")
        handle = answer.get_string()
        try:
            while True:
                kind, answer = self._request(CMD_READDIR, handle)
                if kind != CMD_NAME:
                    raise paramiko.SFTPError("expected names")
                for _ in range(answer.get_int()):
                    name = answer.get_string().decode("utf-8", "surrogateescape")
                    answer.get_string()  # the line as `ls -l` shows it
                    facts = paramiko.SFTPAttributes._from_msg(answer)  # type: ignore[attr-defined]  # noqa: SLF001
                    if name not in {".", ".."}:
                        yield name, facts
        except EOFError:
            self._request(CMD_CLOSE, handle)
