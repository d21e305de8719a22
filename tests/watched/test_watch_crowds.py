"""However much comes, and whatever others do meanwhile: one rescan finds every complete file.

INGESTD_CREATES is how many files the longest overflow has, INGESTD_CHURN how many drops arrive while others churn.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from intake_world import PATIENCE, put
from watcher_world import Scenario, World, assert_found_and_mended
from watching import names

CREATES = int(os.environ.get("INGESTD_CREATES", "12000"))
CHURN = int(os.environ.get("INGESTD_CHURN", "40"))


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
        overflow_with_1_000,
        overflow_with_10_000,
        overflow_with_very_many,
        leave_stale_uploads,
        leave_stale_drops,
        leave_other_files,
        churn,
    ],
)
def test_very_much_may_come(world: World, scenario: Scenario) -> None:
    """Overflows, stale files, others' folders that come and go."""
    assert_found_and_mended(world, scenario)


def test_an_overflow_is_one(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The scenarios of that name do make the kernel drop events."""
    world.source.watch(world.bell.ring)
    overflow(world, 1_000)
    deadline = time.monotonic() + PATIENCE
    while "queue overflowed" not in caplog.text and time.monotonic() < deadline:
        world.bell.has_rung(patience=0.05)
    assert "queue overflowed" in caplog.text
