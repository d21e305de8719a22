"""A process that was confined can compute, read and answer; whatever else it tries is refused, or ends it.

Each test confines a process of its own, for there is no way back. What it prints goes through a pipe: no file takes it.
"""

import errno
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd.confine import GRACE

IS_KNOWN = platform.machine() in {"x86_64", "aarch64"}
HEAD = "import ctypes, os, resource, signal, socket, subprocess, sys, threading\nfrom ingestd.confine import *\n"
TRY = "try:\n    {deed}\nexcept OSError as error:\n    print(error.errno)\n"

REFUSED = {
    "a socket": "socket.socket()",
    "a pair of sockets": "socket.socketpair()",
    "a connection by a socket that is there": "there.connect(('127.0.0.1', 9))",
    "an ear on a socket that is there": "there.listen()",
    "another program in its place": "os.execv('/bin/true', ['true'])",
    "another program": "subprocess.run(['/bin/true'])",
    "another process": "os.fork()",
    "a signal to its parent": "os.kill(os.getppid(), 0)",
    "a signal to a group": "os.kill(0, signal.SIGTERM)",
    "a new file": "open('new', 'xb')",
    "a file to write": "open('file', 'r+b')",
    "a file to append to": "open('file', 'ab')",
    "a file made empty": "os.open('file', os.O_RDONLY | os.O_TRUNC)",
    "a file cut off": "os.truncate('file', 1)",
    "a file removed": "os.unlink('file')",
    "a file renamed": "os.rename('file', 'other')",
    "a file's mode": "os.chmod('file', 0o777)",
    "a file's time": "os.utime('file')",
    "a hard link": "os.link('file', 'other')",
    "a symbolic link": "os.symlink('file', 'other')",
    "a folder": "os.mkdir('folder')",
    "a pipe with a name": "os.mkfifo('other')",
    "its parent's memory": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
}


def confined(code: str, before: str = "", memory: int = 1 << 30, seconds: int = 20) -> subprocess.CompletedProcess[str]:
    """Run Python in a process that is confined after `before`."""
    text = f"{HEAD}{before}\nfound = confine(Limits({memory}, {seconds}))\n{code}"
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_it_tells_what_took_hold() -> None:
    """Limits hold on every Linux, the filter where the numbers of its system calls are known."""
    assert confined("print(found)").stdout == f"Confined(is_limited=True, is_filtered={IS_KNOWN})\n"


@pytest.mark.skipif(not IS_KNOWN, reason="the filter does not know this machine")
@pytest.mark.parametrize("deed", REFUSED.values(), ids=REFUSED)
def test_what_could_do_harm_is_refused(deed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no other program, no other process, nothing written: EACCES, and all is as it was."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("as it was")
    before = Path("file").stat()
    done = confined(TRY.format(deed=deed), before="there = socket.socket()")
    assert (done.stdout, done.stderr) == (f"{errno.EACCES}\n", "")
    assert ([*tmp_path.iterdir()], Path("file").read_text()) == ([tmp_path / "file"], "as it was")
    assert Path("file").stat().st_mode == before.st_mode


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the other interface is x86_64's")
def test_the_other_binary_interface_is_no_way_around() -> None:
    """The same call under the numbers of x32 is refused too."""
    code = "libc = ctypes.CDLL(None, use_errno=True)\nlibc.syscall(0x40000000 + 39)\nprint(ctypes.get_errno())"
    assert confined(code).stdout == f"{errno.EACCES}\n"


@pytest.mark.skipif(not IS_KNOWN, reason="the filter does not know this machine")
def test_every_listed_call_is_refused() -> None:
    """Whatever its arguments."""
    code = (
        "from ingestd.confine import _MACHINES, _REFUSED\n"
        "import platform\n"
        "column = [*_MACHINES].index(platform.machine())\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "for name, numbers in _REFUSED.items():\n"
        "    if numbers[column] is not None and (libc.syscall(numbers[column], -1, -1, -1, -1), ctypes.get_errno()) "
        "!= (-1, 13):\n"
        "        print(name)\n"
        "print('done')"
    )
    assert confined(code).stdout == "done\n"


def test_what_reading_needs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read, threads started, memory taken, pipes that are open written to."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("content")
    code = (
        "thread = threading.Thread(target=lambda: print(open('file').read(), len(bytearray(1 << 28)), flush=True))\n"
        "thread.start()\n"
        "thread.join()"
    )
    done = confined(code)
    assert (done.stdout, done.stderr) == (f"content {1 << 28}\n", "")


def test_more_memory_than_allowed_is_a_memory_error() -> None:
    """The limit is what the process had plus what it is allowed; after it the process goes on."""
    code = "try:\n    bytearray(4 << 30)\nexcept MemoryError:\n    print('caught')"
    assert confined(code, before="import mmap\nbig = mmap.mmap(-1, 2 << 30)").stdout == "caught\n"


def test_more_processor_time_than_allowed_ends_it() -> None:
    """The signal tells why; the kernel's last word comes later."""
    assert confined("while True:\n    pass", seconds=1).returncode == -signal.SIGXCPU


@pytest.mark.parametrize("machine", ["", "import platform\nplatform.machine = lambda: 'riscv64'\n"])
def test_no_file_grows(machine: str, tmp_path: Path) -> None:
    """Not even one that was open to write before, and not where no filter is known."""
    before = f"{machine}there = open({str(tmp_path / 'file')!r}, 'wb', buffering=0)"
    done = confined(TRY.format(deed="there.write(b'!')"), before=before)
    assert done.stdout == f"{errno.EFBIG}\n"


def test_a_machine_whose_numbers_are_not_known_is_accepted() -> None:
    """There is no filter then, and this is told; the limits hold."""
    done = confined("print(found)", before="import platform\nplatform.machine = lambda: 'riscv64'")
    assert done.stdout == "Confined(is_limited=True, is_filtered=False)\n"


def test_no_core_is_dumped_and_lower_limits_stay() -> None:
    """A limit that somebody set before is never raised."""
    code = (
        "print(*(resource.getrlimit(kind) for kind in "
        "(resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_AS)), sep='\\n')"
    )
    before = "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
    told = confined(code, before=before, memory=4 << 30, seconds=7).stdout.splitlines()
    assert told == ["(0, 0)", "(0, 0)", f"(7, {7 + GRACE})", f"({1 << 30}, {1 << 30})"]


def test_this_process_is_not_confined() -> None:
    """Only the processes of these tests were."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
