"""What follows from what: each finding is led to its root cause, so that a report can fold it there (law 7).

Who finds a fault knows its nearest cause at most. What no single stage can see is seen here, over all findings: that
a file is missing to which others refer, that a whole file is of another version, why no record of a file is valid.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingestd.core.catalogue import CATALOGUE, GROUPS, read_back
from ingestd.core.model import Batch, Cause, Severity

ABOUT_IDS = frozenset(code for code, entry in CATALOGUE.items() if entry.together)
"""Codes whose findings name an id that something refers to."""

_NOT_READ = frozenset({"missing-file", "undeclared-file", "empty-file", "empty-optional-file"})
"""Why there are no records of a file to refer to."""
_OF_HEADERS = frozenset(
    {
        *("missing-header", "missing-column", "missing-optional-column", "unknown-column", "duplicate-column"),
        *("header-alias", "header-case", "header-order"),
    }
)
_OF_LINES = frozenset(GROUPS["A record as a line"])

ByFile = Mapping[str | None, Cause]


def trace(batches: Iterable[Batch]) -> tuple[Batch, ...]:
    """Return the batches in their order; each that follows from another has its root cause as `caused_by`."""
    every = tuple(batches)
    seen = _look_over(every)
    linked = tuple(_with(one, one.caused_by or _cause_of(one, seen)) for one in every)
    parents = _Parents([one for one in linked if one.caused_by])
    return tuple(_with(one, one.caused_by and parents.root(one.caused_by)) for one in linked)


def _with(one: Batch, cause: Cause | None) -> Batch:
    return one if cause == one.caused_by else replace(one, caused_by=cause)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What all findings together show of each file.

    Why it was not read, that it is of another version, its commonest error, and the commonest of those that hide whose
    record it is.
    """

    unread: ByFile
    other: ByFile
    errors: ByFile
    nameless: ByFile


def _look_over(batches: Sequence[Batch]) -> _Seen:
    errors = [one for one in batches if one.severity is Severity.ERROR]
    counts: Counter[tuple[str | None, str]] = Counter()
    for one in errors:
        counts[one.file, one.code] += one.count
    errors.sort(key=lambda one: -counts[one.file, one.code])
    return _Seen(
        unread=_by_file(one for one in batches if one.code in _NOT_READ),
        other=_by_file(one for one in batches if one.code == "other-version"),
        errors=_by_file(errors),
        nameless=_by_file(one for one in errors if one.code in _OF_LINES or one.column == "sourcedId"),
    )


def _by_file(batches: Iterable[Batch]) -> ByFile:
    """Return the first of them of each file, as a cause."""
    found: dict[str | None, Cause] = {}
    for one in batches:
        if one.file not in found:
            found[one.file] = Cause(one.code, one.file, one.lines[0] if one.lines else None)
    return found


def _cause_of(one: Batch, seen: _Seen) -> Cause | None:
    """Return what a finding follows from, that does not say so itself."""
    if one.code in ABOUT_IDS:
        if not seen.unread:
            return None
        return seen.unread.get(read_back(CATALOGUE[one.code].message, one.message).get("target"))
    if one.code in _OF_HEADERS:
        return seen.other.get(one.file)
    if one.code == "nothing-valid":
        return seen.errors.get(one.file)
    return seen.nameless.get(one.file) if one.code == "unidentified-record" else None


@dataclass(slots=True)
class _Parents:
    """Findings that follow from others, looked up as causes of yet others."""

    batches: Sequence[Batch]
    roots: dict[Cause, Cause] = field(default_factory=dict)
    by_place: dict[tuple[str, str | None], dict[int | None, Cause]] = field(default_factory=dict)

    def root(self, cause: Cause) -> Cause:
        """Return the first cause of the chain that `cause` ends; one that bites its tail ends where it does."""
        if cause not in self.roots:
            first, passed = cause, {cause}
            while (further := self._above(first)) and further not in passed:
                first = further
                passed.add(first)
            self.roots[cause] = first
        return self.roots[cause]

    def _above(self, cause: Cause) -> Cause | None:
        """Return what the finding that is `cause` follows from: that with its line, else any of its code and file."""
        place = (cause.code, cause.file)
        if place not in self.by_place:
            self.by_place[place] = self._lines(*place)
        found = self.by_place[place]
        return found.get(cause.line, found.get(None))

    def _lines(self, code: str, file: str | None) -> dict[int | None, Cause]:
        found: dict[int | None, Cause] = {}
        for one in self.batches:
            if (one.code, one.file) == (code, file) and one.caused_by:
                found.update(dict.fromkeys(one.lines, one.caused_by))
                found.setdefault(None, one.caused_by)
        return found
