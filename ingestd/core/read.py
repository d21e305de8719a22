"""New records as columns: every cell a string, columns by the standard's names, nothing guessed."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ingestd.core.columns import TEXT, blanks, flat, to_series
from ingestd.core.header import Header
from ingestd.core.records import BOM, LINE_LIMIT
from ingestd.core.scan import Scanned
from schemas import Table

_BLOCK = 4 * LINE_LIMIT
"""Bytes that pyarrow reads at a time; a record must fit."""


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
        {name: to_series(flat(cells.column(name)) if name in have else blank) for name in columns}, copy=False
    )
