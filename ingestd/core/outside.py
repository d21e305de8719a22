"""Records that are left out of a roster, each with its reason, and the roster without them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingestd.core.collect import collect
from ingestd.core.columns import arrow, to_series
from ingestd.core.model import Mask
from ingestd.core.rules import Collect
from ingestd.core.scope import Reason
from ingestd.core.verbs import column_of, item_of
from schemas import Column, Shape

REASONS = tuple(Reason)
"""The reasons in the order of their numbers."""

LeftOut = Mapping[str, pa.Array]
"""By table the sourcedIds of the records that are left out."""


@dataclass(slots=True)
class Decided:
    """The records of one table, and for each the number of its reason to be left out from 1, or 0."""

    frame: pd.DataFrame
    reasons: NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        self.reasons = np.zeros(len(self.frame), np.int8)

    @property
    def kept(self) -> Mask:
        """Return which records are in scope."""
        kept: Mask = self.reasons == 0
        return kept

    def left_out(self) -> pa.Array:
        """Return the sourcedIds of the others."""
        return self.column("sourcedId").filter(pa.array(~self.kept))

    def reason(self, row: int) -> Reason | None:
        """Return why a record is left out."""
        number = int(self.reasons[row])
        return REASONS[number - 1] if number else None

    def counts(self) -> dict[Reason, int]:
        """Return how many records are left out for each reason."""
        found = np.bincount(self.reasons, minlength=len(REASONS) + 1)[1:]
        return {reason: int(count) for reason, count in zip(REASONS, found, strict=True) if count}

    def column(self, name: str) -> pa.Array:
        """Return a column; one that this version of the standard does not have is blank."""
        return column_of(self.frame, name)

    def having(self, name: str, words: Sequence[str]) -> Mask:
        """Return which records have one of these values in a column."""
        return to_mask(pc.is_in(self.column(name), pa.array(words, pa.large_string())))

    def pairs(self, name: str, rows: Mask) -> pd.DataFrame:
        """Return `row` and `item` for each item of a list in the chosen records."""
        parts = pc.split_pattern(self.column(name).filter(pa.array(rows)), ",")
        at = np.flatnonzero(rows)[pc.list_parent_indices(parts).to_numpy()]
        pairs = pd.DataFrame({"row": at, "item": to_series(pc.list_flatten(parts))})
        return pairs[pairs["item"] != ""]

    def leave_out(self, rows: Mask, reason: Reason) -> None:
        """Leave records out; one that is left out already keeps its first reason."""
        self.reasons[rows & self.kept] = REASONS.index(reason) + 1


def follows(frame: pd.DataFrame, shape: Shape, left_out: LeftOut) -> Iterator[tuple[Column, Mask]]:
    """Yield per column which records belong to something left out: the one record, or all that a list names."""
    for column in shape.references():
        gone = left_out.get(str(column.references))
        if column.required and gone is not None and len(gone):
            yield column, _belongs_to(column_of(frame, column.name), gone, many=column.many)


def prune(frame: pd.DataFrame, shape: Shape, left_out: LeftOut) -> pd.DataFrame:
    """Return records without what they refer to and is left out: an item of a list, or a reference, becomes blank."""
    pruned = {}
    for column in shape.references():
        gone = left_out.get(str(column.references))
        if gone is not None and len(gone) and column.name in frame.columns and column.name != "sourcedId":
            pruned[column.name] = to_series(_pruned(arrow(frame[column.name]), gone, many=column.many)).array
    return frame.assign(**pruned) if pruned else frame


def in_schools(courses: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """Return courses of which those without an org in scope belong to a school in scope that teaches them.

    Many courses are the district's, whose schools alone may be in scope; but a course must belong to an org.
    """
    own = column_of(courses, "orgSourcedId")
    taught = Collect("classes", by="courseSourcedId", take="schoolSourcedId")
    schools = item_of(collect(courses, classes, taught)[0], 1)
    return courses.assign(orgSourcedId=to_series(pc.if_else(pc.equal(own, ""), schools, own)).array)


def _belongs_to(values: pa.Array, gone: pa.Array, *, many: bool) -> Mask:
    if not many:
        return to_mask(pc.is_in(values, gone))
    texts = pc.dictionary_encode(values)
    pruned = _pruned(texts.dictionary, gone, many=True)
    emptied = pc.and_(pc.equal(pruned, ""), pc.not_equal(texts.dictionary, ""))
    return to_mask(emptied.take(texts.indices))


def _pruned(values: pa.Array, gone: pa.Array, *, many: bool) -> pa.Array:
    """Return references without those that are gone. Most lists have one item, and few differ: each is cut once."""
    if not many:
        return pc.if_else(pc.is_in(values, gone), "", values)
    texts = pc.dictionary_encode(values)
    known = set(gone.to_pylist())
    cut = [",".join(item for item in text.split(",") if item not in known) for text in texts.dictionary.to_pylist()]
    return pa.array(cut, pa.large_string()).take(texts.indices)


def to_mask(values: pa.Array) -> Mask:
    """Return Arrow booleans as a choice of records."""
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return mask
