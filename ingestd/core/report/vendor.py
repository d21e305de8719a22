"""The receipt for programs: the same as the text, as one JSON object of a shape that is versioned and documented.

Law: it has no value of the data, and of the feed only what its sender knows or may know.
"""

from typing import Any

from ingestd.core.report.messages import find_remedy
from ingestd.core.report.verdict import judge
from ingestd.core.report.words import Document

VERSION = 1
"""Of the shape. Fields may be added to it; none is taken away or changes its meaning without a new version."""
FIRST = 50
"""How many findings are listed."""
_KEPT = ("drop", "sha256", "run", "feed", "received_at", "finished_at", "oneroster")


def receipt_document(document: Document) -> dict[str, Any]:
    """Return the receipt for a run: what became of the drop, how much is wrong with it, and the first findings.

    `verdict` is the first word of the text in lower case; `findings` counts by severity; each of the `listed` has what
    to do as `remedy`.
    """
    word, told = judge(document).receipt
    listed = document.get("listed_findings") or ()
    return {
        "version": VERSION,
        "verdict": word.lower(),
        "told": told,
        **{name: document.get(name) for name in _KEPT},
        "tables": document.get("tables") or {},
        "findings": document.get("findings") or {},
        "listed": [{**one, "remedy": find_remedy(one["code"], [one["message"]])} for one in listed[:FIRST]],
        "more": max(0, len(listed) - FIRST),
        "other_run": document.get("duplicate_of") or document.get("superseded_by") or document.get("waits_for"),
    }
