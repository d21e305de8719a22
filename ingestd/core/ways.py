"""How the sender of a feed writes, as far as the feed says so. What it does not say is never guessed."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ingestd.core.aliases import Aliases
from ingestd.core.records import LINE_LIMIT


class Encoding(StrEnum):
    """What a file may be in that is not UTF-8."""

    CP1252 = "cp1252"
    LATIN_1 = "iso-8859-1"
    SHIFT_JIS = "shift_jis"


_CODECS = {Encoding.SHIFT_JIS: "cp932"}
"""What Windows calls Shift-JIS has the characters beside those of the standard that Japanese names need."""
_SURELY_UTF_8 = {Encoding.SHIFT_JIS: "\u0800"}
"""The least character by which a line is known to be UTF-8, where lesser ones may be something else: two bytes of UTF-8
are two narrow kana in Shift-JIS. In the others they are a letter with a sign behind it, as no name has."""


class DateForm(StrEnum):
    """How dates may be written that could be read in two ways."""

    MONTH_FIRST = "M/D/YYYY"
    DAY_FIRST = "D/M/YYYY"
    DAY_FIRST_DOTS = "D.M.YYYY"
    DAY_FIRST_DASHES = "D-M-YYYY"
    PACKED = "YYYYMMDD"


@dataclass(frozen=True, slots=True)
class Ways:
    """A sender's ways. `strict`: True if nothing is repaired, or the codes of what is not.

    `country` is the two letters of the country in which a telephone number without a prefix is.
    """

    strict: bool | tuple[str, ...] = False
    encoding: Encoding | None = None
    date_form: DateForm | None = None
    country: str | None = None
    aliases: Aliases = Aliases()


def is_utf_8(chunks: Iterable[bytes]) -> bool:
    """Return whether a stream is UTF-8 to its end."""
    decoder = getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def to_utf_8(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Yield as UTF-8 a stream of which not all is; bytes that mean nothing in the encoding stay, for the gate to find.

    Lines that are UTF-8 stay as they are: exports put together are not of one encoding.
    """
    for lines in _whole_lines(chunks):
        yield lines if lines.isascii() else b"".join(_line_to_utf_8(one, encoding) for one in lines.splitlines(True))


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream in pieces that end where lines do; a line that no reader takes is cut."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if len(rest) - end > LINE_LIMIT:
            end = len(rest)
        yield rest[:end]
        rest = rest[end:]
    yield rest


def _line_to_utf_8(line: bytes, encoding: Encoding) -> bytes:
    try:
        if max(line.decode()) >= _SURELY_UTF_8.get(encoding, ""):
            return line
    except UnicodeDecodeError:
        pass
    return line.decode(_CODECS.get(encoding, str(encoding)), "surrogateescape").encode("utf-8", "surrogateescape")


# Dates --------------------------------------------------------------------------------------------------------------

_SPLIT = re.compile(r"(\d{4})(?:/(\d{1,2})/(\d{1,2})|-(\d{1,2})-(\d{1,2}))(?:[T ]\d{1,2}:\d{2}.*)?", re.ASCII)
_FORMS = {
    DateForm.MONTH_FIRST: r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})",
    DateForm.DAY_FIRST: r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})",
    DateForm.DAY_FIRST_DOTS: r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
    DateForm.DAY_FIRST_DASHES: r"(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>\d{4})",
    DateForm.PACKED: r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
}
_TIME = r"(?:[T ]\d{1,2}:\d{2}.*)?"
"""A time of day behind a date: what the date is of is not in doubt."""


def read_date(text: str, form: DateForm | None) -> str:
    """Return a date as YYYY-MM-DD where it can mean one day only, else the text as it is.

    `2026/8/20`, `2026-8-20` and a date with a time behind it are clear; `3/4/2026` only if the feed says how it is
    meant. Whether the calendar has the day is for the schema to say.
    """
    found = _SPLIT.fullmatch(text.strip())
    if found:
        year, month, day = (part for part in found.groups() if part)
        return f"{year}-{int(month):02}-{int(day):02}"
    named = re.fullmatch(_FORMS[form] + _TIME, text.strip(), re.ASCII) if form else None
    return f"{named['year']}-{int(named['month']):02}-{int(named['day']):02}" if named else text
