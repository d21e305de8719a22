"""The clients that vendors use, each as a process that uploads one file at a bounded rate, so that it can be hurt."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SEND = Path(__file__).with_name("send.py")
_TRUSTING = "-F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR"


@dataclass(frozen=True, slots=True)
class Door:
    """Where a vendor uploads to: a port of 127.0.0.1, an account, and the file of its private key."""

    port: int
    account: str
    key: Path

    @property
    def options(self) -> list[str]:
        """Return what every program of OpenSSH is told."""
        return [*_TRUSTING.split(), "-o", "UserKnownHostsFile=/dev/null", "-i", str(self.key)]

    @property
    def host(self) -> str:
        """Return account and host in one word."""
        return f"{self.account}@127.0.0.1"


@dataclass(frozen=True, slots=True)
class Task:
    """What to upload, under which name, and how many bytes a second."""

    file: Path
    name: str
    rate: int


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what it reads from its input."""

    words: list[str]
    told: str = ""


def sftp(door: Door, task: Task) -> Command:
    """Return OpenSSH's `sftp`; its limit is in Kbit a second."""
    limit = ["-l", str(task.rate * 8 // 1000)]
    words = ["sftp", "-q", *limit, *door.options, "-P", str(door.port), "-b", "-", door.host]
    return Command(words, f"put {task.file} inbox/{task.name}\n")


def scp(door: Door, task: Task) -> Command:
    """Return OpenSSH's `scp`, which speaks SFTP since 9.0."""
    limit = ["-l", str(task.rate * 8 // 1000)]
    to = f"{door.host}:inbox/{task.name}"
    return Command(["scp", "-q", *limit, *door.options, "-P", str(door.port), str(task.file), to])


def lftp(door: Door, task: Task) -> Command:
    """Return `lftp`, which starts `ssh` for itself; told to wait for an hour before it tries again by itself."""
    script = (
        f"set net:limit-rate 0:{task.rate}; set net:reconnect-interval-base 3600; set cmd:fail-exit yes; "
        f"set sftp:connect-program 'ssh -a -x {' '.join(door.options)}'; "
        f"open -u {door.account}, -p {door.port} sftp://127.0.0.1; put -O inbox {task.file} -o {task.name}"
    )
    return Command(["lftp", "--norc", "-c", script])


def paramiko(door: Door, task: Task) -> Command:
    """Return a Python program of ours that writes piece by piece with paramiko."""
    told = [door.account, door.port, door.key, task.rate, task.file]
    return Command([sys.executable, str(SEND), *map(str, told), f"inbox/{task.name}"])


def filepart(door: Door, task: Task) -> Command:
    """Return the same as WinSCP does it: under the name `….filepart`, renamed at the end."""
    sender = paramiko(door, task)
    return Command([*sender.words, "--filepart"])


CLIENTS: Mapping[str, Callable[[Door, Task], Command]] = {
    "sftp": sftp,
    "scp": scp,
    "lftp": lftp,
    "paramiko": paramiko,
    "filepart": filepart,
}


class Client:
    """A client at work, with what it has started, as one group of processes."""

    def __init__(self, command: Command) -> None:
        self._process = subprocess.Popen(
            command.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin
        with self._process.stdin as stdin:
            stdin.write(command.told.encode())

    def has_ended(self) -> bool:
        """Return whether it is done, well or not."""
        return self._process.poll() is not None

    def end(self, patience: float) -> int:
        """Wait for its end and return the exit code, which is 0 if all went well; kill it when patience ends."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Kill it and return the exit code."""
        self._signal(signal.SIGKILL)
        return self._process.wait()

    def stop(self) -> None:
        """Have it do nothing more, with everything open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on where it was."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
