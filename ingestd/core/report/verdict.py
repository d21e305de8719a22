"""What became of a drop: a word, what it means, why it is so, what to do next; for the admin, and for the vendor."""

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingestd.core.model import Severity
from ingestd.core.report.breaches import breach_sentences
from ingestd.core.report.groups import Group, Note, group_findings
from ingestd.core.report.words import Document, moment, number, plural, sentence


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
        "The same file, byte for byte, was taken in before{by}.",
        "The same file was received before{by}; what was said of it then still holds. Nothing was done.",
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
        "A newer drop came before this one was applied, and took its place{by}.",
        "A newer drop has taken this one's place{by}. Nothing needs to be done.",
    ),
    "waiting": (
        "Waiting",
        "nothing has been changed.",
        "It builds on an older drop that is not applied yet, and is worked on after it{by}.",
        "The drop has been taken in. It builds on an older one that is not applied yet{by}, and waits for it.",
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

_FAILED = {
    True: (
        "The drop is good; the application could not be brought up to date.",
        "ACCEPTED",
        "The drop is good. It could not be applied yet; that is not for you to mend.",
    ),
    False: (
        "The drop could not be looked at, for a reason that is not in it.",
        "RECEIVED",
        "The drop has been taken in. It could not be looked at yet; that is not for you to mend.",
    ),
}
"""What to say of a run that failed, after its plan was made or before."""


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
            return _judge_plain(document, "waiting" if _waits(document) else state)


def tally(document: Document) -> tuple[int, int]:
    """Return how many actions were done and how many failed, over all outcomes."""
    outcomes = document.get("outcomes") or ()
    return sum(o.get("done") or 0 for o in outcomes), sum(sum(failures(o).values()) for o in outcomes)


def failures(outcome: Mapping[str, Any]) -> Counter[str]:
    """Return how often each reason made an action fail; `failed` is a count, or a reason for each row."""
    failed = outcome.get("failed") or 0
    return Counter({"": failed}) if isinstance(failed, int) else Counter(failed.values())


def totals(table: Mapping[str, Mapping[str, int]] | None, *names: str) -> tuple[int, ...]:
    """Return the sums of the named columns of a table of counts."""
    rows = list((table or {}).values())
    return tuple(sum(row.get(name) or 0 for row in rows) for name in names)


def fatal_groups(document: Document) -> tuple[Group, ...]:
    """Return the findings that reject a drop, grouped."""
    groups = group_findings(document.get("listed_findings") or ())
    return tuple(group for group in groups if group.severity is Severity.CATASTROPHIC)


def _waits(document: Document) -> bool:
    return document["state"] == "received" and bool(document.get("waits_for"))


def _judge_plain(document: Document, state: str) -> Verdict:
    word, meaning, reason, told = _PLAIN[state]
    other = document.get("duplicate_of") or document.get("superseded_by") or document.get("waits_for")
    by = f" (run {other})" if other else ""
    return Verdict("quiet", word, meaning, (word.upper(), told.format(by=by)), (reason.format(by=by),))


def _judge_held(document: Document) -> Verdict:
    run, feed, digest = document["run"], document["feed"], document.get("digest")
    done, _ = tally(document)
    meaning = f"{plural(done, 'change')} went through, the rest waits." if done else "nothing has been changed."
    steps = [Step("Look at what would happen.", f"ingestd plan {feed}")]
    if digest:
        steps.append(Step("If it is right, consent to exactly this plan.", f"ingestd release {run} --plan {digest}"))
    steps.append(Step("If it is not, refuse it. A newer export takes its place by itself.", f"ingestd discard {run}"))
    reasons = breach_sentences(document) or ("It waits for an administrator's consent.",)
    if kept := document.get("held_back"):
        reasons = (*reasons, _say_held_back(kept))
    told = "Nothing has been changed yet: the district's administrator has to look at it first."
    return Verdict("wait", "Held", meaning, ("HELD", told), reasons, tuple(steps))


def _judge_rejected(document: Document) -> Verdict:
    reasons = [_locate(note) for group in fatal_groups(document) for note in group.fatal]
    if len(reasons) > 3:
        reasons[2:] = [f"And {number(len(reasons) - 2)} more reasons, listed below."]
    drop = shlex.quote(document.get("drop") or "ZIP")
    steps = (
        Step("Mend what rejects it where the export is made, and send the drop again: no need to wait a night."),
        Step("A new export can be tried before it is sent.", f"ingestd check {drop}"),
    )
    told = "The drop cannot be used as it is. Nothing has been changed."
    return Verdict("bad", "Rejected", "nothing has been changed.", ("REJECTED", told), tuple(reasons), steps)


def _judge_applied(document: Document) -> Verdict:
    done, failed = tally(document)
    kept = document.get("held_back") or 0
    reasons = [_say_held_back(kept)] if kept else []
    if failed:
        reasons.append(f"{plural(failed, 'action')} of {number(done + failed)} failed and will be tried again.")
    steps = [Step("Mend the errors in the export; the next drop brings the rest.")] if kept else []
    down = {name: one["error"] for name, one in (document.get("sinks") or {}).items() if one.get("error")}
    reasons += [f"Nothing was done in the sink {name}: {error}" for name, error in down.items()]
    if failed or down:
        later = _again_at(document) or " at the next run"
        steps.append(Step(f"Have what failed tried now, not{later}.", f"ingestd retry {document['run']}"))
    told = "The drop is good." if not kept else "The drop is good but for the records that were held back."
    tone = "wait" if failed or down else "good"
    return Verdict(tone, "Applied", _changes(document), ("ACCEPTED", told), tuple(reasons), tuple(steps))


def _judge_failed(document: Document) -> Verdict:
    done, failed = tally(document)
    of = f"{number(done)} of {plural(done + failed, 'action')} were carried out."
    reason, word, told = _FAILED["digest" in document]
    fault = (sentence(document["error"]),) if document.get("error") else ()
    again = f"it is tried again{_again_at(document)}, and does what is left."
    steps = (
        Step(f"Nothing is lost, and nothing needs to be sent again: {again}"),
        Step("Have it tried now, once the fault is mended.", f"ingestd retry {document['run']}"),
        Step("See what is left to do.", f"ingestd plan {document['feed']}"),
        Step("Look for what is wrong on this machine.", "ingestd doctor"),
    )
    partly = "a part of its changes is, or may be, carried out." if document.get("partly_done") else ""
    meaning = of if done else partly or "nothing has been changed."
    return Verdict("bad", "Failed", meaning, (word, told), (reason, *fault), steps)


def _again_at(document: Document) -> str:
    """Say when the daemon tries again by itself, if it does before the next day."""
    return f" at {moment(document['retry_at'])}" if document.get("retry_at") else ""


def _say_held_back(count: int) -> str:
    were = plural(count, "record was", "records were")
    return f"{were} held back for errors; what was accepted of them earlier stays as it is."


def _changes(document: Document) -> str:
    """Say what changed in the roster, in one sentence without its subject."""
    counts = totals(document.get("changeset"), "created", "updated", "deleted")
    words = zip(counts, ("new", "changed", "gone"), strict=True)
    said = [f"{number(count)} {word}" for count, word in words if count]
    if not said:
        return "nothing had changed since the last drop." if document.get("changeset") else "done."
    noun = "record is" if next(filter(None, counts)) == 1 else "records are"
    first, *rest = said
    head = first.replace(" ", f" {noun} ", 1)
    return f"{', '.join([head, *rest[:-1]])}{' and ' + rest[-1] if rest else ''}."


def _locate(note: Note) -> str:
    place = note.places[0]
    where = ", ".join(filter(None, (place.file, f"column {place.column}" if place.column else None)))
    is_named = not where or note.message.startswith(f"{place.file} ")
    return sentence(note.message if is_named else f"{where}: {note.message}")
