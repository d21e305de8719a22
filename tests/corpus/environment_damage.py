"""Faults of the world around a drop, which pass: damage, and what happens in the middle of a run."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from corpus.environment_faults import (
    MUCH,
    MUCH_TODAY,
    Fault,
    a_file,
    nothing,
    remove,
    sound,
    state,
    store,
    swapped,
    target,
    under,
)
from corpus.order import BROKEN, TODAY, story
from corpus.semantics_change import BEFORE, CROWD
from corpus.sets import PLAIN
from corpus.sound import DAY_2
from corpus.story import Play, Scene, Story, Watcher
from places import FEED, write_rules

from ingestd import worker

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


def spoil_arrays(change: Callable[[Path], object], name: str = "arrays", folder: str = ".arrays") -> Fault:
    """Return the fault that the arrays beside the store are not what they were; nobody puts them right."""

    @contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        for path in store(scene).with_suffix(folder).rglob(name):
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
