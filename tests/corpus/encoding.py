"""Files that are not the UTF-8 that they should be, or hide characters in it that nobody sees.

A file as a whole in another encoding is rejected by its header. A line that is not UTF-8 is held back alone, and its
record stays as it was: nothing is guessed, unless the feed says what its files are written in.
"""

import unicodedata
from collections.abc import Sequence

from builders import Roster
from corpus.case import Case, Verdict
from corpus.sound import (
    DAY_2,
    canary,
    drop,
    file_of,
    files_of_day_2,
    joined,
    lines_of,
    pupil,
    replaced,
    with_cells,
    without_news_of,
)

BOM = b"\xef\xbb\xbf"
USERS = files_of_day_2()["users.csv"]
U2, U3 = canary("later", 2).encode(), canary("later", 3).encode()
"""The new family names of two users."""


def whole(name: str, encoding: str, code: str, says: str) -> Case:
    """Return a case of a file that is written in another encoding from its first byte on."""
    bad = drop(users=USERS.decode().encode(encoding))
    return Case(name=name, bad=bad, verdict=Verdict.REJECTED, code=code, file="users.csv", line=1, says=says)


def named(word: str) -> Roster:
    """Return the second day's roster, one user of which is called by a word that is not ASCII."""
    return with_cells("U2", familyName=f"{word} {canary('later', 2)}")


def written(name: str, word: str, encoding: str, feed: str = "") -> Case:
    """Return a case of a file with one name in another encoding than UTF-8, which its twin is in."""
    roster = named(word)
    content = file_of(roster)
    bad, twin = drop(users=content.decode().encode(encoding)), drop(users=content)
    if feed:
        return Case(
            name=name, bad=bad, twin=drop(), verdict=Verdict.ACCEPTED, code="encoding-converted", file="users.csv",
            says=encoding, after=roster, feed=f'\n[repairs]\nencoding = "{feed}"\n',
        )  # fmt: skip
    return Case(
        name=name, bad=bad, twin=twin, verdict=Verdict.PARTLY, code="not-utf-8", file="users.csv", line=3, held_back=1,
        after=without_news_of("U2"), twin_after=roster,
    )  # fmt: skip


def spoilt(name: str, code: str, old: bytes, new: bytes, word: str) -> Case:
    """Return a case of one user whose name has bytes that spoil it; the twin has a word in their place."""
    roster = named(word)
    return Case(
        name=name, bad=drop(users=replaced(old, new)), twin=drop(users=file_of(roster)), verdict=Verdict.PARTLY,
        code=code, file="users.csv", line=3, held_back=1, after=without_news_of("U2"), twin_after=roster,
    )  # fmt: skip


def kept(name: str, word: str) -> Case:
    """Return a case of a name that looks odd and is legal: it is taken as it is."""
    roster = named(word)
    bad = drop(users=file_of(roster))
    return Case(name=name, bad=bad, verdict=Verdict.ACCEPTED, code=None, after=roster)


def ids(name: str, *spoilt_ids: str) -> Case:
    """Return a case of more users whose ids look like others and are none; nobody is taken for absent."""
    more = [pupil(40 + i, sourcedId=one) for i, one in enumerate(spoilt_ids)]
    good = [pupil(40 + i) for i, _ in enumerate(spoilt_ids)]
    bad, twin = ({**DAY_2, "users": [*DAY_2["users"], *users]} for users in (more, good))
    return Case(
        name=name, bad=drop(users=file_of(bad)), twin=drop(users=file_of(twin)), verdict=Verdict.PARTLY,
        code="invalid-guid", file="users.csv", line=32, held_back=len(more), twin_after=twin,
    )  # fmt: skip


def blank_behind_an_id() -> Case:
    """Return a case of an id with a no-break space behind it, which is a blank like any other."""
    content = replaced(b"\r\nU2,", "\r\nU2\u00a0,".encode())
    return Case(
        name="no-break space behind an id", bad=drop(users=content), verdict=Verdict.ACCEPTED,
        code="surrounding-blanks", file="users.csv", line=3,
    )  # fmt: skip


def cut_at_the_end() -> Case:
    """Return a case of a file whose last character is cut, and no line end follows."""
    content = file_of(with_cells("U30", password="é")).removesuffix(b"\r\n")
    return Case(
        name="last character of the file cut", bad=drop(users=content[:-1]), twin=drop(users=content),
        verdict=Verdict.PARTLY, code="not-utf-8", file="users.csv", line=31, held_back=1,
    )  # fmt: skip


def mixed() -> Case:
    """Return a case of a file whose lines are in three encodings, as when exports were put together."""
    roster = with_cells("U3", of=named("Zoë"), familyName=f"山田 {canary('later', 3)}")
    lines = file_of(roster).decode().split("\r\n")[:-1]
    encoded = [
        line.encode(encoding) for line, encoding in zip(lines, ["utf-8", "utf-8", "cp1252", "cp932"], strict=False)
    ]
    content = joined([*encoded, *(line.encode() for line in lines[4:])])
    return Case(
        name="three encodings in one file", bad=drop(users=content), twin=drop(users=file_of(roster)),
        verdict=Verdict.PARTLY, code="not-utf-8", file="users.csv", line=4, held_back=2,
        after=without_news_of("U2", "U3"), twin_after=roster,
    )  # fmt: skip


def mixed_as_the_feed_says() -> Case:
    """Return a case of two exports put together, of which one is in the encoding that the feed names."""
    roster = with_cells("U3", of=named("Zoë"), familyName=f"Chloé {canary('later', 3)}")
    lines = file_of(roster).decode().split("\r\n")[:-1]
    content = joined([line.encode("cp1252" if line.startswith("U3,") else "utf-8") for line in lines])
    return Case(
        name="UTF-8 and what the feed says in one file", bad=drop(users=content), twin=drop(users=file_of(roster)),
        verdict=Verdict.ACCEPTED, code="encoding-converted", file="users.csv", after=roster, twin_after=roster,
        feed='\n[repairs]\nencoding = "cp1252"\n',
    )  # fmt: skip


def marked_inside() -> Case:
    """Return a case of a mark in front of a record, as when files were put one behind the other."""
    lines = lines_of()
    content = joined([*lines[:2], BOM + lines[2], *lines[3:]])
    return Case(
        name="mark in front of a record", bad=drop(users=content), verdict=Verdict.PARTLY, code="invalid-guid",
        file="users.csv", line=3, held_back=1, after=without_news_of("U2"),
    )  # fmt: skip


def marked(name: str, mark: bytes, file: str = "users") -> Case:
    """Return a case of a file that begins with a mark."""
    return Case(
        name=name, bad=drop(**{file: mark + files_of_day_2()[f"{file}.csv"]}), verdict=Verdict.ACCEPTED,
        code="byte-order-mark", file=f"{file}.csv",
    )  # fmt: skip


MANIFEST = Case(
    name="manifest in UTF-16", bad=drop(manifest=files_of_day_2()["manifest.csv"].decode().encode("utf-16")),
    verdict=Verdict.REJECTED, code="not-utf-8-file", file="manifest.csv", says="UTF-16",
)  # fmt: skip
TRUNCATED = "é".encode()[:1]

CASES: Sequence[Case] = [
    marked("byte order mark", BOM),
    marked("byte order mark of the manifest", BOM, "manifest"),
    marked("two byte order marks", BOM * 2),
    marked_inside(),
    whole("UTF-16 LE with a mark", "utf-16", "not-utf-8-file", "UTF-16"),
    Case(name="UTF-16 BE with a mark", bad=drop(users=b"\xfe\xff" + USERS.decode().encode("utf-16-be")),
         verdict=Verdict.REJECTED, code="not-utf-8-file", file="users.csv", line=1, says="UTF-16"),
    whole("UTF-16 LE without a mark", "utf-16-le", "not-utf-8-file", "UTF-16"),
    whole("UTF-16 BE without a mark", "utf-16-be", "not-utf-8-file", "UTF-16"),
    whole("UTF-32", "utf-32", "not-utf-8-file", "UTF-16 or binary"),
    whole("EBCDIC", "cp037", "not-utf-8-file", "in another encoding"),
    MANIFEST,
    kept("UTF-7", "Zo+AOs-"),
    written("cp1252", "Šimon", "cp1252"),
    written("cp1252, as the feed says", "Šimon", "cp1252", "cp1252"),
    written("Latin-1", "Zoë", "latin-1"),
    written("MacRoman", "Zoë", "mac_roman"),
    written("Shift-JIS, full width", "山田 表子", "shift_jis"),
    written("Shift-JIS, half width", "ﾔﾏﾀﾞ", "shift_jis"),
    written("Shift-JIS, as the feed says", "山田 表子", "shift_jis", "shift_jis"),
    written("EUC-JP", "山田", "euc_jp"),
    written("GB18030", "张伟", "gb18030"),
    mixed(),
    mixed_as_the_feed_says(),
    spoilt("lone surrogate", "not-utf-8", U2, b"\xed\xa0\x80 " + U2, "\ud7ff"),
    spoilt("overlong form of a slash", "not-utf-8", U2, b"\xc0\xaf " + U2, "/"),
    spoilt("character cut before a comma", "not-utf-8", U2 + b",", U2 + TRUNCATED + b",", "é"),
    spoilt("character cut at the end of a line", "not-utf-8", b",09,\r\nU3,", b",09," + TRUNCATED + b"\r\nU3,", "é"),
    cut_at_the_end(),
    spoilt("NUL", "control-character", U2, b"\0 " + U2, "0"),
    spoilt("control character of Latin-1", "control-character", U2, "O\x92 ".encode() + U2, "O"),
    kept("noncharacter", "\ufffe"),
    kept("line separator of Unicode", "A\u2028B"),
    kept("zero-width joiner", "A\u200dB"),
    ids("characters in ids that nobody sees", "U1\u200b", "U2\u2060"),
    ids("no-break space in an id", "U\u00a01"),
    blank_behind_an_id(),
    ids("composed and decomposed ids", *(unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))),
]  # fmt: skip
