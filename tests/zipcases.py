"""Odd zips beside those of the corpus: finer variants, each with its nearest legal twin.

What is said of the one, and that the other is taken, is asked of the reader alone; the corpus runs whole drops.
"""

from dataclasses import dataclass, replace

from corpus import wrappers, zip_resource, zip_structure
from corpus.case import Case, Verdict, bytes_of
from zipcraft import Part, craft, descriptor, streamed

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


MANIFEST = Part(name=b"manifest.csv", data=b"propertyName,value\r\n")
USERS = Part()
ORGS = Part(name=b"orgs.csv", data=b"sourcedId\r\no1\r\n")
PLAIN = craft([MANIFEST, USERS, ORGS])
NESTED = craft([MANIFEST, Part(name=b"inner.zip", data=craft([ORGS]), method=0)])
EMPTY = craft([])


def one(**changes: object) -> bytes:
    """Return a good zip but for one member, `users.csv` with the changes."""
    return craft([MANIFEST, replace(USERS, **changes), ORGS])  # type: ignore[arg-type]


def named(name: bytes, flags: int = 0) -> bytes:
    """Return a good zip but for one member's name."""
    return craft([MANIFEST, replace(USERS, name=name, flags=flags)])


def sized(**changes: object) -> Part:
    """Return a zip64 member whose header and directory both tell the same wrong size."""
    return replace(USERS, zip64=True, **changes)  # type: ignore[arg-type]


HEADS = {
    "UTF-16 text": ("sourcedId".encode("utf-16"), "does not begin as a zip does"),
    "split zip": (b"PK\x07\x08" + PLAIN, "a part of a split zip"),
    "one byte in front": (b"\n" + PLAIN, "does not begin as a zip does"),
}
METHODS = {1: "method 1", 6: "method 6", 98: "PPMd"}
KINDS = {"block device": 0o060644, "socket": 0o140755, "folder without slash": 0o040755}
NAMES = {
    "parent inside": (b"a/../users.csv", ".."),
    "dot": (b"./users.csv", "empty part"),
    "doubled slash": (b"a//users.csv", "empty part"),
    "drive and backslash": (b"C:\\users.csv", "backslash"),
    "line end": (b"users\n.csv", "control character"),
    "escape": (b"\x1b[2Jusers.csv", "control character"),
    "right to left, not marked as UTF-8": ("users\u202evsc.exe".encode(), "control character"),
    "backslash behind a Japanese sign": ("表\\users.csv".encode("cp932"), "backslash"),
    "long": (b"x" * 300, "too long"),
}
REFUSED = {"not-a-zip", "incomplete-zip", "unsafe-zip", "zip-too-large", "duplicate-file"}


def odd(case: Case) -> Odd:
    """Return a case of the corpus as far as the reader of zips has to do with it."""
    assert case.code, "it is refused"
    return Odd(f"corpus: {case.name}", bytes_of(case.bad), case.code, case.says, bytes_of(case.twin))


CORPUS = [
    odd(case)
    for case in (*zip_structure.CASES, *zip_resource.CASES, *wrappers.CASES)
    if case.code in REFUSED and case.verdict in {Verdict.REJECTED, Verdict.WAITS} and not case.feed
]

CASES = [
    *CORPUS,
    *(Odd(f"head: {name}", raw, "not-a-zip", says, PLAIN) for name, (raw, says) in HEADS.items()),
    # Still on its way, or damaged -------------------------------------------------------------------------------
    Odd("first byte", b"P", "incomplete-zip", "does not end", EMPTY),
    Odd("first byte of a file that has its room already", b"P" + bytes(5000), "incomplete-zip", "does not end", EMPTY),
    Odd("end record that has come by half", craft([USERS], here=1, count=0), "incomplete-zip", "fewer members in all",
        PLAIN),
    Odd("zeros", bytes(5000), "incomplete-zip", "begins with zeros", PLAIN),
    Odd("nested zip, cut at its end", NESTED[: NESTED.index(b"PK\5\6") + 22], "incomplete-zip", "too many", NESTED),
    Odd("name in a hole", craft([USERS]).replace(b"users.csvPK\5", bytes(9) + b"PK\5"), "incomplete-zip",
        "does not agree", craft([USERS])),
    # More than one reading ----------------------------------------------------------------------------------------
    Odd("header: descriptor", one(local_flags=8), "incomplete-zip", "does not agree", one(flags=8)),
    Odd("header: compressed size", one(local_compressed=3), "incomplete-zip", "does not agree", PLAIN),
    # Descriptors --------------------------------------------------------------------------------------------------
    *(Odd(f"descriptor of {length} with another CRC",
          craft([replace(streamed(USERS, length), behind=descriptor(USERS, length, crc=1)), ORGS]),
          "incomplete-zip", "what follows the data", craft([streamed(USERS, length), ORGS]))
      for length in (12, 20, 24)),
    Odd("descriptor of 13", craft([replace(streamed(USERS), behind=descriptor(USERS, 12) + b"x")]), "unsafe-zip",
        "neither its descriptor", craft([streamed(USERS)])),
    # Split, zip64 -------------------------------------------------------------------------------------------------
    Odd("members on this disk", craft([USERS], here=0), "unsafe-zip", "part of a split zip", craft([USERS], here=1)),
    Odd("zip64: disks", craft([USERS], zip64=True, zip64_disks=2), "unsafe-zip", "split zip",
        craft([USERS], zip64=True)),
    Odd("zip64: start", craft([USERS], zip64=True, zip64_start=0), "incomplete-zip", "too many",
        craft([USERS], zip64=True)),
    Odd("zip64: offset 2^63", craft([USERS, sized(offset=1 << 63)]), "incomplete-zip", "not where",
        craft([USERS, replace(sized(), name=b"orgs.csv")])),
    # What is not opened -------------------------------------------------------------------------------------------
    Odd("AES by method alone", one(method=99), "unsafe-zip", "AES encryption", PLAIN),
    Odd("patch", one(flags=0x20), "unsafe-zip", "users.csv is a patch", PLAIN),
    *(Odd(f"packed with {says}", one(method=method), "unsafe-zip", says, one(method=0))
      for method, says in METHODS.items()),
    Odd("format 9.9", one(version=99), "unsafe-zip", "newer version", one(version=45)),
    *(Odd(kind, one(attributes=mode << 16), "unsafe-zip", "a link or a device", one(attributes=0o100600 << 16))
      for kind, mode in KINDS.items()),
    *(Odd(f"name: {name}", named(raw), "unsafe-zip", says, named(b"users.csv")) for name, (raw, says) in NAMES.items()),
    Odd("folders: a document", craft([replace(USERS, name=b"word/document.xml"), replace(USERS, name=b"a.xml")]),
        "unsafe-zip", "folders inside it: word/document.xml", craft([replace(USERS, name=b"document.xml")])),
    Odd("folders: two", craft([replace(USERS, name=b"a/users.csv"), replace(ORGS, name=b"b/orgs.csv")]), "unsafe-zip",
        "folders inside it", craft([replace(USERS, name=b"a/users.csv"), replace(ORGS, name=b"a/orgs.csv")])),
    # Content ------------------------------------------------------------------------------------------------------
    Odd("content: stored, size lies", one(method=0, size=999), "incomplete-zip", "fewer bytes", one(method=0)),
    Odd("content: deflate cut", one(body=USERS.packed[:-4]), "incomplete-zip", "cut off", PLAIN),
    Odd("content: not deflate", one(body=b"\xff" * 30), "incomplete-zip", "users.csv is damaged", PLAIN),
    Odd("content: a file that is not read", craft([USERS, Part(name=b"readme.txt", crc=5)]), "incomplete-zip",
        "readme.txt is damaged", craft([USERS, Part(name=b"readme.txt")])),
]  # fmt: skip
