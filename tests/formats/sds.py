"""Whether a package is one that Microsoft School Data Sync takes: its CSV format v2.1.

Words and booleans are read without regard to case, ids with it, as Microsoft's data types say. The values of `flag` are
no closed list here. What a package's files do not show, hence is not checked: that the set of files is that of the last
upload, and that SDS makes users of those whom it does not match, who then need names.
"""

from collections.abc import Iterator, Mapping

from formats.package import File, Tables, Values, common_faults, matching, missing, moment, one_of
from formats.text import Record, rfc_4180

REQUIRED = "orgs.csv users.csv roles.csv"
TOGETHER = "classes.csv enrollments.csv"

ORG_TYPES = one_of(
    "school ministryOfEducation localAuthority department university region district college division local campus "
    "province state adultEducation researchCenter national municipality program departmentOfEducation academicTrust",
    same=str.casefold,
)
ROLES = one_of(
    "principal chair professor researcher adjunct affiliate occupationalTherapist physicalTherapist speechTherapist "
    "visionTherapist paraprofessional specialServices advisor proctor nurse officeStaff lecturer itAdmin administrator "
    "teacher faculty staff teacherAssistant assistant instructor substitute coach alumni student other",
    same=str.casefold,
)
GRADES = one_of(
    "it pr pk tk kg 1 2 3 4 5 6 7 8 9 10 11 12 13 14 ps ps1 ps2 ps3 ps4 ug undergraduate graduate postgraduate alumni "
    "adultEducation other",
    same=lambda value: value[1:].casefold() if len(value) == 2 and value[0] == "0" else value.casefold(),
)
"""A grade of one digit may have a zero before it."""
RACES = one_of(
    "americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white "
    "demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity",
    same=str.casefold,
)
SESSIONS = one_of("schoolYear semester term gradingPeriod quarter", same=str.casefold)
RELATIONS = one_of("parent guardian relative aide doctor other", same=str.casefold)
SEXES = one_of("male female notSelected", same=str.casefold)
BOOLEAN = Values("true or false", lambda value: value.casefold() in {"true", "false"})
DATE = moment(r"\d{4}-\d\d-\d\d", "a date YYYY-MM-DD")
PHONE = matching(r"\+[1-9][0-9]{1,14}", "a telephone number of E.164")

USER, ORG, SESSION = "users.csv sourcedId", "orgs.csv sourcedId", "academicSessions.csv sourcedId"

LAYOUT = {
    "orgs.csv": File(
        "sourcedId name type",
        more="parentSourcedId",
        key="sourcedId",
        refers={"parentSourcedId": ORG},
        values={"type": ORG_TYPES},
    ),
    "users.csv": File(
        "sourcedId username",
        more="givenName familyName password activeDirectoryMatchId email phone sms userNumber",
        key="sourcedId",
        values={"phone": PHONE, "sms": PHONE},
    ),
    "roles.csv": File(
        "userSourcedId orgSourcedId role",
        more="sessionSourcedId grade isPrimary roleStartDate roleEndDate",
        key="userSourcedId orgSourcedId role grade",
        refers={"userSourcedId": USER, "orgSourcedId": ORG, "sessionSourcedId": SESSION},
        values={"role": ROLES, "grade": GRADES, "isPrimary": BOOLEAN, "roleStartDate": DATE, "roleEndDate": DATE},
    ),
    "classes.csv": File(
        "sourcedId orgSourcedId title",
        more="sessionSourcedIds courseSourcedId code",
        key="sourcedId",
        lists="sessionSourcedIds",
        refers={"orgSourcedId": ORG, "sessionSourcedIds": SESSION, "courseSourcedId": "courses.csv sourcedId"},
    ),
    "enrollments.csv": File(
        "classSourcedId userSourcedId role",
        key="classSourcedId userSourcedId role",
        refers={"classSourcedId": "classes.csv sourcedId", "userSourcedId": USER},
        values={"role": ROLES},
    ),
    "academicSessions.csv": File(
        "sourcedId title type schoolYear startDate endDate",
        key="sourcedId",
        values={"type": SESSIONS, "startDate": DATE, "endDate": DATE},
    ),
    "courses.csv": File(
        "sourcedId orgSourcedId title",
        more="code schoolYearSourcedId subject grade",
        key="sourcedId",
        refers={"orgSourcedId": ORG, "schoolYearSourcedId": SESSION},
        values={"grade": GRADES},
    ),
    "demographics.csv": File(
        "userSourcedId",
        more="sex birthDate birthCity birthState birthCountry ethnicityCodes raceCodes",
        key="userSourcedId",
        lists="ethnicityCodes raceCodes",
        refers={"userSourcedId": USER},
        values={"sex": SEXES, "birthDate": DATE, "ethnicityCodes": RACES, "raceCodes": RACES},
    ),
    "userFlags.csv": File("userSourcedId flag", key="userSourcedId flag", refers={"userSourcedId": USER}),
    "relationships.csv": File(
        "userSourcedId relationshipUserSourcedId relationshipRole",
        key="userSourcedId relationshipUserSourcedId relationshipRole",
        refers={"userSourcedId": USER, "relationshipUserSourcedId": USER},
        values={"relationshipRole": RELATIONS},
    ),
}


def faults(files: Mapping[str, bytes]) -> list[str]:
    """Return all that is wrong with a package, whose files are given by their names in the zip."""
    managed = TOGETHER if files.keys() & TOGETHER.split() else ""
    tables, common = common_faults(files, LAYOUT, lambda _text: rfc_4180(lines))
    return [*missing(files, f"{REQUIRED} {managed}"), *common, *nameless_contacts(tables), *no_students(tables)]


def lines(record: Record) -> Iterator[str]:
    """Yield what is wrong with line breaks: RFC 4180 has CRLF at the end of a record, SDS none in a value."""
    if record.end == "\n":
        yield "the end of the line is not CRLF"
    if any("\n" in cell or "\r" in cell for cell in record.cells):
        yield "a value has a line break"


def nameless_contacts(tables: Tables) -> Iterator[str]:
    """Yield the users who are somebody's contacts and lack a name or an e-mail address."""
    if "relationships.csv" in tables and "users.csv" in tables:
        contacts = {row["relationshipUserSourcedId"] for row in tables["relationships.csv"].rows}
        users = tables["users.csv"]
        for row in users.rows:
            if row["sourcedId"] in contacts:
                blank = [column for column in ("givenName", "familyName", "email") if not row[column].strip()]
                yield from (users.at(row, f"{column} of a contact is blank") for column in blank)


def no_students(tables: Tables) -> Iterator[str]:
    """Yield the relationships of whom is not a student: they are the student's, and those that point back are not."""
    if "relationships.csv" in tables and "roles.csv" in tables:
        students = {row["userSourcedId"] for row in tables["roles.csv"].rows if row["role"].casefold() == "student"}
        table = tables["relationships.csv"]
        for row in table.rows:
            if row["userSourcedId"] not in students:
                yield table.at(row, "userSourcedId has no role student in roles.csv")
