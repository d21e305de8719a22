"""One table on its way into the roster: scanned, read, validated, held against others, compared with the past."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core import across, findings
from ingestd.core.across import Suspects, Whole
from ingestd.core.columns import TEXT
from ingestd.core.hashing import hash_ids, is_member
from ingestd.core.model import Batch, Hashes, Ints, Mask, Mode, Severity
from ingestd.core.references import Ids, check_references, check_unique, ids_after, leave_out, shaken, stays
from ingestd.core.roster import Settled, demote, keeps_all, settle, vanished
from ingestd.core.scan import Live, Scanned
from ingestd.core.validate import Candidates, Note, recall, validate
from ingestd.core.ways import Ways
from schemas import Table

KEPT = frozenset({"orgs", "academicSessions", "users", "userProfiles", "roles", "lineItems"})
"""The tables that rules across records ask for."""


class Past(Protocol):
    """What is known from before: a feed's snapshot, or nothing."""

    def live(self, name: str) -> Live:
        """Return the live records of a table as arrays."""

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return versions of records by their keys."""

    def notes(self, name: str) -> Sequence[Note]:
        """Return what the bits of a table's notes mean."""


class NoPast:
    """No snapshot: everything is new. What `ingestd check` compares with."""

    def live(self, name: str) -> Live:  # noqa: ARG002
        """Return no records."""
        return Live()

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return nothing; there are no keys to ask for."""
        if len(rids):
            raise LookupError(f"{name}: {len(rids)} records asked of an empty past")
        return pd.DataFrame()

    def notes(self, name: str) -> Sequence[Note]:  # noqa: ARG002
        """Return no notes."""
        return ()


@dataclass(frozen=True, slots=True)
class Others:
    """What is known of the tables that came before this one, and grows with each.

    `ids` are those that may be referred to, `vanished` those that were and are not any more, `wholes` the tables that
    rules across records ask for.
    """

    ids: dict[str, Ids] = field(default_factory=dict)
    vanished: dict[str, Hashes] = field(default_factory=dict)
    wholes: dict[str, Whole] = field(default_factory=dict)


@dataclass(slots=True)
class Settling:
    """A table that is being settled. `is_alone`: what a delta refers to elsewhere is not known to anybody."""

    table: Table
    mode: Mode
    live: Live
    scanned: Scanned
    past: Past
    others: Others
    ways: Ways
    seed: int
    is_alone: bool
    new: Candidates
    standing: Mask
    told: list[Batch] = field(default_factory=list)
    _made: Whole | None = None

    def judge(self, *, is_referred_to: bool) -> Mask:
        """Hold the new records against each other and against other tables.

        Return which live records share their id with a different one: the file says two things of them.
        """
        self.new, disputed = check_unique(self.new, self.live, self.scanned, self.seed)
        if is_referred_to:
            self._remember()
        self._recall(shaken(self.live, self.standing, self.table, self.others.vanished))
        self._break_circles()
        name = self.table.name
        others = {other: ids for other, ids in self.others.ids.items() if other != name}
        self.new = check_references(self.new, others, self.seed)
        for judge in self._judges():
            self._judge(judge)
        if is_referred_to:
            self._remember()  # what was held back just now is no good for its own table either
        own = {other: ids for other, ids in self.others.ids.items() if other == name}
        self.new = check_references(self.new, own, self.seed)
        if name in KEPT and not (self.is_alone and self.mode is Mode.DELTA):
            self.others.wholes[name] = self._whole()
        return disputed

    def settle(self, disputed: Mask) -> Settled:
        """Compare what was judged with the past, and say what changes."""
        settled = settle(self.mode, self.live, self.scanned, self.new, self.standing, disputed, seed=self.seed)
        return replace(settled, batches=(*settled.batches, *self.told, *self._recalled(settled)))

    def _remember(self) -> None:
        """Let others know the ids that may be referred to."""
        if self.is_alone and self.mode is Mode.DELTA:
            return
        ids = ids_after(self.new, self.live, self._stays(), self._broken(), self.scanned.batches)
        self.others.ids[self.table.name] = ids
        self.others.vanished[self.table.name] = vanished(self.live, ids.known)

    def _broken(self) -> Hashes:
        return hash_ids(pa.array(self.scanned.broken, pa.large_string()), self.seed)

    def _stays(self) -> Mask:
        keep_all = keeps_all(self.mode, self.new, self.scanned)
        return stays(self.new, self.live, self.standing, self._broken(), keep_all=keep_all)

    def _recall(self, positions: Ints) -> None:
        """Look at known records again as if they were new, if the file has them: else there is nothing to look at."""
        positions = positions[self.standing[positions]]
        if len(positions):
            again = self.past.read(self.table.name, self.live.rid[positions])
            self.new = demote(self.new, again, positions, self.live, self.scanned.lines_of(positions))
            self.standing[positions] = False

    # Rules across records ------------------------------------------------------------------------------------

    def _break_circles(self) -> None:
        """Leave out the parents of records that are above themselves."""
        for column in self.table.references():
            if column.references == self.table.name and not column.many:
                broken = self._judge(partial(across.in_circles, column=column.name), must_mend=True)
                if broken is not None:
                    self.new = leave_out(self.new, column, broken, self.seed)

    def _judges(self) -> Iterator[Callable[[Whole], Suspects]]:
        """Yield the rules that hold for this table, as far as what they ask for is known."""
        wholes = self.others.wholes
        for column in self.table.references():
            if column.of_type and column.references in wholes:
                wrong = across.others_of_type(wholes[column.references], column.of_type)
                yield partial(across.of_wrong_type, column=column.name, wrong=wrong, wanted=column.of_type)
        if self.table.name == "enrollments":
            yield across.two_primary_teachers
        if self.table.name == "roles":
            yield across.two_primary_roles
        if self.table.name == "roles" and "userProfiles" in wholes:
            yield partial(across.of_another, profiles=wholes["userProfiles"])
        if self.table.name == "results" and "lineItems" in wholes:
            yield partial(across.out_of_range, items=wholes["lineItems"])

    def _judge(self, judge: Callable[[Whole], Suspects], *, must_mend: bool = False) -> Mask | None:
        """Tell of the records that break a rule, or hold them back if the feed is strict about it.

        Return which candidates are to be mended, if `must_mend` and they are not held back.
        """
        suspects = judge(self._whole())
        if not (suspects.rows.any() or self.standing[suspects.positions].any()):
            return None  # nothing is wrong, or nothing that the file speaks of
        (found,) = findings.strict([suspects.tell()], self.ways.strict)
        is_held = found.severity is Severity.ERROR
        if not (is_held or must_mend):
            self.told.append(found)
            if suspects.is_of_reading:
                self.new = replace(self.new, hash=np.where(suspects.rows, np.uint64(0), self.new.hash))
            return None
        self._recall(suspects.positions)
        suspects = judge(self._whole())
        if is_held:
            self.new = self.new.hold(suspects.rows, [found], found.code)
            return None
        self.told.append(found)
        return suspects.rows

    def _whole(self) -> Whole:
        """Return the table as it will be; made anew when the candidates are others than last time."""
        if self._made is not None and self._made.new is self.new:
            return self._made
        name, present = self.table.name, self.scanned.present(self.live)
        fresh = self.new.id[self.new.valid]
        replaced = is_member(self.live.id, np.sort(fresh)) if len(self.live) else np.zeros(0, bool)
        self._made = Whole(
            new=self.new,
            live=self.live,
            positions=np.flatnonzero(self._stays() & ~replaced),
            rows=np.flatnonzero(self.new.valid),
            note_names=self.past.notes(name),
            read=lambda positions: self.past.read(name, self.live.rid[positions]),
            lines_of=lambda positions: self.scanned.lines_of(positions[present[positions]]),
            seed=self.seed,
        )
        return self._made

    def _recalled(self, settled: Settled) -> Iterator[Batch]:
        """Yield what records carry that were not read again."""
        names = self.past.notes(self.table.name)
        told = sum(1 << bit for bit, (_, column) in enumerate(names) if column)  # marks are not
        at = np.flatnonzero(settled.standing & (settled.live.notes & told != 0))
        if len(at):
            yield from recall(self.table, settled.live.notes[at], self.scanned.lines_of(at), names)


def untouched(table: Table, past: Past, others: Others, seed: int) -> None:
    """Take a table that did not come for what it was; others may refer to it."""
    live = past.live(table.name)
    if not len(live):
        return
    others.ids[table.name] = Ids(np.sort(live.id))
    if table.name in KEPT:
        nothing = pd.DataFrame({name: pd.Series([], dtype=TEXT) for name in table.header})
        lines, hashes = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        others.wholes[table.name] = Whole(
            new=validate(table, nothing, lines, hashes, mode=Mode.BULK, seed=seed),
            live=live,
            positions=np.arange(len(live)),
            rows=np.zeros(0, np.int64),
            note_names=past.notes(table.name),
            read=lambda positions: past.read(table.name, live.rid[positions]),
            lines_of=lambda _positions: np.zeros(0, np.int64),
            seed=seed,
        )
