"""The roster as it will be after a run, table by table, and without what is out of scope."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core.model import Mask
from ingestd.core.outside import Decided, follows, in_schools, prune
from ingestd.core.people import OF_ROLES, with_roles
from ingestd.core.roster import Settled
from ingestd.core.scope import CONTACTS, Reason, Scope
from ingestd.core.scoping import DECIDED, READ, decide
from ingestd.snapshot import Snapshot
from schemas import shapes


@dataclass(slots=True)
class Tables:
    """What the snapshot has, with what a drop changes of it; `today` is the day in the feed's time zone."""

    snapshot: Snapshot
    settled: Mapping[str, Settled]
    scope: Scope
    today: date
    _closed: dict[str, pd.DataFrame] = field(default_factory=dict)
    _decided: dict[str, Decided] | None = None
    _left_out: dict[str, pa.Array] = field(default_factory=dict)
    _is_scoped: bool | None = None

    def past(self) -> "Tables":
        """Return the roster as it is before this run."""
        return Tables(self.snapshot, {}, self.scope, self.today)

    # What the drop changes -----------------------------------------------------------------------------------

    def has_changed(self, name: str) -> bool:
        """Return whether the drop changes any record of a table."""
        settled = self.settled.get(name)
        return settled is not None and bool(len(settled.opened) or len(settled.closed))

    def changed(self, name: str) -> pd.DataFrame:
        """Return the versions that this run opens, in the order of `Settled.opened`."""
        settled = self.settled[name]
        frame = settled.new.frame.iloc[settled.opened].reset_index(drop=True)
        missing = [column for column in self.snapshot.columns(name) if column not in frame.columns]
        return frame.assign(**dict.fromkeys(missing, "")) if missing else frame

    def before(self, name: str) -> pd.DataFrame:
        """Return the versions that this run closes, in the order of `Settled.closed`; read once."""
        if name not in self._closed:
            settled = self.settled[name]
            self._closed[name] = self.snapshot.read(name, settled.live.rid[settled.closed])
        return self._closed[name]

    # What is in scope ----------------------------------------------------------------------------------------

    @property
    def is_scoped(self) -> bool:
        """Return whether scope may leave out records. If not, what was in scope before the run was all of it, too."""
        if self._is_scoped is None:
            self._is_scoped = not self.scope.asks_nothing or (not self.scope.contacts and self._has_contacts())
        return self._is_scoped

    def after(self, name: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return the records of a table that are in scope after this run, without what of them is left out.

        If `columns` are given, those of them that the table has are enough, and the sourcedId; there may be more.
        """
        if columns is not None:
            columns = {"sourcedId", *columns, *(one.name for one in shapes()[name].references() if self.is_scoped)}
        if name != "users" or not self.has_roles:
            return self._in_scope(name, columns)
        columns = columns and {*columns, *OF_ROLES}
        return with_roles(self._in_scope(name, columns), self._in_scope("roles"))

    def is_as_kept(self, name: str) -> bool:
        """Return whether the records of a table after this run are those of the snapshot, all of them as they are."""
        has_own = name not in self.scope.left_out() and not (name == "users" and self.has_roles)
        return has_own and not self.is_scoped and not self.has_changed(name)

    @property
    def has_roles(self) -> bool:
        """Return whether users have roles in a table of their own, before this run or after it (1.2)."""
        return self.snapshot.count("roles") > 0 or self.has_changed("roles")

    def _in_scope(self, name: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        frame = self._whole(name, columns)
        if name in self.scope.left_out():
            return frame.iloc[:0]
        if not self.is_scoped:
            return frame
        kept = self.decided[name].kept if name in DECIDED else ~self._following(name, frame)
        others = {str(one.references) for one in shapes()[name].references()}
        frame = prune(frame[kept].reset_index(drop=True), shapes()[name], {one: self.left_out(one) for one in others})
        return in_schools(frame, self._in_scope("classes")) if name == "courses" else frame

    @property
    def decided(self) -> Mapping[str, Decided]:
        """Return what scope decides of each record, in the order of the snapshot and then of `changed`."""
        if self._decided is None:
            columns = {name: ("sourcedId", "status", *READ[name]) for name in DECIDED}
            frames = {name: self._whole(name, columns[name]) for name in DECIDED}
            self._decided = decide(self.scope, self.today, frames, shapes())
        return self._decided

    def left_out(self, name: str) -> pa.Array:
        """Return the sourcedIds of a table that are left out."""
        if name not in self._left_out:
            if name in DECIDED:
                self._left_out[name] = self.decided[name].left_out()
            else:
                frame = self._whole(name)
                ids = frame["sourcedId"][self._following(name, frame)]
                self._left_out[name] = pa.array(ids, pa.large_string())
        return self._left_out[name]

    def counts(self) -> dict[str, dict[Reason, int]]:
        """Return how many records are left out, by table and reason."""
        found = {name: one.counts() for name, one in self.decided.items()} if self.is_scoped else {}
        return {name: counts for name, counts in found.items() if counts}

    def _following(self, name: str, frame: pd.DataFrame) -> Mask:
        """Return which records of a table belong to one that is left out."""
        shape = shapes()[name]
        others = {str(one.references) for one in shape.references()} - {name}
        gone = np.zeros(len(frame), bool)
        for _column, rows in follows(frame, shape, {other: self.left_out(other) for other in others}):
            gone |= rows
        return gone

    def _whole(self, name: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return all records of a table as they will be after this run, in scope or not."""
        settled = self.settled.get(name)
        if settled is None or not self.has_changed(name):
            return self.snapshot.read_live(name, columns=columns)
        stays = self.snapshot.read_live(name, settled.live.rid[settled.closed], columns)
        changed = self.changed(name)
        if columns is not None:
            changed = changed[[column for column in columns if column in changed.columns]]
        return pd.concat([stays, changed], ignore_index=True).fillna("")

    def _has_contacts(self) -> bool:
        """Return whether any user is a parent, guardian or relative, before this run or after it."""
        for name in ("users", "roles"):
            if self.snapshot.has_live(name, "role", CONTACTS):
                return True
            if self.has_changed(name) and "role" in (new := self.changed(name)) and new["role"].isin(CONTACTS).any():
                return True
        return False
