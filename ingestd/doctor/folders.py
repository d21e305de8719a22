"""The state folder and its disk: whose it is, who else sees it, how full it is, whether all moves in it are renames."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingestd.doctor.check import ENTER, READ, WRITE, Check, User, fault, ok, stat_of, warning

PARTS = ("runs", "archive", "quarantine")
"""Folders under the state folder between which runs move."""
FULL, TIGHT = 512 << 20, 2 << 30
"""Bytes free: with less than the first a large drop fails, with less than the second it is near."""
FEW = 10_000
"""Inodes free that are near to none."""


def look_at_state(state_dir: Path, user: User) -> Iterator[Check]:
    """Yield what can be said of the state folder."""
    facts = stat_of(state_dir)
    yield judge_state(state_dir, facts, user)
    if facts is None:
        return
    parts = {part: found for part in PARTS if (found := stat_of(state_dir / part))}
    yield judge_moves(facts.st_dev, {part: found.st_dev for part, found in parts.items()})
    yield judge_disk(state_dir, os.statvfs(state_dir))


def judge_state(state_dir: Path, facts: os.stat_result | None, user: User) -> Check:
    """Judge who may do what in the state folder, which holds children's data (law 9)."""
    if facts is None:
        remedy = f"make it: install -d -m 0700 -o {user.name} {state_dir}"
        return fault("state folder", f"{state_dir} is not there", remedy)
    if not user.may(facts, READ | WRITE | ENTER):
        return fault("state folder", f"{user.name} may not write {state_dir}", f"chown {user.name} {state_dir}")
    if facts.st_mode & stat.S_IRWXO:
        return fault("state folder", f"{state_dir} is open to every user", f"chmod o= {state_dir}")
    return ok("state folder", f"{state_dir} is {user.name}'s and closed to others")


def judge_moves(device: int, parts: Mapping[str, int]) -> Check:
    """Judge whether a run's moves are renames; inboxes may lie elsewhere, for drops are copied out of them."""
    apart = sorted(part for part, other in parts.items() if other != device)
    if apart:
        remedy = "put the whole state folder on one file system"
        return fault("moves", f"{', '.join(apart)} lie on other file systems than the state folder", remedy)
    return ok("moves", "runs, archive and quarantine are on one file system")


def judge_disk(state_dir: Path, disk: os.statvfs_result) -> Check:
    """Judge what is free: bytes and inodes. A file system that counts no inodes says 0 of 0."""
    free = disk.f_bavail * disk.f_frsize
    found = f"{free / (1 << 30):.1f} GiB free at {state_dir}"
    remedy = "make room, or shorten [retention]"
    if disk.f_files and disk.f_favail < FEW:
        return warning("disk", f"{disk.f_favail} inodes free at {state_dir}", remedy)
    if free < FULL:
        return fault("disk", found, remedy)
    return warning("disk", found, remedy) if free < TIGHT else ok("disk", found)
