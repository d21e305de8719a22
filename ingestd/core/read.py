"""New records as columns: every cell a string, columns by the standard's names, nothing guessed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ingestd.core import findings
from ingestd.core.columns import TEXT, blanks, to_series
from ingestd.core.model import Batch
from ingestd.core.scan import Scanned
from schemas import Table

METADATA = "metadata."
"""Prefix of the columns that a vendor may add (rules 4.6)."""


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header, understood: `names` has the standard's name for each of the file's columns, None if unread."""

    names: tuple[str | None, ...]
    batches: tuple[Batch, ...]

    @property
    def metadata(self) -> tuple[str, ...]:
        """Return the vendor's own columns."""
        return tuple(name for name in self.names if name and name.startswith(METADATA))


def understand_header(table: Table, header: Sequence[str]) -> Header:
    """Match a file's header with the table's columns, by name and regardless of order."""
    standard = {column.name.casefold(): column.name for column in table.columns}
    names = tuple(standard.get(name.casefold()) or (name if name.startswith(METADATA) else None) for name in header)
    found: list[Batch] = []

    def add(code: str, column: str | None, **words: Any) -> None:
        found.append(findings.batch(code, file=table.file, column=column, lines=[1], **words))

    for twice in sorted({name for name in names if name and names.count(name) > 1}):
        add("duplicate-column", twice)
    strangers = [given for given, name in zip(header, names, strict=True) if name is None and given]
    for column in table.columns:
        if column.name not in names:
            code = "missing-column" if column.required else "missing-optional-column"
            add(code, column.name, hint=_hint(column.name, strangers))
    for given, name in zip(header, names, strict=True):
        if name is None:
            add("unknown-column", given)
        elif given != name:
            add("header-case", name)
    known = [name for name in names if name and not name.startswith(METADATA)]
    if known != [column.name for column in table.columns if column.name in known]:
        add("header-order", None)
    return Header(names, tuple(found))


def _hint(name: str, strangers: Sequence[str]) -> str:
    """Name the column that is probably meant: REST and 1.0 names differ in their endings only (rules 6)."""
    same = [given for given in strangers if _stem(given) == _stem(name)]
    near = same or difflib.get_close_matches(name, strangers, n=1, cutoff=0.75)
    return f"; the file has {near[0]}, which the standard calls {name}" if near else ""


def _stem(name: str) -> str:
    return name.casefold().removesuffix("s").removesuffix("sourcedid").removesuffix("id").removesuffix("s")


def read(scanned: Scanned, header: Header, table: Table) -> pd.DataFrame:
    """Return the new records as a frame: the table's columns in their order, then metadata columns as in the file."""
    columns = [*(column.name for column in table.columns), *header.metadata]
    if not scanned.data:
        return pd.DataFrame({name: pd.Series([], dtype=TEXT) for name in columns})
    given = [name or f"\0{i}" for i, name in enumerate(header.names)]
    cells = pa.csv.read_csv(
        pa.BufferReader(scanned.data),
        read_options=pa.csv.ReadOptions(column_names=given),
        parse_options=pa.csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(given, pa.large_string()),
            include_columns=[name for name in columns if name in given],
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    )
    return _frame(cells, columns)


def _frame(cells: pa.Table, columns: Sequence[str]) -> pd.DataFrame:
    blank, have = blanks(cells.num_rows), set(cells.column_names)
    return pd.DataFrame(
        {name: to_series(cells.column(name) if name in have else blank) for name in columns}, copy=False
    )
