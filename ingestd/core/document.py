"""The run document: what `show --json` prints, the report tells and the store keeps. It has no values of the data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ingestd.core.findings import count_by_severity, list_findings
from ingestd.core.model import Batch, Breach, Changes, Mode, Outcome, Plan, TableCount


def about_drop(
    *, oneroster: str | None, modes: Mapping[str, Mode], tables: Mapping[str, TableCount], batches: Sequence[Batch]
) -> dict[str, Any]:
    """Return what a document says of the drop and its findings."""
    return {
        "oneroster": oneroster,
        "modes": {name: str(mode) for name, mode in modes.items()},
        "tables": {
            name: {"rows": one.rows, "valid": one.valid, "held_back": one.held_back} for name, one in tables.items()
        },
        "findings": count_by_severity(batches),
        "listed_findings": [one.as_dict() for one in list_findings(batches)],
    }


def about_plan(
    *, changes: Mapping[str, Changes], fields: Mapping[str, Mapping[str, int]], breaches: Sequence[Breach], plan: Plan,
    held_back: int, pinned: Mapping[str, int], waiting: Mapping[str, int],
) -> dict[str, Any]:  # fmt: skip
    """Return what a document says of the changes and the plan.

    `pinned` are the actions left out for pins, `waiting` the removals that are not due yet, by target table.
    """
    return {
        "digest": plan.digest,
        "changeset": {name: one.as_dict() for name, one in changes.items()},
        "fields": {name: dict(counts) for name, counts in fields.items()},
        "breaches": [one.as_dict() for one in breaches],
        "actions": plan.counts(),
        "held_back": held_back,
        "pinned": dict(pinned),
        "waiting": dict(waiting),
    }


def about_sinks(
    document: Mapping[str, Any], done: Mapping[str, Sequence[Outcome]], faults: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a document says of the sinks once a run is applied: what was done where, and which failed.

    `outcomes` are those of the sink in which most failed, or if nothing did, in which most was done; `faults` has in
    words why nothing was in the others.
    """
    told_first = max(done.values(), key=_weight)
    about: dict[str, Any] = {"outcomes": about_outcomes(told_first)}
    if len(done) + len(faults) == 1:
        return about
    told: dict[str, dict[str, Any]] = {
        name: {"outcomes": about_outcomes(outcomes), "error": None} for name, outcomes in done.items()
    }
    told |= {name: {"outcomes": [], "error": words} for name, words in faults.items()}
    planned = document.get("sinks") or {}
    return {**about, "sinks": {name: {**planned.get(name, {}), **one} for name, one in told.items()}}


def _weight(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    return sum(len(one.failed) for one in outcomes), sum(one.done for one in outcomes)


def about_outcomes(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the outcomes, counted; a failure's reason is kept with the row it belongs to."""
    return [
        {
            "target": one.target,
            "kind": str(one.kind),
            "done": one.done,
            "failed": {str(row): reason for row, reason in one.failed.items()},
        }
        for one in outcomes
    ]


def changed_fields(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, int]:
    """Return in how many records each column changed; the frames have the same records in the same order."""
    counts: dict[str, int] = {}
    for name in dict.fromkeys([*after.columns, *before.columns]):
        old = before[name].to_numpy(object) if name in before.columns else np.full(len(after), "", object)
        new = after[name].to_numpy(object) if name in after.columns else np.full(len(before), "", object)
        if changed := int(np.count_nonzero(old != new)):
            counts[name] = changed
    return counts
