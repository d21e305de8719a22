"""Headers understood, and records as columns."""

import pytest
from reading_files import ENROLLMENTS, ORGS, codes, csv_of, live_of, read_bytes, scan_bytes, told

from ingestd.core.columns import TEXT
from ingestd.core.header import understand_header
from ingestd.core.model import Severity
from ingestd.core.read import read
from ingestd.core.records import LINE_LIMIT
from schemas import load

HEADER = ORGS.header


def test_standard_header() -> None:
    """The standard's own header needs no word."""
    assert understand_header(ORGS, HEADER).batches == ()


def test_names_are_repaired() -> None:
    """Another case and blanks around a name are repaired and told."""
    header = understand_header(ORGS, ("SourcedID", " status", *HEADER[2:]))
    assert header.names == HEADER
    assert told(header.batches) == [("header-case", "sourcedId", (1,)), ("header-case", "status", (1,))]


def test_order_is_repaired() -> None:
    """Columns are taken by name, and another order is told once."""
    header = understand_header(ORGS, HEADER[::-1])
    assert (header.names, codes(header.batches)) == (HEADER[::-1], ["header-order"])


def test_missing_columns() -> None:
    """A required column that is missing rejects the file, an optional one is a warning; both say which."""
    header = understand_header(ORGS, [name for name in HEADER if name not in ("name", "identifier")])
    assert told(header.batches) == [("missing-column", "name", (1,)), ("missing-optional-column", "identifier", (1,))]
    assert [one.severity for one in header.batches] == [Severity.CATASTROPHIC, Severity.WARNING]


def test_columns_twice() -> None:
    """A column that is there twice rejects the file, also if case alone keeps them apart."""
    header = understand_header(ORGS, (*HEADER, "Name", "metadata.a", "metadata.A"))
    assert [one[:2] for one in told(header.batches)][:2] == [
        ("duplicate-column", "name"),
        ("duplicate-column", "metadata.a"),
    ]


def test_unknown_columns() -> None:
    """Columns that the standard does not name are told and not read; one without a name is told by its position."""
    header = understand_header(ORGS, (*HEADER, "ext_x", "", ""))
    assert header.names == (*HEADER, None, None, None)
    assert [(one.code, one.column) for one in header.batches] == [
        ("unknown-column", "ext_x"), ("unknown-column", "#9"), ("unknown-column", "#10"),
    ]  # fmt: skip


def test_unknown_column_cannot_act_on_a_terminal() -> None:
    """A name is told short and printable."""
    header = understand_header(ORGS, (*HEADER, "\x1b[2J" + "x" * 500))
    assert header.batches[0].column == ("\\x1b[2J" + "x" * 500)[:80]


def test_metadata_columns() -> None:
    """The vendor's own columns are read and need no word."""
    header = understand_header(ORGS, (*HEADER, "metadata.b", "metadata.a"))
    assert (header.metadata, header.batches) == (("metadata.b", "metadata.a"), ())


def test_record_in_the_header_s_place_is_not_told() -> None:
    """A first line without any of the standard's names is a record: one finding, and no word of what is in it."""
    header = understand_header(ORGS, ("o-1", "", "", "Springfield", "school", "17", ""))
    assert codes(header.batches) == ["missing-header"]
    assert "Springfield" not in header.batches[0].message


@pytest.mark.parametrize(
    ("table", "given", "meant"),
    [
        ("enrollments", "class", "classSourcedId"),
        ("enrollments", "user", "userSourcedId"),
        ("enrollments", "school", "schoolSourcedId"),
        ("classes", "terms", "termSourcedIds"),
        ("classes", "termSourcedId", "termSourcedIds"),
        ("classes", "course", "courseSourcedId"),
        ("classes", "grade", "grades"),
        ("users", "orgs", "orgSourcedIds"),
        ("users", "userId", "userIds"),
        ("users", "agents", "agentSourcedIds"),
        ("users", "dateModified", "dateLastModified"),
        ("users", "orgSourceIds", "orgSourcedIds"),
        ("courses", "schoolYearId", "schoolYearSourcedId"),
        ("demographics", "userSourcedId", "sourcedId"),
        ("orgs", "parent", "parentSourcedId"),
    ],
)
def test_hint(table: str, given: str, meant: str) -> None:
    """Names of REST, of 1.0 and of the wild are recognised in a hint, never silently."""
    binding = load("1.1")[table]
    header = understand_header(binding, [given if name == meant else name for name in binding.header])
    assert [one.message for one in header.batches if one.column == meant and given in one.message]
    assert given not in [name for name in header.names if name]


def test_frame() -> None:
    """Every cell is a string; columns are the table's in their order, then metadata; what is missing is blank."""
    frame = read_bytes(csv_of("x,NA,o-1,007,", header="metadata.m,name,sourcedId,identifier,unknown"))
    assert list(frame.columns) == [*HEADER, "metadata.m"]
    assert set(frame.dtypes) == {TEXT}
    assert frame.iloc[0].to_dict() == {
        **dict.fromkeys(HEADER, ""), "sourcedId": "o-1", "name": "NA", "identifier": "007", "metadata.m": "x",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["NA", "null", "NULL", "None", "nan", "1e5", "007", "true", "", " ", "#N/A", "-inf"])
def test_nothing_is_guessed(word: str) -> None:
    """No word is a missing value and no numeral a number."""
    frame = read_bytes(csv_of(f"o-1,{word},school", f'o-2,"{word}",school'))
    assert frame["name"].tolist() == [word, word]


def test_quoted_cells() -> None:
    """Quotes are taken off, doubled ones become one, commas inside stay."""
    frame = read_bytes(csv_of('"o-1","a, ""b""",school'))
    assert frame["name"].tolist() == ['a, "b"']


def test_byte_order_mark_in_a_record() -> None:
    """A mark before the first new record is a part of its id, and not passed over as one of the file."""
    assert read_bytes(csv_of("\ufeffo-1,A,school"))["sourcedId"].tolist() == ["\ufeffo-1"]


def test_longest_record() -> None:
    """A record as long as a line may be is read, behind any others."""
    cells = ["x" * 60_000] * 17
    names = [f"metadata.m{i}" for i in range(17)]
    longest = ",".join(["o-2", *cells])
    longest += "x" * 5_000
    assert len(longest) <= LINE_LIMIT
    frame = read_bytes(csv_of("o-1" + "," * 17, longest, "o-3" + "," * 17, header=["sourcedId", *names]))
    assert frame["metadata.m16"].str.len().tolist() == [0, 65_000, 0]


def test_nothing_new() -> None:
    """Where everything is known the frame has its columns and no rows."""
    data = csv_of("o-1,A,x", header="sourcedId,name,metadata.m")
    scanned = scan_bytes(data, live_of(scan_bytes(data)))
    frame = read(scanned, understand_header(ORGS, scanned.header), ORGS)
    assert (len(frame), list(frame.columns), set(frame.dtypes)) == (0, [*HEADER, "metadata.m"], {TEXT})


def test_rows_stand_by_their_lines() -> None:
    """Rows of the frame and lines of the scan go together when some records are refused."""
    scanned = scan_bytes(csv_of("o-1,A,school", "o-2", "", "o-4,D,school"))
    frame = read(scanned, understand_header(ORGS, scanned.header), ORGS)
    assert list(zip(frame["sourcedId"], scanned.lines.tolist(), strict=True)) == [("o-1", 2), ("o-4", 5)]


def test_table_that_refers() -> None:
    """Any table is read in the same way."""
    frame = read_bytes(csv_of("e-1,c-1", header="sourcedId,classSourcedId"), ENROLLMENTS)
    assert frame["classSourcedId"].tolist() == ["c-1"]
