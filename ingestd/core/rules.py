"""A rules file, understood: closed verbs, no code, checked on load, all faults at once (DESIGN section 9)."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ingestd.core.hashing import seed_of
from ingestd.core.model import OnAbsent
from schemas import Table

FIELD_VERBS = ("from", "const", "template", "item", "lookup", "take", "map", "default", "case")
TABLE_VERBS = ("name", "from", "where", "key", "on_absent", "update", "fields")
PLANNED = ("date", "phone", "safe_id", "when", "each", "collect", "spread", "merge_by")
"""Verbs of the design that this version does not carry out; a rules file that uses one is refused."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_SLOT = re.compile(r"\{([^{}]*)\}")


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
    item: int | None = None
    lookup: str | None = None
    take: str | None = None
    map: str | None = None
    default: str = ""
    case: Case | None = None

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the source table that the field is made from."""
        return (self.column,) if self.column else self.template[1::2]


@dataclass(frozen=True, slots=True)
class Target:
    """One target table. Without `fields` it takes its source's columns as they are."""

    name: str
    source: str
    key: tuple[str, ...]
    on_absent: OnAbsent
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    update: tuple[str, ...] | None = None
    fields: Mapping[str, Rule] | None = None

    def lookups(self) -> set[str]:
        """Return the tables that the fields look into."""
        return {rule.lookup for rule in (self.fields or {}).values() if rule.lookup}


@dataclass(frozen=True, slots=True)
class Rules:
    """All target tables in their order, the value maps, and a fingerprint that changes with any of it."""

    targets: tuple[Target, ...]
    maps: Mapping[str, Mapping[str, str]]
    on_unmapped: OnUnmapped
    fingerprint: str


def parse_rules(data: Mapping[str, Any], tables: Mapping[str, Table]) -> tuple[Rules, tuple[str, ...]]:
    """Read the parsed TOML of a rules file.

    Args:
        data: as `tomllib` gives it.
        tables: the tables of the binding, to check columns against.

    Returns:
        The rules, and the faults, each as `key: what is wrong`. With faults the rules are not to be used.
    """
    reader = _Reader(tables, dict(data.get("maps", {})))
    reader.check_keys("", data, ("table", "maps"))
    on_unmapped = reader.choice("maps.on_unmapped", reader.maps.pop("on_unmapped", "hold_record"), OnUnmapped)
    maps = {name: reader.value_map(name, entries) for name, entries in reader.maps.items()}
    entries = data.get("table", [])
    if not entries:
        reader.faults.append("table: a rules file needs at least one [[table]]")
    targets = tuple(reader.target(i, entry) for i, entry in enumerate(entries))
    names = [target.name for target in targets]
    reader.faults += [
        f"table: two tables are named {name}" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    fingerprint = f"{seed_of(repr((targets, sorted(maps.items()), on_unmapped))):016x}"
    return Rules(targets, maps, OnUnmapped(on_unmapped), fingerprint), tuple(reader.faults)


@dataclass(slots=True)
class _Reader:
    tables: Mapping[str, Table]
    maps: dict[str, Any]
    faults: list[str] = field(default_factory=list)

    def check_keys(self, where: str, entry: Mapping[str, Any], allowed: Sequence[str]) -> None:
        for key in entry:
            if key in PLANNED:
                self.faults.append(f"{where}{key}: the verb {key} is planned and not part of this version; remove it")
            elif key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self.faults.append(f"{where}{key}: not a key of a rules file; allowed: {', '.join(allowed)}{hint}")

    def choice(self, where: str, value: object, words: type[StrEnum]) -> str:
        if value in list(words):
            return str(value)
        self.faults.append(f"{where}: {value!r} is not one of {', '.join(words)}")
        return str(next(iter(words)))

    def value_map(self, name: str, entries: object) -> dict[str, str]:
        if isinstance(entries, dict) and all(isinstance(value, str) for value in entries.values()):
            return entries
        self.faults.append(f'maps.{name}: must be a table of "found value" = "target value"')
        return {}

    def target(self, number: int, entry: Mapping[str, Any]) -> Target:
        name = str(entry.get("name", f"table[{number}]"))
        where = f"table.{name}."
        self.check_keys(where, entry, TABLE_VERBS)
        if not isinstance(entry.get("name"), str) or not _NAME.fullmatch(name) or name.startswith("_"):
            self.faults.append(f"{where}name: must be a name of letters, digits and _ that begins with a letter")
        source = self.source(where, entry.get("from"))
        fields = self.fields(where, source, entry["fields"]) if "fields" in entry else None
        made = tuple(fields) if fields is not None else self.columns(source)
        return Target(
            name=name,
            source=source,
            key=self.names(f"{where}key", entry.get("key"), made, is_open=fields is None),
            on_absent=OnAbsent(self.choice(f"{where}on_absent", entry.get("on_absent", "deactivate"), OnAbsent)),
            where=self.conditions(where, source, entry.get("where", {})),
            update=self.names(f"{where}update", entry["update"], made, is_open=fields is None)
            if "update" in entry
            else None,
            fields=fields,
        )

    def source(self, where: str, name: object) -> str:
        if isinstance(name, str) and name in self.tables:
            return name
        self.faults.append(f"{where}from: {name!r} is not one of {', '.join(self.tables)}")
        return next(iter(self.tables))

    def columns(self, table: str) -> tuple[str, ...]:
        return tuple(column.name for column in self.tables[table].columns)

    def names(self, where: str, given: object, allowed: Sequence[str], *, is_open: bool) -> tuple[str, ...]:
        names = tuple(given) if isinstance(given, list) else ()
        if not names:
            self.faults.append(f"{where}: must be a list of at least one field")
        for name in names:
            if name not in allowed and not (is_open and str(name).startswith("metadata.")):
                self.faults.append(f"{where}: {name!r} is not one of {', '.join(allowed)}")
        return names

    def column(self, where: str, table: str, name: object) -> None:
        known = self.columns(table)
        if name not in known and not str(name).startswith("metadata."):
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.faults.append(f"{where}: {table} has no column {name!r}{hint}")

    def conditions(self, where: str, source: str, given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        found = {}
        for name, values in given.items():
            self.column(f"{where}where.{name}", source, name)
            found[name] = tuple(values) if isinstance(values, list) else (str(values),)
        return found

    def fields(self, where: str, source: str, given: Mapping[str, Any]) -> dict[str, Rule]:
        return {name: self.rule(f"{where}fields.{name}", source, name, entry) for name, entry in given.items()}

    def rule(self, where: str, source: str, name: str, entry: Any) -> Rule:
        if not isinstance(entry, dict):
            self.faults.append(f'{where}: must be a table such as {{ from = "sourcedId" }}')
            return Rule(const="")
        self.check_keys(f"{where}.", entry, FIELD_VERBS)
        if not _NAME.fullmatch(name) or name.startswith("_"):
            self.faults.append(f"{where}: a field's name has letters, digits and _ and begins with a letter")
        if sum(verb in entry for verb in ("from", "const", "template")) != 1:
            self.faults.append(f"{where}: needs exactly one of from, const, template")
        rule = Rule(
            column=entry.get("from"),
            const=entry.get("const"),
            template=tuple(_SLOT.split(entry["template"])) if "template" in entry else (),
            item=entry.get("item"),
            lookup=entry.get("lookup"),
            take=entry.get("take"),
            map=entry.get("map"),
            default=entry.get("default", ""),
            case=Case(self.choice(f"{where}.case", entry["case"], Case)) if "case" in entry else None,
        )
        self.faults += self.faults_of(where, source, rule)
        return rule

    def faults_of(self, where: str, source: str, rule: Rule) -> Iterator[str]:
        for name in rule.columns():
            self.column(where, source, name)
        if rule.item is not None and (not isinstance(rule.item, int) or rule.item < 1):
            yield f"{where}.item: must be a number from 1"
        if (rule.lookup is None) != (rule.take is None):
            yield f"{where}: lookup and take go together"
        elif rule.lookup is not None and rule.lookup not in self.tables:
            yield f"{where}.lookup: {rule.lookup!r} is not one of {', '.join(self.tables)}"
        elif rule.lookup is not None:
            self.column(f"{where}.take", rule.lookup, rule.take)
        if rule.map is not None and rule.map not in self.maps:
            yield f"{where}.map: there is no [maps.{rule.map}]"
