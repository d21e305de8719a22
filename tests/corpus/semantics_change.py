"""Changes that are too many at once, and those that just pass: deletions, updates, records held back, other districts.

The limits are those that a feed has unless it says otherwise: a tenth of a table deleted, three quarters of it changed,
a quarter of an org's records deleted, a tenth of a file held back; tables of fewer than twenty have none. Exactly as
much as a limit is allowed.
"""

from collections.abc import Sequence

from builders import Roster, enrollment, klass, row
from corpus.case import Case
from corpus.sets import Sent, held, partly, sent, taken, told, with_all, with_rows
from corpus.sound import DAY_1, DAY_2, canary, pupil

SCHOOLS = tuple(f"S{number}" for number in range(1, 6))
MANY = 1000
"""Enough users for a tenth of a percent to be one of them."""


def crowd(count: int = MANY, prefix: str = "U") -> Roster:
    """Return a district of so many users in five schools, and an enrollment for every fifth of them."""
    users = [
        pupil(number, sourcedId=f"{prefix}{number}", orgSourcedIds=SCHOOLS[number % 5], identifier=f"{number:04}")
        for number in range(count)
    ]
    enrolled = [enrollment(one, userSourcedId=f"{prefix}{one}") for one in range(0, count, 5)]
    orgs = [row("orgs", sourcedId=one, name=canary("school", i), type="school") for i, one in enumerate(SCHOOLS)]
    return {**DAY_1, "orgs": [DAY_1["orgs"][0], *orgs], "users": users, "enrollments": enrolled}


CROWD = crowd()
BEFORE = sent(CROWD).zip
FREE = [one["sourcedId"] for i, one in enumerate(CROWD["users"]) if i % 5]
"""The users without an enrollment: nothing refers to them."""


def without_users(count: int, of: Roster = CROWD) -> Roster:
    """Return the district without so many of the users to whom nothing refers, of four schools alike."""
    gone = set(FREE[:count])
    return {**of, "users": [one for one in of["users"] if one["sourcedId"] not in gone]}


def without_enrollments(count: int, of: Roster = CROWD) -> Roster:
    """Return the district without so many enrollments."""
    return {**of, "enrollments": of["enrollments"][count:]}


def without_pupils_of(school: str, count: int) -> Roster:
    """Return the district without so many of a school's users."""
    gone = [one["sourcedId"] for one in CROWD["users"] if one["orgSourcedIds"] == school][:count]
    return {**CROWD, "users": [one for one in CROWD["users"] if one["sourcedId"] not in gone]}


def with_cell(count: int, column: str, *, of: Roster = CROWD, value: str = "") -> Roster:
    """Return the district with another value in a column for so many users; a canary if none is given."""
    users = [{**one, column: value or canary("changed", i)} if i < count else one for i, one in enumerate(of["users"])]
    return {**of, "users": users}


def without_zeros() -> Roster:
    """Return the district after a spreadsheet took all identifiers for numbers."""
    return {**CROWD, "users": [{**one, "identifier": one["identifier"].lstrip("0") or "0"} for one in CROWD["users"]]}


def small(count: int, gone: int = 0) -> Roster:
    """Return a district of so many users and no enrollment but one, without some of the others."""
    return {**DAY_1, "users": DAY_1["users"][: count - gone], "enrollments": DAY_1["enrollments"][:1]}


def year(begin: int, classes: int, prefix: str = "") -> Roster:
    """Return a school year: its classes, and an enrollment for each user."""
    ids = [f"{prefix}C{number}" for number in range(classes)]
    made = [klass(1, sourcedId=one, title=canary("class", begin + i)) for i, one in enumerate(ids)]
    users = [pupil(number) for number in range(begin, begin + 100)]
    enrolled = [
        enrollment(number, sourcedId=f"{prefix}E{number}", classSourcedId=ids[number % classes])
        for number in range(begin, begin + 100)
    ]
    return {**DAY_1, "users": users, "classes": made, "enrollments": enrolled}


def in_the_last_class(roster: Roster) -> Roster:
    """Return the roster with all enrollments in the last of its classes."""
    return with_all(roster, "enrollments", classSourcedId=roster["classes"][-1]["sourcedId"])


YEAR = year(1, 40)
TERM = in_the_last_class(YEAR)
NEXT_TERM = {**TERM, "classes": [*year(1, 20, "N")["classes"], *TERM["classes"][20:]]}


def other_ids(of: Roster) -> Roster:
    """Return the same people under other ids, as after a change of the system."""
    users = [{**one, "sourcedId": f"new-{one['sourcedId']}"} for one in of["users"]]
    enrolled = [{**one, "userSourcedId": f"new-{one['userSourcedId']}"} for one in of["enrollments"]]
    return {**of, "users": users, "enrollments": enrolled}


def other_district(of: Roster) -> Roster:
    """Return a district of which nothing is known here: every id is another one."""
    links = ("sourcedId", "parentSourcedId", "orgSourcedId", "orgSourcedIds", "courseSourcedId", "schoolSourcedId",
             "termSourcedIds", "classSourcedId", "userSourcedId")  # fmt: skip
    return {
        table: [{name: f"B-{cell}" if name in links and cell else cell for name, cell in one.items()} for one in rows]
        for table, rows in of.items()
    }


def much(
    name: str, bad: Roster | Sent, code: str, twin: Roster, *, table: str = "users", says: str = "", feed: str = ""
) -> Case:
    """Return a case of the large district in which one more is too many."""
    return held(
        name, bad if isinstance(bad, Sent) else sent(bad), code, table, says=says, twin=sent(twin), day_1=BEFORE,
        feed=feed,
    )  # fmt: skip


def removed(count: int) -> Sent:
    """Return a delta that takes away so many users."""
    gone = [one for one in CROWD["users"] if one["sourcedId"] in FREE[:count]]
    return sent({"users": told(gone, "tobedeleted")}, after=without_users(count), modes={"users": "delta"})


LIMITS = '\n[limits]\ndelete = "60%"\nper_org_delete = "100%"\n'
NONE_AT_ALL = '\n[limits.tables.enrollments]\ndelete = "0%"\n'
DELETES: Sequence[Case] = [
    much("a tenth and one more deleted", without_users(101), "too-many-deletes", without_users(100), says="10.10%"),
    much("half deleted", without_users(500), "too-many-deletes", without_users(99), says="50.00%"),
    much("a tenth and one more deleted by word", removed(101), "too-many-deletes", removed(100).after, says="10.10%"),
    much("a quarter and one more of a school deleted", without_pupils_of("S2", 51), "too-many-deletes-in-org",
         without_pupils_of("S2", 50), says="org S2"),
    much("a tenth and one more of another table deleted", without_enrollments(21), "too-many-deletes",
         without_enrollments(20), table="enrollments"),
    much("too many of two tables", without_enrollments(30, without_users(200)), "too-many-deletes",
         without_enrollments(10, without_users(10)), table="enrollments"),
    much("none may go, and one goes", without_enrollments(1), "too-many-deletes", with_cell(1, "middleName"),
         table="enrollments", feed=NONE_AT_ALL),
    taken("half deleted, as the feed allows", sent(without_users(500)), None, twin=sent(without_users(1)),
          feed=LIMITS, day_1=BEFORE),
    taken("ten of nineteen deleted", sent(small(19, 10)), None, twin=sent(small(19, 1)), day_1=sent(small(19)).zip),
    held("three of twenty deleted", sent(small(20, 3)), "too-many-deletes", "users", twin=sent(small(20, 2)),
         day_1=sent(small(20)).zip),
]  # fmt: skip

CHURN: Sequence[Case] = [
    much("three quarters and one more changed", with_cell(751, "middleName"), "too-many-updates",
         with_cell(750, "middleName"), says="75.10%"),
    much("zeros in front lost", without_zeros(), "too-many-updates", with_cell(749, "middleName"), says="100.00%"),
    taken("a third moves to another school", sent(with_cell(333, "orgSourcedIds", value="S1")), None,
          twin=sent(with_cell(332, "orgSourcedIds", value="S1")), day_1=BEFORE),
    much("all ids are other ones", other_ids(CROWD), "table-emptied", with_cell(2, "middleName"), says="all 1,000"),
    held("another district's files", sent(other_district(DAY_2)), "table-emptied", "orgs", says="all 2"),
    held("both of two classes replaced",
         sent(with_all({**DAY_2, "classes": [klass(3), klass(4)]}, "enrollments", classSourcedId="C3")),
         "table-emptied", "classes", twin=sent(with_rows(DAY_2, classes=[klass(3), klass(4)]))),
    held("a new school year", sent(year(9, 40, "N")), "table-emptied", "enrollments", says="all 100",
         twin=sent(with_rows(YEAR, users=[pupil(number) for number in range(101, 109)])), day_1=sent(YEAR).zip),
    held("a new term", sent(NEXT_TERM), "too-many-deletes", "classes", says="20 of 40",
         twin=sent({**TERM, "classes": TERM["classes"][4:]}), day_1=sent(TERM).zip),
]  # fmt: skip


def spoilt(count: int) -> Sent:
    """Return the district with so many users whose role there is not: they stay as they were."""
    return sent(with_cell(count, "role", value=canary("role", 1)), after=CROWD)


HELD_BACK: Sequence[Case] = [
    much("a tenth and one more held back", spoilt(101), "too-many-held-back", with_cell(101, "middleName"),
         says="10.10%"),
    partly("a tenth held back", spoilt(100), "invalid-enum", "users.csv", 2, held_back=100,
           twin=sent(with_cell(100, "middleName")), day_1=BEFORE),
    partly("not quite a tenth held back", spoilt(99), "invalid-enum", "users.csv", 2, held_back=99,
           twin=sent(with_cell(99, "middleName")), day_1=BEFORE),
]  # fmt: skip

CASES = [*DELETES, *CHURN, *HELD_BACK]
