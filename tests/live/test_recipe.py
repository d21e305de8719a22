"""README's recipe for OpenSSH, tried as it stands there: what a vendor may do and may not, and what the daemon can."""

import multiprocessing
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from builders import roster, zip_of
from live.clients import Client, Task, filepart, sftp
from live.openssh import DAEMON, Sshd, block, make_key
from places import documents_of, once, place

from ingestd.claim import copy_drop, remove_drop
from ingestd.filing import Filing
from ingestd.reports import write_receipt
from ingestd.sources.base import Drop, look_of

FEED = "springfield"
PATIENCE = 30.0
RECEIPT = "roster.zip.report.txt"
Deed = Callable[[paramiko.SFTPClient], object]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's sshd can shut a vendor into a folder")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Return the recipe's sshd with one vendor's account."""
    made = Sshd(None, FEED, make_key(tmp_path_factory.mktemp("recipe") / "vendor"))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def session(server: Sshd) -> Iterator[paramiko.SFTPClient]:
    """Log in as the vendor."""
    key = paramiko.Ed25519Key.from_private_key_file(str(server.door.key))
    with paramiko.Transport(("127.0.0.1", server.port)) as transport:
        transport.connect(username=server.door.account, pkey=key)
        client = transport.open_sftp_client()
        assert client
        with client:
            yield client


def upload(server: Sshd, tmp_path: Path, name: str) -> Path:
    """Upload a file with OpenSSH's client; return where it lies."""
    file = tmp_path / name
    file.write_bytes(b"a zip, for all that OpenSSH knows")
    client = Client(sftp(server.door, Task(file, name, 1_000_000)))
    assert client.end(PATIENCE) == 0
    return server.home / "inbox" / name


def as_daemon(deed: Callable[[], None]) -> int | None:
    """Do something in a process of the daemon's account, which is neither root's nor the vendor's; return its code."""

    def body() -> None:
        account = pwd.getpwnam(DAEMON)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        deed()

    process = multiprocessing.get_context("fork").Process(target=body)
    process.start()
    process.join(PATIENCE)
    process.kill()
    process.join()
    return process.exitcode


def test_every_request_that_is_refused_is_one_that_the_server_knows() -> None:
    """A name that OpenSSH does not know would refuse nothing."""
    refused = block("sshd_config").partition("-P ")[2].split()[0].split(",")
    known = subprocess.run(
        ["/usr/lib/openssh/sftp-server", "-Q", "requests"], capture_output=True, text=True, check=True
    )
    assert refused and set(refused) <= set(known.stdout.split())


def test_a_vendor_sees_his_three_folders_and_nothing_else(server: Sshd) -> None:
    """What he sees as the root is his own folder."""
    with session(server) as client:
        assert sorted(client.listdir("/")) == ["inbox", "results", "upload"]
        assert sorted(client.listdir("/../..")) == ["inbox", "results", "upload"]


@pytest.mark.parametrize(
    "deed",
    [
        lambda client: client.symlink("/inbox/kept.zip", "/inbox/link.zip"),
        lambda client: client.readlink("/inbox/kept.zip"),
        lambda client: client.mkdir("/inbox/folder"),
        lambda client: client.rmdir("/inbox"),
        lambda client: client.open("/stray.zip", "w"),
        lambda client: client.open("/results/forged.report.txt", "w"),
        lambda client: client.remove(f"/results/{RECEIPT}"),
        lambda client: client.rename("/inbox/kept.zip", "/results/kept.zip"),
    ],
    ids=["symlink", "readlink", "mkdir", "rmdir", "root", "results", "remove receipt", "move to results"],
)
def test_what_a_vendor_may_not_do_is_refused(server: Sshd, tmp_path: Path, deed: Deed) -> None:
    """No links, no folders, nothing outside the two folders that are his to write."""
    upload(server, tmp_path, "kept.zip")
    (server.home / "results" / RECEIPT).touch()
    with session(server) as client, pytest.raises(OSError, match=r"denied|not permitted|Failure|unsupported"):
        deed(client)
    assert (server.home / "results" / RECEIPT).exists() and (server.home / "inbox" / "kept.zip").exists()


def test_a_key_is_the_only_way_in(server: Sshd) -> None:
    """Nobody is asked for a password."""
    with paramiko.Transport(("127.0.0.1", server.port)) as transport:
        transport.start_client(timeout=PATIENCE)
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_none(server.door.account)
    assert refused.value.allowed_types == ["publickey"]


def test_there_is_no_shell_and_no_way_on(server: Sshd) -> None:
    """A command is not run, and no port is reached through the server."""
    key = paramiko.Ed25519Key.from_private_key_file(str(server.door.key))
    with paramiko.Transport(("127.0.0.1", server.port)) as transport:
        transport.connect(username=server.door.account, pkey=key)
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", server.port), ("127.0.0.1", 0))
        with transport.open_session() as channel:
            channel.settimeout(PATIENCE)
            channel.exec_command("echo shell")
            channel.shutdown_write()
            assert b"shell" not in channel.makefile().read()


def test_the_daemon_takes_what_a_vendor_put_there_and_the_vendor_reads_the_receipt(
    server: Sshd, tmp_path: Path
) -> None:
    """Owners, groups and modes of the recipe are enough for both, and neither is root."""
    where = place(tmp_path / "elsewhere")
    once(where, zip_of(roster()))
    document = {**documents_of(where)[0], "drop": "roster.zip"}
    path = upload(server, tmp_path, "roster.zip")
    spool = server.folder / "spool"
    spool.mkdir(mode=0o700)
    shutil.chown(spool, DAEMON)
    results = Filing(server.state, FEED).results

    def take() -> None:
        drop = Drop(path, look_of(path.lstat()), 0.0)
        assert copy_drop(drop, spool / "claimed").size and remove_drop(drop)
        write_receipt(results, document)

    assert as_daemon(take) == 0
    assert not path.exists()
    with session(server) as client, client.open(f"/results/{RECEIPT}") as receipt:
        assert receipt.read().startswith(b"ACCEPTED")


def test_a_folder_for_uploads_and_a_move_is_a_rename(server: Sshd, tmp_path: Path) -> None:
    """What is moved from `upload` to `inbox` is there at once and whole, readable for the daemon."""
    with session(server) as client:
        with client.open("/upload/moved.zip", "w") as file:
            file.write(b"whole")
        before = (server.home / "upload" / "moved.zip").stat()
        client.rename("/upload/moved.zip", "/inbox/moved.zip")
    after = (server.home / "inbox" / "moved.zip").stat()
    assert (after.st_ino, after.st_gid) == (before.st_ino, pwd.getpwnam(DAEMON).pw_gid)


def test_a_filepart_is_renamed_within_the_inbox(server: Sshd, tmp_path: Path) -> None:
    """WinSCP's way works with the refused requests."""
    file = tmp_path / "parted.zip"
    file.write_bytes(b"x" * 1000)
    client = Client(filepart(server.door, Task(file, "parted.zip", 1_000_000)))
    assert client.end(PATIENCE) == 0
    assert [one.name for one in (server.home / "inbox").glob("parted*")] == ["parted.zip"]
