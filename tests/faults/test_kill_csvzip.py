"""Killed while it writes its CSVs, ingestd leaves the old zip or the new one, and then makes the new one."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from builders import added, changed, roster, user, zip_of
from fault_world import DATA_CALLS, STRACE, Point, Server, points, serving
from places import Place, once, place, states_of

SINK = '[[sinks]]\nkind = "csvzip"\npath = "out/{feed}.zip"\n'
DAY_1 = roster(4)
DAY_2 = added(changed(DAY_1, "users", "U1", familyName="Changed"), "users", user(9))

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the server that forks processes."""
    with serving() as found:
        yield found


def published(where: Place) -> bytes:
    """Return the bytes of the feed's zip."""
    return (where.state / "out" / "springfield.zip").read_bytes()


def ends_of_each_kind(found: Sequence[Point]) -> list[Point]:
    """Return the first and the last call of each kind."""
    kinds = [[point for point in found if point.call == call] for call in dict.fromkeys(one.call for one in found)]
    return list(dict.fromkeys(point for some in kinds for point in (some[0], some[-1])))


def test_a_kill_leaves_the_old_zip_or_the_new_one(server: Server, tmp_path: Path) -> None:
    """Before the rename the old one, after it the new one, either whole; the next start makes it the new one."""
    before, log, trace = place(tmp_path / "before", more=SINK), tmp_path / "log", tmp_path / "trace"
    once(before, zip_of(DAY_1))
    before.drop(zip_of(DAY_2), "tonight.zip")
    traced = before.copy_to(tmp_path / "traced")
    options = ("-y", "-o", str(trace), "-e", f"trace={','.join(DATA_CALLS)}")
    assert server.trace(log, options, "--config", traced.config, "once") == 0
    old, new = published(before), published(traced)
    calls = points(trace, traced.state / "out")
    left = []
    for number, point in enumerate(ends_of_each_kind(calls)):
        where = before.copy_to(tmp_path / str(number))
        inject = ("-o", "/dev/null", "-e", f"inject={point.call}:signal=SIGKILL:when={point.number}")
        assert server.trace(log, inject, "--config", where.config, "once") == -signal.SIGKILL
        left.append(published(where))
        assert server.run(log, "--config", where.config, "once") == 0
        assert published(where) == new, point
        assert states_of(where) == ["applied", "applied"]
        assert not list((where.state / "out").glob(".*.part"))
    assert old != new and set(left) == {old, new}, "some calls come before the rename, some after it"
    assert "rename" in {point.call for point in calls}
