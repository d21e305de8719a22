"""The receipt for who sent the drop: the verdict first, then why, what to do, what came, and the rest that was found.

The law: plain text of at most 72 columns, and nothing that puts a line or a colour into it but what is written here.
"""

from collections.abc import Sequence

from ingestd.core.findings import ORDER
from ingestd.core.model import Severity
from ingestd.core.report.groups import Group, count_words, group_findings
from ingestd.core.report.prose import group_lines, wrap
from ingestd.core.report.verdict import judge
from ingestd.core.report.words import Document, moment, number

WIDTH = 72
_REASONS, _GROUPS = 8, 20
_UNDECIDED = frozenset({"held", "rejected", "applied", "failed"})  # states in which there may be something to do
_TO_DO = {
    "held": "If this is what you meant to send, nothing: the administrator decides. If not, send the right export; "
    "it takes this one's place.",
    "rejected": "Mend what rejects the drop, in the export itself, and send the whole zip again. No need to wait.",
}


def render_receipt(document: Document) -> str:
    """Return the receipt for a run."""
    groups = group_findings(document.get("listed_findings") or ())
    fatal = [group for group in groups if group.severity is Severity.CATASTROPHIC]
    others = [group for group in groups if group.severity is not Severity.CATASTROPHIC]
    parts = (
        _head(document),
        _reasons(document),
        _findings("WHAT REJECTS IT", fatal),
        _to_do(document),
        _facts(document),
        _tables(document),
        _findings(_other(document), others),
        _more(groups),
    )
    text = "\n\n".join("\n".join(part) for part in parts if part)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text) + "\n"


def _head(document: Document) -> list[str]:
    word, told = judge(document).receipt
    return [*wrap(document.get("drop") or "no file", WIDTH, f"{word}  "), *wrap(told, WIDTH)]


def _reasons(document: Document) -> list[str]:
    """Return why a drop is held; why one is rejected is told in full, as findings."""
    if document["state"] != "held":
        return []
    reasons = judge(document).reasons
    more = [f"- And {number(len(reasons) - _REASONS)} more."] if len(reasons) > _REASONS else []
    return [*(line for reason in reasons[:_REASONS] for line in wrap(reason, WIDTH, "- ")), *more]


def _to_do(document: Document) -> list[str]:
    state = document["state"]
    if state not in _UNDECIDED:
        return []
    rest = "Mend the errors below in the next export." if document.get("held_back") else "Nothing."
    return ["WHAT TO DO", *wrap(_TO_DO.get(state, rest), WIDTH, "  ")]


def _facts(document: Document) -> list[str]:
    received, sha256 = document.get("received_at"), document.get("sha256")
    facts = [f"Received  {moment(received)}"] if received else []
    return [*facts, f"Run       {document['run']}", *(("SHA-256", f"  {sha256}") if sha256 else ())]


def _tables(document: Document) -> list[str]:
    rows = [
        f"{table + '.csv':<28}{number(t['rows']):>14}{number(t['valid']):>14}{number(t['held_back']):>14}"
        for table, t in (document.get("tables") or {}).items()
    ]
    unread = [
        f"{left['table'] + '.csv':<28}{'not read: this feed does not take it in':>44}"
        for left in document.get("left_out") or ()
        if left.get("count") is None
    ]
    return [f"{'FILE':<28}{'ROWS':>14}{'VALID':>14}{'HELD BACK':>14}", *rows, *unread] if rows else []


def _other(document: Document) -> str:
    total = count_words(document, *ORDER[1:])
    name = "OTHER FINDINGS" if (document.get("findings") or {}).get(Severity.CATASTROPHIC) else "FINDINGS"
    return f"{name}: {total}" if total else name


def _more(groups: Sequence[Group]) -> list[str]:
    """Say where more can be read; of repairs there is no need to."""
    if all(group.severity is Severity.INFO for group in groups):
        return []
    return ["More about a code: ingestd explain-code CODE"]


def _findings(heading: str, groups: Sequence[Group]) -> list[str]:
    if not groups:
        return []
    lines = [line for group in groups[:_GROUPS] for line in ("", *group_lines(group, WIDTH))]
    more = ["", f"And {number(len(groups) - _GROUPS)} more kinds."] if len(groups) > _GROUPS else []
    return [*wrap(heading, WIDTH), *lines, *more]
