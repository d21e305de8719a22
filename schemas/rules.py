"""Rules between the cells of one record, each a finding's code and a function over whole columns.

They are not pandera's checks of a whole frame, because those tell each failure once for every column.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from schemas.cells import cells_of
from schemas.fields import DATE

URN = r"^urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
"""How CASE names a learning objective (binding 1.2, lineItemLearningObjectiveIds)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the code of its finding, the column that is told, and the words of the message.

    `breaks` takes a frame of the table and returns an Arrow array of booleans, true where a record breaks the rule.
    """

    code: str
    column: str
    breaks: Callable[[pd.DataFrame], Any]
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A fact about a record that rules across records ask for, long after its cells were read.

    `holds` takes a frame of the table and returns an Arrow array of booleans.
    """

    name: str
    holds: Callable[[pd.DataFrame], Any]


PRIMARY = "primary"
"""The mark of a class's primary teacher in enrollments, and of a user's primary role in roles."""


def primary_teacher() -> Mark:
    """Return the mark of a class's primary teacher."""
    return Mark(PRIMARY, lambda frame: pc.and_(_is(frame, "primary", "true"), _is(frame, "role", "teacher")))


def primary_role() -> Mark:
    """Return the mark of a user's primary role in an org."""
    return Mark(PRIMARY, lambda frame: _is(frame, "roleType", "primary"))


def in_order(begin: str, end: str) -> Rule:
    """Return the rule that one date comes after another; the end is excluded, so the same day is none at all (3)."""

    def breaks(frame: pd.DataFrame) -> Any:
        first, last = _cells(frame, begin), _cells(frame, end)
        suspect = pc.and_(pc.less_equal(last, first), pc.not_equal(last, ""))
        if not pc.any(suspect).as_py():
            return suspect
        are_dates = pc.and_(pc.match_substring_regex(first, f"^{DATE}$"), pc.match_substring_regex(last, f"^{DATE}$"))
        return pc.and_(suspect, are_dates)

    return Rule("end-before-begin", end, breaks, {"begin": begin, "end": end})


def in_parallel(column: str, other: str) -> Rule:
    """Return the rule that two lists have the same number of items, where both are filled (rules 4.3)."""

    def breaks(frame: pd.DataFrame) -> Any:
        first, second = _cells(frame, column), _cells(frame, other)
        both = pc.and_(pc.not_equal(first, ""), pc.not_equal(second, ""))
        return pc.and_(both, pc.not_equal(pc.count_substring(first, ","), pc.count_substring(second, ",")))

    return Rule("subjects-unpaired", other, breaks)


def for_teachers_alone() -> Rule:
    """Return the rule that nobody but a teacher is a class's primary one (binding, enrollments)."""

    def breaks(frame: pd.DataFrame) -> Any:
        role = _cells(frame, "role")
        others = pc.and_(pc.not_equal(role, "teacher"), pc.not_equal(role, ""))
        return pc.and_(_is(frame, "primary", "true"), others)

    return Rule("primary-not-teacher", "primary", breaks)


def case_by_urn() -> Rule:
    """Return the rule that what CASE names is named by a URN (binding 1.2, learning objectives)."""

    def breaks(frame: pd.DataFrame) -> Any:
        is_urn = pc.match_substring_regex(_cells(frame, "learningObjectiveId"), URN)
        return pc.and_(_is(frame, "source", "case"), pc.invert(is_urn))

    return Rule("not-a-case-uri", "learningObjectiveId", breaks)


def _is(frame: pd.DataFrame, name: str, value: str) -> Any:
    return pc.equal(_cells(frame, name), value)


def _cells(frame: pd.DataFrame, name: str) -> Any:
    return cells_of(frame[name])
