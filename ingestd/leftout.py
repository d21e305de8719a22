"""`ingestd scope`: which records of the roster are out of scope, and why."""

from typing import Any

import numpy as np

from ingestd.core.scope import WORDS
from ingestd.core.scoping import DECIDED
from ingestd.errors import UsageError
from ingestd.feed import Feed
from ingestd.tables import Tables


def tables_of(feed: Feed) -> Tables:
    """Return the tables of the held run if there is one, else of the snapshot."""
    return Tables(feed.store.snapshot, feed.preview(None).settled, feed.runs.policy.scope, feed.runs.today())


def count_left_out(feed: Feed) -> list[dict[str, Any]]:
    """Return `{"table", "reason", "why", "count", "of"}` for each table and reason; `of` is how many the roster has."""
    tables = tables_of(feed)
    return [
        {"table": name, "reason": str(reason), "why": WORDS[reason], "count": count, "of": len(one.frame)}
        for name, one in (tables.decided.items() if tables.is_scoped else ())
        for reason, count in one.counts().items()
    ]


def list_left_out(feed: Feed, table: str) -> list[dict[str, Any]]:
    """Return `{"table", "sourcedId", "reason", "why"}` for each record of a table that is left out.

    Raises:
        UsageError: scope decides nothing on such a table.
    """
    if table not in DECIDED:
        raise UsageError(f"scope decides on {', '.join(DECIDED)}; records of other tables go with these")
    tables = tables_of(feed)
    if not tables.is_scoped:
        return []
    one = tables.decided[table]
    found = ((one.frame["sourcedId"].iloc[row], one.reason(row)) for row in np.flatnonzero(~one.kept).tolist())
    return [
        {"table": table, "sourcedId": sourced_id, "reason": str(reason), "why": WORDS[reason]}
        for sourced_id, reason in found
        if reason
    ]
