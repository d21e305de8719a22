"""Which records are out of scope. Law: a narrower scope never lets a record in.

Each demand is that something in scope is there: an org, a class, a teacher. So what is left out only grows while the
demands are asked again, and where it ends does not depend on their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, to_series
from ingestd.core.model import Mask
from ingestd.core.outside import REASONS, Decided, follows, to_mask
from ingestd.core.scope import CONTACTS, Reason, Scope
from schemas import Shape

DECIDED = ("orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments")
"""The tables on whose records scope decides; those of others only follow what they belong to. In order of reference."""
READ: Mapping[str, tuple[str, ...]] = {
    "orgs": ("identifier", "parentSourcedId"),
    "academicSessions": ("startDate", "endDate"),
    "courses": ("orgSourcedId",),
    "classes": ("courseSourcedId", "schoolSourcedId", "termSourcedIds"),
    "users": ("role", "orgSourcedIds", "primaryOrgSourcedId", "email", "enabledUser"),
    "roles": ("userSourcedId", "role", "orgSourcedId"),
    "enrollments": ("classSourcedId", "schoolSourcedId", "userSourcedId", "role", "beginDate", "endDate"),
}
"""The columns that are looked at, beside sourcedId and status."""
IDENTIFIER = "identifier:"
"""Before an org's identifier, such as its NCES id, where it stands for the sourcedId."""

_ENROLLED = ("student", "teacher")
"""The roles in which users are active only if they have a part in a class (systems.md C4)."""


def decide(
    scope: Scope, today: date, frames: Mapping[str, pd.DataFrame], shapes: Mapping[str, Shape]
) -> dict[str, Decided]:
    """Return for each record of the tables `DECIDED` whether it is in scope, and if not, why.

    Args:
        scope: what is asked.
        today: the day in the feed's time zone.
        frames: the records, with at least the columns `READ`, sourcedId and status.
        shapes: which column refers to what.
    """
    work = _Work(scope, today, {name: Decided(frames[name]) for name in DECIDED}, shapes)
    work.ask_records()
    while work.ask_relations():
        pass
    return work.tables


def missing_orgs(scope: Scope, orgs: pd.DataFrame) -> list[str]:
    """Return the orgs of the scope that the roster does not have."""
    known = {*orgs["sourcedId"], *(IDENTIFIER + one for one in orgs["identifier"])}
    return [one for one in scope.orgs if one not in known]


@dataclass(slots=True)
class _Work:
    """The tables while scope is asked. `ended` and `begun` are asked of dates as texts, which sort as days do."""

    scope: Scope
    today: date
    tables: dict[str, Decided]
    shapes: Mapping[str, Shape]

    # What is asked of a record by itself ---------------------------------------------------------------------

    def ask_records(self) -> None:
        """Ask what needs no other decision."""
        for name, words in self.scope.statuses.items():
            if name in self.tables:
                self._ask_status(self.tables[name], words)
        self._ask_orgs()
        for name in ("users", "roles"):
            self._ask_roles(self.tables[name])
        if self.scope.email_domains:
            self.tables["users"].leave_out(~self._has_address(), Reason.EMAIL)
        self._ask_dates()

    def _ask_status(self, table: Decided, words: Sequence[str]) -> None:
        status = pc.utf8_lower(table.column("status"))
        status = pc.if_else(pc.equal(status, ""), "active", status)  # a bulk file leaves it blank
        wanted = pa.array([word.lower() for word in words], pa.large_string())
        table.leave_out(~to_mask(pc.is_in(status, wanted)), Reason.STATUS)

    def _ask_orgs(self) -> None:
        """Let in the orgs that are named, and what is below them."""
        if not self.scope.orgs:
            return
        orgs = self.tables["orgs"]
        named = [one.removeprefix(IDENTIFIER) for one in self.scope.orgs if one.startswith(IDENTIFIER)]
        wanted = orgs.having("sourcedId", self.scope.orgs) | orgs.having("identifier", named)
        while True:
            above = orgs.column("sourcedId").filter(pa.array(wanted))
            more = wanted | to_mask(pc.is_in(orgs.column("parentSourcedId"), above))
            if (more == wanted).all():
                break
            wanted = more
        orgs.leave_out(~wanted, Reason.ORG)
        self._ask_users_without_org()

    def _ask_users_without_org(self) -> None:
        """Leave out users whom nothing says to belong to an org in scope (in 1.2 an own column is optional)."""
        users, roles, orgs = self.tables["users"], self.tables["roles"], self.tables["orgs"]
        in_scope = orgs.column("sourcedId").filter(pa.array(orgs.kept))
        belongs = to_mask(pc.is_in(users.column("primaryOrgSourcedId"), in_scope))
        has_some = ~users.having("orgSourcedIds", [""])
        has_role = to_mask(pc.is_in(users.column("sourcedId"), pc.unique(roles.column("userSourcedId"))))
        users.leave_out(~belongs & ~has_some & ~has_role, Reason.ORG)

    def _ask_roles(self, table: Decided) -> None:
        has_role = ~table.having("role", [""])
        if not self.scope.contacts:
            table.leave_out(table.having("role", CONTACTS), Reason.CONTACT)
        if self.scope.roles:
            table.leave_out(has_role & ~table.having("role", self.scope.roles), Reason.ROLE)

    def _has_address(self) -> Mask:
        users = self.tables["users"]
        address = pc.utf8_lower(users.column("email"))
        domain = pc.replace_substring_regex(address, r"^.*@", "")
        wanted = [one.lower() for one in self.scope.email_domains]
        has = pc.is_in(domain, pa.array(wanted, pa.large_string()))
        for one in wanted if self.scope.email_subdomains else ():
            has = pc.or_(has, pc.ends_with(domain, f".{one}"))
        excepted = pa.array([one.lower() for one in self.scope.email_exceptions], pa.large_string())
        return to_mask(pc.or_(has, pc.is_in(address, excepted)))

    def _ask_dates(self) -> None:
        active, sessions, classes = self.scope.active_only, self.tables["academicSessions"], self.tables["classes"]
        is_current = self._is_current(sessions, "startDate")
        if "academicSessions" in active:
            sessions.leave_out(~is_current, Reason.NOT_CURRENT)
        if "enrollments" in active:
            enrollments = self.tables["enrollments"]
            enrollments.leave_out(~self._is_current(enrollments, "beginDate"), Reason.NOT_CURRENT)
        if "classes" in active:
            classes.leave_out(~self._is_taught(), Reason.NOT_CURRENT)
        if "users" in active:
            users = self.tables["users"]
            users.leave_out(users.having("enabledUser", ["false"]), Reason.DISABLED)
        self._ask_windows()

    def _is_current(self, table: Decided, start: str) -> Mask:
        """Return which records are of today; the last day is not part of them, and a blank asks nothing."""
        begin, end, today = table.column(start), table.column("endDate"), self.today.isoformat()
        has_begun = pc.less_equal(begin, today)
        return to_mask(pc.and_(has_begun, pc.or_(pc.equal(end, ""), pc.greater(end, today))))

    def _terms(self) -> pd.DataFrame:
        """Return `row` of a class, `start` and `end` for each of its terms that is known."""
        classes, sessions = self.tables["classes"], self.tables["academicSessions"]
        pairs = classes.pairs("termSourcedIds", np.ones(len(classes.frame), bool))
        at = pc.index_in(arrow(pairs["item"]), value_set=sessions.column("sourcedId"))
        known = to_mask(pc.is_valid(at))
        at = at.drop_null()
        dates = {name: to_series(sessions.column(f"{name}Date").take(at)).array for name in ("start", "end")}
        current = self._is_current(sessions, "startDate")[at.to_numpy()]
        return pd.DataFrame({"row": pairs["row"].to_numpy()[known], "is_current": current, **dates})

    def _is_taught(self) -> Mask:
        """Return which classes have a term of today, or none that is known."""
        terms, classes = self._terms(), self.tables["classes"]
        taught = np.ones(len(classes.frame), bool)
        taught[terms["row"]] = False
        taught[terms.loc[terms["is_current"], "row"]] = True
        return taught

    def _ask_windows(self) -> None:
        """Leave out classes that begin too far ahead or ended too long ago: from their first term to their last."""
        lead, after = self.scope.class_lead_days, self.scope.class_archive_after_days
        if lead is None and after is None:
            return
        classes, terms = self.tables["classes"], self._terms()
        spans = terms.groupby("row").agg({"start": "min", "end": "max"})
        if lead is not None:
            early = spans["start"] > (self.today + timedelta(days=lead)).isoformat()
            classes.leave_out(_at(spans.index[early], len(classes.frame)), Reason.NOT_YET)
        if after is not None:
            late = spans["end"] < (self.today - timedelta(days=after)).isoformat()
            classes.leave_out(_at(spans.index[late], len(classes.frame)), Reason.OVER)

    # What is asked of records among each other ---------------------------------------------------------------

    def ask_relations(self) -> bool:
        """Ask once what depends on other decisions; return whether anything more is left out."""
        before = sum(int(table.kept.sum()) for table in self.tables.values())
        for name, table in self.tables.items():
            self._follow(name, table)
        self._ask_users_of_roles()
        if "users" in self.scope.active_only:
            self._ask_parts(self._is_taught(), Reason.NOT_CURRENT)
        for role, reason in (("teacher", Reason.NO_TEACHER), ("student", Reason.NO_STUDENT)):
            if role in self.scope.classes_need:
                self._ask_members(role, reason)
        if not self.scope.unenrolled_users:
            self._ask_parts(np.ones(len(self.tables["classes"].frame), bool), Reason.UNENROLLED)
        return sum(int(table.kept.sum()) for table in self.tables.values()) < before

    def _follow(self, name: str, table: Decided) -> None:
        left_out = {other: one.left_out() for other, one in self.tables.items() if other != name}
        for column, rows in follows(table.frame, self.shapes[name], left_out):
            if name == "courses" and column.references == "orgs":
                rows = rows & ~self._has_class()  # noqa: PLW2901 - a district's course is taught in schools
            table.leave_out(rows, Reason.ORG if column.references == "orgs" else Reason.FOLLOWS)

    def _has_class(self) -> Mask:
        classes = self.tables["classes"]
        taught = classes.column("courseSourcedId").filter(pa.array(classes.kept))
        return to_mask(pc.is_in(self.tables["courses"].column("sourcedId"), pc.unique(taught)))

    def _ask_users_of_roles(self) -> None:
        """Leave out users whose roles are all left out, for the reason of one of them (1.2 has roles in a table)."""
        users, roles = self.tables["users"], self.tables["roles"]
        ids, of = users.column("sourcedId"), roles.column("userSourcedId")
        has_some = to_mask(pc.is_in(ids, pc.unique(of.filter(pa.array(roles.kept)))))
        for number in np.unique(roles.reasons[~roles.kept]).tolist():
            those = of.filter(pa.array(roles.reasons == number))
            users.leave_out(to_mask(pc.is_in(ids, pc.unique(those))) & ~has_some, REASONS[number - 1])

    def _ask_members(self, role: str, reason: Reason) -> None:
        classes, enrollments = self.tables["classes"], self.tables["enrollments"]
        those = enrollments.kept & enrollments.having("role", [role])
        having = pc.unique(enrollments.column("classSourcedId").filter(pa.array(those)))
        classes.leave_out(~to_mask(pc.is_in(classes.column("sourcedId"), having)), reason)

    def _ask_parts(self, among: Mask, reason: Reason) -> None:
        """Leave out students and teachers who have no part in any of these classes."""
        users, classes, enrollments = self.tables["users"], self.tables["classes"], self.tables["enrollments"]
        those = classes.column("sourcedId").filter(pa.array(among & classes.kept))
        parts = enrollments.kept & to_mask(pc.is_in(enrollments.column("classSourcedId"), those))
        having = pc.unique(enrollments.column("userSourcedId").filter(pa.array(parts)))
        users.leave_out(self._is_enrolled() & ~to_mask(pc.is_in(users.column("sourcedId"), having)), reason)

    def _is_enrolled(self) -> Mask:
        """Return which users are students or teachers, by their own column or by the table of roles."""
        users, roles = self.tables["users"], self.tables["roles"]
        those = roles.column("userSourcedId").filter(pa.array(roles.having("role", _ENROLLED)))
        by_table = to_mask(pc.is_in(users.column("sourcedId"), pc.unique(those)))
        return users.having("role", _ENROLLED) | by_table


def _at(rows: "pd.Index[int]", count: int) -> Mask:
    chosen = np.zeros(count, bool)
    chosen[rows] = True
    return chosen
