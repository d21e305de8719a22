"""Servers to fetch from: OpenSSH's own, and one of paramiko that does what the test says at any step."""

import os
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from intake_world import PATIENCE
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK

from ingestd.sources.remote_client import Account
from ingestd.sources.remote_folder import Patience
from ingestd.sources.remote_spool import Spool
from ingestd.sources.remote_visits import Terms, Visits

if TYPE_CHECKING:
    from typing_extensions import Buffer

SSHD = "/usr/sbin/sshd"
QUICK = Patience(connect=2, stall=0.5, least_speed=1 << 20)
"""Patience for tests in which a server has none to ask for."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one server and one account, as files."""

    host: Path
    user: Path

    @classmethod
    def make(cls, folder: Path) -> "Keys":
        """Make them; Ed25519, by OpenSSH."""
        keys = cls(folder / "host_key", folder / "user_key")
        for path in (keys.host, keys.user):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return keys

    @property
    def fingerprint(self) -> str:
        """Return the host key's fingerprint, as OpenSSH tells it."""
        told = subprocess.run(["ssh-keygen", "-l", "-f", str(self.host)], check=True, capture_output=True, text=True)
        return told.stdout.split()[1]

    def account(self, port: int, **instead: object) -> Account:
        """Return the account at a server on this machine."""
        about = {"key": f"file:{self.user}", "fingerprints": (self.fingerprint,), **instead}
        return Account("127.0.0.1", port, "root", **about)  # type: ignore[arg-type]


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept on a free port of this machine, `serve` each connection in a thread of its own; give the port."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.1)
        is_open = threading.Event()
        is_open.set()

        def accept() -> None:
            while is_open.is_set():
                with suppress(TimeoutError):
                    line, _ = door.accept()
                    line.settimeout(None)
                    threading.Thread(target=serve, args=(line,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            is_open.clear()
            thread.join(PATIENCE)  # then nothing is being started any more
            wait_for_threads(before)


def wait_for_threads(before: set[threading.Thread]) -> None:
    """Wait for every thread that came since, so that none is at work in the next test."""
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} does not end"


@contextmanager
def openssh(keys: Keys, folder: Path, *, largest: int | None = None) -> Iterator[int]:
    """Run OpenSSH's server with its internal-sftp, one process a connection as inetd would; give the port.

    `largest`: no file grows beyond so many bytes, as on a disk that is full.
    """
    Path("/run/sshd").mkdir(exist_ok=True)
    config = folder / "sshd_config"
    config.write_text(
        f"HostKey {keys.host}\nAuthorizedKeysFile {keys.user}.pub\nStrictModes no\nUsePAM no\nPidFile none\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )

    def serve(line: socket.socket) -> None:
        with line:
            limit = [] if largest is None else ["prlimit", f"--fsize={largest}"]
            subprocess.run(
                [*limit, SSHD, "-i", "-f", str(config)],
                check=False,
                stdin=line.fileno(),
                stdout=line.fileno(),
                stderr=subprocess.DEVNULL,
                restore_signals=False,
            )  # fmt: skip - SIGXFSZ stays ignored, so that a write beyond the limit fails and kills nobody

    with listening(serve) as port:
        yield port


@contextmanager
def cutting(port: int, *, sent: int | None = None, answered: int | None = None) -> Iterator[int]:
    """Pass connections on to a port, and cut each when so many bytes went there, or came back; give the port."""

    def carry(source: socket.socket, to: socket.socket, most: int | None) -> None:
        left = most
        with suppress(OSError):
            while data := source.recv(1 << 16 if left is None else min(1 << 16, left + 1)):
                if left is not None:
                    data, left = data[:left], left - len(data)
                to.sendall(data)
                if left is not None and left < 0:
                    break
        for line in (source, to):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def serve(line: socket.socket) -> None:
        with line, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=carry, args=(server, line, answered), daemon=True)
            back.start()
            carry(line, server, sent)
            back.join(PATIENCE)

    with listening(serve) as found:
        yield found


@dataclass
class Scripted:
    """A server of one folder in memory: name to content and time. Each `on_…` comes before the answer."""

    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    password: str = "right"
    on_login: Callable[[], None] = lambda: None
    on_subsystem: Callable[[], object] = lambda: None
    on_list: Callable[[], None] = lambda: None
    on_read: Callable[[int], object] = lambda _offset: None
    on_remove: Callable[[], None] = lambda: None
    extra: list[paramiko.SFTPAttributes] = field(default_factory=list)
    logins: int = 0
    reads: int = 0
    lines: list[socket.socket] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Reset every connection."""
        for line in self.lines:
            with suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.shutdown(socket.SHUT_RDWR)
                line.close()

    @contextmanager
    def serving(self, keys: Keys) -> Iterator[int]:
        """Serve on a free port of this machine."""
        transports: list[paramiko.Transport] = []

        def serve(line: socket.socket) -> None:
            self.lines.append(line)
            transport = paramiko.Transport(line)
            transports.append(transport)
            transport.set_log_channel("paramiko.fetching")
            transport.add_server_key(paramiko.Ed25519Key.from_private_key(StringIO(keys.host.read_text())))
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, self)
            with suppress(EOFError, paramiko.SSHException, OSError):
                transport.start_server(server=_Door(self))

        with listening(serve) as port:
            try:
                yield port
            finally:
                self.ended.set()
                for transport in transports:
                    transport.close()


def facts_of(name: str, size: int | None, mtime: int, mode: int = stat.S_IFREG | 0o644) -> paramiko.SFTPAttributes:
    """Return a line of a listing."""
    facts = paramiko.SFTPAttributes()
    facts.filename, facts.st_size, facts.st_mtime, facts.st_atime, facts.st_mode = name, size, mtime, mtime, mode
    return facts


class _Door(paramiko.ServerInterface):
    def __init__(self, script: Scripted) -> None:
        self._script = script

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self._script.logins += 1
        self._script.on_login()
        return AUTH_SUCCESSFUL if password == self._script.password else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._script.logins += 1
        self._script.on_login()
        return AUTH_SUCCESSFUL

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        self._script.on_subsystem()
        return super().check_channel_subsystem_request(channel, name)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _Folder(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, script: Scripted) -> None:
        super().__init__(server)
        self._script = script

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        self._script.on_list()
        files = [facts_of(name, len(content), mtime) for name, (content, mtime) in self._script.files.items()]
        return files + self._script.extra

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        found = self._script.files.get(path.rpartition("/")[2])
        return facts_of(path, len(found[0]), found[1]) if found else SFTP_NO_SUCH_FILE

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        name = path.rpartition("/")[2]
        if flags & os.O_CREAT:
            self._script.files[name] = (b"", 1)
        found = self._script.files.get(name)
        return _Handle(self._script, found[0], name) if found else SFTP_NO_SUCH_FILE

    def rename(self, oldpath: str, newpath: str) -> int:
        old, new = (path.rpartition("/")[2] for path in (oldpath, newpath))
        if new in self._script.files:
            return SFTP_FAILURE  # as the protocol has it
        self._script.files[new] = self._script.files.pop(old)
        return SFTP_OK

    def remove(self, path: str) -> int:
        self._script.on_remove()
        self._script.files.pop(path.rpartition("/")[2], None)
        return SFTP_OK


class _Handle(paramiko.SFTPHandle):
    def __init__(self, script: Scripted, content: bytes, name: str) -> None:
        super().__init__()
        self._script, self._content, self._name = script, content, name

    def read(self, offset: int, length: int) -> bytes | int:
        self._script.reads += 1
        self._script.on_read(offset)
        return self._content[offset : offset + length]

    def write(self, offset: int, data: "Buffer") -> int:
        kept, mtime = self._script.files[self._name]
        self._script.files[self._name] = (kept[:offset] + bytes(data) + kept[offset + len(bytes(data)) :], mtime)
        return SFTP_OK


def terms(path: Path | str, **about: object) -> Terms:
    """Return terms without rest, with quick patience."""
    return Terms(str(path), **{"settle": 0, "every": 10, "patience": QUICK, **about})  # type: ignore[arg-type]


def lay(folder: Path, name: str, content: bytes, mtime: int = 1_700_000_000) -> Path:
    """Put a file with a time into a folder."""
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))
    return path


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


class World:
    """One source's visits, and what they brought."""

    def __init__(
        self, account: Account, about: Terms, folder: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spool = Spool(folder / "fetched" / "feed" / "place")
        self.visits = Visits(account, about, self.spool, clock=clock, chance=lambda: 0.5)
        self.rings = 0

    def visit(self) -> float:
        """Visit once."""

        def ring() -> None:
            self.rings += 1

        return self.visits.visit(ring)

    @property
    def drops(self) -> dict[str, bytes]:
        """Return what was fetched and not claimed."""
        return {path.name: path.read_bytes() for path in self.spool.drops.iterdir()}

    def claim(self) -> None:
        """Take the drops away, as a claim does."""
        for path in self.spool.drops.iterdir():
            path.unlink()
