"""Laws of what nobody should send: any zip, any manifest, any bytes in a file. They are judged; they never raise."""

import csv
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from reading_files import ORGS, in_pieces, scan_bytes
from roster_world import SEED, TABLES, World, org, packed
from roster_world import csv as file_of
from zipcraft import Part, craft, deflate

from ingestd.core.findings import is_rejected
from ingestd.core.gate import gate, identify
from ingestd.core.manifest import parse
from ingestd.core.model import Manifest, Severity
from ingestd.core.records import LINE_LIMIT, LineTooLongError, split
from ingestd.core.scan import read_header
from ingestd.examine import NoPast, Terms, examine
from ingestd.stages import Stages
from ingestd.unpack import PackageFault, PackageLimits, Verdict, completeness, open_package
from schemas import NAMES, VERSIONS

LIMITS = PackageLimits(members=6, member_bytes=1 << 20, total_bytes=1 << 21)
LARGEST = {"H": 0xFFFF, "L": 0xFFFFFFFF}


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path at which one zip after the other may be laid."""
    return tmp_path_factory.mktemp("hostile") / "drop.zip"


# Zips -------------------------------------------------------------------------------------------------------------


def numbers(width: str) -> st.SearchStrategy[int]:
    """Return numbers that a field of that width may hold: those that mean something, and any."""
    return st.sampled_from([0, 1, 2, 8, 20, 22, 30, 0x800, LARGEST[width]]) | st.integers(0, LARGEST[width])


NAME = st.sampled_from(
    [b"users.csv", b"USERS.CSV", b"orgs.csv", b"a/orgs.csv", b"a/", b"../x", b"x\\y", b"__MACOSX/._x", b"\xe8\xa1\xa8"]
) | st.binary(max_size=8)
LIES: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["method", "flags", "disk", "local_method", "local_flags"], numbers("H")),
    **dict.fromkeys(["crc", "compressed", "size", "offset", "attributes"], numbers("L")),
    **dict.fromkeys(["local_crc", "local_compressed", "local_size"], numbers("L")),
    **dict.fromkeys(["extra", "local_extra", "behind", "comment", "body"], st.binary(max_size=30)),
    "local_name": NAME,
    "version": st.integers(0, 255),
    "zip64": st.booleans(),
    "unlisted": st.booleans(),
}
RECORD_LIES: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["disk", "here", "count", "comment_length"], numbers("H")),
    **dict.fromkeys(["start", "zip64_count", "zip64_length", "zip64_start", "zip64_disks", "zip64_at"], numbers("L")),
    **dict.fromkeys(["before", "gap", "comment", "after"], st.binary(max_size=30)),
    "zip64": st.booleans(),
}


@st.composite
def lies(draw: st.DrawFn, about: Mapping[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """Draw few lies, mostly none: a zip in which everything is a lie is refused for the first."""
    names = draw(st.lists(st.sampled_from(sorted(about)), max_size=2, unique=True))
    return {name: draw(about[name]) for name in names if draw(st.booleans())}


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """Draw a zip of up to four members, and lies in some of its fields."""
    parts = [
        Part(**{"name": name, "data": draw(st.binary(max_size=60)), "method": draw(st.sampled_from([0, 8])), **lie})
        for name, lie in draw(st.lists(st.tuples(NAME, lies(LIES)), max_size=4))
    ]
    return craft(parts, **draw(lies(RECORD_LIES)))


def contents(path: Path, chunk: int) -> dict[str, bytes] | str:
    """Return the files of a package as they come in pieces of that size, or the finding if it has none."""
    try:
        with open_package(path, LIMITS) as package:
            return {file: b"".join(package.stream(file, chunk)) for file in package.files}
    except PackageFault as fault:
        return str(fault)


@examples(300)
@given(zips(), st.integers(1, 40))
def test_any_zip_has_a_verdict_and_reads_as_others_read_it(spot: Path, raw: bytes, chunk: int) -> None:
    """Whatever its fields say it is judged in words that can be shown, and if it is whole `zipfile` finds the same."""
    spot.write_bytes(raw)
    judged = completeness(spot, LIMITS)
    if judged.verdict is not Verdict.COMPLETE:
        assert judged.batch
        assert judged.batch.severity is Severity.CATASTROPHIC
        assert judged.batch.message.isprintable()
        return
    found = contents(spot, chunk)
    with zipfile.ZipFile(spot) as package:
        members = {info.filename.rpartition("/")[2].lower(): package.read(info) for info in package.infolist()}
    assert found == {file: members[file.lower()] for file in found}


@examples(200)
@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(0, 90), st.integers(1, 40))
def test_the_pieces_in_which_a_member_comes_do_not_matter(
    spot: Path, data: bytes, junk: bytes, size: int, chunk: int
) -> None:
    """A stream yields the same in pieces of any size, or is refused in all of them, whatever its size is said to be."""
    for body in (deflate(data), deflate(data) + junk, deflate(data)[:-2] + junk, junk):
        spot.write_bytes(craft([Part(data=data, body=body, size=size), Part(name=b"orgs.csv", data=data, body=body)]))
        cut, whole = contents(spot, chunk), contents(spot, 1 << 20)
        # Of two things that are wrong with it another one may show first.
        assert cut == whole or (isinstance(cut, str) and isinstance(whole, str))


# Manifests --------------------------------------------------------------------------------------------------------

WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
PROPERTY = WORD | st.sampled_from(
    ["manifest.version", "oneroster.version", "source.systemName", "file.users", "file.orgs", "file.roles", "fiel.x"]
)
VALUE = WORD | st.sampled_from(["1.0", "1", "1.1", "1.2", "1.2.1", "bulk", "Delta", "absent", "full", "", '"', '""'])
LINE = st.tuples(PROPERTY, VALUE).map(",".join) | st.sampled_from(["", ",", "propertyName,value", "a,b,c"])
FILES = st.sets(st.sampled_from(["users.csv", "orgs.csv", "roles.csv", "notes.txt"]))


@examples(300)
@given(st.sampled_from(["", "propertyName,value\n", "PropertyName, value\r\n"]), st.lists(LINE, max_size=8), FILES)
def test_any_manifest_is_read_or_refused(header: str, lines: list[str], files: set[str]) -> None:
    """It never raises; there is a manifest that speaks of every table, or the reason why there is none."""
    manifest, batches = parse((header + "\n".join(lines)).encode(), files)
    assert manifest or is_rejected(batches)
    assert all(one.message.isprintable() for one in batches)
    if manifest:
        assert set(manifest.modes) == set(NAMES.get(manifest.oneroster, NAMES[VERSIONS[-1]]))


PLAIN_WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=6)
PROPERTIES = st.dictionaries(
    PLAIN_WORD | st.sampled_from(["manifest.version", "oneroster.version", "file.users", "file.orgs", "fiel.x"]),
    PLAIN_WORD | st.sampled_from(["1.0", "1", "1.1", "1.2", "1.2.1", "bulk", "Delta", "absent"]),
    max_size=8,
)


@examples(100)
@given(PROPERTIES, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]), FILES)
def test_the_order_of_properties_does_not_matter(
    properties: dict[str, str], chance: Random, end: str, files: set[str]
) -> None:
    """Nor do line ends: the same properties in another order are the same manifest, with the same findings."""
    lines = [f"{name},{value}" for name, value in properties.items()]
    shuffled = lines[:]
    chance.shuffle(shuffled)

    def read(rows: list[str], line_end: str) -> tuple[Manifest | None, Counter[tuple[str, str | None]]]:
        manifest, batches = parse(line_end.join(["propertyName,value", *rows]).encode(), files)
        return manifest, Counter((one.code, one.column) for one in batches)

    assert read(lines, "\n") == read(shuffled, end)


# Files ------------------------------------------------------------------------------------------------------------

SPECKS = [b",", b'"', b"\n", b"\r", b"\r\n", b"\0", b"a", b"\xef\xbb\xbf", b"\xff", b"\xc2\x85"]
BYTES = st.binary(max_size=60) | st.lists(st.sampled_from(SPECKS), max_size=30).map(b"".join)
LONG = st.sampled_from([b"x", b"\n", b"\r\n", b"\r", b'"', b"," * 9, b"x" * LINE_LIMIT, b"x" * (LINE_LIMIT - 1)])


@examples(200)
@given(BYTES)
def test_any_first_line_is_a_header_or_refused(line: bytes) -> None:
    """It never raises; there are names, or there is the reason why there are none."""
    names, batches = read_header("orgs.csv", line.replace(b"\n", b""))
    assert bool(names) is not is_rejected(batches)
    assert all(one.message.isprintable() for one in batches)


@examples(200)
@given(st.lists(BYTES, max_size=8), st.integers(1, 5))
def test_any_bytes_pass_the_gate_or_do_not(records: list[bytes], width: int) -> None:
    """It never raises, and the id by which a refused record is known is what a reader takes for its first value."""
    for record, fault in zip(records, gate(records, width), strict=True):
        known = identify(record, width)
        if fault and known is not None:
            first = record.split(b",")[0].decode()
            assert known == next(csv.reader([first.strip()]))[0]


@examples(30)
@given(st.lists(LONG, max_size=8).map(b"".join), st.lists(st.integers(0, 3 * LINE_LIMIT), max_size=4))
def test_long_lines_are_refused_wherever_the_file_is_cut_into_pieces(data: bytes, cuts: list[int]) -> None:
    """The line that is too long is the same one, or else the records are the same."""

    def cut(*at: int) -> list[tuple[int, bytes]] | int:
        try:
            pieces = list(split(in_pieces(data, [min(one, len(data)) for one in at])))
        except LineTooLongError as fault:
            return fault.line
        return [pair for piece in pieces for pair in zip(piece.lines.tolist(), piece.records, strict=True)]

    assert cut(*cuts) == cut()


ROWS = [org(f"o-{number}") for number in (1, 11, 111, 2, 21, 22)]
WHOLE = file_of(ORGS, ROWS)
HEADER, *LINES = WHOLE.splitlines()
MANIFEST = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.{},{}\n"


@examples(200)
@given(st.integers(len(HEADER) + 1, len(WHOLE)))
def test_a_cut_file_names_nobody_whom_it_does_not_hold(cut: int) -> None:
    """Wherever a file is cut, a record that is read or known to be broken is one whose id came whole."""
    found = scan_bytes(WHOLE[:cut])
    came = {row["sourcedId"] for row in ROWS if f"\n{row['sourcedId']},".encode() in WHOLE[:cut]}
    named = {line.split(b",")[0].decode() for line in found.data.splitlines()} | set(found.broken)
    assert named == came
    assert found.rows == len(named) + found.unidentified


@examples(60)
@given(
    st.sampled_from(["orgs", "users", "enrollments"]), st.lists(BYTES, max_size=6), st.sampled_from(["bulk", "delta"])
)
def test_any_bytes_below_a_header_are_conserved(name: str, lines: list[bytes], mode: str) -> None:
    """Whatever stands in a file: nothing raises, and each of its records is valid or held back."""
    content = file_of(TABLES[name], []) + b"\n".join(lines)
    files = {"manifest.csv": MANIFEST.format(name, mode).encode(), f"{name}.csv": content}
    examined = examine(packed(files), NoPast(), Terms(required=(), seed=SEED), Stages())
    for settled in examined.settled.values():
        assert settled.count.rows == settled.count.valid + settled.count.held_back
    assert all(one.message.isprintable() for one in examined.batches)


DAMAGE = st.tuples(
    st.integers(0, len(LINES) - 1),
    st.integers(6, 40),
    st.sampled_from([b"", b",", b",,", b"\n", b"\0", b"\xff", b"x"]),
    st.integers(0, 1),
)
"""An accident behind the id of a record: which record, where in its line, what is put there, how much of it is lost."""


@examples(20)
@given(st.lists(DAMAGE, min_size=1, max_size=5))
def test_what_is_damaged_is_not_deleted(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int, bytes, int]]
) -> None:
    """However much of its line is spoilt, a known record whose id still begins a line stays (law 1)."""
    world = World(tmp_path_factory.mktemp("world"))
    world.take({"orgs": ROWS})
    lines = list(LINES)
    for record, at, put, lost in damage:
        lines[record] = lines[record][:at] + put + lines[record][at + lost :]
    files = {"manifest.csv": MANIFEST.format("orgs", "bulk").encode(), "orgs.csv": b"\n".join([HEADER, *lines])}
    examined = world.hold_against(packed(files))
    world.store.close()
    assert not sum(len(settled.deleted) for settled in examined.settled.values())
