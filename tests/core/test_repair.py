"""What is unambiguous is mended, and each mend is told."""

import pytest
from reading_files import ORGS, frame_of

from ingestd.core.columns import TEXT
from ingestd.core.findings import CATALOGUE
from ingestd.core.model import Mode
from ingestd.core.repair import repair
from schemas import Table, load

TABLES = load("1.1")


def mended(table: Table, column: str, value: str, mode: Mode = Mode.DELTA) -> tuple[str, list[str]]:
    """Return what becomes of one value that stands below a blank one, and the codes of what was done."""
    frame, done = repair(frame_of(table, {}, {column: value}), table, mode)
    assert frame[column].dtype == TEXT
    assert frame[column].iloc[0] == ""
    assert all((one.column, one.rows.tolist()) == (column, [False, True]) for one in done)
    return frame[column].iloc[1], [one.code for one in done]


@pytest.mark.parametrize(
    ("table", "column", "value", "expected", "code"),
    [
        ("users", "enabledUser", "TRUE", "true", "boolean-case"),
        ("users", "enabledUser", " False ", "false", "boolean-case"),
        ("users", "role", "Student", "student", "enum-case"),
        ("academicSessions", "type", "gradingperiod", "gradingPeriod", "enum-case"),
        ("orgs", "status", "Active", "active", "enum-case"),
        ("orgs", "status", "ToBeDeleted", "tobedeleted", "enum-case"),
        ("orgs", "status", "inactive", "tobedeleted", "inactive-status"),
        ("orgs", "status", " Inactive ", "tobedeleted", "inactive-status"),
        ("academicSessions", "schoolYear", "2026-2027", "2027", "school-year-range"),
        ("academicSessions", "schoolYear", "2026/2027", "2027", "school-year-range"),
        ("academicSessions", "schoolYear", "2026 - 2027", "2027", "school-year-range"),
        ("academicSessions", "schoolYear", "2026-27", "2027", "school-year-range"),
        ("academicSessions", "schoolYear", "1999-2000", "2000", "school-year-range"),
        ("users", "orgSourcedIds", "o-1, o-2", "o-1,o-2", "list-blanks"),
        ("users", "orgSourcedIds", " o-1 ,\to-2\N{NO-BREAK SPACE}", "o-1,o-2", "list-blanks"),
        ("users", "grades", "KG , 01", "KG,01", "list-blanks"),
        ("users", "grades", " ", "", "list-blanks"),
        ("users", "userIds", "{Fed:a b}, {X:1}", "{Fed:a b},{X:1}", "list-blanks"),
        ("users", "password", "secret", "", "password-dropped"),
        ("users", "orgSourcedIds", "o-1;o-2", "o-1,o-2", "list-separator"),
        ("users", "middleName", "NULL", "", "null-word"),
        ("users", "grades", "NULL", "", "null-word"),
        ("users", "middleName", " \N{NO-BREAK SPACE}", "", "blank-cell"),
        ("users", "sourcedId", " u-1\t", "u-1", "surrounding-blanks"),
        ("academicSessions", "schoolYear", " 2027 ", "2027", "surrounding-blanks"),
        ("academicSessions", "startDate", "2026/8/20", "2026-08-20", "date-form"),
        ("academicSessions", "startDate", "2026-8-2", "2026-08-02", "date-form"),
        ("academicSessions", "startDate", "2026-08-20T00:00:00.0000000+00:00", "2026-08-20", "date-form"),
        ("academicSessions", "startDate", "2026-08-20 08:30:00", "2026-08-20", "date-form"),
        ("orgs", "dateLastModified", "2026-08-20", "2026-08-20T00:00:00.000Z", "datetime-form"),
        ("orgs", "dateLastModified", "2026-08-20 18:25:43", "2026-08-20T18:25:43.000Z", "datetime-form"),
        ("orgs", "dateLastModified", "2026-08-20T20:25:43+02:00", "2026-08-20T18:25:43.000Z", "datetime-form"),
        ("orgs", "dateLastModified", "2026/8/20", "2026-08-20T00:00:00Z", "datetime-form"),
    ],
)
def test_mended(table: str, column: str, value: str, expected: str, code: str) -> None:
    """What can mean one thing only is mended, under a code of its own that can be switched to an error."""
    assert mended(TABLES[table], column, value) == (expected, [code])
    assert CATALOGUE[code].switchable or code == "password-dropped"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("users", "enabledUser", "true"),
        ("users", "enabledUser", "1"),
        ("users", "enabledUser", "yes"),
        ("users", "role", "pupil"),
        ("orgs", "name", " Spaces stay "),
        ("orgs", "name", "TRUE, FALSE"),
        ("academicSessions", "schoolYear", "2027"),
        ("academicSessions", "schoolYear", "2026-2028"),
        ("academicSessions", "schoolYear", "2027-2026"),
        ("academicSessions", "schoolYear", "2011-12"),
        ("academicSessions", "schoolYear", "2026-28"),
        ("academicSessions", "schoolYear", "26-27"),
        ("academicSessions", "schoolYear", "٢٠٢٦-٢٠٢٧"),
        ("academicSessions", "startDate", "8/20/2026"),
        ("users", "userIds", "{a:1};{b:2}"),
        ("users", "familyName", "NULL"),
        ("users", "middleName", "Null"),
        ("users", "middleName", "NA"),
        ("academicSessions", "startDate", "20260820"),
        ("academicSessions", "startDate", "2026/8"),
        ("users", "grades", "KG,,01"),
        ("users", "identifier", "a, b"),
    ],
)
def test_left_alone(table: str, column: str, value: str) -> None:
    """What is right, ambiguous, or free text stays as it is."""
    assert mended(TABLES[table], column, value) == (value, [])


@pytest.mark.parametrize(
    ("column", "value", "codes"),
    [
        ("status", "active", ["bulk-status"]),
        ("status", "ACTIVE", ["enum-case", "bulk-status"]),
        ("status", "tobedeleted", ["tobedeleted-in-bulk"]),
        ("status", "inactive", ["inactive-status", "tobedeleted-in-bulk"]),
        ("dateLastModified", "2026-08-20T18:25:43.511Z", ["bulk-date"]),
        ("name", "x", []),
    ],
)
def test_passed_over_in_bulk(column: str, value: str, codes: list[str]) -> None:
    """What a bulk file should leave blank is told, and nothing of it in a delta."""
    assert mended(ORGS, column, value, Mode.BULK)[1] == codes
    assert not {"bulk-status", "bulk-date", "tobedeleted-in-bulk"} & set(mended(ORGS, column, value, Mode.DELTA)[1])


def test_nothing_to_mend() -> None:
    """A frame that is right comes back as it is."""
    frame = frame_of(ORGS, {"sourcedId": "o-1", "name": "A", "type": "school"})
    assert repair(frame, ORGS, Mode.BULK) == (frame, ())


def test_other_columns_are_kept() -> None:
    """Metadata columns pass through."""
    frame = frame_of(ORGS, {"status": "ACTIVE"}).assign(**{"metadata.x": "TRUE"})
    assert repair(frame, ORGS, Mode.DELTA)[0]["metadata.x"].tolist() == ["TRUE"]


def test_no_rows() -> None:
    """An empty frame is mended at once, in every table."""
    assert all(repair(frame_of(table), table, Mode.BULK)[1] == () for table in TABLES.values())
