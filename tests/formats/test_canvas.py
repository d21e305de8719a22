"""The validator of SIS imports of Canvas: a sound package passes, and each rule, broken once, is named."""

import pytest
from formats import canvas
from formats.breaking import Break, bytes_of, cell, having, more, odd_values, renamed, required, text, without

START, END = "2026-08-20T05:00:00Z", "2027-06-01T05:00:00Z"
SPAN = f"{START},{END}"
SOUND = {
    "users.csv": "user_id,integration_id,login_id,status,declared_user_type,full_name\n"
    "U1,I1,ann,active,student,Ann Lee\nU2,,bo,suspended,,\r\nU3,,cy,deleted,observer,\"Cy\n\"\"C\"\" Ox\"\n",
    "accounts.csv": "account_id,parent_account_id,name,status\nD1,,District,active\nS1,D1,North,active\n"
    "S2,D1,South,deleted\n",
    "terms.csv": "term_id,name,status,date_override_enrollment_type,start_date,end_date\n"
    f"T1,Fall,active,StudentEnrollment,{SPAN}\nT2,Spring,deleted,,,\n",
    "courses.csv": "course_id,short_name,long_name,status,account_id,term_id,start_date,end_date,course_format,"
    f"grade_passback_setting\nC1,Art,Art for all,active,S1,T1,{SPAN},online,not_set\n"
    "C2,Art,Art,published,,,<delete>,<delete>,,\n",
    "sections.csv": f"section_id,course_id,name,status,start_date,end_date\nK1,C1,Art 1,active,{SPAN}\n",
    "enrollments.csv": "course_id,section_id,user_id,user_integration_id,role,role_id,status,associated_user_id,"
    "temporary_enrollment_source_user_id,start_date,end_date\n"
    f"C1,K1,U1,I1,student,,active,,U2,{SPAN}\n,K1,,I1,observer,,completed,U2,,,\nC1,,U2,,,17,inactive,,,,\n",
    "user_observers.csv": "observer_id,student_id,status\nU3,U1,active\n",
    "admins.csv": "user_id,account_id,role,status\nU2,S1,AccountAdmin,active\nU2,,AccountAdmin,active\n",
    "logins.csv": "user_id,login_id,existing_user_id,existing_integration_id\nX1,ann2,U1,I1\n",
    "change_sis_id.csv": "old_id,new_id,type\nU0,U1,user\nK7,K1,section\nG1,G2,group\n",
    "xlists.csv": "xlist_course_id,section_id,status\nC2,K1,active\n",
    "groups.csv": "group_id,name,status\nG1,Choir,available\n",
}  # fmt: skip
REQUIRED = {
    "users.csv": "user_id login_id status",
    "accounts.csv": "account_id name status",
    "terms.csv": "term_id name status",
    "courses.csv": "course_id short_name long_name status",
    "sections.csv": "section_id course_id name status",
    "enrollments.csv": "status",
    "user_observers.csv": "observer_id student_id status",
    "admins.csv": "user_id status",
    "logins.csv": "user_id login_id",
    "change_sis_id.csv": "type",
    "xlists.csv": "xlist_course_id section_id status",
}
RFC = "the record is not written as RFC 4180 says"
LIST = "of its list of values"
UTC = "a time of ISO 8601 in UTC"

BROKEN: list[tuple[Break, str]] = [
    (having("members.csv", "user_id\n"), "members.csv - the format has no such file"),
    (text("users.csv", "Ann Lee", "\udcff"), "users.csv - the file is not UTF-8"),
    (text("users.csv", "user_id", "\ufeffuser_id"), "users.csv - the file begins with a byte order mark"),
    (text("users.csv", "Ann Lee", 'Ann "A" Lee'), f"users.csv:2 - {RFC}"),
    (text("users.csv", "Ann Lee", '"Ann Lee'), f"users.csv:2 - {RFC}"),
    (text("users.csv", "Ann Lee", "Ann\rLee"), f"users.csv:2 - {RFC}"),
    (text("users.csv", "Ann Lee", "Lee, Ann"), "users.csv:2 - the record has another number of cells than the header"),
    (having("terms.csv", ""), "terms.csv:1 - term_id is missing"),
    *required(REQUIRED),
    *odd_values(canvas.LAYOUT),
    (renamed("accounts.csv", "parent_account_id", "else"), "accounts.csv:1 - parent_account_id is missing"),
    (renamed("admins.csv", "account_id", "else"), "admins.csv:1 - account_id is missing"),
    (renamed("users.csv", "full_name", "fullname"), "users.csv:1 - fullname is no column of this file"),
    (renamed("users.csv", "full_name", "login_id"), "users.csv:1 - login_id comes twice"),
    (having("enrollments.csv", "user_id,role,status\n"), "enrollments.csv:1 - course_id or section_id is missing"),
    (having("enrollments.csv", "course_id,role,status\n"), "enrollments.csv:1 - user_id or user_integration_id is"),
    (having("enrollments.csv", "course_id,user_id,status\n"), "enrollments.csv:1 - role or role_id is missing"),
    (having("admins.csv", "user_id,account_id,status\n"), "admins.csv:1 - role or role_id is missing"),
    (having("change_sis_id.csv", "old_id,type\n"), "change_sis_id.csv:1 - new_id or new_integration_id is missing"),
    (cell("enrollments.csv", "section_id", "", line=3), "enrollments.csv:3 - course_id or section_id is blank"),
    (cell("enrollments.csv", "user_id", "", line=4), "enrollments.csv:4 - user_id or user_integration_id is blank"),
    (cell("enrollments.csv", "role_id", "", line=4), "enrollments.csv:4 - role or role_id is blank"),
    (cell("admins.csv", "role", ""), "admins.csv:2 - role or role_id is blank"),
    (more("logins.csv", "X2,bo2,,\n"), "logins.csv:3 - existing_user_id or existing_integration_id or existing_canvas"),
    (cell("change_sis_id.csv", "old_id", ""), "change_sis_id.csv:2 - old_id or old_integration_id is blank"),
    (cell("change_sis_id.csv", "new_id", ""), "change_sis_id.csv:2 - new_id or new_integration_id is blank"),
    *(
        (cell(f"{name}.csv", "status", value), f"{name}.csv:2 - status is not {LIST}")
        for name, value in (
            ("users", "inactive"),
            ("users", "Active"),
            ("accounts", "suspended"),
            ("terms", "completed"),
            ("courses", "inactive"),
            ("sections", "completed"),
            ("enrollments", "suspended"),
            ("enrollments", "published"),
            ("user_observers", "inactive"),
        )
    ),
    (cell("users.csv", "declared_user_type", "aide"), f"users.csv:2 - declared_user_type is not {LIST}"),
    (cell("enrollments.csv", "role", "aide"), "enrollments.csv:2 - role is not one of Canvas"),
    (cell("enrollments.csv", "role", "Student"), "enrollments.csv:2 - role is not one of Canvas"),
    *(
        (cell("terms.csv", "start_date", value), f"terms.csv:2 - start_date is not {UTC}")
        for value in ("2026-08-20", "2026-08-20 05:00:00", "2026-08-20T05:00:00", "2026-08-20T05:00:00-05:00",
                      "2026-02-30T05:00:00Z", "2026-08-20T25:00:00Z", "08/20/2026", "<delete>")
    ),
    (cell("courses.csv", "end_date", "never"), f"courses.csv:2 - end_date is not {UTC} or <delete>"),
    (cell("enrollments.csv", "end_date", ""), "enrollments.csv:2 - start_date and end_date take effect only together"),
    (cell("enrollments.csv", "associated_user_id", "U2"), "enrollments.csv:2 - associated_user_id is for observers"),
    *(
        (more(f"{name}.csv", row + "\n"), f"{name}.csv:{line} - {name[:-1]}_id is that of {name}.csv:2")
        for name, row, line in (
            ("users", "U1,,else,active,,", 6),
            ("accounts", "D1,,Other,active", 5),
            ("terms", "T1,Other,active,,,", 4),
            ("courses", "C1,Other,Other,active,,,,,,", 4),
            ("sections", "K1,C1,Other,active,,", 3),
        )
    ),
    *(
        (cell(f"{name}.csv", "parent_account_id", parent, line=line), f"{name}.csv:{line} - parent_account_id is not")
        for name, line, parent in (("accounts", 2, "S1"), ("accounts", 2, "D1"), ("accounts", 3, "D9"))
    ),
    *(
        (cell(f"{name}.csv", column, "none"), f"{name}.csv:2 - {column} is not {target}.csv")
        for name, column, target in (
            ("courses", "account_id", "an account_id of accounts"),
            ("courses", "term_id", "a term_id of terms"),
            ("sections", "course_id", "a course_id of courses"),
            ("enrollments", "course_id", "a course_id of courses"),
            ("enrollments", "section_id", "a section_id of sections"),
            ("enrollments", "user_id", "a user_id of users"),
            ("enrollments", "user_integration_id", "an integration_id of users"),
            ("enrollments", "associated_user_id", "a user_id of users"),
            ("enrollments", "temporary_enrollment_source_user_id", "a user_id of users"),
            ("user_observers", "observer_id", "a user_id of users"),
            ("user_observers", "student_id", "a user_id of users"),
            ("admins", "user_id", "a user_id of users"),
            ("admins", "account_id", "an account_id of accounts"),
            ("logins", "existing_user_id", "a user_id of users"),
            ("logins", "existing_integration_id", "an integration_id of users"),
            ("xlists", "section_id", "a section_id of sections"),
        )
    ),
    (without("terms.csv"), "terms.csv - the file is missing, and term_id of courses.csv refers to it"),
    (without("users.csv"), "users.csv - the file is missing, and user_id of enrollments.csv refers to it"),
    (cell("change_sis_id.csv", "old_id", "U2"), "users.csv:3 - user_id is an old_id of change_sis_id.csv"),
]  # fmt: skip


def test_a_sound_package_passes() -> None:
    """Nothing is wrong with a package of all files, in which lines end either way and a value has a line break."""
    assert canvas.faults(bytes_of(SOUND)) == []


def test_custom_roles_are_named_by_the_caller() -> None:
    """An institution's own role passes only if it is given."""
    files = bytes_of(cell("enrollments.csv", "role", "Librarian")(SOUND))
    assert canvas.faults(files) == ["enrollments.csv:2 - role is not one of Canvas"]
    assert canvas.faults(files, custom_roles=["Librarian"]) == []


def test_an_id_may_be_handed_on() -> None:
    """What one record gives up another may take in the same package."""
    handed = more("change_sis_id.csv", "U1,U3,user\n")(SOUND)
    assert canvas.faults(bytes_of(handed)) == []


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_a_rule_broken_once_is_named(change: Break, fault: str) -> None:
    """The fault says in which file and line which rule is broken."""
    found = canvas.faults(bytes_of(change(SOUND)))
    assert [one for one in found if one.startswith(fault)], found
