"""Killed while it writes its outbox, ingestd leaves an index that names what is whole, and then names each run once."""

import hashlib
import json
import signal
from pathlib import Path

import pytest
from builders import added, changed, roster, user, zip_of
from fault_world import DATA_CALLS, STRACE, points, serving
from faults.test_kill_csvzip import ends_of_each_kind
from places import Place, once, place, states_of

SINK = '[[sinks]]\nkind = "changeset"\npath = "out"\n'
DAY_1 = roster(4)
DAY_2 = added(changed(DAY_1, "users", "U1", familyName="Changed"), "users", user(9))

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def named(where: Place) -> list[tuple[str, list[str]]]:
    """Return the runs that the index names, with the actions of each; all their files are whole."""
    found = []
    whole = (where.state / "out" / "_index.jsonl").read_bytes().rpartition(b"\n")[0]
    for entry in map(json.loads, whole.splitlines()):
        content = (where.state / "out" / f"{entry['name']}.jsonl").read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(list((where.state / "out" / entry["name"]).iterdir())) > 0
        lines = [{**json.loads(line), "at": ""} for line in content.splitlines()]
        found.append((entry["run"], [json.dumps(line) for line in lines]))
    return found


def test_a_kill_leaves_what_is_named_whole(tmp_path: Path) -> None:
    """Before the index's line the run is not named, after it it is; the next start names it, once."""
    before, log, trace = place(tmp_path / "before", more=SINK), tmp_path / "log", tmp_path / "trace"
    once(before, zip_of(DAY_1))
    before.drop(zip_of(DAY_2), "tonight.zip")
    left = []
    with serving() as server:
        traced = before.copy_to(tmp_path / "traced")
        options = ("-y", "-o", str(trace), "-e", f"trace={','.join(DATA_CALLS)}")
        assert server.trace(log, options, "--config", traced.config, "once") == 0
        wanted = named(traced)
        for number, point in enumerate(ends_of_each_kind(points(trace, traced.state / "out"))):
            where = before.copy_to(tmp_path / str(number))
            inject = ("-o", "/dev/null", "-e", f"inject={point.call}:signal=SIGKILL:when={point.number}")
            assert server.trace(log, inject, "--config", where.config, "once") == -signal.SIGKILL
            left.append(len(named(where)))
            assert server.run(log, "--config", where.config, "once") == 0
            assert named(where) == wanted, point
            assert states_of(where) == ["applied", "applied"]
            assert not list((where.state / "out").glob(".*"))
    assert len(wanted) == 2 and set(left) == {1, 2}
