"""A feed that pushes its zip: what is due is pushed by the next run, by the next tick, or after a restart."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import changed, roster, zip_of
from fault_world import STRACE, Point, points, serving
from places import Place, once, place, states_of
from remote_world import Keys

from ingestd.feed import Feed

DAY_1 = zip_of(roster(4))
DAY_2 = zip_of(changed(roster(4), "users", "U1", familyName="Changed"))
SINK = '[[sinks]]\nkind = "csvzip"\npath = "out/roster.zip"\n'
PUSH = """[[sinks.push]]
host = "127.0.0.1"
port = {port}
user = "root"
key = "file:{key}"
host_key = ["{fingerprint}"]
path = "{folder}"
name = "ours.zip"
"""


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return the receiver's folder."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


def pushing(keys: Keys, port: int, there: Path) -> str:
    """Return the TOML of a sink that pushes."""
    about = {"port": str(port), "key": str(keys.user), "fingerprint": keys.fingerprint, "folder": str(there)}
    text = PUSH
    for name, value in about.items():
        text = text.replace(f"{{{name}}}", value)
    return SINK + text


def is_pushed(where: Place, there: Path) -> bool:
    """Return whether the receiver has what is published, and nothing else."""
    published = (where.state / "out" / "roster.zip").read_bytes()
    return {path.name: path.read_bytes() for path in there.iterdir()} == {"ours.zip": published}


def tick(feed: Feed, day: int) -> None:
    """Let a day begin."""
    feed.tick(datetime.now(UTC) + timedelta(days=day), lambda: False)


def test_a_run_pushes(keys: Keys, sshd: int, there: Path, tmp_path: Path) -> None:
    """From drop to the receiver."""
    where = place(tmp_path / "place", more=pushing(keys, sshd, there))
    assert once(where, DAY_1).code == 0
    assert is_pushed(where, there)


def test_a_run_that_cannot_push_fails_and_is_made_good(keys: Keys, sshd: int, there: Path, tmp_path: Path) -> None:
    """The zip is whole here all the same; the next start tries the run again, and it is applied once."""
    where = place(tmp_path / "place", more=pushing(keys, sshd, there))
    once(where, DAY_1)
    before = (there / "ours.zip").read_bytes()
    there.rename(tmp_path / "away")
    assert once(where, DAY_2).code == 4
    assert states_of(where)[-1] == "failed"
    (tmp_path / "away").rename(there)
    assert (there / "ours.zip").read_bytes() == before
    assert not is_pushed(where, there)
    assert once(where).code == 0
    assert is_pushed(where, there)
    assert states_of(where) == ["applied", "applied"]


def test_a_tick_pushes_what_is_due_though_nothing_changed(keys: Keys, sshd: int, there: Path, tmp_path: Path) -> None:
    """A place is new: it gets what is published at the next tick, in a run without actions; and then never again."""
    where = place(tmp_path / "place", more=SINK)
    once(where, DAY_1)
    place(where.folder, more=pushing(keys, sshd, there))
    feed = where.feed()
    try:
        tick(feed, 0)
        tick(feed, 1)
        assert is_pushed(where, there)
        tick(feed, 2)
        tick(feed, 3)
    finally:
        feed.close()
    assert states_of(where) == ["applied", "applied"]


def test_a_place_that_stays_away_has_one_run_that_waits_for_it(
    keys: Keys, sshd: int, there: Path, tmp_path: Path
) -> None:
    """Each tick tries that one again, and makes no other beside it."""
    where = place(tmp_path / "place", more=SINK)
    once(where, DAY_1)
    place(where.folder, more=pushing(keys, sshd, tmp_path / "nowhere"))
    feed = where.feed()
    try:
        for day in range(4):
            tick(feed, day)
        assert states_of(where) == ["applied", "failed"]
        there.rename(tmp_path / "nowhere")
        tick(feed, 5)
    finally:
        feed.close()
    assert states_of(where) == ["applied", "applied"]
    assert is_pushed(where, tmp_path / "nowhere")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_a_kill_at_any_step_of_pushing_is_made_good(keys: Keys, sshd: int, there: Path, tmp_path: Path) -> None:
    """Before it, before what was sent is remembered, and after it has its name: the next start makes it good.

    Nothing is applied twice, and what has its name already is not sent again.
    """
    before, trace, log = (
        place(tmp_path / "before", more=pushing(keys, sshd, there)),
        tmp_path / "trace",
        tmp_path / "log",
    )
    once(before, DAY_1)
    old = (there / "ours.zip").read_bytes()
    before.drop(DAY_2, "tonight.zip")
    with serving() as server:
        traced = before.copy_to(tmp_path / "traced")
        options = ("-y", "-o", str(trace), "-e", "trace=rename")
        assert server.trace(log, options, "--config", traced.config, "once") == 0
        steps = [Point("connect", 1), *points(trace, traced.state / "out" / "roster.zip.pushed.json")]
        assert len(steps) == 3, "before it, when it is sent, when it has its name"
        for number, step in enumerate(steps):
            where = before.copy_to(tmp_path / str(number))
            (there / "ours.zip").write_bytes(old)
            inject = ("-o", "/dev/null", "-e", f"inject={step.call}:signal=SIGKILL:when={step.number}")
            assert server.trace(log, inject, "--config", where.config, "once") == -signal.SIGKILL
            assert (where.state / "out" / "roster.zip").read_bytes() == (
                traced.state / "out" / "roster.zip"
            ).read_bytes()
            left = (there / "ours.zip").stat()
            assert ((there / "ours.zip").read_bytes() == old) == (number < 2)
            assert server.run(log, "--config", where.config, "once") == 0
            assert is_pushed(where, there)
            assert ((there / "ours.zip").stat().st_ino == left.st_ino) == (number == 2)
            assert states_of(where) == ["applied", "applied"]
