"""Reads what a rules file says of columns and fields. Verbs are closed, and all faults are told at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from phonenumbers import SUPPORTED_REGIONS

from ingestd.core.administrators import COLUMN as ADMINISTRATOR
from ingestd.core.rules import METADATA, Case, Condition, Conditions, Join, Rule
from ingestd.core.toml import TomlReader, hint, not_one_of
from schemas import Column, Shape

FIELD_VERBS = (
    "from", "const", "template", "flags", "when", "item", "lookup", "take", "map", "date", "phone", "safe_id",
    "default", "case",
)  # fmt: skip
BEGINNINGS = ("from", "const", "template", "flags")
UNKNOWN = ""
"""Stands for a source that is not a table: nothing is said of its columns, for that would only follow from it."""
_SLOT = re.compile(r"\{([^{}]*)\}")
_DATE = re.compile(r"([^%]|%[Ymdyj%])*%[Ymdyj]([^%]|%[Ymdyj%])*")
"""How dates may be written: what does not depend on the machine's language."""


@dataclass(slots=True)
class FieldsReader(TomlReader):
    """Reads what it can and notes what it cannot.

    `maps` are the names of the value maps that there are, `collected` the columns that the table at hand gets beside
    its source's, `joins` by table the columns that were asked for by way of a reference.
    """

    tables: Mapping[str, Shape] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    collected: tuple[str, ...] = ()
    joins: dict[str, dict[str, Join]] = field(default_factory=dict)

    def words(self, column: Column) -> tuple[str, ...]:
        """Return the words of a column; users may have the roles that 1.2 knows as well (`core.people`)."""
        if column.name != "role" or "roles" not in self.tables or column not in self.tables["users"].columns:
            return column.values
        return tuple(dict.fromkeys((*column.values, *self.tables["roles"].column("role").values)))

    # Columns ------------------------------------------------------------------------------------------------

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the standard's columns of a table."""
        return () if table == UNKNOWN else self.tables[table].header

    def column(self, where: str, table: str, name: str | None) -> Column | None:
        """Check that a table has a column; return it if it is the standard's own."""
        known = self.columns(table)
        if name in self.collected or (table == "users" and name == ADMINISTRATOR):
            return None
        if name in known:
            return self.tables[table].column(str(name))
        if known and not str(name).startswith(METADATA):
            if "." in str(name):
                return self.joined(where, table, str(name))
            self.faults.append(f"{where}: {table} has no column {name!r}{hint(name, known)}")
        return None

    def joined(self, where: str, table: str, name: str) -> Column | None:
        """Read `userSourcedId.role`: a column of the record that is referred to."""
        reference, _, take = name.partition(".")
        singles = {one.name: one for one in self.tables[table].references() if not one.many}
        if reference not in singles:
            self.faults.append(f"{where}: {reference!r} is no single reference of {table}{hint(reference, [*singles])}")
            return None
        column = singles[reference]
        other = str(column.references)
        if take not in self.columns(other):
            self.faults.append(f"{where}: {other} has no column {take!r}{hint(take, self.columns(other))}")
            return None
        self.joins.setdefault(table, {})[name] = Join(reference, other, take)
        return self.tables[other].column(take)

    def conditions(self, where: str, source: str, given: object) -> Conditions:
        """Read what a record must have in its columns; of a list of such one is enough."""
        if isinstance(given, list):
            return tuple(self.condition(f"{where}[{i}]", source, one) for i, one in enumerate(given))
        return self.condition(where, source, given)

    def condition(self, where: str, source: str, given: object) -> Condition:
        """Read one set of conditions."""
        found: dict[str, tuple[str, ...] | bool] = {}
        for name, values in self.table(where, given).items():
            column = self.column(f"{where}.{name}", source, name)
            if isinstance(values, bool):
                found[name] = values
                continue
            wanted = self.texts(f"{where}.{name}", values if isinstance(values, list) else [values], "value")
            words = self.words(column) if column else ()
            self.faults += [f"{where}.{name}: {not_one_of(one, words)}" for one in wanted if words and one not in words]
            found[name] = wanted
        return found

    # Fields -------------------------------------------------------------------------------------------------

    def fields(self, where: str, source: str, given: object) -> dict[str, Rule]:
        """Read the fields of a target table."""
        entries = self.table(where, given)
        if not entries and isinstance(given, dict):
            self.faults.append(f"{where}: needs at least one field; without the table, all columns are taken")
        self.check_twice(where, tuple(entries))
        for name in entries:
            self.check_name(f"{where}.{name}", name)
        return {name: self.ways(f"{where}.{name}", source, entry) for name, entry in entries.items()}

    def ways(self, where: str, source: str, given: object) -> Rule:
        """Read how one field is made: in one way, or in several of which the first counts whose `when` holds."""
        if not isinstance(given, list):
            return self.rule(where, source, given)
        ways = [self.rule(f"{where}[{i}]", source, one) for i, one in enumerate(given)] or [Rule()]
        if not given:
            self.faults.append(f'{where}: is an empty list; it needs a table such as {{ from = "sourcedId" }}')
        for i, one in enumerate(ways[:-1]):
            if not one.when:
                self.faults.append(f"{where}[{i}]: needs when, or those behind it are never asked")
        rule = ways[-1]
        for one in reversed(ways[:-1]):
            rule = replace(one, otherwise=rule)
        return rule

    def rule(self, where: str, source: str, given: object) -> Rule:
        """Read one way to make a field."""
        entry = self.table(where, given, ' such as { from = "sourcedId" }')
        self.check_keys(f"{where}.", entry, FIELD_VERBS)
        if isinstance(given, dict) and sum(verb in entry for verb in BEGINNINGS) != 1:
            self.faults.append(f"{where}: needs exactly one of {', '.join(BEGINNINGS)}")
        first = self.beginning(f"{where}.from", entry.get("from"))
        rule = Rule(
            column=first[0] if first else None,
            others=first[1:],
            const=self.text(f"{where}.const", entry.get("const")),
            template=self.template(f"{where}.template", self.text(f"{where}.template", entry.get("template"))),
            flags=self.texts(f"{where}.flags", entry["flags"], "column") if "flags" in entry else (),
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

    def beginning(self, where: str, given: object) -> tuple[str, ...]:
        """Read a column, or several of which the first that is filled counts."""
        if isinstance(given, list):
            return self.texts(where, given, "column")
        name = self.text(where, given)
        return (name,) if name is not None else ()

    def template(self, where: str, given: str | None) -> tuple[str, ...]:
        """Read a text with columns in braces."""
        parts = tuple(_SLOT.split(given)) if given is not None else ()
        if parts and (len(parts) == 1 or any(brace in text for text in parts[::2] for brace in "{}")):
            self.faults.append(f'{where}: must name columns in braces, like "{{familyName}}, {{givenName}}"')
        return parts

    def item(self, where: str, given: object) -> int | None:
        """Read which item of a list is taken."""
        if given is None or (type(given) is int and given > 0):
            return given
        self.faults.append(f"{where}: {given!r} is not a number from 1")
        return None

    def date(self, where: str, given: object) -> str | None:
        """Read a form of dates."""
        if given is None or (isinstance(given, str) and _DATE.fullmatch(given)):
            return given
        self.faults.append(f'{where}: {given!r} is not a form of dates, like "%m/%d/%Y"; known are %Y %m %d %y %j')
        return None

    def phone(self, where: str, given: object) -> str | None:
        """Read a country."""
        if given is None or (isinstance(given, str) and given in SUPPORTED_REGIONS):
            return given
        self.faults.append(f'{where}: {given!r} is not a country of two capital letters, like "US"')
        return None

    def check_rule(self, where: str, source: str, rule: Rule) -> None:
        """Check the tables, columns and maps that a field names."""
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
