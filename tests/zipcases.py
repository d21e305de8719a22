"""The odd zips, each with its nearest legal twin: what is said of the one, and that the other is taken."""

import struct
import zlib
from dataclasses import dataclass, replace

from zipcraft import FULL_32, Part, craft, deflate, descriptor, streamed

from ingestd.unpack import PackageLimits

BIG = b"".join(b"u%d,active\r\n" % n for n in range(150_000))
"""Above the size from which the ratio counts, and far from the limit."""


@dataclass(frozen=True)
class Odd:
    """A zip that is not taken: the finding's code, words of its detail, and the twin that is taken."""

    name: str
    raw: bytes
    code: str
    says: str
    twin: bytes
    limits: PackageLimits = PackageLimits()  # noqa: RUF009 - frozen


MANIFEST = Part(name=b"manifest.csv", data=b"propertyName,value\r\n")
USERS = Part()
ORGS = Part(name=b"orgs.csv", data=b"sourcedId\r\no1\r\n")
PLAIN = craft([MANIFEST, USERS, ORGS])
STORED = replace(USERS, method=0)
NESTED = craft([MANIFEST, Part(name=b"inner.zip", data=craft([ORGS]), method=0)])
EMPTY = craft([])


def one(**changes: object) -> bytes:
    """Return a good zip but for one member, `users.csv` with the changes."""
    return craft([MANIFEST, replace(USERS, **changes), ORGS])  # type: ignore[arg-type]


def named(name: bytes, flags: int = 0) -> bytes:
    """Return a good zip but for one member's name."""
    return craft([MANIFEST, replace(USERS, name=name, flags=flags)])


def unicode_path(name: bytes) -> bytes:
    """Return an Info-ZIP Unicode path field."""
    return struct.pack("<2HBL", 0x7075, len(name) + 5, 1, zlib.crc32(b"users.csv")) + name


def sized(**changes: object) -> Part:
    """Return a zip64 member whose header and directory both tell the same wrong size."""
    return replace(USERS, zip64=True, **changes)  # type: ignore[arg-type]


def quoted_overlap() -> bytes:
    """Return Fifield's overlap: the first member's stored data is the second member, header and all."""
    inner = ORGS.laid()
    first = Part(name=b"users.csv", data=inner, method=0)
    return craft([first, replace(ORGS, offset=30 + len(b"users.csv"))])


def false_end(comment: int) -> Part:
    """Return a member that reads as an end record; with a comment of 131 bytes it would end the zip with one more."""
    return Part(name=b"orgs.csv", data=b"PK\5\6" + bytes(16) + comment.to_bytes(2, "little"), method=0)


HEADS = {
    "gzip": (b"\x1f\x8b\x08\0" + b"x" * 40, "a gzip file"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c" + b"x" * 40, "a 7-Zip archive"),
    "RAR": (b"Rar!\x1a\x07" + b"x" * 40, "a RAR archive"),
    "PDF": (b"%PDF-1.7\n" + b"x" * 40, "a PDF"),
    "PGP": (b"-----BEGIN PGP MESSAGE-----\n", "a PGP message"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "CSV": (b"sourcedId,status\r\n", "does not begin as a zip does"),
    "UTF-16 text": ("sourcedId".encode("utf-16"), "does not begin as a zip does"),
    "self-extracting": (b"MZ\x90\0" + PLAIN, "a Windows program"),
    "split zip": (b"PK\x07\x08" + PLAIN, "a part of a split zip"),
    "one byte in front": (b"\n" + PLAIN, "does not begin as a zip does"),
}
METHODS = {1: "method 1", 6: "method 6", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
KINDS = {"symlink": 0o120777, "fifo": 0o010644, "character device": 0o020644, "block device": 0o060644,
         "socket": 0o140755, "folder without slash": 0o040755}  # fmt: skip
NAMES = {
    "parent": (b"../users.csv", ".."),
    "parent inside": (b"a/../users.csv", ".."),
    "dot": (b"./users.csv", "empty part"),
    "doubled slash": (b"a//users.csv", "empty part"),
    "absolute": (b"/etc/users.csv", "absolute path"),
    "drive": (b"C:users.csv", "absolute path"),
    "drive and backslash": (b"C:\\users.csv", "backslash"),
    "backslash": (b"..\\users.csv", "backslash"),
    "NUL": (b"users.csv\0.exe", "control character"),
    "line end": (b"users\n.csv", "control character"),
    "escape": (b"\x1b[2Jusers.csv", "control character"),
    "empty": (b"", "no name"),
    "long": (b"x" * 300, "too long"),
}

CASES = [
    *(Odd(f"head: {name}", raw, "not-a-zip", says, PLAIN) for name, (raw, says) in HEADS.items()),
    # Still on its way, or damaged -------------------------------------------------------------------------------
    Odd("nothing", b"", "incomplete-zip", "it is empty", EMPTY),
    Odd("first byte", b"P", "incomplete-zip", "does not end", EMPTY),
    Odd("zeros", bytes(5000), "incomplete-zip", "begins with zeros", PLAIN),
    Odd("end in a hole", PLAIN[:-22] + bytes(22), "incomplete-zip", "does not end", PLAIN),
    Odd("zeros behind", PLAIN + bytes(100), "incomplete-zip", "100 bytes follow", PLAIN),
    Odd("bytes behind", PLAIN + b"x", "incomplete-zip", "1 bytes follow", PLAIN),
    Odd("cut in the middle", PLAIN[:60] + PLAIN[70:], "incomplete-zip", "10 bytes are missing", PLAIN),
    Odd("resumed too early", PLAIN[:60] + PLAIN[50:], "incomplete-zip", "10 bytes too many", PLAIN),
    Odd("nested zip, cut at its end", NESTED[: NESTED.index(b"PK\5\6") + 22], "incomplete-zip", "too many", NESTED),
    Odd("comment cut", craft([USERS], comment=b"abc", comment_length=5), "incomplete-zip", "does not end",
        craft([USERS], comment=b"abcde")),
    Odd("comment too long", craft([USERS], comment=b"abcde", comment_length=3), "incomplete-zip", "follow its end",
        craft([USERS], comment=b"x" * 65535)),
    Odd("fewer members than counted", craft([USERS], count=2), "incomplete-zip", "counts 2 members", craft([USERS])),
    Odd("more members than counted", craft([USERS, ORGS], count=1), "incomplete-zip", "counts 1 members",
        craft([USERS, ORGS])),
    Odd("directory in a hole", PLAIN.replace(b"PK\1\2", bytes(4)), "incomplete-zip", "directory is damaged", PLAIN),
    Odd("name in a hole", craft([USERS]).replace(b"users.csvPK\5", bytes(9) + b"PK\5"), "incomplete-zip",
        "does not agree", craft([USERS])),
    Odd("header in a hole", one(signature=bytes(4)), "incomplete-zip", "not where the directory says", PLAIN),
    Odd("offset beyond the end", craft([USERS, replace(ORGS, offset=9999)]), "incomplete-zip", "not where",
        craft([USERS, ORGS])),
    Odd("extra field cut", one(extra=b"\x01\0\xff\0ab"), "incomplete-zip", "directory is damaged",
        one(extra=b"UT\5\0\x03abcd")),
    # More than one reading ----------------------------------------------------------------------------------------
    Odd("header: name", one(local_name=b"evilx.csv"), "incomplete-zip", "users.csv does not agree", PLAIN),
    Odd("header: method", one(local_method=0), "incomplete-zip", "does not agree", PLAIN),
    Odd("header: encrypted", one(local_flags=1), "incomplete-zip", "does not agree", one(local_flags=6)),
    Odd("header: UTF-8", one(local_flags=0x800), "incomplete-zip", "does not agree", one(flags=0x800)),
    Odd("header: descriptor", one(local_flags=8), "incomplete-zip", "does not agree", one(flags=8)),
    Odd("header: CRC", one(local_crc=1), "incomplete-zip", "does not agree", PLAIN),
    Odd("header: compressed size", one(local_compressed=3), "incomplete-zip", "does not agree", PLAIN),
    Odd("header: size", one(local_size=3), "incomplete-zip", "does not agree", PLAIN),
    Odd("same data, two names", craft([USERS, replace(ORGS, offset=0)]), "incomplete-zip", "orgs.csv does not agree",
        craft([USERS, ORGS])),
    Odd("same member twice", craft([USERS, replace(USERS, offset=0)]), "unsafe-zip", "overlaps", craft([USERS])),
    Odd("quoted overlap", quoted_overlap(), "unsafe-zip", "users.csv overlaps",
        craft([replace(USERS, name=b"inner.zip", data=ORGS.laid(), method=0), ORGS])),
    Odd("gap between members", one(behind=b"hidden"), "unsafe-zip", "what follows users.csv", PLAIN),
    Odd("gap before the directory", craft([USERS], gap=b"hidden"), "unsafe-zip", "what follows users.csv",
        craft([USERS])),
    Odd("unlisted first member", craft([replace(ORGS, unlisted=True), USERS]), "unsafe-zip", "before the first member",
        craft([ORGS, USERS])),
    Odd("unlisted member", craft([USERS, replace(ORGS, unlisted=True)]), "unsafe-zip", "what follows users.csv",
        craft([USERS, ORGS])),
    Odd("two zips", PLAIN + craft([ORGS]), "unsafe-zip", "two zips", NESTED),
    Odd("comment is a zip", craft([USERS], comment=craft([ORGS])), "unsafe-zip", "more than one end",
        craft([USERS], comment=b"PK\3\4 of nothing")),
    Odd("comment has an end in it", craft([USERS], comment=b"PK\5\6" + b"x" * 30), "unsafe-zip", "more than one end",
        craft([USERS], comment=b"PK\5 \6" + b"x" * 30)),
    Odd("data is an end", craft([USERS, false_end(131)]), "unsafe-zip", "more than one end",
        craft([USERS, false_end(130)])),
    # Descriptors --------------------------------------------------------------------------------------------------
    *(Odd(f"descriptor of {length} with another CRC",
          craft([replace(streamed(USERS, length), behind=descriptor(USERS, length, crc=1)), ORGS]),
          "incomplete-zip", "what follows the data", craft([streamed(USERS, length), ORGS]))
      for length in (12, 16, 20, 24)),
    Odd("descriptor of 13", craft([replace(streamed(USERS), behind=descriptor(USERS, 12) + b"x")]), "unsafe-zip",
        "neither its descriptor", craft([streamed(USERS)])),
    Odd("no descriptor", craft([replace(streamed(USERS), behind=b"")]), "unsafe-zip", "neither its descriptor",
        craft([replace(USERS, flags=8)])),
    Odd("descriptor unannounced", one(behind=descriptor(USERS)), "unsafe-zip", "neither its descriptor",
        one(flags=8, behind=descriptor(USERS))),
    # Split, zip64 -------------------------------------------------------------------------------------------------
    Odd("disk number", craft([USERS], disk=1), "unsafe-zip", "part of a split zip", craft([USERS])),
    Odd("members on this disk", craft([USERS], here=0), "unsafe-zip", "part of a split zip", craft([USERS], here=1)),
    Odd("member on another disk", one(disk=1), "unsafe-zip", "users.csv lies in another part", PLAIN),
    Odd("zip64: disks", craft([USERS], zip64=True, zip64_disks=2), "unsafe-zip", "split zip",
        craft([USERS], zip64=True)),
    Odd("zip64: locator", craft([USERS], zip64=True, zip64_at=0), "incomplete-zip", "locator",
        craft([sized()], zip64=True)),
    Odd("zip64: counts", craft([USERS], zip64=True, zip64_count=2), "incomplete-zip", "do not agree",
        craft([USERS], zip64=True, count=0xFFFF)),
    Odd("zip64: length", craft([USERS], zip64=True, zip64_length=45), "unsafe-zip", "not a plain one",
        craft([USERS], zip64=True)),
    Odd("zip64: start", craft([USERS], zip64=True, zip64_start=0), "incomplete-zip", "too many",
        craft([USERS], zip64=True)),
    Odd("zip64: record missing", craft([USERS], start=FULL_32), "incomplete-zip", "zip64 end record is missing",
        craft([USERS])),
    Odd("zip64: header size", craft([sized(local_size=3)]), "incomplete-zip", "does not agree", craft([sized()])),
    Odd("zip64: offset 2^63", craft([USERS, sized(offset=1 << 63)]), "incomplete-zip", "not where",
        craft([USERS, replace(sized(), name=b"orgs.csv")])),
    # What is not opened -------------------------------------------------------------------------------------------
    Odd("encrypted", one(flags=0x1), "unsafe-zip", "users.csv is encrypted", one(flags=0x2)),
    Odd("strongly encrypted", one(flags=0x41), "unsafe-zip", "users.csv is encrypted", one(flags=0x4)),
    Odd("masked directory", one(flags=0x2000), "unsafe-zip", "users.csv is encrypted", PLAIN),
    Odd("AES", one(method=99, flags=1), "unsafe-zip", "users.csv is encrypted", PLAIN),
    Odd("AES by method alone", one(method=99), "unsafe-zip", "AES encryption", PLAIN),
    Odd("patch", one(flags=0x20), "unsafe-zip", "users.csv is a patch", PLAIN),
    *(Odd(f"packed with {says}", one(method=method), "unsafe-zip", says, one(method=0))
      for method, says in METHODS.items()),
    Odd("format 9.9", one(version=99), "unsafe-zip", "newer version", one(version=45)),
    *(Odd(kind, one(attributes=mode << 16), "unsafe-zip", "a link or a device", one(attributes=0o100600 << 16))
      for kind, mode in KINDS.items()),
    Odd("folder with content", craft([replace(USERS, name=b"users/")]), "unsafe-zip", "content of its own",
        craft([Part(name=b"x/", data=b"", method=0, attributes=0o40755 << 16), replace(USERS, name=b"x/users.csv")])),
    *(Odd(f"name: {name}", named(raw), "unsafe-zip", says, named(b"users.csv")) for name, (raw, says) in NAMES.items()),
    Odd("name: right to left", named("users\u202evsc.exe".encode(), 0x800), "unsafe-zip", "control character",
        named("Schüler 名簿.txt".encode(), 0x800)),
    Odd("name: not UTF-8", named(b"users\xff.csv", 0x800), "unsafe-zip", "marked as UTF-8", named(b"users\xff.csv")),
    Odd("name: a second one", one(extra=unicode_path(b"../x")), "unsafe-zip", "a second name",
        one(extra=unicode_path(b"users.csv"))),
    Odd("folders: a document", craft([replace(USERS, name=b"word/document.xml"), replace(USERS, name=b"a.xml")]),
        "unsafe-zip", "folders inside it: word/document.xml", craft([replace(USERS, name=b"document.xml")])),
    Odd("folders: two deep", craft([replace(USERS, name=b"a/b/users.csv")]), "unsafe-zip", "folders inside it",
        craft([replace(USERS, name=b"b/users.csv")])),
    Odd("folders: two", craft([replace(USERS, name=b"a/users.csv"), replace(ORGS, name=b"b/orgs.csv")]), "unsafe-zip",
        "folders inside it", craft([replace(USERS, name=b"a/users.csv"), replace(ORGS, name=b"a/orgs.csv")])),
    Odd("twice", craft([USERS, ORGS, USERS]), "duplicate-file", "users.csv is in the zip twice", craft([USERS, ORGS])),
    Odd("twice but for case", craft([USERS, replace(USERS, name=b"Users.CSV")]), "duplicate-file",
        "Users.CSV or users.csv", craft([ORGS, replace(USERS, name=b"Users.CSV")])),
    # Limits -------------------------------------------------------------------------------------------------------
    Odd("65 members", craft([replace(USERS, name=b"%d.txt" % n) for n in range(65)]), "zip-too-large", "65 members",
        craft([replace(USERS, name=b"%d.txt" % n) for n in range(64)])),
    Odd("65,000 empty members", craft([Part(name=b"%d" % n, data=b"", method=0) for n in range(65_000)]),
        "zip-too-large", "65000 members", craft([Part(name=b"1", data=b"", method=0)])),
    Odd("huge directory", craft([replace(USERS, name=b"%d.txt" % n, comment=b"x" * 60_000) for n in range(20)]),
        "zip-too-large", "its directory", craft([replace(USERS, comment=b"x" * 60_000)])),
    Odd("4 GiB and a byte declared", craft([sized(size=(4 << 30) + 1)]), "zip-too-large", "4294967297 bytes",
        craft([sized()])),
    Odd("2^63 declared", craft([sized(size=1 << 63)]), "zip-too-large", "9223372036854775808 bytes", craft([sized()])),
    Odd("more than all may have", craft([replace(STORED, name=b"%d.csv" % n) for n in range(8)]), "zip-too-large",
        "its members have 120 bytes", craft([replace(STORED, name=b"%d.csv" % n) for n in range(6)]),
        PackageLimits(total_bytes=100)),
    Odd("bomb", one(data=bytes(4 << 20)), "zip-too-large", "200 times", one(data=bytes(1 << 20))),
    # Content ------------------------------------------------------------------------------------------------------
    Odd("content: CRC", one(crc=0), "incomplete-zip", "its CRC does not fit", PLAIN),
    Odd("content: a hole", one(body=bytes(len(USERS.packed))), "incomplete-zip", "users.csv", PLAIN),
    Odd("content: more than declared", one(size=3), "incomplete-zip", "more bytes than it declares", PLAIN),
    Odd("content: a bomb that declares little", one(body=deflate(bytes(4 << 20)), size=9), "incomplete-zip",
        "more bytes than it declares", one(data=BIG)),
    Odd("content: fewer than declared", one(size=999), "incomplete-zip", "fewer bytes than it declares", PLAIN),
    Odd("content: stored, size lies", one(method=0, size=999), "incomplete-zip", "fewer bytes", one(method=0)),
    Odd("content: deflate cut", one(body=USERS.packed[:-4]), "incomplete-zip", "cut off", PLAIN),
    Odd("content: deflate goes on", one(body=USERS.packed + b"more"), "incomplete-zip", "goes on behind", PLAIN),
    Odd("content: not deflate", one(body=b"\xff" * 30), "incomplete-zip", "users.csv is damaged", PLAIN),
    Odd("content: a file that is not read", craft([USERS, Part(name=b"readme.txt", crc=5)]), "incomplete-zip",
        "readme.txt is damaged", craft([USERS, Part(name=b"readme.txt")])),
]  # fmt: skip
