"""Opening packages: what is taken, what is waited for, what is rejected, and that what comes out is whole."""

import contextlib
import io
import os
import shutil
import tracemalloc
import zipfile
from pathlib import Path
from typing import cast

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from zipcases import BIG, CASES, MANIFEST, NESTED, ORGS, PLAIN, USERS, Odd, one
from zipcraft import Part, craft, streamed

from ingestd.core.model import Batch, Severity
from ingestd.unpack import PackageFault, PackageLimits, Verdict, completeness, open_package

LIMITS = PackageLimits()
SAMPLES = os.environ.get("INGESTD_SAMPLES")


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path at which one zip after the other may be laid."""
    return tmp_path_factory.mktemp("drops") / "drop.zip"


def contents(path: Path, limits: PackageLimits = LIMITS) -> dict[str, bytes]:
    """Return what a package holds."""
    with open_package(path, limits) as package:
        return {file: b"".join(package.stream(file)) for file in package.files}


def found(path: Path, limits: PackageLimits = LIMITS) -> dict[str, list[str]]:
    """Return a package's findings, messages by code."""
    codes: dict[str, list[str]] = {}
    with open_package(path, limits) as package:
        for one_batch in package.batches:
            codes.setdefault(one_batch.code, []).append(one_batch.message)
    return codes


def lay(path: Path, raw: bytes) -> Path:
    """Write the bytes there."""
    path.write_bytes(raw)
    return path


# The catalogue of odd zips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_odd_zip_has_its_verdict_and_its_words(odd: Odd, spot: Path) -> None:
    """An odd zip is waited for if more bytes could mend it, else taken to be rejected, and the finding says why."""
    verdict = completeness(lay(spot, odd.raw), LIMITS)
    said = cast("Batch", verdict.batch)
    assert (said.code, said.severity) == (odd.code, Severity.CATASTROPHIC)
    assert odd.says in said.message
    assert said.message.isprintable()
    assert verdict.verdict is (Verdict.INCOMPLETE if odd.code == "incomplete-zip" else Verdict.BROKEN)


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_odd_zip_never_reads_to_its_end(odd: Odd, spot: Path) -> None:
    """Whoever does not ask for completeness meets the same fault when opening, or when reading the files."""
    if odd.name == "content: a file that is not read":
        assert contents(lay(spot, odd.raw)) == {"users.csv": USERS.data}
        return
    with pytest.raises(PackageFault) as fault:
        contents(lay(spot, odd.raw))
    assert fault.value.batch == completeness(spot, LIMITS).batch


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_legal_twin_is_taken(odd: Odd, spot: Path) -> None:
    """The nearest legal zip is complete, and reads as `zipfile` reads it."""
    assert completeness(lay(spot, odd.twin), LIMITS).verdict is Verdict.COMPLETE
    with zipfile.ZipFile(spot) as package:
        known = {name.rpartition("/")[2].lower(): package.read(name) for name in package.namelist()}
    for file, content in contents(spot).items():
        assert content == known[file.lower()]


# Any damage ---------------------------------------------------------------------------------------------------------

GOOD = {
    "deflated": PLAIN,
    "stored": craft([Part(name=b"users.csv", method=0), Part(name=b"orgs.csv", data=b"x" * 200, method=0)]),
    "streamed": craft([streamed(MANIFEST), streamed(USERS), ORGS], comment=b"by a school"),
    "zip64": craft([MANIFEST, Part(zip64=True)], zip64=True),
    "nested": NESTED,
}
good = st.sampled_from(sorted(GOOD))


def is_harmless(spot: Path, raw: bytes, *originals: bytes) -> bool:
    """Return whether damaged bytes are not complete, or else say what one of the originals says."""
    if completeness(lay(spot, raw), LIMITS).verdict is not Verdict.COMPLETE:
        return True
    now = contents(spot)
    return now in [contents(lay(spot, original)) for original in originals]


@examples(200)
@given(good, st.data())
def test_cut_zip_is_waited_for(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip cut at any byte is incomplete: never whole, and never beyond hope."""
    raw = GOOD[name][: data.draw(st.integers(0, len(GOOD[name]) - 1))]
    assert completeness(lay(spot, raw), LIMITS).verdict is Verdict.INCOMPLETE


@examples(400)
@given(good, st.data())
def test_flipped_byte_never_changes_a_complete_zip(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with another byte anywhere is not complete, or reads as before."""
    raw = bytearray(GOOD[name])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert is_harmless(spot, bytes(raw), GOOD[name])


@examples(200)
@given(good, st.data())
def test_hole_never_changes_a_complete_zip(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with zeros in place of any span is not complete, or reads as before."""
    raw = bytearray(GOOD[name])
    start = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(start + 1, len(raw)))
    raw[start:end] = bytes(end - start)
    assert is_harmless(spot, bytes(raw), GOOD[name])


LONG = craft([MANIFEST, *(Part(name=b"%s.csv" % name, data=BIG[:60_000]) for name in (b"users", b"orgs", b"classes"))])


@examples(200)
@given(st.integers(0, (len(LONG) - 1) // 512), st.integers(1, 20))
def test_zip_with_missing_sectors_is_waited_for(spot: Path, first: int, count: int) -> None:
    """A zip of which whole sectors have not come, wherever they lie, is incomplete and not beyond hope."""
    start, end = first * 512, min(len(LONG), (first + count) * 512)
    raw = LONG[:start] + bytes(end - start) + LONG[end:]
    assert completeness(lay(spot, raw), LIMITS).verdict is Verdict.INCOMPLETE


@examples(200)
@given(st.integers(1, 5600))
def test_zip_half_written_over_the_last_one_is_waited_for(spot: Path, cut: int) -> None:
    """Tonight's zip on its way over last night's, of the same software, is incomplete or one of the two."""
    tonight = craft([MANIFEST, Part(data=BIG[:30_000]), ORGS])
    before = craft([MANIFEST, Part(data=BIG[100:40_000]), ORGS])
    raw = tonight[:cut] + before[cut:]
    assert completeness(lay(spot, raw), LIMITS).verdict is not Verdict.BROKEN
    assert is_harmless(spot, raw, tonight, before)


@examples(200)
@given(good, good, st.data())
def test_hybrid_of_two_zips_is_one_of_them_or_none(spot: Path, new: str, old: str, data: st.DataObject) -> None:
    """A zip half written over another is complete only if it reads as one of the two."""
    cut = data.draw(st.integers(0, len(GOOD[new])))
    assert is_harmless(spot, GOOD[new][:cut] + GOOD[old][cut:], GOOD[new], GOOD[old])


@examples(200)
@given(good, st.data())
def test_upload_resumed_at_the_wrong_place_never_passes(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with a span doubled or left out is not complete, or reads as before."""
    raw = GOOD[name]
    stop, resume = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))
    assert is_harmless(spot, raw[:stop] + raw[resume:], raw)


@examples(100)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_have_a_verdict(spot: Path, raw: bytes, is_zip: bool) -> None:
    """Whatever lies in an inbox gets a verdict, and not a traceback."""
    assert completeness(lay(spot, b"PK\3\4" * is_zip + raw), LIMITS).verdict is not Verdict.COMPLETE


# What other people's software makes ---------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES, reason="INGESTD_SAMPLES does not name the folder of sample drops")
def test_samples_of_other_software_open() -> None:
    """Every sample is complete, and reads as `zipfile` reads it."""
    samples = sorted(Path(cast("str", SAMPLES)).glob("*.zip"))
    assert samples
    for sample in samples:
        assert completeness(sample, LIMITS).verdict is Verdict.COMPLETE
        with zipfile.ZipFile(sample) as plain, open_package(sample, LIMITS) as package:
            assert "users.csv" in package.files
            for file, member in package.files.items():
                assert b"".join(package.stream(file)) == plain.read(member.name)


class Pipe(io.RawIOBase):
    """A sink that cannot seek, as a writer that streams has it."""

    def __init__(self) -> None:
        self.raw = bytearray()

    def writable(self) -> bool:
        """Take bytes."""
        return True

    def write(self, data: object) -> int:
        """Keep them."""
        self.raw += bytes(data)  # type: ignore[call-overload]
        return len(memoryview(data))  # type: ignore[arg-type]


def test_streamed_zip_of_the_standard_library_is_taken(spot: Path) -> None:
    """What `zipfile` writes to a pipe, with descriptors and zip64 headers, is complete."""
    pipe = Pipe()
    with zipfile.ZipFile(cast("io.BufferedIOBase", pipe), "w", zipfile.ZIP_DEFLATED) as package:
        with package.open("users.csv", "w", force_zip64=True) as member:
            member.write(BIG)
        package.writestr("empty.csv", b"")
    assert completeness(lay(spot, bytes(pipe.raw)), LIMITS).verdict is Verdict.COMPLETE
    assert contents(spot) == {"users.csv": BIG}


def test_zipped_folder_is_taken_and_told(spot: Path, tmp_path: Path) -> None:
    """A folder zipped from outside is opened as if zipped from inside, and the finding says so."""
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "users.csv").write_bytes(USERS.data)
    shutil.make_archive(str(tmp_path / "out"), "zip", tmp_path, "export")
    shutil.move(tmp_path / "out.zip", spot)
    assert contents(spot) == {"users.csv": USERS.data}
    assert list(found(spot)) == ["enclosing-folder"]


def test_litter_of_desktops_is_ignored_and_told(spot: Path) -> None:
    """What macOS and Windows leave beside the files is not read, and does not count as a second folder."""
    names = (b"__MACOSX/._users.csv", b"__MACOSX/export/._orgs.csv", b"export/.DS_Store", b"export/Thumbs.db",
             b"export/desktop.ini", b"export/._users.csv")  # fmt: skip
    litter = [Part(name=name) for name in names]
    lay(spot, craft([*litter, Part(name=b"export/", data=b"", method=0), Part(name=b"export/users.csv")]))
    told = found(spot)
    assert set(told) == {"enclosing-folder", "ignored-file"}
    assert len(told["ignored-file"]) == 5
    assert list(contents(spot)) == ["users.csv"]


def test_unknown_files_are_ignored_but_named(spot: Path) -> None:
    """A file that the standard does not name is told and cannot be read, yet the check may know of it."""
    lay(spot, craft([USERS, Part(name=b"relationships.csv"), Part(name=b"notes.txt")]))
    with open_package(spot, LIMITS) as package:
        assert set(package.names) == {"users.csv", "relationships.csv", "notes.txt"}
        assert set(package.files) == {"users.csv"}
        with pytest.raises(KeyError):
            package.stream("notes.txt")
    assert len(found(spot)["ignored-file"]) == 2


def test_name_in_another_case_is_read_and_told(spot: Path) -> None:
    """`ACADEMICSESSIONS.csv` is academicSessions.csv, with a finding."""
    lay(spot, craft([Part(name=b"ACADEMICSESSIONS.csv")]))
    assert list(contents(spot)) == ["academicSessions.csv"]
    assert found(spot) == {"file-name-case": ["ACADEMICSESSIONS.csv was read as academicSessions.csv"]}


def test_all_unsafe_members_are_told_at_once(spot: Path) -> None:
    """Who repairs a zip learns of each member that is in the way."""
    lay(spot, craft([Part(flags=1), Part(name=b"../orgs.csv"), Part(name=b"classes.csv", method=12)]))
    with pytest.raises(PackageFault, match=r"users.csv is encrypted; \.\./orgs.csv has .*; classes.csv is packed"):
        open_package(spot, LIMITS)


def test_zip_without_members_is_a_package_without_files(spot: Path) -> None:
    """An empty zip is whole; what is missing in it is for the check to say."""
    assert contents(lay(spot, craft([]))) == {}


# Reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("chunk", [1, 7, 1000, 4 << 20])
def test_pieces_are_no_larger_than_asked(spot: Path, chunk: int, method: int) -> None:
    """A stream comes in pieces of at most `chunk` bytes that add up to the file."""
    data = BIG[:5000]
    with open_package(lay(spot, one(data=data, method=method)), LIMITS) as package:
        pieces = list(package.stream("users.csv", chunk))
    assert max(map(len, pieces)) <= chunk
    assert b"".join(pieces) == data


def test_file_streams_twice_and_beside_another(spot: Path) -> None:
    """Streams of one package do not disturb each other."""
    with open_package(lay(spot, one(data=BIG)), LIMITS) as package:
        first, second = package.stream("users.csv", 1000), package.stream("orgs.csv")
        head = next(first)
        assert b"".join(second) == ORGS.data
        assert head + b"".join(first) == BIG
        assert b"".join(package.stream("users.csv")) == BIG


def test_small_file_is_read_whole_and_a_large_one_refused(spot: Path) -> None:
    """`read` returns a small file; one beyond the limit is a fault that names it."""
    with open_package(lay(spot, PLAIN), LIMITS) as package:
        assert package.read("manifest.csv", 100) == MANIFEST.data
        with pytest.raises(PackageFault, match=r"manifest\.csv has 20 bytes, and 19 are allowed"):
            package.read("manifest.csv", 19)


def test_closed_package_is_not_read(spot: Path) -> None:
    """After closing, a stream fails instead of reading whatever file has that descriptor now."""
    with open_package(lay(spot, PLAIN), LIMITS) as package:
        stream = package.stream("users.csv")
    with pytest.raises(ValueError, match="closed"):
        next(stream)


def test_file_cut_while_it_is_read_is_a_fault(spot: Path) -> None:
    """A zip that shrinks under the reader is told as damaged."""
    with open_package(lay(spot, one(data=BIG)), LIMITS) as package:
        os.truncate(spot, 100)
        with pytest.raises(PackageFault, match="shorter while it was read"):
            list(package.stream("users.csv"))


def test_faulty_zip_is_not_left_open(spot: Path) -> None:
    """A package that is refused leaves no descriptor behind."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with contextlib.suppress(PackageFault):
            open_package(lay(spot, CASES[0].raw), LIMITS)
        with contextlib.suppress(PackageFault):
            open_package(lay(spot, one(flags=1)), LIMITS)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_memory_stays_bounded(spot: Path) -> None:
    """A member that inflates to 64 MB takes a few MB to check."""
    lay(spot, one(data=bytes(64 << 20)))
    limits = PackageLimits(ratio=2000)
    tracemalloc.start()
    assert completeness(spot, limits).verdict is Verdict.COMPLETE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


# Folders ------------------------------------------------------------------------------------------------------------


def test_folder_of_files_is_a_package(tmp_path: Path) -> None:
    """A folder of CSVs opens like a zip: case repaired, the rest ignored."""
    (tmp_path / "Users.csv").write_bytes(USERS.data)
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert completeness(tmp_path, LIMITS).verdict is Verdict.COMPLETE
    assert contents(tmp_path) == {"users.csv": USERS.data}
    assert set(found(tmp_path)) == {"file-name-case", "ignored-file"}


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    """A link or a subfolder is told as ignored."""
    (tmp_path / "users.csv").symlink_to("/etc/hostname")
    (tmp_path / "sub").mkdir()
    assert contents(tmp_path) == {}
    assert len(found(tmp_path)["ignored-file"]) == 2


def test_file_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    """A file that became a link after the folder was opened is an error of the world."""
    (tmp_path / "users.csv").write_bytes(USERS.data)
    with open_package(tmp_path, LIMITS) as package:
        (tmp_path / "users.csv").unlink()
        (tmp_path / "users.csv").symlink_to("/etc/hostname")
        with pytest.raises(OSError, match="symbolic links"):
            list(package.stream("users.csv"))


@pytest.mark.parametrize("data", [USERS.data + b"more", USERS.data[:-1]])
def test_file_that_changes_in_a_folder_is_a_fault(tmp_path: Path, data: bytes) -> None:
    """A file must have the size that it had when the folder was opened."""
    (tmp_path / "users.csv").write_bytes(USERS.data)
    with open_package(tmp_path, LIMITS) as package:
        (tmp_path / "users.csv").write_bytes(data)
        with pytest.raises(PackageFault, match="changed while it was read"):
            list(package.stream("users.csv"))


def test_limits_hold_for_folders(tmp_path: Path) -> None:
    """A folder beyond the limits is refused, one at the limit is not."""
    (tmp_path / "users.csv").write_bytes(b"x" * 100)
    assert len(contents(tmp_path, PackageLimits(member_bytes=100))["users.csv"]) == 100
    for limits in (PackageLimits(member_bytes=99), PackageLimits(total_bytes=99)):
        assert completeness(tmp_path, limits).verdict is Verdict.BROKEN


def test_two_cases_of_a_name_in_a_folder_are_refused(tmp_path: Path) -> None:
    """Nobody can tell which of users.csv and USERS.csv is meant."""
    (tmp_path / "users.csv").write_bytes(b"")
    (tmp_path / "USERS.csv").write_bytes(b"")
    with pytest.raises(PackageFault, match=r"USERS.csv or users.csv is in the zip twice"):
        open_package(tmp_path, LIMITS)


def test_missing_drop_is_an_error_of_the_world(tmp_path: Path) -> None:
    """A path without a file is no finding."""
    with pytest.raises(FileNotFoundError):
        completeness(tmp_path / "gone.zip", LIMITS)
