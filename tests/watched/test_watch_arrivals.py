"""A rescan finds what came, whichever way it came, though the watch says nothing of it."""

import mmap
import os
import subprocess
import sys

import pytest
from intake_world import PATIENCE, put
from watcher_world import CONTENT, Scenario, World, assert_found_and_mended, settle, silent
from watching import LONG_AGO, names


def write_directly(world: World) -> None:
    """As most clients do."""
    world.put()


def write_slowly(world: World) -> None:
    """In pieces, with the file open between them."""
    with (world.inbox / "a.zip").open("wb", buffering=0) as file:
        for piece in (CONTENT[:5], CONTENT[5:]):
            file.write(piece)
    world.expect("a.zip")


def write_through_a_map(world: World) -> None:
    """As a program that maps its file: no write(2) at all."""
    with (world.inbox / "a.zip").open("w+b") as file:
        file.truncate(len(CONTENT))
        with mmap.mmap(file.fileno(), len(CONTENT)) as memory:
            memory[:] = CONTENT
    world.expect("a.zip")


def rename_within(world: World) -> None:
    """As WinSCP does above 100 KB."""
    put(world.inbox / "a.zip.filepart").rename(world.inbox / "a.zip")
    world.expect("a.zip")


def move_in(world: World) -> None:
    """From a folder beside: inotify says created, and never closed."""
    put(world.outside / "a.zip").rename(world.inbox / "a.zip")
    world.expect("a.zip")


def move_up_from_a_subfolder(world: World) -> None:
    """From an upload folder inside the inbox."""
    (world.inbox / "uploading").mkdir()
    put(world.inbox / "uploading" / "a.zip").rename(world.inbox / "a.zip")
    world.expect("a.zip")


def link_and_unlink(world: World) -> None:
    """As OpenSSH does for a version 3 rename."""
    part = put(world.inbox / "a.zip.part")
    (world.inbox / "a.zip").hardlink_to(part)
    part.unlink()
    world.expect("a.zip")


def link_from_elsewhere(world: World) -> None:
    """A second name for a file that stays where it is."""
    (world.inbox / "a.zip").hardlink_to(put(world.outside / "a.zip"))
    world.expect("a.zip")


def name_a_nameless_file(world: World) -> None:
    """Written without a name, and given one when it is whole (O_TMPFILE in open(2))."""
    descriptor = os.open(world.inbox, os.O_TMPFILE | os.O_WRONLY, 0o600)
    os.write(descriptor, CONTENT)
    os.link(f"/proc/self/fd/{descriptor}", world.inbox / "a.zip", src_dir_fd=0, follow_symlinks=True)
    os.close(descriptor)
    world.expect("a.zip")


def replace_an_older_one(world: World) -> None:
    """By a rename over a drop that was there."""
    world.put("a.zip")
    names(world.source, 1)
    put(world.inbox / ".a.zip", CONTENT * 2).rename(world.inbox / "a.zip")


def keep_an_old_time(world: World) -> None:
    """As WinSCP sets the sender's own time."""
    os.utime(world.put(), (0, 0))


def arrive_from_another_process(world: World) -> None:
    """Written by a program that is not we."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(b'a zip')"
    subprocess.run([sys.executable, "-S", "-c", code, world.inbox / "a.zip"], check=True, timeout=PATIENCE)
    world.expect("a.zip")


@pytest.mark.parametrize(
    "arrive",
    [
        write_directly, write_slowly, write_through_a_map, rename_within, move_in, move_up_from_a_subfolder,
        link_and_unlink, link_from_elsewhere, name_a_nameless_file, replace_an_older_one, keep_an_old_time,
        arrive_from_another_process,
    ],
)  # fmt: skip
def test_silence_hides_no_way_to_arrive(world: World, arrive: Scenario) -> None:
    """Under an observer that never speaks, as on NFS, a rescan finds what came, whichever way it came."""
    world.makes = [silent]
    assert_found_and_mended(world, arrive)
    assert len(world.made) == 2


def test_a_change_through_another_name_is_a_new_look(world: World) -> None:
    """Inotify tells nothing of what is written through a hard link outside; the scan sees another file than before."""
    world.source.watch(world.bell.ring)
    world.put()
    other = world.outside / "other"
    other.hardlink_to(world.inbox / "a.zip")
    settle(world)
    (before,) = world.source.scan(1, LONG_AGO)
    with other.open("ab") as file:
        file.write(b"more")
    assert not world.bell.has_rung(patience=0.1)
    (after,) = world.source.scan(30, LONG_AGO)
    assert before.look != after.look
