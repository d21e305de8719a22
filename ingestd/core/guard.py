"""The check against mass change: which limits a changeset would overstep. All breaches at once, not the first."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingestd.core.model import Breach, Changes, TableCount

_ROUNDING = 1e-6
"""What a product of a fraction and a count may be off by; no count of records lies so near to a limit and beyond it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a table may change in one run, as fractions: exactly so much is allowed, more is a breach.

    `max_held_back` is of the records in the file.

    A table, or an org's part of one, of fewer records than `minimum` is not judged by fractions. Only that a table
    would lose all of its records is a breach whatever its size.
    """

    delete: float = 0.10
    update: float = 0.75
    per_org_delete: float = 0.25
    max_held_back: float = 0.10
    minimum: int = 20


@dataclass(frozen=True, slots=True)
class OrgLoss:
    """How many of an org's records in a table would be deleted."""

    org: str
    deleted: int
    of: int


def guard(
    table: str, changes: Changes, live: int, limits: Limits, losses: tuple[OrgLoss, ...] = ()
) -> tuple[Breach, ...]:
    """Return the breaches of one table.

    Args:
        table: its name.
        changes: what would change.
        live: how many records are live now.
        limits: what is allowed.
        losses: what single orgs would lose.
    """
    return (*_of_table(table, changes, live, limits), *_of_orgs(table, losses, limits))


def guard_held_back(table: str, count: TableCount, limits: Limits) -> tuple[Breach, ...]:
    """Return the breach of a file of which too many records are held back: something is wrong with the export."""
    held_back, rows, limit = count.held_back, count.rows, limits.max_held_back
    if not _is_over(held_back, rows, limit, limits.minimum):
        return ()
    message = _says(f"{held_back:,} of the {rows:,} records in {table}.csv were held back", held_back / rows, limit)
    return (Breach("too-many-held-back", message, table, None, held_back, rows, limit),)


def largest_at_risk(changes: Changes, limits: Limits) -> float:
    """Return the size of the largest table for which these changes would be too many; larger ones need no counting."""
    shares = ((changes.deleted, min(limits.delete, 1)), (changes.updated, limits.update))
    return max((count / limit if limit else float("inf") for count, limit in shares if count), default=0.0)


def _of_table(table: str, changes: Changes, live: int, limits: Limits) -> Iterator[Breach]:
    if changes.deleted == live > 0:
        message = f"all {live:,} {table} would be removed; that is never done unasked"
        yield Breach("table-emptied", message, table, None, live, live, limits.delete)
    elif _is_over(changes.deleted, live, limits.delete, limits.minimum):
        message = _says(
            f"{changes.deleted:,} of {live:,} {table} would be removed", changes.deleted / live, limits.delete
        )
        yield Breach("too-many-deletes", message, table, None, changes.deleted, live, limits.delete)
    if _is_over(changes.updated, live, limits.update, limits.minimum):
        message = _says(
            f"{changes.updated:,} of {live:,} {table} would be changed", changes.updated / live, limits.update
        )
        yield Breach("too-many-updates", message, table, None, changes.updated, live, limits.update)


def _of_orgs(table: str, losses: tuple[OrgLoss, ...], limits: Limits) -> Iterator[Breach]:
    limit = limits.per_org_delete
    for loss in losses:
        if _is_over(loss.deleted, loss.of, limit, limits.minimum):
            what = f"org {loss.org}: {loss.deleted:,} of its {loss.of:,} {table} would be removed"
            message = _says(what, loss.deleted / loss.of, limit)
            yield Breach("too-many-deletes-in-org", message, table, loss.org, loss.deleted, loss.of, limit)


def _is_over(count: int, of: int, limit: float, minimum: int) -> bool:
    return of >= max(minimum, 1) and count > limit * of + _ROUNDING


def _says(what: str, share: float, limit: float) -> str:
    return f"{what} ({share:.2%}; the limit is {100 * limit:g}%)"
