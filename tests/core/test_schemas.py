"""The models against the table of the bindings, and every check by a value that fails it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from binding import BINDING, FILES, BindingColumn, BindingFile, Need
from pandera.errors import SchemaErrors

import schemas
from schemas.cells import cells_of
from schemas.table import Column, Table

GOOD_AND_BAD = [
    ("users", "sourcedId", "required-value", ["a"], [""]),
    ("users", "givenName", "required-value", ["Ørn", " "], [""]),
    ("users", "sourcedId", "invalid-guid", ["a", "A-9._/@", "x" * 255], ["a b", "é", "x" * 256, "a,b", "a\n", "{a}"]),
    ("enrollments", "classSourcedId", "invalid-guid", ["c-1", ""], ["c 1"]),
    ("users", "agentSourcedIds", "invalid-guid", ["a", "a,b,c", ""], ["a,", ",a", "a,,b", "a, b", "a;b", "x" * 256]),
    ("roles", "role", "invalid-enum", ["aide", ""], ["Aide", "aide ", "boss", "aide,proctor"]),
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
        [
            *("2026-08-20", "2026-08-20 18:25:43", "2026-08-20T18:25:43", "2026-08-20T18:25:43+02:00"),
            *("2026-02-30T18:25:43Z", "2026-08-20T24:00:00Z", "2026-08-20T18:60:00Z", "2026-13-20T18:25:43Z"),
        ],
    ),
    ("academicSessions", "schoolYear", "invalid-year", ["2027", ""], ["2026-2027", "27", "20270"]),
    ("categories", "weight", "invalid-integer", ["80", "0", "-1", ""], ["80%", "8.0", "08", "1e2", "+1"]),
    (
        "results",
        "score",
        "invalid-number",
        ["80", "8.5", "-.5", "7.", "1e2", "1E-2", ""],
        ["A", "1,5", ".", "1e", "8 "],
    ),
    (
        "scoreScales",
        "scoreScaleValue",
        "invalid-score-scale",
        ["{Pass:50}", "{A+:100},{A:94},{60-69:B}", ""],
        ["A:90", "{A}", "{A:90},", "{A:90};{B:80}", "{:90}", "{A:{B:80}}"],
    ),
    (
        "users",
        "userIds",
        "invalid-user-ids",
        ["{LDAP:ann}", "{LDAP:a b},{url:x:1@y}", ""],
        ["ann", "LDAP:ann", "{LDAP:}"],
    ),
    (
        "users",
        "email",
        "invalid-email",
        ["ann@springfield.example", "a.b+c@x.y.example", "o'fern@x.example", ""],
        ["ann", "ann@springfield", "@x.example", "a b@x.example", "a@x.example;b@x.example", "ann@x.example."],
    ),
    (
        "users",
        "phone",
        "invalid-phone",
        ["+1 217 555 0123", "(217) 555-0123", "217.555.0123", "2175550123 x12", "555-0123 ext. 9", ""],
        ["none", "555", "call 2175550123", "+1+2175550123", "217-555-01ab"],
    ),
    ("orgs", "type", "invalid-enum", ["school", "ext:camp", "ext:a b"], ["camp", "ext:", "Ext:camp", "ext:a,school"]),
    (
        "resources",
        "roles",
        "invalid-enum",
        ["student", "aide,ext:x,student"],
        ["pupil", "ext:", "student,", "aide, aide"],
    ),
    ("roles", "roleType", "invalid-enum", ["primary", "secondary"], ["ext:primary", "third"]),
]
"""Of the newest version: a table and column, the code of a check, what passes it, and what does not."""


every_file = pytest.mark.parametrize("file", FILES, ids=lambda one: f"{one.version}-{one.name}")


def as_column(one: BindingColumn) -> Column:
    """Return a line of the bindings' table as the schemas tell it."""
    return Column(
        name=one.name,
        type=one.type,
        required=one.required,
        references=one.refers,
        many=one.many,
        values=one.words,
        extensible=one.extensible,
        of_type=one.of_type,
        header=one.header,
        may_lack=one.need is Need.MAY_LACK,
    )


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


def failures_of(table: Table, frame: pd.DataFrame) -> set[tuple[str, str, int]]:
    """Return the column, code and row of each failure, of which schema and columns say the same."""
    found: set[tuple[str, str, int]] = set()
    try:
        table.schema.validate(frame, lazy=True)
    except SchemaErrors as failure:
        cases = failure.failure_cases
        found = set(zip(cases["column"], cases["check"], cases["index"], strict=True))
    asked = [
        (column.name, one, one.holds(cells_of(frame[column.name])))
        for column in table.columns
        for one in column.conditions
    ]
    assert found == {
        (name, one.code, index)
        for name, one, holds in asked
        for index in frame.index[np.flatnonzero(~np.asarray(holds))].tolist()
    }
    return found


def codes_of(table: Table, frame: pd.DataFrame, column: str) -> set[tuple[str, int]]:
    """Return the code and row of each failure in one column."""
    return {(code, row) for name, code, row in failures_of(table, frame) if name == column}


def test_versions_and_tables_are_the_standards() -> None:
    """The schemas have the versions and files of the bindings, and no others."""
    assert {version: set(schemas.NAMES[version]) for version in schemas.VERSIONS} == {
        version: set(files) for version, files in BINDING.items()
    }


@every_file
def test_columns_are_the_standards(file: BindingFile) -> None:
    """Names, order, types, requirements, references and words of each table are those of the binding."""
    want = tuple(as_column(one) for one in file.columns if one.need is not Need.METADATA)
    assert want == schemas.load(file.version)[file.name].columns


@every_file
def test_vocabularies_are_the_standards(file: BindingFile) -> None:
    """Where the standard advises a vocabulary, and only there, a column is checked against it."""
    parts = schemas.load(file.version)[file.name].schema.columns
    checked = {name for name, part in parts.items() if "unknown-grade" in {check.name for check in part.checks}}
    assert checked == {one.name for one in file.columns if one.vocabulary == "ceds"}


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_tables_come_in_order_of_dependence(version: str) -> None:
    """A table comes after all that it refers to."""
    seen: set[str] = set()
    for name, table in schemas.load(version).items():
        seen.add(name)
        assert {column.references for column in table.references()} <= seen
    assert tuple(schemas.load(version)) == schemas.NAMES[version]


@pytest.mark.parametrize(("table", "column", "code", "good", "bad"), GOOD_AND_BAD)
def test_check_finds_bad_values_and_no_others(
    table: str, column: str, code: str, good: list[str], bad: list[str]
) -> None:
    """A check reports, by its finding code, exactly the rows whose value is wrong."""
    values = [*good, *bad]
    one = schemas.load("1.2")[table]
    frame = frame_of(one, len(values), **{column: values})
    found = {row for name, row in codes_of(one, frame, column) if name == code}
    assert set(range(len(good), len(values))) == found


def test_grades_are_of_the_vocabulary_where_there_is_one() -> None:
    """1.1 has the grade levels of CEDS, and lists of them; 1.2 leaves the words to agreement."""
    values = ["KG", "09,10,Other", "", "9", "9th", "09,10th", "kg"]
    found = {version: _unknown_grades(version, values) for version in schemas.VERSIONS}
    assert found == {"1.0": {3, 4, 5, 6}, "1.1": {3, 4, 5, 6}, "1.2": set()}


def _unknown_grades(version: str, values: list[str]) -> set[int]:
    table = schemas.load(version)["classes"]
    found = codes_of(table, frame_of(table, len(values), grades=values), "grades")
    return {row for code, row in found if code == "unknown-grade"}


def test_dates_are_days_of_the_calendar() -> None:
    """Of all days that a year could have, those are dates that the calendar has, leap years as the Gregorian rule."""
    years = ("0001", "1900", "1999", "2000", "2026", "2028", "2100", "2104", "9999")
    days = [f"{y}-{m:02}-{d:02}" for y in years for m in range(1, 13) for d in range(1, 32)]
    table = schemas.load("1.1")["enrollments"]
    found = codes_of(table, frame_of(table, len(days), endDate=days), "endDate")
    assert {("invalid-date", row) for row, day in enumerate(days) if not is_day(day)} == found


@every_file
def test_blank_is_wrong_only_where_a_value_is_required(file: BindingFile) -> None:
    """A record without any value lacks what is required, and is otherwise without fault."""
    table = schemas.load(file.version)[file.name]
    found = failures_of(table, frame_of(table, 1))
    assert found == {(one.name, "required-value", 0) for one in file.columns if one.required}


def test_metadata_survives_compilation() -> None:
    """The compiled schema carries the facts of each column beside its checks."""
    part = schemas.load("1.1")["users"].schema.columns["agentSourcedIds"]
    assert part.metadata | {"conditions": ()} == {
        "type": "guid_ref_list",
        "required": False,
        "references": "users",
        "many": True,
        "values": (),
        "extensible": False,
        "of_type": None,
        "header": None,
        "may_lack": False,
        "conditions": (),
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
    tables = [table for version in schemas.VERSIONS for table in schemas.load(version).values()]
    for table in tables:
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
    with pytest.raises(KeyError, match=r"OneRoster 2\.0 is not among 1\.0, 1\.1, 1\.2"):
        schemas.load("2.0")


def test_tables_are_loaded_once() -> None:
    """Loading a version again gives the same compiled tables."""
    assert schemas.load("1.1") is schemas.load("1.1")


# Rules between the cells of a record ------------------------------------------------------------------------------

URN = "urn:uuid:12345678-1234-1234-1234-123456789abc"
RULES = [
    ("academicSessions", "end-before-begin", "endDate", {"startDate": "2026-08-20", "endDate": "2026-08-20"}),
    ("enrollments", "end-before-begin", "endDate", {"beginDate": "2026-08-20", "endDate": "2025-08-21"}),
    ("roles", "end-before-begin", "endDate", {"beginDate": "2026-08-20", "endDate": "2026-08-19"}),
    ("courses", "subjects-unpaired", "subjectCodes", {"subjects": "Art,Music", "subjectCodes": "1"}),
    ("classes", "subjects-unpaired", "subjectCodes", {"subjects": "Art", "subjectCodes": "1,2"}),
    ("enrollments", "primary-not-teacher", "primary", {"role": "student", "primary": "true"}),
    (
        "lineItemLearningObjectiveIds",
        "not-a-case-uri",
        "learningObjectiveId",
        {"source": "case", "learningObjectiveId": URN[:-1]},
    ),
    ("resultLearningObjectiveIds", "not-a-case-uri", "learningObjectiveId", {"source": "case"}),
]
KEPT = [
    ("academicSessions", {"startDate": "2026-08-20", "endDate": "2026-08-21"}),
    ("academicSessions", {"startDate": "2026-08-20", "endDate": ""}),
    ("enrollments", {"beginDate": "", "endDate": "2026-08-20"}),
    ("enrollments", {"beginDate": "2026-08-20", "endDate": "1 May"}),
    ("enrollments", {"role": "teacher", "primary": "true"}),
    ("enrollments", {"role": "student", "primary": "false"}),
    ("enrollments", {"role": "", "primary": "true"}),
    ("courses", {"subjects": "Art,Music", "subjectCodes": "1,2"}),
    ("courses", {"subjects": "Art,Music", "subjectCodes": ""}),
    ("lineItemLearningObjectiveIds", {"source": "case", "learningObjectiveId": URN}),
    ("resultLearningObjectiveIds", {"source": "unknown", "learningObjectiveId": "reading"}),
]


def broken_rules(table: Table, cells: dict[str, str]) -> list[tuple[str, str]]:
    """Return the code and column of each rule that a record breaks which stands between two blank ones."""
    frame = frame_of(table, 3, **{name: ["", cell, ""] for name, cell in cells.items()})
    found = [
        (rule, [row for row, broken in enumerate(rule.breaks(frame).to_pylist()) if broken]) for rule in table.rules
    ]
    assert all(rows in ([], [1]) for _, rows in found)
    return [(rule.code, rule.column) for rule, rows in found if rows]


@pytest.mark.parametrize(("table", "code", "column", "cells"), RULES)
def test_a_rule_finds_the_record_that_breaks_it(table: str, code: str, column: str, cells: dict[str, str]) -> None:
    """What two cells of a record should not be together is told of it alone, with the column to look at."""
    assert broken_rules(schemas.load("1.2")[table], cells) == [(code, column)]


@pytest.mark.parametrize(("table", "cells"), KEPT)
def test_a_rule_lets_others_be(table: str, cells: dict[str, str]) -> None:
    """What is in order breaks no rule, nor does a blank, nor what is wrong in itself."""
    assert broken_rules(schemas.load("1.2")[table], cells) == []


# All versions together --------------------------------------------------------------------------------------------


def test_a_shape_has_the_columns_of_all_versions() -> None:
    """What is kept of a table is what any version has of it, each column once, under its kept name."""
    for name, shape in schemas.shapes().items():
        versions = [schemas.load(version)[name] for version in schemas.VERSIONS if name in schemas.NAMES[version]]
        assert set(shape.header) == {column for table in versions for column in table.header}
        assert len(set(shape.header)) == len(shape.header)
    assert tuple(schemas.shapes()) == schemas.NAMES["1.2"]


def test_a_column_refers_to_one_table_in_all_versions() -> None:
    """A reference leads to the same table, and is a list or is none, whichever version it came by."""
    for name, shape in schemas.shapes().items():
        versions = [schemas.load(version)[name] for version in schemas.VERSIONS if name in schemas.NAMES[version]]
        told = {(one.name, one.references, one.many) for table in versions for one in table.references()}
        assert {(one.name, one.references, one.many) for one in shape.references()} == told


def test_a_column_is_told_by_its_name_in_the_file() -> None:
    """1.0 has other names for some columns; a vendor's own keeps its name."""
    users = schemas.load("1.0")["users"]
    assert (users.told("agentSourcedIds"), users.told("username")) == ("agents", "username")
    assert users.told("metadata.x") == "metadata.x"
