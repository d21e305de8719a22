"""New records as columns: every cell a string, columns by the standard's names, nothing guessed."""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ingestd.core import findings
from ingestd.core.columns import TEXT, blanks, to_series
from ingestd.core.layout import show
from ingestd.core.model import Batch
from ingestd.core.records import BOM, LINE_LIMIT
from ingestd.core.scan import Scanned
from schemas import Table

METADATA = "metadata."
"""Prefix of the columns that a vendor may add (rules 4.6)."""
_BLOCK = 4 * LINE_LIMIT
"""Bytes that pyarrow reads at a time; a record must fit."""


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
    """Match a file's header with the table's columns, by name and regardless of order.

    Names differ from the standard's in case and surrounding blanks at most. A first line that has none of them is
    no header but a record, and not a word of it is told.
    """
    standard = {column.name.casefold(): column.name for column in table.columns}
    names = tuple(standard.get(bare.casefold()) or _metadata(bare) for bare in map(str.strip, header))
    if not any(name in standard.values() for name in names):
        detail = "the first line has none of the standard's names"
        return Header(names, (findings.batch("missing-header", file=table.file, lines=[1], detail=detail),))
    told = (*_tell_twice(names), *_tell_missing(table, names, header), *_tell_other(names, header))
    known = [name for name in names if name and not name.startswith(METADATA)]
    if known != [column.name for column in table.columns if column.name in known]:
        told = (*told, ("header-order", None, ""))
    return Header(
        names,
        tuple(
            findings.batch(code, file=table.file, column=column, lines=[1], hint=hint) for code, column, hint in told
        ),
    )


def _metadata(name: str) -> str | None:
    return name if name.startswith(METADATA) else None


Told = tuple[str, str | None, str]
"""A finding about the header: its code, the column, and a hint."""


def _tell_twice(names: Sequence[str | None]) -> Iterator[Told]:
    """Tell of columns that are there twice; of metadata columns also when only case keeps them apart, as in SQL."""
    counts = Counter(name.casefold() for name in names if name)
    firsts = {name.casefold(): name for name in reversed(names) if name}
    yield from (("duplicate-column", firsts[key], "") for key, count in counts.items() if count > 1)


def _tell_missing(table: Table, names: Sequence[str | None], header: Sequence[str]) -> Iterator[Told]:
    strangers = [given.strip() for given, name in zip(header, names, strict=True) if name is None and given.strip()]
    for column in table.columns:
        if column.name not in names:
            code = "missing-column" if column.required else "missing-optional-column"
            yield code, column.name, _hint(column.name, strangers)


def _tell_other(names: Sequence[str | None], header: Sequence[str]) -> Iterator[Told]:
    for number, (given, name) in enumerate(zip(header, names, strict=True), 1):
        if name is None:
            yield "unknown-column", show(given.strip()) or f"#{number}", ""
        elif given != name:
            yield "header-case", name, ""


def _hint(name: str, strangers: Sequence[str]) -> str:
    """Name the column that is probably meant: REST and 1.0 names differ in their endings only (rules 6)."""
    stem, folded = _stem(name), {given.casefold(): given for given in reversed(strangers)}
    near = [given for given in strangers if _stem(given) == stem]
    near += [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.75)]
    return f"; the file has {show(near[0])}, which the standard calls {name}" if near else ""


def _stem(name: str) -> str:
    return name.casefold().removesuffix("s").removesuffix("sourcedid").removesuffix("id").rstrip("s")


def read(scanned: Scanned, header: Header, table: Table) -> pd.DataFrame:
    """Return the new records as a frame: the table's columns in their order, then metadata columns as in the file.

    Columns that the file lacks are blank, those that the standard lacks are left out.
    """
    columns = [*(column.name for column in table.columns), *header.metadata]
    if not scanned.data:
        return pd.DataFrame({name: pd.Series([], dtype=TEXT) for name in columns})
    given = [name or f"\0{i}" for i, name in enumerate(header.names)]
    # Of a mark at the very beginning pyarrow makes nothing; but here it would be a record's.
    data = BOM + scanned.data if scanned.data.startswith(BOM) else scanned.data
    cells = pa.csv.read_csv(
        pa.BufferReader(data),
        read_options=pa.csv.ReadOptions(column_names=given, block_size=_BLOCK),
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
