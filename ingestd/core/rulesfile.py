"""Reads a rules file: closed verbs, no code, checked on load, all faults at once (DESIGN section 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingestd.core.dialect import Dialect
from ingestd.core.grace import Grace, parse_grace
from ingestd.core.hashing import seed_of
from ingestd.core.model import OnAbsent
from ingestd.core.rulefields import UNKNOWN, FieldsReader
from ingestd.core.rules import METADATA, Collect, Column, Csv, OnUnmapped, Rule, Rules, Target
from ingestd.core.toml import not_one_of
from schemas import NAMES, Shape

TABLE_VERBS = (
    "name", "from", "where", "collect", "merge_by", "each", "key", "on_absent", "remove_after", "update", "create_only",
    "adopt", "spread", "fields",
)  # fmt: skip
COLLECT_VERBS = ("from", "by", "of", "take", "where", "order", "most")
MOST_SPREAD = 999
"""Into how many columns a list may be spread: Apple School Manager's location_id has so many (systems.md 2.1)."""


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
class _Reader(FieldsReader):
    """Reads the tables of a file, and the value maps."""

    def rules(self, data: Mapping[str, Any]) -> Rules:
        self.check_keys("", data, ("table", "maps", "csv", "feed"))
        maps = dict(self.table("maps", data.get("maps", {})))
        on_unmapped = self.choice("maps.on_unmapped", maps.pop("on_unmapped", "hold_record"), OnUnmapped)
        ignore_case = self.flag("maps.ignore_case", maps.pop("ignore_case", False))
        self.maps = tuple(maps)
        value_maps = {name: self.value_map(f"maps.{name}", entries) for name, entries in maps.items()}
        targets = tuple(self.target(i, entry) for i, entry in enumerate(self.entries(data.get("table")), 1))
        self.check_twice("table", [target.name for target in targets])
        fingerprint = f"{seed_of(repr((targets, sorted(value_maps.items()), on_unmapped, ignore_case))):016x}"
        return Rules(targets, value_maps, on_unmapped, fingerprint, ignore_case, self.csv(data.get("csv", {}), targets))

    # CSVs ---------------------------------------------------------------------------------------------------

    def csv(self, given: object, targets: Sequence[Target]) -> Csv:
        """Read how CSVs are written."""
        entry = self.table("csv", given, ' such as dialect = "apple"')
        self.check_keys("csv.", entry, ("dialect", "gone", "parents", "oneroster", "references", "required"))
        version = entry.get("oneroster")
        if version is not None and version not in NAMES:
            self.faults.append(f"csv.oneroster: {not_one_of(version, NAMES)}")
        made = {target.name: tuple(target.fields or self.columns(target.source)) for target in targets}
        return Csv(
            dialect=self.choice("csv.dialect", entry.get("dialect", "standard"), Dialect),
            gone={
                name: self.cells(f"csv.gone.{name}", cells, made[name])
                for name, cells in self.by_target("csv.gone", entry, made).items()
            },
            parents={
                name: str(field)
                for name, field in self.by_target("csv.parents", entry, made).items()
                if self.is_one_of(f"csv.parents.{name}", field, made[name])
            },
            oneroster=version,
            references=self.references(entry.get("references", {}), targets, made),
            required={
                name: self.names(f"csv.required.{name}", fields, made[name])
                for name, fields in self.by_target("csv.required", entry, made).items()
            },
        )

    def references(
        self, given: object, targets: Sequence[Target], made: Mapping[str, Sequence[str]]
    ) -> dict[Column, tuple[Column, ...]]:
        """Read which fields name records of which tables; a list that is spread over columns does so in all of them."""
        columns = {f"{table}.{name}": (table, name) for table, names in made.items() for name in names}
        spread = {f"{one.name}.{name}": most for one in targets for name, most in one.spread.items()}
        found = {}
        for name, to in self.table("csv.references", given, ' such as { "classes.course" = "courses.id" }').items():
            where = f'csv.references."{name}"'
            others = self.texts(where, to, "field") if isinstance(to, list) else [to]
            if all(self.is_one_of(where, one, columns) for one in (name, *others)):
                for column in _columns_of(name, spread.get(name, 1)):
                    found[columns[column]] = tuple(columns[one] for one in others)
        return found

    def by_target(self, where: str, entry: Mapping[str, Any], made: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        found = self.table(where, entry.get(where.removeprefix("csv."), {}))
        return {name: value for name, value in found.items() if self.is_one_of(f"{where}.{name}", name, made)}

    def cells(self, where: str, given: object, fields: Sequence[str]) -> dict[str, str]:
        entries = self.table(where, given, ' such as { status = "deleted" }')
        return {
            name: self.text(f"{where}.{name}", value) or ""
            for name, value in entries.items()
            if self.is_one_of(f"{where}.{name}", name, fields)
        }

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
        self.joins, self.collected = {}, ()
        collect = self.collect(f"{where}.collect", source, entry.get("collect", {}))
        self.collected = tuple(collect)
        fields = self.fields(f"{where}.fields", source, entry["fields"]) if "fields" in entry else None
        spread = self.spread(f"{where}.spread", fields or {}, entry.get("spread", {}))
        if fields:
            fields = _spread_out(fields, spread)
            self.check_twice(f"{where}.spread", tuple(fields))
        made = self.columns(source) if fields is None else tuple(fields)
        key = self.names(f"{where}.key", entry.get("key"), made)
        update = self.changing(where, entry, made, key, spread, is_open=fields is None)
        given = self.conditions(f"{where}.where", source, entry.get("where", {}))
        each = self.each(f"{where}.each", source, entry.get("each"))
        merge_by = self.merge_by(f"{where}.merge_by", source, entry.get("merge_by"))
        lists = tuple(name for name in self.columns(source) if self.tables[source].column(name).many)
        return Target(
            name=str(name),
            source=source,
            key=key,
            on_absent=self.choice(f"{where}.on_absent", entry.get("on_absent", "deactivate"), OnAbsent),
            where=given,
            joins=self.joins.get(source, {}),
            collect=collect,
            merge_by=merge_by,
            lists=(*lists, *collect) if merge_by else (),
            each=each,
            spread=spread,
            update=update,
            grace=self.grace(f"{where}.remove_after", entry.get("remove_after")),
            adopt=self.adopt(f"{where}.adopt", entry["adopt"], made, key) if "adopt" in entry else (),
            fields=fields,
        )

    def grace(self, where: str, given: object) -> Grace | None:
        found = parse_grace(given) if isinstance(given, str) else None
        if given is not None and found is None:
            self.faults.append(f'{where}: {given!r} is neither a number of drops nor of days, like "3 drops" or "14d"')
        return found

    def adopt(self, where: str, given: object, made: Sequence[str], key: Sequence[str]) -> tuple[str, ...]:
        names = self.names(where, given, made)
        self.faults += [
            f"{where}: {one!r} is of the key, by which records are found anyway" for one in names if one in key
        ]
        return names

    def changing(
        self, where: str, entry: Mapping[str, Any], made: Sequence[str], key: Sequence[str],
        spread: Mapping[str, int], *, is_open: bool,
    ) -> tuple[str, ...] | None:  # fmt: skip
        """Read which fields change after creation, None for all: `update` names them, `create_only` the others."""
        if "update" in entry and "create_only" in entry:
            self.faults.append(f"{where}: has both update and create_only; each says what the other leaves")
        verb = "update" if "update" in entry else "create_only"
        if verb not in entry:
            return None
        names = self.names(f"{where}.{verb}", entry[verb], made, is_open=is_open)
        self.faults += [f"{where}.{verb}: {one!r} is of the key, which never changes" for one in names if one in key]
        named = tuple(column for name in names for column in _columns_of(name, spread.get(name, 1)))
        return named if verb == "update" else tuple(name for name in made if name not in (*named, *key))

    def merge_by(self, where: str, source: str, given: object) -> tuple[str, ...]:
        names = self.texts(where, given, "column") if given is not None else ()
        for name in names:
            self.column(where, source, name)
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
            found[name] = self.list_of(at, source, entry)
        return found

    def list_of(self, at: str, source: str, entry: Mapping[str, Any]) -> Collect:
        """Read one list of what is related to a record."""
        table = self.source(f"{at}.from", entry.get("from"))
        if not {"by", "of"} & set(entry):
            self.faults.append(f"{at}: needs by, the column of {table} that refers to {source}; or of, the other way")
        outer, self.joins = self.joins, {}
        found = Collect(
            table=table,
            by=self.reference(f"{at}.by", table, source, entry["by"]) if "by" in entry else None,
            take=self.needed(f"{at}.take", table, entry.get("take")),
            where=self.conditions(f"{at}.where", table, entry.get("where", {})),
            order=self.order(f"{at}.order", table, entry.get("order")),
            of=self.reference(f"{at}.of", source, table, entry["of"]) if "of" in entry else None,
            most=self.item(f"{at}.most", entry.get("most")),
            joins=self.joins.get(table, {}),
        )
        self.joins = outer
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
            elif fields[name].otherwise:
                self.faults.append(f"{where}.{name}: the field is made in several ways; a list that is spread, in one")
            elif fields[name].item is not None:
                self.faults.append(f"{where}.{name}: the field takes one item of its list; take out either")
            elif type(most) is not int or not 2 <= most <= MOST_SPREAD:
                self.faults.append(f"{where}.{name}: {most!r} is not a number from 2 to {MOST_SPREAD}")
            else:
                found[name] = most
        return found

    def source(self, where: str, name: object) -> str:
        return str(name) if self.is_one_of(where, name, self.tables) else UNKNOWN

    def names(self, where: str, given: object, allowed: Sequence[str], *, is_open: bool = False) -> tuple[str, ...]:
        names = self.texts(where, given, "field")
        for name in names:
            if allowed and name not in allowed and not (is_open and name.startswith(METADATA)):
                self.faults.append(f"{where}: {not_one_of(name, allowed)}")
        self.check_twice(where, names)
        return names

    # Values -------------------------------------------------------------------------------------------------

    def value_map(self, where: str, given: object) -> dict[str, str]:
        entries = dict(self.table(where, given, ' of "found value" = "target value"'))
        return {found: self.text(f"{where}.{found}", value) or "" for found, value in entries.items()}


def _columns_of(name: str, most: int) -> tuple[str, ...]:
    return (name, *(f"{name}_{number}" for number in range(2, most + 1)))


def _spread_out(fields: Mapping[str, Rule], spread: Mapping[str, int]) -> dict[str, Rule]:
    """Return the fields with as many for each list as it has columns, each of which takes one item."""
    return {
        column: replace(rule, item=number) if name in spread else rule
        for name, rule in fields.items()
        for number, column in enumerate(_columns_of(name, spread.get(name, 1)), 1)
    }
