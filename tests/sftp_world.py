"""The world of the tests of the embedded server: a listener on a free port, an account, and clients of many makes."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko import PKey
from places import wait_until

from ingestd.core.doorman import Bounds
from ingestd.server.accounts import Accounts
from ingestd.server.folders import Folders, Room, folders_of
from ingestd.server.keys import host_key, parse_public_key
from ingestd.server.listener import Listener, Times

FEED = "springfield"
ROOMY = Room(free=1)
DEADLINE = 60.0
"""Seconds after which a client is taken to hang."""


@dataclass(frozen=True)
class Served:
    """A server that runs, and what its clients need."""

    listener: Listener
    folders: Folders
    key: Path
    accounts: Accounts

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self.listener.port

    @contextmanager
    def session(self, name: str = FEED) -> Iterator[paramiko.SFTPClient]:
        """Log in with paramiko."""
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                "127.0.0.1", self.port, name, key_filename=str(self.key), look_for_keys=False, allow_agent=False
            )
            sftp = client.open_sftp()
            yield sftp
            with suppress(EOFError):  # the server may have ended the session before
                sftp.close()

    def openssh(self, program: str, *words: str, batch: str = "") -> subprocess.CompletedProcess[str]:
        """Run `sftp` or `scp`; `HOST` in its words is the server."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "IdentitiesOnly=yes")
        flags = [part for option in options for part in ("-o", option)]
        command = [program, *flags, "-i", str(self.key), "-P", str(self.port)]
        given = [word.replace("HOST", f"{FEED}@127.0.0.1") for word in words]
        return subprocess.run(
            [*command, *given], check=False, input=batch, capture_output=True, text=True, timeout=DEADLINE
        )

    def inbox(self) -> Mapping[str, bytes]:
        """Return what lies in the inbox."""
        return {path.name: path.read_bytes() for path in self.folders.inbox.iterdir()}

    def settles(self) -> None:
        """Wait until no upload is under way."""
        assert wait_until(lambda: not any(self.folders.uploads.iterdir()))


def make_key(path: Path) -> Path:
    """Make a key pair and return the private one's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vendor", "-f", str(path)], check=True)
    return path


@contextmanager
def serving(
    state: Path,
    *,
    room: Room = ROOMY,
    bounds: Bounds = Bounds(),
    times: Times = Times(),
    key: PKey | None = None,
) -> Iterator[Served]:
    """Serve one feed that has one account, by key; `key` is the host's."""
    folders = folders_of(state, FEED, room)
    folders.prepare()
    vendor = make_key(state / "vendor")
    accounts = Accounts(state)
    accounts.add(FEED, FEED, parse_public_key(vendor.with_suffix(".pub").read_text()), None)
    key = key or host_key(state / "server", None)
    listener = Listener(("127.0.0.1", 0), key, accounts, {FEED: folders}, bounds, times)
    listener.start()
    try:
        yield Served(listener, folders, vendor, accounts)
    finally:
        listener.stop()
