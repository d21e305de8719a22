"""The embedded server in the daemon: an upload becomes a run, its receipt is read, no kill leaves half a file."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from builders import roster, zip_of
from places import FEED, Daemon, Place, daemon, invoke, place, wait_until
from sftp_world import make_key

CLAIM_WITHIN = 10.0
"""Seconds from the close of an upload to its claim; 2 on a machine that is not busy with other tests."""


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Configure a feed that is served, with an account."""
    made = place(tmp_path / "place")
    made.config.write_text('[server]\nlisten = "127.0.0.1:0"\nkeep_free = "1B"\n', encoding="utf-8")
    key = make_key(made.folder / "vendor")
    assert invoke(made, "account", "add", FEED, "--key", key.with_suffix(".pub")).code == 0
    return made


@contextmanager
def session(where: Place, running: Daemon) -> Iterator[paramiko.SFTPClient]:
    """Log in to the newest server that the log tells of."""
    port = int(running.logged("server.listening")[-1]["port"])
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", port, FEED, key_filename=str(where.folder / "vendor"), allow_agent=False)
        with client.open_sftp() as sftp:
            yield sftp


def test_an_upload_is_taken_and_answered(where: Place) -> None:
    """It is claimed soon after its close, and its receipt can be read in results."""
    with daemon(where) as running:
        assert running.waits_for("daemon.started")
        with session(where, running) as sftp:
            with sftp.open("/inbox/a.zip", "w") as file:
                file.write(zip_of(roster()))
            closed = time.monotonic()
            assert running.waits_for("run.received")
            assert time.monotonic() - closed < CLAIM_WITHIN
            assert wait_until(lambda: "a.zip.report.txt" in sftp.listdir("/results"))
            with sftp.open("/results/a.zip.report.txt") as receipt:
                assert b"a.zip" in receipt.read()
        assert running.stop() == 0


def test_a_kill_in_an_upload_leaves_nothing_of_it(where: Place) -> None:
    """After `kill -9` and a restart there is no half file, neither in the inbox nor among the uploads."""
    own = where.state / "server" / FEED
    with daemon(where) as running:
        assert running.waits_for("daemon.started")
        with session(where, running) as sftp:
            half = sftp.open("/inbox/a.zip", "w")
            half.write(zip_of(roster())[:500])
            assert any((own / "uploads").iterdir())
            running.process.kill()
            running.process.wait()
    with daemon(where) as again:
        assert again.waits_for("server.listening", 2)
        assert [*(own / "uploads").iterdir(), *(own / "inbox").iterdir()] == []
        assert again.waits_for("daemon.started", 2)
        assert again.stop() == 0
        assert again.logged("run.received") == []


def test_a_port_that_is_taken_is_an_error(where: Place) -> None:
    """It is told in words, with the address, and the exit code is 4."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        where.config.write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n', encoding="utf-8")
        done = invoke(where, "run")
    assert done.code == 4
    assert f"cannot listen on 127.0.0.1:{port}" in done.err


def test_accounts_are_listed_and_removed(where: Place) -> None:
    """With kind, fingerprint and comment of their keys; an account for no feed is refused."""
    (listed,) = invoke(where, "account", "list", "--json").json
    assert (listed["name"], listed["feed"], listed["password"]) == (FEED, FEED, False)
    assert listed["keys"][0]["comment"] == "vendor"
    assert listed["keys"][0]["fingerprint"] in invoke(where, "account", "list").out
    assert invoke(where, "account", "add", "nowhere", "--key", where.folder / "vendor.pub").code == 2
    assert invoke(where, "account", "add", FEED, "--key", where.folder / "vendor").code == 2
    assert invoke(where, "account", "remove", FEED).code == 0
    assert invoke(where, "account", "list", "--json").json == []
