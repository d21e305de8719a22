"""What the doctor says of one thing, and the user as whom the daemon has to get on."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

READ, WRITE, ENTER = 4, 2, 1
"""What may be done with a file or a folder, as bits of its mode (access(2))."""

Places = Sequence[tuple[Path, os.stat_result]]
"""Paths, and what `stat` says of them."""


class State(StrEnum):
    """How a thing is: as it should be, worth a look, or such that drops are lost, refused or seen by others."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, how it is, what was found, and what to do about it."""

    name: str
    state: State
    found: str
    remedy: str = ""


def stat_of(path: Path) -> os.stat_result | None:
    """Return what `stat` says of a path, or None if it cannot be looked at."""
    with suppress(OSError):
        return path.stat()
    return None


def ok(name: str, found: str) -> Check:
    """Return that a thing is as it should be."""
    return Check(name, State.OK, found)


def warning(name: str, found: str, remedy: str) -> Check:
    """Return that a thing is worth a look."""
    return Check(name, State.WARNING, found, remedy)


def fault(name: str, found: str, remedy: str) -> Check:
    """Return that a thing is broken."""
    return Check(name, State.FAULT, found, remedy)


@dataclass(frozen=True, slots=True)
class User:
    """A user of this machine, with all groups."""

    name: str
    uid: int
    groups: frozenset[int]

    def may(self, facts: os.stat_result, bits: int) -> bool:
        """Return whether modes let the user do all of `bits`; access lists (acl(5)) are not looked at."""
        if self.uid == 0:
            return True
        shift = 6 if facts.st_uid == self.uid else 3 if facts.st_gid in self.groups else 0
        return facts.st_mode >> shift & bits == bits
