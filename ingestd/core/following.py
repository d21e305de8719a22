"""Which record that is left out another one follows, and that one in its turn, down to the one left out for itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
import pyarrow as pa

from ingestd.core.outside import follows
from ingestd.core.scope import Reason
from ingestd.core.verbs import column_of
from schemas import Shape


@dataclass(frozen=True, slots=True)
class Followed:
    """A record that is left out, why, and the column by which the one before it refers to it.

    `column` is blank where it is a role of the user that is followed; `reason` None for one of a table left out whole.
    """

    table: str
    sourced_id: str
    column: str
    reason: Reason | None


class Decisions(Protocol):
    """What scope decided, asked record by record."""

    def record(self, table: str, sourced_id: str) -> pd.DataFrame:
        """Return a record as one row, or no row."""

    def reason(self, table: str, sourced_id: str) -> Reason | None:
        """Return why a record is left out."""

    def left_out(self, table: str) -> pa.Array:
        """Return the sourcedIds of a table that are left out."""

    def roles(self, user: str, reason: Reason) -> list[str]:
        """Return the sourcedIds of the user's roles that are left out for a reason."""


def chase(decisions: Decisions, shapes: Mapping[str, Shape], table: str, sourced_id: str) -> list[Followed]:
    """Return what a record follows that is left out: the record that it refers to first, the root of all last.

    Nothing, if it is left out for itself.
    """
    chain: list[Followed] = []
    seen = {(table, sourced_id)}
    reason = decisions.reason(table, sourced_id)
    while reason is not None:
        found = _next(decisions, shapes, table, sourced_id, reason)
        if found is None or (found.table, found.sourced_id) in seen:
            break
        chain.append(found)
        table, sourced_id, reason = found.table, found.sourced_id, found.reason
        seen.add((table, sourced_id))
    return chain


def _next(
    decisions: Decisions, shapes: Mapping[str, Shape], table: str, sourced_id: str, reason: Reason
) -> Followed | None:
    if reason in (Reason.FOLLOWS, Reason.ORG):
        for column, other, one in _referred(decisions, shapes[table], table, sourced_id):
            if (other == "orgs") == (reason is Reason.ORG):
                return Followed(other, one, column, decisions.reason(other, one))
    if table == "users":  # whose roles are in a table of their own, goes for the reason of one of them
        for role in decisions.roles(sourced_id, reason):
            return Followed("roles", role, "", reason)
    return None


def _referred(decisions: Decisions, shape: Shape, table: str, sourced_id: str) -> Iterator[tuple[str, str, str]]:
    """Yield the column, the table and the sourcedId of what a record belongs to and is left out."""
    record = decisions.record(table, sourced_id)
    others = {str(one.references) for one in shape.references()} - {table}
    for column, rows in follows(record, shape, {other: decisions.left_out(other) for other in others}):
        if len(rows) and rows[0]:
            named = column_of(record, column.name)[0].as_py()
            yield column.name, str(column.references), named.split(",")[0] if column.many else named
