"""Has a function run in a process that can do no harm, and that may die of what it reads without harm to this one.

Law: a reader that takes more than it may, or crashes, is a finding of the drop; one that is ended from outside is a
fault of the world; and a fault of ours comes back without its words, for they may hold values.
"""

import ctypes
import errno
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack

import pyarrow as pa

from ingestd import wire
from ingestd.confine import Confined, Limits, confine, room
from ingestd.core.findings import batch
from ingestd.errors import IngestdError, StoppingError, UnforeseenError, WorkerError
from ingestd.feedloop import describe
from ingestd.nursery import Nursery, Ready, serve
from ingestd.stages import Stages
from ingestd.zipends import PackageFault

_Value = TypeVar("_Value")
_Given = TypeVarTuple("_Given")

PULSE = 0.2
"""Seconds between two questions whether to stop."""
PATIENCE = 20
"""How many times longer than its seconds of processor time a worker may take by the clock, on a busy machine."""
THREADS = 4
"""Threads in which a worker computes at most: each of them takes up to 72 MiB of address space for itself."""
RESERVED = 1 << 30
"""Bytes that Arrow reserves at its first allocation, and that a worker may fill beside what it is allowed."""
TIGHT = 64 << 20
"""Bytes of address space: a process that had less left cannot start a thread, say, and libraries have many words for
what befalls them then. So whatever they raise is taken for a lack of memory."""
OUT_OF_MEMORY = 127
"""The exit code with which the C library ends a process that has no memory for its own needs, and we do so too."""
_COMMAND = "import sys; sys.path[:] = sys.argv[2:]; from ingestd import reading; reading.be_nursery(int(sys.argv[1]))"
"""What a nursery that is started anew runs, with all imported that its workers need."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})


def reserve() -> None:
    """Bound Arrow's threads, have it reserve its first GiB of address space, and keep memory that is freed.

    What is reserved by now counts as there already. Pieces of a stream that are given back to the kernel and wanted
    again cost half of what inflating them does.
    """
    pa.set_cpu_count(min(THREADS, pa.cpu_count()))
    pa.array([0])
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # the GNU C library's
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 30)


@dataclass(frozen=True, slots=True)
class Returned(Generic[_Value]):
    """What a function returned, the most memory that it took, in bytes, and how that was confined."""

    value: _Value
    peak: int
    confined: Confined


def run(
    function: Callable[[Stages, Unpack[_Given]], _Value],
    *args: *_Given,
    limits: Limits,
    stages: Stages,
) -> Returned[_Value]:
    """Run a function of a module in a confined process of its own.

    Args:
        function: takes stages, by which it tells how far it is, and `args`.
        *args: are pickled, and so is what the function returns: values of `core`, frames and arrays.
        limits: how far it may go.
        stages: are told, and say whether to stop.

    Raises:
        StoppingError: asked to stop; the process was killed.
        PackageFault: it took more than it may, or crashed.
        IngestdError: as the function raises it.
        OSError: as the function raises it, without the name of a file.
        WorkerError: it was killed from outside, it could not be started, or it came to no end.
        UnforeseenError: any other exception of the function.
    """
    channel, nursery, pid = _spawn()
    with channel:
        try:
            answer = _converse(channel, (function, args, limits), limits, stages)
        except (EOFError, BrokenPipeError):
            raise _death(_end(nursery, pid), limits) from None
        except BaseException:
            _end(nursery, pid)
            raise
    nursery.dismiss(pid)
    stages.add(answer.seconds, answer.peak)
    if answer.kind is not Kind.VALUE:
        raise _raised(answer, limits)
    return Returned(answer.content, answer.peak, answer.confined)


def start(ready: Ready = reserve) -> None:
    """Have workers forked off this process as it is now, unless they are already.

    Call it before there are threads, for then it costs little. `ready` does once what every worker would have to do.
    """
    _present(ready)


def be_nursery(descriptor: int, ready: Ready) -> None:
    """Be the process from which workers are forked, started anew."""
    serve(descriptor, _work, ready)


# This side ----------------------------------------------------------------------------------------------------------

_lock = Lock()
_nursery: Nursery | None = None


class Kind(StrEnum):
    """What the content of an answer is."""

    VALUE = "value"
    RAISED = "raised"
    """An exception of ours."""
    MEMORY = "memory"
    WORLD = "world"
    """The number of an error of the operating system."""
    FAULT = "fault"
    """The class of an exception, and where it arose."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The last that a worker sends: what came of the function, and what it took.

    `seconds` are those of each stage, `peak` is the most memory that it took, in bytes.
    """

    kind: Kind
    content: Any
    seconds: Mapping[str, float]
    peak: int
    confined: Confined


def _spawn() -> tuple[socket.socket, Nursery, int]:
    for _ in range(2):
        nursery = _present(reserve)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return ours, nursery, nursery.spawn(theirs)
            except OSError as error:
                ours.close()
                if not isinstance(error, ConnectionError):
                    break
                _lose(nursery)
    raise WorkerError("no process could be started to read the drop in")


def _present(ready: Ready) -> Nursery:
    global _nursery  # noqa: PLW0603
    with _lock:
        if _nursery is None:
            _nursery = Nursery(_work, ready, _COMMAND)
        return _nursery


def _lose(nursery: Nursery) -> None:
    """Give up a nursery that is gone, so that there is another one next time."""
    global _nursery  # noqa: PLW0603
    with _lock:
        if _nursery is nursery:
            _nursery = None
            nursery.close()


def _forget() -> None:
    """Leave the nursery to the process that we were forked from."""
    global _lock, _nursery
    if _nursery is not None:
        _nursery.forget()
    _lock, _nursery = Lock(), None


os.register_at_fork(after_in_child=_forget)


def _converse(channel: socket.socket, request: object, limits: Limits, stages: Stages) -> Answer:
    """Ask, pass on how far it is, and return the answer."""
    deadline = stages.clock() + PATIENCE * limits.seconds

    def tick() -> None:
        if stages.stop():
            raise StoppingError("asked to stop while the drop was read")
        if stages.clock() > deadline:
            raise WorkerError(f"the process that reads drops came to no end within {PATIENCE * limits.seconds} s")

    channel.settimeout(PULSE)
    wire.send(channel, wire.encode(request))
    while True:
        match wire.receive(channel, limits.memory + RESERVED, tick):
            case ("stage", str(name), str(detail)):
                stages.show.stage(name, detail)
            case ("advance", int(done), int(total)):
                stages.show.advance(done, total)
            case Answer() as answer:
                return answer


def _end(nursery: Nursery, pid: int) -> int:
    try:
        return nursery.end(pid)
    except OSError:
        return -signal.SIGKILL  # with its nursery


def _death(status: int, limits: Limits) -> IngestdError:
    """Return what it means that a worker ended without an answer."""
    if status == OUT_OF_MEMORY:
        return _out_of_memory(limits)
    if status == -signal.SIGXCPU:
        return _stopped(f"it took more than {limits.seconds} s of processor time")
    if -status in _CRASHES:
        return _stopped(f"its reader crashed ({signal.Signals(-status).name})")
    how = f"signal {-status}" if status < 0 else f"exit code {status}"
    return WorkerError(f"the process that reads drops was ended, with {how}")


def _raised(answer: Answer, limits: Limits) -> Exception:
    match answer.kind, answer.content:
        case Kind.RAISED, IngestdError() as error:
            return error
        case Kind.MEMORY, _:
            return _out_of_memory(limits)
        case Kind.WORLD, int(number):
            return OSError(number, os.strerror(number))
        case Kind.FAULT, (str(kind), tuple(at)):
            return UnforeseenError(kind, at)
    return WorkerError("a worker process sent what is no answer")


def _out_of_memory(limits: Limits) -> PackageFault:
    return _stopped(f"it took more memory than the {limits.memory >> 20} MiB allowed")


def _stopped(detail: str) -> PackageFault:
    return PackageFault(batch("reader-stopped", detail=detail))


# The worker's side --------------------------------------------------------------------------------------------------


class _Teller:
    """Tells the process that asked how far this one is."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def stage(self, name: str, detail: str) -> None:
        """Tell that a stage begins."""
        wire.send(self._channel, wire.encode(("stage", name, detail)))

    def advance(self, done: int, total: int) -> None:
        """Tell how far it is."""
        wire.send(self._channel, wire.encode(("advance", done, total)))


def _work(channel: socket.socket) -> None:
    """Do what is asked for on the channel, and answer, if there is memory left to do so."""
    try:
        _answer(channel)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _answer(channel: socket.socket) -> None:
    rest = _resident()
    function, args, limits = wire.receive_request(channel)
    reserve()
    confined = confine(limits)
    stages = Stages(show=_Teller(channel))

    def answer(kind: Kind, content: object) -> list[wire.Part]:
        return wire.encode(Answer(kind, content, stages.seconds, _resident() - rest, confined))

    told: tuple[Kind, object] | None = None
    try:
        parts = answer(Kind.VALUE, function(stages, *args))
    except Exception as error:
        told = _tell(error)
    if told is not None:  # only here is free what the exception held, be it all the memory there was
        parts = answer(*told)
    wire.send(channel, parts)


def _resident() -> int:
    """Return the most memory that this process had so far, in bytes; at first it is that of whom it was forked from."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _tell(error: Exception) -> tuple[Kind, object]:
    """Return what is told of an exception. Of a foreign one it is never the words."""
    if isinstance(error, IngestdError):
        return Kind.RAISED, error
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM) or room() < TIGHT:
        return Kind.MEMORY, None
    if isinstance(error, OSError) and error.errno is not None:
        return Kind.WORLD, error.errno
    about = describe(error)
    return Kind.FAULT, (about["error"], tuple(about["at"]))
