"""A real sshd, and a server that fails where it is told to: what is fetched, when, and what is told if it cannot be."""

import os
import resource
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import pack
from intake_world import PATIENCE, Log, kept_log
from remote_world import QUICK, Keys, Scripted, facts_of, lay, listening, openssh, terms

from ingestd.core.fetching import Memory
from ingestd.sources.remote_client import Account
from ingestd.sources.remote_folder import MOST_FILES, Patience
from ingestd.sources.remote_spool import PART, Spool
from ingestd.sources.remote_visits import LONGEST_PAUSE, After, Terms, Visits

ZIP = os.urandom(3_000_001)  # more than one window of requests, and no multiple of a block
WHOLE = pack({"a.csv": "x" * 1000})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Return keys for server and account."""
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def log() -> Iterator[Log]:
    """Keep what is logged."""
    with kept_log() as kept:
        yield kept


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return the vendor's folder."""
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


@pytest.fixture
def sshd(keys: Keys, tmp_path: Path) -> Iterator[int]:
    """Serve this machine's files by OpenSSH."""
    with openssh(keys, tmp_path) as port:
        yield port


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


class World:
    """One source's visits, and what they brought."""

    def __init__(
        self, account: Account, about: Terms, folder: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spool = Spool(folder / "fetched" / "feed" / "place")
        self.visits = Visits(account, about, self.spool, clock=clock, chance=lambda: 0.5)
        self.rings = 0

    def visit(self) -> float:
        """Visit once."""

        def ring() -> None:
            self.rings += 1

        return self.visits.visit(ring)

    @property
    def drops(self) -> dict[str, bytes]:
        """Return what was fetched and not claimed."""
        return {path.name: path.read_bytes() for path in self.spool.drops.iterdir()}

    def claim(self) -> None:
        """Take the drops away, as a claim does."""
        for path in self.spool.drops.iterdir():
            path.unlink()


# A real server -----------------------------------------------------------------------------------------------


def test_a_drop_is_fetched_whole_private_and_once(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """It comes byte for byte, readable by us alone, rings once, and is not fetched again at the next visit."""
    lay(export, "a.zip", ZIP)
    world = World(keys.account(sshd), terms(export), tmp_path)
    assert world.visit() == pytest.approx(10, abs=3)
    assert (world.visits.problem, world.drops, world.rings) == (None, {"a.zip": ZIP}, 1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in world.spool.drops.iterdir()} == {0o600}
    world.claim()
    world.visit()
    assert (world.drops, world.rings, len(log.of("drop.fetched"))) == ({}, 1, 1)


def test_a_file_must_look_the_same_twice(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """The second look comes when it has settled; a file that grew in between begins anew, as does a new time."""
    clock = Clock()
    world = World(keys.account(sshd), terms(export, settle=5), tmp_path, clock)
    lay(export, "a.zip", b"half")
    assert world.visit() == pytest.approx(5)
    assert world.visits.is_settling
    clock.now += 5
    lay(export, "a.zip", b"half and more")
    assert world.visit() == pytest.approx(5)
    clock.now += 5
    lay(export, "a.zip", b"half and more", mtime=1_700_000_001)
    assert world.visit() == pytest.approx(5)
    assert world.drops == {}
    clock.now += 5
    assert world.visit() == pytest.approx(10)
    assert (world.drops, world.visits.is_settling) == ({"a.zip": b"half and more"}, False)


def test_a_changed_file_is_another_drop(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """Under the same name comes every night's export; it waits until the one before it is claimed."""
    world = World(keys.account(sshd), terms(export), tmp_path)
    lay(export, "a.zip", b"monday")
    world.visit()
    lay(export, "a.zip", b"tuesday", mtime=1_700_086_400)
    world.visit()
    assert world.drops == {"a.zip": b"monday"}
    world.claim()
    world.visit()
    assert world.drops == {"a.zip": b"tuesday"}


@pytest.mark.parametrize("part", [WHOLE[:-30], WHOLE[:3], b"", bytes(len(WHOLE))])
def test_an_upload_that_stalled_is_left_there_and_what_becomes_of_it_is_fetched(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path, part: bytes
) -> None:
    """A zip without its end is not cleared away under its sender's hands, and gives way to the whole one."""
    world = World(keys.account(sshd), terms(export, after=After.DELETE), tmp_path)
    lay(export, "a.zip", part)
    world.visit()
    assert (export / "a.zip").exists()
    lay(export, "a.zip", WHOLE, mtime=1_700_086_400)
    world.visit()
    assert world.drops == {"a.zip": WHOLE}
    assert not (export / "a.zip").exists()


def test_what_is_fetched_is_removed_there(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """`after = "delete"` removes it, and nothing that was not fetched."""
    lay(export, "a.zip", b"one")
    lay(export, "notes.txt", b"two")
    World(keys.account(sshd), terms(export, after=After.DELETE), tmp_path).visit()
    assert [path.name for path in export.iterdir()] == ["notes.txt"]


def test_what_is_fetched_is_moved_there(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """`after = "move"` moves it; what has its name there keeps it, and the newcomer gets its time into its own."""
    (export / "done").mkdir()
    world = World(keys.account(sshd), terms(export, after=After.MOVE, move_to="done"), tmp_path)
    for content, mtime in ((b"monday", 1_700_000_000), (b"tuesday", 1_700_086_400)):
        lay(export, "a.zip", content, mtime)
        world.visit()
        world.claim()
    assert {path.name: path.read_bytes() for path in (export / "done").iterdir()} == {
        "a.zip": b"monday",
        "a.1700086400.zip": b"tuesday",
    }
    assert not (export / "a.zip").exists()
    assert log.of("file.ignored") == []


def test_a_file_that_cannot_be_moved_is_told_and_not_fetched_again(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """The folder to move into is missing; once it is there the next visit moves what was fetched long ago."""
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd), terms(export, after=After.MOVE, move_to="done"), tmp_path)
    world.visit()
    assert world.visits.problem == "1 files not fetched or cleared: it is no longer there"
    world.claim()
    (export / "done").mkdir()
    world.visit()
    assert (world.rings, [path.name for path in export.iterdir()]) == (1, ["done"])


def test_a_drop_that_cannot_be_read_stops_no_other(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """Too large to be wanted: it is told, and the others come, oldest first."""
    lay(export, "a.zip", ZIP, mtime=1)
    lay(export, "b.zip", b"new", mtime=3)
    lay(export, "c.zip", b"old", mtime=2)
    world = World(keys.account(sshd), terms(export, largest=1000), tmp_path)
    assert world.visit() == pytest.approx(10, abs=3)
    assert world.visits.problem == "1 files not fetched or cleared: it is larger than max_size"
    assert [entry["file"] for entry in log.of("drop.fetched")] == ["'c.zip'", "'b.zip'"]


def test_only_files_with_a_drops_name_are_fetched(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """No link, no folder, no upload under way, no name that is not UTF-8; what is odd is logged once."""
    for name in ("a.zip", "b.zip.filepart", ".c.zip", "d.txt"):
        lay(export, name, b"x")
    (export / "e.zip").symlink_to("a.zip")
    (export / "f.zip").mkdir()
    Path(os.fsdecode(os.fsencode(export) + b"/g\xe9.zip")).write_bytes(b"x")
    world = World(keys.account(sshd), terms(export), tmp_path)
    world.visit()
    world.visit()
    assert set(world.drops) == {"a.zip"}
    assert sorted(entry["file"] for entry in log.of("file.ignored")) == [
        "'d.txt'",
        "'e.zip'",
        "'f.zip'",
        r"'g\udce9.zip'",
    ]


def test_a_missing_folder_is_a_condition(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """It is told, and well again once the folder is there."""
    world = World(keys.account(sshd), terms(export / "none"), tmp_path)
    world.visit()
    assert world.visits.problem == "the folder is not there"
    (export / "none").mkdir()
    world.visit()
    assert world.visits.problem is None
    assert [len(log.of(event)) for event in ("remote.lost", "remote.found")] == [1, 1]


def test_the_memory_is_as_small_as_the_folder(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """What is no longer listed is forgotten."""
    world = World(keys.account(sshd), terms(export), tmp_path)
    lay(export, "a.zip", b"one").rename(lay(export, "b.zip", b"one"))
    world.visit()
    assert set(world.spool.recall()) == {"b.zip"}
    (export / "b.zip").unlink()
    world.visit()
    assert world.spool.recall() == {}


def test_a_memory_that_cannot_be_read_is_none(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """The drop comes again, which is a duplicate; nothing stops."""
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd), terms(export), tmp_path)
    world.visit()
    world.claim()
    (world.spool.folder / "memory.json").write_text('["of something else"]')
    world.visit()
    assert (world.drops, world.visits.problem) == ({"a.zip": b"one"}, None)


# Who it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hashed", [False, True])
def test_a_host_is_known_by_its_file(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path, is_hashed: bool
) -> None:
    """A line as ssh-keyscan writes it, with the port, plain or hashed, proves the host."""
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd} {Path(f'{keys.host}.pub').read_text()}")
    if is_hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", str(known)], check=True, capture_output=True)
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd, fingerprints=(), known_hosts=known), terms(export), tmp_path)
    world.visit()
    assert (world.visits.problem, world.drops) == (None, {"a.zip": b"one"})


@pytest.mark.parametrize("by", ["fingerprint", "known_hosts"])
def test_another_host_key_stops_before_the_login(
    log: Log, keys: Keys, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, by: str
) -> None:
    """Whoever answers with another key hears neither our password nor our key."""
    other = Keys.make(tmp_path_factory.mktemp("other"))
    script = Scripted({"a.zip": (b"one", 1)})
    with script.serving(keys) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {Path(f'{other.host}.pub').read_text()}")
        pins = (
            {"fingerprints": (other.fingerprint,)}
            if by == "fingerprint"
            else {"fingerprints": (), "known_hosts": known}
        )
        world = World(keys.account(port, **pins), terms("/"), tmp_path)
        world.visit()
    assert world.visits.problem == "host key is not the pinned one; ask the vendor before you pin another (README)"
    assert script.logins == 0


def test_a_host_that_its_file_does_not_name_is_not_trusted(log: Log, keys: Keys, sshd: int, tmp_path: Path) -> None:
    """Nothing is ever added to the known hosts by itself."""
    known = tmp_path / "known_hosts"
    known.write_text("")
    world = World(keys.account(sshd, fingerprints=(), known_hosts=known), terms("/"), tmp_path)
    world.visit()
    assert world.visits.problem == "the file of known_hosts does not name this host"
    assert known.read_text() == ""


def test_a_password_logs_in_where_there_is_no_key(log: Log, keys: Keys, tmp_path: Path) -> None:
    """It is read when needed, from where the configuration says."""
    secret = tmp_path / "password"
    secret.write_text("right\n")
    with Scripted({"a.zip": (b"one", 1)}).serving(keys) as port:
        world = World(keys.account(port, key=None, password=f"file:{secret}"), terms("/"), tmp_path)
        world.visit()
    assert (world.visits.problem, world.drops) == (None, {"a.zip": b"one"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("wrong", "login refused: the server knows no such account, key or password"),
        (None, "the key or password cannot be read; see ingestd doctor"),
    ],
)
def test_a_login_that_fails_is_told(log: Log, keys: Keys, tmp_path: Path, content: str | None, told: str) -> None:
    """In words that hold nothing of the secret."""
    secret = tmp_path / "password"
    if content:
        secret.write_text(content)
    with Scripted().serving(keys) as port:
        world = World(keys.account(port, key=None, password=f"file:{secret}"), terms("/"), tmp_path)
        world.visit()
    assert world.visits.problem == told


def test_failures_double_the_pause_to_a_limit(log: Log, keys: Keys, tmp_path: Path) -> None:
    """Nobody is there: 10 s, 20 s, 40 s … an hour; it is logged once."""
    with listening(lambda line: line.close()) as port:
        pass
    world = World(keys.account(port), terms("/"), tmp_path)
    pauses = [world.visit() for _ in range(11)]
    assert pauses == [min(10 * 2.0**times, LONGEST_PAUSE) for times in range(11)]
    assert len(log.of("remote.lost")) == 1


# What goes wrong ---------------------------------------------------------------------------------------------


def failed(script: Scripted, keys: Keys, folder: Path, **about: object) -> World:
    """Visit a scripted server once; whatever happened, nothing half is left and the visit has ended soon."""
    began = time.monotonic()
    with script.serving(keys) as port:
        world = World(keys.account(port), terms("/", **about), folder)
        world.visit()
    assert time.monotonic() - began < 10
    assert not (world.spool.folder / PART).exists()
    return world


def test_a_server_without_a_banner_is_given_up(log: Log, keys: Keys, tmp_path: Path) -> None:
    """It accepts and is silent."""
    began = time.monotonic()
    with listening(lambda line: [*iter(lambda: line.recv(1), b"")]) as port:
        world = World(keys.account(port), terms("/", patience=Patience(connect=0.3)), tmp_path)
        world.visit()
    assert world.visits.problem == "the connection was lost, or what answers is no SFTP server"
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("step", ["on_login", "on_subsystem", "on_list"])
def test_a_server_that_hangs_is_given_up(log: Log, keys: Keys, tmp_path: Path, step: str) -> None:
    """At any step, within its time."""
    script = Scripted()
    setattr(script, step, lambda: script.ended.wait(PATIENCE))
    world = failed(script, keys, tmp_path, patience=Patience(connect=0.5, stall=0.5))
    assert world.visits.problem
    assert world.drops == {}


def test_a_stall_in_mid_file_is_given_up_and_made_good(log: Log, keys: Keys, tmp_path: Path) -> None:
    """Half a file is nothing; the next visit brings it whole."""
    go = threading.Event()
    script = Scripted({"a.zip": (ZIP, 1)})
    script.on_read = lambda offset: offset > 1_000_000 and go.wait(PATIENCE)
    with script.serving(keys) as port:
        world = World(keys.account(port), terms("/"), tmp_path)
        world.visit()
        assert (world.visits.problem, world.drops) == ("no answer in time", {})
        go.set()
        world.visit()
    assert (world.visits.problem, world.drops) == (None, {"a.zip": ZIP})


def test_a_crawl_is_given_up(log: Log, keys: Keys, tmp_path: Path) -> None:
    """A block now and then is never silence, and still too slow."""
    script = Scripted({"a.zip": (ZIP, 1)})
    script.on_read = lambda _offset: script.ended.wait(0.2)
    world = failed(script, keys, tmp_path)
    assert world.visits.problem == "too slow: fewer bytes a second than least_speed"
    assert world.drops == {}


def test_a_reset_in_mid_file_leaves_nothing(log: Log, keys: Keys, tmp_path: Path) -> None:
    """The connection is lost while blocks are under way."""
    script = Scripted({"a.zip": (ZIP, 1)})
    script.on_read = lambda offset: script.reset() if offset > 1_000_000 else None
    world = failed(script, keys, tmp_path)
    assert world.visits.problem in {
        "the connection was lost, or what answers is no SFTP server",
        "the connection was refused or lost",
    }
    assert world.drops == {}


@pytest.mark.parametrize(
    ("becomes", "told"),
    [
        ((ZIP[:-1] + b"?", 2), "it changed while it was fetched"),
        ((ZIP + b"more", 1), "it changed while it was fetched"),
        (None, "it is no longer there"),
    ],
)
def test_a_file_that_changes_while_it_is_fetched_is_no_drop(
    log: Log, keys: Keys, tmp_path: Path, becomes: tuple[bytes, int] | None, told: str
) -> None:
    """Written to, grown or gone: what was read of it is thrown away."""
    script = Scripted({"a.zip": (ZIP, 1)})

    def change(offset: int) -> None:
        script.files.pop("a.zip", None)
        if becomes:
            script.files["a.zip"] = becomes

    script.on_read = change
    world = failed(script, keys, tmp_path)
    assert world.visits.problem == f"1 files not fetched or cleared: {told}"
    assert world.drops == {}


def test_a_listing_that_promises_more_than_there_is_brings_nothing(log: Log, keys: Keys, tmp_path: Path) -> None:
    """The file ends before its size."""
    script = Scripted({"b.zip": (b"whole", 2)}, extra=[facts_of("a.zip", 10, 1)])
    world = failed(script, keys, tmp_path)
    assert world.visits.problem == "1 files not fetched or cleared: it is no longer there"
    assert world.drops == {"b.zip": b"whole"}


@pytest.mark.parametrize("name", ["../x.zip", "a/../../x.zip", "/etc/x.zip", "sub/x.zip", "..", "x\0.zip", "x\n.zip"])
def test_a_name_leads_nowhere_else(log: Log, keys: Keys, tmp_path: Path, name: str) -> None:
    """What a server calls a file is no path of ours."""
    script = Scripted({name: (b"out", 1), "a.zip": (b"in", 1)})
    world = failed(script, keys, tmp_path)
    assert world.drops == {"a.zip": b"in"}
    assert list(tmp_path.rglob("x*.zip")) == []


def test_a_listing_without_end_is_left(log: Log, keys: Keys, tmp_path: Path) -> None:
    """More names than any folder of drops has."""
    script = Scripted(extra=[facts_of(f"{number}.zip", 1, 1) for number in range(MOST_FILES + 1)])
    world = failed(script, keys, tmp_path, patience=Patience(connect=2, stall=5))
    assert world.visits.problem == f"more than {MOST_FILES} files in the folder; have them moved or deleted"


def test_a_file_replaced_before_it_is_removed_stays(log: Log, keys: Keys, tmp_path: Path) -> None:
    """What is deleted is what was fetched: a new export under the same name is fetched at the next visit."""
    script = Scripted({"a.zip": (b"monday", 1)})
    with script.serving(keys) as port:
        world = World(keys.account(port), terms("/", after=After.DELETE), tmp_path)
        original = world.spool.remember

        def replaced(memory: Memory) -> None:
            original(memory)
            script.files["a.zip"] = (b"tuesday", 2)

        world.spool.remember = replaced  # type: ignore[method-assign]
        world.visit()
    assert script.files == {"a.zip": (b"tuesday", 2)}
    assert world.drops == {"a.zip": b"monday"}


def test_a_disk_that_takes_no_more_is_told_and_made_good(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path
) -> None:
    """Half a file is nothing; the next visit brings it whole."""
    lay(export, "a.zip", ZIP)
    world = World(keys.account(sshd), terms(export), tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        world.visit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert world.visits.problem == "the disk refuses what is fetched; see ingestd doctor"
    assert not (world.spool.folder / PART).exists()
    world.visit()
    assert world.drops == {"a.zip": ZIP}


def test_a_folder_that_cannot_be_made_is_told(log: Log, keys: Keys, tmp_path: Path) -> None:
    """Something else lies in its place."""
    (tmp_path / "fetched").write_text("in the way")
    world = World(keys.account(1), terms("/", patience=QUICK), tmp_path)
    world.visit()
    assert world.visits.problem == "the disk refuses what is fetched; see ingestd doctor"
