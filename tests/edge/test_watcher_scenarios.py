"""What can befall a watched folder (reliability section 6.5): whatever it is, one rescan finds every complete file.

Each scenario harms an inbox that is watched, and puts drops into it. Then comes one rescan; then the harm ends, and
after two more rescans the watch works again: a new file rings. No test here waits for a clock.
INGESTD_CREATES is how many files the longest overflow has, INGESTD_CHURN how many drops arrive while others churn.
"""

import ctypes
import errno
import mmap
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from intake_world import PATIENCE, kept_log, put
from watchdog.observers.api import BaseObserver
from watcher_world import CONTENT, Volume, World, silent
from watching import LONG_AGO, inotify_descriptors, is_watching_again, names

CREATES = int(os.environ.get("INGESTD_CREATES", "12000"))
CHURN = int(os.environ.get("INGESTD_CHURN", "40"))
LIBC = ctypes.CDLL(None, use_errno=True)

Scenario = Callable[[World], object]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an inbox that is not watched yet, and see that nothing of it is left behind."""
    before = inotify_descriptors()
    with kept_log():
        made = World(tmp_path)
        yield made
        made.close()
    assert inotify_descriptors() == before


def settle(world: World) -> None:
    """Have every event come that is on its way, and scan, as the daemon does when it is woken."""
    while world.bell.has_rung(patience=0.05):
        pass
    names(world.source, 1)


def assert_found_and_mended(world: World, scenario: Scenario) -> None:
    """Harm a watched inbox; a rescan finds all, and after the harm the watch works again."""
    world.source.watch(world.bell.ring)
    names(world.source, 0)
    scenario(world)
    settle(world)
    if world.inbox.is_dir():
        world.put("late.zip")
    assert world.expected <= set(names(world.source, 30))
    world.heal()
    for now in (60, 90):
        names(world.source, now)
    assert is_watching_again(world.source, world.inbox, world.bell)
    assert world.expected <= set(names(world.source, 120))


# Ways to arrive while nobody says a word ----------------------------------------------------------------------------


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
    assert len(world.made) >= 2  # at least the silent one has been replaced


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


# What can befall the threads of the watcher -------------------------------------------------------------------------


def kill_the_reader(world: World) -> None:
    """Its read fails with EISDIR, and the thread ends; all say that it lives."""
    world.replace_descriptor(str(world.folder))
    world.put()


def kill_the_reader_by_garbage(world: World) -> None:
    """What it reads is no event: it raises, and ends."""
    (world.folder / "garbage").write_bytes(b"\xff" * 64)
    world.replace_descriptor(str(world.folder / "garbage"))
    world.put()


def deafen_the_reader(world: World) -> None:
    """It waits for ever on something that is not inotify."""
    silence, end = os.pipe()
    os.dup2(silence, world.descriptor)
    os.close(silence)
    world.heals.append(lambda: os.close(end))
    world.put()


def have_the_reader_read_nothing(world: World) -> None:
    """Each of its reads returns nothing, at once."""
    world.replace_descriptor(os.devnull)
    world.put()


def stop_the_observer(world: World) -> None:
    """Its own thread, which calls the handler, ends."""
    world.made[-1].stop()
    world.made[-1].join(PATIENCE)
    world.put()


def stop_the_emitter(world: World) -> None:
    """The thread between reader and observer ends; the observer lives."""
    (emitter,) = world.made[-1].emitters
    emitter.stop()
    emitter.join(PATIENCE)
    world.put()


def unschedule(world: World) -> None:
    """The observer lives and has nothing to observe any more."""
    world.made[-1].unschedule_all()
    world.put()


def remove_the_watch(world: World) -> None:
    """The kernel's watch goes, as it does with an unmounted volume; the threads stay."""
    for watch in range(1, 4):
        LIBC.inotify_rm_watch(world.descriptor, watch)
    world.put()


def forget_the_handler(world: World) -> None:
    """Events come, and nobody is called."""
    observer = world.made[-1]
    (emitter,) = observer.emitters
    for handlers in observer._handlers.values():
        handlers.clear()
    assert emitter.is_alive()
    world.put()


def ring_a_bell_that_raises(world: World) -> None:
    """As the handler of a program does that has a fault (#663)."""
    world.source.watch(_raise)
    world.put()
    world.heals.append(lambda: world.source.watch(world.bell.ring))


def ring_a_bell_that_never_returns(world: World) -> None:
    """The observer's thread is stuck in the handler."""
    stuck = threading.Event()

    def ring() -> None:
        stuck.wait(PATIENCE)

    world.source.watch(ring)
    world.put()
    world.heals += [lambda: world.source.watch(world.bell.ring), stuck.set]


def _raise() -> None:
    raise RuntimeError("no bell")


# What can befall the folder -----------------------------------------------------------------------------------------


def delete_and_make_anew(world: World) -> None:
    """The watch dies with its folder; the new one may even have the old one's inode."""
    world.inbox.rmdir()
    world.inbox.mkdir()
    world.put()


def delete_with_all_in_it(world: World) -> None:
    """What was in it is lost with it; what comes into the new one is not."""
    put(world.inbox / "gone.zip")
    shutil.rmtree(world.inbox)
    world.inbox.mkdir()
    world.put()


def delete_and_make_anew_many_times(world: World) -> None:
    """Faster than anyone looks."""
    for _ in range(50):
        world.inbox.rmdir()
        world.inbox.mkdir()
    world.put()


def rename_away_and_make_anew(world: World) -> None:
    """As an admin does who wants to look at what came."""
    world.inbox.rename(world.inbox.with_name("old"))
    world.inbox.mkdir()
    world.put()


def rename_away_and_back(world: World) -> None:
    """The same folder again; what came meanwhile is in it."""
    world.inbox.rename(world.inbox.with_name("old"))
    put(world.inbox.with_name("old") / "meanwhile.zip")
    world.inbox.with_name("old").rename(world.inbox)
    world.expect("meanwhile.zip")


def rename_the_folder_above(world: World) -> None:
    """The path is gone for a while, and one scan finds nothing."""
    volume, away = world.inbox.parent, world.folder / "away"
    volume.rename(away)
    assert names(world.source, 5) == []
    put(away / "inbox" / "meanwhile.zip")
    away.rename(volume)
    world.expect("meanwhile.zip")


def put_a_link_in_its_place(world: World) -> None:
    """A symbolic link to a folder elsewhere: that one is scanned and watched."""
    world.inbox.rmdir()
    world.inbox.symlink_to(world.outside)
    world.put()


def delete_for_good(world: World) -> None:
    """Until an admin makes it again; ingestd does not, for a volume may lack there."""
    world.inbox.rmdir()
    assert names(world.source, 5) == []
    assert world.source.health()
    world.heals += [lambda: world.put("again.zip"), world.inbox.mkdir]


def mount_over_it(world: World) -> None:
    """A volume is mounted on an inbox that was an empty folder until then."""
    volume = Volume(world.outside, world.inbox)
    volume.attach()
    world.heals += [world.expected.clear, volume.detach]
    world.put()


def unmount_it(world: World) -> None:
    """The volume goes, and the folder below it takes the drops."""
    volume = _mounted(world, world.outside, world.inbox)
    volume.detach()
    world.put()


def unmount_and_mount_again(world: World) -> None:
    """What came to the volume meanwhile is found when it is back."""
    volume = _mounted(world, world.outside, world.inbox)
    volume.detach()
    assert names(world.source, 5) == []
    put(world.outside / "meanwhile.zip")
    volume.attach()
    world.expect("meanwhile.zip")
    world.heals += [world.expected.clear, volume.detach]


def unmount_what_it_lies_in(world: World) -> None:
    """Without its volume the inbox is not there at all; with it again all is there."""
    content = world.folder / "content"
    (content / "inbox").mkdir(parents=True)
    volume = _mounted(world, content, world.inbox.parent)
    shutil.move(world.inbox, world.folder / "put aside")
    volume.detach()
    shutil.move(world.inbox, world.folder / "below")
    assert names(world.source, 5) == []
    (world.folder / "put aside").rename(world.inbox)
    world.put()


def _mounted(world: World, content: Path, place: Path) -> Volume:
    """Return a volume that is mounted and watched."""
    volume = Volume(content, place)
    volume.attach()
    world.heals.append(volume.detach)
    names(world.source, 2)
    return volume


# What can befall the machine ----------------------------------------------------------------------------------------


def use_up_the_instances(world: World) -> None:
    """The user has no inotify left (max_user_instances): counted by the real user, so another one is taken for it."""
    world.source.close()
    os.setresuid(54321, 0, 0)
    world.heals.append(lambda: os.setresuid(0, 0, 0))
    while (descriptor := LIBC.inotify_init1(os.O_CLOEXEC)) >= 0:
        world.heals.append(partial(os.close, descriptor))
    made = len(world.made)
    world.source.watch(world.bell.ring)
    assert len(world.made) == made
    world.put()


def leave_few_descriptors(world: World) -> None:
    """Enough to scan and not to watch: what an observer got of its three is given back (watchdog 7.1 keeps it)."""
    world.source.close()
    _limit_descriptors(world, free=2)
    world.source.watch(world.bell.ring)
    for now in range(5):
        names(world.source, now)
    assert inotify_descriptors() == set()
    world.put()


def leave_no_descriptor(world: World) -> None:
    """Not even the folder can be listed; that is told, and over when it is over."""
    world.put()
    _limit_descriptors(world, free=0)
    assert names(world.source, 5) == []
    assert world.source.health() == f"{world.inbox}: folder cannot be read: EMFILE"
    world.heal()


def refuse_a_watch(world: World) -> None:
    """The user's watches are used up (max_user_watches): ENOSPC."""
    world.source.close()
    world.makes = [_without_watches]
    world.source.watch(world.bell.ring)
    world.put()


def refuse_a_thread(world: World) -> None:
    """No thread can be started for it."""
    world.source.close()
    world.makes = [_without_threads]
    world.source.watch(world.bell.ring)
    world.put()


def _without_watches() -> BaseObserver:
    raise OSError(errno.ENOSPC, "inotify watch limit reached")


def _without_threads() -> BaseObserver:
    raise RuntimeError("can't start new thread")


def _limit_descriptors(world: World, free: int) -> None:
    """Let the process have so many more descriptors: those below the limit that are not taken."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    probes = [os.eventfd(0) for _ in range(free + 1)]
    for probe in probes:
        os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probes[-1], before[1]))
    world.heals.append(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, before))


# How much can come --------------------------------------------------------------------------------------------------


def overflow(world: World, count: int) -> None:
    """Create so many drops while the reader stands still; before them, so much that none of their events has room.

    Each file is two events, so that this holds whatever the reader has taken before it stands still.
    """
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with world.stalled_reader():
        for number in range(limit):
            os.close(os.open(world.inbox / f".noise.{number % 2}", os.O_CREAT | os.O_WRONLY, 0o600))
        for number in range(count):
            os.close(os.open(world.inbox / f"{number}.zip", os.O_CREAT | os.O_WRONLY, 0o600))
    world.expect(*(f"{number}.zip" for number in range(count)))


def overflow_with_1_000(world: World) -> None:
    """As a few feeds' drops amid somebody's noise."""
    overflow(world, 1_000)


def overflow_with_10_000(world: World) -> None:
    """As many events as the kernel keeps, and more."""
    overflow(world, 10_000)


def overflow_with_very_many(world: World) -> None:
    """100,000 in the long run."""
    overflow(world, CREATES)


def leave_stale_uploads(world: World) -> None:
    """20,000 unfinished uploads that nobody ever took away."""
    _fill(world, "zip.filepart")


def leave_stale_drops(world: World) -> None:
    """20,000 old drops that are there at every scan."""
    _fill(world, "zip")


def leave_other_files(world: World) -> None:
    """5,000 files that are no drops, each of which is told once."""
    _fill(world, "txt", count=5_000)


def _fill(world: World, ending: str, count: int = 20_000) -> None:
    """Have many files be there before the watch begins."""
    world.source.close()
    for number in range(count):
        os.mknod(world.inbox / f"{number}.{ending}", 0o600)
    world.source.watch(world.bell.ring)
    names(world.source, 2)
    world.put()


CHURNING = """
import os, shutil, sys
place, name = sys.argv[1:]
while os.path.exists(f"{place}/churn"):
    os.makedirs(f"{place}/inbox/{name}.zip/x")
    os.rename(f"{place}/inbox/{name}.zip", f"{place}/inbox/{name}.moved.zip")
    shutil.rmtree(f"{place}/inbox/{name}.moved.zip")
    print(flush=True)
"""


def churn(world: World) -> None:
    """Three processes make, rename and remove folders in the inbox as fast as they can, and drops arrive."""
    sign = put(world.inbox.parent / "churn")
    busy = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", CHURNING, world.inbox.parent, name], stdout=subprocess.PIPE, text=True
        )
        for name in ("x", "y", "z")
    ]
    for number in range(CHURN):
        for process in busy:
            assert process.stdout and process.stdout.readline() == "\n"
        taken = world.put(f"{number}.zip")
        assert world.expected <= set(names(world.source, 1))
        world.expected.discard(taken.name)
        taken.unlink()
    sign.unlink()
    for process in busy:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


@pytest.mark.parametrize(
    "scenario",
    [
        kill_the_reader, kill_the_reader_by_garbage, deafen_the_reader, have_the_reader_read_nothing, stop_the_observer,
        stop_the_emitter, unschedule, remove_the_watch, forget_the_handler, ring_a_bell_that_raises,
        ring_a_bell_that_never_returns, delete_and_make_anew, delete_with_all_in_it, delete_and_make_anew_many_times,
        rename_away_and_make_anew, rename_away_and_back, rename_the_folder_above, put_a_link_in_its_place,
        delete_for_good, mount_over_it, unmount_it, unmount_and_mount_again, unmount_what_it_lies_in,
        use_up_the_instances, leave_few_descriptors, leave_no_descriptor, refuse_a_watch, refuse_a_thread,
        overflow_with_1_000, overflow_with_10_000, overflow_with_very_many, leave_stale_uploads, leave_stale_drops,
        leave_other_files, churn,
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_every_file_is_found_within_one_rescan(world: World, scenario: Scenario) -> None:
    """Whatever befell the inbox; and the watch works again two rescans after it is over."""
    assert_found_and_mended(world, scenario)


def test_an_overflow_is_one(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The scenarios of that name do make the kernel drop events."""
    world.source.watch(world.bell.ring)
    overflow(world, 1_000)
    deadline = time.monotonic() + PATIENCE
    while "queue overflowed" not in caplog.text and time.monotonic() < deadline:
        world.bell.has_rung(patience=0.05)
    assert "queue overflowed" in caplog.text
