"""`ingestd doctor` on this machine, as it is and with one thing spoilt at a time."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from builders import roster, zip_of
from places import FEED, Done, Place, invoke, once, place

from ingestd.config import load as load_config
from ingestd.config.models import Server
from ingestd.config.values import Address
from ingestd.doctor import examine
from ingestd.doctor.check import Check, State, User
from ingestd.doctor.sshd import SSHD, look_at_sshd

SENDER = pwd.getpwnam("nobody")
"""A user of every machine, for a vendor's account."""
MATCH = """
PasswordAuthentication no
KbdInteractiveAuthentication no
Match User nobody
    ChrootDirectory {chroot}
    ForceCommand internal-sftp -u 0027 -P symlink,hardlink
    DisableForwarding yes
"""


@pytest.fixture
def there(tmp_path: Path) -> Place:
    """Return a place that has taken a drop."""
    where = place(tmp_path)
    assert once(where, zip_of(roster())).code == 0
    where.state.chmod(0o700)
    return where


@pytest.fixture
def jail() -> Iterator[Path]:
    """Yield a folder all of whose parents are root's: /tmp is everybody's."""
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd will not speak without it
    with TemporaryDirectory(dir="/run", prefix="ingestd-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def faults(done: Done) -> list[str]:
    """Return the names of the checks that are faults."""
    return [check["name"] for check in done.json["checks"] if check["state"] == "fault"]


def test_a_sound_machine_is_told_so(there: Place) -> None:
    """Every check is there, none is a fault, and warnings do not spoil it."""
    done = invoke(there, "doctor", "--json")
    assert (done.code, done.json["ok"], faults(done)) == (0, True, [])
    names = {check["name"] for check in done.json["checks"]}
    assert names >= {
        "configuration", "python", "sqlite", "reader", "openat2", "time zones", "user", "state folder", "moves", "disk",
        "clock", "store", "inotify", "inbox", "drops", "events", "leases",
    }  # fmt: skip


def test_each_check_is_a_line_for_people(there: Place) -> None:
    """State, name and what was found; and what to do, where there is something to do."""
    there.state.chmod(0o777)
    done = invoke(there, "doctor")
    assert done.code == 4
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert f"ok store {FEED}'s is sound" in lines
    assert "To do: chmod o=" in " ".join(done.out.split())


def test_an_open_state_folder_is_a_fault(there: Place) -> None:
    """Children's data would be everybody's."""
    there.state.chmod(0o755)
    assert faults(invoke(there, "doctor", "--json")) == ["state folder"]


def test_a_damaged_store_is_a_fault(there: Place) -> None:
    """The doctor asks SQLite, and changes nothing."""
    raw = bytearray(there.store().read_bytes())
    raw[4096:8192] = bytes(4096)
    there.store().write_bytes(raw)
    done = invoke(there, "doctor", "--json")
    assert (done.code, faults(done)) == (4, ["store"])
    assert there.store().read_bytes() == raw


def test_a_faulty_configuration_is_looked_at_first(there: Place) -> None:
    """Its faults are told, and what the machine shows by itself; the exit code is the configuration's."""
    there.config.write_text("parallel_runs = 0\n")
    done = invoke(there, "doctor", "--json")
    assert (done.code, faults(done)) == (2, ["configuration"])
    assert "python" in {check["name"] for check in done.json["checks"]}
    assert "inbox" not in {check["name"] for check in done.json["checks"]}


def test_the_doctor_leaves_all_as_it_was(there: Place) -> None:
    """Nothing is made, removed or written anew."""

    def seen() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for path in there.folder.rglob("*")
            if path != there.inbox()
        }

    before = seen()
    invoke(there, "doctor")
    assert seen() == before
    assert list(there.inbox().iterdir()) == []


def test_who_may_not_look_is_told_so(jail: Path) -> None:
    """What somebody else than root and the daemon's user would find is no finding about the machine."""
    config = load_config(place(jail).config)
    config.state_dir.mkdir(mode=0o700)
    os.seteuid(SENDER.pw_uid)
    try:
        (check,) = examine(config)
    finally:
        os.seteuid(0)
    assert (check.name, check.state) == ("user", State.FAULT)
    assert "as root" in check.remedy


REMOTE = """
[[sources]]
kind = "sftp"
host = "sis.example.org"
user = "out"
key = "file:{key}"
host_key = ["SHA256:{fingerprint}"]
path = "/export"
"""


def test_what_is_configured_beside_folders_is_looked_at(tmp_path: Path) -> None:
    """A vendor's server with its secret, and the embedded server."""
    key = tmp_path / "key"
    key.write_text("a key, for all that is looked at")
    key.chmod(0o644)
    where = place(tmp_path / "site", more=REMOTE.format(key=key, fingerprint="A" * 43))
    config = load_config(where.config)
    config.state_dir.mkdir(mode=0o700)
    server = Server.model_construct(listen=Address("127.0.0.1", 0), host_key="env:PATH")
    found = {check.name: check.state for check in examine(config.model_copy(update={"server": server}))}
    assert (found["remote"], found["secret"]) == (State.OK, State.FAULT)
    assert (found["server"], found["accounts"]) == (State.OK, State.WARNING)


# OpenSSH ------------------------------------------------------------------------------------------------------------


def asked(inbox: Path, jail: Path, match: str) -> list[Check]:
    """Return what is said of an inbox behind a real sshd that has this configuration."""
    config = jail / "sshd_config"
    config.write_text(f"HostKey /etc/ssh/ssh_host_ed25519_key\n{match}")
    us = User("root", 0, frozenset())
    return list(look_at_sshd(inbox, us, (*SSHD, "-f", str(config))))


def inbox_of_the_sender(jail: Path) -> Path:
    """Make an inbox that is the sender's, in a chroot that is root's."""
    inbox = jail / "springfield" / "inbox"
    inbox.mkdir(parents=True)
    inbox.parent.chmod(0o755)
    os.chown(inbox, SENDER.pw_uid, SENDER.pw_gid)
    return inbox


def test_a_real_sshd_tells_of_the_account(jail: Path) -> None:
    """An account as in the recipe is confined and can do nothing else."""
    inbox = inbox_of_the_sender(jail)
    checks = asked(inbox, jail, MATCH.format(chroot=inbox.parent))
    assert [check.name for check in checks] == ["sshd", "chroot"]
    assert [check.state for check in checks] == [State.OK, State.OK]
    assert str(inbox.parent) in checks[1].found


def test_an_account_that_is_not_confined_is_told(jail: Path) -> None:
    """Without the Match block it is a user like any other."""
    checks = asked(inbox_of_the_sender(jail), jail, "")
    assert [check.state for check in checks] == [State.FAULT, State.WARNING]


def test_a_chroot_that_sshd_would_refuse_is_told(jail: Path) -> None:
    """One that its group may write."""
    inbox = inbox_of_the_sender(jail)
    inbox.parent.chmod(0o775)
    _, chroot = asked(inbox, jail, MATCH.format(chroot=inbox.parent))
    assert chroot.state is State.FAULT
    assert f"{inbox.parent} must be root's" in chroot.found


def test_a_machine_without_sshd_is_told(jail: Path) -> None:
    """What could not be looked at is said, and is no fault."""
    us = User("root", 0, frozenset())
    (check,) = look_at_sshd(inbox_of_the_sender(jail), us, ("/nowhere/sshd",))
    assert check.state is State.WARNING
    assert "could not be looked at" in check.found


def test_an_inbox_of_the_daemons_own_has_no_sshd(tmp_path: Path) -> None:
    """Nothing is said of OpenSSH where it has no part."""
    assert list(look_at_sshd(tmp_path, User("root", os.getuid(), frozenset()))) == []
