"""Bad zips that would cost more than they are: bombs, overlaps, zips in zips, members by the thousand, lies about size.

Each is refused by what it declares, or as soon as its bytes go beyond that; none by having been unpacked first.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace

from corpus.case import Case, Made, Verdict
from corpus.sound import files_of_day_2, pack, parts, zipped
from corpus.zip_structure import NOTES, ORGS, PLAIN, USERS, noted, rejected, unsafe, users, waits
from zipcraft import Part, craft, deflate

ZEROS = zipped(replace(NOTES, data=bytes(1 << 20)))
"""As much of nothing as is not looked at twice."""
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * (1 << 21)
"""Ten megabytes of deflate stream that inflate to nothing."""


ROOM = 7168 - sum(map(len, files_of_day_2().values()))
"""What 7 KiB leave for one file more."""


def too_large(name: str, bad: Made, says: str, twin: Made, feed: str = "") -> Case:
    """Return a case that goes beyond a limit."""
    return Case(
        name=name, bad=bad, twin=twin, verdict=Verdict.REJECTED, code="zip-too-large", says=says, feed=feed
    )  # fmt: skip


def empties(count: int) -> bytes:
    """Return the sound zip with so many empty members in it that there are `count` in all."""
    return zipped(*(Part(name=b"%d" % n, data=b"", method=0) for n in range(count - len(files_of_day_2()))))


def commented(length: int) -> bytes:
    """Return a zip with twenty members that have a comment of that length each."""
    return zipped(*(replace(NOTES, name=b"%d.txt" % n, comment=b"x" * length) for n in range(20)))


def sized(size: int | None) -> bytes:
    """Return a zip with a zip64 member of which header and directory both tell that size."""
    return noted(zip64=True, size=size)


def quoted(*, deflated: bool) -> bytes:
    """Return Fifield's overlap: the first member's data is the second one, header and all.

    Where it is packed, a block of deflate that is not packed carries the header, and the second one's stream goes on.
    """
    inner = ORGS if deflated else replace(ORGS, method=0)
    head = inner.laid()[: -len(inner.packed)]
    block = struct.pack("<BHH", 0, len(head), len(head) ^ 0xFFFF) if deflated else b""
    outer = Part(name=b"all.csv", data=head + inner.data, method=inner.method, body=block + inner.laid())
    return craft([outer, replace(inner, offset=30 + len(outer.name) + len(block)), *parts(but="orgs.csv")])


SHARES = replace(NOTES, data=b"Exported by PK", body=b"Exported by ", compressed=14, method=0)
"""A member that ends with the first two bytes of the next one's header."""
WRAPPED = pack({"OneRoster.zip": PLAIN})


def slow() -> bytes:
    """Return a sound zip of which one member inflates to nothing for long."""
    return zipped(replace(USERS, body=EMPTY_BLOCKS + deflate(USERS.data)), but="users.csv")


CASES: Sequence[Case] = [
    too_large("a bomb", noted(data=bytes(4 << 20)), "200 times", ZEROS),
    waits("a bomb that declares little", users(body=deflate(bytes(4 << 20)), size=9), "more bytes than it declares"),
    waits("full overlap", craft([*parts(but="orgs.csv"), replace(ORGS, offset=0)]), "orgs.csv does not agree"),
    unsafe("full overlap under one name", zipped(replace(parts()[0], offset=0)), "manifest.csv overlaps"),
    unsafe("quoted overlap", quoted(deflated=False), "all.csv overlaps", zipped(replace(ORGS, name=b"all.csv"))),
    unsafe("quoted overlap, deflated", quoted(deflated=True), "all.csv overlaps",
           zipped(replace(ORGS, name=b"all.csv"))),
    unsafe("overlap of two bytes", craft(parts(SHARES, before=True)), "notes.txt overlaps",
           craft(parts(replace(SHARES, body=None), before=True))),
    rejected("a zip in the zip", WRAPPED, "nested-zip", "OneRoster.zip"),
    too_large("65,000 empty members", lambda: empties(65_000), "65000 members", empties(64)),
    too_large("65 members", empties(65), "65 members", empties(64)),
    too_large("70,000 members told", zipped(count=0xFFFF, zip64=True, zip64_count=70_000), "70000 members",
              zipped(count=0xFFFF, zip64=True)),
    too_large("a huge directory", lambda: commented(60_000), "its directory has", lambda: commented(50_000)),
    too_large("4 GiB and a byte", sized((4 << 30) + 1), "4294967297 bytes", sized(None)),
    too_large("2^63 bytes", sized(1 << 63), "9223372036854775808 bytes", sized(None)),
    too_large("more than all may have", noted(data=bytes(ROOM + 1)), "7168 are allowed", noted(data=bytes(ROOM)),
              '\n[package]\ntotal_size = "7KiB"\n'),
    Case(name="ten megabytes that inflate to nothing", bad=slow, verdict=Verdict.ACCEPTED, code=None),
]  # fmt: skip
