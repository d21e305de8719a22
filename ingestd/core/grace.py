"""Grace: a record that is absent is removed only when it has been so for some drops or days (systems.md P14, P15).

A student who is missing from one night's export, and is back the next, loses nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ingestd.core.hashing import find_unsorted, is_member
from ingestd.core.model import Actions, Hashes, Ints, Kind, Mask

_GRACE = re.compile(r"([1-9]\d{0,2}) ?(drops?|d|days?)")


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a record must be absent before it is removed: so many drops in a row, or so many days."""

    drops: int | None = None
    days: int | None = None


def parse_grace(text: str) -> Grace | None:
    """Read `3 drops`, `14d` or `14 days`; None if it is neither."""
    found = _GRACE.fullmatch(text)
    if found is None:
        return None
    number = int(found[1])
    return Grace(drops=number) if found[2].startswith("drop") else Grace(days=number)


@dataclass(frozen=True, slots=True)
class Absences:
    """Owned target records that are absent and still there: the day when that was first seen, and in how many drops."""

    keys: Hashes
    since: Ints
    drops: Ints

    def __len__(self) -> int:
        return len(self.keys)


NONE = Absences(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))


def wait(
    actions: Sequence[Actions], grace: Grace, before: Absences, today: date, *, is_drop: bool
) -> tuple[list[Actions], Absences]:
    """Return the actions of one target table without the removals that are not due yet, and the absences after them.

    Args:
        actions: what would be done without grace.
        grace: the table's.
        before: the absences so far; who is not absent any more is forgotten.
        today: the day in the feed's time zone.
        is_drop: whether a drop says so. A plan without one makes nobody more absent.
    """
    removals = [one for one in actions if one.kind is Kind.REMOVE]
    absent = _count(np.concatenate([NONE.keys, *(one.keys for one in removals)]), before, today, is_drop=is_drop)
    over = _is_over(grace, absent, today)
    due = np.sort(absent.keys[over])
    shortened = (one.some(is_member(one.keys, due)) if one.kind is Kind.REMOVE else one for one in actions)
    waiting = Absences(absent.keys[~over], absent.since[~over], absent.drops[~over])
    return [one for one in shortened if len(one)], waiting


def _count(keys: Hashes, before: Absences, today: date, *, is_drop: bool) -> Absences:
    at = find_unsorted(keys, before.keys)
    known = at >= 0
    since = np.where(known, np.append(before.since, 0)[at], today.toordinal())
    drops = np.where(known, np.append(before.drops, 0)[at], 0) + int(is_drop)
    return Absences(keys, since, drops)


def _is_over(grace: Grace, absent: Absences, today: date) -> Mask:
    if grace.drops is not None:
        return np.asarray(absent.drops >= grace.drops)
    return np.asarray(today.toordinal() - absent.since >= (grace.days or 0))
