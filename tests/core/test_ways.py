"""How a sender writes, as far as the feed says so: encodings, dates, telephone numbers."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_files import frame_of, validate_rows

from ingestd.core.model import Mode, Severity
from ingestd.core.phones import impossible
from ingestd.core.records import LINE_LIMIT
from ingestd.core.repair import repair
from ingestd.core.ways import DateForm, Encoding, Ways, is_utf_8, read_date, to_utf_8
from schemas import load

USERS = load("1.1")["users"]
USER = {
    "sourcedId": "u-1", "enabledUser": "true", "orgSourcedIds": "o-1", "role": "student", "username": "a",
    "givenName": "A", "familyName": "B",
}  # fmt: skip


def in_pieces(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("text", "codec", "encoding"),
    [
        ("Zoë Müller-Łuczak €", "cp1252", Encoding.CP1252),
        ("Zoë Müller", "latin-1", Encoding.LATIN_1),
        ("山田 太郎、髙橋、ｱｲｳ\r\n", "cp932", Encoding.SHIFT_JIS),
    ],
)
def test_text_of_another_encoding_is_read(text: str, codec: str, encoding: Encoding, size: int) -> None:
    """However it was cut, it is the same text."""
    text = text.encode(codec, "ignore").decode(codec)
    pieces = in_pieces(text.encode(codec), size)
    assert not is_utf_8(pieces)
    assert b"".join(to_utf_8(pieces, encoding)).decode() == text


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 5))
def test_utf_8_is_known(text: str, size: int) -> None:
    """UTF-8 is UTF-8 wherever it is cut; cut short within a character it is not."""
    assert is_utf_8(in_pieces(text.encode(), size))
    assert not is_utf_8([*in_pieces(text.encode(), size), b"\xe2\x82"])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("encoding", "codec", "text"),
    [(Encoding.CP1252, "cp1252", "Zoë €"), (Encoding.LATIN_1, "latin-1", "Zoë"), (Encoding.SHIFT_JIS, "cp932", "山田")],
)
def test_lines_that_are_utf_8_stay(encoding: Encoding, codec: str, text: str, size: int) -> None:
    """A file put together from two exports is read line by line, each in the encoding that it is in."""
    lines = [text.encode(), text.encode(codec), b"Ann", text.encode()]
    pieces = in_pieces(b"\r\n".join(lines), size)
    assert b"".join(to_utf_8(pieces, encoding)).decode().split("\r\n") == [text, text, "Ann", text]


def test_narrow_kana_are_not_taken_for_utf_8() -> None:
    """The two bytes of a name in narrow kana are UTF-8, too, for a letter of no Japanese name."""
    name = "ﾆｼ".encode("cp932")
    assert is_utf_8([name])
    assert b"".join(to_utf_8([name], Encoding.SHIFT_JIS)).decode() == "ﾆｼ"


def test_a_line_that_no_reader_takes_is_not_held() -> None:
    """It is passed on in pieces, whole, so that it takes no more memory than it may."""
    line = b"a" * (LINE_LIMIT - 1) + "ë".encode("cp1252") * 3
    pieces = list(to_utf_8(in_pieces(line * 4, 1 << 16), Encoding.CP1252))
    assert max(map(len, pieces)) < 2 * LINE_LIMIT
    assert b"".join(pieces).decode() == line.decode("cp1252") * 4


def test_bytes_without_meaning_are_left_for_the_gate() -> None:
    """What the encoding does not have stays as it is, and is a fault of its line."""
    assert b"".join(to_utf_8([b"a\x81b"], Encoding.CP1252)) == b"a\x81b"


@pytest.mark.parametrize(
    ("text", "form", "date"),
    [
        ("3/4/2026", None, "3/4/2026"),
        ("3/4/2026", DateForm.MONTH_FIRST, "2026-03-04"),
        ("3/4/2026", DateForm.DAY_FIRST, "2026-04-03"),
        ("03/04/2026 00:00", DateForm.MONTH_FIRST, "2026-03-04"),
        ("3.4.2026", DateForm.DAY_FIRST_DOTS, "2026-04-03"),
        ("3-4-2026", DateForm.DAY_FIRST_DASHES, "2026-04-03"),
        ("20260403", DateForm.PACKED, "2026-04-03"),
        ("2026/4/3", DateForm.MONTH_FIRST, "2026-04-03"),
        ("3.4.2026", DateForm.MONTH_FIRST, "3.4.2026"),
        ("13/4/2026", DateForm.MONTH_FIRST, "2026-13-04"),
        ("March 4, 2026", DateForm.MONTH_FIRST, "March 4, 2026"),
    ],
)
def test_date_that_has_two_meanings_is_read_as_the_feed_says(text: str, form: DateForm | None, date: str) -> None:
    """And in no other way: what is of another form, or no day, stays wrong."""
    assert read_date(text, form) == date


def test_date_that_the_feed_does_not_explain_is_an_error() -> None:
    """It is never guessed; with the feed's word it is a repair."""
    enrollments = load("1.1")["enrollments"]
    frame = frame_of(enrollments, {"beginDate": "3/4/2026"})
    assert repair(frame, enrollments, Mode.BULK)[1] == ()
    mended, done = repair(frame, enrollments, Mode.BULK, Ways(date_form=DateForm.MONTH_FIRST))
    assert ([one.code for one in done], mended["beginDate"].tolist()) == (["date-form"], ["2026-03-04"])


@pytest.mark.parametrize(
    ("number", "country", "is_wrong"),
    [
        ("(950) 336 6601", "US", False),
        ("950-336-6601 ext. 12", "US", False),
        ("+44 20 7946 0018", "US", False),
        ("+19503366601", "US", False),
        ("336 6601 99 1234567", "US", True),
        ("12", "US", True),
        ("020 7946 0018", "GB", False),
        ("none", "US", True),
        ("", "US", False),
    ],
)
def test_number_that_a_country_cannot_have(number: str, country: str, is_wrong: bool) -> None:
    """A number is looked at as one dials it there; E.164 and no number at all are in order."""
    assert impossible(pa.array([number], pa.large_string()), country).tolist() == [is_wrong]


def test_wrong_number_is_kept_and_told() -> None:
    """It holds nothing back; only a feed that names a country looks so closely."""
    record = {**USER, "phone": "336 6601 99 1234567"}
    new = validate_rows(USERS, record, country="US")
    assert [(one.code, one.column, one.severity) for one in new.batches] == [
        ("invalid-phone", "phone", Severity.WARNING)
    ]
    assert new.valid.all()
    assert new.frame["phone"].tolist() == [record["phone"]]
    assert validate_rows(USERS, record).batches == ()
