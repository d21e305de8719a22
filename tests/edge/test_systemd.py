"""What systemd is told, what it tells, and that the unit which ships is sound and closed."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from intake_world import PATIENCE, hear, notify_socket

from ingestd.systemd import Herald, credential_path, notify, watchdog_interval

UNITS = Path(__file__).parents[2] / "systemd"


def test_notifies_a_socket_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines go in one datagram."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes, and tests lie deep
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("notify")
        ear.settimeout(PATIENCE)
        assert notify("READY=1", "STATUS=2 feeds", environ={"NOTIFY_SOCKET": "/proc/self/cwd/notify"})
        assert ear.recv(4096) == b"READY=1\nSTATUS=2 feeds"


def test_notifies_an_abstract_socket() -> None:
    """A name that begins with @ is in the abstract namespace."""
    with notify_socket() as (ear, environ):
        assert environ["NOTIFY_SOCKET"].startswith("@")
        assert notify("READY=1", environ=environ)
        assert hear(ear, "READY=1") == ["READY=1"]


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/no/such/socket"}]
)
def test_without_systemd_it_does_nothing(environ: dict[str, str]) -> None:
    """No socket, one of another kind, or one that is away: nothing is sent and nothing is raised."""
    assert not notify("READY=1", environ=environ)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_knows_the_watchdogs_interval(environ: dict[str, str], seconds: float | None) -> None:
    """It is given in microseconds, and may be meant for another process."""
    assert watchdog_interval(environ) == seconds


def test_finds_a_credential(tmp_path: Path) -> None:
    """It is a file in systemd's folder; without the file or the folder there is none."""
    (tmp_path / "sis").write_text("key")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert credential_path("sis", environ) == tmp_path / "sis"
    assert credential_path("other", environ) is None
    assert credential_path("sis", {}) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../shadow", "/etc/shadow", "a\0b"])
def test_a_credential_is_never_outside_its_folder(tmp_path: Path, name: str) -> None:
    """A name with a way in it is refused."""
    with pytest.raises(ValueError, match="name of a file"):
        credential_path(name, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_herald_tells_only_what_is_new() -> None:
    """Ready is said once, a status when it changes, the watchdog each time that all are alive."""
    with notify_socket() as (ear, environ):
        herald = Herald(environ)
        for is_ready, is_alive, status in [
            (False, True, "1"), (True, True, "1"), (True, True, "2"), (True, False, "2"), (True, True, "2"),
        ]:  # fmt: skip
            herald.tell(is_ready=is_ready, is_alive=is_alive, status=status)
        heard = [ear.recv(4096).decode().splitlines() for _ in range(4)]
    alive = "WATCHDOG=1"
    assert heard == [[alive, "STATUS=1"], [alive, "READY=1"], [alive, "STATUS=2"], [alive]]


def test_the_herald_is_in_time_for_the_watchdog() -> None:
    """The pulse is well within what systemd wants, and moderate without it."""
    assert Herald({"WATCHDOG_USEC": "6000000"}).pulse == 2
    assert Herald({}).pulse == 10


# The unit ---------------------------------------------------------------------------------------------------------


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, or skip the test where there is none."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit as it ships, but for the program, which is not installed where tests run."""
    text = (UNITS / "ingestd.service").read_text(encoding="utf-8")
    text, count = re.subn(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    assert count == 1
    path = tmp_path / "ingestd.service"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_unit_is_clean(unit: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    ran = analyze("verify", str(unit))
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_the_unit_is_closed(unit: Path) -> None:
    """Its exposure is at most 2.0 of 10 (plain units have 9.2, journald 4.3)."""
    ran = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))
    assert ran.returncode == 0, ran.stdout[-200:]


def calls_of(group: str) -> set[str]:
    """Return the system calls of one of systemd's groups, and of the groups in it."""
    lines = analyze("syscall-filter", group).stdout.splitlines()[1:]
    words = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
    inner = [calls_of(word) for word in words if word.startswith("@")]
    return {word for word in words if not word.startswith("@")}.union(*inner)


def test_the_unit_lets_the_reader_of_drops_be_confined() -> None:
    """Its filter has the calls that set limits (setrlimit(2) is prlimit64 to the kernel) and filters, and that fork."""
    lines = (UNITS / "ingestd.service").read_text(encoding="utf-8").splitlines()
    assert {"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources"} <= set(lines)
    allowed = calls_of("@system-service") - calls_of("@privileged") - calls_of("@resources")
    assert {"prlimit64", "prctl", "clone", "sendmsg", "recvmsg", "socketpair", "wait4"} <= allowed


def test_the_unit_runs_the_daemon_as_documented() -> None:
    """Program, configuration and command are those of the documentation; systemd waits for READY and WATCHDOG."""
    lines = (UNITS / "ingestd.service").read_text(encoding="utf-8").splitlines()
    assert "ExecStart=/opt/ingestd/bin/ingestd --config /etc/ingestd/ingestd.toml run" in lines
    assert {"Type=notify", "WatchdogSec=2min", "TimeoutStopSec=5min", "ReadWritePaths=-/srv/sftp"} <= set(lines)


def test_the_units_user_is_made(tmp_path: Path) -> None:
    """The user of the unit is in sysusers, and both files are what systemd can read."""
    assert re.search(r"^u ingestd ", (UNITS / "ingestd.sysusers").read_text(encoding="utf-8"), re.MULTILINE)
    if os.geteuid() != 0:
        pytest.skip("folders of root's can only be made by root")
    for program, file in (("systemd-sysusers", "ingestd.sysusers"), ("systemd-tmpfiles", "ingestd.tmpfiles")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        for folder in ("etc", "run", "var"):
            (tmp_path / folder).mkdir(exist_ok=True)
        words = [program, f"--root={tmp_path}", *(["--create"] if "tmpfiles" in program else []), str(UNITS / file)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
