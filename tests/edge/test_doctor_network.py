"""What the doctor says of the embedded server and of vendors' servers, with real ones on loopback."""

import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_world import Keys, openssh

from ingestd.doctor import network
from ingestd.doctor.check import Check, State
from ingestd.doctor.network import look_at_remote, look_at_server

LOOPBACK = "127.0.0.1"


def states(checks: Iterator[Check]) -> dict[str, State]:
    """Return how each thing is."""
    return {check.name: check.state for check in checks}


# The embedded server ------------------------------------------------------------------------------------------------


def test_a_free_port_and_no_account_yet(tmp_path: Path) -> None:
    """The server can listen, and nobody can log in."""
    found = states(look_at_server(LOOPBACK, 0, tmp_path, ["springfield"]))
    assert found == {"server": State.OK, "accounts": State.WARNING}


@pytest.mark.parametrize(
    ("error", "banner", "state"),
    [
        (0, "", State.OK),
        (errno.EADDRINUSE, "SSH-2.0-ingestd\r\n", State.OK),
        (errno.EADDRINUSE, "SSH-2.0-OpenSSH_9.2\r\n", State.FAULT),
        (errno.EADDRINUSE, "", State.FAULT),
        (errno.EACCES, "", State.FAULT),
        (errno.EADDRNOTAVAIL, "", State.FAULT),
    ],
)
def test_a_port_is_free_or_ours(error: int, banner: str, state: State) -> None:
    """Where another program listens, or nobody may, the server cannot start."""
    assert network.judge_port("127.0.0.1:2222", error, banner).state is state


def test_a_taken_port_is_seen() -> None:
    """By trying; what answers there tells whose it is."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        speaker = threading.Thread(target=_say, args=(ear, b"SSH-2.0-somebody\r\n"))
        speaker.start()
        assert network._try_port(*ear.getsockname()) == (errno.EADDRINUSE, "SSH-2.0-somebody\r\n")
        speaker.join()


def _say(ear: socket.socket, words: bytes) -> None:
    line, _ = ear.accept()
    with line:
        line.sendall(words)


def test_the_servers_key_is_its_owners_alone(tmp_path: Path) -> None:
    """Else whoever reads it can pass for the server."""
    key = tmp_path / "host.key"
    key.touch(0o600)
    assert states(look_at_server(LOOPBACK, 0, tmp_path, []))["host key"] is State.OK
    key.chmod(0o640)
    assert states(look_at_server(LOOPBACK, 0, tmp_path, []))["host key"] is State.FAULT


def test_each_account_has_a_feed(tmp_path: Path) -> None:
    """One whose feed is gone, or whose file cannot be read, is named."""
    accounts = tmp_path / "accounts"
    accounts.mkdir()
    (accounts / "springfield.toml").write_text('feed = "springfield"\n')
    assert states(look_at_server(LOOPBACK, 0, tmp_path, ["springfield"]))["accounts"] is State.OK
    (accounts / "gone.toml").write_text('feed = "shelbyville"\n')
    (accounts / "broken.toml").write_text("feed = ")
    (*_, found) = look_at_server(LOOPBACK, 0, tmp_path, ["springfield"])
    assert found.state is State.WARNING
    assert "'broken', 'gone'" in found.found


# Vendors' servers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Return the keys of a server and of our account there."""
    return Keys.make(tmp_path)


@pytest.fixture
def port(keys: Keys, tmp_path: Path) -> Iterator[int]:
    """Run OpenSSH's server; return its port."""
    with openssh(keys, tmp_path) as found:
        yield found


def test_a_pinned_server_lets_us_in(keys: Keys, port: int, tmp_path: Path) -> None:
    """As the source itself would: its key is the one pinned, ours is taken, and the folder can be listed."""
    checks = list(look_at_remote(keys.account(port), str(tmp_path), network=True))
    assert [check.state for check in checks] == [State.OK, State.OK]
    assert str(tmp_path) in checks[1].found


def test_nothing_is_spoken_to_unless_asked_for(keys: Keys, tmp_path: Path) -> None:
    """Without `--network` only the pin is looked at."""
    (check,) = look_at_remote(keys.account(1), str(tmp_path), network=False)
    assert check.state is State.OK


def test_another_key_is_a_fault(keys: Keys, port: int, tmp_path: Path) -> None:
    """Nobody is told to trust it."""
    (_, check) = look_at_remote(keys.account(port, fingerprints=("SHA256:x",)), str(tmp_path), network=True)
    assert check.state is State.FAULT
    assert "not the pinned one" in check.found


def test_a_folder_that_is_not_there_is_a_fault(keys: Keys, port: int, tmp_path: Path) -> None:
    """The login alone says nothing of it."""
    (_, check) = look_at_remote(keys.account(port), str(tmp_path / "nowhere"), network=True)
    assert check.state is State.FAULT


def test_a_server_that_is_not_there_is_a_fault(keys: Keys, tmp_path: Path) -> None:
    """With what the network says, and how to ask again by hand."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        nobody = ear.getsockname()[1]
    (_, check) = look_at_remote(keys.account(nobody), str(tmp_path), network=True)
    assert check.state is State.FAULT
    assert f"sftp -P {nobody} root@{LOOPBACK}" in check.remedy


def test_without_a_pin_there_is_no_trust(keys: Keys, tmp_path: Path) -> None:
    """A known_hosts file without the server is a fault, also without `--network`."""
    known = tmp_path / "known_hosts"
    known.touch()
    unpinned = keys.account(1, fingerprints=(), known_hosts=known)
    (check,) = look_at_remote(unpinned, str(tmp_path), network=False)
    assert check.state is State.FAULT
    assert "does not name this host" in check.found
