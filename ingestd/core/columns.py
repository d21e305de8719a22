"""Columns of text, whole: the one dtype of every cell, and functions over distinct values instead of rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.model import Mask

TEXT = pd.StringDtype(na_value=np.nan)
"""The dtype of every cell: Arrow strings, blank as ''."""


def arrow(column: "pd.Series[str]") -> pa.Array:
    """Return the column as one Arrow array of large strings, without a copy where pandas holds Arrow already."""
    return flat(pa.array(column, type=pa.large_string()))


def flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the values in one piece."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def to_series(values: pa.Array | pa.ChunkedArray) -> "pd.Series[str]":
    """Return Arrow strings as a pandas column of `TEXT`, without a copy."""
    return pd.Series(pd.array(values, dtype=TEXT), copy=False)


def blanks(count: int) -> pa.Array:
    """Return a column of blank cells."""
    return pa.repeat(pa.scalar("", pa.large_string()), count)


def is_blank(values: pa.Array) -> bool:
    """Return whether no cell of a column has anything in it, which is true of many columns."""
    _, offsets, _ = values.buffers()
    ends = np.frombuffer(offsets, np.int64)
    return bool(ends[values.offset] == ends[values.offset + len(values)])


def change_where(values: pa.Array, chosen: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Apply `change` once to each distinct value among the chosen rows."""
    changed, _ = by_distinct(values.filter(chosen), change)
    return pc.replace_with_mask(values, chosen, changed)


def by_distinct(values: pa.Array, change: Callable[[str], str]) -> tuple[pa.Array, Mask]:
    """Apply `change` once to each distinct value, and say which rows it changed."""
    encoded = pc.dictionary_encode(values)
    before = encoded.dictionary.to_pylist()
    after = [change(value) for value in before]
    if after == before:
        return values, np.zeros(len(values), bool)
    at = encoded.indices.to_numpy(zero_copy_only=False)
    changed = np.array([old != new for old, new in zip(before, after, strict=True)], bool)
    return pa.array(after, pa.large_string()).take(pa.array(at)), changed[at]
