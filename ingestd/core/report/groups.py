"""Findings as people take them in: by code, what follows from a cause folded under it, places instead of lines.

A list of findings has one for each missing id; here all that miss something in the same file are one note.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ingestd.core.catalogue import CATALOGUE
from ingestd.core.findings import FURTHER, ORDER
from ingestd.core.model import Severity
from ingestd.core.report.messages import Found, find_remedy, gist, name_group, name_ids
from ingestd.core.report.words import Document, line_list, plural

Key = tuple[str, str | None, int | None]

_WORDS = {
    Severity.CATASTROPHIC: "Rejects the drop",
    Severity.ERROR: "Error",
    Severity.WARNING: "Warning",
    Severity.INFO: "Repaired",
}
_COUNTED = {
    Severity.CATASTROPHIC: ("that rejects the drop", "that reject the drop"),
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("repaired or passed over", "repaired or passed over"),
}
_SYMPTOMS = frozenset({"nothing-valid"})  # reject a drop, but something else that is told is the reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is: a file, perhaps a column in it, and its lines as text (empty: the file as a whole).

    Without a file it is about the drop as a whole.
    """

    file: str | None
    column: str | None
    lines: str
    count: int

    def __str__(self) -> str:
        column = f"column {self.column}" if self.column else None
        return ", ".join(filter(None, (self.file, column, self.lines)))


@dataclass(frozen=True, slots=True)
class Note:
    """One message of a code and the places where it holds. `ids` names what is missed most, if it is about ids.

    `because` has the places of what it follows from, if it does.
    """

    code: str
    message: str
    severity: Severity
    places: tuple[Place, ...]
    count: int
    ids: str = ""
    because: tuple[Place, ...] = ()

    @property
    def is_about_records(self) -> bool:
        """Return whether it holds of records, and not of a file as a whole."""
        return any(place.lines for place in self.places)

    @property
    def where(self) -> tuple[Place, ...]:
        """Return the places that the message does not name itself."""
        return tuple(p for p in self.places if p.file and (p.column or p.lines or p.file not in self.message.split()))


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one code, with what follows from them. `word` is its severity as people say it.

    `title`, `cause`, `remedy` and `source` are the catalogue's; of a code that it does not know only the title is.
    """

    code: str
    severity: Severity
    word: str
    title: str
    cause: str
    remedy: str
    source: str
    count: int
    notes: tuple[Note, ...]
    cascades: tuple[Note, ...]

    @property
    def cascaded(self) -> int:
        """Return how many records the findings stand for that follow from these."""
        return sum(note.count for note in self.cascades)

    @property
    def fatal(self) -> tuple[Note, ...]:
        """Return what rejects the drop: the findings themselves, or what follows from them."""
        return tuple(note for note in (*self.notes, *self.cascades) if note.severity is Severity.CATASTROPHIC)

    @property
    def is_symptom(self) -> bool:
        """Return whether what makes these grave follows from a lesser fault, or from one that is told elsewhere."""
        return self.code in _SYMPTOMS or all(note.severity is not self.severity for note in self.notes)

    @property
    def follows(self) -> str:
        """Say how much follows from these; empty if nothing does."""
        records = sum(note.count for note in self.cascades if note.is_about_records)
        others = sum(not note.is_about_records for note in self.cascades)
        told = [f"{plural(records, 'more record is', 'more records are')} affected by it"] if records else []
        told += [f"{plural(others, 'more finding follows', 'more findings follow')} from it"] if others else []
        return ", and ".join(told)


def group_findings(findings: Sequence[Found]) -> tuple[Group, ...]:
    """Group findings by code, each under the code of its root cause: gravest first, then what most follows from."""
    causes = {_key(f): _cause(f) for f in findings}
    roots = {f["code"] for f in findings if not _cause(f)}
    own: dict[str, list[Found]] = {}
    following: dict[str, list[Found]] = {}
    for finding in findings:
        cause = _cause(finding)
        root = _root_code(cause, causes) if cause else None
        if root in roots:
            following.setdefault(str(root), []).append(finding)
        else:
            own.setdefault(finding["code"], []).append(finding)
    groups = [_group(code, found, following.get(code, ())) for code, found in own.items()]
    return tuple(
        sorted(groups, key=lambda g: (ORDER.index(g.severity), g.is_symptom, -g.cascaded, -g.count)),
    )


def count_words(document: Document, *severities: Severity) -> str:
    """Return how many findings there are of each severity, as `2 that reject the drop, 420 errors`."""
    counts = document.get("findings") or {}
    return ", ".join(plural(counts[s], *_COUNTED[s]) for s in severities if counts.get(s))


def _key(finding: Found) -> Key:
    return finding["code"], finding.get("file"), finding.get("line")


def _cause(finding: Found) -> Key | None:
    said = finding.get("caused_by")
    return _key(said) if said else None


def _root_code(cause: Key, causes: Mapping[Key, Key | None]) -> str:
    """Follow the causes up to the first; a chain that bites its tail ends where it does."""
    seen = {cause}
    while (further := causes.get(cause)) and further not in seen:
        seen.add(further)
        cause = further
    return cause[0]


def _group(code: str, own: Sequence[Found], following: Sequence[Found]) -> Group:
    severity = min((Severity(f["severity"]) for f in chain(own, following)), key=ORDER.index)
    entry, notes = CATALOGUE.get(code), _notes(own)
    word = "Noted" if severity is Severity.INFO and not (entry and entry.switchable) else _WORDS[severity]
    return Group(
        code=code,
        severity=severity,
        word=word,
        title=name_group(code),
        cause=entry.cause if entry else "",
        remedy=find_remedy(code, (f["message"] for f in own)),
        source=entry.source if entry else "",
        count=sum(note.count for note in notes),
        notes=notes,
        cascades=_notes(following),
    )


def _notes(findings: Sequence[Found]) -> tuple[Note, ...]:
    together: dict[tuple[str, str, str], list[Found]] = {}
    for finding in findings:
        together.setdefault((finding["code"], gist(finding), finding["severity"]), []).append(finding)
    notes = [_note(said, found) for (_, said, _), found in together.items()]
    return tuple(sorted(notes, key=lambda note: -note.count))


def _note(said: str, findings: Sequence[Found]) -> Note:
    """Return one note of findings that are alike in code, severity and what they say."""
    is_one = len(findings) == 1
    return Note(
        code=findings[0]["code"],
        message=findings[0]["message"].removesuffix(FURTHER) if is_one else said,
        severity=Severity(findings[0]["severity"]),
        places=_places(findings),
        count=sum(f["count"] for f in findings),
        ids="" if is_one else name_ids(findings),
        because=_places([{**f["caused_by"], "count": 1} for f in _with_cause(findings)]),
    )


def _with_cause(findings: Sequence[Found]) -> Iterator[Found]:
    """Yield the findings that have a cause, the first of each."""
    told = {_cause(f): f for f in reversed(findings)}
    return (f for key, f in told.items() if key)


def _places(findings: Sequence[Found]) -> tuple[Place, ...]:
    spots: dict[tuple[str | None, str | None], list[Found]] = {}
    for finding in findings:
        spots.setdefault((finding.get("file"), finding.get("column")), []).append(finding)
    return tuple(_place(file, column, found) for (file, column), found in spots.items())


def _place(file: str | None, column: str | None, findings: Sequence[Found]) -> Place:
    count = sum(f["count"] for f in findings)
    return Place(file, column, line_list((f["line"] for f in findings if f.get("line")), count), count)
