"""Whole columns of cells."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.columns import blanks, is_blank

cells = st.lists(st.sampled_from(["", " ", "a", "日本"]), max_size=6)


@given(cells, st.integers(0, 6), st.integers(0, 6))
def test_a_column_is_blank_if_each_of_its_cells_is(texts: list[str], begin: int, count: int) -> None:
    """Whatever stands before and behind it in memory: a part of a column is looked at alone."""
    part = pa.array(texts, pa.large_string()).slice(min(begin, len(texts)), count)
    assert is_blank(part) == (not any(part.to_pylist()))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_blanks_are_blank(count: int) -> None:
    """No cells at all are blank too."""
    assert is_blank(blanks(count))
