"""Records that do not go together: ids that come twice, references that lead nowhere, circles, two where one may be.

A record whose reference must lead somewhere waits until it does; what need not be there is left out of it; what the
standard wishes and nobody keeps to is told, and kept.
"""

from collections.abc import Sequence

from builders import Roster, Row, enrollment, row
from corpus.case import Case, Made
from corpus.semantics_files import DAY_1_2, NEXT_1_2
from corpus.semantics_values import GRADED, WIDER
from corpus.sets import FIRST, blank, partly, sent, taken, with_rows, without_rows
from corpus.sound import DAY_2, canary, pupil, with_cells, without_news_of

NOBODY = "X-99"
"""An id that no record has."""


# Ids --------------------------------------------------------------------------------------------------------------


def again(row: Row, table: str = "users", **cells: str) -> Roster:
    """Return the second day's roster with a record once more, at the end of its table."""
    return with_rows(DAY_2, **{table: {**row, **cells}})


U2 = DAY_2["users"][1]
IDS: Sequence[Case] = [
    taken("a record twice", sent(again(U2), after=DAY_2), "duplicate-record", "users.csv", 32),
    partly("a record twice, and not the same", sent(again(U2, grades="10"), after=without_news_of("U2")),
           "duplicate-sourcedid", "users.csv", 3, held_back=2),
    partly("a record twice, once deleted", sent(again(U2, status="tobedeleted"), after=without_news_of("U2")),
           "duplicate-sourcedid", "users.csv", 32, held_back=2),
    partly("a known record, and again otherwise", sent(again(pupil(30), familyName=canary("later", 30)), after=DAY_2),
           "duplicate-sourcedid", "users.csv", 31, held_back=2),
    taken("ids that differ in case", sent(again(U2, sourcedId="u2")), None),
    taken("the same id in two tables", sent(with_rows(DAY_2, enrollments=enrollment(1, sourcedId="U1"))), None),
]  # fmt: skip


# References -------------------------------------------------------------------------------------------------------


def astray(table: str, sourced_id: str, line: int, column: str, after: Roster = WIDER) -> Case:
    """Return a case of a known record that refers to nobody where it must refer to somebody: it stays as it was."""
    bad = with_cells(sourced_id, table, of=WIDER, **{column: NOBODY})
    return partly(
        f"{table}.{column} leads nowhere", sent(bad, after=after), "dangling-reference", f"{table}.csv", line,
        says=NOBODY, twin=sent(WIDER),
    )  # fmt: skip


def loose(
    table: str, sourced_id: str, line: int, column: str, *, value: str = NOBODY, left: str = "",
    day_2: Roster = WIDER, version: str = "1.1", day_1: Made = FIRST.zip,
) -> Case:  # fmt: skip
    """Return a case of a record that refers to nobody where it need not refer to anybody: that is left out."""
    bad, after = (with_cells(sourced_id, table, of=day_2, **{column: one}) for one in (value, left))
    return taken(
        f"{table}.{column} leads nowhere", sent(bad, after=after, version=version),
        "dangling-optional-reference", f"{table}.csv", line, says=NOBODY, twin=sent(after, version=version),
        day_1=day_1,
    )  # fmt: skip


def new(table: str, column: str, base: Roster = GRADED, feed: str = "", **cells: str) -> Case:
    """Return a case of two first records of which one refers to nobody: it is not there yet."""
    first = blank(table, **{"sourcedId": "N1", **cells})
    second = {**first, column: NOBODY} if column == "sourcedId" else {**first, "sourcedId": "N2", column: NOBODY}
    right = {**second, column: "U2" if column == "sourcedId" else cells[column]}
    bad, after, twin = (with_rows(base, **{table: rows}) for rows in ([first, second], first, [first, right]))
    line = len(bad[table]) + 1
    return partly(
        f"a new record's {table}.{column} leads nowhere", sent(bad, after=after), "dangling-reference",
        f"{table}.csv", line, says=NOBODY, twin=sent(twin), feed=feed,
    )  # fmt: skip


DEMOGRAPHICS = "\n[scope]\ndemographics = true\n"
RESOURCED = with_rows(DAY_2, resources=blank("resources", sourcedId="M1", vendorResourceId=canary("resource", 1)))
FOLLOWER, WIZARD = enrollment(31), pupil(31, role="wizard")
PROFILE = blank(
    "userProfiles", "1.2", sourcedId="P2", userSourcedId="U2", profileType=canary("profile", 1), vendorId="V",
    credentialType="SSO", username=canary("profile", 2),
)  # fmt: skip
PROFILED = with_rows(NEXT_1_2, userProfiles=PROFILE)

REFERENCES: Sequence[Case] = [
    *(astray("enrollments", "E2", 3, column) for column in ("classSourcedId", "schoolSourcedId", "userSourcedId")),
    *(astray("classes", "C2", 3, column) for column in ("courseSourcedId", "schoolSourcedId", "termSourcedIds")),
    astray("courses", "K1", 2, "orgSourcedId"),
    astray("users", "U2", 3, "orgSourcedIds", without_news_of("U2", of=WIDER)),
    loose("orgs", "S1", 3, "parentSourcedId"),
    loose("academicSessions", "T2", 3, "parentSourcedId"),
    loose("courses", "K2", 3, "schoolYearSourcedId"),
    loose("users", "U2", 3, "agentSourcedIds", value=f"U3,{NOBODY}", left="U3"),
    loose("roles", "R-U2", 3, "userProfileSourcedId", day_2=PROFILED, version="1.2", day_1=DAY_1_2),
    new("lineItems", "categorySourcedId", title=canary("item", 2), assignDate="2025-09-01", dueDate="2025-09-08",
        classSourcedId="C1", categorySourcedId="G1", gradingPeriodSourcedId="T2", resultValueMin="0",
        resultValueMax="100"),
    new("results", "studentSourcedId", lineItemSourcedId="L1", studentSourcedId="U12", scoreStatus="submitted",
        score="1", scoreDate="2025-09-08"),
    new("classResources", "resourceSourcedId", RESOURCED, classSourcedId="C1", resourceSourcedId="M1"),
    new("demographics", "sourcedId", DAY_2, DEMOGRAPHICS, sourcedId="U1", sex="female"),
    partly("a new user held back, and an enrollment of his",
           sent(with_rows(DAY_2, users=WIZARD, enrollments=FOLLOWER), after=DAY_2), "reference-to-held-back",
           "enrollments.csv", 32, held_back=2, says="U31",
           twin=sent(with_rows(DAY_2, users=pupil(31), enrollments=FOLLOWER))),
    partly("an enrollment of a user who is deleted",
           sent(with_cells("U30", status="tobedeleted"), after=without_rows(DAY_2, users=["U30"])),
           "dangling-reference", "enrollments.csv", 31, says="U30",
           twin=sent(without_rows(DAY_2, users=["U30"], enrollments=["E30"]))),
]  # fmt: skip


# Rules across records -------------------------------------------------------------------------------------------


def parents(table: str, **of: str) -> Roster:
    """Return the roster with other parents, by sourcedId."""
    after = WIDER
    for sourced_id, parent in of.items():
        after = with_cells(sourced_id, table, of=after, parentSourcedId=parent)
    return after


def circle(name: str, table: str, line: int, feed: str = "", **of: str) -> Case:
    """Return a case of records above themselves: their parents are left out."""
    bad, after = (parents(table, **one) for one in (of, dict.fromkeys(of, "")))
    return taken(name, sent(bad, after=after), "parent-cycle", f"{table}.csv", line, twin=sent(WIDER))


def long_circle(length: int) -> Case:
    """Return a case of as many departments, each above the next, and the last above the first."""
    names = [f"O{number}" for number in range(length)]
    orgs = [row("orgs", sourcedId=one, name=canary("department", i), type="department") for i, one in enumerate(names)]
    rings = [{**one, "parentSourcedId": names[i - 1]} for i, one in enumerate(orgs)]
    line = [orgs[0], *rings[1:]]
    bad, after, twin = (with_rows(DAY_2, orgs=rows) for rows in (rings, orgs, line))
    return taken("a circle of 1,000 orgs", sent(bad, after=after), "parent-cycle", "orgs.csv", 4, twin=sent(twin))


def teachers(first: str = "", last: str = "", role: str = "teacher") -> Roster:
    """Return the roster with two primary teachers of a class, the first until a day, the last from one on."""
    until = enrollment(40, userSourcedId="U29", primary="true", role="teacher", endDate=first)
    since = enrollment(41, userSourcedId="U30", primary="true", role=role, beginDate=last)
    return with_rows(WIDER, enrollments=[until, since])


def roles(second: str, **cells: str) -> Roster:
    """Return a set of 1.2 in which a user has a second role."""
    role = {"userSourcedId": "U2", "roleType": second, "role": "aide", "orgSourcedId": "S1"}
    return with_rows(NEXT_1_2, roles=blank("roles", "1.2", sourcedId="R2", **{**role, **cells}))


def of_1_2(name: str, bad: Roster, code: str | None, file: str, line: int, twin: Roster = NEXT_1_2) -> Case:
    """Return a case of 1.2 that is told and kept."""
    return taken(
        name, sent(bad, version="1.2"), code, file, line, twin=sent(twin, version="1.2"), day_1=DAY_1_2
    )  # fmt: skip


SCHOOL = row("orgs", sourcedId="S2", name=canary("org", 4), type="school", parentSourcedId="D1")
ODD_ENROLLMENT = {"beginDate": "2020-01-01", "endDate": "2030-01-01", "role": "proctor"}
ACROSS: Sequence[Case] = [
    circle("an org above itself", "orgs", 2, D1="D1"),
    circle("two orgs above each other", "orgs", 2, D1="S1", S1="D1"),
    circle("two sessions above each other", "academicSessions", 2, T1="T2", T2="T1"),
    long_circle(1000),
    partly("two orgs above each other, and the feed is strict",
           sent(with_rows(parents("orgs", D1="S1", S1="D1"), orgs=SCHOOL), after=with_rows(WIDER, orgs=SCHOOL)),
           "parent-cycle", "orgs.csv", 2, held_back=2, twin=sent(WIDER),
           feed='\n[repairs]\nstrict = ["parent-cycle"]\n'),
    taken("several topmost orgs", sent(parents("orgs", S1="")), None),
    taken("a class of the district", sent(with_cells("C2", "classes", of=WIDER, schoolSourcedId="D1")),
          "wrong-org-type", "classes.csv", 3),
    taken("a course of a grading period", sent(with_cells("K2", "courses", of=WIDER, schoolYearSourcedId="T2")),
          "wrong-session-type", "courses.csv", 3,
          twin=sent(with_cells("K2", "courses", of=WIDER, schoolYearSourcedId="T1"))),
    taken("a session that ends before it begins",
          sent(with_cells("T2", "academicSessions", of=WIDER, endDate="2025-08-19")), "end-before-begin",
          "academicSessions.csv", 3, twin=sent(with_cells("T2", "academicSessions", of=WIDER, endDate="2025-08-21"))),
    taken("a session of no day", sent(with_cells("T2", "academicSessions", of=WIDER, endDate="2025-08-20")),
          "end-before-begin", "academicSessions.csv", 3),
    taken("an enrollment outside the days of its class, in a role that its user has not",
          sent(with_cells("E2", "enrollments", of=WIDER, **ODD_ENROLLMENT)), None),
    partly("a user in no org", sent(with_cells("U2", orgSourcedIds=""), after=without_news_of("U2")),
           "required-value", "users.csv", 3),
    taken("two primary teachers at a time", sent(teachers("2026-01-02", "2026-01-01")), "several-primary-teachers",
          "enrollments.csv", 32, twin=sent(teachers("2026-01-01", "2026-01-01"))),
    taken("a student as primary", sent(teachers(role="student")), "primary-not-teacher", "enrollments.csv", 33),
    of_1_2("two primary roles in an org", roles("primary"), "several-primary-roles", "roles.csv", 3,
           roles("primary", orgSourcedId="D1")),
    of_1_2("the profile of another user", with_cells("R-U1", "roles", of=PROFILED, userProfileSourcedId="P2"),
           "profile-of-another", "roles.csv", 2, with_cells("R-U2", "roles", of=PROFILED, userProfileSourcedId="P2")),
    of_1_2("a primary org without a role", with_cells("U2", of=NEXT_1_2, primaryOrgSourcedId="D1"),
           "primary-org-without-role", "users.csv", 3, with_cells("U2", of=NEXT_1_2, primaryOrgSourcedId="S1")),
]  # fmt: skip

CASES = [*IDS, *REFERENCES, *ACROSS]
