"""The process that reads drops may die of one: that is a finding, the daemon lives on, and the next drop is taken."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import roster, zip_of
from places import (
    FEED,
    Daemon,
    Done,
    codes_of,
    daemon,
    documents_of,
    live_of,
    once,
    place,
    run_ingestd,
    snapshot_of,
    states_of,
    target_of,
    wait_until,
)

from ingestd.generate import district, write_zip

NARROW = '[package]\nmemory = "1MiB"\n'
"""More than this is needed to read anything."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a drop that takes a while to read."""
    path = tmp_path_factory.mktemp("large") / "large.zip"
    write_zip(district(5_000, seed=1), path)
    return path.read_bytes()


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def readers(of: Daemon) -> Iterator[int]:
    """Yield the processes that read drops for a daemon now."""
    for nursery in children(of.process.pid):
        yield from children(nursery)


def end_readers(of: Daemon, number: signal.Signals) -> None:
    """Send a signal to whatever reads a drop."""
    for pid in readers(of):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def ends(of: Daemon, number: signal.Signals, event: str) -> bool:
    """End whatever reads a drop, until a run has come to an end over it."""

    def has_ended() -> bool:
        end_readers(of, number)
        return bool(of.logged(event))

    return wait_until(has_ended)


def reader_stopped(document: dict[str, object]) -> list[str]:
    """Return what the findings of a run say of its reader."""
    listed = document["listed_findings"]
    assert isinstance(listed, list)
    return [one["message"] for one in listed if one["code"] == "reader-stopped"]


def test_a_drop_that_takes_more_than_it_may_is_rejected_and_the_next_one_taken(tmp_path: Path) -> None:
    """The finding says what it ran out of; with more of it, the next drop is read."""
    where = place(tmp_path, more=NARROW)
    where.drop(zip_of(roster()), "one.zip")
    first = run_ingestd(where, "once", "--json")
    assert (first.code, [run["state"] for run in first.json]) == (1, ["rejected"])
    (document,) = documents_of(where)
    assert codes_of(document) == {"reader-stopped"}
    assert reader_stopped(document) == ["reading the drop was stopped: it took more memory than the 1 MiB allowed"]
    assert target_of(where) == {}
    place(tmp_path)
    where.drop(zip_of(roster()), "two.zip")
    assert run_ingestd(where, "once").code == 0
    assert states_of(where) == ["rejected", "applied"]
    assert set(live_of(where, "users", "familyName")) == {"U1", "U2", "U3"}


def test_check_and_plan_tell_it_too(tmp_path: Path) -> None:
    """What is looked at by hand is read in the same way."""
    where = place(tmp_path / "place", more=NARROW)
    path = tmp_path / "one.zip"
    path.write_bytes(zip_of(roster()))
    planned: Done = run_ingestd(where, "plan", FEED, path, "--json")
    assert (planned.code, codes_of(planned.json)) == (1, {"reader-stopped"})
    checked: Done = run_ingestd(None, "check", path, "--json")
    assert (checked.code, checked.json["ok"]) == (0, True)


def test_a_reader_that_crashes_is_a_finding_and_the_daemon_lives_on(tmp_path: Path, large: bytes) -> None:
    """The drop is rejected with its name for it, nothing else has changed, and the next drop is taken."""
    where = place(tmp_path)
    once(where, zip_of(roster()))
    before = (snapshot_of(where), target_of(where))
    with daemon(where) as running:
        where.drop(large, "large.zip")
        assert ends(running, signal.SIGSEGV, "run.rejected")
        assert reader_stopped(documents_of(where)[-1]) == ["reading the drop was stopped: its reader crashed (SIGSEGV)"]
        assert (snapshot_of(where), target_of(where)) == before
        where.drop(zip_of(roster(4)), "next.zip")
        assert running.waits_for("run.applied")
        assert running.stop() == 0
    assert states_of(where) == ["applied", "rejected", "applied"]
    receipt = where.state / "results" / FEED / "large.zip.report.txt"
    assert "SIGSEGV" in receipt.read_text()


def test_a_reader_that_is_killed_is_no_fault_of_the_drop(tmp_path: Path, large: bytes) -> None:
    """The run has failed, and at the next start it is tried again."""
    where = place(tmp_path)
    with daemon(where) as running:
        where.drop(large, "large.zip")
        assert running.waits_for("run.received")
        assert ends(running, signal.SIGKILL, "run.failed")
        assert running.stop() == 0
    assert states_of(where) == ["failed"]
    assert once(where).code == 0
    assert states_of(where) == ["applied"]


def test_a_daemon_that_stops_leaves_no_reader_behind(tmp_path: Path, large: bytes) -> None:
    """It ends at once, in good order, and goes on with the run at the next start."""
    where = place(tmp_path)
    with daemon(where) as running:
        where.drop(large, "large.zip")
        assert running.waits_for("run.received")
        assert wait_until(lambda: any(readers(running)))
        nurseries = children(running.process.pid)
        assert running.stop() == 0
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in nurseries))
    assert states_of(where) in (["received"], ["applied"])
    assert once(where).code == 0
    assert states_of(where) == ["applied"]


def test_a_daemon_that_is_killed_leaves_no_reader_behind(tmp_path: Path, large: bytes) -> None:
    """What it had begun goes on at the next start."""
    where = place(tmp_path)
    with daemon(where) as running:
        where.drop(large, "large.zip")
        assert running.waits_for("run.received")
        assert wait_until(lambda: any(readers(running)))
        pids = [*readers(running), *children(running.process.pid)]
        running.process.kill()
        running.process.wait()
    assert wait_until(lambda: not any(map(is_there, pids)))
    assert once(where).code == 0
    assert states_of(where) == ["applied"]


def is_there(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
