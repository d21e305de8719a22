"""A world that fails while a right drop is taken: disks, folders, files, locks, limits, damage.

Each story is the same: the drop comes, the fault is there, and then it is gone. Meanwhile nothing may be half done;
afterwards the drop is applied, once. The clean twin is the same day without the fault.
"""

import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from corpus.order import BROKEN, TODAY, days, story
from corpus.semantics_change import BEFORE, CROWD, with_cell
from corpus.sets import PLAIN, sent
from corpus.sound import DAY_1, DAY_2
from corpus.story import Play, Scene, Story, Watcher
from places import FEED, write_rules

from ingestd import worker
from ingestd.sinks.sqlite import SqliteSink

MUCH = sent(with_cell(700, "middleName"))
"""A drop of which 700 records are new."""
MUCH_TODAY = days(MUCH)
Fault = Callable[[Scene], AbstractContextManager[object]]


def under(fault: Fault, act: Callable[[Scene], object] = Scene.take) -> Play:
    """Return the story of a drop that is taken while something is wrong, and again when it is not any more."""

    def play(scene: Scene) -> None:
        scene.send(PLAIN.zip)
        with fault(scene):
            act(scene)
        scene.look()
        scene.take()

    return play


def failing(name: str, fault: Fault, codes: str, act: Callable[[Scene], object] = Scene.take) -> Story:
    """Return a story that ends well after all."""
    return story(name, under(fault, act), TODAY, "applied", codes, after=DAY_2)


# What is in the place of something else ---------------------------------------------------------------------------


def swapped(place: Callable[[Scene], Path], make: Callable[[Path], object]) -> Fault:
    """Return the fault that something else is where a file or a folder should be."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        path = place(scene)
        is_there = os.path.lexists(path)
        if is_there:
            path.rename(aside(path))
        make(path)
        yield
        remove(path)
        if is_there:
            aside(path).rename(path)

    return fault


def aside(path: Path) -> Path:
    """Return where a file lies while something else is in its place."""
    return path.with_name(f".aside-{path.name}")


def remove(path: Path) -> None:
    """Remove whatever has that name, if anything."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def a_file(path: Path) -> None:
    """Make a file that is no database and no folder."""
    path.write_bytes(b"not what should be here" * 300)


def nothing(_path: Path) -> None:
    """Make nothing."""


def target(scene: Scene) -> Path:
    """Return the sink's database."""
    return scene.where.target()


def store(scene: Scene) -> Path:
    """Return the feed's store."""
    return scene.where.store()


def state(*parts: str) -> Callable[[Scene], Path]:
    """Return what gives a path below the state folder."""
    return lambda scene: scene.where.state.joinpath(*parts)


def cut(place: Callable[[Scene], Path]) -> Fault:
    """Return the fault that a file has lost its second half."""

    def make(path: Path) -> None:
        content = aside(path).read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return swapped(place, make)


# Limits and locks ---------------------------------------------------------------------------------------------------


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    """Have the kernel refuse more than so much of something to this process."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def no_file_beyond(size: int) -> Fault:
    """Return the fault that no file can grow beyond a size, as on a disk that is full."""
    return lambda _scene: limited(resource.RLIMIT_FSIZE, size)


def few_files(more: int) -> Fault:
    """Return the fault that only so many more files can be open.

    The limit is of numbers, not of files: what is free below the highest is taken, or it depends on who started us.
    """

    @contextmanager
    def fault(_scene: Scene) -> Iterator[None]:
        highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        with ExitStack() as taken:
            number = -1
            while number < highest:
                number = os.dup(1)
                taken.callback(os.close, number)
            with limited(resource.RLIMIT_NOFILE, number + 1 + more):
                yield

    return fault


def locked(place: Callable[[Scene], Path]) -> Fault:
    """Return the fault that somebody else writes to a database for long."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        with closing(sqlite3.connect(place(scene), isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("ROLLBACK")

    return fault


def with_a_locked_sink(scene: Scene) -> None:
    """Have the drop taken by a feed that does not wait long for its sink, which somebody else writes to."""
    with scene.feed() as feed, locked(target)(scene):
        feed.runs.sinks.put("sqlite", SqliteSink(target(scene), busy=0.05))
        scene.run(feed)


def with_a_locked_store(scene: Scene) -> None:
    """Have the drop taken by a feed that does not wait long for its store, which somebody copies."""
    with scene.feed() as feed:
        feed.store._db.execute("PRAGMA busy_timeout = 50")
        with locked(store)(scene):
            scene.run(feed)


def with_a_store_locked_at(stage: str) -> Callable[[Scene], None]:
    """Return what has the store locked from a stage of the run on."""

    def act(scene: Scene) -> None:
        other = sqlite3.connect(store(scene), isolation_level=None, check_same_thread=False)
        with closing(other), scene.feed(Watcher(stage, lambda: other.execute("BEGIN EXCLUSIVE"))) as feed:
            feed.store._db.execute("PRAGMA busy_timeout = 50")
            scene.run(feed)

    return act


@contextmanager
def sound(_scene: Scene) -> Iterator[None]:
    """Be no fault: what is wrong happens in the act."""
    yield


# Damage -----------------------------------------------------------------------------------------------------------


def damaged(table: str) -> Fault:
    """Return the fault that the page of the store with which a table begins is full of nonsense."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        path = store(scene)
        before = path.read_bytes()
        with closing(sqlite3.connect(path)) as db:
            size = db.execute("PRAGMA page_size").fetchone()[0]
            page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
        at = (page - 1) * size
        path.write_bytes(before[:at] + b"\xff" * size + before[at + size :])
        yield
        path.write_bytes(before)

    return fault


def spoil_arrays(change: Callable[[Path], object], name: str = "arrays") -> Fault:
    """Return the fault that the arrays beside the store are not what they were; nobody puts them right."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        for path in store(scene).with_suffix(".arrays").rglob(name):
            change(path)
        yield

    return fault


def flip(path: Path) -> None:
    """Change a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@contextmanager
def of_another_day(scene: Scene) -> Iterator[None]:
    """Have the arrays be those of a generation that is not the store's."""
    (generation,) = store(scene).with_suffix(".arrays").iterdir()
    generation.rename(generation.with_name("7"))
    yield


@contextmanager
def half_written(scene: Scene) -> Iterator[None]:
    """Have the store be as somebody left it who was killed while writing: with a journal that must be rolled back."""
    path, copy = store(scene), scene.where.folder / "copy.db"
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("UPDATE versions_users SET familyName = 'half'")
        db.execute("CREATE TABLE half AS SELECT * FROM versions_users, meta")
        journal = copy.with_name("copy.db-journal")
        assert journal.stat().st_size > 0
        path.write_bytes(copy.read_bytes())
        path.with_name(f"{path.name}-journal").write_bytes(journal.read_bytes())
    yield


@contextmanager
def with_a_stray_journal(scene: Scene) -> Iterator[None]:
    """Have a file beside the sink that has a journal's name and is none."""
    a_file(target(scene).with_name(f"{target(scene).name}-journal"))
    yield


def by_others(statement: str) -> Fault:
    """Return the fault that somebody else writes into the target, and that nobody puts it right."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        with closing(sqlite3.connect(target(scene))) as db:
            db.execute(statement)
            db.commit()
        yield

    return fault


# In the middle of a run -------------------------------------------------------------------------------------------


def at_stage(stage: str, change: Callable[[Path], object]) -> Callable[[Scene], None]:
    """Return what has something happen to the folder of the run when it comes to a stage."""

    def act(scene: Scene) -> None:
        scene.loop(Watcher(stage, lambda: change(running(scene))))

    return act


def from_stage(stage: str, fault: Fault) -> Callable[[Scene], None]:
    """Return what has a fault be there from a stage of the run on."""

    def act(scene: Scene) -> None:
        with ExitStack() as lasting:
            scene.loop(Watcher(stage, lambda: lasting.enter_context(fault(scene))))

    return act


def while_it_runs(scene: Scene) -> None:
    """Have the inbox go and come back while the feed is open."""
    with scene.feed() as feed:
        assert scene.sight(feed)
        with swapped(Scene.inbox, nothing)(scene):
            assert not scene.sight(feed)
        scene.run(feed)


def vanish(folder: Path) -> None:
    """Remove the drop from the folder of its run."""
    (folder / "roster.zip").unlink()


def vanished(scene: Scene) -> None:
    """Have the drop vanish from the folder of its run, where nobody but the daemon has business; it is sent again."""
    scene.send(PLAIN.zip)
    scene.loop(Watcher("unpack", lambda: vanish(running(scene))))
    scene.look()
    scene.send(PLAIN.zip)
    scene.take()


def spoilt(scene: Scene) -> None:
    """Have a bit of the copy of the drop change on the disk; it is sent again."""
    scene.send(PLAIN.zip)
    scene.loop(Watcher("unpack", lambda: flip(running(scene) / "roster.zip")))
    scene.look()
    scene.send(PLAIN.zip)
    scene.take()


def running(scene: Scene) -> Path:
    """Return the folder of the run that is under way."""
    return scene.where.state / "runs" / f"{FEED}.2"


def ended_by(number: signal.Signals) -> Callable[[Scene], None]:
    """Return what ends the process that reads the drop, when it has begun; the drop has work for a while."""

    def end() -> None:
        for one in readers():
            os.kill(one, number)

    return lambda scene: scene.loop(Watcher("check", end))


def readers() -> list[int]:
    """Return the processes that read drops for this one."""
    nursery = worker._nursery
    assert nursery is not None
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(status.read_text().rpartition(")")[2].split()[1]) == nursery._pid:
                found.append(int(status.parent.name))
    assert found, "a drop is read in a process of its own"
    return found


def crashed(scene: Scene) -> None:
    """Have the process that reads the drop crash, and send the drop again."""
    scene.send(MUCH.zip)
    ended_by(signal.SIGSEGV)(scene)
    scene.look()
    scene.send(MUCH.zip)
    scene.take()


def killed(scene: Scene) -> None:
    """Have the kernel, or somebody, kill the process that reads the drop."""
    scene.send(MUCH.zip)
    ended_by(signal.SIGKILL)(scene)
    scene.look()
    scene.take()


def of_much(name: str, bad: Play, codes: str, states: str) -> Story:
    """Return a story of a drop that takes a while to read."""
    return Story(
        name=name, bad=bad, twin=MUCH_TODAY, states=tuple(states.split()), codes=tuple(codes.split()),
        after=MUCH.after, twin_after=MUCH.after, first=CROWD, day_1=BEFORE,
    )  # fmt: skip


def rejected_without_quarantine(scene: Scene) -> None:
    """Send a drop that is rejected when there is no room where rejected ones lie."""
    scene.send(BROKEN.zip)
    with swapped(state("quarantine"), a_file)(scene):
        scene.take()
    scene.look()
    scene.take()
    assert (scene.where.state / "quarantine" / FEED / f"{FEED}.2" / "roster.zip").exists()


def written(file: str, text: str) -> Fault:
    """Return the fault that a file of the configuration is wrong."""
    return swapped(lambda scene: scene.where.folder / file, lambda path: path.write_text(text) and None)


def with_rules(text: str) -> Fault:
    """Return the fault that the feed's rules are wrong."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        write_rules(scene.where, text, "default")
        yield
        remove(scene.where.folder / "rules")

    return fault


def blocked(name: str) -> Callable[[Path], object]:
    """Return what puts a folder where a report is to be written."""
    return lambda folder: (folder / name).mkdir()


def failing_call(call: str, error: str, *place: str) -> Callable[[Scene], None]:
    """Return what has a system call fail that concerns a path below the state folder."""

    def act(scene: Scene) -> None:
        path = scene.where.state.joinpath(*place)
        scene.take_traced("-P", str(path), "-e", f"inject={call}:error={error}:when=1+")

    return act


def traced(name: str, act: Callable[[Scene], None], codes: str, states: str = "applied") -> Story:
    """Return a story that ends well after all, of which a system call is made to fail."""
    return replace(story(name, under(sound, act), TODAY, states, codes, after=DAY_2), is_traced=True)


CLAIM = ("runs", f".claim-{FEED}.2")
STORIES: Sequence[Story] = [
    failing("a folder in the place of the sink", swapped(target, Path.mkdir), "then-failed SQLITE_CANTOPEN"),
    failing("a sink that is no database", swapped(target, a_file), "then-failed SQLITE_NOTADB"),
    failing("a sink that has lost its second half", cut(target), "then-failed SQLITE_CORRUPT"),
    failing("a sink in a folder that is not there", swapped(target, lambda path: path.symlink_to("/nowhere/at/all")),
            "then-failed"),
    failing("a sink that somebody else writes to", sound, "then-failed SQLITE_BUSY", with_a_locked_sink),
    failing("a stray journal beside the sink", with_a_stray_journal, "then-applied"),
    failing("a record of the sink removed by others", by_others("DELETE FROM users WHERE sourcedId = 'U1'"),
            "then-applied"),
    failing("a record of the sink changed by others",
            by_others("UPDATE users SET _active = 0, email = '' WHERE sourcedId = 'U2'"), "then-applied"),
    failing("a folder in the place of the store", swapped(store, Path.mkdir), "feed.failed OperationalError"),
    failing("a store that is no database", swapped(store, a_file), "feed.failed DatabaseError"),
    failing("a store that has lost its second half", cut(store), "feed.failed DatabaseError"),
    failing("nonsense in the store's runs", damaged("runs"), "feed.failed DatabaseError"),
    failing("a store that somebody copies", sound, "feed.failed OperationalError", with_a_locked_store),
    failing("a store that somebody copies at the wrong moment", sound, "then-applying UnrecordedError",
            with_a_store_locked_at("commit")),
    failing("a store that is half written", half_written, "then-applied"),
    failing("a folder in the place of the lock", swapped(state("feeds", f"{FEED}.lock"), Path.mkdir), "EISDIR"),
    failing("a file in the place of the arrays", swapped(state("feeds", f"{FEED}.arrays"), a_file), "then-failed"),
    failing("arrays with a bit changed", spoil_arrays(flip), "then-applied"),
    failing("arrays without their index", spoil_arrays(Path.unlink, "index.json"), "then-applied"),
    failing("arrays of another day", of_another_day, "then-applied"),
    failing("a file in the place of the archive", swapped(state("archive"), a_file), "then-applied run.unfiled"),
    failing("a file in the place of the results", swapped(state("results"), a_file), "feed.failed ENOTDIR"),
    failing("a file in the place of the runs", swapped(state("runs"), a_file), "feed.failed EEXIST"),
    failing("a file in the place of the inbox", swapped(Scene.inbox, a_file), "folder.lost"),
    failing("an inbox that goes and comes back", sound, "folder.lost folder.found", while_it_runs),
    failing("no room for the receipt", swapped(state("results", FEED, "roster.zip.report.txt"), Path.mkdir),
            "then-applied report.failed"),
    failing("no room for the report", sound, "then-applied report.failed", at_stage("apply", blocked("report.json"))),
    failing("no room for the copy of the drop", no_file_beyond(1000), "feed.failed EFBIG"),
    failing("no room for the run in the store", no_file_beyond(20_000), "feed.failed OperationalError"),
    failing("no room for what is new", no_file_beyond(60_000), "then-received OperationalError"),
    failing("too many files are open", few_files(6), "then-failed"),
    failing("too many files are open when the sink is done", sound, "then-applying UnrecordedError",
            from_stage("commit", few_files(0))),
    failing("rules that are none", with_rules("[[table]]\nname = 1\n"), "once-exit-2"),
    failing("a configuration with a fault", written("ingestd.toml", "stat_dir = 'var'\n"), "once-exit-2"),
    of_much("the process that reads is killed", killed, "then-failed run.failed", "applied"),
    of_much("the process that reads crashes, and the drop comes again", crashed, "then-rejected reader-stopped",
            "rejected applied"),
    story("the copy of the drop vanishes, and the drop comes again", vanished, TODAY, "superseded applied",
          "then-failed FileNotFoundError", after=DAY_2),
    story("the copy of the drop is damaged, and the drop comes again", spoilt, TODAY, "rejected applied",
          "then-rejected", after=DAY_2),
    story("a file in the place of the quarantine", rejected_without_quarantine, TODAY, "rejected",
          "then-rejected run.unfiled", after=DAY_1),
    traced("no room while the drop is copied", failing_call("write", "ENOSPC", *CLAIM, ".copying"), "ENOSPC"),
    traced("the copy does not reach the disk", failing_call("fsync", "EIO", *CLAIM, ".copying"), "EIO"),
    traced("no more quota", failing_call("mkdir", "EDQUOT", *CLAIM), "EDQUOT"),
    traced("no room in the sink", failing_call("pwrite64", "ENOSPC", f"{FEED}.roster.db"), "then-failed SQLITE_FULL"),
    traced("the sink does not reach the disk", failing_call("fdatasync", "EIO", f"{FEED}.roster.db"),
           "then-failed SQLITE_IOERR_FSYNC"),
    traced("the drop cannot be removed", failing_call("unlink", "EACCES", "inbox", FEED, "roster.zip"),
           "drop.stuck run.duplicate", "applied duplicate"),
]  # fmt: skip
