"""The models of OneRoster 1.1 against the standard's table of columns, and every check by a value that fails it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaErrors

import schemas
from schemas.table import Column, Table

# What the binding says: column, `!` required or `?` not, data type, `->` the table referred to, `:` the words allowed.
SPEC = {
    "orgs": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        name ! string
        type ! enum : department school district local state national
        identifier ? string
        parentSourcedId ? guid_ref -> orgs
    """,
    "academicSessions": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        title ! string
        type ! enum : gradingPeriod semester schoolYear term
        startDate ! date
        endDate ! date
        parentSourcedId ? guid_ref -> academicSessions
        schoolYear ! year
    """,
    "courses": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        schoolYearSourcedId ? guid_ref -> academicSessions
        title ! string
        courseCode ? string
        grades ? string_list
        orgSourcedId ! guid_ref -> orgs
        subjects ? string_list
        subjectCodes ? string_list
    """,
    "classes": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        title ! string
        grades ? string_list
        courseSourcedId ! guid_ref -> courses
        classCode ? string
        classType ! enum : homeroom scheduled
        location ? string
        schoolSourcedId ! guid_ref -> orgs
        termSourcedIds ! guid_ref_list -> academicSessions
        subjects ? string_list
        subjectCodes ? string_list
        periods ? string_list
    """,
    "users": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        enabledUser ! boolean : true false
        orgSourcedIds ! guid_ref_list -> orgs
        role ! enum : administrator aide guardian parent proctor relative student teacher
        username ! string
        userIds ? userid_list
        givenName ! string
        familyName ! string
        middleName ? string
        identifier ? string
        email ? string
        sms ? string
        phone ? string
        agentSourcedIds ? guid_ref_list -> users
        grades ? string_list
        password ? string
    """,
    "enrollments": """
        sourcedId ! guid
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        classSourcedId ! guid_ref -> classes
        schoolSourcedId ! guid_ref -> orgs
        userSourcedId ! guid_ref -> users
        role ! enum : administrator proctor student teacher
        primary ? boolean : true false
        beginDate ? date
        endDate ? date
    """,
    "demographics": """
        sourcedId ! guid -> users
        status ? enum : active tobedeleted
        dateLastModified ? datetime
        birthDate ? date
        sex ? enum : male female
        americanIndianOrAlaskaNative ? boolean : true false
        asian ? boolean : true false
        blackOrAfricanAmerican ? boolean : true false
        nativeHawaiianOrOtherPacificIslander ? boolean : true false
        white ? boolean : true false
        demographicRaceTwoOrMoreRaces ? boolean : true false
        hispanicOrLatinoEthnicity ? boolean : true false
        countryOfBirthCode ? string
        stateOfBirthAbbreviation ? string
        cityOfBirth ? string
        publicSchoolResidenceStatus ? string
    """,
}

MANIFEST = (
    "academicSessions categories classes classResources courses courseResources demographics enrollments lineItems "
    "orgs resources results users"
)

GOOD_AND_BAD = [
    ("users", "sourcedId", "required-value", ["a"], [""]),
    ("users", "givenName", "required-value", ["Ørn", " "], [""]),
    ("users", "sourcedId", "invalid-guid", ["a", "A-9._/@", "x" * 255], ["a b", "é", "x" * 256, "a,b", "a\n", "{a}"]),
    ("enrollments", "classSourcedId", "invalid-guid", ["c-1", ""], ["c 1"]),
    ("users", "orgSourcedIds", "invalid-guid", ["a", "a,b,c", ""], ["a,", ",a", "a,,b", "a, b", "a;b", "x" * 256]),
    ("users", "role", "invalid-enum", ["aide", ""], ["Aide", "aide ", "boss", "aide,proctor"]),
    ("orgs", "status", "invalid-enum", ["active", "tobedeleted", ""], ["inactive"]),
    ("users", "enabledUser", "invalid-boolean", ["true", "false", ""], ["TRUE", "1", "yes"]),
    (
        "enrollments",
        "beginDate",
        "invalid-date",
        ["2026-08-20", "2026-12-31", "2028-02-29", "2000-02-29", "2026-02-28", ""],
        [
            *("2026-02-30", "2026-13-01", "2026-00-10", "2026-08-00", "0000-01-01", "2026-08-20T00:00:00Z"),
            *("8/20/2026", "2026-8-20", "20260820", " 2026-08-20", "2026-08-20\n", "\u0662\u0660\u0662\u0666-08-20"),
        ],
    ),
    (
        "orgs",
        "dateLastModified",
        "invalid-datetime",
        ["2026-08-20T18:25:43.511Z", "2026-08-20T18:25:43Z", "2026-08-20T18:25:43+00:00", ""],
        ["2026-08-20", "2026-08-20 18:25:43", "2026-08-20T18:25:43", "2026-08-20T18:25:43+02:00"],
    ),
    ("academicSessions", "schoolYear", "invalid-year", ["2027", ""], ["2026-2027", "27", "20270"]),
]


def as_column(line: str) -> Column:
    """Read a line of SPEC."""
    facts, _, words = line.partition(" : ")
    left, _, table = facts.partition(" -> ")
    name, required, type_ = left.split()
    return Column(name, type_, required == "!", table or None, type_.endswith("_list"), tuple(words.split()))


def frame_of(table: Table, rows: int, **values: list[str]) -> pd.DataFrame:
    """Make a frame of the table that is blank but for `values`."""
    return pd.DataFrame({column: values.get(column, [""] * rows) for column in table.header}, dtype="str")


def is_day(day: str) -> bool:
    """Tell whether the calendar has the day."""
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def codes_of(table: Table, frame: pd.DataFrame, column: str) -> set[tuple[str, int]]:
    """Return the code and row of each failure in one column."""
    try:
        table.schema.validate(frame, lazy=True)
    except SchemaErrors as failure:
        cases = failure.failure_cases
        cases = cases[cases["column"] == column]
        return set(zip(cases["check"], cases["index"], strict=True))
    return set()


@pytest.mark.parametrize("name", SPEC)
def test_columns_are_the_standards(name: str) -> None:
    """Names, order, types, requirements, references and words of each table are those of the binding."""
    want = tuple(as_column(line.strip()) for line in SPEC[name].strip().splitlines())
    assert want == schemas.load("1.1")[name].columns


def test_tables_come_in_order_of_dependence() -> None:
    """A table comes after all that it refers to."""
    seen: set[str] = set()
    for name, table in schemas.load("1.1").items():
        seen.add(name)
        assert {column.references for column in table.references()} <= seen
    assert seen == set(SPEC)


@pytest.mark.parametrize(("table", "column", "code", "good", "bad"), GOOD_AND_BAD)
def test_check_finds_bad_values_and_no_others(
    table: str, column: str, code: str, good: list[str], bad: list[str]
) -> None:
    """A check reports, by its finding code, exactly the rows whose value is wrong."""
    values = [*good, *bad]
    one = schemas.load("1.1")[table]
    frame = frame_of(one, len(values), **{column: values})
    found = {row for name, row in codes_of(one, frame, column) if name == code}
    assert set(range(len(good), len(values))) == found


def test_dates_are_days_of_the_calendar() -> None:
    """Of all days that a year could have, those are dates that the calendar has, leap years as the Gregorian rule."""
    years = ("0001", "1900", "1999", "2000", "2026", "2028", "2100", "2104", "9999")
    days = [f"{y}-{m:02}-{d:02}" for y in years for m in range(1, 13) for d in range(1, 32)]
    table = schemas.load("1.1")["enrollments"]
    found = codes_of(table, frame_of(table, len(days), endDate=days), "endDate")
    assert {("invalid-date", row) for row, day in enumerate(days) if not is_day(day)} == found


@pytest.mark.parametrize("name", SPEC)
def test_blank_is_wrong_only_where_a_value_is_required(name: str) -> None:
    """A record without any value lacks what is required, and is otherwise without fault."""
    table = schemas.load("1.1")[name]
    blank = frame_of(table, 1)
    found = {column.name: codes_of(table, blank, column.name) for column in table.columns}
    assert found == {c.name: {("required-value", 0)} if c.required else set() for c in table.columns}


def test_metadata_survives_compilation() -> None:
    """The compiled schema carries the facts of each column beside its checks."""
    part = schemas.load("1.1")["users"].schema.columns["agentSourcedIds"]
    assert part.metadata == {
        "type": "guid_ref_list",
        "required": False,
        "references": "users",
        "many": True,
        "values": (),
    }
    assert [check.name for check in part.checks] == [check.error for check in part.checks] == ["invalid-guid"]


def test_other_columns_are_let_be() -> None:
    """A column of the vendor's own is no failure."""
    table = schemas.load("1.1")["orgs"]
    frame = frame_of(table, 1, sourcedId=["a"], name=["A"], type=["school"]).assign(**{"metadata.x": "1"})
    assert table.schema.validate(frame, lazy=True).columns.tolist() == [*table.header, "metadata.x"]


def test_rows_are_told_by_index() -> None:
    """A failure names the row by the frame's index, whatever it is, also in a frame put together from parts."""
    table = schemas.load("1.1")["orgs"]
    parts = [frame_of(table, 2, sourcedId=["a", "?"]).set_axis(np.array(ends), axis=0) for ends in ([7, 3], [40, 12])]
    found = codes_of(table, pd.concat(parts), "sourcedId")
    assert {("invalid-guid", 3), ("invalid-guid", 12)} == found


def test_an_empty_frame_is_valid() -> None:
    """A table without records has nothing to find fault with."""
    for table in schemas.load("1.1").values():
        assert len(table.schema.validate(frame_of(table, 0), lazy=True)) == 0


def test_table_knows_its_file_and_columns() -> None:
    """A table gives its file, a column by name, and says so when there is none."""
    table = schemas.load("1.1")["academicSessions"]
    assert table.file == "academicSessions.csv"
    assert table.column("schoolYear").type == "year"
    with pytest.raises(KeyError, match=r"academicSessions\.csv has no column year"):
        table.column("year")


def test_unknown_version_is_named() -> None:
    """A version that is not here is refused by name, with those that are."""
    with pytest.raises(KeyError, match=r"OneRoster 2\.0 is not among 1\.1"):
        schemas.load("2.0")


def test_tables_are_loaded_once() -> None:
    """Loading a version again gives the same compiled tables."""
    assert schemas.load("1.1") is schemas.load("1.1")


def test_manifest_names_thirteen_tables() -> None:
    """The manifest of 1.1 speaks of thirteen tables, the seven of rostering among them."""
    assert tuple(MANIFEST.split()) == schemas.MANIFEST_TABLES["1.1"]
    assert set(SPEC) <= set(schemas.MANIFEST_TABLES["1.1"])
