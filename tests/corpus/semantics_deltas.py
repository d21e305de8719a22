"""Bulk and delta: what status and dateLastModified say in the one and in the other, and what changes are changes of.

Only a bulk file's silence removes anything; a delta removes what it calls tobedeleted, and nothing else.
"""

from collections.abc import Sequence

from builders import Roster, Row, enrollment, klass
from corpus.case import Case
from corpus.semantics_files import DAY_1_0, DAY_1_2, NEXT_1_2, SET_1_0, SET_1_2, alone, without
from corpus.sets import (
    ANYWAY,
    Sent,
    blank,
    changed_by,
    in_1_0,
    in_1_2,
    manifest_of,
    partly,
    refused,
    sent,
    taken,
    told,
    with_all,
    without_rows,
)
from corpus.sound import DAY_1, DAY_2, canary, pupil, with_cells

LATER = canary("later", 1)
CATEGORY = blank("categories", sourcedId="G1", title=canary("category", 1))


def delta(*, gone: Sequence[str] = (), after: Roster | None = None, **tables: list[Row]) -> Sent:
    """Return a set of deltas alone, and what is there once it is applied to the first day; `gone` are deleted."""
    return sent(
        dict(tables), after=after or changed_by(DAY_1, dict(tables), gone), modes=dict.fromkeys(tables, "delta")
    )


def users(number: int = 1, **cells: str) -> Row:
    """Return a user as a delta changes him."""
    return told(pupil(number, familyName=LATER))[0] | cells


def deleted(row: Row, **cells: str) -> Row:
    """Return a record as a delta takes it away."""
    return told(row, "tobedeleted")[0] | cells


E1, E30 = enrollment(1), enrollment(30)
RENAMED = delta(users=[users()])
"""The nearest delta that is right: one user has another name."""
DELETED = delta(enrollments=[deleted(E30)], gone=["E30"])


def kept(*rows: Row, table: str = "users") -> Sent:
    """Return a delta with one right record and others of which nothing is taken over."""
    tables = {"users": [users(), *rows]} if table == "users" else {"users": [users()], table: rows}
    return delta(after=RENAMED.after, **tables)


DELTAS: Sequence[Case] = [
    refused("a delta before any bulk", RENAMED, "delta-before-bulk", "users.csv", twin=sent(DAY_2),
            day_1=alone(manifest_of("1.1", {})).zip),
    taken("a table begins with a delta", delta(categories=told(CATEGORY)), None),
    taken("one delta among bulk files",
          sent({**DAY_2, "users": [users()]}, after=RENAMED.after, modes={"users": "delta"}), None),
    taken("a delta of a record as it is known", delta(users=told(DAY_1["users"][0]), after=DAY_1), None, twin=RENAMED),
    taken("a delta that refers to what was sent before", delta(classes=told(klass(3))), None, twin=RENAMED),
    partly("a delta that refers to nothing", kept(*told(enrollment(99, userSourcedId="U-99")), table="enrollments"),
           "dangling-reference", "enrollments.csv", 2, says="U-99", twin=RENAMED),
    partly("a delta takes away a user whose enrollment is in the bulk file",
           sent({**DAY_2, "users": [deleted(pupil(30))]}, after=without_rows(DAY_1, users=["U30"]),
                modes={"users": "delta"}),
           "dangling-reference", "enrollments.csv", 31, says="U30",
           twin=sent(without_rows({**DAY_2, "users": [deleted(pupil(30))]}, enrollments=["E30"]),
                     after=without_rows(DAY_1, users=["U30"], enrollments=["E30"]), modes={"users": "delta"})),
    taken("a delta takes away a class and says nothing of its enrollments",
          delta(classes=[deleted(klass(1))], gone=["C1"]), None, twin=RENAMED),
    partly("no status in a delta", kept(users(2, status="")), "required-value", "users.csv", 3, twin=RENAMED),
    partly("no dateLastModified in a delta", kept(users(2, dateLastModified="")), "required-value", "users.csv", 3,
           twin=RENAMED),
    partly("a time that is none", kept(users(2, dateLastModified="2026-02-30T00:00:00Z")), "invalid-datetime",
           "users.csv", 3, twin=RENAMED),
    taken("a time in another zone", sent({"users": [users(dateLastModified="2026-01-01T01:00:00+01:00")]},
                                         after=RENAMED.after, modes={"users": "delta"}),
          "datetime-form", "users.csv", 2, twin=RENAMED),
    partly("a status of its own", kept(users(2, status="removed")), "invalid-enum", "users.csv", 3, twin=RENAMED),
    taken("a status in another case",
          sent({"enrollments": [deleted(E30, status="ToBeDeleted")]}, after=DELETED.after,
               modes={"enrollments": "delta"}),
          "enum-case", "enrollments.csv", 2, twin=DELETED),
    taken("inactive, as 1.0 had it",
          sent({"enrollments": [deleted(E30, status="inactive")]}, after=DELETED.after, modes={"enrollments": "delta"}),
          "inactive-status", "enrollments.csv", 2, twin=DELETED),
    taken("a deletion that has the id alone",
          sent({"enrollments": told(blank("enrollments", sourcedId="E30"), "tobedeleted")}, after=DELETED.after,
               modes={"enrollments": "delta"}),
          "incomplete-deletion", "enrollments.csv", 2, twin=DELETED),
    partly("a deletion without an id", kept(deleted(E30, sourcedId=""), table="enrollments"), "required-value",
           "enrollments.csv", 2, twin=DELETED),
    taken("the deletion of what is not known", delta(enrollments=[deleted(enrollment(99))], after=DAY_1),
          "unknown-deletion", "enrollments.csv", 2, twin=DELETED),
    partly("changed and deleted in one delta", kept(users(2), deleted(pupil(2))), "duplicate-sourcedid", "users.csv",
           3, held_back=2, twin=RENAMED),
]  # fmt: skip


STATED = {"status", "dateLastModified"}
UNSTATED = {
    name: [{column: cell for column, cell in one.items() if column not in STATED} for one in rows]
    for name, rows in DAY_2.items()
}
"""The second day without the two columns that a bulk file is to leave blank, whatever they hold."""
INACTIVE = [*DAY_2["enrollments"][:-1], {**E30, "status": "inactive"}]
ACTIVE = [{**one, "status": "active"} for one in DAY_2["enrollments"]]
"""All enrollments as 1.0 may tell them, which changes none of them."""

BULK: Sequence[Case] = [
    taken("tobedeleted in a bulk file", sent(with_cells("E30", "enrollments", status="tobedeleted"),
                                             after=without_rows(DAY_2, enrollments=["E30"])),
          "tobedeleted-in-bulk", "enrollments.csv", 31),
    taken("active in a bulk file", sent(with_all(DAY_2, "users", status="active"), after=UNSTATED),
          "bulk-status", "users.csv", 2),
    taken("dates of a spreadsheet in a bulk file",
          sent(with_all(DAY_2, "users", dateLastModified="3/4/2026"), after=UNSTATED), "bulk-date", "users.csv",
          2),
    taken("inactive in 1.0", sent({**in_1_0(DAY_2), "enrollments": INACTIVE},
                                  after=without_rows(without(in_1_0(DAY_2), "demographics"), enrollments=["E30"]),
                                  version="1.0"),
          None, twin=SET_1_0, day_1=DAY_1_0, also=ANYWAY),
]  # fmt: skip

ROLES = told(NEXT_1_2["roles"][1] | {"role": "aide"})
AIDE = changed_by(in_1_2(DAY_1), {"roles": ROLES})
MODES_1_2 = {"roles": "delta"}
OTHER_VERSIONS: Sequence[Case] = [
    taken("a delta of 1.2 alone", sent({"roles": ROLES}, after=AIDE, version="1.2", modes=MODES_1_2), None,
          twin=SET_1_2, day_1=DAY_1_2, also=ANYWAY),
    partly("a delta of 1.2 with a role of nobody",
           sent({"roles": [*ROLES, *told(NEXT_1_2["roles"][2] | {"userSourcedId": "U-99"})]}, after=AIDE,
                version="1.2", modes=MODES_1_2),
           "dangling-reference", "roles.csv", 3, says="U-99", twin=SET_1_2, day_1=DAY_1_2),
    taken("active in 1.0", sent({**in_1_0(DAY_2), "enrollments": ACTIVE}, version="1.0",
                                after=without(in_1_0(DAY_2), "demographics")),
          None, twin=SET_1_0, day_1=DAY_1_0, also=ANYWAY),
]  # fmt: skip

CASES = [*DELTAS, *BULK, *OTHER_VERSIONS]
