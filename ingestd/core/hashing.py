"""Seeded 64-bit hashes of records, ids and contents. Law: 0 is never a hash; it stands for "nothing to recognise"."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from ingestd.core.columns import arrow, flat, is_blank
from ingestd.core.model import Hashes, Ints, Mask

UNIT, RECORD = "\x1f", "\x1e"
"""Separators that the gate lets into no value, so that joined values cannot be mistaken for others."""
_CACHED = 1 << 16
"""So many hashes stay in the processor's cache, however they are searched."""
_BITS, _FEW = 20, 16
"""The bits of a hash that tell most strangers apart; how many times fewer of one side make another way worth it."""
_STEPS = 8
"""How far nearly every hash is, at most, from where its first bits begin."""


def seed_of(*parts: str | int) -> int:
    """Return a 64-bit seed that changes with any of `parts`."""
    return xxh3_64_intdigest(UNIT.join(map(str, parts)).encode())


def hash_bytes(records: Sequence[bytes], seed: int) -> Hashes:
    """Return one hash per record."""
    found = np.fromiter(map(xxh3_64_intdigest, records, repeat(seed)), np.uint64, len(records))
    found[found == 0] = 1
    return found


def hash_strings(values: pa.Array, seed: int) -> Hashes:
    """Return one hash per string, the blank string as 0. For columns whose values repeat: each is hashed once."""
    distinct, at = hash_distinct(values, seed)
    return np.asarray(distinct[at])


def hash_distinct(values: pa.Array, seed: int) -> tuple[Hashes, Ints]:
    """Return the hashes of the distinct strings, the blank string's as 0, and for each string which one it is."""
    encoded = pc.dictionary_encode(flat(values))
    return hash_ids(encoded.dictionary, seed), encoded.indices.to_numpy(zero_copy_only=False)


def hash_ids(values: pa.Array, seed: int) -> Hashes:
    """Return one hash per string, the blank string as 0. For columns whose values seldom repeat."""
    found = hash_bytes(_binary(values), seed)
    found[pc.equal(values, "").to_numpy(zero_copy_only=False)] = 0
    return found


def _binary(values: pa.Array) -> list[bytes]:
    found: list[bytes] = values.cast(pa.large_binary()).to_pylist()
    return found


def hash_rows(frame: pd.DataFrame, columns: Sequence[str], seed: int) -> Hashes:
    """Return one hash per row over the filled cells of `columns`: the sum of their hashes, each column's seed its own.

    Blank cells do not count, nor does the order of columns: a new blank column, or a header in another order, changes
    no content.
    """
    total = np.zeros(len(frame), np.uint64)
    for name in columns:
        values = arrow(frame[name])
        if not is_blank(values):
            total += hash_strings(values, seed_of(seed, name))
    total[total == 0] = 1
    return total


def find(needles: Hashes, sorted_hashes: Hashes) -> Ints:
    """Return each needle's position in `sorted_hashes` (ascending; the first of equals), or -1."""
    if len(sorted_hashes) * _FEW > len(needles):
        return _search(needles, sorted_hashes)
    is_there = np.zeros(1 << _BITS, bool)  # by their first bits most needles are seen not to be there
    is_there[sorted_hashes >> np.uint64(64 - _BITS)] = True
    near = np.flatnonzero(is_there[needles >> np.uint64(64 - _BITS)])
    at = np.full(len(needles), -1)
    at[near] = _search(needles[near], sorted_hashes)
    return at


def _search(needles: Hashes, sorted_hashes: Hashes) -> Ints:
    if not len(sorted_hashes):
        return np.full(len(needles), -1)
    if len(sorted_hashes) < _CACHED:
        at = np.searchsorted(sorted_hashes, needles)
    elif len(sorted_hashes) < len(needles) * _FEW:
        at = _walk(needles, sorted_hashes)
    else:
        at = np.empty(len(needles), np.int64)
        order = np.argsort(needles)  # in order, the search walks through memory instead of jumping about in it
        at[order] = np.searchsorted(sorted_hashes, needles[order])
    at[at == len(sorted_hashes)] = 0
    return np.where(sorted_hashes[at] == needles, at, -1)


def _walk(needles: Hashes, sorted_hashes: Hashes) -> Ints:
    """Return what `searchsorted` does: hashes lie evenly, so from where a needle's first bits begin it is few steps."""
    bits = len(sorted_hashes).bit_length() - 2  # a few hashes have the same, and the counts are small beside all
    shift = np.uint64(64 - bits)
    counts = np.bincount((sorted_hashes >> shift).view(np.int64), minlength=1 << bits)
    at: Ints = (np.cumsum(counts) - counts)[needles >> shift]
    walking = np.arange(len(needles))
    for _ in range(_STEPS):
        walking = walking[at[walking] < len(sorted_hashes)]
        walking = walking[sorted_hashes[at[walking]] < needles[walking]]
        at[walking] += 1
    at[walking] = np.searchsorted(sorted_hashes, needles[walking])  # repeats are not even
    return at


def find_unsorted(needles: Hashes, hashes: Hashes) -> Ints:
    """Return each needle's position in `hashes` (the first of equals), or -1. The shorter side is the one sorted."""
    if len(hashes) <= len(needles):
        order = np.argsort(hashes, kind="stable")
        return np.append(order, -1)[find(needles, hashes[order])]
    distinct, back = np.unique(needles, return_inverse=True)
    rank = find(hashes, distinct)
    at = np.flatnonzero(rank >= 0)[::-1]  # backwards, so that the first of equals is written last
    place = np.full(len(distinct), -1)
    place[rank[at]] = at
    return np.asarray(place[back])


def is_member(needles: Hashes, sorted_hashes: Hashes) -> Mask:
    """Return which needles are among `sorted_hashes` (ascending, repeats allowed)."""
    return np.asarray(find(needles, sorted_hashes) >= 0)


def first_of_each(values: Hashes | Ints) -> Mask:
    """Return which entries are the first of their value."""
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def are_distinct(values: Hashes | Ints) -> bool:
    """Return whether no two entries are the same."""
    ordered = np.sort(values)
    return not (ordered[1:] == ordered[:-1]).any()
