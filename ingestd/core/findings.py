"""Findings: made from the catalogue's entries, made graver by strictness, listed, counted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from ingestd.core.catalogue import CATALOGUE, Entry
from ingestd.core.causes import trace
from ingestd.core.model import Batch, Cause, Finding, Severity

__all__ = [
    "CAP",
    "CATALOGUE",
    "FURTHER",
    "ORDER",
    "Entry",
    "batch",
    "count_by_severity",
    "is_rejected",
    "list_findings",
    "strict",
]

CAP = 100
"""How many findings of one code in one file a report lists; the rest is one finding with its count."""

FURTHER = "; here and further on"
"""What the message of the last finding of a capped code ends with."""
ORDER = tuple(Severity)


def batch(
    code: str,
    *,
    file: str | None = None,
    column: str | None = None,
    lines: Iterable[int] = (),
    stands_for: int | None = None,
    caused_by: Cause | None = None,
    severity: Severity | None = None,
    **words: object,
) -> Batch:
    """Make the findings of one code, its message filled with `words`, the file and the column.

    Raises:
        KeyError: the code is not in the catalogue, or its message wants a word that is not given.
    """
    entry = CATALOGUE[code]
    message = entry.message.format(**{"file": file, "column": column, **words})
    at = tuple(int(line) for line in lines)
    return Batch(code, severity or entry.severity, message, file, column, at, stands_for, caused_by)


def strict(
    batches: Iterable[Batch], codes: bool | Sequence[str], refused: Severity = Severity.ERROR
) -> tuple[Batch, ...]:
    """Refuse what is switchable (law 8): all of it if `codes` is True, else the codes named.

    What is found in a record becomes an error, which holds it back; in a file, `refused` as catastrophic, it rejects.
    """
    if codes is False:
        return tuple(batches)

    def is_refused(one: Batch) -> bool:
        is_mild = one.severity in (Severity.INFO, Severity.WARNING)
        return is_mild and CATALOGUE[one.code].switchable and (codes is True or one.code in codes)

    return tuple(replace(one, severity=refused) if is_refused(one) else one for one in batches)


def list_findings(batches: Iterable[Batch], cap: int = CAP) -> tuple[Finding, ...]:
    """Return the findings to show: gravest first, root causes before what follows, at most `cap` per code and file.

    The counts add up to the truth: what is beyond the cap is the last finding of its code, and carries the rest.
    A finding that follows from another names its root cause.
    """
    groups: dict[tuple[str, str | None], list[Batch]] = {}
    for one in trace(batches):
        groups.setdefault((one.code, one.file), []).append(one)
    shown = [finding for group in groups.values() for finding in _capped(group, cap)]
    return tuple(sorted(shown, key=_order(shown)))


def _order(shown: Sequence[Finding]) -> Callable[[Finding], tuple[int, bool, int]]:
    """Return what sorts findings; a root cause is as grave as the gravest of what follows from it."""
    gravity: dict[str, int] = {}
    for one in shown:
        code, own = one.caused_by.code if one.caused_by else one.code, ORDER.index(one.severity)
        gravity[code] = min(own, gravity.get(code, own))

    def key(one: Finding) -> tuple[int, bool, int]:
        own = ORDER.index(one.severity)
        return (own, True, own) if one.caused_by else (gravity[one.code], False, own)

    return key


def _capped(group: Sequence[Batch], cap: int) -> list[Finding]:
    each = list(islice(chain.from_iterable(map(_each, group)), cap + 1))
    if len(each) <= cap:
        return each
    kept, next_one = each[: cap - 1], each[cap - 1]
    rest = sum(one.count for one in group) - sum(finding.count for finding in kept)
    return [*kept, replace(next_one, message=next_one.message + FURTHER, count=rest, caused_by=_shared(group))]


def _shared(group: Iterable[Batch]) -> Cause | None:
    """Return the cause of a whole group, as far as it is one: without its line or file where those differ."""
    first, *others = {one.caused_by for one in group}
    if not others or first is None:
        return first
    if any(one is None or one.code != first.code for one in others):
        return None
    return Cause(first.code, first.file if {one.file for one in others if one} == {first.file} else None)


def _each(one: Batch) -> Iterator[Finding]:
    whole = one.stands_for is not None or not one.lines
    for line in one.lines[:1] or (None,) if whole else one.lines:
        count = one.count if whole else 1
        yield Finding(one.code, one.severity, one.message, one.file, line, one.column, count, one.caused_by)


def count_by_severity(batches: Iterable[Batch]) -> dict[str, int]:
    """Return how many records or files each severity concerns, `{"catastrophic": 0, "error": 2, …}`."""
    counts = {str(severity): 0 for severity in Severity}
    for one in batches:
        counts[str(one.severity)] += one.count
    return counts


def is_rejected(batches: Iterable[Batch]) -> bool:
    """Return whether a catastrophic finding is among them."""
    return any(one.severity is Severity.CATASTROPHIC for one in batches)
