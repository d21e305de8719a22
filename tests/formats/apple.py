"""Whether a package is one that Apple School Manager takes: the six CSV files that are sent by SFTP.

Not to be seen in a package's files alone, hence not checked: that no person_id is given to somebody else, what the
format of Managed Apple Accounts or federated authentication require more (person_number, sis_username, email_address),
that students and staff are not in the first location, and that no class or course is left out that was there before.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from formats.package import File, common_faults, matching, missing, repeated
from formats.text import Dialect, Record

NAMES = "students.csv staff.csv courses.csv classes.csv rosters.csv locations.csv"
IDENTIFIER = matching("[A-Za-z0-9-]+", "of letters, digits and hyphens alone")
LOCATION = "locations.csv location_id"
LOCATIONS = tuple(f"location_id_{number}" for number in range(2, 1000))
INSTRUCTORS = ("instructor_id", *(f"instructor_id_{number}" for number in range(2, 16)))

LAYOUT = {
    "locations.csv": File("location_id location_name", key="location_id", values={"location_id": IDENTIFIER}),
    "students.csv": File(
        "person_id first_name last_name location_id",
        header="person_number middle_name grade_level email_address sis_username password_policy",
        more=" ".join(LOCATIONS),
        refers=dict.fromkeys(("location_id", *LOCATIONS), LOCATION),
        values={"person_id": IDENTIFIER, "password_policy": matching("[468]", "4, 6, 8 or blank")},
    ),
    "staff.csv": File(
        "person_id first_name last_name location_id",
        header="person_number middle_name email_address sis_username",
        more=" ".join(LOCATIONS),
        refers=dict.fromkeys(("location_id", *LOCATIONS), LOCATION),
        values={"person_id": IDENTIFIER},
    ),
    "courses.csv": File(
        "course_id location_id",
        header="course_number course_name",
        key="course_id",
        refers={"location_id": LOCATION},
        values={"course_id": IDENTIFIER},
    ),
    "classes.csv": File(
        "class_id course_id location_id",
        header=" ".join(("class_number", *INSTRUCTORS[:3])),
        more=" ".join(INSTRUCTORS[3:]),
        key="class_id",
        refers={
            "course_id": "courses.csv course_id",
            "location_id": LOCATION,
            **dict.fromkeys(INSTRUCTORS, "staff.csv person_id"),
        },
        values={"class_id": IDENTIFIER},
    ),
    "rosters.csv": File(
        "roster_id class_id student_id",
        key="roster_id",
        refers={"class_id": "classes.csv class_id", "student_id": "students.csv person_id"},
        values={"roster_id": IDENTIFIER},
    ),
}
"""The templates. All of their columns are in the header, in any order; the key of people is that of two files."""

ESCAPED = r'\\["\\\n]'
"""A backslash before a quotation mark or a line break; before itself, else one could not stand at a value's end."""
ALONE = r'\\(?!["\\\n])'
NEEDS_QUOTES, MAY_HAVE_QUOTES, CURLY = re.compile("[ ,]"), re.compile(r'[\s,;"\\]'), re.compile("^[“”„‟]|[“”„‟]$")


def faults(files: Mapping[str, bytes]) -> list[str]:
    """Return all that is wrong with a package, whose files are given by their names in the zip."""
    found = missing(files, NAMES)
    found += [f"{name} - the end of a line is not LF alone" for name, data in files.items() if b"\r" in data]
    unix = {name: data.replace(b"\r\n", b"\n") for name, data in files.items()}
    tables, common = common_faults(unix, LAYOUT, dialect)
    people = [tables[name] for name in ("students.csv", "staff.csv") if name in tables]
    rosters = [tables[name] for name in ("rosters.csv",) if name in tables]
    return [*found, *common, *repeated(people, "person_id"), *repeated(rosters, "class_id student_id")]


def dialect(text: str) -> Dialect:
    """Return Apple's dialect, with the separator that a text's header has."""
    first = re.search("[,;]", text.partition("\n")[0])
    return SEMICOLONS if first and first[0] == ";" else COMMAS


def quoting(record: Record) -> Iterator[str]:
    """Yield what is wrong with quotes and blanks; a value that needs no quotes must not have them."""
    if any(cell.startswith((" ", "\t")) for cell in record.cells[1:]):
        yield "a blank follows a separator"
    if any(not cell.startswith('"') and NEEDS_QUOTES.search(cell) for cell in record.cells):
        yield "a value with a space or comma is not in quotes"
    if any(cell.startswith('"') and not MAY_HAVE_QUOTES.search(cell[1:-1]) for cell in record.cells):
        yield "a value is in quotes that needs none"
    if any(CURLY.search(cell) for cell in record.cells):
        yield "the quotes around a value are curly"


def _value(cell: str) -> str:
    return re.sub(ESCAPED, lambda found: found[0][1], cell[1:-1] if cell.startswith('"') else cell)


def _cell(separator: str) -> re.Pattern[str]:
    return re.compile(rf'"(?:[^"\\\n]|{ESCAPED}|{ALONE})*"|(?:[^"\\\n{separator}]|{ESCAPED}|{ALONE})*')


COMMAS = Dialect(
    _cell(","), ",", _value, "a quotation mark or line break in a value has no backslash, or quotes are open", quoting
)
SEMICOLONS = replace(COMMAS, cell=_cell(";"), separator=";")
