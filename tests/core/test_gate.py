"""The strict look at records."""

import pytest

from ingestd.core.findings import CATALOGUE
from ingestd.core.gate import FIELD_LIMIT, Fault, gate, identify


def fault_of(record: str | bytes, width: int = 3) -> Fault:
    """Return the fault of a record that stands between good ones, which must stay good."""
    good = b"a,b,c" if width == 3 else b",".join([b"x"] * width)
    faults = gate([good, record if isinstance(record, bytes) else record.encode(), good], width)
    assert (faults[0], faults[2]) == (0, 0)
    return Fault(faults[1])


@pytest.mark.parametrize(
    "record",
    [
        "a,b,c", "a,,", ",,c", '"a","b","c"', '"","",c', 'a,"b,c",d', 'a,"say ""b""",c', 'a,"""",c', '"a""",b,c',
        "a,b\tc,d", "ä,日本,🙂", "NA,null,None", "a, b ,c", "a,£5,b\N{NO-BREAK SPACE}c", "\ufeffa,b,c",
    ],
)  # fmt: skip
def test_good(record: str) -> None:
    """What RFC 4180 allows passes, and no word is special."""
    assert fault_of(record) is Fault.none


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ("a,b", Fault.field_count),
        ("a,b,c,", Fault.field_count),
        ("a,b,c,d", Fault.field_count),
        ('a,"b,c"', Fault.field_count),
        ("a;b;c", Fault.field_count),
        ("", Fault.blank_line),
        (",,", Fault.blank_line),
        (",,,,,,,,", Fault.blank_line),
        ("  ", Fault.blank_line),
        (' , ,"" ', Fault.blank_line),
        ('"","",""', Fault.blank_line),
        ('a,b"c,d', Fault.misplaced_quote),
        ('a,"b,c', Fault.misplaced_quote),
        ('a,b"c"d,e', Fault.misplaced_quote),
        ('a,"b"c,d', Fault.misplaced_quote),
        ('a, "b",c', Fault.misplaced_quote),
        ('a,"b" ,c', Fault.misplaced_quote),
        ('a,""b"",c', Fault.misplaced_quote),
        ('a,"b\nc",d', Fault.line_break_in_field),
        ("a,b\0,c", Fault.control_character),
        ("\0\0\0\0", Fault.control_character),
        ("\x1a", Fault.control_character),
        ("a,b\rc,d", Fault.control_character),
        ("a,b,c\r", Fault.control_character),
        ("a,\x1b[31mb,c", Fault.control_character),
        ("a,b\x7f,c", Fault.control_character),
        ("a,O\x92Brien,c", Fault.control_character),
        ("a,b\x1f,c", Fault.control_character),
        (b"a,caf\xe9,c", Fault.not_utf_8),
        (b"a,\xc0\xaf,c", Fault.not_utf_8),
        (b"a,\xed\xa0\x80,c", Fault.not_utf_8),
        (b"a,b,c\xe2\x82", Fault.not_utf_8),
    ],
)
def test_bad(record: str | bytes, fault: Fault) -> None:
    """What any reader could take otherwise is refused, and the records beside it are not."""
    assert fault_of(record) is fault


def test_cut_character_is_not_completed_by_the_next_record() -> None:
    """Bytes of a character do not reach over a line end."""
    assert gate([b"a\xe2", b"\x82\xac"], 1).tolist() == [Fault.not_utf_8] * 2


@pytest.mark.parametrize("cell", ["x" * FIELD_LIMIT, '"' + "x," * (FIELD_LIMIT // 2 - 1) + '"'])
def test_longest_field(cell: str) -> None:
    """A value of just the limit passes, wherever it stands, commas in quotes or not."""
    assert {fault_of(record) for record in (f"{cell},b,c", f"a,{cell},c", f"a,b,{cell}")} == {Fault.none}


@pytest.mark.parametrize(
    "record",
    ["{},b,c", "a,{},c", "a,b,{}", 'a,b,"{},{}"', '"",{},"a,b"'],
)  # fmt: skip
def test_field_too_long(record: str) -> None:
    """A value beyond the limit is refused wherever it stands, also if commas are in it."""
    long = "x" * (FIELD_LIMIT + 1 if record.count("{}") == 1 else FIELD_LIMIT // 2)
    assert fault_of(record.replace("{}", long)) is Fault.field_too_long


def test_many_fields_make_no_long_one() -> None:
    """A long record of short values passes."""
    assert fault_of(",".join(["x" * 999] * 200), 200) is Fault.none


def test_nothing() -> None:
    """No records, no faults."""
    assert gate([], 3).tolist() == []


def test_faults_are_findings() -> None:
    """Every fault is a code of the catalogue."""
    assert all(fault.code in CATALOGUE for fault in Fault if fault)


@pytest.mark.parametrize(
    ("record", "sourced_id"),
    [
        (b"u-1,b", "u-1"),
        (b"u-1,b,c,d,e,f", "u-1"),
        (b"u-1,b,c,d,,,,,,,", "u-1"),
        (b'"u-1",b\xff,c,d', "u-1"),
        (b'u-1,"b,c,d', "u-1"),
        (b'u-1,"a, b, c, d, e\nf",c,d', "u-1"),
        (b" u-1 ,b", "u-1"),
        (b"u-1,b,c,du-2,b,c,d", None),
        (b'u-1,"b,c,du-2,b,c,d', None),
        (b"u-1", None),
        (b"u 1,b,c", None),
        (b",b,c", None),
        (b"\0\0\0", None),
        (b'"u-1,b', None),
        (b"", None),
        (b"x" * 256, None),
        (b"\xff,b", None),
    ],
)
def test_identify(record: bytes, sourced_id: str | None) -> None:
    """A refused record is known by its first field, unless that is no id or a second record may be behind it."""
    assert identify(record, 4) == sourced_id
