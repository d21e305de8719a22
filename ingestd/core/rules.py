"""What a rules file says, once it is understood: target tables and how their fields are made (DESIGN section 9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ingestd.core.dialect import Dialect
from ingestd.core.grace import Grace
from ingestd.core.model import OnAbsent

METADATA = "metadata."
"""Prefix of the columns that a vendor may add; no binding knows them, so no rule can be checked against them."""

Condition = Mapping[str, tuple[str, ...] | bool]
"""By column the values of which a record must have one, or whether it must have any. All columns must agree."""

Conditions = Condition | tuple[Condition, ...]
"""What a record must fulfil, or several such of which one is enough."""


def names_in(conditions: Conditions) -> tuple[str, ...]:
    """Return the columns that conditions ask for."""
    every = conditions if isinstance(conditions, tuple) else (conditions,)
    return tuple(dict.fromkeys(name for one in every for name in one))


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
class Join:
    """A column that a record gets by a reference: what the record of `table` that `reference` names has in `take`."""

    reference: str
    table: str
    take: str


Joins = Mapping[str, Join]
"""By name, such as `userSourcedId.role`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field of a target record is made. `template` alternates text and columns: text first, text last.

    `others` are columns that are asked where `column` is blank. `flags` are columns; the value is the list of the names
    of those that are `true`. `otherwise` makes the value of those records for which `when` does not hold.
    """

    column: str | None = None
    others: tuple[str, ...] = ()
    const: str | None = None
    template: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
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
    otherwise: "Rule | None" = None

    def ways(self) -> tuple["Rule", ...]:
        """Return this rule and those that come after it where `when` does not hold."""
        return (self, *(self.otherwise.ways() if self.otherwise else ()))

    def sources(self) -> tuple[str, ...]:
        """Return the columns of the source table that the value is made of."""
        return (*self.template[1::2], *self.flags) if self.column is None else (self.column, *self.others)

    def columns(self) -> tuple[str, ...]:
        """Return all columns of the source table that are read, whichever way the value is made."""
        return tuple(name for one in self.ways() for name in (*one.sources(), *names_in(one.when)))


@dataclass(frozen=True, slots=True)
class Collect:
    """A list of what is related to a record, in either direction or both: the `take` of each related record, once.

    `by` is the column of `table` that refers to the record, `of` the record's own column that refers to `table`.
    `order` are columns of the table, those with a minus descending; of equals the lesser value comes first. Without it
    those of the record's own list come first and in its order. `most`: how many at most. `joins` are of the table.
    """

    table: str
    by: str | None
    take: str
    where: Conditions = field(default_factory=dict)
    order: tuple[str, ...] = ()
    of: str | None = None
    most: int | None = None
    joins: Joins = field(default_factory=dict)

    def columns(self) -> set[str]:
        """Return all columns of `table` that are read."""
        named = {self.take, *names_in(self.where), *(name.removeprefix("-") for name in self.order)}
        own = {self.by} if self.by else set()
        return named | own | {join.reference for join in self.joins.values()}


@dataclass(frozen=True, slots=True)
class Target:
    """One target table. Without `fields` it takes its source's columns as they are.

    `joins` and `collect` have further columns of the source, those of `collect` lists. `merge_by` are columns: records
    that agree in them are taken for one, the first by sourcedId, with the items of all in its `lists`. `each` is a list
    column of the source: its records are taken once per item. `spread` has fields that are lists, each with the number
    of columns that it has: of `room = 3` there are fields `room`, `room_2` and `room_3`. `update` are the fields that
    change after creation; others are told to the application when it gets a record for the first time, and never
    again. `adopt` has the fields by which a record to create is found among those that are in the application already.
    `grace` is how long a record must be absent before `on_absent` is done.
    """

    name: str
    source: str
    key: tuple[str, ...]
    on_absent: OnAbsent
    where: Conditions = field(default_factory=dict)
    joins: Joins = field(default_factory=dict)
    collect: Mapping[str, Collect] = field(default_factory=dict)
    merge_by: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    each: str | None = None
    spread: Mapping[str, int] = field(default_factory=dict)
    update: tuple[str, ...] | None = None
    adopt: tuple[str, ...] = ()
    grace: Grace | None = None
    fields: Mapping[str, Rule] | None = None

    @property
    def is_local(self) -> bool:
        """Return whether a record's key is its own sourcedId, safe or as it is, so that no other gives the same."""
        if self.each or self.merge_by:
            return False
        if self.fields is None:
            return self.key == ("sourcedId",)
        rules = [self.fields[name] for name in self.key]
        return len(rules) == 1 and replace(rules[0], safe_id=False) == Rule(column="sourcedId")

    def ways(self) -> tuple[Rule, ...]:
        """Return all ways in which fields are made."""
        return tuple(way for rule in (self.fields or {}).values() for way in rule.ways())

    def columns(self) -> set[str] | None:
        """Return all columns of the source that are read, None if it is taken as it is."""
        if self.fields is None:
            return None
        made = {name for rule in self.fields.values() for name in rule.columns()}
        lists = {one.of for one in self.collect.values() if one.of}
        each = {self.each} if self.each else set()
        references = {join.reference for join in self.joins.values()}
        return {*made, *names_in(self.where), *self.merge_by, *self.lists} | lists | each | references

    def lookups(self) -> set[str]:
        """Return the tables that are looked into beside the source."""
        collected = {one.table for one in self.collect.values()}
        joins = [*self.joins.values(), *(join for one in self.collect.values() for join in one.joins.values())]
        collected |= {join.table for join in joins}
        return collected | {rule.lookup for rule in self.ways() if rule.lookup}


Column = tuple[str, str]
"""A target table and a field of it."""


@dataclass(frozen=True, slots=True)
class Csv:
    """How a sink that writes CSVs writes them.

    `gone` has by target table what stands in which fields of records that are deactivated or archived; without that
    they are not written. `parents` has by target table the field that names another record of it by its key: that one
    is written before it. `oneroster` is the version of OneRoster whose set of files it is: then there is a manifest,
    and a table without records is absent. `references` has the fields that name a record elsewhere, and the fields by
    one of which it must be found; `required` has by target table the fields, beside the key, that must not be blank.
    """

    dialect: Dialect = Dialect.STANDARD
    gone: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    oneroster: str | None = None
    references: Mapping[Column, tuple[Column, ...]] = field(default_factory=dict)
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """All target tables in their order, the value maps, and a fingerprint that changes with any of it.

    `ignore_case`: whether value maps take a value in any case.
    `csv` is how a sink that writes CSVs writes them. No record depends on it, and neither does the fingerprint.
    """

    targets: tuple[Target, ...]
    maps: Mapping[str, Mapping[str, str]]
    on_unmapped: OnUnmapped
    fingerprint: str
    ignore_case: bool = False
    csv: Csv = Csv()
