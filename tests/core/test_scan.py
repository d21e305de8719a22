"""Which records of a file came before, and what becomes of the others."""

from dataclasses import replace

import numpy as np
import pytest
from reading_files import SEED, codes, csv_of, in_pieces, live_of, scan_bytes, told

from ingestd.core.model import Severity
from ingestd.core.records import LINE_LIMIT
from ingestd.core.scan import BLANK, COLUMN_LIMIT, NEW, Live, read_header, scan

GOOD = csv_of("o-1,A,school", "o-2,B,school", "o-3,C,school")


def test_first_scan() -> None:
    """Where nothing is known everything is new, with its bytes, lines and hashes."""
    found = scan_bytes(GOOD)
    assert found.header == ("sourcedId", "name", "type")
    assert found.data == b"o-1,A,school\no-2,B,school\no-3,C,school\n"
    assert (found.lines.tolist(), found.rows, len(found.hashes)) == ([2, 3, 4], 3, 3)
    assert (found.batches, found.broken, found.unidentified) == ((), (), 0)


def test_known_records_are_not_read() -> None:
    """Of a file seen before no byte is left to read, and every record is present."""
    live = live_of(scan_bytes(GOOD))
    found = scan_bytes(GOOD, live)
    assert (found.data, found.lines.tolist(), found.rows) == (b"", [], 3)
    assert found.present(live).all()


def test_only_what_changed_is_read() -> None:
    """A changed record is new, those around it are known, and the old one is not present."""
    live = live_of(scan_bytes(GOOD))
    found = scan_bytes(csv_of("o-1,A,school", "o-2,Bee,school", "o-3,C,school"), live)
    assert (found.data, found.lines.tolist()) == (b"o-2,Bee,school\n", [3])
    assert found.present(live).sum() == 2


def test_lines_of_known_records() -> None:
    """A known record is found on the first line on which it stands today."""
    live = live_of(scan_bytes(GOOD))
    found = scan_bytes(csv_of("o-3,C,school", "", "o-1,A,school", "o-3,C,school"), live)
    positions = np.flatnonzero(found.present(live))
    assert sorted(found.lines_of(positions).tolist()) == [2, 4]


def test_line_ends_and_order_do_not_matter() -> None:
    """Records are known again with other line ends, in another order, and without the last line end."""
    live = live_of(scan_bytes(GOOD))
    again = csv_of("o-3,C,school", "o-1,A,school", "o-2,B,school", end="\r\n").removesuffix(b"\r\n")
    assert scan_bytes(again, live).data == b""


@pytest.mark.parametrize("marks", [1, 2])
def test_byte_order_mark_changes_no_record(marks: int) -> None:
    """Records are known again when the file begins with a mark, or with two, and that is told."""
    live = live_of(scan_bytes(GOOD))
    found = scan_bytes(b"\xef\xbb\xbf" * marks + GOOD, live)
    assert (found.data, told(found.batches)) == (b"", [("byte-order-mark", None, (1,))])


@pytest.mark.parametrize("header", ["sourcedId,type,name", '"sourcedId",name,type', "sourcedId,name,Type"])
def test_another_header_makes_everything_new(header: str) -> None:
    """The same bytes under another header may mean something else."""
    live = live_of(scan_bytes(GOOD))
    assert (scan_bytes(header.encode() + GOOD[GOOD.index(b"\n") :], live).met == NEW).all()


def test_another_seed_makes_everything_new() -> None:
    """So does any change in how records are read."""
    live = live_of(scan_bytes(GOOD))
    assert (scan_bytes(GOOD, live, seed=SEED + 1).met == NEW).all()


def test_record_to_be_read_again() -> None:
    """A live record whose hash is 0 is never recognised."""
    live = live_of(scan_bytes(GOOD))
    live = replace(live, hash=np.array([0, *live.hash[1:]], np.uint64))
    assert len(scan_bytes(GOOD, live).lines) == 1


def test_refused_records() -> None:
    """Refused records are told with their lines by kind, known by their ids, and not read."""
    found = scan_bytes(csv_of("o-1,A", "o-2,B,school", 'o-3,"C,school', "o-4,D,school,x", "o-5,E\0,school"))
    assert told(found.batches) == [
        ("field-count", None, (2, 5)),
        ("control-character", None, (6,)),
        ("misplaced-quote", None, (4,)),
    ]
    assert (sorted(found.broken), found.unidentified) == (["o-1", "o-3", "o-4", "o-5"], 0)
    assert (found.data, found.lines.tolist(), found.rows) == (b"o-2,B,school\n", [3], 5)


def test_record_with_a_line_break() -> None:
    """A line break in a quoted value holds back one record, which is known by its id; lines go on behind it."""
    found = scan_bytes(csv_of('o-1,"A', 'B",school', "o-2,B,school"))
    assert told(found.batches) == [("line-break-in-field", None, (2,))]
    assert (found.broken, found.unidentified, found.lines.tolist()) == (("o-1",), 0, [4])


def test_two_records_on_one_line() -> None:
    """Where a line end is missing nobody can tell whose record it is."""
    found = scan_bytes(csv_of("o-1,A,school,,o-2,B,school,", header="sourcedId,name,type,identifier"))
    assert (found.broken, found.unidentified) == ((), 1)


def test_id_is_not_the_first_column() -> None:
    """Behind other columns the id of a refused record cannot be told."""
    found = scan_bytes(csv_of("A,o-1", "B,o-2,school", header="name,sourcedId,type"))
    assert (found.broken, found.unidentified, found.lines.tolist()) == ((), 1, [3])


@pytest.mark.parametrize("name", ["sourcedid", " SourcedID ", '"sourcedId"'])
def test_id_under_a_name_to_be_repaired(name: str) -> None:
    """A header that will be repaired serves as well."""
    assert scan_bytes(csv_of("o-1,A", header=f"{name},name,type")).broken == ("o-1",)


def test_blank_lines() -> None:
    """Blank lines and lines of commas are told and do not count."""
    found = scan_bytes(csv_of("o-1,A,school", "", ",,", "o-2,B,school", ",,,,"))
    assert told(found.batches) == [("blank-line", None, (3, 4, 6))]
    assert (found.rows, found.met.tolist(), found.broken) == (2, [NEW, BLANK, BLANK, NEW, BLANK], ())


def test_nul_tail_of_a_sparse_file() -> None:
    """A block of zeros at the end is a record that cannot be told, so that nothing is taken for absent."""
    found = scan_bytes(GOOD + b"\0" * 4096)
    assert (codes(found.batches), found.unidentified, len(found.lines)) == (["control-character"], 1, 3)


def test_line_too_long() -> None:
    """A line beyond the limit rejects the file and tells where it begins."""
    found = scan_bytes(GOOD + b"x" * (LINE_LIMIT + 1))
    assert told(found.batches) == [("line-too-long", None, (5,))]
    assert found.batches[0].severity is Severity.CATASTROPHIC


def test_chunks_do_not_matter() -> None:
    """The findings of a file are those of its bytes, cut as they may be."""
    data = csv_of('o-1,"A', 'B",school', "", "o-2,B,school", 'o-3,"C,school', "o-4,D", end="\r\n")
    whole = scan_bytes(data)
    for size in (1, 2, 3, 7):
        found = scan("orgs.csv", in_pieces(data, range(size, len(data), size)), Live(), SEED)
        assert (found.data, found.batches, found.broken) == (whole.data, whole.batches, whole.broken)


def test_nothing() -> None:
    """A file of no bytes has no header."""
    found = scan_bytes(b"")
    assert (found.header, found.rows, codes(found.batches)) == ((), 0, ["missing-header"])


def test_header_alone() -> None:
    """A header and no records is nothing wrong here; what it means is decided later (law 2)."""
    found = scan_bytes(csv_of())
    assert (found.rows, found.batches, found.data) == (0, (), b"")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b"a,b", ("a", "b")),
        (b'\xef\xbb\xbf"a","b"', ("a", "b")),
        (b"\xef\xbb\xbf\xef\xbb\xbfa,b", ("a", "b")),
        (b" a,b ", (" a", "b ")),
        (b"a,,b,", ("a", "", "b", "")),
        ("a,größe".encode(), ("a", "größe")),
        (b",".join([b"a"] * COLUMN_LIMIT), ("a",) * COLUMN_LIMIT),
    ],
)
def test_header(line: bytes, names: tuple[str, ...]) -> None:
    """Names are given as they stand, without quotes and mark."""
    assert read_header("orgs.csv", line)[0] == names


@pytest.mark.parametrize(
    ("line", "code", "detail"),
    [
        (b"", "missing-header", "blank"),
        (b"  ,", "missing-header", "blank"),
        (b",,,", "missing-header", "blank"),
        (b'a,"b', "missing-header", "cannot be read"),
        (b'a,"b"c', "missing-header", "cannot be read"),
        (b"sourcedId;name;type", "missing-header", "not separated by commas"),
        (b"sourcedId\tname", "missing-header", "not separated by commas"),
        (b"a,b\rx,y\r", "missing-header", "a carriage return alone"),
        (b"a,b\r", "missing-header", "two carriage returns"),
        (b"sep=,", "missing-header", "Excel's sep="),
        (b'"a,b"', "missing-header", "one pair of quotes"),
        (b",".join([b"a"] * (COLUMN_LIMIT + 1)), "missing-header", "more than 256"),
        (b"a,\xef\xbb\xbfb", "missing-header", "cannot be seen"),
        (b"a,b\x1b[2J", "missing-header", "cannot be seen"),
        (b"a,\xff", "not-utf-8-file", "in another encoding"),
        ("a,b\r\n".encode("cp037"), "not-utf-8-file", "in another encoding"),
        ("a,b".encode("utf-16"), "not-utf-8-file", "UTF-16"),
        ("a,b".encode("utf-16-be"), "not-utf-8-file", "UTF-16"),
        ("a,b".encode("utf-16-le"), "not-utf-8-file", "UTF-16"),
        (b"PK\x03\x04\x00\x00", "not-utf-8-file", "binary"),
    ],
)
def test_header_that_cannot_be_used(line: bytes, code: str, detail: str) -> None:
    """A first line that is no header rejects the file and says why."""
    names, found = read_header("orgs.csv", line)
    assert (names, found[-1].code) == ((), code)
    assert detail in found[-1].message
    assert found[-1].severity is Severity.CATASTROPHIC


def test_nothing_is_read_under_a_header_that_cannot_be_used() -> None:
    """A file without names has no records."""
    found = scan_bytes("sourcedId,name\no-1,A\n".encode("utf-16"))
    assert (found.rows, found.data, codes(found.batches)) == (0, b"", ["not-utf-8-file"])
