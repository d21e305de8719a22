"""Breaches as people take them in: a table at a time, what single schools lose folded under what the table loses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestd.core.report.words import Document, plural, sentence

Breached = Mapping[str, Any]
"""A breach, as a document lists it."""
_MOST = 3


@dataclass(frozen=True, slots=True)
class Excess:
    """The breaches of one table: of the table as a whole, gravest share first, and of single orgs in it."""

    table: str
    whole: tuple[Breached, ...]
    orgs: tuple[Breached, ...]

    @property
    def shown(self) -> tuple[Breached, ...]:
        """Return what is told in full."""
        return self.whole or self.orgs[:_MOST]

    @property
    def folded(self) -> tuple[Breached, ...]:
        """Return the rest; where the whole table would go, its orgs are not worth a word."""
        if any(one["code"] == "table-emptied" for one in self.whole):
            return ()
        return self.orgs if self.whole else self.orgs[_MOST:]

    @property
    def summary(self) -> str:
        """Say what is folded; empty if nothing is."""
        count = len(self.folded)
        if not count:
            return ""
        if self.whole:
            return f"{plural(count, 'single org goes', 'single orgs go')} over the limit for orgs, too"
        return f"{plural(count, 'more org goes', 'more orgs go')} over that limit"

    @property
    def sentence(self) -> str:
        """Say all of it, what is folded by its number."""
        told = " ".join(sentence(one["message"]) for one in self.shown)
        return f"{told} {sentence(self.summary)}" if self.summary else told


def group_breaches(document: Document) -> tuple[Excess, ...]:
    """Return a run's breaches by table, in the order of the tables."""
    found: dict[str, list[Breached]] = {}
    for breach in document.get("breaches") or ():
        found.setdefault(breach["table"], []).append(breach)
    return tuple(_excess(table, every) for table, every in found.items())


def breach_sentences(document: Document) -> tuple[str, ...]:
    """Return a run's breaches as sentences, one for each table, after what they say together if anything."""
    other = "None of the records known so far is in this drop: it may belong to another district."
    return (*((other,) if _is_another_roster(document) else ()), *(one.sentence for one in group_breaches(document)))


def _excess(table: str, breaches: Sequence[Breached]) -> Excess:
    orgs = sorted((one for one in breaches if one.get("org")), key=lambda one: -_share(one))
    whole = sorted((one for one in breaches if not one.get("org")), key=lambda one: -_share(one))
    return Excess(table, tuple(whole), tuple(orgs))


def _share(breach: Breached) -> float:
    return float(breach["count"] / breach["of"]) if breach.get("of") else 0.0


def _is_another_roster(document: Document) -> bool:
    """Return whether several tables would be emptied and no known record came again, under another id neither."""
    codes = [one["code"] for one in document.get("breaches") or ()]
    emptied = [code for code in codes if code == "table-emptied" and "ids-changed" not in codes]
    kept = sum(one.get("unchanged", 0) + one.get("updated", 0) for one in (document.get("changeset") or {}).values())
    return len(emptied) > 1 and kept == 0
