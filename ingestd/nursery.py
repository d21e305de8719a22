"""The process from which workers are forked: it has one thread, and so a fork of it is whole, however many we have.

It is forked off itself while this process has one thread, which takes some milliseconds and shares its memory; else
it is started anew, which takes a second. It holds no file, lock, store or connection that is open here. It ends when
this process does, and its workers with it.
"""

import errno
import faulthandler
import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ingestd.confine import end_with_parent

Ready = Callable[[], None]
"""What a nursery does before it forks the first worker, so that none of them has to. It must start no thread."""
Work = Callable[[socket.socket], None]
"""What a worker does with the channel to whoever asked for it, before it ends."""

_SPAWN = 0
_REQUEST = struct.Struct("<q")
"""`_SPAWN`, with a channel; or the process that is to end, as a negative number where nobody waits for a reply."""
_REPLY = struct.Struct("<qq")
"""Of `_SPAWN` the process, and the number of the error if it is 0; of an end nothing, and the exit code."""


class Nursery:
    """The nursery as this process sees it; safe for several threads.

    Args:
        work: what workers do.
        ready: what the nursery does at its beginning, if it is forked off.
        command: Python that becomes a nursery of such workers; `sys.argv[1]` is the descriptor of its channel.
    """

    def __init__(self, work: Work, ready: Ready, command: str) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = ours
        self._process: subprocess.Popen[bytes] | None = None
        with theirs:
            if threading.active_count() == 1:
                self._pid = _fork_off(theirs, work, ready)
            else:
                words = [sys.executable, "-c", command, str(theirs.fileno()), *sys.path]
                self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
                self._pid = self._process.pid

    def spawn(self, channel: socket.socket) -> int:
        """Fork a worker with that channel; return its process id, which is its own until `end` or `dismiss`.

        Raises:
            OSError: the nursery is gone, or cannot fork.
        """
        with self._lock:
            socket.send_fds(self._channel, [_REQUEST.pack(_SPAWN)], [channel.fileno()])
            pid, code = self._hear()
        if not pid:
            raise OSError(code, os.strerror(code))
        return pid

    def end(self, pid: int) -> int:
        """Kill a worker unless it has ended; return its exit code, or the signal that ended it as a negative number.

        Raises:
            OSError: the nursery is gone, and so is the worker.
        """
        with self._lock:
            self._channel.send(_REQUEST.pack(pid))
            return self._hear()[1]

    def dismiss(self, pid: int) -> None:
        """Have a worker ended that is not needed any more. It takes its time to give its memory back: nobody waits."""
        with self._lock, suppress(OSError):  # the nursery is gone, and so is the worker
            self._channel.send(_REQUEST.pack(-pid))

    def close(self) -> None:
        """End the nursery and its workers."""
        self.forget()
        if self._process is not None:
            self._process.wait()
        else:
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)

    def forget(self) -> None:
        """Let go of the channel alone: in a child of this process, to whom the nursery does not belong."""
        self._channel.close()

    def _hear(self) -> tuple[int, int]:
        reply = self._channel.recv(_REPLY.size)
        if not reply:
            raise ConnectionResetError("the nursery is gone")
        first, second = _REPLY.unpack(reply)
        return first, second


def _fork_off(channel: socket.socket, work: Work, ready: Ready) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that are not Python's: idle, and made for forks
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        serve(channel.fileno(), work, ready)
        status = 0
    finally:
        os._exit(status)


def serve(descriptor: int, work: Work, ready: Ready) -> None:
    """Be a nursery: fork workers, and end those that are named, until the other side of the channel is closed."""
    _let_go(descriptor)
    ready()
    with socket.socket(fileno=descriptor) as channel:
        while True:
            request, descriptors, _, _ = socket.recv_fds(channel, _REQUEST.size, 1)
            if not request:
                return
            (pid,) = _REQUEST.unpack(request)
            if pid == _SPAWN:
                channel.send(_REPLY.pack(*_spawn(descriptors[0], work)))
            elif pid > 0:
                channel.send(_REPLY.pack(0, _end(pid)))
            else:
                _end(-pid)


def _let_go(kept: int) -> None:
    """Let go of what was open in the process that we were, and leave signals to it.

    A crash says nothing, and what that process held is not collected as garbage any more.
    """
    gc.freeze()
    faulthandler.disable()
    _empty_all_but(kept)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _empty_all_but(kept: int) -> None:
    """Have all descriptors lead nowhere. None is closed: libraries look to their own at a fork, by their number."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor not in {kept, nothing}:
            os.dup2(nothing, descriptor, inheritable=False)


def _spawn(descriptor: int, work: Work) -> tuple[int, int]:
    ours = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(descriptor)
        return 0, error.errno or errno.EAGAIN
    if not pid:
        _be_worker(descriptor, ours, work)
    os.close(descriptor)
    return pid, 0


def _be_worker(descriptor: int, nursery: int, work: Work) -> None:
    status = 1
    try:
        end_with_parent()
        if os.getppid() == nursery:  # it did not end before that was asked for
            _empty_all_but(descriptor)
            work(socket.socket(fileno=descriptor))
            status = 0
    finally:
        os._exit(status)


def _end(pid: int) -> int:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
