"""`ingestd explain`: the life of one record: what drops, findings, scope, rules and runs made of it."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ingestd.core.columns import TEXT
from ingestd.core.findings import CATALOGUE
from ingestd.core.mapping import KEY_JOIN
from ingestd.core.model import Batch
from ingestd.core.state import State
from ingestd.errors import UsageError, WorkerError
from ingestd.feed import Feed
from ingestd.owned import Standing
from ingestd.policy import package_limits
from ingestd.reading import read_package
from ingestd.snapshot import Version
from ingestd.stages import Stages
from ingestd.store import Run
from ingestd.tables import Tables
from ingestd.today import RecordTargets, not_given, root_words, scope_of
from ingestd.unpack import PackageFault
from schemas import shapes

Columns = list[str] | dict[str, tuple[str, str]]


def explain_record(
    feed: Feed, table: str, sourced_id: str, *, values: bool = False, sink: str | None = None
) -> dict[str, Any]:
    """Return `{"feed", "table", "sourcedId", "events", "findings", "scope", "targets", "actions", "owned"}`.

    `events`, oldest first, have the run, its drop and time, what happened (created, changed, rekeyed, removed), and the
    columns: their names, or with `values` each with its old and new value.

    `findings` are `{"run", "drop", "line", "severity", "code", "column", "message"}`: those that the record carries as
    it was accepted (they are kept with it, without line), and those of its lines in the newest drop that is still kept,
    which is read again for that. So what held it back is told as long as its drop is the last one and retention lets
    it be; older reports have the rest.

    `scope` and `targets` (`today.scope_of`, `today.RecordTargets.explained`) are today's decisions on the record as it
    was last accepted; `scope` is None if it is not in the roster.

    `owned` are the target records that ingestd made of the record, by today's rules, in its whole life, in `sink` or
    the first one: `{"target", "key", "active"}`. `actions` tell which run made each of them and which one wrote it
    last: `{"target", "key", "what", "run", "at"}`; those in between are not kept, nor are those on what was deleted
    since.

    Raises:
        UsageError: there is no such table or sink, or no trace of such a record.
    """
    if table not in shapes():
        raise UsageError(f"there is no table {table}; OneRoster has {', '.join(shapes())}")
    versions = _versions(feed, table, sourced_id)
    found = [*_carried(feed, table, versions), *_found_in_drop(feed, table, sourced_id)]
    if not versions and not found:
        raise UsageError(f"{table} has never had a record {sourced_id} in feed {feed.name}")
    runs = {run.number: run.document for run in feed.store.runs()}
    policy = feed.runs.policy
    tables = Tables(feed.store.snapshot, {}, policy.scope, feed.runs.today())
    targets = RecordTargets(feed.runs.sinks.owned(sink), tables, policy, True, Stages(), feed=feed.name)
    owned = list(_owned(targets, table, versions))
    return {
        "feed": feed.name,
        "table": table,
        "sourcedId": sourced_id,
        "events": list(_events(versions, runs, _next_id(feed, table, sourced_id, versions), values=values)),
        "findings": found,
        **_today(targets, table, sourced_id, versions, values=values),
        "actions": [one for target, key, found in owned for one in _actions(target, key, found, runs)],
        "owned": [{"target": target, "key": key, "active": found.active} for target, key, found in owned],
    }


def _today(
    targets: RecordTargets, table: str, sourced_id: str, versions: list[Version], *, values: bool
) -> dict[str, Any]:
    """Return what today's scope and rules make of the record."""
    of_table = (target for target in targets.policy.rules.targets if target.source == table)
    if not versions or versions[-1].closed is not None:
        return {"scope": None, "targets": not_given(of_table, "it is not in the roster")}
    scope = scope_of(targets.tables, table, sourced_id)
    if not scope["in"]:
        return {"scope": scope, "targets": not_given(of_table, f"out of scope: {root_words(scope)}")}
    return {"scope": scope, "targets": list(targets.explained(sourced_id, table, values=values))}


# Findings --------------------------------------------------------------------------------------------------------


def _carried(feed: Feed, table: str, versions: list[Version]) -> Iterator[dict[str, Any]]:
    """Yield the repairs and warnings with which the record was last accepted; marks are neither."""
    last = versions[-1] if versions else None
    for bit, (code, column) in enumerate(feed.store.snapshot.notes(table) if last else ()):
        if last and column and last.notes >> bit & 1:
            entry = CATALOGUE[code]
            yield {
                "run": f"{feed.name}.{last.opened}",
                "drop": None,
                "line": None,
                "severity": str(entry.severity),
                "code": code,
                "column": column,
                "message": entry.title,
            }


def _found_in_drop(feed: Feed, table: str, sourced_id: str) -> Iterator[dict[str, Any]]:
    """Yield what is found in the record's lines of the newest drop that is still kept."""
    with feed.store.locked():
        newest = next(filter(None, map(partial(_kept, feed), _with_drop(feed))), None)
        if newest is None:
            return
        run, path = newest
        limits, terms = package_limits(feed.settings.package), feed.runs.policy.terms
        try:
            settled = read_package(path, limits, feed.store.snapshot, terms, Stages()).settled.get(table)
        except (PackageFault, WorkerError, OSError):  # a drop that cannot be read now has nothing to say of the record
            return
    if settled is None or "sourcedId" not in settled.new.frame:
        return
    lines = settled.new.lines[(settled.new.frame["sourcedId"] == sourced_id).to_numpy()]
    for batch in settled.batches:
        for line in lines[np.isin(lines, batch.lines)].tolist():
            yield _finding(batch, line, run)


def _with_drop(feed: Feed) -> Iterator[Run]:
    return (run for run in feed.store.runs() if run.document.get("drop") and run.state is not State.DUPLICATE)


def _kept(feed: Feed, run: Run) -> tuple[Run, Path] | None:
    """Return a run with its drop, if that is not gone."""
    folder = feed.filing.find(run.id)
    path = folder / run.document["drop"] if folder else None
    return (run, path) if path and path.exists() else None


def _finding(batch: Batch, line: int, run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "drop": run.document["drop"],
        "line": line,
        "severity": str(batch.severity),
        "code": batch.code,
        "column": batch.column,
        "message": batch.message,
    }


# Life ------------------------------------------------------------------------------------------------------------


def _versions(feed: Feed, table: str, sourced_id: str) -> list[Version]:
    """Return a record's versions, oldest first, those under the ids that it had before too."""
    versions = feed.store.snapshot.history(table, sourced_id)
    for i in reversed(range(len(versions))):
        old = feed.store.renamed.before(table, sourced_id, versions[i].opened)
        if old:
            before = [one for one in _versions(feed, table, old) if one.opened < versions[i].opened]
            return [*before, *versions[i:]]
    return versions


def _next_id(feed: Feed, table: str, sourced_id: str, versions: list[Version]) -> str | None:
    """Return the id under which a record goes on, if it does."""
    closed = versions[-1].closed if versions else None
    return feed.store.renamed.after(table, sourced_id, closed) if closed is not None else None


def _owned(targets: RecordTargets, table: str, versions: list[Version]) -> Iterator[tuple[str, str, Standing]]:
    """Yield the target records that the record's versions give by today's rules, as far as ingestd owns them."""
    frame = pd.DataFrame([version.values for version in versions]).fillna("").astype(TEXT)
    for target in targets.policy.rules.targets if versions else ():
        for key in targets.keys_of(target, frame) if target.source == table else ():
            standing = targets.records.standing(target.name, key)
            if standing is not None:
                yield target.name, key.replace(KEY_JOIN, ", "), standing


def _actions(target: str, key: str, found: Standing, runs: Mapping[int, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    last = "written" if found.active else "removed"
    for what, number in (("created", found.made), (last, found.run if found.run != found.made else None)):
        if number is not None:
            run = runs.get(number, {})
            named = {"run": run.get("run", f"#{number}"), "at": run.get("received_at", "")}
            yield {"target": target, "key": key, "what": what, **named}


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
