"""Packages: what other people's software makes, how members are read, and folders."""

import contextlib
import io
import os
import shutil
import tracemalloc
import zipfile
from pathlib import Path
from typing import cast

import pytest
from unpack_world import LIMITS, SAMPLES, contents, found, lay, spot
from zipcases import BIG, CASES, MANIFEST, ORGS, PLAIN, USERS, one
from zipcraft import Part, craft

from ingestd.unpack import PackageFault, PackageLimits, Verdict, completeness, open_package

__all__ = ["spot"]


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
