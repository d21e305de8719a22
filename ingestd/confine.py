"""Makes the current process one that can do no harm, by limits and by a filter of system calls; there is no way back.

Law: what reads other people's bytes may compute, read files and answer through what is open already, and nothing
else: no network, no other program, no other process, nothing written. A kernel that knows no seccomp(2), or refuses
it, is accepted; the limits hold all the same.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GRACE = 5
"""Seconds of processor time between SIGXCPU, which ends the process and tells why, and the kernel's SIGKILL."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 1, 38, 22, 2  # prctl(2)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a process may go: bytes of address space beyond what it has already, and seconds of processor time."""

    memory: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Confined:
    """What took hold: the limits, and the filter of system calls."""

    is_limited: bool
    is_filtered: bool


def confine(limits: Limits) -> Confined:
    """Confine this process for good. It must have one thread; those that it starts later are confined too."""
    is_limited = _limit(limits)
    return Confined(is_limited, _filter())


def end_with_parent() -> bool:
    """Have the kernel kill this process when the one that forked it ends; return whether it will."""
    return _prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0)


def room() -> int:
    """Return how much address space was left, in bytes, when this process had the most of it."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmPeak:"))
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    return (sys.maxsize if allowed == resource.RLIM_INFINITY else allowed) - int(peak.split()[1]) * 1024


def _limit(limits: Limits) -> bool:
    """Set the limits; return whether the kernel took all of them."""
    try:
        memory = _address_space() + limits.memory
        for kind, soft, hard in (
            (resource.RLIMIT_CORE, 0, 0),  # no pupil's data in a core file
            (resource.RLIMIT_FSIZE, 0, 0),
            (resource.RLIMIT_CPU, limits.seconds, limits.seconds + GRACE),
            (resource.RLIMIT_AS, memory, memory),
        ):
            _, allowed = resource.getrlimit(kind)
            at_most = sys.maxsize if allowed == resource.RLIM_INFINITY else allowed
            resource.setrlimit(kind, (min(soft, at_most), min(hard, at_most)))
    except (OSError, ValueError):
        return False
    return True


def _address_space() -> int:
    """Return the bytes of address space that this process has: the limit counts what is only reserved, too."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


# The filter ---------------------------------------------------------------------------------------------------------

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The architectures whose numbers are known, by the names that seccomp(2) has for them."""

_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # The network
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # Other programs, other processes and their memory
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    # Files: their names, their length, their owners and attributes; how they are opened is looked at below
    "creat": (85, None), "openat2": (437, 437), "open_by_handle_at": (304, 265), "truncate": (76, 45),
    "unlink": (87, None), "unlinkat": (263, 35), "rmdir": (84, None), "mkdir": (83, None), "mkdirat": (258, 34),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
    # What reading never needs, and where kernels have had their holes
    "io_uring_setup": (425, 425), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "mount": (165, 40), "umount2": (166, 39),
    "unshare": (272, 97), "setns": (308, 268),
}  # fmt: skip
"""System calls that are answered with EACCES, with their numbers on x86_64 and aarch64, None where there is none."""

_OPEN, _OPENAT, _CLONE, _CLONE3, _KILL, _TGKILL = (2, None), (257, 56), (56, 220), (435, 435), (62, 129), (234, 131)
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
_CLONE_THREAD = 0x10000
_X32 = 0x40000000
"""From here on are the numbers of x86_64's other binary interface."""

# Classic BPF (Linux, networking/filter): load a word, jump if equal, greater or with a bit in common, return
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in `struct seccomp_data`
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

_Step = tuple[int, int, int, int]
"""An instruction, how many to jump over if it is true and if it is not, and its operand."""


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _filter() -> bool:
    """Have the kernel filter this process's system calls; return whether it does."""
    machine = platform.machine()
    if machine not in _MACHINES or sys.maxsize < 1 << 32 or sys.byteorder != "little":
        return False
    steps = b"".join(struct.pack("<HBBI", *step) for step in _steps(_MACHINES[machine], [*_MACHINES].index(machine)))
    program = _Program(len(steps) // 8, steps)
    return _prctl(_NO_NEW_PRIVS, 1, 0) and _prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(program))


def _prctl(option: int, first: int, second: int) -> bool:
    words = (ctypes.c_ulong(value) for value in (first, second, 0, 0))
    return bool(_LIBC.prctl(option, *words) == 0)


def _steps(architecture: int, column: int) -> Iterator[_Step]:
    """Yield the program: one block per system call, which is left by a return or ends where the next begins."""
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, architecture
    yield _answer(errno.EACCES)
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _answer(errno.EACCES)
    for numbers in _REFUSED.values():
        if (number := numbers[column]) is not None:
            yield _EQUAL, 0, 1, number
            yield _answer(errno.EACCES)
    if (number := _OPEN[column]) is not None:
        yield from _refuse_where(number, 1, (_ANY_BIT, 0, 1, _WRITING))
    yield from _refuse_where(_OPENAT[column], 2, (_ANY_BIT, 0, 1, _WRITING))
    yield from _refuse_where(_CLONE[column], 0, (_ANY_BIT, 1, 0, _CLONE_THREAD))
    yield from _refuse_where(_KILL[column], 0, (_EQUAL, 1, 0, os.getpid()))
    yield from _refuse_where(_TGKILL[column], 0, (_EQUAL, 1, 0, os.getpid()))
    yield _EQUAL, 0, 1, _CLONE3[column]
    yield _answer(errno.ENOSYS)  # its flags lie in memory, where no filter can look: the C library then takes clone
    yield _RETURN, 0, 0, _ALLOW


def _answer(code: int) -> _Step:
    return _RETURN, 0, 0, _ERRNO | code


def _refuse_where(number: int, argument: int, test: _Step) -> Iterator[_Step]:
    """Yield a block that refuses a system call where the test of one of its arguments goes on to the next step."""
    yield _EQUAL, 0, 4, number
    yield _LOAD, 0, 0, _ARGUMENTS + 8 * argument
    yield test
    yield _answer(errno.EACCES)
    yield _RETURN, 0, 0, _ALLOW
