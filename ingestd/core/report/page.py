"""The page for the admin: what its template is filled with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ingestd.core.catalogue import BREACHES
from ingestd.core.findings import ORDER
from ingestd.core.model import Kind, Severity
from ingestd.core.report.breaches import group_breaches
from ingestd.core.report.groups import count_words, group_findings
from ingestd.core.report.verdict import failures, judge
from ingestd.core.report.words import Document, plural

if TYPE_CHECKING:
    from jinja2 import Template

_REASONS = 8


@dataclass(frozen=True, slots=True)
class Done:
    """What is planned for one target table, what came of it by kind of action, and why some of it failed."""

    target: str
    planned: Counter[str]
    done: Counter[str]
    failed: int
    reasons: tuple[str, ...]


def render_html(document: Document, template: "Template") -> str:
    """Return the page: `template` (`report.html.j2`) filled with the document and what is said about it."""
    groups = group_findings(document.get("listed_findings") or ())
    excesses = group_breaches(document)
    verdict = judge(document)
    told = {excess.sentence for excess in excesses}  # with a gauge each, between what is before and after
    done = list_done(document)
    before = list(takewhile(lambda reason: reason not in told, verdict.reasons))
    return template.render(
        run=document,
        verdict=verdict,
        before=before,
        after=[reason for reason in verdict.reasons[len(before) :] if reason not in told],
        excesses=excesses,
        breached=[BREACHES[code] for code in _codes(document) if code in BREACHES],
        wrong=[group for group in groups if group.severity is not Severity.INFO],
        repairs=(document.get("findings") or {}).get(Severity.INFO, 0),
        gravity=count_words(document, *ORDER[:-1]),
        repaired=[group for group in groups if group.severity is Severity.INFO],
        done=done,
        has_rekeys=any(one.planned[Kind.REKEY] or one.done[Kind.REKEY] for one in done),
        happened=document["state"] in {"applied", "applying", "failed"},
    )


def _codes(document: Document) -> tuple[str, ...]:
    """Return the codes of a run's breaches, each once."""
    return tuple(dict.fromkeys(breach["code"] for breach in document.get("breaches") or ()))


def list_done(document: Document) -> tuple[Done, ...]:
    """Return what is planned and was done for each target table."""
    outcomes = document.get("outcomes") or ()
    targets = dict.fromkeys([*(document.get("actions") or {}), *(o["target"] for o in outcomes)])
    return tuple(_done_in(target, document, [o for o in outcomes if o["target"] == target]) for target in targets)


def _done_in(target: str, document: Document, outcomes: Sequence[Mapping[str, Any]]) -> Done:
    reasons = sum((failures(o) for o in outcomes), Counter[str]())
    said = tuple(f"{plural(n, 'action')}: {reason}" for reason, n in reasons.most_common(_REASONS) if reason)
    done: Counter[str] = Counter()
    for outcome in outcomes:
        done[outcome["kind"]] += outcome.get("done") or 0
    planned = Counter[str]((document.get("actions") or {}).get(target, {}))
    return Done(target, planned, done, reasons.total(), said)
