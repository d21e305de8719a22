"""Scope: which records are left out, for which reason, and what goes with them."""

from datetime import date

import pandas as pd
import pytest
from builders import Roster, added, changed, enrollment, klass, roster, row, user

from ingestd.core.columns import TEXT
from ingestd.core.outside import prune
from ingestd.core.scope import Reason, Scope
from ingestd.core.scoping import DECIDED, decide, missing_orgs
from schemas import shapes

TODAY = date(2026, 3, 2)
Cells = dict[str, str]


def frames(tables: Roster) -> dict[str, pd.DataFrame]:
    """Return the tables as frames, those that did not come as well."""
    return {
        name: pd.DataFrame(tables.get(name, []), columns=shapes()[name].header, dtype=TEXT).fillna("")
        for name in DECIDED
    }


def left_out(tables: Roster, today: date = TODAY, /, **scope: object) -> dict[str, Reason]:
    """Return the records that a scope leaves out, each with its reason; contacts are let in unless asked for."""
    found = decide(Scope(**{"contacts": True, **scope}), today, frames(tables), shapes())  # type: ignore[arg-type]
    return {
        sourced_id: reason
        for one in found.values()
        for i, sourced_id in enumerate(one.frame["sourcedId"])
        if (reason := one.reason(i))
    }


def session(number: int, start: str, end: str) -> Cells:
    """Return the term `T<number>`."""
    cells = {"sourcedId": f"T{number}", "title": "Term", "type": "term", "startDate": start, "endDate": end}
    return row("academicSessions", **cells, schoolYear="2026")


TWO_SCHOOLS = {
    **roster(2),
    "orgs": [
        row("orgs", sourcedId="D1", name="Springfield SD", type="district", identifier="1712345"),
        row("orgs", sourcedId="S1", name="High", type="school", identifier="0001", parentSourcedId="D1"),
        row("orgs", sourcedId="S2", name="Low", type="school", identifier="0002", parentSourcedId="D1"),
        row("orgs", sourcedId="S21", name="Annex", type="school", identifier="0003", parentSourcedId="S2"),
    ],
    "users": [user(1), user(2, orgSourcedIds="S21"), user(3, orgSourcedIds="S1,S2")],
    "classes": [klass(1), klass(2, schoolSourcedId="S2")],
    "enrollments": [enrollment(1), enrollment(2, classSourcedId="C2", schoolSourcedId="S2"), enrollment(3)],
}
"""School S1 with class C1, school S2 with class C2 and an annex; U3 goes to both schools."""


def test_a_scope_that_asks_nothing_leaves_nothing_out() -> None:
    """No setting, no reason."""
    assert left_out(TWO_SCHOOLS) == {}


# Orgs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["S2", "identifier:0002"])
def test_orgs_are_in_scope_with_what_is_below_them(named: str) -> None:
    """By sourcedId or by identifier; users, classes and enrollments of other orgs go with these."""
    assert left_out(TWO_SCHOOLS, orgs=(named,)) == {
        "D1": Reason.ORG,
        "S1": Reason.ORG,
        "U1": Reason.ORG,
        "C1": Reason.ORG,
        "E1": Reason.FOLLOWS,
        "E3": Reason.FOLLOWS,
    }


def test_a_course_of_the_district_stays_with_its_classes() -> None:
    """The course belongs to the district, which is out of scope; it stays as long as a class in scope is of it."""
    assert "K1" not in left_out(TWO_SCHOOLS, orgs=("S2",))
    assert left_out({**TWO_SCHOOLS, "classes": []}, orgs=("S2",))["K1"] is Reason.ORG


def test_a_scope_of_the_district_has_all_of_it() -> None:
    """Descendants of any depth are in scope."""
    assert left_out(TWO_SCHOOLS, orgs=("identifier:1712345",)) == {}


def test_an_org_that_is_named_and_missing_is_told() -> None:
    """By the word that the feed has for it."""
    scope = Scope(orgs=("S1", "S9", "identifier:0002", "identifier:S1"))
    assert missing_orgs(scope, frames(TWO_SCHOOLS)["orgs"]) == ["S9", "identifier:S1"]


def test_what_is_in_scope_no_longer_refers_to_what_is_not() -> None:
    """A list loses its items, an optional reference becomes blank."""
    tables = frames(TWO_SCHOOLS)
    found = decide(Scope(orgs=("S2",)), TODAY, tables, shapes())
    left = {name: one.left_out() for name, one in found.items()}
    users = prune(tables["users"][found["users"].kept], shapes()["users"], left)
    assert dict(zip(users["sourcedId"], users["orgSourcedIds"], strict=True)) == {"U2": "S21", "U3": "S2"}
    orgs = prune(tables["orgs"][found["orgs"].kept], shapes()["orgs"], left)
    assert dict(zip(orgs["sourcedId"], orgs["parentSourcedId"], strict=True)) == {"S2": "", "S21": "S2"}


# Users -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("ann@springfield.example", True),
        ("ANN@Springfield.Example", True),
        ("ann@high.springfield.example", False),
        ("ann@notspringfield.example", False),
        ("ann@elsewhere.example", False),
        ("kim@contractor.example", True),
        ("", False),
    ],
)
def test_users_are_let_in_by_their_domain_or_by_name(address: str, is_in: bool) -> None:
    """In any case, subdomains apart; enrollments go with their users."""
    tables = changed(roster(1), "users", "U1", email=address)
    found = left_out(tables, email_domains=("Springfield.example",), email_exceptions=("Kim@contractor.example",))
    assert found == ({} if is_in else {"U1": Reason.EMAIL, "E1": Reason.FOLLOWS})


def test_subdomains_count_if_the_feed_says_so() -> None:
    """And only what is below the domain, not what merely ends like it."""
    tables = {
        **roster(2),
        "users": [user(1, email="a@high.springfield.example"), user(2, email="a@notspringfield.example")],
    }
    found = left_out(tables, email_domains=("springfield.example",), email_subdomains=True)
    assert set(found) == {"U2", "E2"}


@pytest.mark.parametrize("role", ["parent", "guardian", "relative"])
def test_contacts_stay_out_unless_they_are_asked_for(role: str) -> None:
    """Whatever they are called."""
    tables = changed(roster(1), "users", "U1", role=role)
    assert left_out(tables, contacts=False)["U1"] is Reason.CONTACT
    assert left_out(tables, contacts=True) == {}


def test_users_are_let_in_by_role() -> None:
    """Only those named."""
    tables = added(roster(1), "users", user(2, role="teacher"), user(3, role="aide"))
    assert left_out(tables, roles=("student", "teacher")) == {"U3": Reason.ROLE}


def test_roles_of_1_2_decide_on_their_users() -> None:
    """There a user has roles in a table of their own, and is in scope with any that is."""
    people = [user(number, role="", orgSourcedIds="") for number in (1, 2, 3)]
    roles = [
        row_of("roles", sourcedId="R1", userSourcedId="U1", role="student", orgSourcedId="S1"),
        row_of("roles", sourcedId="R2", userSourcedId="U2", role="teacher", orgSourcedId="S1"),
        row_of("roles", sourcedId="R3", userSourcedId="U2", role="aide", orgSourcedId="S2"),
        row_of("roles", sourcedId="R4", userSourcedId="U3", role="teacher", orgSourcedId="S2"),
    ]
    tables = {**TWO_SCHOOLS, "users": people, "roles": roles, "classes": [], "enrollments": []}
    assert {"U1", "R1", "R3"} == {one for one in left_out(tables, roles=("teacher",)) if one[0] in "UR"}
    by_org = left_out(tables, orgs=("S1",))
    assert {"U3", "R3", "R4"} == {one for one in by_org if one[0] in "UR"}
    assert by_org["U3"] is Reason.ORG


def test_a_user_of_no_org_is_out_of_a_scope_of_orgs() -> None:
    """In 1.2 nothing need say where a user belongs; a primary org does."""
    people = [
        {**user(1, orgSourcedIds=""), "primaryOrgSourcedId": "S1"},
        {**user(2, orgSourcedIds=""), "primaryOrgSourcedId": ""},
    ]
    tables = {**roster(2), "users": people}
    assert left_out(tables, orgs=("S1",)) == {"D1": Reason.ORG, "U2": Reason.ORG, "E2": Reason.FOLLOWS}


# Status and time -------------------------------------------------------------------------------------------------


def test_records_are_let_in_by_their_status() -> None:
    """A blank one is active; other words are the sender's own, in any case."""
    people = [user(1), user(2, status="Active"), user(3, status="summer"), user(4, status="onLeave")]
    tables = {**roster(0), "users": people}
    assert left_out(tables, statuses={"users": ("active", "onleave")}) == {"U3": Reason.STATUS}


@pytest.mark.parametrize(("today", "is_active"), [("08-19", False), ("08-20", True), ("08-31", True), ("09-01", False)])
def test_a_term_is_active_from_its_first_day_until_before_its_last(today: str, is_active: bool) -> None:
    """The endDate is exclusive; classes follow their terms, enrollments their classes."""
    tables = {**roster(1), "academicSessions": [session(1, "2025-08-20", "2025-09-01")]}
    found = left_out(tables, date.fromisoformat(f"2025-{today}"), active_only=("academicSessions",))
    assert set(found) == (set() if is_active else {"T1", "C1", "C2", "E1"})


def test_a_class_is_active_with_any_of_its_terms() -> None:
    """And one whose terms nobody knows is not judged."""
    tables = {
        **roster(0),
        "academicSessions": [session(1, "2025-08-20", "2026-01-10"), session(2, "2026-01-10", "2026-06-12")],
        "classes": [klass(1, termSourcedIds="T1,T2"), klass(2, termSourcedIds="T1"), klass(3, termSourcedIds="T9")],
    }
    assert left_out(tables, active_only=("classes",)) == {"C2": Reason.NOT_CURRENT}


def test_users_are_active_if_enabled_and_in_a_class_of_today() -> None:
    """Students and teachers need a part in a class that has a term of today; others need only be enabled."""
    tables = {
        **roster(0),
        "academicSessions": [session(1, "2025-08-20", "2026-01-10"), session(2, "2026-01-10", "2026-06-12")],
        "classes": [klass(1, termSourcedIds="T1"), klass(2, termSourcedIds="T2")],
        "users": [
            user(1),
            user(2),
            user(3, enabledUser="false"),
            user(4, role="aide"),
            user(5, role="aide", enabledUser="false"),
        ],
        "enrollments": [
            enrollment(1, classSourcedId="C1"),
            enrollment(2, classSourcedId="C2"),
            enrollment(3, classSourcedId="C2"),
        ],
    }
    assert left_out(tables, active_only=("users",)) == {
        "U1": Reason.NOT_CURRENT,
        "U3": Reason.DISABLED,
        "U5": Reason.DISABLED,
        "E1": Reason.FOLLOWS,
        "E3": Reason.FOLLOWS,
    }


def test_enrollments_have_days_of_their_own() -> None:
    """What is blank asks nothing."""
    dates = [("", ""), ("2026-03-03", ""), ("", "2026-03-02"), ("2026-03-02", "2026-03-03")]
    tables = {
        **roster(4),
        "enrollments": [enrollment(i, beginDate=begin, endDate=end) for i, (begin, end) in enumerate(dates, 1)],
    }
    assert set(left_out(tables, active_only=("enrollments",))) == {"E2", "E3"}


@pytest.mark.parametrize(
    ("today", "reason"),
    [("2025-08-05", Reason.NOT_YET), ("2025-08-06", None), ("2026-06-26", None), ("2026-06-27", Reason.OVER)],
)
def test_a_class_comes_in_before_its_first_term_and_goes_after_its_last(today: str, reason: Reason | None) -> None:
    """Fourteen days ahead and fourteen days after, to the day: from 20 August to 12 June (systems.md F1, F2)."""
    tables = {
        **roster(0),
        "academicSessions": [session(1, "2025-08-20", "2026-01-10"), session(2, "2026-01-10", "2026-06-12")],
        "classes": [klass(1, termSourcedIds="T2,T1")],
    }
    found = left_out(tables, date.fromisoformat(today), class_lead_days=14, class_archive_after_days=14)
    assert found.get("C1") is reason


# Classes and their people ----------------------------------------------------------------------------------------


def test_a_class_needs_whom_the_feed_says() -> None:
    """A teacher who is out of scope is none; the class's enrollments go with it, and then users without any."""
    people = [user(1), user(2), user(7, role="teacher", email="t@elsewhere.example"), user(8, role="teacher")]
    tables = {
        **roster(0),
        "users": people,
        "enrollments": [
            enrollment(1),
            enrollment(2, classSourcedId="C2"),
            enrollment(7, role="teacher"),
            enrollment(8, role="teacher", classSourcedId="C2"),
        ],
    }
    asked = {
        "email_domains": ("springfield.example",),
        "classes_need": ("teacher", "student"),
        "unenrolled_users": False,
    }
    assert left_out(tables, **asked) == {
        "U7": Reason.EMAIL,
        "C1": Reason.NO_TEACHER,
        "E1": Reason.FOLLOWS,
        "E7": Reason.FOLLOWS,
        "U1": Reason.UNENROLLED,
    }


def test_unenrolled_users_stay_unless_the_feed_says_otherwise() -> None:
    """Of students and teachers that is; nobody expects a nurse in a class."""
    tables = added(roster(1), "users", user(2), user(3, role="aide"))
    assert left_out(tables) == {}
    assert left_out(tables, unenrolled_users=False) == {"U2": Reason.UNENROLLED}


def row_of(table: str, **cells: str) -> Cells:
    """Return a record of a table that 1.1 does not have."""
    return {**dict.fromkeys(shapes()[table].header, ""), **cells}
