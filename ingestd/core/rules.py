"""What a rules file says, once it is understood: target tables and how their fields are made (DESIGN section 9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingestd.core.model import OnAbsent

METADATA = "metadata."
"""Prefix of the columns that a vendor may add; no binding knows them, so no rule can be checked against them."""

Conditions = Mapping[str, tuple[str, ...]]
"""By column the values of which a record must have one. All columns must agree."""


class OnUnmapped(StrEnum):
    """What becomes of a record with a value that its value map does not have."""

    HOLD_RECORD = "hold_record"
    HOLD_RUN = "hold_run"
    DEFAULT = "default"


class Case(StrEnum):
    """How `case` writes a value."""

    LOWER = "lower"
    UPPER = "upper"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field of a target record is made. `template` alternates text and columns: text first, text last."""

    column: str | None = None
    const: str | None = None
    template: tuple[str, ...] = ()
    when: Conditions = field(default_factory=dict)
    item: int | None = None
    lookup: str | None = None
    take: str | None = None
    map: str | None = None
    date: str | None = None
    phone: str | None = None
    safe_id: bool = False
    default: str = ""
    case: Case | None = None

    def sources(self) -> tuple[str, ...]:
        """Return the columns of the source table that the value is made of."""
        return self.template[1::2] if self.column is None else (self.column,)

    def columns(self) -> tuple[str, ...]:
        """Return all columns of the source table that are read."""
        return (*self.sources(), *self.when)


@dataclass(frozen=True, slots=True)
class Collect:
    """A list that a record gets from those that refer to it: the `take` of each record of `table` with its id in `by`.

    `order` are columns of that table, those with a minus descending; of equals the lesser value comes first.
    """

    table: str
    by: str
    take: str
    where: Conditions = field(default_factory=dict)
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One target table. Without `fields` it takes its source's columns as they are.

    `collect` has further columns of the source, lists all. `each` is a list column of the source: its records are taken
    once per item. `spread` has fields that are lists, each with the number of columns that it has: of `room = 3` there
    are fields `room`, `room_2` and `room_3`. `adopt` has the fields by which a record to create is found among those
    that are in the application already.
    """

    name: str
    source: str
    key: tuple[str, ...]
    on_absent: OnAbsent
    where: Conditions = field(default_factory=dict)
    collect: Mapping[str, Collect] = field(default_factory=dict)
    each: str | None = None
    spread: Mapping[str, int] = field(default_factory=dict)
    update: tuple[str, ...] | None = None
    adopt: tuple[str, ...] = ()
    fields: Mapping[str, Rule] | None = None

    def lookups(self) -> set[str]:
        """Return the tables that are looked into beside the source."""
        collected = {one.table for one in self.collect.values()}
        return collected | {rule.lookup for rule in (self.fields or {}).values() if rule.lookup}


@dataclass(frozen=True, slots=True)
class Rules:
    """All target tables in their order, the value maps, and a fingerprint that changes with any of it."""

    targets: tuple[Target, ...]
    maps: Mapping[str, Mapping[str, str]]
    on_unmapped: OnUnmapped
    fingerprint: str
