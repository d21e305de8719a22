"""Where vendors upload to and ingestd takes from: each of the ways there are, with real servers and a real daemon."""

import json
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from live.clients import Door
from live.openssh import PATIENCE, Sshd, make_key
from live.relay import Relay
from places import Place, command, invoke

QUIET = 2.0
"""The quiet period in seconds: short, so that a client that stalls outlasts it."""


STARTED, LISTENING = "daemon.started", "server.listening"


class Site(Protocol):
    """A place for uploads of several feeds, and the daemon that takes them."""

    place: Place
    daemon: "Daemon"

    def relay(self, feed: str) -> Relay:
        """Return the relay through which the feed's vendor comes."""
        ...

    def door(self, feed: str) -> Door:
        """Return where the feed's vendor comes in: at the relay."""
        ...

    def kill_server(self, feed: str) -> None:
        """Kill the server that the feed's vendor is connected to."""
        ...

    def is_served(self, feed: str) -> bool:
        """Return whether that server is alive."""
        ...

    def restart_server(self, feed: str) -> None:
        """Start it again."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class Daemon:
    """`ingestd run` as a process of its own; its log goes into a file."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._log = where.folder / "log.jsonl"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after a kill, and wait until it is up."""
        before = len(self.events(STARTED))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command(self._where, "run"), stdin=subprocess.DEVNULL, stderr=log)
        self.wait_for(STARTED, before)

    def is_up(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(2 * PATIENCE)
            finally:
                self._process.kill()
                self._process.wait()

    def wait_for(self, event: str, before: int) -> dict[str, Any]:
        """Wait until the log has one more of an event than `before`; return the last."""
        end = time.monotonic() + 2 * PATIENCE
        while len(told := self.events(event)) == before:
            assert time.monotonic() < end and self.is_up(), self._log.read_text()
            time.sleep(0.05)
        return told[-1]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log's whole lines of one event."""
        if not self._log.exists():
            return []
        lines = self._log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, lines) if line["event"] == name]


class _Relayed(ABC):
    """A daemon, and a relay for each feed's vendor."""

    def __init__(self, folder: Path, feeds: Sequence[str]) -> None:
        self.place = Place(folder)
        self.daemon = Daemon(self.place)
        self._relays: dict[str, Relay] = {}
        try:
            self._open(feeds)
        except BaseException:
            self.close()
            raise

    def relay(self, feed: str) -> Relay:
        """Return the relay of the feed's vendor."""
        return self._relays[feed]

    def close(self) -> None:
        """End daemon and relays."""
        self.daemon.stop()
        for relay in self._relays.values():
            relay.close()

    @abstractmethod
    def _open(self, feeds: Sequence[str]) -> None:
        """Configure all, and start it."""


class BehindOpenSsh(_Relayed):
    """For each feed an sshd of its own with README's recipe, so that each can be killed; `source` says how to take."""

    def __init__(self, source: Callable[[Sshd], str], folder: Path, feeds: Sequence[str]) -> None:
        self._source = source
        self._servers: dict[str, Sshd] = {}
        super().__init__(folder, feeds)

    def door(self, feed: str) -> Door:
        """Return the recipe's account, at the relay."""
        return replace(self._servers[feed].door, port=self._relays[feed].port)

    def kill_server(self, feed: str) -> None:
        """Kill the feed's sshd and what serves its sessions."""
        self._servers[feed].kill()

    def is_served(self, feed: str) -> bool:
        """Return whether the feed's sshd is alive."""
        return self._servers[feed].is_up()

    def restart_server(self, feed: str) -> None:
        """Start the feed's sshd again."""
        self._servers[feed].start()

    def close(self) -> None:
        """End daemon, relays and servers."""
        super().close()
        for server in self._servers.values():
            server.close()

    def _open(self, feeds: Sequence[str]) -> None:
        (self.place.folder / "feeds").mkdir(parents=True)
        self.place.config.write_text("parallel_runs = 4\n")
        key = make_key(self.place.folder / "vendor")
        for feed in feeds:
            server = self._servers[feed] = Sshd(self.place.state, feed, key)
            self._relays[feed] = Relay(server.port)
            (self.place.folder / "feeds" / f"{feed}.toml").write_text(f'rescan = "2s"\n{self._source(server)}')
        self.daemon.start()


class Embedded(_Relayed):
    """The embedded server with an account for each feed; it dies with the daemon, which then dies for all of them."""

    def door(self, feed: str) -> Door:
        """Return the feed's account, at its relay."""
        return Door(self._relays[feed].port, feed, self.place.folder / "vendor")

    def kill_server(self, feed: str) -> None:
        """Kill the daemon, if it is not dead already."""
        self.daemon.kill()

    def is_served(self, feed: str) -> bool:
        """Return whether the daemon is alive."""
        return self.daemon.is_up()

    def restart_server(self, feed: str) -> None:
        """Start the daemon, if it is dead, and lead all vendors to its new port."""
        if not self.daemon.is_up():
            self._start()

    def _open(self, feeds: Sequence[str]) -> None:
        (self.place.folder / "feeds").mkdir(parents=True)
        self.place.config.write_text('parallel_runs = 4\n[server]\nlisten = "127.0.0.1:0"\nunknown_per_source = 60\n')
        key = make_key(self.place.folder / "vendor")
        for feed in feeds:
            (self.place.folder / "feeds" / f"{feed}.toml").write_text('rescan = "2s"\n')
            self._relays[feed] = Relay(0)
        for feed in feeds:
            invoke(self.place, "account", "add", feed, "--key", f"{key}.pub")
        self._start()

    def _start(self) -> None:
        before = len(self.daemon.events(LISTENING))
        self.daemon.start()
        port = self.daemon.wait_for(LISTENING, before)["port"]
        for relay in self._relays.values():
            relay.target = port


def from_folder(server: Sshd) -> str:
    """Return the recipe's own source, with a short quiet period."""
    return f'{server.source}quiet_period = "{QUIET:g}s"\n'


def by_polling(server: Sshd) -> str:
    """Return a source that fetches from the server as the vendor himself, and looks every five seconds."""
    known_hosts = server.folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key}")
    return f"""[[sources]]
kind = "sftp"
host = "127.0.0.1"
port = {server.port}
user = "{server.door.account}"
key = "file:{server.door.key}"
known_hosts = "{known_hosts}"
path = "/inbox"
every = "5s"
settle = "{QUIET:g}s"
"""


SITES: Mapping[str, Callable[[Path, Sequence[str]], Site]] = {
    "folder": partial(BehindOpenSsh, from_folder),
    "embedded": Embedded,
    "remote": partial(BehindOpenSsh, by_polling),
}
"""Every way in, by its name in the table."""
