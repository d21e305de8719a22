"""Values that the standard does not have, or writes otherwise: mended, left out of their record, or the record waits.

A value that must be there and is wrong holds its record back, which stays as it was; one that need not be there is
left out; one that is only doubtful is kept, with a warning.
"""

from collections.abc import Sequence

from builders import Roster
from corpus.case import Case
from corpus.semantics_files import DAY_1_2, NEXT_1_2, SET_1_2
from corpus.sets import ANYWAY, Sent, blank, partly, sent, taken, with_rows
from corpus.sound import DAY_2, canary, with_cells, without_news_of

ODD = canary("odd", 1)
"""A word that the standard does not have, and no log must."""


def wrong(name: str, code: str, **cells: str) -> Case:
    """Return a case of one user with a wrong value that must be right: he stays as he was."""
    return partly(
        name, sent(with_cells("U2", "users", DAY_2, **cells), after=without_news_of("U2")), code, "users.csv", 3
    )


def kept(name: str, code: str | None, *, top: str = "", **cells: str) -> Case:
    """Return a case of one user whose values are kept as they are, with a warning if there is a code."""
    file, line = ("users.csv", 3) if code else (None, None)
    return taken(name, sent(with_cells("U2", "users", DAY_2, **cells)), code, file, line, top=top)


def mended(name: str, code: str, right: str, feed: str = "", **cells: str) -> Case:
    """Return a case of one user with a value that is taken for another."""
    (column,) = cells
    after = with_cells("U2", "users", DAY_2, **{column: right})
    return taken(
        name,
        sent(with_cells("U2", "users", DAY_2, **cells), after=after),
        code,
        "users.csv",
        3,
        twin=sent(after),
        feed=feed,
    )


def of(table: str, sourced_id: str, **cells: str) -> Roster:
    """Return the roster with other values in one record of a table."""
    return with_cells(sourced_id, table, of=WIDER, **cells)


def session(name: str, code: str, *, feed: str = "", right: str = "", **cells: str) -> Case:
    """Return a case of the one session with another date; where nothing is right it stays as it was."""
    bad = of("academicSessions", "T1", **cells)
    if not right:
        return partly(name, sent(bad, after=WIDER), code, "academicSessions.csv", 2)
    (column,) = cells
    after = of("academicSessions", "T1", **{column: right})
    return taken(name, sent(bad, after=after), code, "academicSessions.csv", 2, twin=sent(after), feed=feed)


WIDER = with_rows(
    DAY_2,
    academicSessions=blank("academicSessions", sourcedId="T2", title=canary("session", 2), type="gradingPeriod",
                           startDate="2025-08-20", endDate="2025-12-20", parentSourcedId="T1", schoolYear="2026"),
    courses=blank("courses", sourcedId="K2", title=canary("course", 2), orgSourcedId="D1"),
)  # fmt: skip
"""The second day with a second session and a second course: a file of which no record is right is rejected."""

USERS: Sequence[Case] = [
    wrong("no name", "required-value", familyName=""),
    wrong("a name of blanks", "required-value", familyName="  "),
    wrong("a role that there is not", "invalid-enum", role=ODD),
    wrong("a role that 1.2 has", "invalid-enum", role="principal"),
    wrong("a role of its own", "invalid-enum", role="ext:coach"),
    mended("a role in another case", "enum-case", "student", role="Student"),
    wrong("yes", "invalid-boolean", enabledUser="yes"),
    wrong("1 for true", "invalid-boolean", enabledUser="1"),
    mended("TRUE", "boolean-case", "true", enabledUser="TRUE"),
    mended("semicolons in a list of ids", "list-separator", "S1,D1", orgSourcedIds="S1;D1"),
    mended("blanks in a list of ids", "list-blanks", "S1,D1", orgSourcedIds="S1, D1"),
    kept("an address that is none", "invalid-email", email=f"{ODD} at home"),
    kept("a number that is none", "invalid-phone", phone=ODD),
    kept("a number that the country does not have", "invalid-phone", phone="217-555-012", top='country = "US"\n'),
    kept("user ids without their types", "invalid-user-ids", userIds=ODD),
    mended("the word NULL", "null-word", "", middleName="NULL"),
    mended("blanks alone", "blank-cell", "", middleName=" "),
    mended("a password", "password-dropped", "", password=ODD),
    kept("people called Null, None and NA", None, givenName="Null", familyName="None", middleName="NA"),
]  # fmt: skip


GRADED = with_rows(
    WIDER,
    categories=blank("categories", sourcedId="G1", title=canary("category", 1)),
    lineItems=blank("lineItems", sourcedId="L1", title=canary("item", 1), assignDate="2025-09-01",
                    dueDate="2025-09-08", classSourcedId="C1", categorySourcedId="G1", gradingPeriodSourcedId="T2",
                    resultValueMin="0", resultValueMax="100"),
    results=[blank("results", sourcedId=f"X{number}", lineItemSourcedId="L1", studentSourcedId=f"U{number}",
                   scoreStatus="fully graded", score="87.5", scoreDate="2025-09-08", comment=canary("comment", number))
             for number in range(1, 12)],
)  # fmt: skip
"""The second day with a gradebook: a line item, and the results of eleven."""


def result(**cells: str) -> Roster:
    """Return the gradebook with other values in one result."""
    return with_cells("X2", "results", of=GRADED, **cells)


def without_result() -> Roster:
    """Return what is there if that result is held back: it is simply not there yet."""
    return {**GRADED, "results": [one for one in GRADED["results"] if one["sourcedId"] != "X2"]}


def ungraded(name: str, code: str, **cells: str) -> Case:
    """Return a case of a result with a wrong value that must be right, in the first gradebook that comes."""
    return partly(name, sent(result(**cells), after=without_result()), code, "results.csv", 3, twin=sent(GRADED))


def weighed(weight: str, kept: str) -> Sent:
    """Return a set of 1.2 with a category of that weight."""
    category = blank("categories", "1.2", sourcedId="G1", title=canary("category", 1), weight=weight)
    return sent(
        with_rows(NEXT_1_2, categories=category), after=with_rows(NEXT_1_2, categories={**category, "weight": kept}),
        version="1.2",
    )  # fmt: skip


OTHERS: Sequence[Case] = [
    session("a day that is not in the calendar", "invalid-date", startDate="2026-02-30"),
    session("the 29th of February in a common year", "invalid-date", endDate="2026-02-29"),
    session("a date that can be read in two ways", "invalid-date", endDate="6/12/2026"),
    session("a date in the form that the feed says", "date-form", endDate="6/12/2026", right="2026-06-12",
            feed='\n[repairs]\ndate_form = "M/D/YYYY"\n'),
    session("a date with slashes, the year first", "date-form", endDate="2026/6/9", right="2026-06-09"),
    session("blanks around a date", "surrounding-blanks", endDate=" 2026-06-09", right="2026-06-09"),
    session("a school year as a range", "school-year-range", schoolYear="2025-2026", right="2026"),
    session("a school year of two digits", "invalid-year", schoolYear="26"),
    session("a type of its own in 1.1", "invalid-enum", type="ext:trimester"),
    taken("a wrong date that need not be there",
          sent(of("enrollments", "E2", beginDate=ODD), after=of("enrollments", "E2", beginDate="")), "dropped-value",
          "enrollments.csv", 3),
    taken("a word that need not be there", sent(of("enrollments", "E2", primary=ODD), after=WIDER), "dropped-value",
          "enrollments.csv", 3, says="true or false"),
    ungraded("a mark for a number", "invalid-number", score="A-"),
    ungraded("a decimal comma", "invalid-number", score="87,5"),
    taken("a weight in percent", weighed("80%", ""), "dropped-value", "categories.csv", 2, twin=weighed("80", "80"),
          day_1=DAY_1_2),
    taken("a score beyond its range", sent(result(score="120")), "score-out-of-range", "results.csv", 3,
          twin=sent(GRADED)),
    taken("a grade without its zero", sent(of("classes", "C2", grades="9")), "unknown-grade", "classes.csv", 3),
    taken("subjects without as many codes", sent(of("classes", "C2", subjects="Art,Music", subjectCodes="a")),
          "subjects-unpaired", "classes.csv", 3,
          twin=sent(of("classes", "C2", subjects="Art,Music", subjectCodes="a,m"))),
    taken("a type of its own in 1.2",
          sent(with_cells("C2", "classes", of=NEXT_1_2, classType="ext:club"), version="1.2"), None, twin=SET_1_2,
          day_1=DAY_1_2, also=ANYWAY),
    partly("a type of role of its own in 1.2",
           sent(with_cells("R-U2", "roles", of=NEXT_1_2, roleType="ext:main"), after=NEXT_1_2, version="1.2"),
           "invalid-enum", "roles.csv", 3, twin=SET_1_2, day_1=DAY_1_2),
    partly("a grade of the district's own in 1.2",  # the roster takes it; the patrons' map does not know it
           sent(with_cells("U2", of=NEXT_1_2, grades="9"), version="1.2"), "unmapped-value", "users.csv", None,
           twin=SET_1_2, day_1=DAY_1_2),
]  # fmt: skip

CASES = [*USERS, *OTHERS]
