"""Whole columns of strings and of positions: the few operations out of which a roster is made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import schemas
from ingestd.core.model import Ints, Mask

Roster = dict[str, pd.DataFrame]
"""A frame of strings per table, in the standard's order of columns and in order of dependence."""
Strings = Any
"""A `large_string` array of pyarrow, which is untyped."""

VERSION = "1.1"
_TEXT = pa.large_string()


def strings(values: Sequence[str] | NDArray[np.int64] | NDArray[np.str_]) -> Strings:
    """Turn values into a column; numbers are written in decimal."""
    return pa.array(values).cast(_TEXT)


def cells(column: "pd.Series[str]") -> Strings:
    """Return the column of a frame, in one piece."""
    found = pa.array(column.array, _TEXT)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def join(*parts: Strings) -> Strings:
    """Put columns, and words that stand for whole columns, together cell by cell."""
    return pc.binary_join_element_wise(*(pa.scalar(p, _TEXT) if isinstance(p, str) else p for p in parts), text(""))


def text(word: str) -> Strings:
    """Turn one word into a value that goes with columns."""
    return pa.scalar(word, _TEXT)


def pick(words: Sequence[str], at: Ints | Mask) -> Strings:
    """Return the words at the positions; a mask picks the second word where it holds."""
    return strings(list(words)).take(pa.array(at.astype(np.int64)))


def numbers(day: int, step: int, size: int) -> Strings:
    """Return `size` ids of which no other day has any; `step` is more than a day can need."""
    return strings((day + 1) * step + np.arange(1, size + 1))


def class_ids(classes: Ints) -> Strings:
    """Return the sourcedIds of classes by their position."""
    return join("C", strings(100_001 + classes))


def school_ids(schools: Ints) -> Strings:
    """Return the sourcedIds of schools by their position; the district is 1000."""
    return strings(1001 + schools)


def frame_of(table: str, **columns: Strings | str) -> pd.DataFrame:
    """Make a table's frame. A word stands for a whole column; what is not given is blank."""
    size = next(len(column) for column in columns.values() if not isinstance(column, str))
    given = {name: columns.get(name, "") for name in schemas.load(VERSION)[table].header}
    whole = {name: pa.repeat(text(one), size) if isinstance(one, str) else one for name, one in given.items()}
    return pa.table(whole).to_pandas()  # type: ignore[no-any-return]


def with_columns(frame: pd.DataFrame, **columns: Strings) -> pd.DataFrame:
    """Return the frame with columns replaced."""
    return frame.assign(**pa.table(columns).to_pandas().set_axis(frame.index, axis=0))


def is_among(column: "pd.Series[str]", ids: Strings) -> Mask:
    """Tell which cells are among the ids."""
    return np.asarray(pc.is_in(cells(column), ids), dtype=np.bool_)


def count_within(sizes: Ints) -> Ints:
    """Count from 0 within each of the groups that follow one another: `[2, 3]` gives `[0, 1, 0, 1, 2]`."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def rank_within(groups: Ints) -> Ints:
    """Count from 0 the members of each group, wherever they are: `[5, 7, 5]` gives `[0, 0, 1]`."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    ranks = np.empty(len(groups), np.int64)
    ranks[np.argsort(group, kind="stable")] = count_within(sizes)
    return ranks
