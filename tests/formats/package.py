"""What the formats of produced packages have in common: tables, and the rules that each of their files may have.

These validators stand on the rules of the formats alone, that is on section 2 of the notes on neighbouring systems.
They import nothing of ingestd and share nothing with what it writes by, so that no misreading is on both sides.

A fault reads like `rosters.csv:12 - student_id is not a person_id of students.csv`; line 1 is the header. It never
shows a value.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from formats.text import Dialect, records

BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its line and its values by column."""

    line: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the value of a column, blank if the table has no such column."""
        return self.values.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """A file as read: its name, its header, its sound rows."""

    name: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]

    def at(self, row: Row, text: str) -> str:
        """Return a fault of a row."""
        return f"{self.name}:{row.line} - {text}"


Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a column may have: in words, and as a test; `same` makes equal what the format takes as equal."""

    words: str
    allows: Callable[[str], object]
    same: Callable[[str], str] = str


def one_of(words: str, same: Callable[[str], str] = str) -> Values:
    """Return a closed set of values, written with blanks between them."""
    allowed = {same(word) for word in words.split()}
    return Values("of its list of values", lambda value: same(value) in allowed, same)


def matching(pattern: str, words: str) -> Values:
    """Return the values that a pattern matches as a whole."""
    return Values(words, re.compile(pattern).fullmatch)


def moment(pattern: str, words: str) -> Values:
    """Return the dates or times that a pattern matches and the calendar has."""
    shape = re.compile(pattern, re.ASCII)
    return Values(words, lambda value: shape.fullmatch(value) and _is_a_moment(value))


def _is_a_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class File:
    """What a format says of one file. Columns are written with blanks between them.

    Attributes:
        filled: Columns that the header must have, with data in every row.
        header: Further columns that the header must have; their cells may be blank.
        more: Columns that it may have.
        either: Groups of columns; a row has data in one of each group at least.
        key: Columns that together are another in every row.
        lists: Columns with several values, a comma between them.
        refers: By column, the file and its column that has the value too.
        values: By column, the values that it may have.
    """

    filled: str
    header: str = ""
    more: str = ""
    either: tuple[str, ...] = ()
    key: str = ""
    lists: str = ""
    refers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Values] = field(default_factory=dict)

    def knows(self) -> set[str]:
        """Return all columns that the file may have."""
        return set(" ".join((self.filled, self.header, self.more, *self.either)).split())

    def items(self, row: Row, column: str) -> list[str]:
        """Return the values in a cell: none if it is blank, several only if the column is one of lists."""
        cell = row[column]
        return cell.split(",") if cell and column in self.lists.split() else [cell] if cell else []


Layout = Mapping[str, File]


def common_faults(
    files: Mapping[str, bytes], layout: Layout, dialect: Callable[[str], Dialect]
) -> tuple[Tables, list[str]]:
    """Return the tables of a package, and its faults against all that a layout and a dialect say."""
    found = [f"{name} - the format has no such file" for name in files if name not in layout]
    tables = {}
    for name in (name for name in layout if name in files):
        tables[name], faults = read(name, files[name], dialect)
        found += faults
    for name, table in tables.items():
        found += [fault for rule in RULES for fault in rule(table, layout[name])]
        found += dangling(table, layout[name], tables)
    return tables, found


def missing(files: Mapping[str, bytes], names: str) -> list[str]:
    """Return a fault for each file that is not there."""
    return [f"{name} - the file is missing" for name in names.split() if name not in files]


def read(name: str, data: bytes, dialect: Callable[[str], Dialect]) -> tuple[Table, list[str]]:
    """Return a file as a table, and what is wrong with how it is written."""
    text = data.decode("utf-8", errors="replace")
    found = [f"{name} - the file is not UTF-8"] if text.encode() != data else []
    if text.startswith(BOM):
        found.append(f"{name} - the file begins with a byte order mark")
        text = text.removeprefix(BOM)
    way = dialect(text)
    header: tuple[str, ...] | None = None
    rows = []
    for record in records(text, way):
        values = tuple(map(way.value, record.cells))
        faults = [*way.look(record)] if record.whole else [*way.look(record), way.broken]
        if header is None:
            header = values
        elif record.whole and len(values) != len(header):
            faults.append("the record has another number of cells than the header")
        elif record.whole:
            rows.append(Row(record.line, dict(zip(header, values, strict=True))))
        found += [f"{name}:{record.line} - {fault}" for fault in faults]
    return Table(name, header or (), tuple(rows)), found


def headers(table: Table, file: File) -> Iterator[str]:
    """Yield what is wrong with a header: columns that lack, that come twice, that the format does not know."""
    there = Counter(table.header)
    lacking = [column for column in f"{file.filled} {file.header}".split() if column not in there]
    lacking += [" or ".join(group.split()) for group in file.either if not there.keys() & group.split()]
    yield from (f"{table.name}:1 - {column} is missing" for column in lacking)
    yield from (f"{table.name}:1 - {column} comes twice" for column, count in there.items() if count > 1)
    yield from (
        f"{table.name}:1 - {column} is no column of this file" for column in there if column not in file.knows()
    )


def blanks(table: Table, file: File) -> Iterator[str]:
    """Yield the cells without data that must have some."""
    groups = [group for group in (*file.filled.split(), *file.either) if {*group.split()} & {*table.header}]
    for row in table.rows:
        for group in groups:
            if not any(row[column].strip() for column in group.split()):
                yield table.at(row, f"{' or '.join(group.split())} is blank")


def doubles(table: Table, file: File) -> Iterator[str]:
    """Yield the rows with a key that an earlier row has."""
    yield from repeated([table], file.key, {column: values.same for column, values in file.values.items()})


def repeated(
    tables: Iterable[Table], key: str, same: Mapping[str, Callable[[str], str]] | None = None
) -> Iterator[str]:
    """Yield the rows with a key that an earlier row of any of the tables has."""
    columns, first = key.split(), dict[tuple[str, ...], str]()
    for table in tables:
        for row in table.rows:
            values = tuple((same or {}).get(column, str)(row[column]) for column in columns)
            if any(values) and first.setdefault(values, f"{table.name}:{row.line}") != f"{table.name}:{row.line}":
                yield table.at(row, f"{', '.join(columns)} is that of {first[values]}")


def others(table: Table, file: File) -> Iterator[str]:
    """Yield the values that a column may not have."""
    columns = [column for column in file.values if column in table.header]
    for row in table.rows:
        for column in columns:
            if not all(file.values[column].allows(item) for item in file.items(row, column)):
                yield table.at(row, f"{column} is not {file.values[column].words}")


def dangling(table: Table, file: File, tables: Tables) -> Iterator[str]:
    """Yield the references to what is not in the package; if a whole file is missing, that alone."""
    for column, target in file.refers.items():
        if column not in table.header:
            continue
        other, its = target.split()
        there = {row[its] for row in tables[other].rows} if other in tables else None
        lost = [row for row in table.rows if not {*file.items(row, column)} <= (there or set())]
        if lost and there is None:
            yield f"{other} - the file is missing, and {column} of {table.name} refers to it"
        else:
            yield from (table.at(row, f"{column} is not {article(its)} {its} of {other}") for row in lost)


def article(word: str) -> str:
    """Return `a` or `an`."""
    return "an" if word[0] in "aeio" else "a"


RULES: tuple[Callable[[Table, File], Iterable[str]], ...] = (headers, blanks, doubles, others)
