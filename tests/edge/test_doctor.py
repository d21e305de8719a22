"""What the doctor says of facts: every verdict, without a machine that is sick."""

import errno
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestd.config import Config
from ingestd.confine import Confined
from ingestd.doctor import configuration, folders, inboxes, machine, sshd, stores
from ingestd.doctor.check import Check, State, User

NOW = datetime(2026, 11, 25, 20, tzinfo=UTC)
OURS = User("ingestd", 990, frozenset({990, 800}))
VENDOR = 1001
INBOX = Path("/srv/sftp/springfield/inbox")
GIB = 1 << 30


def facts(mode: int, uid: int = 990, gid: int = 990) -> os.stat_result:
    """Return what `stat` says of a folder, or of a file."""
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


def disk(free: int, inodes: int = 1_000_000) -> os.statvfs_result:
    """Return what `statvfs` says of a file system with so much free."""
    return os.statvfs_result((4096, 4096, 1 << 24, 1 << 24, free // 4096, 1_000_000, inodes, inodes, 0, 255))


def has(check: Check, state: State, *words: str) -> bool:
    """Return whether a check is of that state and says all these words; what is not well says what to do, too."""
    said = f"{check.found} {check.remedy}"
    return check.state is state and all(word in said for word in words) and (state is State.OK or bool(check.remedy))


# The machine --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 11, 7), (3, 12, 11), (3, 13, 9), (3, 14, 0)])
def test_a_python_whose_zipfile_can_be_deceived_is_a_warning(version: tuple[int, ...]) -> None:
    """It is named with the CVE, and with the first release of its line that is free of it."""
    fixed = f"{version[0]}.{version[1]}.{machine.PYTHON_FIXED[version[:2]]} or newer"
    assert has(machine.judge_python(version), State.WARNING, "CVE-2025-8291", fixed)


@pytest.mark.parametrize("version", [(3, 11, 14), (3, 14, 1), (3, 15, 0)])
def test_a_newer_python_is_well(version: tuple[int, ...]) -> None:
    """From the mended release on, and in lines that came after, there is nothing to say."""
    assert has(machine.judge_python(version), State.OK)


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 50, 6), False), ((3, 51, 3), True),
     ((3, 52, 0), True)],
)  # fmt: skip
def test_sqlite_is_told_with_the_journal_in_use(version: tuple[int, ...], is_fixed: bool) -> None:
    """Stores have a rollback journal whichever it is; where the write-ahead log has the bug, that is why."""
    check = machine.judge_sqlite(version)
    assert has(check, State.OK, "TRUNCATE")
    assert ("lose a commit" in check.found) is not is_fixed


@pytest.mark.parametrize(
    ("found", "state", "word"),
    [
        (Confined(is_limited=True, is_filtered=True), State.OK, "seccomp"),
        (Confined(is_limited=True, is_filtered=False), State.WARNING, "without a filter"),
        (Confined(is_limited=False, is_filtered=True), State.FAULT, "do not hold"),
        ("no drop can be read: no process could be started", State.FAULT, "no drop can be read"),
    ],
)
def test_the_reader_is_judged_by_how_it_is_confined(found: Confined | str, state: State, word: str) -> None:
    """Without limits, or without a process, drops cannot be read safely; without the filter they can."""
    assert has(machine.judge_reader(found), state, word)


def test_an_old_kernel_is_a_warning() -> None:
    """Without openat2 the embedded server has another way."""
    assert has(machine.judge_openat2(0), State.OK)
    assert has(machine.judge_openat2(errno.ENOSYS), State.WARNING, "5.6")


def test_no_time_zones_is_a_fault() -> None:
    """A feed's day cannot begin without them."""
    assert has(machine.judge_zones(0), State.FAULT, "tzdata")


@pytest.mark.parametrize(
    ("now", "newest", "kernel", "state", "word"),
    [
        (NOW, None, 0, State.OK, "2026-11-25"),
        (NOW, NOW + timedelta(hours=23), None, State.OK, "2026-11-25"),
        (NOW, NOW + timedelta(days=2), 0, State.FAULT, "before what was written last"),
        (datetime(1970, 1, 3, tzinfo=UTC), None, 0, State.FAULT, "cannot be"),
        (NOW, None, machine.TIME_ERROR, State.WARNING, "nothing keeps it right"),
    ],
)
def test_the_clock_is_judged_by_what_it_cannot_be(
    now: datetime, newest: datetime | None, kernel: int | None, state: State, word: str
) -> None:
    """Not before ingestd was made, not before what was written last; and the kernel says whether it is kept right."""
    assert has(machine.judge_clock(now, newest, kernel), state, word)


@pytest.mark.parametrize(("count", "state"), [(1, State.OK), (112, State.OK), (113, State.WARNING)])
def test_inotify_must_be_enough_for_all_inboxes(count: int, state: State) -> None:
    """Each inbox takes an instance, and other programs of the user want some."""
    assert has(inboxes.judge_inotify(inboxes.Inotify(128, 192536), count), state, f"for {count:,} inbox")


# Folders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "state", "word"),
    [
        (facts(0o40700), State.OK, "closed to others"),
        (facts(0o40750), State.OK, "closed to others"),
        (facts(0o40755), State.FAULT, "chmod o="),
        (facts(0o40500), State.FAULT, "may not write"),
        (None, State.FAULT, "is not there"),
    ],
)
def test_the_state_folder_is_its_owners_alone(found: os.stat_result | None, state: State, word: str) -> None:
    """It holds children's data: there, writable by the daemon, closed to all others."""
    assert has(folders.judge_state(Path("/var/lib/ingestd"), found, OURS), state, word)


def test_what_runs_move_between_is_on_one_file_system() -> None:
    """Else a move is no rename, and a kill leaves half of it."""
    assert has(folders.judge_moves(1, {"runs": 1, "archive": 1}), State.OK)
    assert has(folders.judge_moves(1, {"runs": 1, "archive": 2}), State.FAULT, "archive")


@pytest.mark.parametrize(
    ("found", "state", "word"),
    [
        (disk(50 * GIB), State.OK, "50.0 GiB"),
        (disk(GIB), State.WARNING, "1.0 GiB"),
        (disk(GIB // 4), State.FAULT, "0.2 GiB"),
        (disk(50 * GIB, inodes=9), State.WARNING, "9 inodes"),
    ],
)
def test_a_disk_that_is_nearly_full_is_told_in_time(found: os.statvfs_result, state: State, word: str) -> None:
    """Bytes and inodes: both end."""
    assert has(folders.judge_disk(Path("/var/lib/ingestd"), found), state, word)


# Inboxes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "state", "word"),
    [
        (facts(0o42770, VENDOR, 800), State.OK, "remove drops"),
        (facts(0o40770, 990, 990), State.OK, "remove drops"),
        (facts(0o40770, VENDOR, 800), State.WARNING, "g+s"),
        (facts(0o42750, VENDOR, 800), State.FAULT, "remove drops"),
        (facts(0o40700, VENDOR, VENDOR), State.FAULT, "cannot list"),
        (facts(0o43770, VENDOR, 800), State.FAULT, "sticky"),
    ],
)
def test_an_inbox_is_to_be_listed_and_emptied(found: os.stat_result, state: State, word: str) -> None:
    """By its modes, and by the sticky bit, under which a folder that one may write is not one to remove from."""
    assert has(inboxes.judge_access(INBOX, found, [(Path("/srv"), facts(0o40755, 0, 0))], OURS), state, word)


def test_a_closed_folder_above_an_inbox_is_a_fault() -> None:
    """It is named."""
    parents = [(Path("/"), facts(0o40755, 0, 0)), (Path("/srv/sftp"), facts(0o40700, 0, 0))]
    check = inboxes.judge_access(INBOX, facts(0o42770, VENDOR, 800), parents, OURS)
    assert has(check, State.FAULT, "cannot get to", "/srv/sftp,")


def test_root_may_everything() -> None:
    """Modes do not hold it."""
    assert User("root", 0, frozenset()).may(facts(0o40000, VENDOR), 7)


def test_drops_that_cannot_be_read_are_counted() -> None:
    """As a vendor's umask makes them."""
    drops = [facts(0o100600, VENDOR, 800), facts(0o100640, VENDOR, 800)]
    check = inboxes.judge_drops(INBOX, facts(0o42770, VENDOR, 800), drops, OURS)
    assert has(check, State.FAULT, "1 of 2", "-u 0027")
    assert has(inboxes.judge_drops(INBOX, facts(0o42770, VENDOR, 800), drops[1:], OURS), State.OK, "1 waiting")


@pytest.mark.parametrize(("is_simple", "state"), [(True, State.OK), (False, State.FAULT)])
def test_an_inbox_that_is_not_there(is_simple: bool, state: State) -> None:
    """The daemon makes it below a folder that is there; above that a volume lacks."""
    assert has(inboxes.judge_missing(INBOX, is_simple=is_simple), state, "not there")


@pytest.mark.parametrize(
    ("file_system", "heard", "state", "word"),
    [
        ("ext4", True, State.OK, "tells"),
        ("nfs4", True, State.WARNING, "other machines"),
        ("fuse.sshfs", True, State.WARNING, "other machines"),
        ("ext4", False, State.WARNING, "says nothing"),
        ("ext4", "EMFILE", State.WARNING, "EMFILE"),
    ],
)
def test_inotify_is_a_hint_so_its_lack_is_a_warning(
    file_system: str, heard: bool | str, state: State, word: str
) -> None:
    """Rescans find every drop: what is told is that it takes longer, and why."""
    assert has(inboxes.judge_events(INBOX, file_system, heard), state, word)


@pytest.mark.parametrize(
    ("works", "sender", "right", "state", "word"),
    [
        (True, 990, False, State.OK, "sees who still writes"),
        (True, VENDOR, True, State.OK, "sees who still writes"),
        (True, VENDOR, None, State.WARNING, "only with CAP_LEASE"),
        (True, VENDOR, False, State.WARNING, "has it not"),
        (False, 990, True, State.WARNING, "has no leases"),
    ],
)
def test_a_lease_takes_the_owner_or_the_right(
    works: bool, sender: int, right: bool | None, state: State, word: str
) -> None:
    """On a file system that has leases; where none can be had, it is told what decides instead."""
    check = inboxes.judge_lease(INBOX, works, sender, OURS, has_lease_right=right)
    assert has(check, state, word)


def test_the_right_is_read_from_the_kernels_words() -> None:
    """CAP_LEASE is bit 28 (capabilities(7))."""
    assert inboxes.lease_right("Name:\tx\nCapEff:\t0000000010000000\n")
    assert not inboxes.lease_right("CapPrm:\tffffffffffffffff\nCapEff:\t0000000020000000\n")


def test_a_file_system_is_that_of_the_nearest_mount() -> None:
    """Also where a mount point has a blank, and where one lies over another."""
    mounts = "a / ext4 rw 0 0\nb /srv tmpfs rw 0 0\nc /srv/my\\040sftp nfs4 rw 0 0\nd /srv xfs rw 0 0"
    assert inboxes.file_system_of(Path("/srv/my sftp/inbox"), mounts) == "nfs4"
    assert inboxes.file_system_of(Path("/srv/mine"), mounts) == "xfs"
    assert inboxes.file_system_of(Path("/var"), mounts) == "ext4"


def test_a_real_inbox_is_heard_and_leased_and_left_as_it_was(tmp_path: Path) -> None:
    """Here inotify and leases work; the file that shows it is gone, and so is the watch."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    user = User("us", os.getuid(), frozenset())
    checks = list(inboxes.look_at_inbox(tmp_path, user, has_lease_right=False))
    assert [check.name for check in checks] == ["inbox", "drops", "events", "leases"]
    assert {check.state for check in checks} == {State.OK}
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# OpenSSH ------------------------------------------------------------------------------------------------------------

SOUND = {
    "forcecommand": "internal-sftp -u 0027 -P symlink,hardlink",
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "disableforwarding": "yes",
}
OPEN = [(Path("/"), facts(0o40755, 0, 0)), (Path("/srv/sftp"), facts(0o40775, 0, 0))]
CLOSED = [(Path("/"), facts(0o40755, 0, 0)), (Path("/srv/sftp"), facts(0o40755, 0, 0))]


@pytest.mark.parametrize(
    ("other", "state", "word"),
    [
        ({}, State.OK, "nothing else"),
        ({"forcecommand": "internal-sftp -p open,close,write"}, State.OK, "nothing else"),
        ({"passwordauthentication": "yes", "authenticationmethods": "publickey"}, State.OK, "nothing else"),
        ({"forcecommand": "none"}, State.FAULT, "run programs"),
        ({"forcecommand": "internal-sftp -u 0027"}, State.WARNING, "links (symlink, hardlink)"),
        ({"passwordauthentication": "yes"}, State.WARNING, "by password"),
        ({"authenticationmethods": "publickey password", "passwordauthentication": "yes"}, State.WARNING, "password"),
        ({"disableforwarding": "no"}, State.WARNING, "allowtcpforwarding"),
    ],
)
def test_an_account_can_do_sftp_by_key_and_nothing_else(other: Mapping[str, str], state: State, word: str) -> None:
    """By what sshd itself says of it."""
    assert has(sshd.judge_account("springfield", {**SOUND, **other}), state, word)


@pytest.mark.parametrize(
    ("chroot", "parts", "state", "word"),
    [
        (Path("/srv/sftp"), CLOSED, State.OK, "confined to /srv/sftp"),
        (Path("/srv/sftp"), OPEN, State.FAULT, "/srv/sftp must be root's"),
        (Path("/srv/other"), CLOSED, State.FAULT, "cannot reach"),
        (None, [], State.WARNING, "whole machine"),
    ],
)
def test_a_chroot_is_roots_all_the_way_up(
    chroot: Path | None, parts: Sequence[tuple[Path, os.stat_result]], state: State, word: str
) -> None:
    """Else sshd refuses the login (ChrootDirectory in sshd_config(5)); and the inbox lies in it."""
    assert has(sshd.judge_chroot("springfield", INBOX, chroot, parts), state, word)


def test_the_tokens_of_a_chroot_are_replaced() -> None:
    """As TOKENS in sshd_config(5) says."""
    assert sshd.expand("/srv/%u/100%%", "vendor", "/home/v") == Path("/srv/vendor/100%")
    assert sshd.expand("%h", "vendor", "/home/v") == Path("/home/v")
    assert sshd.expand("none", "vendor", "/home/v") is None


# Stores and secrets -------------------------------------------------------------------------------------------------


def test_a_damaged_store_is_a_fault(tmp_path: Path) -> None:
    """SQLite itself says so."""
    path = tmp_path / "springfield.db"
    assert has(stores.look_at_store("springfield", path), State.OK, "none yet")
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert has(stores.look_at_store("springfield", path), State.FAULT, "damaged", "backup")


@pytest.mark.parametrize(
    ("answer", "state"),
    [("ok", State.OK), ("SQLITE_BUSY", State.WARNING), ("SQLITE_READONLY_ROLLBACK", State.WARNING),
     ("SQLITE_CANTOPEN", State.FAULT), ("row 1 missing from index", State.FAULT)],
)  # fmt: skip
def test_a_store_that_is_at_work_is_not_a_damaged_one(answer: str, state: State) -> None:
    """What only could not be looked at is told apart from what is broken."""
    assert has(stores.judge_store("springfield", Path("x.db"), answer), state)


def test_a_secret_is_there_and_nobody_elses(tmp_path: Path) -> None:
    """Its reference is told, its value never."""
    path = tmp_path / "key"
    reference = f"file:{path}"
    assert has(stores.look_at_secret(reference), State.FAULT, reference)
    path.write_text("hush-hush")
    path.chmod(0o644)
    check = stores.look_at_secret(reference)
    assert has(check, State.FAULT, f"chmod o= {path}") and "hush" not in f"{check}"
    path.chmod(0o640)
    assert has(stores.look_at_secret(reference), State.OK)


def test_a_credential_is_only_in_the_service() -> None:
    """A doctor who is called by hand cannot see it, which is no fault of it."""
    assert has(stores.look_at_secret("credential:host-key", {}), State.WARNING, "LoadCredential")
    assert has(stores.look_at_secret("env:NOT_THERE", {}), State.FAULT, "NOT_THERE")


def test_references_are_found_wherever_they_stand() -> None:
    """In tables and lists of the settings, each once; a text that only looks a little like one is none."""
    options = {"url": "https://example.org", "token": "env:TOKEN", "more": [{"again": "env:TOKEN", "key": "file:/k"}]}
    feeds: Any = {"a": options, "b": "env:"}
    config = Config.model_construct(state_dir=Path("var"), path=Path("file:x"), feeds=feeds)
    assert stores.all_references(config) == ("env:TOKEN", "file:/k")


def test_each_fault_of_the_configuration_is_a_check() -> None:
    """Or there is one that says it has none."""
    assert [check.state for check in configuration([])] == [State.OK]
    assert [check.found for check in configuration(["a: wrong", "b: wrong"])] == ["a: wrong", "b: wrong"]
