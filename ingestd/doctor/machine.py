"""What the machine gives: Python, SQLite, the kernel, the clock. Each `judge_` is a function of facts."""

import ctypes
import os
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import available_timezones

from ingestd.confine import Confined
from ingestd.doctor.check import Check, fault, ok, stat_of, warning
from ingestd.errors import IngestdError
from ingestd.reading import confinement

Version = tuple[int, ...]

PYTHON_FIXED: dict[Version, int] = {(3, 11): 14, (3, 12): 12, (3, 13): 10, (3, 14): 1}
"""The first release of each Python whose `zipfile` is free of CVE-2025-8291 (and so of CVE-2024-0450)."""
WAL_FIXED: tuple[Version, ...] = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
"""The first releases of SQLite whose write-ahead log does not lose commits, each for its line and what comes after."""
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time."""
TIME_ERROR = 5
"""What adjtimex(2) returns where nothing keeps the clock right."""
_OPENAT2, _AT_FDCWD, _RESOLVE_BENEATH = 437, -100, 0x08
_LIBC = ctypes.CDLL(None, use_errno=True)


def look_at_machine() -> Iterator[Check]:
    """Yield what can be said without a configuration. Call it before there are threads: it forks."""
    yield judge_python(sys.version_info[:3])
    yield judge_sqlite(sqlite3.sqlite_version_info)
    yield judge_reader(_try_reader())
    yield judge_openat2(_try_openat2())
    yield judge_zones(len(available_timezones()))


def judge_python(version: Version) -> Check:
    """Judge the version of Python."""
    text = ".".join(map(str, version))
    fixed = PYTHON_FIXED.get(version[:2])
    if fixed is None or version[2] >= fixed:
        return ok("python", text)
    found = f"{text}: its zipfile can be deceived (CVE-2025-8291); ingestd checks every zip by itself all the same"
    return warning("python", found, f"update to {version[0]}.{version[1]}.{fixed} or newer")


def judge_sqlite(version: Version) -> Check:
    """Judge the version of SQLite; ingestd's stores are safe with any, other programs' may not be."""
    text = ".".join(map(str, version))
    is_fixed = version >= WAL_FIXED[-1] or any(version[:2] == one[:2] and version >= one for one in WAL_FIXED)
    why = "" if is_fixed else "; its write-ahead log can lose a commit, and ingestd does not use it"
    return ok("sqlite", f"{text}, stores have a rollback journal (TRUNCATE){why}")


def judge_reader(found: Confined | str) -> Check:
    """Judge what came of having a package read: how its process was confined, or why there was none."""
    if isinstance(found, str):
        return fault("reader", found, "look at memory, at TasksMax= and at the limits of processes (ulimit -u)")
    if not found.is_limited:
        return fault("reader", "limits of memory and time do not hold", "look at what confines ingestd itself")
    if not found.is_filtered:
        remedy = "use a kernel with seccomp on x86_64 or aarch64; ingestd works without"
        return warning("reader", "reads drops in a process with limits, without a filter of system calls", remedy)
    return ok("reader", "reads drops in a process of its own, with limits and a filter of system calls (seccomp)")


def judge_openat2(error: int) -> Check:
    """Judge whether the kernel resolves paths beneath a folder; `error` is 0 or the number of an error."""
    if not error:
        return ok("openat2", "the kernel holds paths of clients beneath their folder")
    found = f"the kernel does not hold paths beneath a folder ({os.strerror(error)})"
    return warning("openat2", found, "use Linux 5.6 or newer; the embedded server goes from folder to folder instead")


def judge_zones(count: int) -> Check:
    """Judge the data of time zones, by how many there are."""
    if not count:
        return fault("time zones", "there are none", "install the package tzdata")
    return ok("time zones", f"{count} known")


def judge_clock(now: datetime, newest: datetime | None, kernel: int | None) -> Check:
    """Judge the clock: by when ingestd was made, by what was written last, and by what the kernel says of it."""
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    remedy = "set the clock and keep it right (systemd-timesyncd, chrony)"
    if now < BUILT:
        return fault("clock", f"{shown} cannot be", remedy)
    if newest is not None and newest - now > timedelta(days=1):
        return fault("clock", f"{shown} is before what was written last, {newest:%Y-%m-%d %H:%M} UTC", remedy)
    if kernel == TIME_ERROR:
        return warning("clock", f"{shown}; nothing keeps it right, the kernel says", remedy)
    return ok("clock", shown)


def look_at_clock(written: Path, now: datetime) -> Check:
    """Judge the clock beside the files in a folder."""
    times = [facts.st_mtime for path in written.glob("*") if (facts := stat_of(path))]
    return judge_clock(now, datetime.fromtimestamp(max(times), UTC) if times else None, _ask_kernel_for_time())


def _ask_kernel_for_time() -> int | None:
    state: int = _LIBC.adjtimex(ctypes.create_string_buffer(512))  # all zeros: nothing is set
    return None if state < 0 else state


def _try_reader() -> Confined | str:
    with TemporaryDirectory(prefix="ingestd-doctor-") as folder:
        path = Path(folder) / "trial.zip"
        with zipfile.ZipFile(path, "w") as package:
            package.writestr("manifest.csv", "propertyName,value\r\n")
        try:
            return confinement(path)
        except (IngestdError, OSError) as error:
            return f"no drop can be read: {error}"


def _try_openat2() -> int:
    how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_BENEATH)  # struct open_how
    descriptor = _LIBC.syscall(_OPENAT2, _AT_FDCWD, b".", ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    if descriptor < 0:
        return ctypes.get_errno()
    os.close(descriptor)
    return 0
