"""Listens, lets in whom the doorman admits, and ends what is overdue. One thread; each session has paramiko's two."""

import contextlib
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import paramiko
import structlog

from ingestd.core.doorman import Bounds, Doorman
from ingestd.server.accounts import Accounts
from ingestd.server.door import Connection
from ingestd.server.folders import Folders
from ingestd.server.protocol import Sftp
from ingestd.server.view import View

PULSE = 0.5
"""Seconds between two looks at what is overdue."""

WEAK: Mapping[str, tuple[str, ...]] = {
    "ciphers": ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"),
    "macs": ("hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"),
    "kex": ("diffie-hellman-group-exchange-sha256",),
}
"""What paramiko would still offer: CBC, 3DES, SHA-1, MD5, and groups that are chosen while connecting."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long, in seconds, a session may do nothing; the clock by which all is counted."""

    idle: float = 600
    clock: Callable[[], float] = time.monotonic


class Listener:
    """A server on one address. `port` is the one that it listens on, also when any was asked for."""

    def __init__(
        self,
        address: tuple[str, int],
        key: paramiko.PKey,
        accounts: Accounts,
        folders: Mapping[str, Folders],
        bounds: Bounds = Bounds(),
        times: Times = Times(),
    ) -> None:
        self._socket = socket.create_server(
            address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET, backlog=256
        )
        self.port: int = self._socket.getsockname()[1]
        self._key, self._accounts, self._folders, self._times = key, accounts, folders, times
        self.doorman, self.lock = Doorman(bounds), threading.RLock()
        self._connections: dict[int, Connection] = {}
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sftp server", daemon=True)
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Remove what an earlier process left of uploads, and listen."""
        logging.getLogger("ingestd.paramiko").setLevel(logging.CRITICAL + 1)  # strangers would fill our log
        for folders in self._folders.values():
            folders.clear()
        self._thread.start()
        self._log.info("server.listening", port=self.port)

    def stop(self) -> None:
        """Listen no more and end all sessions; uploads under way are given up."""
        self._stopping.set()
        self._thread.join()
        self._socket.close()
        for connection in tuple(self._connections.values()):
            connection.close()
        for connection in tuple(self._connections.values()):
            connection.wait()
        self._log.info("server.stopped")

    def _run(self) -> None:
        self._socket.settimeout(PULSE)
        due = 0.0
        while not self._stopping.is_set():
            self._accept()
            if (now := self._times.clock()) >= due:
                self.look_after(now)
                due = now + PULSE

    def _accept(self) -> None:
        try:
            peer, address = self._socket.accept()
        except TimeoutError:
            return
        except OSError:  # it has gone again; or no descriptor is left, which passes
            self._stopping.wait(0.01)
            return
        number, now = next(self._numbers), self._times.clock()
        with self.lock:
            answer = self.doorman.arrive(number, address[0], now)
        if answer.shown_out is not None:
            self._close(answer.shown_out)
        if answer.is_admitted:
            self._begin(number, peer)
        else:
            peer.close()

    def _begin(self, number: int, peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = Connection(number, self, self._accounts, self._folders, self._times.clock)
        try:
            transport = paramiko.Transport(peer, disabled_algorithms=WEAK)
            transport.set_log_channel("ingestd.paramiko")
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("sftp", Sftp, View, connection)
            connection.transport = transport
            transport.start_server(event=threading.Event(), server=connection)
        except (OSError, EOFError, RuntimeError, paramiko.SSHException):  # it has gone again; no thread is left
            peer.close()
            self._forget(number)
        else:
            self._connections[number] = connection  # not before it is active: another's thread would think it over

    def look_after(self, now: float) -> None:
        """Forget connections that are over, and end those that are overdue or idle."""
        with self.lock:
            late = self.doorman.overdue(now)
        for number in late:
            self._close(number)
        for number, connection in tuple(self._connections.items()):
            if connection.is_over:
                self._forget(number)
            elif now - connection.last_seen > self._times.idle:
                connection.close()

    def _close(self, number: int) -> None:
        if connection := self._connections.get(number):
            connection.close()

    def _forget(self, number: int) -> None:
        with self.lock:
            self.doorman.leave(number, self._times.clock())
        with contextlib.suppress(KeyError):
            del self._connections[number]
