"""What the doctor says of the embedded server and of vendors' servers, with real ones on loopback."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paramiko
import pytest

from ingestd.doctor import network
from ingestd.doctor.check import Check, State
from ingestd.doctor.network import Remote, look_at_remote, look_at_server

LOOPBACK = "127.0.0.1"
KEY = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()


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
    key = tmp_path / "host_key"
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
def port() -> Iterator[int]:
    """Be a vendor's server for as many clients as come; return its port."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        thread = threading.Thread(target=_serve, args=(ear,))
        thread.start()
        yield ear.getsockname()[1]
        ear.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(ear: socket.socket) -> None:
    while True:
        try:
            line, _ = ear.accept()
        except OSError:
            return
        with closing(paramiko.Transport(line)) as transport:
            transport.set_log_channel(network._UNHEARD)
            transport.add_server_key(KEY)
            try:
                transport.start_server(server=paramiko.ServerInterface())
                transport.join(20)
            except (paramiko.SSHException, EOFError):
                continue


def remote(port: int, *fingerprints: str, known_hosts: Path | None = None) -> Remote:
    """Return a vendor's server at a port, with what is pinned of it."""
    return Remote(LOOPBACK, port, known_hosts, fingerprints)


def test_a_pinned_server_is_known_again(port: int) -> None:
    """By the fingerprint of its key, as `ssh-keygen -l` prints it."""
    pinned = remote(port, network.fingerprint(KEY))
    assert [check.state for check in look_at_remote(pinned, network=True)] == [State.OK, State.OK]


def test_a_known_hosts_file_pins_too(port: int, tmp_path: Path) -> None:
    """As OpenSSH writes it, with the port."""
    known = tmp_path / "known_hosts"
    known.write_text(f"[{LOOPBACK}]:{port} {KEY.get_name()} {KEY.get_base64()}\n")
    pinned = remote(port, known_hosts=known)
    assert [check.state for check in look_at_remote(pinned, network=True)] == [State.OK, State.OK]


def test_another_key_is_a_fault(port: int) -> None:
    """The one that is there is told; nobody is told to trust it."""
    (_, check) = look_at_remote(remote(port, network.fingerprint(OTHER)), network=True)
    assert check.state is State.FAULT
    assert network.fingerprint(KEY) in check.found


def test_a_server_that_is_not_there_is_a_fault() -> None:
    """With what the network says."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        port = ear.getsockname()[1]
    (_, check) = look_at_remote(remote(port, "SHA256:x"), network=True)
    assert check.state is State.FAULT
    assert os.strerror(errno.ECONNREFUSED) in check.found


def test_a_server_of_another_kind_is_a_fault() -> None:
    """One that greets, and not as SSH does."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        speaker = threading.Thread(target=_say, args=(ear, b"220 ftp.example.org\r\n" * 200))
        speaker.start()
        (_, check) = look_at_remote(remote(ear.getsockname()[1], "SHA256:x"), network=True)
        speaker.join()
    assert check.state is State.FAULT
    assert "does not speak SSH" in check.found


def test_without_a_pin_there_is_no_trust(tmp_path: Path) -> None:
    """A known_hosts file without the server is a fault; and nothing is spoken to unless asked for."""
    (check,) = look_at_remote(remote(1, known_hosts=tmp_path / "known_hosts"), network=False)
    assert check.state is State.FAULT
    assert "ssh-keyscan" in check.remedy
