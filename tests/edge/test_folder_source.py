"""A real folder under real inotify: what is seen, what is passed over, and that no watcher's death loses a drop."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from intake_world import PATIENCE, Log, put
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watching import LONG_AGO, Bell, inotify_descriptors, is_watching_again, names, watch

from ingestd.sources.base import is_drop_name, is_passing
from ingestd.sources.folder import FolderSource


@pytest.fixture
def source(log: Log, inbox: Path) -> Iterator[FolderSource]:
    """Return the inbox as a source without a quiet period."""
    source = FolderSource(inbox, quiet_period=0)
    yield source
    source.close()


# What is seen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.zip", "ROSTER.ZIP", "day 1.Zip", "schüler.zip", "a.tmp.zip"])
def test_a_zip_is_a_drop(source: FolderSource, inbox: Path, name: str) -> None:
    """Any name that ends in .zip, in whatever case, is one."""
    put(inbox / name)
    assert names(source) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "a.zip.filepart", "a.zip.part", "a.zip.partial", "a.zip.TMP", "a.zip.writing", "a.zip.crdownload", "~$a.zip",
        ".in.a.zip.", ".a.zip", "._a.zip", ".stfolder", "@eaDir", "Thumbs.db",
    ],
)  # fmt: skip
def test_an_upload_under_way_is_passed_over_in_silence(source: FolderSource, inbox: Path, log: Log, name: str) -> None:
    """Temporary names and a desktop's litter are no drops, and not worth a line."""
    put(inbox / name)
    assert names(source) == []
    assert is_passing(name)
    assert log.of("file.ignored") == []


def test_other_files_are_listed_once(source: FolderSource, inbox: Path, log: Log) -> None:
    """A file that will never be taken is told of once, by name, however often it is seen."""
    put(inbox / "users.csv")
    for now in range(3):
        assert names(source, now) == []
    assert [entry["file"] for entry in log.of("file.ignored")] == ["'users.csv'"]


def test_what_is_not_a_regular_file_is_no_drop(source: FolderSource, inbox: Path, tmp_path: Path) -> None:
    """Folders, links (whole or dangling) and pipes are never followed nor opened."""
    (inbox / "folder.zip").mkdir()
    (inbox / "link.zip").symlink_to(put(tmp_path / "secret.zip"))
    (inbox / "nowhere.zip").symlink_to(tmp_path / "nothing")
    os.mkfifo(inbox / "pipe.zip")
    assert names(source) == []


@pytest.mark.parametrize("name", ["a\n.zip", "a\x1b[31m.zip", "a\udcff.zip", ".zip", "zip", "x" * 200 + ".zip"])
def test_a_name_that_cannot_be_shown_or_kept_is_no_drop(name: str) -> None:
    """Control characters, bytes that are not UTF-8, and names without room for what is made of them are refused."""
    assert not is_drop_name(name)


def test_a_name_that_is_not_utf_8_is_ignored(source: FolderSource, inbox: Path, log: Log) -> None:
    """Such a name in a real folder neither stops the scan nor comes into the log as it is."""
    put(inbox / os.fsdecode(b"sch\xfcler.zip"))
    put(inbox / "good.zip")
    assert names(source) == ["good.zip"]
    assert [entry["file"] for entry in log.of("file.ignored")] == [r"'sch\udcfcler.zip'"]


def test_a_folder_is_not_searched_deeper(source: FolderSource, inbox: Path) -> None:
    """The inbox is flat."""
    (inbox / "sub").mkdir()
    put(inbox / "sub" / "a.zip")
    assert names(source) == []


def test_waits_for_the_quiet_period(log: Log, inbox: Path) -> None:
    """What has just come is waiting, with the end of its period, and then a drop with the look it had."""
    source = FolderSource(inbox, quiet_period=60)
    path = put(inbox / "a.zip")
    assert names(source, now=5) == []
    assert [(seen.path, seen.look.size, seen.due) for seen in source.waiting()] == [("a.zip", path.stat().st_size, 65)]
    (drop,) = source.scan(65, LONG_AGO)
    assert (drop.path, drop.look.ino, drop.since) == (path, path.stat().st_ino, 5)
    assert source.waiting() == ()


def test_a_writer_killed_half_way_is_a_drop_only_after_the_period(log: Log, inbox: Path) -> None:
    """Half a file that nobody goes on writing waits like any other; that it is half is for the zip's checks to say."""
    source = FolderSource(inbox, quiet_period=60)
    with (inbox / "a.zip").open("wb") as writer:
        for now in (0, 50, 100):
            writer.write(b"more")
            writer.flush()
            assert names(source, now) == []
    assert (names(source, 150), names(source, 160)) == ([], ["a.zip"])


def test_what_was_at_rest_is_a_drop_at_first_sight(log: Log, inbox: Path) -> None:
    """A file whose ctime lies a quiet period back need not wait again after a start."""
    path = put(inbox / "a.zip")
    wall = datetime.fromtimestamp(path.stat().st_ctime + 61, UTC)
    assert len(FolderSource(inbox, quiet_period=60).scan(0, wall)) == 1


# The folder itself ----------------------------------------------------------------------------------------------


def test_makes_its_folder_at_the_start(log: Log, tmp_path: Path) -> None:
    """A folder that is missing is made if its parent is there."""
    source = FolderSource(tmp_path / "inbox", quiet_period=0)
    assert names(source) == []
    assert (tmp_path / "inbox").is_dir()
    assert source.health() is None


def test_a_missing_folder_is_a_condition(log: Log, tmp_path: Path) -> None:
    """Without its parent too it is told by health, and once by the log; all is well when it comes."""
    source = FolderSource(tmp_path / "volume" / "inbox", quiet_period=0)
    source.watch(lambda: None)
    for now in range(3):
        assert names(source, now) == []
    assert source.health() == f"{source.path}: folder cannot be read: ENOENT"
    (tmp_path / "volume" / "inbox").mkdir(parents=True)
    put(tmp_path / "volume" / "inbox" / "a.zip")
    assert names(source) == ["a.zip"]
    assert source.health() is None
    assert (len(log.of("folder.lost")), len(log.of("folder.found"))) == (1, 1)
    source.close()


def test_a_folder_lost_later_is_not_made_again(source: FolderSource, inbox: Path) -> None:
    """Where a volume is no longer mounted, a new folder would hide that."""
    assert names(source) == []
    inbox.rmdir()
    assert names(source) == []
    assert not inbox.exists()
    assert source.health() is not None


# The watcher ----------------------------------------------------------------------------------------------------


def write_directly(inbox: Path, _outside: Path) -> None:
    """As most clients do."""
    put(inbox / "a.zip")


def rename_within(inbox: Path, _outside: Path) -> None:
    """As WinSCP does above 100 KB."""
    put(inbox / "a.zip.filepart").rename(inbox / "a.zip")


def rename_in(inbox: Path, outside: Path) -> None:
    """As a script on the host does; inotify says created, and never closed."""
    put(outside / "a.zip").rename(inbox / "a.zip")


def link_and_unlink(inbox: Path, _outside: Path) -> None:
    """As OpenSSH does for a version 3 rename: created and deleted, neither moved nor closed."""
    put(inbox / "a.zip.part")
    (inbox / "a.zip").hardlink_to(inbox / "a.zip.part")
    (inbox / "a.zip.part").unlink()


@pytest.mark.parametrize("arrive", [write_directly, rename_within, rename_in, link_and_unlink])
def test_wakes_for_every_way_to_arrive(
    source: FolderSource, inbox: Path, tmp_path: Path, arrive: Callable[[Path, Path], None]
) -> None:
    """Whichever way a drop comes in, the watcher rings and the scan has it."""
    bell = Bell()
    source.watch(bell.ring)
    assert names(source) == []
    arrive(inbox, tmp_path)
    assert bell.has_rung()
    assert names(source) == ["a.zip"]


def test_does_not_wake_itself(source: FolderSource, inbox: Path) -> None:
    """Scanning and reading ring no bell: else one drop that waits would keep the daemon turning."""
    put(inbox / "a.zip")
    bell = Bell()
    source.watch(bell.ring)
    for now in range(20):
        assert names(source, now) == ["a.zip"]
        (inbox / "a.zip").read_bytes()
    assert not bell.has_rung(patience=0.3)


def test_a_bell_that_raises_does_not_end_the_watch(source: FolderSource, inbox: Path) -> None:
    """An exception in the handler would end watchdog's dispatcher (#663), so none comes there."""
    bell = Bell()

    def ring() -> None:
        bell.ring()
        raise RuntimeError("no bell")

    source.watch(ring)
    for name in ("a.zip", "b.zip"):
        put(inbox / name)
        assert bell.has_rung()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_reader_costs_one_rescan(source: FolderSource, inbox: Path, log: Log) -> None:
    """The reader of watchdog dies while all say it lives: the rescan finds the drop, the next one mends it."""
    bell = Bell()
    descriptor = watch(source, bell)
    assert names(source, 0) == []
    folder = os.open(inbox, os.O_RDONLY)
    os.dup2(folder, descriptor)  # closes inotify's descriptor; to read from a folder is EISDIR, and the thread ends
    os.close(folder)
    put(inbox / "a.zip")
    while bell.has_rung(patience=0.2):
        names(source, 1)  # the event that was on its way; the watcher is now known to be well, and is not
    put(inbox / "b.zip")
    assert not bell.has_rung(patience=0.2)
    assert set(names(source, 30)) == {"a.zip", "b.zip"}
    names(source, 60)
    assert [entry["reason"] for entry in log.of("watcher.restarted")] == ["deaf"]
    assert is_watching_again(source, inbox, bell)


def test_a_deaf_watcher_costs_one_rescan(source: FolderSource, inbox: Path, log: Log) -> None:
    """A watcher that lives and hears nothing, as on a network file system, is found out by what it failed to tell."""
    bell = Bell()
    descriptor = watch(source, bell)
    names(source, 0)
    silence, end = os.pipe()
    os.dup2(silence, descriptor)
    put(inbox / "a.zip")
    while bell.has_rung(patience=0.2):
        names(source, 1)
    put(inbox / "b.zip")
    assert set(names(source, 30)) == {"a.zip", "b.zip"}
    names(source, 60)
    assert [entry["reason"] for entry in log.of("watcher.restarted")] == ["deaf"]
    assert is_watching_again(source, inbox, bell)
    os.close(silence)
    os.close(end)


def test_a_dead_dispatcher_is_replaced(source: FolderSource, inbox: Path, log: Log) -> None:
    """An observer whose thread ended is replaced by the next scan."""
    made: list[BaseObserver] = []

    def make() -> BaseObserver:
        made.append(Observer())
        return made[-1]

    source = FolderSource(inbox, quiet_period=0, observer=make)
    bell = Bell()
    source.watch(bell.ring)
    made[0].stop()
    made[0].join(PATIENCE)
    assert names(source) == []
    assert [entry["reason"] for entry in log.of("watcher.restarted")] == ["thread died"]
    assert is_watching_again(source, inbox, bell)
    source.close()


def test_a_folder_made_anew_is_watched_anew(source: FolderSource, inbox: Path, log: Log) -> None:
    """A watch ends with its folder; one of the same name is another, and the next scan sees that."""
    bell = Bell()
    source.watch(bell.ring)
    names(source)
    inbox.rename(inbox.with_name("old"))
    inbox.mkdir()
    put(inbox / "a.zip")
    assert names(source) == ["a.zip"]
    assert [entry["reason"] for entry in log.of("watcher.restarted")] == ["folder replaced"]
    assert is_watching_again(source, inbox, bell)


def test_a_folder_deleted_and_made_anew_is_watched_anew(source: FolderSource, inbox: Path) -> None:
    """The same, where the new folder may have got the old one's inode: then its watch has died with it."""
    bell = Bell()
    source.watch(bell.ring)
    inbox.rmdir()
    inbox.mkdir()
    names(source)
    put(inbox / "a.zip")
    assert names(source) == ["a.zip"]
    bell.has_rung(patience=0.5)
    names(source)
    assert is_watching_again(source, inbox, bell)


@pytest.mark.parametrize(
    ("fault", "told"),
    [(OSError(24, "inotify instance limit reached"), "EMFILE"), (RuntimeError("no new thread"), "RuntimeError")],
)
def test_a_machine_without_inotify_left_rescans(inbox: Path, log: Log, fault: Exception, told: str) -> None:
    """Where the limit of instances is reached, it is told once, drops are found, and the watch comes later."""
    is_full = True

    def make() -> BaseObserver:
        if is_full:
            raise fault
        return Observer()

    source = FolderSource(inbox, quiet_period=0, observer=make)
    bell = Bell()
    source.watch(bell.ring)
    put(inbox / "a.zip")
    assert [names(source, now) for now in (0, 30)] == [["a.zip"], ["a.zip"]]
    assert [entry["error"] for entry in log.of("watcher.failed")] == [told]
    is_full = False
    names(source, 60)
    assert is_watching_again(source, inbox, bell)
    source.close()


def test_watching_again_replaces_the_watch(source: FolderSource, inbox: Path) -> None:
    """A feed whose first round failed watches again: the new bell rings, the old watcher is gone."""
    first, second = Bell(), Bell()
    before = len(inotify_descriptors())
    source.watch(first.ring)
    source.watch(second.ring)
    assert len(inotify_descriptors()) == before + 1
    put(inbox / "a.zip")
    assert second.has_rung()


def test_closing_leaves_nothing_behind(inbox: Path, log: Log) -> None:
    """Neither a thread nor a descriptor of inotify remains, and closing twice is as good as once."""
    before = (threading.active_count(), inotify_descriptors())
    source = FolderSource(inbox, quiet_period=0)
    source.watch(lambda: None)
    assert inotify_descriptors() != before[1]
    source.close()
    source.close()
    assert inotify_descriptors() == before[1]
    assert threading.active_count() <= before[0]
