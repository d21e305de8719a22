"""Cells as Arrow has them: whole columns of strings in one piece."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd


def cells_of(column: "pd.Series[str]") -> Any:
    """Return a column's cells as one array of large strings, without a copy where pandas holds Arrow already."""
    cells = pa.array(column.array, pa.large_string())
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def text_of(cells: Any) -> bytes:
    """Return the text of all cells, one behind the other: what is in none of them is seen there fastest."""
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, np.int64)[[cells.offset, cells.offset + len(cells)]]
    return bytes(memoryview(data)[ends[0] : ends[1]]) if data else b""
