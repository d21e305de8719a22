"""A feed that fetches from a real sshd, by ingestd's own commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import roster, zip_of
from places import FEED, Place, daemon, documents_of, invoke, place, states_of, target_of
from remote_world import Keys, lay, openssh

SOURCE = """
[[sources]]
kind = "sftp"
host = "127.0.0.1"
port = {port}
user = "root"
key = "file:{key}"
host_key = ["{fingerprint}"]
path = "{export}"
every = "1s"
settle = "0.5s"
"""


@pytest.fixture
def fed(tmp_path: Path, export: Path) -> Iterator[Place]:
    """Give a feed that fetches."""
    keys = Keys.make(tmp_path)
    with openssh(keys, tmp_path) as port:
        about = {"port": port, "key": keys.user, "fingerprint": keys.fingerprint, "export": export}
        yield place(tmp_path / "place", more=SOURCE.format(**about))


def test_once_fetches_what_is_there_and_takes_it(fed: Place, export: Path) -> None:
    """The first look, the second, the fetch and the run are one `once`; the next has nothing to do."""
    lay(export, "roster.zip", zip_of(roster(3)))
    assert invoke(fed, "once").code == 0
    assert states_of(fed) == ["applied"]
    assert documents_of(fed)[0]["drop"] == "roster.zip"
    assert invoke(fed, "once").code == 0
    assert states_of(fed) == ["applied"]
    assert target_of(fed)


def test_once_says_which_server_is_away(tmp_path: Path) -> None:
    """The world failed (exit 4): where, and how, is on stderr; what the other sources had is done."""
    keys = Keys.make(tmp_path)
    about = {"port": 1, "key": keys.user, "fingerprint": keys.fingerprint, "export": "/"}
    where = place(tmp_path / "place", more=SOURCE.format(**about))
    where.drop(zip_of(roster(3)))
    done = invoke(where, "once")
    assert done.code == 4
    assert states_of(where) == ["applied"]
    assert f"{FEED}: sftp://root@127.0.0.1:1/: " in done.err


def test_half_a_file_on_the_server_is_not_taken(fed: Place, export: Path) -> None:
    """Though two looks agreed: what was fetched is cut off, so it waits here, and no run has begun."""
    lay(export, "roster.zip", zip_of(roster(3))[:-100])
    invoke(fed, "once")
    assert states_of(fed) == []
    assert [path.name for path in fed.state.glob(f"fetched/{FEED}/*/drops/*")] == ["roster.zip"]


def test_the_daemon_takes_what_is_fetched_at_once(fed: Place, export: Path) -> None:
    """The fetch wakes the feed: no rescan is waited for, which would be half a minute."""
    with daemon(fed) as running:
        lay(export, "roster.zip", zip_of(roster(3)))
        assert running.waits_for("run.applied")
        assert running.logged("drop.fetched")[0]["source"].startswith("sftp://root@127.0.0.1:")
        assert running.logged("library.message") == []
        assert running.stop() == 0
