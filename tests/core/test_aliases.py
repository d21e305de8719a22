"""Files and columns under the names that the feed's SIS has for them."""

import pytest
from reading_files import ORGS, codes, csv_of, told

from ingestd.core.aliases import Aliases
from ingestd.core.findings import strict
from ingestd.core.header import understand_header
from ingestd.core.layout import Layout, arrange
from ingestd.core.model import Severity
from ingestd.core.scan import Live, scan
from schemas import load

HEADER = ORGS.header
COLUMNS = Aliases(columns={"orgs": {"school name": "name", "title": "name", "org id": "sourcedId", "school": "type"}})
FILES = Aliases(files={"organizations": "orgs", "schools": "orgs", "sections": "classes"})
PLAIN = ("manifest.csv", "users.csv")


def written(**others: str) -> tuple[str, ...]:
    """Return the standard's header of orgs, some columns under other names."""
    return tuple(others.get(name, name) for name in HEADER)


def arranged(*names: str) -> Layout:
    """Return the layout of a package of these files beside those that every one has."""
    return arrange((*PLAIN, *names), FILES)


# Columns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["School Name", "SCHOOL NAME", " school name "])
def test_a_column_under_another_name_is_read_and_told(given: str) -> None:
    """In any case, and with blanks around it; the finding says both names, and is information."""
    header = understand_header(ORGS, written(name=given), COLUMNS)
    assert (header.names, told(header.batches)) == (HEADER, [("header-alias", "name", (1,))])
    assert given.strip() in header.batches[0].message
    assert header.batches[0].severity is Severity.INFO


def test_other_names_are_of_their_table_alone() -> None:
    """What orgs call so is unknown in courses."""
    courses = load("1.1")["courses"]
    header = understand_header(courses, (*courses.header, "School Name"), COLUMNS)
    assert told(header.batches) == [("unknown-column", "School Name", (1,))]


def test_strictness_refuses_other_names() -> None:
    """As it does any repair."""
    (found,) = strict(understand_header(ORGS, written(name="Title"), COLUMNS).batches, ["header-alias"])
    assert found.severity is Severity.ERROR


def test_the_standard_s_own_name_comes_first() -> None:
    """Where it stands there, too, in whatever case, the other one is a column that is not read."""
    header = understand_header(ORGS, (*written(name="NAME"), "Title"), COLUMNS)
    assert header.names == (*HEADER, None)
    assert [(one.code, one.column) for one in header.batches] == [("header-case", "name"), ("unknown-column", "Title")]


def test_two_other_names_of_one_column_are_refused() -> None:
    """Nobody can say which is meant."""
    header = understand_header(ORGS, (*written(name="Title"), "School Name"), COLUMNS)
    assert ("duplicate-column", "name") in [(one.code, one.column) for one in header.batches]
    assert header.batches[0].severity is Severity.CATASTROPHIC


def test_what_the_sis_says_comes_before_what_is_known_of_others() -> None:
    """`dateModified` is a misspelling that many make; the SIS that has a name of its own knows better."""
    aliases = Aliases(columns={"orgs": {"changed": "dateLastModified"}})
    header = understand_header(ORGS, (*written(dateLastModified="Changed"), "dateModified"), aliases)
    assert header.names == (*HEADER, None)


def test_a_header_of_other_names_alone_is_a_header() -> None:
    """It is not taken for a record."""
    header = understand_header(ORGS, ("Org ID", "Title", "School"), COLUMNS)
    assert header.names == ("sourcedId", "name", "type")
    assert "missing-header" not in codes(header.batches)


def test_another_name_may_mean_the_column_of_another_version() -> None:
    """1.0 calls `grade` what is `grades` later: either name is understood in either version."""
    aliases = Aliases(columns={"classes": {"year": "grades"}})
    for version in ("1.0", "1.1"):
        table = load(version)["classes"]
        given = ["Year" if column.name == "grades" else column.header for column in table.columns]
        assert understand_header(table, given, aliases).names == table.header


def test_a_broken_record_is_known_by_its_id_under_another_name() -> None:
    """Its last good version stays, and absence of others still says something."""
    data = csv_of("o-1,A,school", "o-2,B", header="Org ID,Title,School")
    found = scan("orgs.csv", [data], Live(), 1, meaning=lambda names: COLUMNS.header("orgs", names))
    assert (found.broken, found.unidentified) == (("o-2",), 0)


def test_the_id_of_a_broken_record_is_not_looked_for_in_the_wrong_column() -> None:
    """Where sourcedId stands further on, another name of it in the first column is just a column."""
    data = csv_of("x,A,o-1", "y,o-2", header="Org ID,name,sourcedId")
    found = scan("orgs.csv", [data], Live(), 1, meaning=lambda names: COLUMNS.header("orgs", names))
    assert (found.broken, found.unidentified) == ((), 1)


# Files --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["Organizations.csv", "ORGANIZATIONS.CSV", "schools.csv"])
def test_a_file_under_another_name_is_read_and_told(given: str) -> None:
    """In any case; the finding says both names, and is information that strictness refuses."""
    layout = arranged(given)
    assert layout.files["orgs.csv"] == given
    assert "orgs.csv" in layout.names
    (found,) = layout.batches
    assert (found.code, found.file, found.severity) == ("file-alias", "orgs.csv", Severity.INFO)
    assert found.message == f"{given} was read as orgs.csv"
    assert strict([found], ["file-alias"], Severity.CATASTROPHIC)[0].severity is Severity.CATASTROPHIC


def test_a_file_under_another_name_in_a_folder() -> None:
    """One folder around all files is looked into first."""
    layout = arrange([f"export/{name}" for name in (*PLAIN, "Sections.csv")], FILES)
    assert layout.files["classes.csv"] == "export/Sections.csv"
    assert codes(layout.batches) == ["enclosing-folder", "file-alias"]


def test_the_standard_s_own_file_comes_first() -> None:
    """Where it is there, too, in whatever case, the other one is a file that is not read."""
    layout = arranged("Orgs.csv", "Organizations.csv")
    assert layout.files["orgs.csv"] == "Orgs.csv"
    assert codes(layout.batches) == ["file-name-case", "ignored-file"]


def test_two_other_names_of_one_file_are_refused() -> None:
    """Nobody can say which is meant."""
    (found,) = arranged("Organizations.csv", "schools.csv").batches
    assert (found.code, found.severity) == ("duplicate-file", Severity.CATASTROPHIC)
    assert "Organizations.csv or schools.csv" in found.message


@pytest.mark.parametrize("given", ["Organizations", "Organizations.txt", "Organizations.csv.bak", ".csv"])
def test_what_is_no_csv_is_no_file_under_another_name(given: str) -> None:
    """Another name is that of a CSV file."""
    assert codes(arranged(given).batches) == ["ignored-file"]


def test_without_a_word_of_the_sis_no_other_name_is_known() -> None:
    """It is a file that is not read."""
    assert codes(arrange([*PLAIN, "Organizations.csv"]).batches) == ["ignored-file"]
