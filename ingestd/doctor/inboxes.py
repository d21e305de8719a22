"""Each inbox: whether the daemon can list it, read and remove what lies there, hears of it, and sees open writers."""

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from ingestd.claim import has_writer
from ingestd.core.report.words import plural
from ingestd.doctor.check import ENTER, READ, WRITE, Check, Places, User, fault, ok, stat_of, warning
from ingestd.sources.base import is_drop_name

PROBE = ".ingestd-doctor-"
"""How the name of a file begins that is made in an inbox and removed: one that every source passes over."""
PATIENCE = 10.0
"""Seconds within which inotify has to tell of a new file."""
REMOTE = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "gluster", "afs", "virtiofs")
"""File systems, by how their names begin, on which other machines may write without a word to our kernel."""
CAP_LEASE = 28


@dataclass(frozen=True, slots=True)
class Inotify:
    """The kernel's limits per user."""

    instances: int
    watches: int


def look_at_inotify(inboxes: int) -> Check:
    """Judge the limits of inotify for so many inboxes."""
    folder = Path("/proc/sys/fs/inotify")
    try:
        limits = Inotify(*(int((folder / f"max_user_{name}").read_text()) for name in ("instances", "watches")))
    except OSError:
        return warning("inotify", "its limits are not to be read", "rescans find every drop; look at each inbox below")
    return judge_inotify(limits, inboxes)


def judge_inotify(limits: Inotify, inboxes: int) -> Check:
    """Judge the limits: each inbox takes an instance and a watch, and other programs of the user want some."""
    found = f"{limits.instances} instances and {limits.watches} watches for {plural(inboxes, 'inbox', 'inboxes')}"
    if min(limits.instances, limits.watches) < inboxes + 16:
        more = f"sysctl fs.inotify.max_user_instances={max(512, 2 * inboxes)}"
        return warning("inotify", f"{found}: too few, so drops are found by rescans only", more)
    return ok("inotify", found)


def look_at_inbox(inbox: Path, user: User, *, has_lease_right: bool | None) -> Iterator[Check]:
    """Yield what can be said of one inbox. `has_lease_right`: whether the daemon has CAP_LEASE, None if unknown."""
    try:
        yield from _look(inbox, user, has_lease_right=has_lease_right)
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "unknown")
        yield fault(
            "inbox", f"{inbox} cannot be looked at: {code}", f"look at what {user.name} may do above it and in it"
        )


def judge_missing(inbox: Path, *, is_simple: bool) -> Check:
    """Judge an inbox that is not there; the daemon makes it if that is simple: its parent is there."""
    if is_simple:
        return ok("inbox", f"{inbox} is not there yet; the daemon makes it when it starts")
    return fault("inbox", f"{inbox} is not there, nor the folder above it", "mount its volume, or correct the path")


def judge_access(inbox: Path, facts: os.stat_result, parents: Places, user: User) -> Check:
    """Judge whether the user gets to the inbox, can list it, and can remove from it."""
    closed = next((path for path, above in parents if not user.may(above, ENTER)), None)
    if closed:
        return fault(
            "inbox", f"{user.name} cannot get to {inbox}", f"chmod o+x {closed}, or add {user.name} to its group"
        )
    if not user.may(facts, READ | WRITE | ENTER):
        remedy = f"chmod 2770 {inbox}, and add {user.name} to its group"
        return fault("inbox", f"{user.name} cannot list {inbox}, or remove drops from it", remedy)
    if facts.st_mode & stat.S_ISVTX and user.uid not in {0, facts.st_uid}:
        remedy = f"chmod -t {inbox}"
        return fault("inbox", f"{inbox} has the sticky bit: {user.name} cannot remove other users' drops", remedy)
    if facts.st_uid != user.uid and not facts.st_mode & stat.S_ISGID:
        remedy = f"chmod g+s {inbox}, so that drops belong to its group"
        return warning("inbox", f"drops in {inbox} get the sender's group, which {user.name} may not be in", remedy)
    return ok("inbox", f"{user.name} can list {inbox} and remove drops from it")


def judge_drops(inbox: Path, facts: os.stat_result, drops: Sequence[os.stat_result], user: User) -> Check:
    """Judge the drops that lie in the inbox now: whether each can be read."""
    unreadable = sum(not user.may(drop, READ) for drop in drops)
    if unreadable:
        group = f"group {facts.st_gid}"
        remedy = f"chmod g+r them; have the sender's server leave files to {group} (internal-sftp -u 0027)"
        return fault("drops", f"{user.name} cannot read {unreadable} of {len(drops)} drops in {inbox}", remedy)
    return ok("drops", f"{len(drops)} waiting in {inbox}, all readable")


def judge_events(inbox: Path, file_system: str, heard: bool | str) -> Check:
    """Judge whether inotify told of a file that was made: `heard` is that, or why it could not be asked."""
    remedy = "nothing must be done: rescans find every drop (`rescan`)"
    if isinstance(heard, str):
        return warning("events", f"inotify cannot be used on {inbox}: {heard}", "raise fs.inotify.max_user_instances")
    if not heard:
        return warning("events", f"inotify says nothing of new files in {inbox} ({file_system})", remedy)
    if file_system.startswith(REMOTE):
        found = f"{inbox} is on {file_system}: inotify does not tell what other machines write"
        return warning("events", found, remedy)
    return ok("events", f"inotify tells of new files in {inbox} ({file_system})")


def judge_lease(inbox: Path, works: bool, sender: int, user: User, *, has_lease_right: bool | None) -> Check:
    """Judge whether an open writer can be seen: a lease takes the file's owner or CAP_LEASE (fcntl(2))."""
    instead = "quiet period, unchanged copy and the zip's own checks decide"
    if not works:
        return warning("leases", f"the file system of {inbox} has no leases: {instead}", "use ext4, XFS or btrfs")
    if user.uid == sender or has_lease_right:
        return ok("leases", f"{user.name} sees who still writes in {inbox}")
    remedy = f"let the daemon have CAP_LEASE (see RELAX in ingestd.service); without, {instead}"
    found = f"drops in {inbox} belong to user {sender}: {user.name} sees open writers only with CAP_LEASE"
    return warning("leases", found if has_lease_right is None else f"{found}, and has it not", remedy)


# Looking ------------------------------------------------------------------------------------------------------------


def _look(inbox: Path, user: User, *, has_lease_right: bool | None) -> Iterator[Check]:
    parents = [(path, facts) for path in reversed(inbox.parents) if (facts := stat_of(path))]
    if not inbox.is_dir():
        yield judge_missing(inbox, is_simple=inbox.parent.is_dir())
        return
    facts = inbox.stat()
    yield judge_access(inbox, facts, parents, user)
    yield judge_drops(inbox, facts, _drops(inbox), user)
    yield judge_events(inbox, _file_system(inbox), _hears(inbox))
    yield judge_lease(inbox, _has_leases(inbox), facts.st_uid, user, has_lease_right=has_lease_right)


def lease_right(status: str) -> bool:
    """Return whether a process has CAP_LEASE, by its `/proc/<pid>/status`."""
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_LEASE & 1)


def file_system_of(path: Path, mounts: str) -> str:
    """Return the file system that a path is on, by `/proc/self/mounts`."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, point, name, *_ = line.split()
        point = point.replace(r"\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind


def _file_system(inbox: Path) -> str:
    return file_system_of(inbox.resolve(), Path("/proc/self/mounts").read_text())


def _drops(inbox: Path) -> list[os.stat_result]:
    with os.scandir(inbox) as entries:
        return [entry.stat(follow_symlinks=False) for entry in entries if is_drop_name(entry.name)]


class _Ear(FileSystemEventHandler):
    def __init__(self) -> None:
        self.heard = threading.Event()

    def dispatch(self, event: FileSystemEvent) -> None:
        if PROBE in os.fsdecode(event.src_path):
            self.heard.set()


def _hears(inbox: Path) -> bool | str:
    ear, observer = _Ear(), Observer()
    try:
        observer.schedule(ear, str(inbox), recursive=False)
        observer.start()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown")
    try:
        with NamedTemporaryFile(dir=inbox, prefix=PROBE):
            return ear.heard.wait(PATIENCE)
    finally:
        observer.stop()
        observer.join(PATIENCE)


def _has_leases(inbox: Path) -> bool:
    with NamedTemporaryFile(dir=inbox, prefix=PROBE) as probe:
        name = probe.name
        reader = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return has_writer(reader) is True  # it is open for writing, by us
        finally:
            os.close(reader)
