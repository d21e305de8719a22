"""A real sshd with the very configuration of README's recipe, in which only paths, accounts and the port are others."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from live.clients import Door

README = Path(__file__).parents[2] / "README.md"
SSHD = "/usr/sbin/sshd"
VENDOR, VENDORS, DAEMON = "nobody", "nogroup", "daemon"
"""Accounts and a group that every Linux has, for those of the recipe: nothing is added to the machine."""
PATIENCE = 20.0

_AROUND = "ListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nSubsystem sftp internal-sftp\n"
"""What the recipe leaves to the machine's own configuration."""


def block(kind: str) -> str:
    """Return a block of README's section on OpenSSH."""
    section = README.read_text(encoding="utf-8").partition("### Behind OpenSSH\n")[2].partition("\n### ")[0]
    found = re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    assert len(found) == 1, f"README has one block of {kind} behind OpenSSH"
    return str(found[0])


def make_key(path: Path) -> Path:
    """Make a key pair; return the private key's file."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


class Sshd:
    """A vendor's account behind OpenSSH, in a folder of its own below /srv: sshd wants only root's folders above it.

    Made by the recipe's own lines. `state` is the folder that the recipe calls /var/lib/ingestd, by default one beside.
    """

    def __init__(self, state: Path | None, feed: str, key: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ingestd-live-", dir="/srv"))
        self.folder.chmod(0o755)
        self.state = state or self.folder / "state"
        self._feed, self._key = feed, key
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def home(self) -> Path:
        """Return the folder that the vendor sees as `/`."""
        return self.folder / "sftp" / VENDOR

    @property
    def door(self) -> Door:
        """Return where and as whom the vendor comes in."""
        return Door(self.port, VENDOR, self._key)

    @property
    def host_key(self) -> str:
        """Return the public key of the host as `known_hosts` has it."""
        return (self.folder / "host.pub").read_text()

    @property
    def source(self) -> str:
        """Return the recipe's source for the feed's file."""
        return self._localise(block("toml"))

    def start(self) -> None:
        """Start it, again after a kill, and wait until it listens."""
        words = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)

    def is_up(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it with SIGKILL, and whatever serves a session."""
        if self._process:
            pids = [self._process.pid, *descendants(self._process.pid)]
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder)

    def _prepare(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it; where systemd does not run, nobody makes it
        make_key(self.folder / "host")
        config = f"{_AROUND}Port {self.port}\nHostKey {self.folder}/host\n{self._localise(block('sshd_config'))}"
        (self.folder / "sshd_config").write_text(config)
        lines = [line for line in self._localise(block("sh")).splitlines() if line.startswith(("install", "ln"))]
        subprocess.run(["/bin/sh", "-euc", "\n".join(lines)], check=True, stdin=subprocess.DEVNULL)

    def _localise(self, text: str) -> str:
        """Put this machine's names in the place of the recipe's."""
        names = {
            "springfield.pub": f"{self._key}.pub",
            "/var/lib/ingestd/results/springfield": f"{self.state}/results/{self._feed}",
            "/var/lib/ingestd": str(self.state),
            "/srv/sftp": f"{self.folder}/sftp",
            "/etc/ssh/vendors": f"{self.folder}/vendors",
            "Match Group vendors": f"Match Group {VENDORS}",
            "-g springfield": f"-g {VENDORS}",
            "-o ingestd": f"-o {DAEMON}",
            "-g ingestd": f"-g {DAEMON}",
            "springfield": VENDOR,
        }
        pattern = "|".join(map(re.escape, names))
        return re.sub(pattern, lambda found: names[found[0]], text)


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    with suppress(FileNotFoundError):
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [*children, *(one for child in children for one in descendants(child))]
    return []


def _free_port() -> int:
    """Return a port that was free just now: sshd cannot say which one the kernel gave it."""
    with socket.create_server(("127.0.0.1", 0)) as ear:
        return int(ear.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
