"""The daemon as a real process, and senders that are real processes too: slow ones, killed ones, and broken feeds."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from builders import changed, roster, zip_of
from places import (
    PATIENCE,
    Daemon,
    Place,
    daemon,
    documents_of,
    invoke,
    live_of,
    place,
    snapshot_of,
    states_of,
    target_of,
    wait_until,
)

from ingestd.generate import district, write_zip

DAY_1 = roster(3)
FEEDS = ("slow", "renamed", "killed", "filepart", "copied")
SENDER = """
import os, select, sys
path, first, second, times = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
rest = lambda seconds: select.select([], [], [], seconds)
with open(path, "wb", buffering=0) as file:
    content = open(first, "rb").read()
    for number in range(times):
        file.write(content[number * len(content) // times : (number + 1) * len(content) // times])
        rest(0.3)
    print("half", flush=True)
    if second:
        rest(2)
        file.seek(0)
        file.truncate()
        file.write(open(second, "rb").read())
    else:
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Daemon]]:
    """Run one daemon that serves a feed for each test, with a quiet period of a second."""
    where = place(tmp_path_factory.mktemp("running") / "place", *FEEDS, quiet="1s")
    with daemon(where) as found:
        assert found.waits_for("daemon.started")
        assert wait_until(lambda: all(where.inbox(feed).is_dir() for feed in FEEDS))
        yield where, found
        assert found.stop() == 0


def named(name: str) -> bytes:
    """Return a drop that is known by the family name of its first user."""
    return zip_of(changed(DAY_1, "users", "U1", familyName=name))


@contextmanager
def sending(
    path: Path, folder: Path, first: bytes, second: bytes | None, times: int
) -> Iterator["subprocess.Popen[str]"]:
    """Run a sender that writes `first` in so many pieces, and then `second` over it; without that it waits."""
    (folder / "first").write_bytes(first)
    (folder / "second").write_bytes(second or b"")
    paths = [path, folder / "first", folder / "second" if second else ""]
    words = [sys.executable, "-c", SENDER, *map(str, paths), str(times)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        try:
            yield sender
        finally:
            sender.kill()


def test_a_drop_is_not_claimed_while_its_writer_has_it_open(running: tuple[Place, Daemon], tmp_path: Path) -> None:
    """Not even when it is a whole zip at rest for longer than the quiet period: the writer may have more to say."""
    where, _daemon = running
    wanted = named("Final")
    with sending(where.inbox("slow") / "a.zip", tmp_path, named("Draft"), wanted, 3) as sender:
        assert sender.wait(PATIENCE) == 0
    assert wait_until(lambda: "applied" in states_of(where, "slow"))
    assert states_of(where, "slow") == ["applied"]
    assert documents_of(where, "slow")[0]["sha256"] == hashlib.sha256(wanted).hexdigest()
    assert live_of(where, "users", "familyName", "slow")["U1"] == "Final"


def test_a_drop_that_is_copied_slowly_is_claimed_once_and_whole(running: tuple[Place, Daemon], tmp_path: Path) -> None:
    """Each piece comes within the quiet period of the last."""
    where, _daemon = running
    wanted = named("Slow")
    with sending(where.inbox("copied") / "a.zip", tmp_path, wanted, None, 6) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "half\n"
        assert states_of(where, "copied") == []
        sender.communicate("go\n", PATIENCE)
    assert wait_until(lambda: "applied" in states_of(where, "copied"))
    assert [one["sha256"] for one in documents_of(where, "copied")] == [hashlib.sha256(wanted).hexdigest()]


def test_a_drop_moved_in_is_claimed(running: tuple[Place, Daemon]) -> None:
    """Though no event but its creation tells of it, and its times are those of another age."""
    where, _daemon = running
    aside = where.folder / "aside.zip"
    aside.write_bytes(named("Moved"))
    os.utime(aside, (0, 0))
    aside.rename(where.inbox("renamed") / "a.zip")
    assert wait_until(lambda: states_of(where, "renamed") == ["applied"])
    assert not list(where.inbox("renamed").iterdir())


def test_what_a_killed_writer_left_is_never_claimed(running: tuple[Place, Daemon], tmp_path: Path) -> None:
    """Half a zip stays where it is, in nobody's way; the same name sent again whole is taken."""
    where, found = running
    whole = named("Again")
    path = where.inbox("killed") / "a.zip"
    with sending(path, tmp_path, whole[: len(whole) // 2], None, 1) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        sender.kill()
        sender.wait()
        assert wait_until(lambda: any(line["feed"] == "killed" for line in found.logged("drop.waiting")))
    assert path.exists()
    assert states_of(where, "killed") == []
    where.drop(named("Other"), "b.zip", "killed")
    assert wait_until(lambda: states_of(where, "killed") == ["applied"])
    where.drop(whole, "a.zip", "killed")
    assert wait_until(lambda: states_of(where, "killed") == ["applied", "applied"])
    assert live_of(where, "users", "familyName", "killed")["U1"] == "Again"


def test_a_filepart_is_claimed_when_it_has_its_name(running: tuple[Place, Daemon]) -> None:
    """WinSCP writes `.filepart` and renames: until then the drop is not there."""
    where, _daemon = running
    part = where.inbox("filepart") / "a.zip.filepart"
    part.write_bytes(named("Part"))
    where.drop(named("Other"), "b.zip", "filepart")
    assert wait_until(lambda: states_of(where, "filepart") == ["applied"])
    assert part.exists()
    part.rename(where.inbox("filepart") / "a.zip")
    assert wait_until(lambda: states_of(where, "filepart") == ["applied", "applied"])
    assert live_of(where, "users", "familyName", "filepart")["U1"] == "Part"


def test_a_broken_feed_does_not_stop_the_others(tmp_path: Path) -> None:
    """One inbox is no folder, one sink cannot be written; the rest of the feeds never notice, and both recover."""
    good = tuple(f"good-{number}" for number in range(4))
    where = place(tmp_path / "place", *good, "lost", "stuck", more='[schedule]\napply_at = "00:00"\n')
    for feed in ("lost", "stuck"):
        path = where.folder / "feeds" / f"{feed}.toml"
        path.write_text('rescan = "1s"\n' + path.read_text())
    where.inbox("lost").parent.mkdir(parents=True)
    where.inbox("lost").write_text("an inbox that is none")
    where.target("stuck").mkdir()
    for feed in (*good, "stuck"):
        where.drop(named(feed), feed=feed)
    with daemon(where) as found:
        assert wait_until(lambda: all(states_of(where, feed) == ["applied"] for feed in good))
        assert wait_until(lambda: states_of(where, "stuck") == ["failed"])
        assert found.waits_for("folder.lost")
        where.inbox("lost").unlink()
        where.drop(named("lost"), feed="lost")
        where.target("stuck").rmdir()
        where.drop(named("mended"), feed="stuck")
        assert wait_until(lambda: states_of(where, "lost") == ["applied"])
        assert wait_until(lambda: states_of(where, "stuck")[1:] == ["applied"])
        assert live_of(where, "users", "familyName", "stuck")["U1"] == "mended"
        assert found.stop() == 0


def test_a_feed_whose_store_is_damaged_does_not_stop_the_others(tmp_path: Path) -> None:
    """A file that is no database any more is that feed's trouble alone."""
    where = place(tmp_path / "place", "good", "bad")
    where.store("bad").parent.mkdir(parents=True)
    where.store("bad").write_bytes(b"this was a database once" * 1000)
    where.drop(named("good"), feed="good")
    with daemon(where) as found:
        assert wait_until(lambda: states_of(where, "good") == ["applied"] or found.process.poll() is not None)
        assert states_of(where, "good") == ["applied"]
        assert found.stop() == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Place]:
    """Return the drop of a district of 1,000 users, and a place where it was applied without a disturbance."""
    folder = tmp_path_factory.mktemp("large")
    write_zip(district(1000, 1), folder / "large.zip")
    where = place(folder / "place")
    content = (folder / "large.zip").read_bytes()
    where.drop(content)
    assert invoke(where, "once").code == 0
    return content, where


@pytest.mark.parametrize("state", ["received", "applying"])
def test_a_daemon_that_is_told_to_stop_in_the_middle_stops_and_goes_on_later(
    large: tuple[bytes, Place], tmp_path: Path, state: str
) -> None:
    """SIGTERM ends it within seconds with code 0; after the next start all is as after one undisturbed run."""
    content, wanted = large
    where = place(tmp_path / "place")
    where.drop(content)
    with daemon(where) as found:
        assert wait_until(lambda: states_of(where) == [state])
        assert found.stop() == 0
    assert states_of(where) in (["received"], ["applying"], ["applied"])
    assert invoke(where, "once").code == 0
    assert states_of(where) == ["applied"]
    assert (target_of(where), snapshot_of(where)) == (target_of(wanted), snapshot_of(wanted))


def test_a_daemon_that_waits_for_its_sink_stops_when_told_to(large: tuple[bytes, Place], tmp_path: Path) -> None:
    """Somebody else holds the target database; once that ends, the daemon ends in good order, the plan done or not."""
    content, wanted = large
    where = place(tmp_path / "place")
    where.state.mkdir()
    with closing(sqlite3.connect(where.target(), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        where.drop(content)
        with daemon(where) as found:
            assert wait_until(lambda: states_of(where) == ["applying"])
            found.process.send_signal(signal.SIGTERM)
            db.execute("ROLLBACK")
            assert found.process.wait(PATIENCE) == 0
    assert invoke(where, "once").code == 0
    assert target_of(where) == target_of(wanted)
