"""Files that are no proper CSV, or not of the columns that they should have.

A record that has another shape than its header says is held back alone. A header that does not say which column is
which rejects the file; one that says it in other words than the standard's is understood.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from builders import Roster, csv_of, enrollment, klass, row
from corpus.case import Case, Verdict
from corpus.sound import (
    DAY_1,
    DAY_2,
    USERS,
    canary,
    drop,
    file_of,
    files_of_day_2,
    joined,
    lines_of,
    pupil,
    replaced,
    with_cells,
    with_line,
    without_news_of,
    zipped,
)
from zipcraft import Part

from schemas import NAMES, load

LINES = lines_of()
HEADER, ROWS = LINES[0], LINES[1:]
COLUMNS = HEADER.decode().split(",")
LATER_2 = canary("later", 2).encode()


def held(name: str, users: bytes, code: str, *, count: int = 1, word: str = canary("later", 2), feed: str = "") -> Case:
    """Return a case in which U2, and nobody else who is known, is held back; in its twin U2's family name is `word`."""
    twin = with_cells("U2", familyName=word)
    return Case(
        name=name, bad=drop(users=users), twin=drop(users=file_of(twin)), verdict=Verdict.PARTLY, code=code,
        file="users.csv", line=3, held_back=count, after=without_news_of("U2"), twin_after=twin,
        feed=feed,
    )  # fmt: skip


def unseen(name: str, users: bytes, code: str, line: int, count: int = 1) -> Case:
    """Return a case in which what is held back is of nobody who has news, and nobody is taken for absent."""
    return Case(
        name=name, bad=drop(users=users), verdict=Verdict.PARTLY, code=code, file="users.csv", line=line,
        held_back=count,
    )  # fmt: skip


def refused(
    name: str, users: bytes, code: str, says: str = "", line: int | None = 1, twin: bytes | None = None
) -> Case:
    """Return a case in which the file as a whole is no good."""
    return Case(
        name=name, bad=drop(users=users), twin=drop(users=twin) if twin else drop(), verdict=Verdict.REJECTED,
        code=code, file="users.csv", line=line, says=says,
    )  # fmt: skip


def taken(name: str, users: bytes, code: str | None, line: int | None = 1, twin: bytes | None = None) -> Case:
    """Return a case in which the file is understood all the same."""
    return Case(
        name=name, bad=drop(users=users), twin=drop(users=twin) if twin else drop(), verdict=Verdict.ACCEPTED,
        code=code, file="users.csv" if code else None, line=line if code else None,
    )  # fmt: skip


def each_row(change: Callable[[bytes], bytes], header: bytes = HEADER) -> bytes:
    """Return users.csv with every row changed, and another header if one is given."""
    return joined([header, *map(change, ROWS)])


def headed(old: str, new: str) -> bytes:
    """Return users.csv with one column under another name."""
    names = [new if name == old else name for name in COLUMNS]
    return joined([",".join(names).encode(), *ROWS])


def without_column(name: str, file: str = "users.csv") -> bytes:
    """Return a file without one of its columns."""
    cells = [line.split(b",") for line in lines_of(file)]
    at = cells[0].index(name.encode())
    return joined([b",".join(one[:at] + one[at + 1 :]) for one in cells], b"\r\n")


def reordered() -> bytes:
    """Return users.csv with its second column last."""
    return joined([b",".join((cells := line.split(b","))[:1] + cells[2:] + cells[1:2]) for line in LINES])


# Records --------------------------------------------------------------------------------------------------------


def broken(breaks: int) -> bytes:
    """Return users.csv with U2's family name in quotes and so many line breaks in it."""
    return replaced(LATER_2, b'"' + LATER_2 + b"\r\nx" * breaks + b'"')


def joined_by_quotes() -> Case:
    """Return a case of a stray quote before one name and behind the next: two records, not one."""
    before, behind = canary("later", 2).encode(), canary("later", 3).encode()
    users = replaced(before, b'"' + before).replace(behind, behind + b'"', 1)
    return Case(
        name="a quote that closes in the next record", bad=drop(users=users), verdict=Verdict.PARTLY,
        code="misplaced-quote", file="users.csv", line=3, held_back=2, after=without_news_of("U2", "U3"),
    )  # fmt: skip


def wide(columns: int) -> bytes:
    """Return users.csv with so many columns, the vendor's own behind the standard's."""
    more = columns - len(COLUMNS)
    return each_row(lambda line: line + b"," * more, HEADER + b"".join(b",metadata.c%d" % n for n in range(more)))


def noise(length: int) -> bytes:
    """Return text that does not pack well, always the same."""
    return hashlib.shake_256(b"noise").hexdigest(length // 2).encode()


@cache
def two_hundred_mebibytes() -> bytes:
    """Return a zip whose users.csv has a value of 200 MiB, without ever having it in memory.

    The same deflated mebibyte comes 200 times; each is a block of its own, and inflates to itself.
    """
    mebibyte = noise(1 << 14) * 64
    head, tail = joined(LINES[:2]) + b"U2,", b",\r\n"
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = machine.compress(mebibyte) + machine.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    for _ in range(200):
        crc = zlib.crc32(mebibyte, crc)
    first, last = _stored(head), _stored(tail, is_last=True)
    size = len(head) + (200 << 20) + len(tail)
    users = Part(name=b"users.csv", body=first + block * 200 + last, crc=zlib.crc32(tail, crc), size=size)
    return zipped(users, but="users.csv")


def _stored(data: bytes, *, is_last: bool = False) -> bytes:
    """Return data as a block of a deflate stream that is not packed."""
    return bytes([is_last]) + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data


SHAPES: Sequence[Case] = [
    refused("one field too many on every row", each_row(lambda line: line + b","), "nothing-valid", line=None),
    refused("one name too many in the header", each_row(bytes, HEADER + b",nickname"), "nothing-valid", line=None),
    refused("one field too few on every row", each_row(lambda line: line[:-1]), "nothing-valid", line=None),
    held("one field too many on one row", with_line(3, LINES[2] + b","), "field-count"),
    held("one field too few on one row", with_line(3, LINES[2][:-1]), "field-count"),
    unseen("last line cut", joined(LINES)[:-40], "field-count", 31),
    unseen("last line cut in its id", joined(LINES[:-1]) + b"U3", "field-count", 31),
    held("quote that closes 29 rows on", joined([HEADER, ROWS[0], ROWS[1] + b'"', *ROWS[2:-1], ROWS[-1] + b'"']),
         "misplaced-quote", count=2),
    held("quote that never closes", replaced(LATER_2, b'"' + LATER_2), "misplaced-quote"),
    joined_by_quotes(),
    held("quotes inside a value", replaced(LATER_2, LATER_2 + b' "Ann" x'), "misplaced-quote",
         word=f'{LATER_2.decode()} "Ann" x'),
    held("a value goes on behind its quotes", replaced(LATER_2, b'"' + LATER_2 + b'"x'), "misplaced-quote",
         word=f'{LATER_2.decode()}"x'),
    held("blank before a quote", replaced(LATER_2, b' "' + LATER_2 + b'"'), "misplaced-quote",
         word=f'"{LATER_2.decode()}"'),
    held("a line break in a value", broken(1), "line-break-in-field", word=f"{LATER_2.decode()} x"),
    held("five line breaks in a value", broken(5), "line-break-in-field", word=f"{LATER_2.decode()}, x"),
    held("six line breaks in a value", broken(6), "misplaced-quote", count=7,
         feed='[limits]\nmax_held_back = "50%"\n'),
    held("a lone carriage return in a value", replaced(LATER_2, b"\r" + LATER_2), "control-character"),
    held("an escape sequence in a value", replaced(LATER_2, b"\x1b[2J" + LATER_2), "control-character",
         word=f"[2J{LATER_2.decode()}"),
    unseen("zeros at the end", joined(LINES) + bytes(4096), "control-character", 32),
    unseen("Ctrl-Z at the end", joined(LINES) + b"\x1a", "control-character", 32),
    held("a million commas on a line", with_line(3, LINES[2] + b"," * 1_000_000), "field-count"),
    held("a million filled fields on a line", with_line(3, LINES[2] + b",x" * 500_000), "field-count"),
    held("a value beyond 64 KiB", replaced(LATER_2, b"x" * 65_537), "field-too-long", word="x" * 65_536),
    refused("a line beyond 1 MiB", with_line(3, LINES[2] + noise(1_200_000)), "line-too-long", "1048576", 3),
    Case(name="a value of 200 MiB", bad=two_hundred_mebibytes, verdict=Verdict.REJECTED, code="line-too-long",
         file="users.csv", line=3),
    taken("blank lines", joined([*LINES[:2], b"", *LINES[2:], b"", b""]), "blank-line", 3),
    taken("lines of commas alone", joined([*LINES, b"," * len(COLUMNS), b",,", b"," * 40]), "blank-line", 32),
    taken("CRLF and LF", joined(LINES[:9]) + joined(LINES[9:], b"\n"), None),
    taken("no line end at the end", b"\r\n".join(LINES), None),
]  # fmt: skip

# Headers --------------------------------------------------------------------------------------------------------


def separated_by(mark: bytes) -> bytes:
    """Return users.csv with another separator."""
    return files_of_day_2()["users.csv"].replace(b",", mark)


def mass_change() -> Case:
    """Return a case in which an optional column that everybody filled is not there: all would lose it."""
    return Case(
        name="optional column gone that was filled", bad=drop(users=without_column("middleName")),
        verdict=Verdict.HELD, code="too-many-updates", file="users",
    )  # fmt: skip


HEADERS: Sequence[Case] = [
    refused("a name twice", headed("middleName", "familyName"), "duplicate-column"),
    refused("a name twice but for case", headed("middleName", "FamilyName"), "duplicate-column"),
    refused("no header", joined(ROWS), "missing-header", "none of the standard's names"),
    refused("a blank first line", b"\r\n" + joined(LINES), "missing-header", "the first line is blank"),
    refused("Excel's line before the header", b"sep=,\r\n" + joined(LINES), "missing-header", "Excel's sep="),
    refused("semicolons", separated_by(b";"), "missing-header", "not separated by commas"),
    refused("tabs", separated_by(b"\t"), "missing-header", "not separated by commas"),
    refused("pipes", separated_by(b"|"), "missing-header", "not separated by commas"),
    refused("carriage returns alone", joined(LINES, b"\r"), "missing-header", "carriage return alone"),
    refused("carriage returns doubled", joined(LINES, b"\r\r\n"), "missing-header", "two carriage returns"),
    refused("the header in one pair of quotes", joined([b'"' + HEADER + b'"', *ROWS]), "missing-header",
            "one pair of quotes"),
    refused("half a million columns", joined([HEADER + b",a" * 500_000, *ROWS]), "missing-header", "256 columns"),
    refused("257 columns", wide(257), "missing-header", "256 columns", twin=wide(256)),
    refused("a header alone", HEADER + b"\r\n", "empty-file", line=None),
    refused("a header alone without a line end", HEADER, "empty-file", line=None),
    refused("no bytes", b"", "missing-header", "it is empty", line=None),
    refused("a required column is missing", without_column("familyName"), "missing-column"),
    refused("a required column has no name", headed("familyName", ""), "missing-column"),
    taken("an optional column is missing", without_column("sms"), "missing-optional-column"),
    taken("an optional column has no name", headed("sms", ""), "missing-optional-column"),
    mass_change(),
    taken("a column that the standard does not know", each_row(lambda line: line + b",x", HEADER + b",nickname"),
          "unknown-column", twin=each_row(lambda line: line + b",", HEADER + b",metadata.nickname")),
    taken("another order", reordered(), "header-order"),
    taken("another case", joined([HEADER.replace(b"sourcedId", b"SourcedID"), *ROWS]), "header-case"),
    taken("trailing blank names", joined([HEADER + b",,", *ROWS]), "trailing-columns"),
    taken("trailing blank names and cells", each_row(lambda line: line + b",,", HEADER + b",,"), "trailing-columns"),
]  # fmt: skip

# Names of other versions, and of the REST interface -------------------------------------------------------------


def alias(old: str, new: str) -> Case:
    """Return a case of a column under a name that nothing else can mean."""
    return taken(f"{new} for {old}", headed(old, new), "header-alias")


def misnamed_birth_date() -> Case:
    """Return a case of a 1.0 name that differs in case alone."""
    people = {"demographics": [row("demographics", sourcedId="U1", birthDate="2010-02-03")]}
    good, after = csv_of(people["demographics"]).encode(), {**DAY_2, **people}
    return Case(
        name="birthdate for birthDate", bad=_with_demographics(good.replace(b"birthDate", b"birthdate")),
        twin=_with_demographics(good), verdict=Verdict.ACCEPTED, code="header-case", file="demographics.csv", line=1,
        after=after, twin_after=after, feed="\n[scope]\ndemographics = true\n",
    )  # fmt: skip


def _with_demographics(content: bytes) -> bytes:
    manifest = files_of_day_2()["manifest.csv"].replace(b"demographics,absent", b"demographics,bulk")
    return drop(manifest=manifest, demographics=content)


def rest_names(file: str, names: Mapping[str, str]) -> Case:
    """Return a case of a header as the REST interface calls things: not guessed, but the finding has the hint."""
    content = joined(lines_of(file))
    for name, rest in names.items():
        content = re.sub(rb"(?<![A-Za-z])%s(?![A-Za-z])" % name.encode(), rest.encode(), content, count=1)
    return Case(
        name=f"REST names in {file}", bad=drop(**{file.removesuffix(".csv"): content}), verdict=Verdict.REJECTED,
        code="missing-column", file=file, line=1,
        says=f"the file has {next(iter(names.values()))}, which the standard calls {next(iter(names))}",
    )  # fmt: skip


def set_1_2(given: Roster, misspelt: str = "") -> bytes:
    """Return a drop of OneRoster 1.2, in which one column may have another spelling."""
    users, roles = load("1.2")["users"].header, load("1.2")["roles"].header
    people = [{name: one.get(name, "") for name in users} for one in given["users"]]
    kind = {"roleType": "primary", "role": "student", "orgSourcedId": "S1"}
    ids = [one["sourcedId"] for one in given["users"]]
    held = [{**dict.fromkeys(roles, ""), "sourcedId": f"R-{one}", "userSourcedId": one, **kind} for one in ids]
    modes = dict.fromkeys((*given, "roles"), "bulk")
    lines = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2"]
    lines += [f"file.{name},{modes.get(name, 'absent')}" for name in sorted(NAMES["1.2"])]
    content = csv_of(people).replace("preferredGivenName", misspelt or "preferredGivenName")
    manifest = joined([line.encode() for line in lines])
    return drop(manifest=manifest, users=content.encode(), roles=csv_of(held).encode())


def misspelt_in_1_2() -> Case:
    """Return a case of a spelling that real exporters have, in a column that only 1.2 knows."""
    first, second = ({"users": [{**one, "preferredGivenName": canary("preferred", i)} for i, one in enumerate(users)]}
                     for users in (DAY_1["users"], DAY_2["users"]))  # fmt: skip
    kept = ("sourcedId", "username", "givenName", "familyName", "preferredGivenName")
    after = {"users": [{name: one[name] for name in kept} for one in second["users"]]}
    return Case(
        name="prefferedGivenName for preferredGivenName", bad=set_1_2({**DAY_2, **second}, "prefferedGivenName"),
        twin=set_1_2({**DAY_2, **second}), verdict=Verdict.ACCEPTED, code="header-alias", file="users.csv", line=1,
        after=after, twin_after=after, day_1=set_1_2({**DAY_1, **first}),
    )  # fmt: skip


OTHER_NAMES: Sequence[Case] = [
    alias("userIds", "userId"),
    alias("agentSourcedIds", "agents"),
    alias("grades", "grade"),
    alias("middleName", "middleNames"),
    alias("orgSourcedIds", "orgSourceIds"),
    alias("dateLastModified", "dateModified"),
    alias("dateLastModified", "dataLastModified"),
    misnamed_birth_date(),
    misspelt_in_1_2(),
    rest_names("classes.csv", {"courseSourcedId": "course", "schoolSourcedId": "school", "termSourcedIds": "terms"}),
    rest_names("users.csv", {"orgSourcedIds": "orgs"}),
    rest_names("enrollments.csv", {"userSourcedId": "user", "classSourcedId": "class", "schoolSourcedId": "school"}),
]

# Words that mean something elsewhere ------------------------------------------------------------------------------

WORDS = ("NA", "None", "NULL", "nan", "N/A", "null", "TRUE", "007", "1e5", "-", "1.50", "#N/A", "=1+1", "+1")


def names_as_they_are() -> Case:
    """Return a case of families whose names software takes for nothing or for numbers."""
    after = DAY_2
    for number, word in enumerate(WORDS, 1):
        after = with_cells(f"U{number}", of=after, familyName=word)
    bad = drop(users=file_of(after))
    return Case(name="names such as NA, NULL and 007", bad=bad, verdict=Verdict.ACCEPTED, code=None, after=after)


def ids_as_they_are() -> Case:
    """Return a case of ids that software takes for nothing or for numbers."""
    ids = [word for word in WORDS if re.fullmatch(r"[0-9A-Za-z./@_-]+", word)]
    users = [pupil(USERS + 1 + i, sourcedId=one) for i, one in enumerate(ids)]
    enrolled = [enrollment(90 + i, sourcedId=f"E-{one}", userSourcedId=one) for i, one in enumerate(ids)]
    more = {"users": users, "enrollments": enrolled, "classes": [klass(3, title="007")]}
    after = {name: [*rows, *more.get(name, [])] for name, rows in DAY_2.items()}
    bad = drop(**{name: file_of(after, name) for name in more})
    return Case(name="ids such as NA, NULL and 007", bad=bad, verdict=Verdict.ACCEPTED, code=None, after=after)


CASES = [*SHAPES, *HEADERS, *OTHER_NAMES, names_as_they_are(), ids_as_they_are()]
