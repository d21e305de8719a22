"""The sound roster of which every bad input of the corpus is a spoilt copy, and the ways to spoil its files.

A canary stands in every value that is no id and no word of the standard. On the first day everything is accepted; on
the second two users in three have another family name, so that it shows of each record whether it was taken over.
"""

import copy
import io
import zipfile
from collections.abc import Mapping
from functools import cache

from builders import Roster, csv_of, enrollment, klass, members_of, row, user
from zipcraft import Part, craft

USERS, RENAMED = 30, 20
"""Enough users that one held back is no mass of them, and few enough renamed ones that it is no mass change."""
END = b"\r\n"


def canary(word: str, number: int) -> str:
    """Return a word that stands in one value alone, and must stand in no log."""
    return f"qz{word}{number}qz"


def pupil(number: int, **cells: str) -> dict[str, str]:
    """Return the user of that number, with a canary in each private value."""
    mail = f"{canary('mail', number)}@springfield.example"
    words = {
        name: canary(name.lower(), number)
        for name in ("username", "givenName", "familyName", "middleName", "identifier")
    }
    return user(number, **{**words, "email": mail, **cells})


def first_day() -> Roster:
    """Return the roster that was accepted before the corpus's inputs come."""
    session = {"type": "schoolYear", "startDate": "2025-08-20", "endDate": "2026-06-12", "schoolYear": "2026"}
    return {
        "orgs": [
            row("orgs", sourcedId="D1", name=canary("org", 1), type="district", identifier=canary("org", 2)),
            row("orgs", sourcedId="S1", name=canary("org", 3), type="school", parentSourcedId="D1"),
        ],
        "academicSessions": [row("academicSessions", sourcedId="T1", title=canary("session", 1), **session)],
        "courses": [row("courses", sourcedId="K1", title=canary("course", 1), orgSourcedId="D1")],
        "classes": [klass(number, title=canary("class", number)) for number in (1, 2)],
        "users": [pupil(number) for number in range(1, USERS + 1)],
        "enrollments": [enrollment(number) for number in range(1, USERS + 1)],
    }


def second_day() -> Roster:
    """Return the roster of which the inputs are made, and which every clean twin brings."""
    after = first_day()
    for number in range(1, RENAMED + 1):
        after["users"][number - 1]["familyName"] = canary("later", number)
    return after


DAY_1, DAY_2 = first_day(), second_day()


def without_news_of(*sourced_ids: str, table: str = "users", of: Roster = DAY_2) -> Roster:
    """Return what is there after the second day if these records were held back: they are as on the first."""
    before = {one["sourcedId"]: one for one in DAY_1[table]}
    after = copy.deepcopy(of)
    after[table] = [before.get(one["sourcedId"], one) if one["sourcedId"] in sourced_ids else one for one in of[table]]
    return after


def with_cells(sourced_id: str, table: str = "users", of: Roster = DAY_2, **cells: str) -> Roster:
    """Return the roster with other values in one record."""
    after = copy.deepcopy(of)
    next(one for one in after[table] if one["sourcedId"] == sourced_id).update(cells)
    return after


# Files ------------------------------------------------------------------------------------------------------------


@cache
def files_of_day_2() -> Mapping[str, bytes]:
    """Return the files of the second day's drop by name, the manifest first."""
    return {name: text.encode() for name, text in members_of(DAY_2).items()}


def file_of(roster: Roster, table: str = "users") -> bytes:
    """Return one table as its file."""
    return csv_of(roster[table]).encode()


def lines_of(file: str = "users.csv") -> list[bytes]:
    """Return the lines of one of the files, without their ends; the header is the first."""
    return files_of_day_2()[file].split(END)[:-1]


def joined(lines: list[bytes], end: bytes = END) -> bytes:
    """Return lines as a file."""
    return b"".join(line + end for line in lines)


def with_line(line: int, text: bytes, file: str = "users.csv") -> bytes:
    """Return one of the files with another text on a line, as editors number them."""
    lines = lines_of(file)
    lines[line - 1] = text
    return joined(lines)


def replaced(old: bytes, new: bytes, file: str = "users.csv", count: int = 1) -> bytes:
    """Return one of the files with some of its bytes replaced, which must be there."""
    content = files_of_day_2()[file]
    assert old in content, f"{old!r} is not in {file}"
    return content.replace(old, new, count)


def drop(**contents: bytes | None) -> bytes:
    """Return the second day's zip, with other bytes in some files; None leaves one out. `users=…` is `users.csv`."""
    given = {f"{name}.csv": content for name, content in contents.items()}
    return pack({**files_of_day_2(), **given})


def pack(files: Mapping[str, bytes | None]) -> bytes:
    """Return a zip as any software makes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            if content is not None:
                made.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


# Zips made byte by byte -------------------------------------------------------------------------------------------


def parts(*more: Part, but: str = "", before: bool = False) -> list[Part]:
    """Return the second day's files as members, those named in `but` left out, others before or behind them."""
    own = [Part(name=name.encode(), data=data) for name, data in files_of_day_2().items() if name not in but.split()]
    return [*more, *own] if before else [*own, *more]


def zipped(*more: Part, but: str = "", **record: object) -> bytes:
    """Return a zip of the second day's files and of others; `record` is what the end record says otherwise."""
    return craft(parts(*more, but=but), **record)  # type: ignore[arg-type]
