"""Hashes of records, ids and contents."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from reading_files import ORGS, frame_of

from ingestd.core.columns import TEXT
from ingestd.core.hashing import (
    find,
    find_unsorted,
    first_of_each,
    hash_bytes,
    hash_ids,
    hash_rows,
    hash_strings,
    is_member,
    seed_of,
)


def hashes(*values: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return numbers as hashes."""
    return np.array(values, np.uint64)


def strings(*values: str) -> pa.Array:
    """Return a column of text."""
    return pa.array(values, pa.large_string())


def test_seed_depends_on_every_part() -> None:
    """Parts are told apart, also where their texts run together."""
    assert len({seed_of("a", "b"), seed_of("ab"), seed_of("a", "b", ""), seed_of("b", "a"), seed_of("a", 1)}) == 5


def test_hash_depends_on_the_seed() -> None:
    """The same bytes under another seed have another hash, so that feeds cannot be compared."""
    assert hash_bytes([b"a"], 1) != hash_bytes([b"a"], 2)


def test_blank_id_hashes_to_zero() -> None:
    """A blank id is nobody's."""
    assert (hash_ids(strings("a", "", "b"), 1) == 0).tolist() == [False, True, False]


def test_two_ways_to_hash_strings_agree() -> None:
    """Columns that repeat and columns that do not have the same hashes, in one piece or in several."""
    values = strings("a", "", "b", "a", "日本")
    pieces = pa.chunked_array([values.slice(0, 2), values.slice(2)])
    assert hash_strings(values, 1).tolist() == hash_ids(values, 1).tolist() == hash_strings(pieces, 1).tolist()


def test_no_strings() -> None:
    """A column without rows has no hashes."""
    none = strings()
    assert (len(hash_ids(none, 1)), len(hash_strings(none, 1)), len(hash_rows(frame_of(ORGS), ["name"], 1))) == (
        0,
        0,
        0,
    )


def test_content_is_the_filled_cells() -> None:
    """A value in another column is another content; a new blank column is none."""
    frame = frame_of(ORGS, {"sourcedId": "a", "name": "x"}, {"sourcedId": "a", "identifier": "x"})
    one, other = hash_rows(frame, ["sourcedId", "name", "identifier"], 1)
    assert one != other
    assert hash_rows(frame, ["sourcedId", "name"], 1)[0] == one


def test_cells_do_not_run_together() -> None:
    """Text that moves from one cell to the next changes the content."""
    frame = frame_of(ORGS, {"identifier": "ab", "name": "c"}, {"identifier": "a", "name": "bc"})
    assert len(set(hash_rows(frame, ["identifier", "name"], 1).tolist())) == 2


def test_values_do_not_run_into_names() -> None:
    """A value that ends like a column's name is not taken for a part of that name."""
    frame = pd.DataFrame({"a": ["x", "xa"], "ab": ["v", ""], "b": ["", "v"]}, dtype=TEXT)
    assert len(set(hash_rows(frame, ["a", "ab", "b"], 1).tolist())) == 2


def test_many_rows_are_hashed_alike() -> None:
    """Rows are hashed by slices, and a row's hash does not depend on its slice."""
    frame = frame_of(ORGS, {"sourcedId": "a"}, {"sourcedId": "b"})
    many = frame.loc[np.tile([0, 1], 40_000)].reset_index(drop=True)
    assert set(hash_rows(many, ["sourcedId"], 1).tolist()) == set(hash_rows(frame, ["sourcedId"], 1).tolist())


def test_find() -> None:
    """A needle is found at its first place, or nowhere."""
    assert find(hashes(5, 1, 9, 10, 0), hashes(1, 5, 5, 9)).tolist() == [1, 0, 3, -1, -1]
    assert find(hashes(5), hashes()).tolist() == [-1]
    assert find(hashes(), hashes(5)).tolist() == []


@pytest.mark.parametrize("repeated", [0, 1, 2**63, 2**64 - 1])
def test_among_many_hashes_all_are_found_where_they_are_first(repeated: int) -> None:
    """Wherever they lie, and though half of them are one and the same."""
    random = np.random.default_rng(1)
    among = np.sort(np.append(random.integers(0, 2**64, 80_000, np.uint64), np.full(80_000, repeated, np.uint64)))
    edges = hashes(0, 1, 2, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1)
    needles = random.permutation(np.concatenate([among[::3], random.integers(0, 2**64, 10_000, np.uint64), edges]))
    at = np.minimum(np.searchsorted(among, needles), len(among) - 1)
    assert np.array_equal(find(needles, among), np.where(among[at] == needles, at, -1))
    assert np.array_equal(find_unsorted(needles, among), find(needles, among))


def test_find_unsorted() -> None:
    """Positions are those of the unsorted hashes."""
    assert find_unsorted(hashes(5, 1, 7), hashes(9, 5, 1, 5)).tolist() == [1, 2, -1]
    assert find_unsorted(hashes(5), hashes()).tolist() == [-1]


def test_is_member() -> None:
    """Repeats do no harm."""
    assert is_member(hashes(5, 6), hashes(1, 5, 5)).tolist() == [True, False]


def test_first_of_each() -> None:
    """The first entry of each value is marked."""
    assert first_of_each(hashes(5, 1, 5, 1, 2)).tolist() == [True, True, False, False, True]
