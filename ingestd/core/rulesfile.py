"""Reads a rules file: closed verbs, no code, checked on load, all faults at once (DESIGN section 9)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from phonenumbers import SUPPORTED_REGIONS

from ingestd.core.hashing import seed_of
from ingestd.core.model import OnAbsent
from ingestd.core.rules import METADATA, Case, Collect, Conditions, OnUnmapped, Rule, Rules, Target
from ingestd.core.toml import TomlReader, hint, not_one_of
from schemas import Column, Shape

FIELD_VERBS = (
    "from", "const", "template", "when", "item", "lookup", "take", "map", "date", "phone", "safe_id", "default", "case",
)  # fmt: skip
TABLE_VERBS = ("name", "from", "where", "collect", "each", "key", "on_absent", "update", "adopt", "spread", "fields")
COLLECT_VERBS = ("from", "by", "take", "where", "order")
PLANNED = ("merge_by",)
"""Verbs of the design that this version does not carry out; a rules file that uses one is refused."""
MOST_SPREAD = 999
"""Into how many columns a list may be spread: Apple School Manager's location_id has so many (systems.md 2.1)."""
_UNKNOWN = ""
"""Stands for a source that is not a table: nothing is said of its columns, for that would only follow from it."""
_SLOT = re.compile(r"\{([^{}]*)\}")
_DATE = re.compile(r"([^%]|%[Ymdyj%])*%[Ymdyj]([^%]|%[Ymdyj%])*")
"""How dates may be written: what does not depend on the machine's language."""


def parse_rules(data: Mapping[str, Any], tables: Mapping[str, Shape]) -> tuple[Rules, tuple[str, ...]]:
    """Read the parsed TOML of a rules file.

    Args:
        data: as `tomllib` gives it.
        tables: the tables of the standard, to check columns against.

    Returns:
        The rules, and the faults, each as `key: what is wrong`. With faults the rules are not to be used.
    """
    reader = _Reader(tables=tables)
    rules = reader.rules(data)
    return rules, tuple(reader.faults)


@dataclass(slots=True)
class _Reader(TomlReader):
    """Reads what it can and notes what it cannot.

    `maps` are the names of the value maps that there are, `collected` the columns that the table at hand gets beside
    its source's.
    """

    tables: Mapping[str, Shape] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    collected: tuple[str, ...] = ()

    def rules(self, data: Mapping[str, Any]) -> Rules:
        self.check_keys("", data, ("table", "maps"))
        maps = dict(self.table("maps", data.get("maps", {})))
        on_unmapped = self.choice("maps.on_unmapped", maps.pop("on_unmapped", "hold_record"), OnUnmapped)
        self.maps = tuple(maps)
        value_maps = {name: self.value_map(f"maps.{name}", entries) for name, entries in maps.items()}
        targets = tuple(self.target(i, entry) for i, entry in enumerate(self.entries(data.get("table")), 1))
        self.check_twice("table", [target.name for target in targets])
        fingerprint = f"{seed_of(repr((targets, sorted(value_maps.items()), on_unmapped))):016x}"
        return Rules(targets, value_maps, on_unmapped, fingerprint)

    # Tables -------------------------------------------------------------------------------------------------

    def entries(self, given: object) -> Sequence[Mapping[str, Any]]:
        if isinstance(given, list) and given and all(isinstance(entry, dict) for entry in given):
            return given
        self.faults.append("table: a rules file needs at least one [[table]], in double brackets")
        return []

    def target(self, number: int, entry: Mapping[str, Any]) -> Target:
        name = entry.get("name")
        where = f"table.{name}" if isinstance(name, str) else f"table[{number}]"
        self.check_keys(f"{where}.", entry, TABLE_VERBS)
        self.check_name(f"{where}.name", name)
        source = self.source(f"{where}.from", entry.get("from"))
        collect = self.collect(f"{where}.collect", source, entry.get("collect", {}))
        self.collected = tuple(collect)
        fields = self.fields(f"{where}.fields", source, entry["fields"]) if "fields" in entry else None
        spread = self.spread(f"{where}.spread", fields or {}, entry.get("spread", {}))
        if fields:
            fields = _spread_out(fields, spread)
            self.check_twice(f"{where}.spread", tuple(fields))
        made = self.columns(source) if fields is None else tuple(fields)
        key = self.names(f"{where}.key", entry.get("key"), made)
        update = None
        if "update" in entry:
            update = self.names(f"{where}.update", entry["update"], made, is_open=fields is None)
            self.faults += [
                f"{where}.update: {one!r} is of the key, which never changes" for one in update if one in key
            ]
            update = tuple(column for name in update for column in _columns_of(name, spread.get(name, 1)))
        return Target(
            name=str(name),
            source=source,
            key=key,
            on_absent=self.choice(f"{where}.on_absent", entry.get("on_absent", "deactivate"), OnAbsent),
            where=self.conditions(f"{where}.where", source, entry.get("where", {})),
            collect=collect,
            each=self.each(f"{where}.each", source, entry.get("each")),
            spread=spread,
            update=update,
            adopt=self.adopt(f"{where}.adopt", entry["adopt"], made, key) if "adopt" in entry else (),
            fields=fields,
        )

    def adopt(self, where: str, given: object, made: Sequence[str], key: Sequence[str]) -> tuple[str, ...]:
        names = self.names(where, given, made)
        self.faults += [
            f"{where}: {one!r} is of the key, by which records are found anyway" for one in names if one in key
        ]
        return names

    def collect(self, where: str, source: str, given: object) -> dict[str, Collect]:
        found = {}
        for name, about in self.table(where, given).items():
            at = f"{where}.{name}"
            entry = self.table(
                at, about, ' such as { from = "enrollments", by = "classSourcedId", take = "userSourcedId" }'
            )
            self.check_keys(f"{at}.", entry, COLLECT_VERBS)
            self.check_name(at, name)
            if name in self.columns(source):
                self.faults.append(f"{at}: {source} has a column {name} already; choose another name")
            table = self.source(f"{at}.from", entry.get("from"))
            found[name] = Collect(
                table=table,
                by=self.reference(f"{at}.by", table, source, entry.get("by")),
                take=self.needed(f"{at}.take", table, entry.get("take")),
                where=self.conditions(f"{at}.where", table, entry.get("where", {})),
                order=self.order(f"{at}.order", table, entry.get("order")),
            )
        return found

    def needed(self, where: str, table: str, given: object) -> str:
        name = self.text(where, given)
        if name is None and given is None:
            self.faults.append(f"{where}: is missing; it names a column of {table or 'the table'}")
        elif name is not None:
            self.column(where, table, name)
        return name or ""

    def reference(self, where: str, table: str, source: str, given: object) -> str:
        """Read the column of a table that holds ids of another."""
        name = self.needed(where, table, given)
        if name and table and source and self.tables[table].has(name):
            column = self.tables[table].column(name)
            if column.references != source:
                fitting = [one.name for one in self.tables[table].columns if one.references == source]
                refer = f"those that do: {', '.join(fitting)}" if fitting else f"no column of {table} does"
                self.faults.append(f"{where}: {name} does not refer to {source}; {refer}")
        return name

    def order(self, where: str, table: str, given: object) -> tuple[str, ...]:
        names = self.texts(where, given, "column") if given is not None else ()
        for name in names:
            self.column(where, table, name.removeprefix("-"))
        return names

    def each(self, where: str, source: str, given: object) -> str | None:
        name = self.text(where, given)
        column = self.column(where, source, name) if name is not None else None
        if column and not column.many:
            lists = [one for one in self.columns(source) if self.tables[source].column(one).many]
            self.faults.append(f"{where}: {name} is no list; lists of {source} are: {', '.join(lists) or 'none'}")
        return name

    def spread(self, where: str, fields: Mapping[str, Rule], given: object) -> dict[str, int]:
        found = {}
        for name, most in self.table(where, given, " such as { location_id = 5 }").items():
            if name not in fields:
                self.faults.append(f"{where}: {not_one_of(name, fields)}")
            elif fields[name].item is not None:
                self.faults.append(f"{where}.{name}: the field takes one item of its list; take out either")
            elif type(most) is not int or not 2 <= most <= MOST_SPREAD:
                self.faults.append(f"{where}.{name}: {most!r} is not a number from 2 to {MOST_SPREAD}")
            else:
                found[name] = most
        return found

    def source(self, where: str, name: object) -> str:
        if isinstance(name, str) and name in self.tables:
            return name
        self.faults.append(f"{where}: {not_one_of(name, self.tables)}")
        return _UNKNOWN

    def names(self, where: str, given: object, allowed: Sequence[str], *, is_open: bool = False) -> tuple[str, ...]:
        names = self.texts(where, given, "field")
        for name in names:
            if allowed and name not in allowed and not (is_open and name.startswith(METADATA)):
                self.faults.append(f"{where}: {not_one_of(name, allowed)}")
        self.check_twice(where, names)
        return names

    def conditions(self, where: str, source: str, given: object) -> Conditions:
        found = {}
        for name, values in self.table(where, given).items():
            column = self.column(f"{where}.{name}", source, name)
            found[name] = self.texts(f"{where}.{name}", values if isinstance(values, list) else [values], "value")
            words = column.values if column else ()
            self.faults += [
                f"{where}.{name}: {not_one_of(one, words)}" for one in found[name] if words and one not in words
            ]
        return found

    # Fields -------------------------------------------------------------------------------------------------

    def fields(self, where: str, source: str, given: object) -> dict[str, Rule]:
        entries = self.table(where, given)
        if not entries and isinstance(given, dict):
            self.faults.append(f"{where}: needs at least one field; without the table, all columns are taken")
        self.check_twice(where, tuple(entries))
        return {name: self.rule(f"{where}.{name}", source, name, entry) for name, entry in entries.items()}

    def rule(self, where: str, source: str, name: str, given: object) -> Rule:
        entry = self.table(where, given, ' such as { from = "sourcedId" }')
        self.check_name(where, name)
        self.check_keys(f"{where}.", entry, FIELD_VERBS)
        if isinstance(given, dict) and sum(verb in entry for verb in ("from", "const", "template")) != 1:
            self.faults.append(f"{where}: needs exactly one of from, const, template")
        rule = Rule(
            column=self.text(f"{where}.from", entry.get("from")),
            const=self.text(f"{where}.const", entry.get("const")),
            template=self.template(f"{where}.template", self.text(f"{where}.template", entry.get("template"))),
            when=self.conditions(f"{where}.when", source, entry.get("when", {})),
            item=self.item(f"{where}.item", entry.get("item")),
            lookup=self.text(f"{where}.lookup", entry.get("lookup")),
            take=self.text(f"{where}.take", entry.get("take")),
            map=self.text(f"{where}.map", entry.get("map")),
            date=self.date(f"{where}.date", entry.get("date")),
            phone=self.phone(f"{where}.phone", entry.get("phone")),
            safe_id=self.flag(f"{where}.safe_id", entry.get("safe_id", False)),
            default=self.text(f"{where}.default", entry.get("default")) or "",
            case=self.choice(f"{where}.case", entry["case"], Case) if "case" in entry else None,
        )
        self.check_rule(where, source, rule)
        return rule

    def template(self, where: str, given: str | None) -> tuple[str, ...]:
        parts = tuple(_SLOT.split(given)) if given is not None else ()
        if parts and (len(parts) == 1 or any(brace in text for text in parts[::2] for brace in "{}")):
            self.faults.append(f'{where}: must name columns in braces, like "{{familyName}}, {{givenName}}"')
        return parts

    def item(self, where: str, given: object) -> int | None:
        if given is None or (type(given) is int and given > 0):
            return given
        self.faults.append(f"{where}: {given!r} is not a number from 1")
        return None

    def date(self, where: str, given: object) -> str | None:
        if given is None or (isinstance(given, str) and _DATE.fullmatch(given)):
            return given
        self.faults.append(f'{where}: {given!r} is not a form of dates, like "%m/%d/%Y"; known are %Y %m %d %y %j')
        return None

    def phone(self, where: str, given: object) -> str | None:
        if given is None or (isinstance(given, str) and given in SUPPORTED_REGIONS):
            return given
        self.faults.append(f'{where}: {given!r} is not a country of two capital letters, like "US"')
        return None

    def check_rule(self, where: str, source: str, rule: Rule) -> None:
        for name in rule.sources():
            self.column(where, source, name)
        if (rule.lookup is None) != (rule.take is None):
            self.faults.append(f"{where}: lookup and take go together")
        elif rule.lookup is not None and rule.lookup not in self.tables:
            self.faults.append(f"{where}.lookup: {not_one_of(rule.lookup, self.tables)}")
        elif rule.lookup is not None:
            self.column(f"{where}.take", rule.lookup, rule.take)
        if rule.map is not None and rule.map not in self.maps:
            self.faults.append(f"{where}.map: there is no [maps.{rule.map}]{hint(rule.map, self.maps)}")

    # Values -------------------------------------------------------------------------------------------------

    def value_map(self, where: str, given: object) -> dict[str, str]:
        entries = dict(self.table(where, given, ' of "found value" = "target value"'))
        return {found: self.text(f"{where}.{found}", value) or "" for found, value in entries.items()}

    def check_keys(self, where: str, entry: Mapping[str, Any], allowed: Sequence[str]) -> None:
        """Refuse keys that are not among those allowed, and the verbs that are to come."""
        planned = [key for key in entry if key in PLANNED]
        self.faults += [
            f"{where}{key}: the verb {key} is planned and not part of this version; remove it" for key in planned
        ]
        TomlReader.check_keys(self, where, {key: entry[key] for key in entry if key not in planned}, allowed)

    def columns(self, table: str) -> tuple[str, ...]:
        return () if table == _UNKNOWN else self.tables[table].header

    def column(self, where: str, table: str, name: str | None) -> Column | None:
        known = self.columns(table)
        if name in self.collected:
            return None
        if name in known:
            return self.tables[table].column(str(name))
        if known and not str(name).startswith(METADATA):
            self.faults.append(f"{where}: {table} has no column {name!r}{hint(name, known)}")
        return None


def _columns_of(name: str, most: int) -> tuple[str, ...]:
    return (name, *(f"{name}_{number}" for number in range(2, most + 1)))


def _spread_out(fields: Mapping[str, Rule], spread: Mapping[str, int]) -> dict[str, Rule]:
    """Return the fields with as many for each list as it has columns, each of which takes one item."""
    return {
        column: replace(rule, item=number) if name in spread else rule
        for name, rule in fields.items()
        for number, column in enumerate(_columns_of(name, spread.get(name, 1)), 1)
    }
