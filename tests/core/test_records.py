"""Cutting bytes into records."""

import pytest
from reading_files import in_pieces

from ingestd.core.records import BREAKS, LINE_LIMIT, LineTooLongError, count_commas, split


def cut(data: bytes, *cuts: int) -> list[tuple[int, bytes]]:
    """Return the records of a file, each with its line."""
    pieces = list(split(in_pieces(data, cuts)))
    return [pair for piece in pieces for pair in zip(piece.lines.tolist(), piece.records, strict=True)]


def test_a_record_a_line() -> None:
    """Records end at line feeds, and are numbered as an editor numbers lines."""
    assert cut(b"h,i\n1,2\n3,4\n") == [(1, b"h,i"), (2, b"1,2"), (3, b"3,4")]


def test_line_ends_mixed() -> None:
    """CRLF and LF may stand in one file."""
    assert cut(b"h,i\r\n1,2\n3,4\r\n") == [(1, b"h,i"), (2, b"1,2"), (3, b"3,4")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_end_of_file(end: bytes) -> None:
    """The last record is whole with or without a line end."""
    assert cut(b"h,i\n1,2" + end) == [(1, b"h,i"), (2, b"1,2")]


def test_nothing() -> None:
    """A file of no bytes has no records."""
    assert cut(b"") == []


def test_blank_lines_are_records() -> None:
    """A blank line is a record, so that those behind it keep their numbers."""
    assert cut(b"h,i\n\n1,2\n\n") == [(1, b"h,i"), (2, b""), (3, b"1,2"), (4, b"")]


def test_lone_carriage_return() -> None:
    """A carriage return alone ends nothing; the gate refuses it."""
    assert cut(b"h,i\n1,\r2\n3,4\r\r\n") == [(1, b"h,i"), (2, b"1,\r2"), (3, b"3,4\r")]


def test_line_end_between_chunks() -> None:
    """CR at the end of one chunk and LF at the beginning of the next are one line end."""
    assert cut(b"h,i\r\n1,2\r\n", 4, 9) == [(1, b"h,i"), (2, b"1,2")]


@pytest.mark.parametrize("position", range(1, 12))
def test_doubled_carriage_return_held_over(position: int) -> None:
    """A line that waits for its quote to be closed is not stripped twice."""
    assert cut(b'h,i\n1,"2\r\r\n3",4\n', position)[1] == (2, b'1,"2\r')


def test_line_break_in_quotes() -> None:
    """A quoted field with a line break is one record, on the line where it begins."""
    assert cut(b'h,i\n1,"a\r\nb"\n3,4\n') == [(1, b"h,i"), (2, b'1,"a\nb"'), (4, b"3,4")]


def test_two_fields_with_line_breaks() -> None:
    """A quote may close and open again on one line."""
    assert cut(b'h,i,j\n1,"a\nb","c\nd"\n3,4,5\n') == [(1, b"h,i,j"), (2, b'1,"a\nb","c\nd"'), (5, b"3,4,5")]


def test_doubled_quotes() -> None:
    """Doubled quotes inside a field open nothing."""
    assert cut(b'h,i\n1,"say ""a"""\n3,4\n') == [(1, b"h,i"), (2, b'1,"say ""a"""'), (3, b"3,4")]


def test_stray_quotes_near_each_other() -> None:
    """Two strays in one column are two records, and the one between them is a third."""
    lines = [b"h,i,j", b'1,5" tall,x', b"2,b,y", b'3,6" tall,z', b"4,d,w"]
    assert [record for _, record in cut(b"\n".join(lines))] == lines


def test_stray_quotes_that_look_like_a_pair() -> None:
    """A quote that opens at one record's value and one that closes at another's swallow neither them nor others."""
    lines = [b"h,i,j", b'1,"b,x', b"2,b,y", b'3,b",z', b"4,d,w"]
    assert [record for _, record in cut(b"\n".join(lines))] == lines


def test_stray_quote_before_a_line_break() -> None:
    """A stray quote does not rob the next record of its line break."""
    assert cut(b'h,i,j\n1,b",x\n2,"b\nc",y\n')[1:] == [(2, b'1,b",x'), (3, b'2,"b\nc",y')]


def test_quote_never_closed() -> None:
    """A quote that no near line closes spoils its own record alone."""
    lines = [b"h,i", b'1,"2', *(b"%d,x" % i for i in range(40))]
    assert [record for _, record in cut(b"\n".join(lines))] == lines


@pytest.mark.parametrize(("breaks", "records"), [(BREAKS, 3), (BREAKS + 1, BREAKS + 4)])
def test_breaks_in_one_record(breaks: int, records: int) -> None:
    """Beyond so many line breaks a quote is not taken as open any more."""
    assert len(cut(b'h,i\n1,"' + b"\n" * breaks + b'"\n3,4\n')) == records


@pytest.mark.parametrize("position", range(1, 33))
def test_open_quote_at_the_end_of_a_chunk(position: int) -> None:
    """A field with line breaks is whole, wherever the chunks were cut."""
    assert cut(b'h,i\n0,0\n1,"a\nb\nc\nd\ne\n"\n3,4', position) == [
        (1, b"h,i"), (2, b"0,0"), (3, b'1,"a\nb\nc\nd\ne\n"'), (9, b"3,4"),
    ]  # fmt: skip


def test_quote_in_the_header() -> None:
    """The header is the first line, come what may."""
    assert cut(b'h,"i\n1,2\n"3,4\n')[0] == (1, b'h,"i')


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_longest_line(end: bytes) -> None:
    """A line of just the limit is one."""
    assert len(cut(b"h\n" + b"x" * LINE_LIMIT + end, 1 << 19, LINE_LIMIT + 3)[1][1]) == LINE_LIMIT


@pytest.mark.parametrize("cuts", [(), (1000,), (1 << 19, LINE_LIMIT + 6)])
def test_line_too_long(cuts: tuple[int, ...]) -> None:
    """A line beyond the limit ends the cutting, and its number is told."""
    with pytest.raises(LineTooLongError) as fault:
        cut(b"h\n1\n" + b"x" * (LINE_LIMIT + 1) + b"\n2\n", *cuts)
    assert fault.value.line == 3


def test_commas_outside_quotes() -> None:
    """Commas inside quotes separate nothing."""
    assert count_commas(b'1,"a,b","say "",""",c') == 3
