"""Rules across records: types of what is referred to, circles of parents, primaries, whose profile it is.

They hold for a table as it will be, what came again and what is new together, so that a rule is broken no matter which
of the two came last. Records that came again are known by arrays alone: hashes of ids, of references, and marks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core import findings
from ingestd.core.columns import arrow
from ingestd.core.hashing import find_unsorted, hash_strings, is_member
from ingestd.core.model import Batch, Hashes, Ints, Mask
from ingestd.core.scan import Live
from ingestd.core.validate import Candidates, Note, marked
from schemas.fields import EXTENSION
from schemas.rules import PRIMARY

Read = Callable[[Ints], pd.DataFrame]
"""Reads live records of a table by their positions."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""An odd number that keeps a pair of hashes from being mistaken for the pair the other way round."""
_OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Whole:
    """A table as it will be: the live records that stand, at `positions`, then the valid new ones, at `rows`.

    All that it returns has an entry for each of them in that order. `read` reads those that stand, `lines_of` tells
    where they stand in today's file.
    """

    new: Candidates
    live: Live
    positions: Ints
    rows: Ints
    note_names: Sequence[Note]
    read: Read
    lines_of: Callable[[Ints], Ints]
    seed: int

    def ids(self) -> Hashes:
        """Return the hashes of the records' ids."""
        return np.concatenate([self.live.id[self.positions], self.new.id[self.rows]])

    def __len__(self) -> int:
        return len(self.positions) + len(self.rows)

    def targets(self, column: str, chosen: Ints | None = None) -> Hashes:
        """Return the hashes of the ids to which a column refers that is no list, 0 for none; of all places or some."""
        positions, rows = self._at(chosen)
        kept = self.live.references.get(column)
        known = kept.target[positions] if kept else np.zeros(len(positions), np.uint64)
        cells = arrow(self.new.frame[column])
        fresh = cells if len(rows) == len(cells) else cells.take(pa.array(rows))
        return np.concatenate([known, hash_strings(fresh, self.seed)])

    def _at(self, chosen: Ints | None) -> tuple[Ints, Ints]:
        """Return the positions and rows of places, which are given in ascending order."""
        if chosen is None:
            return self.positions, self.rows
        count = len(self.positions)
        return self.positions[chosen[chosen < count]], self.rows[chosen[chosen >= count] - count]

    def marked(self, mark: str) -> Mask:
        """Return which records carry a mark."""
        known = marked(self.live.notes[self.positions], self.note_names, mark)
        return np.concatenate([known, marked(self.new.notes[self.rows], self.new.note_names, mark)])

    def cells(self, chosen: Ints, columns: Sequence[str]) -> pd.DataFrame:
        """Return some columns of the records at these places, which are given in ascending order."""
        positions, rows = self._at(chosen)
        old = self.read(positions).reindex(columns=list(columns), fill_value="")
        fresh = self.new.frame[list(columns)].iloc[rows]
        return pd.concat([old, fresh], ignore_index=True).fillna("")

    def suspects(self, code: str, column: str, broken: Mask, **words: str) -> "Suspects":
        """Return the records that break a rule, by where they are."""
        count = len(self.positions)
        rows = np.zeros(len(self.new), bool)
        rows[self.rows[broken[count:]]] = True
        return Suspects(self, code, column, self.positions[broken[:count]], rows, words)


@dataclass(frozen=True, slots=True)
class Suspects:
    """Records of a table that break one rule: live ones by position, new ones by row.

    `is_of_reading`: the rule is only asked of new records, so that those that break it must be read again each time.
    """

    whole: Whole
    code: str
    column: str
    positions: Ints
    rows: Mask
    words: Mapping[str, Any] = field(default_factory=dict)
    is_of_reading: bool = False

    def __len__(self) -> int:
        return len(self.positions) + int(self.rows.sum())

    def tell(self) -> Batch:
        """Return the finding, with the lines of all of them in today's file."""
        new, table = self.whole.new, self.whole.new.table
        lines = np.sort(np.concatenate([new.lines[self.rows], self.whole.lines_of(self.positions)]))
        return findings.batch(self.code, file=table.file, column=table.told(self.column), lines=lines, **self.words)


def others_of_type(whole: Whole, wanted: str) -> Hashes:
    """Return the ids, ascending, of the records of another `type`. What a sender's own word means nobody can say."""
    kind = whole.cells(np.arange(len(whole)), ["type"])["type"]
    is_other = (kind != wanted) & ~kind.str.startswith(EXTENSION)
    return np.sort(whole.ids()[is_other.to_numpy(bool)])


def of_wrong_type(whole: Whole, column: str, wrong: Hashes, wanted: str) -> Suspects:
    """Find what refers to a record of the wrong type (rules 4.5)."""
    code = "wrong-org-type" if whole.new.table.column(column).references == "orgs" else "wrong-session-type"
    broken = is_member(whole.targets(column), wrong) if len(wrong) else np.zeros(len(whole), bool)
    return whole.suspects(code, column, broken, type=wanted)


def in_circles(whole: Whole, column: str) -> Suspects:
    """Find the records that are above themselves by way of `column`.

    Who follows parents as many times as there are records has come to the top, or goes in a circle.
    """
    at = find_unsorted(whole.targets(column), whole.ids())
    reached = np.append(at, -1)  # from the top one gets nowhere: -1 is the last place, and leads to itself
    for _ in range(len(at).bit_length()):
        reached = reached[reached]
    broken = np.zeros(len(at), bool)
    broken[reached[reached >= 0]] = True
    return whole.suspects("parent-cycle", column, broken)


def two_primary_teachers(whole: Whole) -> Suspects:
    """Find primary teachers of the same class at the same time (binding, enrollments).

    The same teacher twice is none too many: 1.0 has no dates, and so an enrollment for each term.
    """
    broken = _clashing(whole, ["classSourcedId"], who="userSourcedId")
    return whole.suspects("several-primary-teachers", "primary", broken)


def two_primary_roles(whole: Whole) -> Suspects:
    """Find primary roles of the same user in the same org at the same time (rules 4.5)."""
    return whole.suspects("several-primary-roles", "roleType", _clashing(whole, ["userSourcedId", "orgSourcedId"]))


def _clashing(whole: Whole, key: Sequence[str], who: str | None = None) -> Mask:
    """Return which primary records have the key of another one, of somebody else, and overlap one with that key.

    Without dates they always do.
    """
    at = np.flatnonzero(whole.marked(PRIMARY))
    keys = np.zeros(len(at), np.uint64)
    for name in key:
        keys = keys * _MIX + whole.targets(name, at)
    persons = keys * _MIX + whole.targets(who, at) if who else np.arange(len(at), dtype=np.uint64)
    _, first = np.unique(persons, return_index=True)
    distinct, counts = np.unique(keys[first], return_counts=True)
    several = np.isin(keys, distinct[counts > 1])
    broken = np.zeros(len(whole), bool)
    if several.any():
        at, keys = at[several], keys[several]
        times = whole.cells(at, ["beginDate", "endDate"]) if whole.new.table.has("beginDate") else None
        broken[at[_overlap(keys, times)]] = True
    return broken


def _overlap(keys: Hashes, times: pd.DataFrame | None) -> Mask:
    """Return which spans of days overlap another one of the same key."""
    if times is None:
        return np.ones(len(keys), bool)
    begins, ends = _days(times["beginDate"], -_OPEN), _days(times["endDate"], _OPEN)
    order = np.lexsort((begins, keys))
    same = keys[order][1:] == keys[order][:-1]
    clash = np.zeros(len(keys), bool)
    latest = ends[order].copy()
    for i in np.flatnonzero(same):  # few: only primaries of one key come here
        clash[i : i + 2] |= begins[order[i + 1]] < latest[i]
        latest[i + 1] = max(latest[i], latest[i + 1])
    found = np.zeros(len(keys), bool)
    found[order[clash]] = True
    return found


def _days(dates: "pd.Series[str]", blank: int) -> Ints:
    days = pd.to_datetime(dates, errors="coerce", format="%Y-%m-%d").to_numpy("datetime64[D]")
    return np.where(np.isnat(days), blank, days.astype(np.int64))


def of_another(whole: Whole, profiles: Whole) -> Suspects:
    """Find roles whose profile is one of another user's (rules 4.5)."""
    wanted, own = whole.targets("userProfileSourcedId"), profiles.targets("userSourcedId")
    at = find_unsorted(wanted, profiles.ids())
    broken = (wanted != 0) & (at >= 0) & (np.append(own, np.uint64(0))[at] != whole.targets("userSourcedId"))
    return whole.suspects("profile-of-another", "userProfileSourcedId", broken)


def without_role(users: Whole, roles: Whole) -> Suspects:
    """Find users that have no role in the org that is called their primary one (rules 4.5)."""
    org = users.targets("primaryOrgSourcedId")
    have = np.sort(roles.targets("userSourcedId") * _MIX + roles.targets("orgSourcedId"))
    broken = (org != 0) & ~is_member(users.ids() * _MIX + org, have)
    return users.suspects("primary-org-without-role", "primaryOrgSourcedId", broken)


def out_of_range(results: Whole, items: Whole) -> Suspects:
    """Find new results with a score outside the range of their line item (rules 4.5).

    Results that came again unchanged were in order when they were read.
    """
    count = len(results.positions)
    at = find_unsorted(results.targets("lineItemSourcedId")[count:], items.ids())
    score = pd.to_numeric(results.new.frame["score"].iloc[results.rows], errors="coerce").to_numpy()
    broken = np.zeros(count + len(at), bool)
    here = np.flatnonzero((at >= 0) & ~np.isnan(score))
    if len(here):
        asked, back = np.unique(at[here], return_inverse=True)
        limits = (
            items.cells(asked, ["resultValueMin", "resultValueMax"]).apply(pd.to_numeric, errors="coerce").to_numpy()
        )
        broken[count + here] = (score[here] < limits[back, 0]) | (score[here] > limits[back, 1])
    return replace(results.suspects("score-out-of-range", "score", broken), is_of_reading=True)
