"""The one log line of a run: names, counts, codes and seconds, and no text that others wrote (law 9)."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ingestd.core.model import Kind
from ingestd.core.report.verdict import tally, totals
from ingestd.core.report.words import Document


def summary_line(document: Document) -> dict[str, Any]:
    """Return the fields of the line.

    `codes` counts the listed findings and the breaches by code; `left_out` adds up what was counted, for a table that
    is left out is not read. The other fields are sums over all tables.
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
        "left_out": sum(left.get("count") or 0 for left in document.get("left_out") or ()),
        "breaches": len(breaches),
        "findings": dict(document.get("findings") or {}),
        "codes": dict(codes.most_common()),
        "seconds": round(sum(stages.values()), 3),
        "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
    }


def _sums(table: Mapping[str, Mapping[str, int]] | None, *names: str) -> dict[str, int]:
    return dict(zip(names, totals(table, *names), strict=True)) if table else {}
