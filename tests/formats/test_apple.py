"""The validator of packages for Apple School Manager: a sound one passes, and each rule, broken once, is named."""

import pytest
from formats import apple
from formats.breaking import Break, bytes_of, cell, having, more, odd_values, renamed, required, text, without

CLASSES = "class_id,class_number,course_id,instructor_id,instructor_id_2,instructor_id_3,instructor_id_15,location_id\n"
SOUND = {
    "locations.csv": 'location_id,location_name\nL-1,North\nL2,"South, by the lake"\n',
    "students.csv": "person_id,person_number,first_name,middle_name,last_name,grade_level,email_address,sis_username,"
    "password_policy,location_id,location_id_2,location_id_999\n"
    "P1,7,Ann,,Lee,9,ann@s.example,ann,4,L-1,,\n"
    'P2,,"Bo \\"B\\"",,"van\\\nDam",,,,,L2,L-1,L2\n',
    "staff.csv": "person_id,person_number,first_name,middle_name,last_name,email_address,sis_username,location_id,"
    "location_id_2,location_id_999\nT1,,Cy,,Ox,,,L-1,L2,L2\nT2,,Di,,Øst,,,L2,,\n",
    "courses.csv": "course_id,course_number,course_name,location_id\nC1,,Maths,L-1\n",
    "classes.csv": CLASSES + "K1,1,C1,T1,T2,,T2,L-1\nK2,,C1,,,,,L2\n",
    "rosters.csv": "roster_id,class_id,student_id\nR1,K1,P1\nR2,K1,P2\nR3,K2,P1\n",
}
REQUIRED = {
    "locations.csv": "location_id location_name",
    "students.csv": "person_id first_name last_name location_id",
    "staff.csv": "person_id first_name last_name location_id",
    "courses.csv": "course_id location_id",
    "classes.csv": "class_id course_id location_id",
    "rosters.csv": "roster_id class_id student_id",
}
QUOTES = "a quotation mark or line break in a value has no backslash, or quotes are open"
IDS = "of letters, digits and hyphens alone"

BROKEN: list[tuple[Break, str]] = [
    *((without(name), f"{name} - the file is missing") for name in SOUND),
    (having("orgs.csv", "location_id\n"), "orgs.csv - the format has no such file"),
    (having("asm/students.csv", SOUND["students.csv"]), "asm/students.csv - the format has no such file"),
    (having("Students.csv", SOUND["students.csv"]), "Students.csv - the format has no such file"),
    (having("rosters.csv", ""), "rosters.csv:1 - roster_id is missing"),
    (text("courses.csv", "Maths", "\udce9"), "courses.csv - the file is not UTF-8"),
    (text("courses.csv", "course_id", "\ufeffcourse_id"), "courses.csv - the file begins with a byte order mark"),
    (text("courses.csv", "Maths,L-1\n", "Maths,L-1\r\n"), "courses.csv - the end of a line is not LF alone"),
    (text("courses.csv", "Maths", '"a\\\rb"'), "courses.csv - the end of a line is not LF alone"),
    (text("courses.csv", "Maths", 'Maths "A"'), f"courses.csv:2 - {QUOTES}"),
    (text("courses.csv", "Maths", '"The ""A"" course"'), f"courses.csv:2 - {QUOTES}"),
    (text("courses.csv", "Maths", '"a course'), f"courses.csv:2 - {QUOTES}"),
    (text("courses.csv", "Maths", '"a\ncourse"'), f"courses.csv:2 - {QUOTES}"),
    (text("courses.csv", "Maths", '"a course\\"'), f"courses.csv:2 - {QUOTES}"),
    (text("courses.csv", "Maths", "A course"), "courses.csv:2 - a value with a space or comma is not in quotes"),
    (text("courses.csv", "Maths", '"Maths"'), "courses.csv:2 - a value is in quotes that needs none"),
    (text("courses.csv", "Maths", "“Maths”"), "courses.csv:2 - the quotes around a value are curly"),
    (text("courses.csv", "Maths", " Maths"), "courses.csv:2 - a blank follows a separator"),
    (text("courses.csv", "Maths", "\tMaths"), "courses.csv:2 - a blank follows a separator"),
    (text("courses.csv", "Maths", ' "The course"'), "courses.csv:2 - a blank follows a separator"),
    (text("courses.csv", "Maths", "a,b"), "courses.csv:2 - the record has another number of cells than the header"),
    (more("courses.csv", "\n"), "courses.csv:3 - the record has another number of cells than the header"),
    *required(REQUIRED),
    *(
        (renamed(name, column, "else"), f"{name}:1 - {column} is missing")
        for name, file in SOUND.items()
        for column in file.partition("\n")[0].split(",")
        if column not in {"location_id_2", "location_id_999", "instructor_id_15"}
    ),
    *odd_values(apple.LAYOUT),
    (renamed("staff.csv", "first_name", "First_Name"), "staff.csv:1 - First_Name is no column of this file"),
    (renamed("students.csv", "location_id_2", "location_id_1"), "students.csv:1 - location_id_1 is no column"),
    (renamed("students.csv", "location_id_2", "location_id_02"), "students.csv:1 - location_id_02 is no column"),
    (renamed("students.csv", "location_id_2", "location_id_1000"), "students.csv:1 - location_id_1000 is no column"),
    (renamed("courses.csv", "course_number", "location_id_2"), "courses.csv:1 - location_id_2 is no column"),
    (renamed("classes.csv", "instructor_id_15", "instructor_id_16"), "classes.csv:1 - instructor_id_16 is no column"),
    (renamed("staff.csv", "sis_username", "password_policy"), "staff.csv:1 - password_policy is no column"),
    (renamed("students.csv", "location_id_2", "location_id_999"), "students.csv:1 - location_id_999 comes twice"),
    (cell("students.csv", "last_name", '" "'), "students.csv:2 - last_name is blank"),
    *(
        (cell(f"{name}.csv", column, f"a{wrong}b"), f"{name}.csv:2 - {column} is not {IDS}")
        for name, column in (("locations", "location_id"), ("rosters", "roster_id"), ("staff", "person_id"))
        for wrong in "_.é/@"
    ),
    (cell("locations.csv", "location_id", '"L 1"'), f"locations.csv:2 - location_id is not {IDS}"),
    (more("locations.csv", "L2,West\n"), "locations.csv:4 - location_id is that of locations.csv:3"),
    (more("courses.csv", "C1,,Art,L2\n"), "courses.csv:3 - course_id is that of courses.csv:2"),
    (more("classes.csv", "K2,,C1,,,,,L2\n"), "classes.csv:4 - class_id is that of classes.csv:3"),
    (more("rosters.csv", "R1,K2,P2\n"), "rosters.csv:5 - roster_id is that of rosters.csv:2"),
    (more("rosters.csv", "R4,K1,P1\n"), "rosters.csv:5 - class_id, student_id is that of rosters.csv:2"),
    (more("staff.csv", "T1,,Ed,,Ash,,,L2,,\n"), "staff.csv:4 - person_id is that of staff.csv:2"),
    (cell("staff.csv", "person_id", "P2", line=3), "staff.csv:3 - person_id is that of students.csv:3"),
    (cell("students.csv", "location_id", "L1"), "students.csv:2 - location_id is not a location_id of locations.csv"),
    (cell("students.csv", "location_id_2", "L9"), "students.csv:2 - location_id_2 is not a location_id of"),
    (cell("students.csv", "location_id_999", '"L-1,L2"'), "students.csv:2 - location_id_999 is not a location_id of"),
    (cell("staff.csv", "location_id", "l2"), "staff.csv:2 - location_id is not a location_id of locations.csv"),
    (cell("staff.csv", "location_id_2", "L9"), "staff.csv:2 - location_id_2 is not a location_id of locations.csv"),
    (cell("staff.csv", "location_id_999", "L9"), "staff.csv:2 - location_id_999 is not a location_id of locations.csv"),
    (cell("courses.csv", "location_id", "L1"), "courses.csv:2 - location_id is not a location_id of locations.csv"),
    (cell("classes.csv", "location_id", "L1"), "classes.csv:2 - location_id is not a location_id of locations.csv"),
    (cell("classes.csv", "course_id", "C9"), "classes.csv:2 - course_id is not a course_id of courses.csv"),
    (cell("classes.csv", "instructor_id", "P1"), "classes.csv:2 - instructor_id is not a person_id of staff.csv"),
    (cell("classes.csv", "instructor_id_15", "T9"), "classes.csv:2 - instructor_id_15 is not a person_id of staff.csv"),
    (cell("rosters.csv", "class_id", "K9"), "rosters.csv:2 - class_id is not a class_id of classes.csv"),
    (cell("rosters.csv", "student_id", "T1"), "rosters.csv:2 - student_id is not a person_id of students.csv"),
    (cell("rosters.csv", "student_id", "P9", line=4), "rosters.csv:4 - student_id is not a person_id of students.csv"),
    *(
        (cell("students.csv", "password_policy", policy), "students.csv:2 - password_policy is not 4, 6, 8 or blank")
        for policy in ("5", "04", "standard")
    ),
]


def test_a_sound_package_passes() -> None:
    """Nothing is wrong with a package in which values have spaces, commas, quotes and line breaks."""
    assert apple.faults(bytes_of(SOUND)) == []


def test_semicolons_may_separate() -> None:
    """The separator may be a semicolon, in each file for itself; a comma in a value still needs quotes."""
    files = bytes_of({**SOUND, "locations.csv": 'location_id;location_name\nL-1;"a;b, c"\nL2;"d, e"\n'})
    assert apple.faults(files) == []
    bare = {**files, "locations.csv": b"location_id;location_name\nL-1;a,b\nL2;c\n"}
    assert apple.faults(bare) == ["locations.csv:2 - a value with a space or comma is not in quotes"]


def test_the_order_of_columns_is_free() -> None:
    """Apple's own guides have the columns in several orders."""
    turned = "student_id,roster_id,class_id\nP1,R1,K1\n"
    assert apple.faults(bytes_of({**SOUND, "rosters.csv": turned})) == []


def test_headers_alone_are_a_package() -> None:
    """All six files without a row: that is a school in summer, and for others to hold back."""
    assert apple.faults(bytes_of({name: text.partition("\n")[0] + "\n" for name, text in SOUND.items()})) == []


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_a_rule_broken_once_is_named(change: Break, fault: str) -> None:
    """The fault says in which file and line which rule is broken."""
    found = apple.faults(bytes_of(change(SOUND)))
    assert [one for one in found if one.startswith(fault)], found
