"""The embedded SFTP server, by real clients: what is in the inbox was closed by its client, and is all there."""

import errno
import io
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest
from paramiko import Ed25519Key
from places import wait_until
from sftp_world import DEADLINE, FEED, Served, make_key, serving

from ingestd.core.doorman import Bounds
from ingestd.server.folders import Room
from ingestd.server.keys import host_key
from ingestd.server.listener import Times

DROP = bytes(range(256)) * 2048


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve one feed."""
    with serving(tmp_path) as one:
        yield one


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Return a file to send."""
    path = tmp_path / "drop.zip"
    path.write_bytes(DROP)
    return path


def test_openssh_sftp_uploads(served: Served, drop: Path) -> None:
    """OpenSSH's `sftp` puts a file, and a second one over it."""
    done = served.openssh("sftp", "HOST", batch=f"put {drop} inbox/a.zip\nput {drop} inbox/a.zip\nls -l inbox\n")
    assert done.returncode == 0, done.stderr
    assert served.inbox() == {"a.zip": DROP}
    assert "a.zip" in done.stdout


@pytest.mark.parametrize("flags", [(), ("-p",)])
def test_openssh_scp_uploads(served: Served, drop: Path, flags: tuple[str, ...]) -> None:
    """`scp` puts a file, with `-p` too; over a longer one, of which nothing is left."""
    (served.folders.inbox / "a.zip").write_bytes(DROP + DROP)
    done = served.openssh("scp", *flags, str(drop), "HOST:inbox/a.zip")
    assert done.returncode == 0, done.stderr
    assert served.inbox() == {"a.zip": DROP}


def test_lftp_uploads(served: Served, drop: Path) -> None:
    """`lftp` puts a file, by a program of its own that it connects with."""
    connect = f"ssh -a -x -i {served.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    script = f'set sftp:connect-program "{connect}"; set net:max-retries 1; cd inbox; put {drop}; exit'
    command = ["lftp", "-p", str(served.port), "-u", f"{FEED},", "-e", script, "sftp://127.0.0.1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert served.inbox() == {"drop.zip": DROP}


def test_paramiko_confirms_the_size_of_what_was_taken(served: Served, drop: Path) -> None:
    """A client that asks for the size after its upload gets it, though the daemon has taken the file by then."""
    with served.session() as sftp:
        sftp.put(str(drop), "/inbox/a.zip")
        (served.folders.inbox / "a.zip").unlink()
        assert sftp.stat("/inbox/a.zip").st_size == len(DROP)
        sftp.utime("/inbox/a.zip", (1, 1))
        with pytest.raises(OSError, match="taken already"):
            sftp.remove("/inbox/a.zip")


def test_an_upload_shows_only_when_it_is_closed(served: Served) -> None:
    """While it is written nothing lies in the inbox; closed, all of it does."""
    with served.session() as sftp:
        with sftp.open("/inbox/a.zip", "w") as file:
            file.write(DROP)
            assert file.stat().st_size == len(DROP)
            assert served.inbox() == {}
        assert served.inbox() == {"a.zip": DROP}


def test_a_dropped_connection_discards(served: Served) -> None:
    """What was not closed by its client is gone with the connection, and the earlier version stays."""
    (served.folders.inbox / "a.zip").write_bytes(b"earlier")
    with served.session() as sftp:
        files = [sftp.open(f"/inbox/{name}.zip", "w") for name in "ab"]
        for file in files:
            file.write(DROP)
        channel = sftp.get_channel()
        assert channel is not None
        channel.get_transport().sock.shutdown(socket.SHUT_RDWR)
        served.settles()
    assert served.inbox() == {"a.zip": b"earlier"}


def test_filepart_and_rename(served: Served, drop: Path) -> None:
    """A file is sent under a passing name and renamed, also in a later session; v3 rename replaces nothing."""
    with served.session() as sftp:
        sftp.put(str(drop), "/inbox/a.zip.filepart")
    with served.session() as sftp:
        sftp.rename("/inbox/a.zip.filepart", "/inbox/a.zip")
        assert served.inbox() == {"a.zip": DROP}
        sftp.put(str(drop), "/inbox/b.zip.filepart")
        with pytest.raises(OSError, match="exists already"):
            sftp.rename("/inbox/b.zip.filepart", "/inbox/a.zip")
        sftp.posix_rename("/inbox/b.zip.filepart", "/inbox/a.zip")
    assert served.inbox() == {"a.zip": DROP}


def test_an_upload_under_way_is_renamed(served: Served) -> None:
    """It appears under its new name when it is closed."""
    with served.session() as sftp:
        with sftp.open("/inbox/a.part", "w") as file:
            sftp.rename("/inbox/a.part", "/inbox/a.zip")
            file.write(DROP)
        assert served.inbox() == {"a.zip": DROP}


def test_resume_goes_on_from_a_copy(served: Served) -> None:
    """Who opens a file of its own without emptying it goes on where it ended; until the close the old one stays."""
    half = len(DROP) // 2
    with served.session() as sftp:
        with sftp.open("/inbox/a.zip", "w") as file:
            file.write(DROP[:half])
        with sftp.open("/inbox/a.zip", "a") as file:
            file.write(DROP[half:])
            file.flush()
            assert served.inbox() == {"a.zip": DROP[:half]}
        assert served.inbox() == {"a.zip": DROP}


def test_results_are_read_and_nothing_else(served: Served) -> None:
    """A receipt can be listed and read, not changed; what lies in the inbox cannot be read."""
    (served.folders.results / "a.zip.report.txt").write_text("ACCEPTED")
    (served.folders.inbox / "a.zip").write_bytes(DROP)
    with served.session() as sftp:
        assert sftp.listdir("/") == ["inbox", "results"]
        assert sftp.listdir("/results") == ["a.zip.report.txt"]
        with sftp.open("/results/a.zip.report.txt") as receipt:
            assert receipt.read() == b"ACCEPTED"
        for attempt in (
            lambda: sftp.open("/results/a.zip.report.txt", "w"),
            lambda: sftp.remove("/results/a.zip.report.txt"),
            lambda: sftp.open("/inbox/a.zip", "r"),
            lambda: sftp.truncate("/inbox/a.zip", 0),
            lambda: sftp.mkdir("/inbox/folder"),
            lambda: sftp.symlink("/etc/passwd", "/inbox/link"),
        ):
            with pytest.raises(PermissionError):
                attempt()


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "/inbox/../../etc/passwd", "/results/a/b"])
def test_nothing_else_is_there(served: Served, path: str) -> None:
    """A path that leads elsewhere leads nowhere, and one that holds `..` stays beneath the root."""
    with served.session() as sftp, pytest.raises(OSError) as refused:
        sftp.open(path, "r")
    assert refused.value.errno in {errno.ENOENT, errno.EACCES}


def test_a_link_in_results_is_not_followed(served: Served) -> None:
    """Should a link ever lie there, it is neither shown nor opened."""
    (served.folders.results / "link").symlink_to("/etc/passwd")
    with served.session() as sftp:
        assert sftp.listdir("/results") == []
        with pytest.raises(FileNotFoundError):
            sftp.open("/results/link", "r")


def test_only_sftp_is_offered(served: Served) -> None:
    """No command is run, and no port is forwarded."""
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", served.port, FEED, key_filename=str(served.key), allow_agent=False)
        with pytest.raises(paramiko.SSHException):
            client.exec_command("id")
        transport = client.get_transport()
        assert transport is not None
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1))


def test_room_runs_out(tmp_path: Path) -> None:
    """An upload that is too large, or finds too many files, is refused in words, and nothing of it is kept."""
    with serving(tmp_path, room=Room(upload=1000, files=1, free=1)) as served, served.session() as sftp:
        file = sftp.open("/inbox/a.zip", "w")
        with pytest.raises(OSError, match="at most 1000 bytes"):
            file.write(DROP)
        file.close()
        assert served.inbox() == {}
        sftp.putfo(io.BytesIO(b"small"), "/inbox/a.zip")
        with pytest.raises(OSError, match="1 files wait already"):
            sftp.open("/inbox/b.zip", "w")
        assert served.inbox() == {"a.zip": b"small"}


def test_another_key_is_refused(served: Served, tmp_path: Path) -> None:
    """A key that is not the account's, and an account that there is not, do not log in."""
    other = make_key(tmp_path / "other")
    for name, key in ((FEED, other), ("nobody", served.key)):
        with paramiko.SSHClient() as client, pytest.raises(paramiko.AuthenticationException):
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                "127.0.0.1", served.port, name, key_filename=str(key), look_for_keys=False, allow_agent=False
            )


def test_a_password_opens_only_an_account_that_has_one(served: Served) -> None:
    """By default there is none; one that was given works at the next login, without a restart."""

    def log_in(password: str) -> None:
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect("127.0.0.1", served.port, FEED, password=password, look_for_keys=False, allow_agent=False)

    with pytest.raises(paramiko.AuthenticationException):
        log_in("correct horse battery")
    served.accounts.add(FEED, FEED, None, "correct horse battery")
    with pytest.raises(paramiko.AuthenticationException):
        log_in("wrong horse battery")
    log_in("correct horse battery")


def test_an_account_has_so_many_sessions(tmp_path: Path) -> None:
    """One more than that is refused; when one ends there is room again."""
    with serving(tmp_path, bounds=Bounds(sessions=1)) as served:
        with served.session(), pytest.raises(paramiko.ChannelException), served.session():
            pass

        def can_log_in() -> bool:
            try:
                with served.session():
                    return True
            except paramiko.ChannelException:
                return False

        assert wait_until(can_log_in)


def test_sessions_may_follow_each_other_closely(tmp_path: Path) -> None:
    """Who sends file by file, a connection each, is not refused for a session that has just ended."""
    with serving(tmp_path, bounds=Bounds(sessions=1)) as served:
        for number in range(5):
            with served.session() as sftp:
                sftp.putfo(io.BytesIO(DROP), f"/inbox/{number}.zip")
        assert len(served.inbox()) == 5


def test_who_comes_in_is_not_taken_for_one_who_has_left(tmp_path: Path) -> None:
    """Sessions that begin meanwhile look for connections that are over; one that is just being taken in is not."""
    looks: list[Callable[[], object]] = []

    class Key(Ed25519Key):
        """A host key; it is asked for its name while a connection is taken in."""

        def get_name(self) -> str:
            for look in looks:
                look()
            return super().get_name()

    key = Key(filename=str(make_key(tmp_path / "host")))
    with serving(tmp_path, key=key) as served:
        looks.append(lambda: served.listener.look_after(0))
        with served.session() as sftp:
            assert sftp.listdir("/inbox") == []


def test_serves_with_more_descriptors_than_select_can_count(tmp_path: Path) -> None:
    """A daemon of hundreds of feeds has more than 1,024 open when its server begins to listen."""
    with ExitStack() as stack:
        for _ in range(1_024):
            stack.callback(os.close, os.eventfd(0))
        with serving(tmp_path) as served, served.session() as sftp:
            assert sftp.listdir("/inbox") == []


def test_who_does_not_log_in_is_shown_out(tmp_path: Path) -> None:
    """A silent connection is closed after the grace."""
    with (
        serving(tmp_path, bounds=Bounds(grace=0.2)) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE) as silent,
    ):
        while silent.recv(4096):
            pass


def test_an_idle_session_is_ended(tmp_path: Path) -> None:
    """Its upload is given up."""
    now = [0.0]
    with serving(tmp_path, times=Times(idle=600, clock=lambda: now[0])) as served, served.session() as sftp:
        file = sftp.open("/inbox/a.zip", "w")
        file.write(b"half")
        now[0] = 601
        served.settles()
        assert served.inbox() == {}


def test_a_start_removes_what_was_left_of_uploads(tmp_path: Path) -> None:
    """A server that was killed leaves private files, which the next one clears; the inbox stays."""
    with serving(tmp_path) as served:
        (served.folders.uploads / "1-0").write_bytes(b"half")
        (served.folders.inbox / "a.zip").write_bytes(DROP)
        folders = served.folders
        folders.clear()
        assert not any(folders.uploads.iterdir())
        assert served.inbox() == {"a.zip": DROP}


def test_the_host_key_is_stable_and_private(tmp_path: Path) -> None:
    """It is made at the first start, readable by its owner alone, and the same at the next."""
    first, second = host_key(tmp_path, None), host_key(tmp_path, None)
    assert first.asbytes() == second.asbytes()
    assert stat.S_IMODE((tmp_path / "host.key").stat().st_mode) == 0o600


def test_weak_algorithms_are_not_offered(served: Served) -> None:
    """A client that knows nothing better than CBC, or SHA-1, cannot agree with the server."""
    assert shutil.which("ssh")
    for option in ("Ciphers=aes128-cbc", "MACs=hmac-sha1"):
        done = served.openssh("sftp", "-o", option, "HOST", batch="ls\n")
        assert "no matching" in done.stderr
