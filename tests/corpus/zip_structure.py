"""Bad zips by structure and by the names in them: trailing and leading bytes, records that disagree, odd members.

What may be bytes that have not come yet waits; what can never become one plain zip is rejected; what is unambiguous
all the same is taken, and told.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

from corpus.case import Case, Made, Verdict
from corpus.sound import files_of_day_2, parts, zipped
from zipcraft import FULL_32, Part, craft, descriptor, streamed

USERS = Part(name=b"users.csv", data=files_of_day_2()["users.csv"])
ORGS = Part(name=b"orgs.csv", data=files_of_day_2()["orgs.csv"])
NOTES = Part(name=b"notes.txt", data=b"Exported at night.\n")
PLAIN = zipped()
NOTED = zipped(NOTES)


def users(**changes: object) -> bytes:
    """Return the sound zip but for its member `users.csv`."""
    return zipped(replace(USERS, **changes), but="users.csv")  # type: ignore[arg-type]


def noted(**changes: object) -> bytes:
    """Return the sound zip and a member that is not read, with changes."""
    return zipped(replace(NOTES, **changes))  # type: ignore[arg-type]


def named(name: bytes, flags: int = 0) -> bytes:
    """Return the sound zip and a member of that name which is not read."""
    return noted(name=name, flags=flags)


def waits(name: str, bad: Made, says: str, twin: bytes = PLAIN) -> Case:
    """Return a case that may yet become whole, and is rejected when it does not."""
    return Case(name=name, bad=bad, twin=twin, verdict=Verdict.WAITS, code="incomplete-zip", says=says)


def unsafe(name: str, bad: Made, says: str, twin: bytes = PLAIN) -> Case:
    """Return a case that is no plain zip."""
    return Case(name=name, bad=bad, twin=twin, verdict=Verdict.REJECTED, code="unsafe-zip", says=says)


def rejected(name: str, bad: Made, code: str, says: str, twin: bytes = PLAIN) -> Case:
    """Return a case that is rejected with another finding."""
    return Case(name=name, bad=bad, twin=twin, verdict=Verdict.REJECTED, code=code, says=says)


def taken(name: str, bad: Made, code: str, says: str) -> Case:
    """Return a case that is taken all the same, and told."""
    return Case(name=name, bad=bad, twin=PLAIN, verdict=Verdict.ACCEPTED, code=code, says=says)


def false_end(comment: int) -> Part:
    """Return a member whose data reads as an end record with a comment of that length."""
    return replace(NOTES, data=b"PK\5\6" + bytes(16) + comment.to_bytes(2, "little"), method=0)


def ends_twice() -> bytes:
    """Return a zip in which a member's data is an end record, and its comment all that follows."""
    raw = zipped(false_end(0))
    return zipped(false_end(len(raw) - raw.index(b"PK\5\6") - 22))


def unicode_path(name: bytes) -> bytes:
    """Return an Info-ZIP Unicode path field."""
    return struct.pack("<2HBL", 0x7075, len(name) + 5, 1, zlib.crc32(b"notes.txt")) + name


def moved(folder: str, *files: str) -> bytes:
    """Return the sound zip with some files (all, if none is named) in a folder."""
    names = files or tuple(files_of_day_2())
    return craft(
        [replace(one, name=folder.encode() + one.name) if one.name.decode() in names else one for one in parts()]
    )


CUT: Sequence[Case] = [
    waits("a byte behind", PLAIN + b"x", "1 bytes follow"),
    waits("a line behind", PLAIN + b"<html>Upload complete</html>\n", "29 bytes follow"),
    waits("zeros behind", PLAIN + bytes(4096), "4096 bytes follow"),
    waits("cut in the middle", PLAIN[:60] + PLAIN[70:], "10 bytes are missing"),
    waits("cut at half", PLAIN[: len(PLAIN) // 2], "does not end as a zip does"),
    waits("resumed too early", PLAIN[:60] + PLAIN[50:], "10 bytes too many"),
    waits("end in a hole", PLAIN[:-22] + bytes(22), "does not end as a zip does"),
    waits("directory in a hole", PLAIN.replace(b"PK\1\2", bytes(4)), "directory is damaged"),
    waits("header in a hole", users(signature=bytes(4)), "not where the directory says"),
    waits("offset beyond the end", noted(offset=99_999), "not where", NOTED),
    waits("fewer members than counted", zipped(count=8), "counts 8 members"),
    waits("more members than counted", zipped(count=6), "counts 6 members"),
    waits("extra field cut", noted(extra=b"\x01\0\xff\0ab"), "directory is damaged", noted(extra=b"UT\5\0\x03abcd")),
    waits("CRC of 0", users(crc=0), "its CRC does not fit"),
    waits("content in a hole", users(body=bytes(len(USERS.packed))), "users.csv"),
    waits("fewer bytes than declared", users(size=len(USERS.data) + 1), "fewer bytes than it declares"),
    waits("deflated data goes on", users(body=USERS.packed + b"more"), "goes on behind its end"),
    waits("comment cut", zipped(comment=b"abc", comment_length=5), "does not end", zipped(comment=b"abcde")),
    waits("comment longer than told", zipped(comment=b"x" * 65535, comment_length=65534), "follow its end",
          zipped(comment=b"x" * 65535)),
]  # fmt: skip

TWO_READINGS: Sequence[Case] = [
    rejected("a program in front", b"MZ\x90\0" + PLAIN, "not-a-zip", "a Windows program"),
    rejected("a program in front, offsets right", craft(parts(), before=b"#!/bin/sh\n"), "not-a-zip", "does not begin"),
    unsafe("hidden bytes in front", craft(parts(), before=b"PK\3\4 hidden"), "before the first member"),
    unsafe("two zips, one behind the other", zipped(NOTES) + PLAIN, "two zips"),
    unsafe("the same zip twice", PLAIN + PLAIN, "two zips"),
    unsafe("comment is a zip", zipped(comment=craft([ORGS])), "more than one end", zipped(comment=b"PK\3\4 of old")),
    unsafe("comment has an end in it", zipped(comment=b"PK\5\6" + b"x" * 65531), "more than one end",
           zipped(comment=b"PK\5 \6" + b"x" * 65530)),
    unsafe("data is an end", ends_twice(), "more than one end", zipped(false_end(0))),
    unsafe("gap between members", users(behind=b"hidden"), "what follows users.csv"),
    unsafe("gap before the directory", zipped(gap=b"hidden"), "what follows enrollments.csv"),
    unsafe("unlisted member", noted(unlisted=True), "what follows enrollments.csv", NOTED),
    waits("header has another name", users(local_name=b"admin.csv"), "does not agree"),
    waits("header has another method", users(local_method=0), "does not agree"),
    waits("header has another size", users(local_size=3), "does not agree"),
    waits("header has another CRC", users(local_crc=1), "does not agree"),
    waits("header alone says UTF-8", users(local_flags=0x800), "does not agree", users(flags=0x800)),
    waits("header alone says encrypted", users(local_flags=1), "does not agree", users(local_flags=6)),
    waits("descriptor has another CRC",
          zipped(replace(streamed(USERS), behind=descriptor(USERS, crc=1)), but="users.csv"),
          "what follows the data", zipped(streamed(USERS), but="users.csv")),
    unsafe("descriptor is missing", zipped(replace(streamed(USERS), behind=b""), but="users.csv"),
           "neither its descriptor", users(flags=8)),
    unsafe("descriptor unannounced", users(behind=descriptor(USERS)), "neither its descriptor",
           users(flags=8, behind=descriptor(USERS))),
    unsafe("disk number of a split zip", zipped(disk=1), "part of a split zip"),
    unsafe("member on another disk", users(disk=1), "lies in another part"),
    waits("zip64 locator points elsewhere", zipped(zip64=True, zip64_at=0), "locator", zipped(zip64=True)),
    waits("zip64 record counts others", zipped(zip64=True, zip64_count=8), "do not agree",
          zipped(zip64=True, count=0xFFFF)),
    waits("zip64 header has another size", users(zip64=True, local_size=3), "does not agree", users(zip64=True)),
    waits("zip64 record missing", zipped(start=FULL_32), "zip64 end record is missing"),
    unsafe("zip64 record is longer than plain", zipped(zip64=True, zip64_length=45), "not a plain one",
           zipped(zip64=True)),
]  # fmt: skip

MEMBERS: Sequence[Case] = [
    unsafe("symlink", users(data=b"/etc/passwd", attributes=0o120777 << 16), "a link or a device"),
    unsafe("FIFO", noted(attributes=0o010644 << 16), "a link or a device", noted(attributes=0o100600 << 16)),
    unsafe("device", noted(attributes=0o020644 << 16), "a link or a device", noted(attributes=0o100600 << 16)),
    unsafe("folder with content", zipped(replace(USERS, name=b"users.csv/"), but="users.csv"), "content of its own"),
    unsafe("name goes up", named(b"../notes.txt"), "has .. or", NOTED),
    unsafe("name is absolute", named(b"/etc/notes.txt"), "absolute path", NOTED),
    unsafe("name has a drive", named(b"C:notes.txt"), "absolute path", NOTED),
    unsafe("name has a backslash", named(b"..\\notes.txt"), "a backslash", NOTED),
    unsafe("name has a NUL", noted(name=b"users.csv\0.txt"), "control character", NOTED),
    unsafe("name reads from right to left", named("notes\u202evsc.txt".encode(), 0x800), "control character",
           named("Schüler 名簿.txt".encode(), 0x800)),
    unsafe("name marked as UTF-8 is not", named(b"notes\xff.txt", 0x800), "marked as UTF-8", named(b"notes\xff.txt")),
    unsafe("second name is another", noted(extra=unicode_path(b"../x")), "a second name",
           noted(extra=unicode_path(b"notes.txt"))),
    unsafe("no name", named(b""), "no name", NOTED),
    unsafe("two folders deep", moved("export/csv/"), "folders inside it", moved("csv/")),
    unsafe("one file in a folder", moved("csv/", "users.csv"), "folders inside it", moved("csv/")),
    rejected("the same name twice", zipped(USERS), "duplicate-file", "users.csv is in the zip twice"),
    rejected("two cases of a name", zipped(replace(USERS, name=b"Users.CSV")), "duplicate-file",
             "Users.CSV or users.csv", zipped(replace(USERS, name=b"Users.CSV"), but="users.csv")),
    taken("one folder around all", moved("OneRoster 2026/"), "enclosing-folder", "in one folder"),
    taken("upper-case names", craft([replace(one, name=one.name.upper()) for one in parts()]), "file-name-case",
          "ACADEMICSESSIONS.CSV was read as academicSessions.csv"),
    taken("__MACOSX beside the files", zipped(Part(name=b"__MACOSX/._users.csv", data=bytes(82))), "ignored-file",
          "__MACOSX is not"),
    taken(".DS_Store and Thumbs.db", zipped(Part(name=b".DS_Store"), Part(name=b"Thumbs.db")), "ignored-file",
          ".DS_Store is not"),
    taken("name in cp437", named("Schüler.txt".encode("cp437")), "ignored-file", "Schüler.txt is not"),
    taken("name in UTF-8 without the mark", named("名簿.txt".encode()), "ignored-file", "is not a roster file"),
    taken("name in Shift-JIS with a backslash in a sign", named("一覧表.txt".encode("shift_jis")), "ignored-file",
          "is not a roster file"),
]  # fmt: skip

CASES = [*CUT, *TWO_READINGS, *MEMBERS]
