"""Exactly once through a webhook (law 6): a real process is killed at moments of chance, and started again.

INGESTD_KILLS says how often; `make kills` does it a thousand times.
"""

import os
import random
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from builders import added, changed, enrollment, roster, user, without, zip_of
from fault_world import Child, Server, serving
from places import FEED, Place, place, states_of
from receiver import SECRET, Fault, Receiver, receiving

KILLS = int(os.environ.get("INGESTD_KILLS", "50"))
"""How many processes are killed, or would be if they were not faster."""
SINK = """
[[sinks]]
kind = "webhook"
url = "{url}"
secret = "file:hook"
path = "hook.db"
batch = 1
timeout = "5s"
max_retry = "{patience}"

[limits]
update = "100%"
delete = "100%"
per_org_delete = "100%"
"""
PUPILS = 12
PASSING = (Fault(503), Fault(500, does=True), Fault(manner="cut", does=True))


def drop_of(day: int, chance: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a night's drop, and who is in it under which name."""
    names = {f"U{n}": f"Family{n}" for n in range(1, PUPILS + 1)}
    tonight = roster(PUPILS)
    for gone in chance.sample(range(1, PUPILS + 1), 3):
        tonight = without(without(tonight, "enrollments", f"E{gone}"), "users", f"U{gone}")
        del names[f"U{gone}"]
    for one in chance.sample(sorted(names), 4):
        names[one] = f"Night{day}"
        tonight = changed(tonight, "users", one, familyName=names[one])
    new = 100 + day
    names[f"U{new}"] = f"Family{new}"
    return zip_of(added(added(tonight, "users", user(new)), "enrollments", enrollment(new))), names


def kill(child: Child) -> None:
    """Kill a process, unless it has just ended."""
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)


def kill_in(server: Server, log: Path, where: Place, seconds: float) -> bool:
    """Start `once`, and kill it after some time; return whether it was still running."""
    child = server.start(log, "--config", where.config, "once")
    try:
        subprocess.run(["tail", f"--pid={child.pid}", "-f", "/dev/null"], timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        kill(child)
    return child.wait() == -signal.SIGKILL


def kill_at_request(server: Server, log: Path, where: Place, receiver: Receiver, number: int) -> bool:
    """Start `once`, and kill it when so many requests came: before they are answered, or just after."""
    child = server.start(log, "--config", where.config, "once")
    receiver.call_at(number, lambda: kill(child))
    try:
        return child.wait() == -signal.SIGKILL
    finally:
        receiver.call_at(0, None)


@pytest.mark.parametrize("patience", ["0.01s", "1m"])
def test_whenever_it_is_killed_the_application_ends_as_the_last_drop_says(patience: str, tmp_path: Path) -> None:
    """Every batch has its effect once; nothing is made that is there, and nothing removed that is not.

    With little patience each fault of the application leaves a plan half done.
    """
    chance, killed = random.Random(11), 0
    names: dict[str, str] = {}
    with receiving() as receiver, serving() as server:
        receiver.is_strict = True
        sink = SINK.replace("{url}", receiver.url).replace("{patience}", patience)
        where, log = place(tmp_path / "place", more=sink), tmp_path / "log"
        where.state.mkdir()
        (where.state / "hook").write_text(SECRET)
        for cycle in range(KILLS // 2):
            if cycle % 3 == 0:
                drop, names = drop_of(cycle, chance)
                where.drop(drop, f"{cycle:04}.zip")
            if chance.random() < 0.3:
                receiver.faults.append(chance.choice(PASSING))
            if chance.random() < 0.5:
                killed += kill_in(server, log, where, chance.uniform(0.05, 0.6))
            else:
                killed += kill_at_request(server, log, where, receiver, chance.randint(1, 12))
        receiver.faults.clear()
        assert server.run(log, "--config", where.config, "once") == 0
        assert receiver.odd == []
        assert set(receiver.effects.values()) == {1}
    users = receiver.tables["users"]
    assert {key[0]: one["familyName"] for key, one in users.items() if one["_active"]} == names
    assert set(states_of(where, FEED)) <= {"applied", "superseded", "duplicate"}
    assert killed >= KILLS / 8, "too few were killed in time"
