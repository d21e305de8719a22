"""A real sshd: what is fetched from it, when, and what becomes of it there."""

import os
import stat
from pathlib import Path

import pytest
from builders import pack
from intake_world import Log
from remote_world import Clock, Keys, World, lay, terms

from ingestd.sources.remote_visits import After

ZIP = os.urandom(3_000_001)  # more than one window of requests, and no multiple of a block
WHOLE = pack({"a.csv": "x" * 1000})


def test_a_drop_is_fetched_whole_private_and_once(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """It comes byte for byte, readable by us alone, rings once, and is not fetched again at the next visit."""
    lay(export, "a.zip", ZIP)
    world = World(keys.account(sshd), terms(export), tmp_path)
    assert world.visit() == pytest.approx(10, abs=3)
    assert (world.visits.problem, world.drops, world.rings) == (None, {"a.zip": ZIP}, 1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in world.spool.drops.iterdir()} == {0o600}
    world.claim()
    world.visit()
    assert (world.drops, world.rings, len(log.of("drop.fetched"))) == ({}, 1, 1)


def test_a_file_must_look_the_same_twice(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """The second look comes when it has settled; a file that grew in between begins anew, as does a new time."""
    clock = Clock()
    world = World(keys.account(sshd), terms(export, settle=5), tmp_path, clock)
    lay(export, "a.zip", b"half")
    assert world.visit() == pytest.approx(5)
    assert world.visits.is_settling
    clock.now += 5
    lay(export, "a.zip", b"half and more")
    assert world.visit() == pytest.approx(5)
    clock.now += 5
    lay(export, "a.zip", b"half and more", mtime=1_700_000_001)
    assert world.visit() == pytest.approx(5)
    assert world.drops == {}
    clock.now += 5
    assert world.visit() == pytest.approx(10)
    assert (world.drops, world.visits.is_settling) == ({"a.zip": b"half and more"}, False)


def test_a_changed_file_is_another_drop(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """Under the same name comes every night's export; it waits until the one before it is claimed."""
    world = World(keys.account(sshd), terms(export), tmp_path)
    lay(export, "a.zip", b"monday")
    world.visit()
    lay(export, "a.zip", b"tuesday", mtime=1_700_086_400)
    world.visit()
    assert world.drops == {"a.zip": b"monday"}
    world.claim()
    world.visit()
    assert world.drops == {"a.zip": b"tuesday"}


@pytest.mark.parametrize("part", [WHOLE[:-30], WHOLE[:3], b"", bytes(len(WHOLE))])
def test_an_upload_that_stalled_is_left_there_and_what_becomes_of_it_is_fetched(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path, part: bytes
) -> None:
    """A zip without its end is not cleared away under its sender's hands, and gives way to the whole one."""
    world = World(keys.account(sshd), terms(export, after=After.DELETE), tmp_path)
    lay(export, "a.zip", part)
    world.visit()
    assert (export / "a.zip").exists()
    lay(export, "a.zip", WHOLE, mtime=1_700_086_400)
    world.visit()
    assert world.drops == {"a.zip": WHOLE}
    assert not (export / "a.zip").exists()


def test_what_is_fetched_is_removed_there(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """`after = "delete"` removes it, and nothing that was not fetched."""
    lay(export, "a.zip", b"one")
    lay(export, "notes.txt", b"two")
    World(keys.account(sshd), terms(export, after=After.DELETE), tmp_path).visit()
    assert [path.name for path in export.iterdir()] == ["notes.txt"]


def test_what_is_fetched_is_moved_there(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """`after = "move"` moves it; what has its name there keeps it, and the newcomer gets its time into its own."""
    (export / "done").mkdir()
    world = World(keys.account(sshd), terms(export, after=After.MOVE, move_to="done"), tmp_path)
    for content, mtime in ((b"monday", 1_700_000_000), (b"tuesday", 1_700_086_400)):
        lay(export, "a.zip", content, mtime)
        world.visit()
        world.claim()
    assert {path.name: path.read_bytes() for path in (export / "done").iterdir()} == {
        "a.zip": b"monday",
        "a.1700086400.zip": b"tuesday",
    }
    assert not (export / "a.zip").exists()
    assert log.of("file.ignored") == []


def test_a_file_that_cannot_be_moved_is_told_and_not_fetched_again(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """The folder to move into is missing; once it is there the next visit moves what was fetched long ago."""
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd), terms(export, after=After.MOVE, move_to="done"), tmp_path)
    world.visit()
    assert world.visits.problem == "1 files not fetched or cleared: it is no longer there"
    world.claim()
    (export / "done").mkdir()
    world.visit()
    assert (world.rings, [path.name for path in export.iterdir()]) == (1, ["done"])


def test_a_drop_that_cannot_be_read_stops_no_other(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """Too large to be wanted: it is told, and the others come, oldest first."""
    lay(export, "a.zip", ZIP, mtime=1)
    lay(export, "b.zip", b"new", mtime=3)
    lay(export, "c.zip", b"old", mtime=2)
    world = World(keys.account(sshd), terms(export, largest=1000), tmp_path)
    assert world.visit() == pytest.approx(10, abs=3)
    assert world.visits.problem == "1 files not fetched or cleared: it is larger than max_size"
    assert [entry["file"] for entry in log.of("drop.fetched")] == ["'c.zip'", "'b.zip'"]


def test_only_files_with_a_drops_name_are_fetched(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """No link, no folder, no upload under way, no name that is not UTF-8; what is odd is logged once."""
    for name in ("a.zip", "b.zip.filepart", ".c.zip", "d.txt"):
        lay(export, name, b"x")
    (export / "e.zip").symlink_to("a.zip")
    (export / "f.zip").mkdir()
    Path(os.fsdecode(os.fsencode(export) + b"/g\xe9.zip")).write_bytes(b"x")
    world = World(keys.account(sshd), terms(export), tmp_path)
    world.visit()
    world.visit()
    assert set(world.drops) == {"a.zip"}
    assert sorted(entry["file"] for entry in log.of("file.ignored")) == [
        "'d.txt'",
        "'e.zip'",
        "'f.zip'",
        r"'g\udce9.zip'",
    ]


def test_a_missing_folder_is_a_condition(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """It is told, and well again once the folder is there."""
    world = World(keys.account(sshd), terms(export / "none"), tmp_path)
    world.visit()
    assert world.visits.problem == "the folder is not there"
    (export / "none").mkdir()
    world.visit()
    assert world.visits.problem is None
    assert [len(log.of(event)) for event in ("remote.lost", "remote.found")] == [1, 1]


def test_the_memory_is_as_small_as_the_folder(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """What is no longer listed is forgotten."""
    world = World(keys.account(sshd), terms(export), tmp_path)
    lay(export, "a.zip", b"one").rename(lay(export, "b.zip", b"one"))
    world.visit()
    assert set(world.spool.recall()) == {"b.zip"}
    (export / "b.zip").unlink()
    world.visit()
    assert world.spool.recall() == {}


def test_a_memory_that_cannot_be_read_is_none(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """The drop comes again, which is a duplicate; nothing stops."""
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd), terms(export), tmp_path)
    world.visit()
    world.claim()
    (world.spool.folder / "memory.json").write_text('["of something else"]')
    world.visit()
    assert (world.drops, world.visits.problem) == ({"a.zip": b"one"}, None)
