"""What a package of CSVs must be like before it leaves, by whole columns: what else its reader would refuse.

Law: what is wrong is told by file, column, rule and count, and never by a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.dialect import Dialect
from ingestd.core.rules import Column, Csv, Rules, Target

APPLE_PERSON = "person_id"
"""Unique in students and staff together (systems.md 2.1, rule 8): who comes second overwrites the first."""

_BLANK = r"\A\s*\z"
_APPLE_ID = r"\A[A-Za-z0-9-]*\z"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file as it is to be written: its columns in their order, and the cells of those that are `asked`."""

    header: tuple[str, ...]
    cells: Mapping[str, pa.Array]


def asked(target: Target, csv: Csv) -> tuple[str, ...]:
    """Return the columns of a table whose cells `check_package` looks at."""
    named = [*csv.references.items()]
    pointing = [field for (table, field), _ in named if table == target.name]
    pointed = [field for _, to in named for table, field in to if table == target.name]
    return tuple(dict.fromkeys((*target.key, *csv.required.get(target.name, ()), *pointing, *pointed)))


def check_package(sheets: Mapping[str, Sheet], rules: Rules) -> list[str]:
    """Return what is wrong with a package, a line per fault; nothing, if it may leave.

    Args:
        sheets: the files, by the names of their tables.
        rules: what files there must be, their keys, and what `[csv]` says of them.
    """
    if rules.csv.oneroster:  # a set of OneRoster may lack tables
        targets = [one for one in rules.targets if one.name in sheets]
        missing = []
    else:
        targets = list(rules.targets)
        missing = [f"{one.name}.csv is missing" for one in targets if one.name not in sheets]
    if missing:
        return missing
    found = [fault for one in targets for fault in _check_sheet(one, sheets[one.name], rules.csv)]
    found += _check_people(targets, sheets) if rules.csv.dialect is Dialect.APPLE else ()
    return [*found, *_check_references(sheets, rules.csv)]


def _check_sheet(target: Target, sheet: Sheet, csv: Csv) -> Iterator[str]:
    name, cells = target.name, sheet.cells
    twice = len(sheet.header) - len({one.casefold() for one in sheet.header})
    if twice:
        yield f"{name}.csv: {twice} columns have the name of another"
    lacking = [one for one in asked(target, csv) if one not in cells]
    for column in lacking:
        yield f"{name}.csv, {column}: the column is missing"
    for column in dict.fromkeys((*target.key, *csv.required.get(name, ()))):
        if column in cells and (blank := _count(pc.match_substring_regex(cells[column], _BLANK))):
            yield f"{name}.csv, {column}: {blank} cells are blank, and must not be"
    if not set(target.key) & set(lacking) and (twice := _repeated([cells[one] for one in target.key])):
        yield f"{name}.csv, {' and '.join(target.key)}: {twice} records have the key of another"
    if csv.dialect is Dialect.APPLE:
        yield from _check_ids(name, sheet, (*target.key, *(field for table, field in csv.references if table == name)))


def _check_ids(name: str, sheet: Sheet, columns: Sequence[str]) -> Iterator[str]:
    """Hold ids to Apple's letters, digits and hyphens (systems.md 2.1, rule 6)."""
    for column in dict.fromkeys(columns):
        if column in sheet.cells:
            wrong = _count(pc.invert(pc.match_substring_regex(sheet.cells[column], _APPLE_ID)))
            if wrong:
                yield f"{name}.csv, {column}: {wrong} ids have more than letters, digits and hyphens (see safe_id)"


def _check_people(targets: Sequence[Target], sheets: Mapping[str, Sheet]) -> Iterator[str]:
    tables = [one.name for one in targets if one.key == (APPLE_PERSON,) and APPLE_PERSON in sheets[one.name].cells]
    distinct = [pc.unique(sheets[name].cells[APPLE_PERSON]) for name in tables]
    if len(distinct) > 1 and (twice := _repeated([pa.concat_arrays(distinct)])):
        files = " and ".join(f"{name}.csv" for name in tables)
        yield f"{files}, {APPLE_PERSON}: {twice} people are in both"


def _check_references(sheets: Mapping[str, Sheet], csv: Csv) -> Iterator[str]:
    for (table, field), to in csv.references.items():
        known = [cells for one in to if (cells := _cells(sheets, one)) is not None]
        cells = _cells(sheets, (table, field))
        if cells is None or len(known) < len(to):
            continue  # which is told already, or is a set that lacks the table
        ids = pa.concat_arrays([*known, pa.array([""], pa.large_string())])
        if lost := _count_lost(cells, ids):
            yield f"{table}.csv, {field}: {lost} values name no record of {' or '.join(f'{one}.csv' for one, _ in to)}"


def _count_lost(cells: pa.Array, ids: pa.Array) -> int:
    """Return how many cells name what is not among the ids; one that does not as a whole may be a list of them."""
    others = cells.filter(pc.invert(pc.is_in(cells, value_set=ids)))
    lists = pc.split_pattern(others, ",")
    is_lost = pc.invert(pc.is_in(pc.utf8_trim_whitespace(pc.list_flatten(lists)), value_set=ids))
    return int(pc.count_distinct(pc.list_parent_indices(lists).filter(is_lost)).as_py())


def _cells(sheets: Mapping[str, Sheet], column: Column) -> pa.Array | None:
    table, field = column
    return sheets[table].cells.get(field) if table in sheets else None


def _count(mask: pa.Array) -> int:
    return pc.sum(mask).as_py() or 0


def _repeated(columns: Sequence[pa.Array]) -> int:
    """Return how many rows are as one before them."""
    if len(columns) == 1:
        return len(columns[0]) - int(pc.count_distinct(columns[0]).as_py())
    names = [str(number) for number in range(len(columns))]
    table = pa.table(list(columns), names=names)
    return int(table.num_rows - table.group_by(names).aggregate([]).num_rows)
