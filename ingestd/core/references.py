"""Uniqueness and references, over hashes of ids for whole tables: what came again and what is new, together.

An id counts as known when its record is valid, or is held back but has a last good version (law 1).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core import findings
from ingestd.core.columns import arrow, to_series
from ingestd.core.hashing import find_unsorted, first_of_each, hash_ids, hash_strings, is_member
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
    """Return what the rows of `frame` refer to in `column`, blanks left out."""
    items = _items(frame, column, seed)
    return References(items.row, items.hash)


def _items(frame: pd.DataFrame, column: Column, seed: int) -> _Items:
    values = arrow(frame[column.name])
    rows = np.arange(len(values))
    if column.many and pc.any(pc.match_substring(values, ",")).as_py():
        lists = pc.split_pattern(values, ",")
        rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
        values = pc.list_flatten(lists)
    hashes = hash_strings(values, seed)
    filled = hashes != 0
    if not filled.all():
        rows, values, hashes = rows[filled], values.filter(pa.array(filled)), hashes[filled]
    return _Items(rows, values, hashes)


# Uniqueness ------------------------------------------------------------------------------------------------------


def check_unique(new: Candidates, live: Live, scanned: Scanned) -> tuple[Candidates, Mask]:
    """Find ids that a file has more than once. Return the candidates, and which live records are in dispute.

    The same content twice is a warning and counts once; different content holds all of them back.
    """
    ids = np.where(new.held, np.uint64(0), new.id)
    present = np.append(np.flatnonzero(scanned.present(live)), -1)
    standing = present[find_unsorted(ids, live.id[present[:-1]])]  # the known record with the same id, or -1
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    reference = np.where(standing >= 0, np.append(live.content, np.uint64(0))[standing], new.content[first[inverse]])
    differs = np.isin(ids, ids[(reference != new.content) & (ids != 0)]) & (ids != 0)
    repeats = (ids != 0) & ~differs & ((standing >= 0) | ~first_of_each(ids))
    disputed = np.zeros(len(live), bool)
    disputed[standing[differs & (standing >= 0)]] = True
    found = [*_same_bytes_twice(new.table, scanned), *_tell_repeats(new, repeats)]
    lines = np.concatenate([new.lines[differs], scanned.lines_of(np.flatnonzero(disputed))])
    if differs.any():
        found.append(_about_ids("duplicate-sourcedid", new.table, np.sort(lines)))
    return _drop(new, repeats).hold(differs[~repeats], found, "duplicate-sourcedid"), disputed


def _tell_repeats(new: Candidates, repeats: Mask) -> list[Batch]:
    return [_about_ids("duplicate-record", new.table, new.lines[repeats])] if repeats.any() else []


def _same_bytes_twice(table: Table, scanned: Scanned) -> list[Batch]:
    met = np.flatnonzero(scanned.met >= 0)
    again = met[~first_of_each(scanned.met[met].astype(np.int64))]
    return [_about_ids("duplicate-record", table, scanned.starts[again])] if len(again) else []


def _about_ids(code: str, table: Table, lines: Ints) -> Batch:
    return findings.batch(code, file=table.file, column="sourcedId", lines=lines)


def _drop(new: Candidates, rows: Mask) -> Candidates:
    """Return the candidates without `rows`; what the remaining ones were held back for stays with them."""
    if not rows.any():
        return new
    place = np.cumsum(~rows) - 1
    per_row = {name: getattr(new, name)[~rows] for name in ("lines", "hash", "id", "content", "held", "gone", "notes")}
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
            hit[found.row[is_member(found.target, gone)]] = True
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
    items = _items(new.frame, column, seed)
    bad = ~is_member(items.hash, target.known) & new.valid[items.row]
    if not bad.any():
        return new
    hit = np.zeros(len(new), bool)
    hit[items.row[bad]] = True
    good = np.zeros(len(new), bool)
    good[items.row[~bad]] = True
    fatal = hit & ~good if column.required else np.zeros(len(new), bool)
    found = list(_tell(new, column, items, bad, target, fatal))
    new = _leave_out(new, column, items, bad, hit & ~fatal, seed)
    return (
        replace(new, batches=(*new.batches, *found))
        if not fatal.any()
        else new.hold(fatal, found, "dangling-reference")
    )


def _tell(new: Candidates, column: Column, items: _Items, bad: Mask, target: Ids, fatal: Mask) -> Iterator[Batch]:
    """Yield a finding per missing id, the one that most records miss first; ids beyond `NAMED` share one."""
    rows, hashes = items.row[bad], items.hash[bad]
    missing, first, inverse, counts = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    at_bad = np.flatnonzero(bad)
    order = np.argsort(-counts, kind="stable")
    named = {int(rank): None for rank in order[:NAMED]}
    for rank in named:
        lines = np.sort(new.lines[rows[inverse == rank]])
        cause = target.held.get(int(missing[rank]))
        sourced_id = items.text[int(at_bad[first[rank]])].as_py()
        is_fatal = bool(fatal[rows[first[rank]]])
        yield _missing(new.table, column, lines, cause, is_fatal=is_fatal, sourced_id=sourced_id)
    others = ~np.isin(inverse, order[:NAMED])
    if others.any():
        lines = np.sort(new.lines[rows[others]])
        sourced_id = f"{len(missing) - len(named):,} more ids"
        is_fatal = bool(fatal[rows[others]].any())
        yield _missing(new.table, column, lines, None, is_fatal=is_fatal, sourced_id=sourced_id)


def _missing(
    table: Table, column: Column, lines: Ints, cause: Cause | None, *, is_fatal: bool, sourced_id: str
) -> Batch:
    code = "reference-to-held-back" if cause else "dangling-reference"
    if not is_fatal:
        code = "dangling-optional-reference"
    return findings.batch(
        code,
        file=table.file,
        column=column.name,
        lines=lines,
        stands_for=len(lines),
        caused_by=cause,
        count=f"{len(lines):,}",
        id=sourced_id,
        target=f"{column.references}.csv",
    )


def _leave_out(new: Candidates, column: Column, items: _Items, bad: Mask, rows: Mask, seed: int) -> Candidates:
    """Leave the bad items of `rows` out of the column; such a record is not remembered, so that it is read again."""
    if not rows.any():
        return new
    keep = ~bad & rows[items.row]
    kept = pd.Series(items.text.filter(pa.array(keep)).to_pylist(), dtype=object)
    joined = kept.groupby(items.row[keep]).agg(",".join) if keep.any() else pd.Series(dtype=object)
    values = new.frame[column.name].to_numpy(object).copy()
    values[rows] = ""
    values[joined.index.to_numpy(np.int64)] = joined.to_numpy()
    frame = new.frame.assign(**{column.name: to_series(pa.array(values, pa.large_string()))})
    content = new.content.copy()
    content[rows] = content_of(frame[rows], seed)
    return replace(new, frame=frame, content=content, hash=np.where(rows, np.uint64(0), new.hash))


def ids_after(
    new: Candidates, live: Live, standing: Mask, broken: tuple[str, ...], seed: int, *, keep_all: bool
) -> Ids:
    """Return the ids that records of other tables may refer to once this table is settled.

    `standing` are the live records that stay as they are; with `keep_all` (delta, unreadable ids) every live one does,
    save those that the file calls deleted.
    """
    broken_ids = hash_ids(pa.array(broken, pa.large_string()), seed)
    held = np.concatenate([new.id[new.held], broken_ids])
    stays = standing | keep_all | np.isin(live.id, held)
    stays &= ~np.isin(live.id, new.id[new.gone])
    known = np.unique(np.concatenate([live.id[stays], new.id[new.valid]]))
    causes = {int(new.id[i]): cause for i, cause in new.causes.items() if new.held[i]}
    file = new.table.file
    line_of = [b.lines[0] for b in new.batches if b.file == file and b.severity is Severity.ERROR and b.lines]
    for one in broken_ids:
        causes.setdefault(int(one), Cause("field-count", file, line_of[0] if line_of else None))
    return Ids(known, causes)
