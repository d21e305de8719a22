"""No feed's trouble is another's: with two applications out of order and two slots, a third feed is applied as ever."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from builders import roster, zip_of
from contracts.test_webhook_faults import FINAL, PASSING
from daemon_world import running
from intake_world import PATIENCE, Log
from places import Place, place, rows_of, states_of
from receiver import SECRET, Receiver, receiving

from ingestd.daemon import Pace
from ingestd.feed import Feed
from ingestd.sinks.webhook import WebhookSink, World

ILL, WELL = ("ill", "poorly"), "well"
HOOK = """
[[sources]]
kind = "folder"
path = "inbox/{feed}"
quiet_period = "0s"

[[sinks]]
kind = "webhook"
url = "{url}"
secret = "file:hook"
path = "{feed}.hook.db"
timeout = "0.2s"
"""
DROP = zip_of(roster(4))
PACE = Pace(rescan=0.05, settle=0.01, parallel_runs=2)


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    """Run the applications of the feeds that will be in trouble."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(receiving()) for name in ILL}


@pytest.fixture
def where(receivers: dict[str, Receiver], tmp_path: Path) -> Place:
    """Return the place of three feeds."""
    hooks = {name: HOOK.replace("{feed}", name).replace("{url}", one.url) for name, one in receivers.items()}
    made = place(tmp_path / "place", WELL, **hooks)
    made.state.mkdir(parents=True)
    (made.state / "hook").write_text(SECRET)
    return made


@dataclass
class Bed:
    """Where whoever must wait before it tries again lies until it is released."""

    lying: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)

    def rest(self, _seconds: float) -> None:
        """Lie down."""
        self.lying.release()
        self.released.wait(PATIENCE)


def feeds_of(where: Place, bed: Bed) -> list[Feed]:
    """Open the feeds, of which the first two wait in the bed."""
    world = World(wall=lambda: 1_800_000_000.0, sleep=bed.rest, chance=lambda: 0.5)
    feeds = [where.feed(name) for name in (*ILL, WELL)]
    for feed in feeds[:2]:
        (one,) = feed.settings.sinks
        sink = WebhookSink.from_settings(one.settings, where.state, feed.runs.policy.rules, world)
        feed.runs.sinks.put(one.key, sink)
    return feeds


@pytest.mark.parametrize("name", list(PASSING))
def test_a_fault_that_passes_holds_up_no_other_feed(
    where: Place, receivers: dict[str, Receiver], log: Log, name: str
) -> None:
    """Two feeds wait to try again; the third has its run. When the fault is over, the two are applied, once."""
    for receiver in receivers.values():
        receiver.faults.append(PASSING[name])
    bed = Bed()
    with running(feeds_of(where, bed), pace=PACE):
        for feed in ILL:
            where.drop(DROP, feed=feed)
        assert all(bed.lying.acquire(timeout=PATIENCE) for _ in ILL)
        where.drop(DROP, feed=WELL)
        assert log.wait_for("run.applied")
        assert [states_of(where, feed) for feed in (*ILL, WELL)] == [["applying"], ["applying"], ["applied"]]
        bed.released.set()
        assert log.wait_for("run.applied", 3)
    assert len(rows_of(where.target(WELL), "SELECT sourcedId FROM users")) == 4
    for receiver in receivers.values():
        assert len(receiver.tables["users"]) == 4
        assert set(receiver.effects.values()) == {1}
        assert receiver.odd == []


@pytest.mark.parametrize("name", list(FINAL))
def test_a_refusal_holds_up_no_other_feed(where: Place, receivers: dict[str, Receiver], log: Log, name: str) -> None:
    """Two feeds' runs have failed; the third has its run all the same."""
    for receiver in receivers.values():
        receiver.faults.append(FINAL[name])
    with running(feeds_of(where, Bed()), pace=PACE):
        for feed in (*ILL, WELL):
            where.drop(DROP, feed=feed)
        assert log.wait_for("run.applied")
        assert log.wait_for("run.failed", 2)
    assert states_of(where, WELL) == ["applied"]
    assert [len(receiver.requests) for receiver in receivers.values()] == [1, 1]
