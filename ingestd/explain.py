"""`ingestd explain`: the life of one record, from the snapshot's versions and the owned target records."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ingestd.core.columns import TEXT
from ingestd.core.mapping import KEY_JOIN
from ingestd.errors import UsageError
from ingestd.feed import Feed
from ingestd.snapshot import Version
from ingestd.stages import Stages
from ingestd.tables import Tables
from ingestd.targets import Targets
from schemas import shapes

Columns = list[str] | dict[str, tuple[str, str]]


def explain_record(feed: Feed, table: str, sourced_id: str, *, values: bool = False) -> dict[str, Any]:
    """Return `{"feed", "table", "sourcedId", "events": […], "owned": […]}`; events oldest first.

    An event has the run, its drop and time, what happened (created, changed, rekeyed, removed), and the columns:
    their names, or with `values` each with its old and new value.

    Raises:
        UsageError: there is no such table or record.
    """
    if table not in shapes():
        raise UsageError(f"there is no table {table}; OneRoster has {', '.join(shapes())}")
    versions = _versions(feed, table, sourced_id)
    if not versions:
        raise UsageError(f"{table} has never had a record {sourced_id} in feed {feed.name}")
    runs = {run.number: run.document for run in feed.store.runs()}
    return {
        "feed": feed.name,
        "table": table,
        "sourcedId": sourced_id,
        "events": list(_events(versions, runs, _next_id(feed, table, sourced_id, versions), values=values)),
        "owned": list(_owned(feed, table, versions)),
    }


def _versions(feed: Feed, table: str, sourced_id: str) -> list[Version]:
    """Return a record's versions, oldest first, those under the ids that it had before too."""
    versions = feed.store.snapshot.history(table, sourced_id)
    for i in reversed(range(len(versions))):
        old = feed.store.id_before(table, sourced_id, versions[i].opened)
        if old:
            before = [one for one in _versions(feed, table, old) if one.opened < versions[i].opened]
            return [*before, *versions[i:]]
    return versions


def _next_id(feed: Feed, table: str, sourced_id: str, versions: list[Version]) -> str | None:
    """Return the id under which a record goes on, if it does."""
    closed = versions[-1].closed if versions else None
    return feed.store.id_after(table, sourced_id, closed) if closed is not None else None


def _owned(feed: Feed, table: str, versions: list[Version]) -> Iterator[dict[str, Any]]:
    """Yield the target records that the record's versions give by today's rules, as far as ingestd owns them."""
    policy = feed.runs.policy
    tables = Tables(feed.store.snapshot, {}, policy.scope, feed.runs.today())
    targets = Targets(feed.store, tables, policy, True, Stages())
    frame = pd.DataFrame([version.values for version in versions]).fillna("").astype(TEXT)
    for target in policy.rules.targets:
        for key in targets.keys_of(target, frame) if target.source == table else ():
            active = feed.store.owns(target.name, key)
            if active is not None:
                yield {"target": target.name, "key": key.replace(KEY_JOIN, ", "), "active": active}


def _events(
    versions: list[Version], runs: Mapping[int, Mapping[str, Any]], next_id: str | None, *, values: bool
) -> Iterator[dict[str, Any]]:
    before: Version | None = None
    for version in versions:
        is_change = before is not None and before.closed == version.opened
        old = before.values if before and is_change else {}
        changed = {
            name: (old.get(name, ""), value) for name, value in version.values.items() if old.get(name, "") != value
        }
        what = "rekeyed" if is_change and "sourcedId" in changed else "changed" if is_change else "created"
        yield _event(version.opened, runs, what, changed, values=values)
        before = version
    if before is not None and before.closed is not None:
        moved = {"sourcedId": (before.values["sourcedId"], next_id)} if next_id else {}
        yield _event(before.closed, runs, "rekeyed" if next_id else "removed", moved, values=values)


def _event(
    number: int, runs: Mapping[int, Mapping[str, Any]], what: str, changed: dict[str, tuple[str, str]], *, values: bool
) -> dict[str, Any]:
    run = runs.get(number, {})
    columns: Columns = changed if values else list(changed)
    return {
        "run": run.get("run", f"#{number}"),
        "drop": run.get("drop"),
        "at": run.get("received_at", ""),
        "what": what,
        "columns": columns,
    }
