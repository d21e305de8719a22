"""Numbers, names, times and lines as people say them."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Document = Mapping[str, Any]
"""A run document."""

NBSP = "\N{NO-BREAK SPACE}"
RANGES = 16
"""How many ranges of lines are told before "and n more"."""
_FRIENDLY = {
    "orgs": "Schools and districts",
    "academicSessions": "Terms and school years",
    "lineItems": "Assignments",
}
_NAME = re.compile(r"\S*[.a-z0-9][.A-Z]\S*")  # a file's name, or one in camelCase: left as it is written


def occasion(document: Document) -> str:
    """Return what a run is for: its drop, ids that change, a sink to compare with, a run to undo, or nothing new."""
    if document.get("drop"):
        return str(document["drop"])
    if document.get("rekey"):
        return f"{plural(sum(document['rekey'].values()), 'id')} changed"
    if document.get("reconcile"):
        return f"what others changed in {document['reconcile']}"
    if document.get("undo"):
        return f"the reverse of {document['feed']}.{document['undo']}"
    return "planned again without a drop"


def number(value: int) -> str:
    """Return a count with thousands separators: `1,776`."""
    return f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return `1 record`, `2 records`; `many` is for words that do not just take an s."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def friendly(table: str) -> str:
    """Return a table's name as people say it: `academicSessions` is `Terms and school years`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", table).lower()
    return _FRIENDLY.get(table, spaced[:1].upper() + spaced[1:])


def sentence(text: str) -> str:
    """Return a message as a sentence: a capital in front unless it begins with a name, a full stop behind."""
    head = text.split(" ", 1)[0].rstrip(".,:;")
    text = text if _NAME.fullmatch(head) else text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def moment(iso: str) -> str:
    """Return an ISO time as `2026-11-22 06:00 UTC`."""
    at = datetime.fromisoformat(iso)
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or 'UTC'}"


def duration(seconds: float) -> str:
    """Return a time span as `12 ms`, `3.2 s` or `3 min 12 s`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f}{NBSP}ms"
    if seconds < 90:
        return f"{seconds:.1f}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{number(minutes)}{NBSP}min {rest}{NBSP}s"


def line_list(lines: Iterable[int], count: int) -> str:
    """Return lines as ranges, and how many of `count` records are not among them: `lines 2-4, 9 and 388 more`."""
    ranges: list[list[int]] = []
    for line in sorted(set(lines)):
        if ranges and line == ranges[-1][-1] + 1:
            ranges[-1].append(line)
        else:
            ranges.append([line])
    shown, more = ranges[:RANGES], count - sum(map(len, ranges[:RANGES]))
    text = ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in shown)
    text = f"{text} and {number(more)} more" if more > 0 else text
    return f"line{'s' if more > 0 or not text.isdigit() else ''} {text}" if ranges else ""


def some_of(names: Iterable[str], most: int, what: str) -> str:
    """Return the first names, and how many more of `what` there are: `a, b and 3 more files`."""
    every = list(dict.fromkeys(names))
    more = f" and {plural(len(every) - most, f'more {what}')}" if len(every) > most else ""
    return ", ".join(every[:most]) + more
