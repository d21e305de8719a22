"""The validator of packages for Microsoft School Data Sync: a sound one passes, and each rule, broken, is named."""

import os
import zipfile
from pathlib import Path

import pytest
from formats import sds
from formats.breaking import Break, bytes_of, cell, having, more, odd_values, renamed, required, text, without

SAMPLES = os.environ.get("INGESTD_SAMPLES")


def package(**files: str) -> dict[str, str]:
    """Return files by name, their lines ended as RFC 4180 has it."""
    return {f"{name}.csv": text.replace("\n", "\r\n") for name, text in files.items()}


SOUND = package(
    orgs="sourcedId,name,type,parentSourcedId\nS_1,North,school,D.1\nD.1,District,district,\n",
    users="sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms\n"
    "U1,ann,Ann,Lee,,,,+15550100,+15550100\nU2,bo,Bo,Lee,,,bo@s.example,,\n"
    'U3,cy,,,,,,,\nU4,di,"O, ""Di""",Øst,,,,,\n',
    roles="userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\n"
    "U1,S_1,student,Y1,09,true,2026-08-20,2027-06-01\nU1,S_1,student,,10,FALSE,,\nU3,D.1,Teacher,,,,,\n",
    classes='sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId\nK1,S_1,Art,T1,C1\nK2,S_1,Music,"Y1,T1",\n',
    enrollments="classSourcedId,userSourcedId,role\nK1,U1,student\nK1,U3,teacher\n",
    academicSessions="sourcedId,title,type,schoolYear,startDate,endDate\n"
    "Y1,2027,schoolYear,2027,2026-08-20,2027-06-01\nT1,Fall,term,2027,2026-08-20,2026-12-20\n",
    courses="sourcedId,orgSourcedId,title,code,schoolYearSourcedId,subject,grade\nC1,S_1,Art,A1,Y1,05,PS1\n",
    demographics="userSourcedId,sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes\n"
    'U1,female,2012-02-29,,,,asian,white\nU3,,,,,,"hispanicOrLatinoEthnicity,white","asian,white"\n',
    userFlags="userSourcedId,flag\nU1,iep\nU1,504\n",
    relationships="userSourcedId,relationshipUserSourcedId,relationshipRole\nU1,U2,guardian\n",
)
USERS_ONLY = {name: text for name, text in SOUND.items() if name in {"orgs.csv", "users.csv"}} | package(
    roles="userSourcedId,orgSourcedId,role\nU1,S_1,student\n"
)
REQUIRED = {
    "orgs.csv": "sourcedId name type",
    "users.csv": "sourcedId username",
    "roles.csv": "userSourcedId orgSourcedId role",
    "classes.csv": "sourcedId orgSourcedId title",
    "enrollments.csv": "classSourcedId userSourcedId role",
    "academicSessions.csv": "sourcedId title type schoolYear startDate endDate",
    "courses.csv": "sourcedId orgSourcedId title",
    "demographics.csv": "userSourcedId",
    "userFlags.csv": "userSourcedId flag",
    "relationships.csv": "userSourcedId relationshipUserSourcedId relationshipRole",
}
RFC = "the record is not written as RFC 4180 says"
LIST = "of its list of values"
DATE = "a date YYYY-MM-DD"

BROKEN: list[tuple[Break, str]] = [
    *((without(f"{name}.csv"), f"{name}.csv - the file is missing") for name in ("orgs", "users", "roles")),
    (without("enrollments.csv"), "enrollments.csv - the file is missing"),
    (without("classes.csv"), "classes.csv - the file is missing"),
    (without("courses.csv"), "courses.csv - the file is missing, and courseSourcedId of classes.csv refers to it"),
    *(
        (without("academicSessions.csv"), f"academicSessions.csv - the file is missing, and {who} refers to it")
        for who in (
            "sessionSourcedId of roles.csv",
            "sessionSourcedIds of classes.csv",
            "schoolYearSourcedId of courses.csv",
        )
    ),
    (having("Orgs.csv", SOUND["orgs.csv"]), "Orgs.csv - the format has no such file"),
    (having("sds/orgs.csv", SOUND["orgs.csv"]), "sds/orgs.csv - the format has no such file"),
    (text("orgs.csv", "North", "\udcff"), "orgs.csv - the file is not UTF-8"),
    (text("orgs.csv", "sourcedId", "\ufeffsourcedId"), "orgs.csv - the file begins with a byte order mark"),
    (text("orgs.csv", "D.1\r\n", "D.1\n"), "orgs.csv:2 - the end of the line is not CRLF"),
    (text("orgs.csv", "North", '"No\nrth"'), "orgs.csv:2 - a value has a line break"),
    (text("orgs.csv", "North", '"No\r\nrth"'), "orgs.csv:2 - a value has a line break"),
    (text("orgs.csv", "North", "No\rrth"), f"orgs.csv:2 - {RFC}"),
    (text("orgs.csv", "North", 'No"rth'), f"orgs.csv:2 - {RFC}"),
    (text("orgs.csv", "North", '"No\\"rth"'), f"orgs.csv:2 - {RFC}"),
    (text("orgs.csv", "North", '"North'), f"orgs.csv:2 - {RFC}"),
    (text("orgs.csv", "North", '"North" '), f"orgs.csv:2 - {RFC}"),
    (text("orgs.csv", "North", "a,b"), "orgs.csv:2 - the record has another number of cells than the header"),
    (more("orgs.csv", "\r\n"), "orgs.csv:4 - the record has another number of cells than the header"),
    *required(REQUIRED),
    *odd_values(sds.LAYOUT),
    (renamed("orgs.csv", "parentSourcedId", "parentsourcedid"), "orgs.csv:1 - parentsourcedid is no column of"),
    (renamed("users.csv", "sms", "phone"), "users.csv:1 - phone comes twice"),
    (cell("orgs.csv", "name", " "), "orgs.csv:2 - name is blank"),
    *(
        (cell(f"{name}.csv", column, value), f"{name}.csv:2 - {column} is not {LIST}")
        for name, column, value in (
            ("orgs", "type", "High school"),
            ("roles", "role", "aide"),
            ("roles", "grade", "15"),
            ("roles", "grade", "009"),
            ("roles", "grade", '"09,10"'),
            ("enrollments", "role", "proctors"),
            ("academicSessions", "type", "year"),
            ("courses", "grade", "KG1"),
            ("demographics", "sex", "F"),
            ("demographics", "raceCodes", '"asian, white"'),
            ("demographics", "ethnicityCodes", '"asian,latino"'),
            ("relationships", "relationshipRole", "mother"),
        )
    ),
    (cell("roles.csv", "isPrimary", "1"), "roles.csv:2 - isPrimary is not true or false"),
    *(
        (cell("roles.csv", "roleStartDate", value), f"roles.csv:2 - roleStartDate is not {DATE}")
        for value in ("20260820", "2026-8-20", "08/20/2026", "2026-02-30", "2026-08-20T00:00:00Z")
    ),
    (cell("demographics.csv", "birthDate", "2011-02-29"), f"demographics.csv:2 - birthDate is not {DATE}"),
    *(
        (cell("users.csv", "phone", value), "users.csv:2 - phone is not a telephone number of E.164")
        for value in ("15550100", "+1 555 0100", "+05550100", "+1234567890123456", "+1")
    ),
    *(
        (more(f"{name}.csv", row + "\r\n"), f"{name}.csv:{line} - {key} is that of {name}.csv:2")
        for name, row, line, key in (
            ("orgs", "S_1,South,school,", 4, "sourcedId"),
            ("users", "U1,else,,,,,,,", 6, "sourcedId"),
            ("roles", "U1,S_1,STUDENT,T1,9,,,", 5, "userSourcedId, orgSourcedId, role, grade"),
            ("classes", "K1,S_1,Dance,,", 4, "sourcedId"),
            ("enrollments", "K1,U1,student", 4, "classSourcedId, userSourcedId, role"),
            ("academicSessions", "Y1,Year,term,2027,2026-08-20,2027-06-01", 4, "sourcedId"),
            ("courses", "C1,S_1,Dance,,,,", 3, "sourcedId"),
            ("demographics", "U1,,,,,,,", 4, "userSourcedId"),
            ("userFlags", "U1,iep", 4, "userSourcedId, flag"),
            ("relationships", "U1,U2,guardian", 3, "userSourcedId, relationshipUserSourcedId, relationshipRole"),
        )
    ),
    *(
        (cell(f"{name}.csv", column, value), f"{name}.csv:2 - {column} is not a sourcedId of {other}.csv")
        for name, column, value, other in (
            ("orgs", "parentSourcedId", "d.1", "orgs"),
            ("roles", "userSourcedId", "U9", "users"),
            ("roles", "orgSourcedId", "S_9", "orgs"),
            ("roles", "sessionSourcedId", "Y9", "academicSessions"),
            ("classes", "orgSourcedId", "U1", "orgs"),
            ("classes", "sessionSourcedIds", '"T1,T9"', "academicSessions"),
            ("classes", "courseSourcedId", "C9", "courses"),
            ("enrollments", "classSourcedId", "K9", "classes"),
            ("enrollments", "userSourcedId", "u1", "users"),
            ("courses", "orgSourcedId", "S_9", "orgs"),
            ("courses", "schoolYearSourcedId", "Y9", "academicSessions"),
            ("demographics", "userSourcedId", "U9", "users"),
            ("userFlags", "userSourcedId", "U9", "users"),
            ("relationships", "userSourcedId", "U9", "users"),
            ("relationships", "relationshipUserSourcedId", "U9", "users"),
        )
    ),
    *(
        (cell("users.csv", column, "", line=3), f"users.csv:3 - {column} of a contact is blank")
        for column in ("givenName", "familyName", "email")
    ),
    (more("relationships.csv", "U2,U1,guardian\r\n"), "relationships.csv:3 - userSourcedId has no role student in"),
]


def test_a_sound_package_passes() -> None:
    """Nothing is wrong with a package of all files, in which words and booleans are in any case."""
    assert sds.faults(bytes_of(SOUND)) == []


def test_users_alone_are_a_package() -> None:
    """Who manages no classes sends three files; columns without data may be left out."""
    assert sds.faults(bytes_of(USERS_ONLY)) == []


@pytest.mark.skipif(not SAMPLES, reason="INGESTD_SAMPLES does not name the folder of sample drops")
def test_the_sample_of_microsoft_passes() -> None:
    """Nothing is wrong with the package that Microsoft publishes as a sample."""
    with zipfile.ZipFile(Path(SAMPLES or "") / "sds-v2.1.zip") as sample:
        assert sds.faults({name: sample.read(name) for name in sample.namelist()}) == []


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_a_rule_broken_once_is_named(change: Break, fault: str) -> None:
    """The fault says in which file and line which rule is broken."""
    found = sds.faults(bytes_of(change(SOUND)))
    assert [one for one in found if one.startswith(fault)], found
