"""Whether a package is one that Canvas takes as a SIS import: CSV files for all of its kinds of records.

A file is known by its name. Not checked: what groups and differentiation tags hold, for their columns are not in the
notes; the values of `status` in admins.csv and xlists.csv and those of yes-or-no columns, which are not there either;
whether Canvas has an id that the package does not bring, so that each has to be in it; how much larger it is unzipped.
"""

from collections.abc import Collection, Iterator, Mapping

from formats.package import File, Table, Tables, Values, common_faults, moment, one_of
from formats.text import rfc_4180

TIME = moment(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)", "a time of ISO 8601 in UTC")
TIME_OR_NONE = Values(f"{TIME.words} or <delete>", lambda value: value == "<delete>" or TIME.allows(value))
ALIVE = one_of("active deleted")
ROLES = frozenset({"student", "teacher", "ta", "observer", "designer"})
KINDS = {
    "account": "accounts.csv account_id",
    "term": "terms.csv term_id",
    "course": "courses.csv course_id",
    "section": "sections.csv section_id",
    "user": "users.csv user_id",
}
"""Where the ids of a kind are that change_sis_id.csv may change; those of groups are not read."""

USER, ACCOUNT, COURSE, SECTION = KINDS["user"], KINDS["account"], KINDS["course"], KINDS["section"]
INTEGRATION = "users.csv integration_id"
SPAN, UNREAD = ("start_date", "end_date"), ("group_categories.csv", "groups.csv", "groups_membership.csv")

LAYOUT = {
    "users.csv": File(
        "user_id login_id status",
        more="integration_id password ssha_password authentication_provider_id first_name last_name full_name "
        "sortable_name short_name email pronouns declared_user_type canvas_password_notification home_account",
        key="user_id",
        values={
            "status": one_of("active suspended deleted"),
            "declared_user_type": one_of("administrative observer staff student student_other teacher"),
        },
    ),
    "accounts.csv": File(
        "account_id name status",
        header="parent_account_id",
        more="integration_id",
        key="account_id",
        values={"status": ALIVE},
    ),
    "terms.csv": File(
        "term_id name status",
        more="integration_id date_override_enrollment_type start_date end_date",
        key="term_id",
        values={
            "status": ALIVE,
            "date_override_enrollment_type": one_of(
                "StudentEnrollment TeacherEnrollment TaEnrollment DesignerEnrollment"
            ),
            **dict.fromkeys(SPAN, TIME),
        },
    ),
    "courses.csv": File(
        "course_id short_name long_name status",
        more="account_id term_id integration_id start_date end_date course_format blueprint_course_id "
        "grade_passback_setting homeroom_course friendly_name",
        key="course_id",
        refers={"account_id": ACCOUNT, "term_id": KINDS["term"]},
        values={
            "status": one_of("active deleted completed published"),
            "course_format": one_of("on_campus online blended"),
            "grade_passback_setting": one_of("nightly_sync not_set"),
            **dict.fromkeys(SPAN, TIME_OR_NONE),
        },
    ),
    "sections.csv": File(
        "section_id course_id name status",
        more="integration_id start_date end_date",
        key="section_id",
        refers={"course_id": COURSE},
        values={"status": ALIVE, **dict.fromkeys(SPAN, TIME)},
    ),
    "enrollments.csv": File(
        "status",
        more="root_account start_date end_date associated_user_id limit_section_privileges notify "
        "temporary_enrollment_source_user_id",
        either=("course_id section_id", "user_id user_integration_id", "role role_id"),
        refers={
            "course_id": COURSE,
            "section_id": SECTION,
            "user_id": USER,
            "user_integration_id": INTEGRATION,
            "associated_user_id": USER,
            "temporary_enrollment_source_user_id": USER,
        },
        values={
            "status": one_of("active deleted completed inactive deleted_last_completed"),
            **dict.fromkeys(SPAN, TIME),
        },
    ),
    "user_observers.csv": File(
        "observer_id student_id status",
        refers={"observer_id": USER, "student_id": USER},
        values={"status": ALIVE},
    ),
    "admins.csv": File(
        "user_id status",
        header="account_id",
        more="root_account",
        either=("role role_id",),
        refers={"user_id": USER, "account_id": ACCOUNT},
    ),
    "logins.csv": File(
        "user_id login_id",
        more="integration_id password ssha_password root_account email",
        either=("existing_user_id existing_integration_id existing_canvas_user_id",),
        refers={"existing_user_id": USER, "existing_integration_id": INTEGRATION},
    ),
    "change_sis_id.csv": File(
        "type",
        either=("old_id old_integration_id", "new_id new_integration_id"),
        values={"type": one_of("account term course section group group_category user")},
    ),
    "xlists.csv": File("xlist_course_id section_id status", refers={"section_id": SECTION}),
}


def faults(files: Mapping[str, bytes], *, custom_roles: Collection[str] = ()) -> list[str]:
    """Return all that is wrong with a package, whose files are given by their names in the zip.

    `custom_roles` are the roles of enrollments that an institution has beside those of Canvas.
    """
    ours = {name: data for name, data in files.items() if name not in UNREAD}
    tables, found = common_faults(ours, LAYOUT, lambda _text: rfc_4180())
    if "accounts.csv" in tables:
        found += orphans(tables["accounts.csv"])
    if "enrollments.csv" in tables:
        found += enrollment_faults(tables["enrollments.csv"], ROLES | {*custom_roles})
    return [*found, *old_ids(tables)]


def orphans(accounts: Table) -> Iterator[str]:
    """Yield the accounts whose parent is not before them."""
    before = {""}
    for row in accounts.rows:
        if row["parent_account_id"] not in before:
            yield accounts.at(row, "parent_account_id is not an account_id of an earlier line")
        before.add(row["account_id"])


def enrollment_faults(enrollments: Table, roles: Collection[str]) -> Iterator[str]:
    """Yield the enrollments with another role, half a span of time, or whom to observe though they do not."""
    for row in enrollments.rows:
        role = row["role"]
        if role and role not in roles:
            yield enrollments.at(row, "role is not one of Canvas")
        if bool(row["start_date"]) != bool(row["end_date"]):
            yield enrollments.at(row, "start_date and end_date take effect only together")
        if row["associated_user_id"] and role in ROLES - {"observer"}:
            yield enrollments.at(row, "associated_user_id is for observers alone")


def old_ids(tables: Tables) -> Iterator[str]:
    """Yield the ids in files that change_sis_id.csv, which comes first, has taken away."""
    changes = tables["change_sis_id.csv"].rows if "change_sis_id.csv" in tables else ()
    for kind, place in KINDS.items():
        name, column = place.split()
        mine = [row for row in changes if row["type"] == kind]
        gone = {row["old_id"] for row in mine} - {"", *(row["new_id"] for row in mine)}
        if name in tables:
            yield from (
                tables[name].at(row, f"{column} is an old_id of change_sis_id.csv")
                for row in tables[name].rows
                if row[column] in gone
            )
