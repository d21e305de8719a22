"""Exactly once (law 6): kill a real process at any call that writes, start it again, and all is as after one clean run.

The normal suite tries a sample of the calls; INGESTD_SWEEP=full tries every one.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from builders import added, bad_line, changed, enrollment, klass, roster, user, without, zip_of
from fault_world import DATA_CALLS, STRACE, Point, Server, points, serving
from places import (
    ADOPT,
    FEED,
    Place,
    documents_of,
    live_of,
    once,
    place,
    rows_of,
    snapshot_of,
    states_of,
    tables_of,
    target_of,
)

IS_FULL = os.environ.get("INGESTD_SWEEP") == "full"
KILLS = {"first": 10, "next": 24, "adopt": 10}
"""How many points the normal suite tries in each scenario."""
REPORTS = {"beside the drop", "reported", "receipts"}
"""What of a run a failing disk may cost: a report never stops a run."""
ERRORS = 5
"""How many points it tries for each error."""

DAY_1 = roster(4)
DAY_2 = added(
    changed(without(without(DAY_1, "users", "U3"), "enrollments", "E3"), "users", "U1", familyName="Changed"),
    "users",
    user(9),
)

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@dataclass(slots=True)
class Scenario:
    """A drop in the inbox of a place, the calls that taking it makes, and what is there after one clean run."""

    name: str
    before: Place
    drop: bytes
    server: Server
    log: Path
    points: list[Point] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)

    def once(self, where: Place) -> int:
        """Run `once` in a process of its own."""
        return self.server.run(self.log, "--config", where.config, "once")

    def once_with(self, where: Place, *options: str) -> int:
        """Run `once` under strace with these options."""
        return self.server.trace(self.log, options, "--config", where.config, "once")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run the server that forks processes."""
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def scenarios(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scenario]:
    """Return the first load, a day on which records come, change, go and are held back, and one of adoption."""
    folder = tmp_path_factory.mktemp("scenarios")
    first = place(folder / "first")
    following = place(folder / "next")
    once(following, zip_of(DAY_1))
    adopting = with_records(place(folder / "adopt", rules=ADOPT))
    drops = {
        "first": (first, zip_of(DAY_1)),
        "next": (following, bad_line(DAY_2, "U2", ",")),
        "adopt": (adopting, zip_of(DAY_1)),
    }
    found = {}
    for name, (where, drop) in drops.items():
        where.drop(drop, "tonight.zip")
        scenario = Scenario(name, where, drop, server, folder / "log")
        traced, trace = where.copy_to(folder / f"{name}-traced"), folder / f"{name}.trace"
        scenario.once_with(traced, "-y", "-o", str(trace), "-e", f"trace={','.join(DATA_CALLS)}")
        scenario.points, scenario.after = points(trace, traced.folder), world(traced, drop)
        assert scenario.after["states"][-1] == "applied"
        found[name] = scenario
    return found


def with_records(where: Place) -> Place:
    """Give the application records before the first run: two to be adopted, and one of nobody's."""
    where.state.mkdir()
    with closing(sqlite3.connect(where.target())) as db, db:
        db.execute("CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)")
        rows = [(f"k{n}", f"Name{n}", f"USER{n}@springfield.example") for n in (1, 2, 99)]
        db.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    return where


def world(where: Place, drop: bytes) -> dict[str, Any]:
    """Return all that must be the same however often ingestd was killed on the way."""
    tables = [name for name in tables_of(where.store()) if name.startswith("versions_")]
    runs = {name: rows_of(where.target(), f'SELECT _run FROM "{name}" ORDER BY 1') for name in target_of(where)}
    documents = [{**one, "received_at": "", "finished_at": "", "stages": {}} for one in documents_of(where)]
    return {
        "target": target_of(where),
        "written by": runs,
        "plans": [count for (count,) in rows_of(where.target(), "SELECT count(*) FROM _ingestd_plans")],
        "snapshot": snapshot_of(where),
        "versions": {name: rows_of(where.store(), f"SELECT count(*) FROM {name}") for name in tables},
        "states": states_of(where),
        "documents": documents,
        "integrity": [rows_of(file, "PRAGMA integrity_check") for file in (where.store(), where.target())],
        "inbox": sorted(path.name for path in where.inbox().iterdir()),
        "under way": sorted(path.name for path in (where.state / "runs").iterdir()),
        "copies of the drop": [
            path.name for path in (where.state / "archive").glob("*/*/*/tonight.zip") if path.read_bytes() == drop
        ],
        "beside the drop": sorted(
            path.name
            for path in (where.state / "archive").glob(f"*/*/{documents[-1]['run']}/*")
            if path.suffix != ".csv"
        ),
        "reported": [
            json.loads(path.read_text())["state"]
            for path in sorted((where.state / "archive").glob("*/*/*/report.json"))
        ],
        "receipts": sorted(path.name for path in (where.state / "results" / FEED).iterdir()),
    }


def sample(found: Sequence[Point], wanted: int) -> list[Point]:
    """Return so many points spread evenly over each kind of call, at least one of each; all of them in a full sweep."""
    if IS_FULL:
        return list(found)
    kinds = {one.call: [point for point in found if point.call == one.call] for one in found}
    chosen = []
    for some in kinds.values():
        share = max(1, round(wanted * len(some) / len(found)))
        chosen += [some[(2 * i + 1) * len(some) // (2 * share)] for i in range(share)]
    return chosen


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the names of what differs. A drop that could not be removed from the inbox is a duplicate next time."""
    is_stuck = found["states"] == [*wanted["states"], "duplicate"]
    passed_over = {"states", "documents", "copies of the drop", "beside the drop", "reported"} if is_stuck else ()
    return [name for name in wanted if name not in passed_over and found[name] != wanted[name]]


@pytest.mark.parametrize("name", list(KILLS))
def test_a_process_killed_at_any_call_leaves_what_one_clean_run_makes_whole(
    scenarios: dict[str, Scenario], name: str, tmp_path: Path
) -> None:
    """Target, owned records, snapshot, runs and folders equal those of an undisturbed run; nothing is done twice."""
    scenario = scenarios[name]
    wrong, killed = {}, 0
    for number, point in enumerate(sample(scenario.points, KILLS[name])):
        where = scenario.before.copy_to(tmp_path / str(number))
        inject = f"inject={point.call}:signal=SIGKILL:when={point.number}"
        killed += scenario.once_with(where, "-o", "/dev/null", "-e", inject) == -signal.SIGKILL
        scenario.once(where)
        if found := differences(world(where, scenario.drop), scenario.after):
            wrong[point] = found
    assert not wrong
    assert killed >= KILLS[name] * 0.9, "the points are not where they were"


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_disk_that_fails_at_any_call_leaves_what_one_clean_run_makes_whole(
    scenarios: dict[str, Scenario], error: str, tmp_path: Path
) -> None:
    """The exit code tells it or it was harmless; the snapshot has moved wholly or not at all; the drop is safe.

    strace counts calls by thread, so the first writes are also those of the log, which stops nothing.
    """
    scenario = scenarios["next"]
    before = snapshot_of(scenario.before)
    wrong = {}
    for number, point in enumerate(sample(scenario.points, ERRORS)):
        where = scenario.before.copy_to(tmp_path / str(number))
        code = scenario.once_with(
            where, "-o", "/dev/null", "-e", f"inject={point.call}:error={error}:when={point.number}"
        )
        between = snapshot_of(where)
        scenario.once(where)
        found = set(differences(world(where, scenario.drop), scenario.after)) - REPORTS
        if found or code not in {1, 4} or between not in (before, scenario.after["snapshot"]):
            wrong[point] = (code, found, between == before)
    assert not wrong


def test_a_process_killed_again_and_again_ends_where_it_should(server: Server, tmp_path: Path) -> None:
    """A dozen kills at moments of chance, one state that lives through all of them, a new drop each time."""
    where, log = place(tmp_path / "place"), tmp_path / "log"
    chance, kills = random.Random(7), 0
    for day in range(12):
        name = f"Day{day}"
        tonight = changed(without(DAY_1, "classes", "C2"), "users", "U1", familyName=name)
        where.drop(zip_of(added(tonight, "classes", klass(100 + day))), f"{day:02}.zip")
        child = server.start(log, "--config", where.config, "once")
        try:
            subprocess.run(
                ["tail", f"--pid={child.pid}", "-f", "/dev/null"], timeout=chance.uniform(0, 0.4), check=False
            )
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
    assert server.run(log, "--config", where.config, "once") == 0
    assert kills >= 3
    assert live_of(where, "users", "familyName")["U1"] == "Day11"
    assert live_of(where, "classes", "title").keys() == {"C1", "C111"}
    archived = sorted(path.name for path in (where.state / "archive").glob("*/*/*/*.zip"))
    assert archived == [f"{day:02}.zip" for day in range(12)]
    assert set(states_of(where)) <= {"applied", "superseded", "duplicate"}
    assert [count for (count,) in rows_of(where.target(), "SELECT count(*) FROM _ingestd_plans")] == [
        states_of(where).count("applied")
    ]
    for file in (where.store(), where.target()):
        assert rows_of(file, "PRAGMA integrity_check") == [("ok",)]


def test_a_kill_between_sink_and_store_is_mended_before_another_zip_is_applied(
    scenarios: dict[str, Scenario], tmp_path: Path
) -> None:
    """What a killed run left in the target is made whole first; else the next plan would be made of the wrong past."""
    scenario = scenarios["next"]
    where = scenario.before.copy_to(tmp_path / "place")
    kill_after_sink(scenario, where, tmp_path)
    assert states_of(where)[-1] == "applying"
    newer = changed(added(DAY_1, "enrollments", enrollment(1, sourcedId="E99")), "users", "U1", familyName="Newer")
    (tmp_path / "newer.zip").write_bytes(zip_of(newer))
    assert scenario.server.run(scenario.log, "--config", where.config, "apply", FEED, tmp_path / "newer.zip") == 0
    assert scenario.once(where) == 0
    assert live_of(where, "users", "familyName") == {"U1": "Newer", **{f"U{n}": f"Family{n}" for n in (2, 3, 4)}}
    assert set(states_of(where)) == {"applied"}


def test_a_change_of_ids_that_is_killed_between_sink_and_store_is_made_whole(server: Server, tmp_path: Path) -> None:
    """The application has the new keys and the store the old ones: the next start ends as one clean run does."""
    before, log, calls = place(tmp_path / "before"), tmp_path / "log", "pwrite64"
    once(before, zip_of(DAY_1))
    (before.folder / "ids.csv").write_text("old,new\nU1,N1\nU2,N2\n")

    def rekey(where: Place, *options: str) -> int:
        return server.trace(log, options, "--config", where.config, "rekey", FEED, where.folder / "ids.csv")

    whole, trace = before.copy_to(tmp_path / "whole"), tmp_path / "trace"
    assert rekey(whole, "-y", "-o", str(trace), "-e", f"trace={calls}") == 0
    kill = f"inject={calls}:signal=SIGKILL:when={points(trace, whole.target())[-1].number + 1}"
    where = before.copy_to(tmp_path / "killed")
    assert rekey(where, "-o", "/dev/null", "-e", kill) == -signal.SIGKILL
    assert (states_of(where)[-1], target_of(where), snapshot_of(where)) == (
        "applying",
        target_of(whole),
        snapshot_of(before),
    )
    assert server.run(log, "--config", where.config, "once") == 0
    assert states_of(where) == ["applied", "applied"]
    assert (target_of(where), snapshot_of(where)) == (target_of(whole), snapshot_of(whole))


def kill_after_sink(scenario: Scenario, where: Place, tmp_path: Path) -> None:
    """Kill a run when its sink has committed and its store has not: at the next write after the sink's last."""
    traced, trace = scenario.before.copy_to(tmp_path / "traced"), tmp_path / "trace"
    calls = "pwrite64"
    scenario.once_with(traced, "-y", "-o", str(trace), "-e", f"trace={calls}")
    to_target = points(trace, traced.target())
    inject = f"inject={calls}:signal=SIGKILL:when={to_target[-1].number + 1}"
    assert scenario.once_with(where, "-o", "/dev/null", "-e", inject) == -signal.SIGKILL
