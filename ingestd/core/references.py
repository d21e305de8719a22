"""Uniqueness and references, over hashes of ids for whole tables: what came again and what is new, together.

An id counts as known when its record is valid, or is held back but has a last good version (law 1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow, to_series
from ingestd.core.hashing import find_unsorted, first_of_each, hash_distinct, hash_strings, is_member
from ingestd.core.model import Batch, Cause, Hashes, Ints, Mask, Severity
from ingestd.core.scan import Live, References, Scanned
from ingestd.core.validate import Candidates, content_of
from schemas import Column, Table

NAMED = 100
"""Missing targets that get a finding of their own; the rest share one."""


@dataclass(frozen=True, slots=True)
class Ids:
    """What is known of a table's ids: `known` ascending; `held` those held back, each with its first finding."""

    known: Hashes
    held: Mapping[int, Cause] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Items:
    """A reference column with lists split: `text[i]` stands in row `row[i]` and hashes to `hash[i]`."""

    row: Ints
    text: pa.Array
    hash: Hashes


def references_of(frame: pd.DataFrame, column: Column, seed: int) -> References:
    """Return what the rows of `frame` refer to in `column`."""
    if not column.many:
        return References(None, hash_strings(arrow(frame[column.name]), seed))
    items = _items(frame, column, seed)
    return References(items.row, items.hash)


def _items(frame: pd.DataFrame, column: Column, seed: int) -> _Items:
    rows, values = _split(arrow(frame[column.name]), column)
    hashes = hash_strings(values, seed)
    filled = hashes != 0
    if not filled.all():
        rows, values, hashes = rows[filled], values.filter(pa.array(filled)), hashes[filled]
    return _Items(rows, values, hashes)


def _split(values: pa.Array, column: Column) -> tuple[Ints, pa.Array]:
    """Return the row of each item of a column, and the items."""
    if not (column.many and pc.any(pc.match_substring(values, ",")).as_py()):
        return np.arange(len(values)), values
    lists = pc.split_pattern(values, ",")
    return pc.list_parent_indices(lists).to_numpy(zero_copy_only=False), pc.list_flatten(lists)


# Uniqueness ------------------------------------------------------------------------------------------------------


def check_unique(new: Candidates, live: Live, scanned: Scanned, seed: int) -> tuple[Candidates, Mask]:
    """Find ids that a file has more than once. Return the candidates, and which live records are in dispute.

    The same content twice is a warning and counts once; different content holds all of them back, also where one of
    them is held back already or is called deleted: nobody can say which is meant.
    """
    if _are_unique(new, live, scanned):
        return new, np.zeros(len(live), bool)
    ids, content = new.id, content_of(new.frame, seed)
    content = np.where(new.gone, ~content, content)
    present = np.flatnonzero(scanned.present(live))
    standing = np.append(present, -1)[find_unsorted(ids, live.id[present])]  # the known record with the same id, or -1
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    reference = np.where(standing >= 0, np.append(live.content, np.uint64(0))[standing], content[first[inverse]])
    differs = np.isin(ids, ids[(reference != content) & (ids != 0)])
    repeats = (ids != 0) & ~differs & ~new.held & ((standing >= 0) | ~first_of_each(ids))
    disputed = np.zeros(len(live), bool)
    disputed[standing[differs & (standing >= 0)]] = True
    found = [*_same_bytes_twice(new.table, scanned, len(present)), *_tell_repeats(new, repeats)]
    lines = np.concatenate([new.lines[differs], scanned.lines_of(np.flatnonzero(disputed))])
    if differs.any():
        found.append(_about_ids("duplicate-sourcedid", new.table, np.sort(lines)))
    return _drop(new, repeats).hold(differs[~repeats], found, "duplicate-sourcedid"), disputed


def _are_unique(new: Candidates, live: Live, scanned: Scanned) -> bool:
    """Return whether no id comes twice, nor a record of the same bytes: what nearly every file can be seen to be."""
    ids = np.sort(new.id[new.id != 0])
    present = scanned.present(live)
    if (ids[1:] == ids[:-1]).any() or np.count_nonzero(scanned.met >= 0) > np.count_nonzero(present):
        return False
    return not (is_member(live.id, ids) & present).any()


def _tell_repeats(new: Candidates, repeats: Mask) -> list[Batch]:
    return [_about_ids("duplicate-record", new.table, new.lines[repeats])] if repeats.any() else []


def _same_bytes_twice(table: Table, scanned: Scanned, present: int) -> list[Batch]:
    met = np.flatnonzero(scanned.met >= 0)
    if len(met) == present:
        return []
    again = met[~first_of_each(scanned.met[met].astype(np.int64))]
    return [_about_ids("duplicate-record", table, scanned.starts[again])] if len(again) else []


def _about_ids(code: str, table: Table, lines: Ints) -> Batch:
    return findings.batch(code, file=table.file, column=table.told("sourcedId"), lines=lines)


def _drop(new: Candidates, rows: Mask) -> Candidates:
    """Return the candidates without `rows`; what the remaining ones were held back for stays with them."""
    if not rows.any():
        return new
    place = np.cumsum(~rows) - 1
    per_row = {name: getattr(new, name)[~rows] for name in ("lines", "hash", "id", "held", "gone", "notes")}
    causes = {int(place[i]): cause for i, cause in new.causes.items() if not rows[i]}
    return replace(new, frame=new.frame[~rows].reset_index(drop=True), causes=causes, **per_row)


# References ------------------------------------------------------------------------------------------------------


def shaken(live: Live, standing: Mask, table: Table, vanished: Mapping[str, Hashes]) -> Ints:
    """Return the positions of standing live records that refer to ids which vanished: they must be looked at again."""
    hit = np.zeros(len(live), bool)
    for column in table.references():
        gone = vanished.get(column.references or "", np.zeros(0, np.uint64))
        found = live.references.get(column.name)
        if len(gone) and found is not None:
            hit[found.records(is_member(found.target, gone))] = True
    return np.flatnonzero(hit & standing)


def check_references(new: Candidates, ids: Mapping[str, Ids], seed: int) -> Candidates:
    """Check what the candidates refer to; `ids` has the tables they may refer to. Gone records are not checked.

    A required reference that leads nowhere holds the record back. An optional one, or one item of a list that has
    better ones, is left out, and the record is read again each time until it is whole.
    """
    for column in new.table.references():
        target = ids.get(column.references or "")
        if target is not None:
            new = _check_column(new, column, target, seed)
    return new


def _check_column(new: Candidates, column: Column, target: Ids, seed: int) -> Candidates:
    distinct, _ = hash_distinct(_split(arrow(new.frame[column.name]), column)[1], seed)
    if is_member(distinct[distinct != 0], target.known).all():
        return new  # as nearly always, and seen without a look at each record
    items = _items(new.frame, column, seed)
    bad = ~is_member(items.hash, target.known) & new.valid[items.row]
    if not bad.any():
        return new
    hit, good = _rows(items.row[bad], len(new)), _rows(items.row[~bad], len(new))
    fatal = hit & ~good & column.required
    to_held = _rows(items.row[bad & np.isin(items.hash, _hashes(target.held))], len(new))
    found = [
        one
        for is_fatal in (True, False)
        for one in _tell(new, column, items, bad & (fatal[items.row] == is_fatal), target, is_fatal=is_fatal)
    ]
    new = _leave_out(new, column, items, bad, hit & ~fatal)
    new = new.hold(fatal & to_held, (), "reference-to-held-back")
    return new.hold(fatal & ~to_held, found, "dangling-reference")


def _rows(rows: Ints, count: int) -> Mask:
    mask = np.zeros(count, bool)
    mask[rows] = True
    return mask


def _hashes(held: Mapping[int, Cause]) -> Hashes:
    return np.fromiter(held, np.uint64, len(held))


def _tell(new: Candidates, column: Column, items: _Items, bad: Mask, target: Ids, *, is_fatal: bool) -> Iterator[Batch]:
    """Yield a finding per missing id, the one that most records miss first; ids beyond `NAMED` share one."""
    at = np.flatnonzero(bad)
    lines = new.lines[items.row[at]]
    missing, first, inverse, counts = np.unique(
        items.hash[at], return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -counts))  # not by hash: that order is another one in each store
    for rank in order[:NAMED]:
        cause = target.held.get(int(missing[rank]))
        sourced_id = items.text[int(at[first[rank]])].as_py()
        code = "reference-to-held-back" if cause and is_fatal else _dangling(is_fatal=is_fatal)
        yield _missing(code, new.table, column, lines[inverse == rank], sourced_id, cause)
    yield from _tell_rest(new, column, lines, missing, inverse, order[NAMED:], target, is_fatal=is_fatal)


def _tell_rest(
    new: Candidates,
    column: Column,
    lines: Ints,
    missing: Hashes,
    inverse: Ints,
    ranks: Ints,
    target: Ids,
    *,
    is_fatal: bool,
) -> Iterator[Batch]:
    """Yield what is said of the ids that are not named: of those held back and of those not there at all."""
    is_held = np.isin(missing[ranks], _hashes(target.held)) & is_fatal
    for code, some in (("reference-to-held-back", ranks[is_held]), (_dangling(is_fatal=is_fatal), ranks[~is_held])):
        if len(some):
            cause = target.held[int(missing[some[0]])] if code == "reference-to-held-back" else None
            shared = Cause(cause.code, cause.file) if cause else None
            yield _missing(code, new.table, column, lines[np.isin(inverse, some)], f"{len(some):,} more ids", shared)


def _dangling(*, is_fatal: bool) -> str:
    return "dangling-reference" if is_fatal else "dangling-optional-reference"


def _missing(code: str, table: Table, column: Column, lines: Ints, sourced_id: str, cause: Cause | None) -> Batch:
    return findings.batch(
        code,
        file=table.file,
        column=column.header,
        lines=np.sort(lines),
        stands_for=len(lines),
        caused_by=cause,
        count=f"{len(lines):,}",
        id=sourced_id,
        target=f"{column.references}.csv",
    )


def leave_out(new: Candidates, column: Column, rows: Mask, seed: int) -> Candidates:
    """Leave a reference out of records; each of them is read again until it is whole."""
    items = _items(new.frame, column, seed)
    return _leave_out(new, column, items, rows[items.row], rows)


def _leave_out(new: Candidates, column: Column, items: _Items, bad: Mask, rows: Mask) -> Candidates:
    """Leave the bad items of `rows` out of the column; such a record is not remembered, so that it is read again."""
    if not rows.any():
        return new
    keep = ~bad & rows[items.row]
    ends = np.searchsorted(items.row[keep], np.append(np.flatnonzero(rows), len(new)))
    kept = items.text.filter(pa.array(keep)).cast(pa.string())
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), kept), ",").cast(pa.large_string())
    values = pc.replace_with_mask(arrow(new.frame[column.name]), pa.array(rows), joined)
    frame = new.frame.assign(**{column.name: to_series(values)})
    return replace(new, frame=frame, hash=np.where(rows, np.uint64(0), new.hash))


def stays(new: Candidates, live: Live, standing: Mask, broken: Hashes, *, keep_all: bool) -> Mask:
    """Return which live records stay live, whether or not a new version takes the place of one.

    Args:
        new: the candidates.
        live: the snapshot's live records.
        standing: which of them came again as they are.
        broken: the ids of records that no reader may see.
        keep_all: absence says nothing (delta, ids that cannot be told): what the file does not call deleted stays.
    """
    held = np.concatenate([new.id[new.held], broken])
    stay = standing | keep_all | is_member(live.id, np.sort(held))
    return np.asarray(stay & ~is_member(live.id, np.sort(new.id[new.gone & ~new.held])))


def ids_after(new: Candidates, live: Live, stay: Mask, broken: Hashes, faults: Sequence[Batch] = ()) -> Ids:
    """Return the ids that records of other tables may refer to once this table is settled.

    Args:
        new: the candidates.
        live: the snapshot's live records.
        stay: which of them stay.
        broken: the ids of records that no reader may see.
        faults: what the scan found wrong with the broken ones.
    """
    known = np.sort(np.concatenate([live.id[stay], new.id[new.valid]]))
    causes = {int(new.id[i]): cause for i, cause in new.causes.items() if new.held[i]}
    return Ids(known, {**dict.fromkeys(broken.tolist(), _why_broken(new.table, faults)), **causes})


def _why_broken(table: Table, faults: Sequence[Batch]) -> Cause:
    """Return the fault of the broken records, with its line where there is but one."""
    errors = [one for one in faults if one.severity is Severity.ERROR]
    if not errors:
        return Cause("field-count", table.file)
    is_clear = len(errors) == 1 == len(errors[0].lines)
    return Cause(errors[0].code, table.file, errors[0].lines[0] if is_clear else None)
