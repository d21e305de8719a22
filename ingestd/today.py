"""What today's scope and rules make of one record of the snapshot: `ingestd explain`'s second half.

The target records are made by the code that plans them, of the very frames that it has; only what is told is new.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core.columns import TEXT
from ingestd.core.explaining import FieldTold, explain_fields, field_as_dict, why_not
from ingestd.core.following import chase
from ingestd.core.mapping import KEY_JOIN, choose, key_text, map_records
from ingestd.core.outside import follows
from ingestd.core.rules import OnUnmapped, Target
from ingestd.core.scope import WORDS, Reason
from ingestd.core.scoping import DECIDED
from ingestd.owned import Standing
from ingestd.tables import Tables
from ingestd.targets import Targets
from schemas import shapes


@dataclass(frozen=True, slots=True)
class Decisions:
    """What scope decides of single records; the answers for `core.following`."""

    tables: Tables

    def record(self, table: str, sourced_id: str) -> pd.DataFrame:
        """Return a record as one row, or no row."""
        if table in DECIDED:
            frame = self.tables.decided[table].frame
            return frame[(frame["sourcedId"] == sourced_id).to_numpy()]
        found = [one for one in self.tables.snapshot.history(table, sourced_id) if one.closed is None]
        columns = self.tables.snapshot.columns(table)
        return pd.DataFrame([one.values for one in found], columns=list(columns), dtype=TEXT).fillna("")

    def reason(self, table: str, sourced_id: str) -> Reason | None:
        """Return why a record is left out."""
        if table in DECIDED:
            rows = np.flatnonzero((self.tables.decided[table].frame["sourcedId"] == sourced_id).to_numpy())
            return self.tables.decided[table].reason(int(rows[0])) if len(rows) else None
        others = {str(one.references) for one in shapes()[table].references()} - {table}
        left_out = {other: self.left_out(other) for other in others}
        record = self.record(table, sourced_id)
        found = [column for column, rows in follows(record, shapes()[table], left_out) if rows.any()]
        if not found:
            return None
        return Reason.ORG if all(column.references == "orgs" for column in found) else Reason.FOLLOWS

    def left_out(self, table: str) -> pa.Array:
        """Return the sourcedIds of a table that are left out."""
        return self.tables.left_out(table)

    def roles(self, user: str, reason: Reason) -> list[str]:
        """Return the sourcedIds of the user's roles that are left out for a reason."""
        roles = self.tables.decided["roles"]
        at = np.flatnonzero(roles.having("userSourcedId", [user]) & ~roles.kept)
        return [str(roles.frame["sourcedId"].iloc[row]) for row in at.tolist() if roles.reason(row) is reason]


def scope_of(tables: Tables, table: str, sourced_id: str) -> dict[str, Any]:
    """Return `{"in", "reason", "why", "follows"}`: whether a live record is in scope, else why it is not.

    `follows` has what it follows and is left out, each with `"table", "sourcedId", "column", "reason", "why"`: the
    record that it refers to first, and last the one that is left out for itself.
    """
    if table in tables.scope.left_out():
        return {"in": False, "reason": "table", "why": tables.scope.left_out()[table], "follows": []}
    decisions = Decisions(tables)
    reason = decisions.reason(table, sourced_id) if tables.is_scoped else None
    if reason is None:
        return {"in": True, "reason": None, "why": None, "follows": []}
    chain = [
        {
            "table": one.table, "sourcedId": one.sourced_id, "column": one.column,
            "reason": one.reason and str(one.reason), "why": one.reason and WORDS[one.reason],
        }
        for one in chase(decisions, shapes(), table, sourced_id)
    ]  # fmt: skip
    return {"in": False, "reason": str(reason), "why": WORDS[reason], "follows": chain}


def root_words(scope: Mapping[str, Any]) -> str:
    """Return in words why a record is out of scope: for itself, or for what it follows in the end."""
    if not scope["follows"]:
        return str(scope["why"])
    root = scope["follows"][-1]
    return f"it goes with {root['table']} {root['sourcedId']}: {root['why']}"


def standing_of(feed: str, found: Standing | None) -> dict[str, Any]:
    """Return `{"active", "created_by", "last_run"}` of a target record; each None if it is not known."""
    if found is None:
        return {"active": None, "created_by": None, "last_run": None}
    named = {name: f"{feed}.{number}" if number else None for name, number in _numbers(found)}
    return {"active": found.active, **named}


def _numbers(found: Standing) -> tuple[tuple[str, int | None], ...]:
    return ("created_by", found.made), ("last_run", found.run)


@dataclass(slots=True)
class RecordTargets(Targets):
    """What the rules make of single records of a feed."""

    feed: str = ""

    def explained(self, sourced_id: str, table: str, *, values: bool) -> Iterator[dict[str, Any]]:
        """Yield what each target table of the record's table has of it, once for each target record that it gives.

        `{"target", "chosen", "because", "key", "fields", "held_back", "active", "created_by", "last_run"}`; `because`
        says why it gives none.
        """
        for target in self.policy.rules.targets:
            if target.source == table:
                yield from self._explained(target, sourced_id, values=values)

    def _explained(self, target: Target, sourced_id: str, *, values: bool) -> Iterator[dict[str, Any]]:
        frame = self.tables.after(target.source)
        if target.is_local:  # no other record can give the same
            frame = frame[(frame["sourcedId"] == sourced_id).to_numpy()]
        frame, _ = self._with_more(target, frame.reset_index(drop=True))
        record = frame[(frame["sourcedId"] == sourced_id).to_numpy()]
        chosen = choose(target, frame)
        because, rows = self._find(target, record, chosen, values=values)
        if because:
            yield {**_nothing(target.name), "because": because}
        lookups = self._lookups(target)
        mapped = map_records(target, frame, lookups, self.policy.rules, self.records.seed) if len(rows) else None
        for row in rows.tolist() if mapped else ():
            assert mapped is not None
            told = explain_fields(target, chosen.iloc[[row]], lookups, self.policy.rules)
            key = str(key_text(mapped.frame.iloc[[row]], target.key)[0])
            same = chosen["sourcedId"][(mapped.keys == mapped.keys[row]) & (chosen.index != chosen.index[row])]
            held = list(self._held(target, told, [*same], is_blank=not mapped.keys[row])) if mapped.held[row] else []
            merged = chosen["sourcedId"].iloc[row]
            yield {
                "target": target.name,
                "chosen": True,
                "because": None if merged == sourced_id else f"it is one with {merged} (merge_by)",
                "key": key.replace(KEY_JOIN, ", "),
                "fields": [field_as_dict(one, values=values) for one in told],
                "held_back": held,
                **standing_of(self.feed, self.records.standing(target.name, key)),
            }

    def _find(
        self, target: Target, record: pd.DataFrame, chosen: pd.DataFrame, *, values: bool
    ) -> tuple[str | None, "np.typing.NDArray[np.int64]"]:
        """Return in which rows of what was chosen the record is, or why it is in none."""
        none = np.zeros(0, np.int64)
        if not len(record):
            return "it is not in scope", none
        if because := why_not(record, target.where, values=values):
            return f"{because} (where)", none
        mine = chosen.index == record.index[0]
        if not mine.any() and target.merge_by:
            names = [name for name in target.merge_by if name in chosen.columns]
            mine = (chosen[names] == record[names].iloc[0]).all(axis=1).to_numpy()
        if not mine.any():
            return f"its {target.each} has nothing in it (each)", none
        return None, np.flatnonzero(mine)

    def _held(
        self, target: Target, told: tuple[FieldTold, ...], same: list[str], *, is_blank: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield why a target record is held back, in the codes of the findings that tell it."""
        if is_blank:
            yield {"code": "required-value", "why": f"its key ({', '.join(target.key)}) is blank"}
        elif same:
            yield {"code": "duplicate-target-key", "why": f"{target.source} {_some(same)} would have the same key"}
        for one in told if self.policy.rules.on_unmapped is OnUnmapped.HOLD_RECORD else ():
            if one.unmapped:
                why = f"the map {one.unmapped} does not have its value for {one.name}"
                yield {"code": "unmapped-value", "why": why}


def _some(ids: list[str], most: int = 3) -> str:
    more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def _nothing(target: str) -> dict[str, Any]:
    found = {"target": target, "chosen": False, "because": None, "key": None, "fields": [], "held_back": []}
    return {**found, "active": None, "created_by": None, "last_run": None}


def not_given(targets: Iterator[Target], because: str) -> list[dict[str, Any]]:
    """Return what is told of target tables that a record has no part in, for one reason."""
    return [{**_nothing(target.name), "because": because} for target in targets]
