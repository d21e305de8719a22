"""Faults of the world around a drop, which pass: what is in the place of something else, limits, locks."""

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from corpus.order import TODAY, days, story
from corpus.semantics_change import with_cell
from corpus.sets import PLAIN, sent
from corpus.sound import DAY_2
from corpus.story import Play, Scene, Story, Watcher

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
