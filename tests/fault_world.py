"""Real `ingestd` processes that die or meet a broken disk at a chosen system call, made fast.

A server process imports everything once and forks: each child is a whole `ingestd` from its command line on, and
spares the second that importing takes. strace attaches to a child before it begins, and injects the fault.
Run as a script, this file is that server.
"""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import builders
import places

from ingestd.cli import main

DATA_CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "mkdir",
    "rmdir",
    "unlink",
    "unlinkat",
    "chmod",
    "fchmod",
)
"""The system calls that change what is on the disk."""
LIFETIME = 120
"""Seconds after which a child that hangs is ended, so that its test fails and does not hang too."""
UNTOLD = 70
"""What a child ends with when an exception goes through all of ingestd."""
STRACE = shutil.which("strace")
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th call of a kind within a thread, counted from 1."""

    call: str
    number: int


@dataclass(slots=True)
class Child:
    """A forked process; `status` is None until it has ended, then as subprocess has it: negative for a signal."""

    pid: int
    server: "Server"

    def wait(self) -> int:
        """Wait for its end, and return its exit code, or the signal that killed it as a negative number."""
        return int(self.server.hear()["status"])


class Server:
    """The process that forks; one child at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.hear()

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def hear(self) -> dict[str, Any]:
        """Return what the server says next."""
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def start(self, log: Path, *args: str | Path, waits: bool = False) -> Child:
        """Fork an `ingestd` with these arguments; with `waits` it begins when the server is told to let it go."""
        self._say(args=[str(one) for one in args], log=str(log), waits=waits)
        return Child(int(self.hear()["pid"]), self)

    def _say(self, **words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def run(self, log: Path, *args: str | Path) -> int:
        """Run an `ingestd` to its end; return its exit code."""
        return self.start(log, *args).wait()

    def trace(self, log: Path, options: Sequence[str], *args: str | Path) -> int:
        """Run an `ingestd` under strace; return its exit code."""
        child = self.start(log, *args, waits=True)
        assert STRACE is not None
        words = [STRACE, "-f", "-p", str(child.pid), *options]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            self._say(go=True)
            status = child.wait()
            tracer.stderr.read()
        assert "attached" in said, f"strace could not attach: {said}"
        return status


def points(trace: Path, folder: Path) -> list[Point]:
    """Return the calls in a trace (made with `-f -y`) that concern files below `folder`, in their order."""
    counts: Counter[tuple[str, str]] = Counter()
    found: list[Point] = []
    for line in trace.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match:
            counts[match[1], match[2]] += 1
            if str(folder) in match[3]:
                found.append(Point(match[2], counts[match[1], match[2]]))
    return found


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server for the block."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


# The server itself ------------------------------------------------------------------------------------------------


def _serve() -> None:
    _warm_up()
    _say(ready=True)
    for line in sys.stdin:
        words = json.loads(line)
        gate, key = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_ingestd(words, gate)
        _say(pid=pid)
        if words["waits"]:
            sys.stdin.readline()
        os.write(key, b"!")
        _say(status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.close(gate)
        os.close(key)


def _warm_up() -> None:
    """Have everything imported that is imported when it is first needed: by taking a drop in a place of its own."""
    with tempfile.TemporaryDirectory() as folder:
        where = places.place(Path(folder))
        places.once(where, builders.zip_of(builders.roster(1)))
    for name in ("ingestd.sinks.sql", "sqlalchemy.dialects.postgresql.psycopg", "psycopg"):
        importlib.import_module(name)


def _be_ingestd(words: dict[str, Any], gate: int) -> None:
    signal.alarm(LIFETIME)
    log = os.open(words["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.read(gate, 1)
    code = UNTOLD
    try:
        main(words["args"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else UNTOLD
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    _serve()
