"""In what order drops are worked on, and which of them take another one's place.

A bulk set says all that there is, so an older one that is not applied yet need not be read. A delta says what changed
since the drop before it, so it comes after that, and nothing that it says is said again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from ingestd.core.findings import batch
from ingestd.core.model import Batch, Mode

Modes = Mapping[str, Mode]
"""What a drop says of its tables, without those that are absent; empty if that cannot be told."""

SHOWN = 5
"""How many missing numbers are named."""
_DATE = re.compile(r"(?<!\d)(?P<year>20\d\d)(?P<by>[-_.]?)(?P<month>\d\d)(?P=by)(?P<day>\d\d)(?!\d)")
_DIGITS = re.compile(r"(\d+)")
_SATURDAY = 5


def supersedes(newer: Modes, older: Modes) -> bool:
    """Return whether a newer drop takes the place of an older one that is not applied.

    A set of bulk files alone does: of any such set, and of one with deltas if it has all that one's tables.
    """
    if set(newer.values()) != {Mode.BULK}:
        return False
    return set(older.values()) == {Mode.BULK} or older.keys() <= newer.keys()


def next_of(waiting: Sequence[Modes]) -> int:
    """Return which of the drops that wait, oldest first, is worked on next: the oldest, or what takes its place.

    What is to take the place of others is worked on before them, for it may turn out to be one to reject.
    """
    last = 0
    for number in range(1, len(waiting)):
        if all(older and supersedes(waiting[number], older) for older in waiting[:number]):
            last = number
    return last


# Running numbers ----------------------------------------------------------------------------------------------------


def check_sequence(previous: str, name: str) -> Batch | None:
    """Return what is odd about a delta's name after that of the drop before it, where names have a number or a date.

    That is numbers left out between the two, or a number that is earlier. Saturdays and Sundays are no dates that
    anybody misses. Names that differ in anything else are not compared.
    """
    before, now = _date_in(previous), _date_in(name)
    if before and now and _without_digits(previous) == _without_digits(name):
        return _check_dates(before, now)
    one, other = _DIGITS.split(previous.lower()), _DIGITS.split(name.lower())
    differing = [(a, b) for a, b in zip(one, other, strict=False) if a != b]
    if (
        len(one) != len(other)
        or len(differing) != 1
        or not all(text.isascii() and text.isdigit() for text in differing[0])
    ):
        return None
    old, new = map(int, differing[0])
    return _told(new < old, [str(number) for number in range(old + 1, min(new, old + 2 + SHOWN))], new - old - 1)


def _date_in(name: str) -> date | None:
    found = _DATE.search(name)
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"])) if found else None
    except ValueError:
        return None


def _without_digits(name: str) -> str:
    return _DIGITS.sub("#", name.lower())


def _check_dates(before: date, now: date) -> Batch | None:
    missing = list(_weekdays(before, now))
    return _told(now < before, [f"{day:%Y-%m-%d}" for day in missing], len(missing))


def _weekdays(before: date, now: date) -> Iterator[date]:
    """Yield the days from Monday to Friday between two dates."""
    for number in range(1, (now - before).days):
        day = before + timedelta(number)
        if day.weekday() < _SATURDAY:
            yield day


def _told(is_backwards: bool, missing: Sequence[str], count: int) -> Batch | None:
    if is_backwards:
        return batch("sequence-backwards")
    if count < 1:
        return None
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return batch("sequence-gap", given=", ".join(missing[:SHOWN]) + more)
