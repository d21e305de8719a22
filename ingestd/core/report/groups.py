"""Findings as people take them in: by code, what follows from a cause folded under it, places instead of lines.

A list of findings has one for each missing id; here all that miss something in the same file are one note.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ingestd.core.findings import CATALOGUE, FURTHER, ORDER
from ingestd.core.model import Severity
from ingestd.core.report.messages import ABOUT_IDS, Found, find_remedy, gist, name_group, name_ids, read_message
from ingestd.core.report.words import Document, line_list, plural, sentence

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
    """One message and the places where it holds. `ids` names what is missed most, if it is about ids."""

    message: str
    places: tuple[Place, ...]
    count: int
    ids: str = ""

    @property
    def where(self) -> tuple[Place, ...]:
        """Return the places that the message does not name itself."""
        return tuple(p for p in self.places if p.file and (p.column or p.lines or p.file not in self.message.split()))


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one code, with what follows from them. `word` is its severity as people say it."""

    code: str
    severity: Severity
    word: str
    title: str
    remedy: str
    count: int
    notes: tuple[Note, ...]
    cascades: tuple[Note, ...]

    @property
    def cascaded(self) -> int:
        """Return how many records the findings stand for that follow from these."""
        return sum(note.count for note in self.cascades)

    @property
    def follows(self) -> str:
        """Say how much follows from these; empty if nothing does."""
        if not self.cascades:
            return ""
        if any(place.lines for note in self.cascades for place in note.places):
            return f"{plural(self.cascaded, 'more record is', 'more records are')} affected by it"
        return f"{plural(len(self.cascades), 'more finding follows', 'more findings follow')} from it"


def group_findings(findings: Sequence[Found]) -> tuple[Group, ...]:
    """Group findings by code, each under the code of its root cause: gravest first, then what most follows from."""
    missing = {f.get("file"): _key(f) for f in findings if f["code"] == "missing-file" and _is_fatal(f)}
    causes = {_key(f): _cause(f, missing) for f in findings}
    roots = {f["code"] for f in findings if not _cause(f, missing)}
    own: dict[str, list[Found]] = {}
    following: dict[str, list[Found]] = {}
    for finding in findings:
        cause = _cause(finding, missing)
        root = _root_code(cause, causes) if cause else None
        if root in roots:
            following.setdefault(str(root), []).append(finding)
        else:
            own.setdefault(finding["code"], []).append(finding)
    groups = [_group(code, found, following.get(code, ())) for code, found in own.items()]
    return tuple(
        sorted(groups, key=lambda g: (ORDER.index(g.severity), g.code in _SYMPTOMS, -g.cascaded, -g.count)),
    )


def count_words(document: Document, *severities: Severity) -> str:
    """Return how many findings there are of each severity, as `2 that reject the drop, 420 errors`."""
    counts = document.get("findings") or {}
    return ", ".join(plural(counts[s], *_COUNTED[s]) for s in severities if counts.get(s))


def _key(finding: Found) -> Key:
    return finding["code"], finding.get("file"), finding.get("line")


def _is_fatal(finding: Found) -> bool:
    return bool(finding["severity"] == Severity.CATASTROPHIC)


def _cause(finding: Found, missing: Mapping[str | None, Key]) -> Key | None:
    """Return what a finding follows from: what it says itself, or that the file it refers to is missing."""
    if said := finding.get("caused_by"):
        return _key(said)
    target = read_message(finding["code"], finding["message"]).get("target")
    return missing.get(target) if target and finding["code"] in ABOUT_IDS else None


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
    title = sentence(notes[0].message) if len(notes) == 1 else name_group(code)
    remedy = find_remedy(code, (f["message"] for f in own))
    return Group(code, severity, word, title, remedy, sum(note.count for note in notes), notes, _notes(following))


def _notes(findings: Sequence[Found]) -> tuple[Note, ...]:
    together: dict[tuple[str, str], list[Found]] = {}
    for finding in findings:
        together.setdefault((gist(finding), finding["severity"]), []).append(finding)
    notes = [_note(said, found) for (said, _), found in together.items()]
    return tuple(sorted(notes, key=lambda note: -note.count))


def _note(said: str, findings: Sequence[Found]) -> Note:
    count = sum(f["count"] for f in findings)
    if len(findings) == 1:
        return Note(findings[0]["message"].removesuffix(FURTHER), _places(findings), count)
    return Note(said, _places(findings), count, name_ids(findings))


def _places(findings: Sequence[Found]) -> tuple[Place, ...]:
    spots: dict[tuple[str | None, str | None], list[Found]] = {}
    for finding in findings:
        spots.setdefault((finding.get("file"), finding.get("column")), []).append(finding)
    return tuple(_place(file, column, found) for (file, column), found in spots.items())


def _place(file: str | None, column: str | None, findings: Sequence[Found]) -> Place:
    count = sum(f["count"] for f in findings)
    return Place(file, column, line_list((f["line"] for f in findings if f.get("line")), count), count)
