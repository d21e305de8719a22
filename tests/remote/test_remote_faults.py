"""A server that fails where it is told to: nothing half stays, nothing is lost, and what is wrong is told."""

import os
import resource
import threading
import time
from pathlib import Path

import pytest
from builders import pack
from intake_world import PATIENCE, Log
from remote_world import QUICK, Keys, Scripted, World, facts_of, lay, listening, terms

from ingestd.core.fetching import Memory
from ingestd.sources.remote_folder import MOST_FILES, Patience
from ingestd.sources.remote_spool import PART
from ingestd.sources.remote_visits import After

ZIP = os.urandom(3_000_001)  # more than one window of requests, and no multiple of a block
WHOLE = pack({"a.csv": "x" * 1000})


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
