"""A run in words: its document in; a page for the admin, a receipt for the vendor, rows for a CSV, one log line out.

The law: nothing is computed here that is not in the document, and no value of the data can get in, because the
document has none. A run document is what `ingestd show RUN --json` prints (DESIGN section 7); every field but `run`,
`feed` and `state` may be missing, and what is missing is not mentioned.
"""

import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.findings import CATALOGUE, ORDER
from ingestd.core.model import Batch, Kind, Severity

if TYPE_CHECKING:
    from jinja2 import Template

Document = Mapping[str, Any]
"""A run document."""

NBSP = "\N{NO-BREAK SPACE}"
_FRIENDLY = {
    "orgs": "Schools and districts",
    "academicSessions": "Terms and school years",
    "lineItems": "Assignments",
}
_WORDS = {
    Severity.CATASTROPHIC: "Rejects the drop",
    Severity.ERROR: "Error",
    Severity.WARNING: "Warning",
    Severity.INFO: "Repaired",
}
_FURTHER = "; here and further on"  # what `findings.list_findings` adds to the finding that carries the rest
_RANGES, _NOTES, _GROUPS = 16, 8, 20  # how much of a place, a group, a receipt is shown before "and n more"
_WIDTH = 72


# Words for numbers, names and times ---------------------------------------------------------------------------


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
    """Return a message as a sentence: a capital in front unless it begins with a file's name, a full stop behind."""
    head = text.split(" ", 1)[0]
    text = text if "." in head or not text else text[0].upper() + text[1:]
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
    """Return lines as runs, and how many of `count` records are not among them: `lines 2-4, 9 and 388 more`."""
    runs: list[list[int]] = []
    for line in sorted(set(lines)):
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    shown, more = runs[:_RANGES], count - sum(map(len, runs[:_RANGES]))
    text = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in shown)
    text = f"{text} and {number(more)} more" if more > 0 else text
    return f"line{'s' if more > 0 or not text.isdigit() else ''} {text}" if runs else ""


# What is wrong, grouped ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is: a file, perhaps a column in it, and its lines as text (empty: the file as a whole).

    Without a file it is about the drop as a whole.
    """

    file: str | None
    column: str | None
    lines: str
    count: int


@dataclass(frozen=True, slots=True)
class Note:
    """One message and the places where it holds."""

    message: str
    places: tuple[Place, ...]
    count: int


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


def group_findings(findings: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """Group findings by code, each under the code of its root cause: gravest first, then what most follows from."""
    causes = {(f["code"], f.get("file"), f.get("line")): f.get("caused_by") for f in findings}
    codes = {f["code"] for f in findings if not f.get("caused_by")}
    own: dict[str, list[Mapping[str, Any]]] = {}
    following: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        root = _root_code(finding, causes)
        if finding.get("caused_by") and root in codes:
            following.setdefault(root, []).append(finding)
        else:
            own.setdefault(finding["code"], []).append(finding)
    groups = [_group(code, found, following.get(code, ())) for code, found in own.items()]
    return tuple(sorted(groups, key=lambda g: (ORDER.index(g.severity), -g.cascaded, -g.count)))


def _root_code(finding: Mapping[str, Any], causes: Mapping[Any, Any]) -> str:
    """Follow the causes up to the first; a chain that bites its tail ends where it does."""
    code, cause, seen = finding["code"], finding.get("caused_by"), set()
    while cause:
        key = (cause["code"], cause.get("file"), cause.get("line"))
        code = cause["code"]
        cause = None if key in seen else causes.get(key)
        seen.add(key)
    return str(code)


def _group(code: str, own: Sequence[Mapping[str, Any]], following: Sequence[Mapping[str, Any]]) -> Group:
    severity = min((Severity(f["severity"]) for f in chain(own, following)), key=ORDER.index)
    notes = _notes(own)
    title = sentence(notes[0].message) if len(notes) == 1 else code.replace("-", " ").capitalize()
    count = sum(note.count for note in notes)
    return Group(code, severity, _WORDS[severity], title, find_remedy(code), count, notes, _notes(following))


def find_remedy(code: str) -> str:
    """Return what to do about a code; a word that only its message knows stands as `<name>`."""
    entry = CATALOGUE.get(code)
    return re.sub(r"\{(\w+)\}", r"<\1>", entry.remedy) if entry else ""


def _notes(findings: Sequence[Mapping[str, Any]]) -> tuple[Note, ...]:
    by_message: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        by_message.setdefault(finding["message"].removesuffix(_FURTHER), []).append(finding)
    notes = [Note(m, _places(f), sum(one["count"] for one in f)) for m, f in by_message.items()]
    return tuple(sorted(notes, key=lambda note: -note.count))


def _places(findings: Sequence[Mapping[str, Any]]) -> tuple[Place, ...]:
    spots: dict[tuple[str | None, str | None], list[Mapping[str, Any]]] = {}
    for finding in findings:
        spots.setdefault((finding.get("file"), finding.get("column")), []).append(finding)
    return tuple(_place(file, column, found) for (file, column), found in spots.items())


def _place(file: str | None, column: str | None, findings: Sequence[Mapping[str, Any]]) -> Place:
    count = sum(f["count"] for f in findings)
    return Place(file, column, line_list((f["line"] for f in findings if f.get("line")), count), count)


def count_words(document: Document, *severities: Severity) -> str:
    """Return how many findings there are of each severity, as `2 that reject the drop, 420 errors`."""
    counts = document.get("findings") or {}
    words = {
        Severity.CATASTROPHIC: ("that rejects the drop", "that reject the drop"),
        Severity.ERROR: ("error", "errors"),
        Severity.WARNING: ("warning", "warnings"),
        Severity.INFO: ("repair", "repairs"),
    }
    return ", ".join(plural(counts[s], *words[s]) for s in severities if counts.get(s))


# The verdict --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that can be done next, and the command for it, if there is one."""

    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the drop: its state as a word, what that means, why it is so, what to do next.

    `tone` is `good`, `wait`, `bad` or `quiet`. `receipt` is the word and what it means for who sent the drop.
    """

    tone: str
    word: str
    meaning: str
    receipt: tuple[str, str]
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


_PLAIN = {
    "duplicate": (
        "Duplicate",
        "nothing was done.",
        "This very file has been taken in before.",
        "This very file has been received before. Nothing was done, and nothing needs to be.",
    ),
    "discarded": (
        "Discarded",
        "nothing has been changed.",
        "An administrator refused this drop.",
        "The district's administrator refused this drop. Nothing has been changed.",
    ),
    "superseded": (
        "Superseded",
        "nothing has been changed.",
        "A newer drop came before this one was released.",
        "A newer drop has taken this one's place. Nothing needs to be done.",
    ),
    "received": (
        "Received",
        "it is being looked at.",
        "The report is complete once the run has ended.",
        "The drop has been taken in and is being looked at.",
    ),
    "applying": (
        "Accepted",
        "its changes are being carried out.",
        "The report is complete once the run has ended.",
        "The drop is good. Its changes are being carried out.",
    ),
}
"""What to say of a state that needs no reckoning: word, meaning, reason, and what the vendor is told."""


def judge(document: Document) -> Verdict:
    """Return what became of a run, in words.

    Raises:
        KeyError: the document has a state that a run cannot have (DESIGN section 7).
    """
    match document["state"]:
        case "held":
            return _judge_held(document)
        case "rejected":
            return _judge_rejected(document)
        case "applied":
            return _judge_applied(document)
        case "failed":
            return _judge_failed(document)
        case state:
            word, meaning, reason, told = _PLAIN[state]
            return Verdict("quiet", word, meaning, (word.upper(), told), (reason,))


def _judge_held(document: Document) -> Verdict:
    run, feed, digest = document["run"], document["feed"], document.get("digest")
    done, _ = tally(document)
    meaning = f"{plural(done, 'change')} went through, the rest waits." if done else "nothing has been changed."
    steps = [Step("Look at what would happen, record by record.", f"ingestd plan {feed}")]
    if digest:
        steps.append(Step("If it is right, consent to exactly this plan.", f"ingestd release {run} --plan {digest}"))
    steps.append(
        Step("If it is not, refuse it, and send a new export once the cause is mended.", f"ingestd discard {run}")
    )
    reasons = tuple(sentence(b["message"]) for b in document.get("breaches") or ())
    reasons = reasons or ("It waits for an administrator's consent.",)
    told = "Nothing has been changed yet: the district's administrator has to look at it first."
    return Verdict("wait", "Held", meaning, ("HELD", told), reasons, tuple(steps))


def _judge_rejected(document: Document) -> Verdict:
    groups = group_findings(document.get("listed_findings") or ())
    fatal = [group for group in groups if group.severity is Severity.CATASTROPHIC]
    reasons = [_locate(note) for group in fatal for note in group.notes]
    if len(reasons) > 3:
        reasons[2:] = [f"And {number(len(reasons) - 2)} more reasons, listed below."]
    steps = (
        Step("Mend what is listed below where the export is made, and send the drop again: no need to wait a night."),
        Step(
            "A new export can be tried before it is sent.",
            f"ingestd check {shlex.quote(document.get('drop') or 'ZIP')}",
        ),
    )
    told = "The drop cannot be used as it is. Nothing has been changed."
    return Verdict("bad", "Rejected", "nothing has been changed.", ("REJECTED", told), tuple(reasons), steps)


def _judge_applied(document: Document) -> Verdict:
    done, failed = tally(document)
    kept = document.get("held_back") or 0
    reasons = []
    if kept:
        were = plural(kept, "record was", "records were")
        reasons.append(f"{were} held back for errors; what was accepted earlier stays as it is.")
    if failed:
        reasons.append(f"{plural(failed, 'action')} of {number(done + failed)} failed and will be tried again.")
    steps = (Step("Mend the errors listed below; the next drop brings the rest."),)
    told = "The drop is good." if not kept else "The drop is good but for the records that were held back."
    tone = "wait" if failed else "good"
    return Verdict(tone, "Applied", _changes(document), ("ACCEPTED", told), tuple(reasons), steps if kept else ())


def _judge_failed(document: Document) -> Verdict:
    done, failed = tally(document)
    meaning = (
        f"{number(done)} of {plural(done + failed, 'action')} were carried out."
        if done
        else "nothing has been changed."
    )
    reasons = (
        "The drop is good; the application could not be brought up to date.",
        *((sentence(document["error"]),) if document.get("error") else ()),
    )
    steps = (
        Step("Nothing is lost, and nothing needs to be sent again: the next run does what is left."),
        Step("See what is left to do.", f"ingestd plan {document['feed']}"),
        Step("Look for what is wrong on this machine.", "ingestd doctor"),
    )
    told = "The drop is good. It could not be applied yet; that is not for you to mend."
    return Verdict("bad", "Failed", meaning, ("ACCEPTED", told), reasons, steps)


def _changes(document: Document) -> str:
    """Say what changed in the roster, in one sentence without its subject."""
    totals = _totals(document.get("changeset"), "created", "updated", "deleted")
    words = zip(totals, ("new", "changed", "gone"), strict=True)
    said = [f"{number(count)} {word}" for count, word in words if count]
    if not said:
        return "nothing had changed since the last drop." if document.get("changeset") else "done."
    noun = "record is" if sum(totals) == 1 else "records are"
    first, *rest = said
    head = first.replace(" ", f" {noun} ", 1)
    return f"{', '.join([head, *rest[:-1]])}{' and ' + rest[-1] if rest else ''}."


def _locate(note: Note) -> str:
    place = note.places[0]
    where = ", ".join(filter(None, (place.file, f"column {place.column}" if place.column else None)))
    is_named = not where or note.message.startswith(f"{place.file} ")
    return sentence(note.message if is_named else f"{where}: {note.message}")


def _totals(table: Mapping[str, Mapping[str, int]] | None, *names: str) -> tuple[int, ...]:
    rows = list((table or {}).values())
    return tuple(sum(row.get(name) or 0 for row in rows) for name in names)


def tally(document: Document) -> tuple[int, int]:
    """Return how many actions were done and how many failed, over all outcomes."""
    outcomes = document.get("outcomes") or ()
    return sum(o.get("done") or 0 for o in outcomes), sum(sum(failures(o).values()) for o in outcomes)


def failures(outcome: Mapping[str, Any]) -> Counter[str]:
    """Return how often each reason made an action fail; `failed` is a count, or a reason for each row."""
    failed = outcome.get("failed") or 0
    return Counter({"": failed}) if isinstance(failed, int) else Counter(failed.values())


# The page -----------------------------------------------------------------------------------------------------


def render_html(document: Document, template: "Template") -> str:
    """Return the page: `template` (`report.html.j2`) filled with the document and what is said about it."""
    groups = group_findings(document.get("listed_findings") or ())
    return template.render(
        run=document,
        verdict=judge(document),
        breaches=document.get("breaches") or (),
        wrong=[group for group in groups if group.severity is not Severity.INFO],
        repairs=count_words(document, Severity.INFO),
        gravity=count_words(document, *ORDER[:-1]),
        repaired=[group for group in groups if group.severity is Severity.INFO],
        done=_done(document),
        happened=document["state"] in {"applied", "applying", "failed"},
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What is planned for one target table, what came of it by kind of action, and why some of it failed."""

    target: str
    planned: Counter[str]
    done: Counter[str]
    failed: int
    reasons: tuple[str, ...]


def _done(document: Document) -> tuple[Done, ...]:
    outcomes = document.get("outcomes") or ()
    targets = dict.fromkeys([*(document.get("actions") or {}), *(o["target"] for o in outcomes)])
    return tuple(_done_in(target, document, [o for o in outcomes if o["target"] == target]) for target in targets)


def _done_in(target: str, document: Document, outcomes: Sequence[Mapping[str, Any]]) -> Done:
    reasons = sum((failures(o) for o in outcomes), Counter[str]())
    said = tuple(f"{plural(n, 'action')}: {reason}" for reason, n in reasons.most_common(_NOTES) if reason)
    done: Counter[str] = Counter()
    for outcome in outcomes:
        done[outcome["kind"]] += outcome.get("done") or 0
    planned = Counter[str]((document.get("actions") or {}).get(target, {}))
    return Done(target, planned, done, reasons.total(), said)


# The receipt --------------------------------------------------------------------------------------------------


def render_receipt(document: Document) -> str:
    """Return the receipt for who sent the drop: plain text of at most 72 columns, without a value of the data."""
    verdict = judge(document)
    word, told = verdict.receipt
    reasons = verdict.reasons if document["state"] in {"held", "rejected"} else ()
    head = [*_wrap(document.get("drop") or "no file", f"{word}  "), *_wrap(told)]
    parts = (
        head,
        [line for reason in reasons for line in _wrap(reason, "- ")],
        _receipt_facts(document),
        _receipt_tables(document),
        _receipt_findings(document),
        _receipt_to_do(document["state"], document.get("held_back") or 0),
    )
    text = "\n\n".join("\n".join(part) for part in parts if part)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text) + "\n"


def _wrap(text: str, first: str = "", indent: int | None = None) -> list[str]:
    rest = " " * (len(first) if indent is None else indent)
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _receipt_facts(document: Document) -> list[str]:
    received, sha256 = document.get("received_at"), document.get("sha256")
    facts = [f"Received  {moment(received)}"] if received else []
    return [*facts, f"Run       {document['run']}", *(("SHA-256", f"  {sha256}") if sha256 else ())]


def _receipt_tables(document: Document) -> list[str]:
    tables = document.get("tables") or {}
    rows = [
        f"{table + '.csv':<28}{number(t['rows']):>14}{number(t['valid']):>14}{number(t['held_back']):>14}"
        for table, t in tables.items()
    ]
    return [f"{'FILE':<28}{'ROWS':>14}{'VALID':>14}{'HELD BACK':>14}", *rows] if rows else []


def _receipt_findings(document: Document) -> list[str]:
    groups = group_findings(document.get("listed_findings") or ())
    total = count_words(document, *ORDER)
    lines = [line for group in groups[:_GROUPS] for line in _receipt_group(group)]
    more = [f"And {number(len(groups) - _GROUPS)} more kinds."] if len(groups) > _GROUPS else []
    return [*_wrap(f"FINDINGS: {total}" if total else "FINDINGS"), *lines, *more] if groups else []


def _receipt_group(group: Group) -> list[str]:
    times = f", {number(group.count)} times" if group.count > 1 else ""
    lines = ["", f"{group.word.upper()}  {group.code}{times}"]
    for note in group.notes[:3]:
        lines += _wrap(sentence(note.message), "  ")
        for place in note.places[:3]:
            where = ", ".join(filter(None, (place.file, place.column and f"column {place.column}", place.lines)))
            lines += _wrap(where, "  in ", 5) if place.file else []
    more = sum(note.count for note in group.notes[3:])
    lines += [f"  and {number(more)} more"] if more else []
    lines += [f"  {plural(group.cascaded, 'more record')} affected by it"] if group.cascades else []
    return [*lines, *_wrap(group.remedy, "  > ")]


def _receipt_to_do(state: str, held_back: int) -> list[str]:
    told = {
        "held": "If this is what you meant to send, nothing: the administrator decides. If not, send the right export; "
        "it takes this one's place.",
        "rejected": "Mend the findings above, those that reject the drop first, and send the whole zip again.",
    }.get(state, "Mend the errors above in the next export." if held_back else "Nothing.")
    return ["WHAT TO DO", *_wrap(told, "  ")] if state not in _PLAIN else []


# The rows of findings.csv -------------------------------------------------------------------------------------


def findings_rows(batches: Iterable[Batch]) -> pa.Table:
    """Return every line of every batch as a row, gravest first, its text safe to open in a spreadsheet.

    The counts of a batch's rows add up to the batch's: the first row carries what has no line of its own.
    """
    kept = sorted(batches, key=lambda one: ORDER.index(one.severity))
    sizes = np.array([max(1, len(one.lines)) for one in kept], dtype=np.int64)
    counts = np.ones(sizes.sum(), dtype=np.int64)
    counts[np.cumsum(sizes) - sizes] = [max(0, one.count - size + 1) for one, size in zip(kept, sizes, strict=True)]
    lines = np.fromiter(chain.from_iterable(one.lines or (0,) for one in kept), np.int64, len(counts))
    which = pa.array(np.repeat(np.arange(len(kept)), sizes))

    def spread(texts: Iterable[str | None]) -> pa.Array:
        return _defuse(pa.array(list(texts), pa.string())).take(which)

    return pa.table(
        {
            "severity": spread(str(one.severity) for one in kept),
            "code": spread(one.code for one in kept),
            "file": spread(one.file for one in kept),
            "line": pa.array(lines, mask=lines == 0),
            "column": spread(one.column for one in kept),
            "count": pa.array(counts),
            "message": spread(one.message for one in kept),
            "remedy": spread(find_remedy(one.code) for one in kept),
            "caused_by": spread(_name_cause(one) for one in kept),
        }
    )


def _defuse(texts: pa.Array) -> pa.Array:
    """Put an apostrophe before what a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return pc.replace_substring_regex(texts, r"^([=+\-@\t\r])", r"'\1")


def _name_cause(one: Batch) -> str | None:
    cause = one.caused_by
    return ":".join(str(part) for part in (cause.code, cause.file, cause.line) if part) if cause else None


# The log line -------------------------------------------------------------------------------------------------


def summary_line(document: Document) -> dict[str, Any]:
    """Return the fields of a run's one log line: names, counts, codes and seconds, and no text that others wrote.

    `codes` counts the listed findings and the breaches by code; the other fields are sums over all tables.
    """
    done, failed = tally(document)
    codes: Counter[str] = Counter()
    for finding in document.get("listed_findings") or ():
        codes[finding["code"]] += finding["count"]
    breaches = [breach["code"] for breach in document.get("breaches") or ()]
    codes.update(breaches)
    stages = document.get("stages") or {}
    return {
        "run": document["run"],
        "feed": document["feed"],
        "state": document["state"],
        **_sums(document.get("tables"), "rows", "valid", "held_back"),
        **_sums(document.get("changeset"), "created", "updated", "deleted", "unchanged"),
        **_sums(document.get("actions"), *Kind),
        "done": done,
        "failed": failed,
        "left_out": sum(left["count"] for left in document.get("left_out") or ()),
        "breaches": len(breaches),
        "findings": dict(document.get("findings") or {}),
        "codes": dict(codes.most_common()),
        "seconds": round(sum(stages.values()), 3),
        "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
    }


def _sums(table: Mapping[str, Mapping[str, int]] | None, *names: str) -> dict[str, int]:
    return dict(zip(names, _totals(table, *names), strict=True)) if table else {}
