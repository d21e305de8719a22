"""What every source promises, as a suite. A source's test subclasses `SourceContract` and makes it and its place.

class TestOurSource(SourceContract):
    def make(self, world): return OurSource(world / "place", quiet_period=0)
    def put(self, world, name, content): …   # somebody lays a file into the place
    def lose(self, world): …                 # the place is away
    def find(self, world): …                 # … and back again

The source is made without a quiet period, and looks often.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from intake_world import PATIENCE, kept_log

from ingestd.sources.base import PASSING, Drop, Source

LONG_AGO = datetime.fromtimestamp(0, UTC)


class SourceContract(ABC):
    """The suite. Every test begins with an empty place."""

    @abstractmethod
    def make(self, world: Path) -> Source:
        """Return a source whose place, and all it keeps, is below `world`."""

    @abstractmethod
    def put(self, world: Path, name: str, content: bytes = b"a drop") -> None:
        """Lay a whole file into the place, as old as the order of calls says."""

    @abstractmethod
    def lose(self, world: Path) -> None:
        """Take the place away."""

    @abstractmethod
    def find(self, world: Path) -> None:
        """Bring it back."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[Path]:
        """Give a folder in which all this takes place; what is logged is kept away from the terminal."""
        with kept_log():
            yield tmp_path

    @pytest.fixture
    def source(self, world: Path) -> Iterator[Source]:
        """Give a source."""
        made = self.make(world)
        yield made
        made.close()

    def scan(self, source: Source) -> Sequence[Drop]:
        """Scan now."""
        return source.scan(time.monotonic(), LONG_AGO)

    def scan_for(self, source: Source, count: int) -> list[str]:
        """Scan until there are so many drops; return their names."""
        deadline = time.monotonic() + PATIENCE
        while len(drops := self.scan(source)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return [drop.path.name for drop in drops]

    def wait_until_well(self, source: Source, *, well: bool) -> None:
        """Scan until health says so."""
        deadline = time.monotonic() + PATIENCE
        while (source.health() is None) != well and time.monotonic() < deadline:
            self.scan(source)
            time.sleep(0.02)
        assert (source.health() is None) == well

    def test_an_empty_place_has_no_drops(self, source: Source) -> None:
        """And nothing is wrong with it."""
        assert list(self.scan(source)) == []
        assert list(source.waiting()) == []
        assert source.health() is None

    def test_a_drop_is_found_whole(self, source: Source, world: Path) -> None:
        """Its path is a file of ours with all that was put."""
        self.put(world, "a.zip", b"content")
        assert self.scan_for(source, 1) == ["a.zip"]
        assert self.scan(source)[0].path.read_bytes() == b"content"

    def test_a_drop_stays_with_an_equal_look(self, source: Source, world: Path) -> None:
        """For as long as it lies there unchanged, however often the place is looked at: here, until another comes."""
        self.put(world, "a.zip")
        self.scan_for(source, 1)
        first = self.scan(source)
        self.put(world, "b.zip")
        assert self.scan_for(source, 2) == ["a.zip", "b.zip"]
        assert list(self.scan(source))[:1] == list(first)

    def test_a_drop_that_was_claimed_does_not_come_again(self, source: Source, world: Path) -> None:
        """It has left, and so it is in no further scan: when the one after it is found, it is not there again."""
        self.put(world, "a.zip")
        self.scan_for(source, 1)
        self.scan(source)[0].path.unlink()
        assert list(self.scan(source)) == []
        self.put(world, "b.zip")
        assert self.scan_for(source, 1) == ["b.zip"]

    def test_drops_come_oldest_first(self, source: Source, world: Path) -> None:
        """Whatever they are called."""
        for name in ("c.zip", "a.zip", "b.zip"):
            self.put(world, name)
        assert self.scan_for(source, 3) == ["c.zip", "a.zip", "b.zip"]

    def test_no_passing_name_is_a_drop(self, source: Source, world: Path) -> None:
        """Uploads under way and desktop litter."""
        for pattern in PASSING:
            self.put(world, pattern.replace("*", "x.zip"))
        self.put(world, "a.zip")
        assert self.scan_for(source, 1) == ["a.zip"]

    def test_a_lost_place_is_a_condition(self, source: Source, world: Path) -> None:
        """It is told in words that the log lets pass, scans are empty, nothing is raised; once back, all is well."""
        self.scan(source)
        self.lose(world)
        self.wait_until_well(source, well=False)
        assert list(self.scan(source)) == []
        self.find(world)
        self.put(world, "a.zip")
        self.wait_until_well(source, well=True)
        assert self.scan_for(source, 1) == ["a.zip"]

    def test_the_watch_wakes(self, source: Source, world: Path) -> None:
        """Soon after something came; a second watch takes the first one's place."""
        first, second = threading.Event(), threading.Event()
        source.watch(first.set)
        source.watch(second.set)
        self.scan(source)
        self.put(world, "a.zip")
        assert second.wait(PATIENCE)
        assert not first.is_set()

    def test_a_look_comes_to_an_end(self, source: Source, world: Path) -> None:
        """Whoever scans until the source no longer looks has seen what was there when it began."""
        self.put(world, "a.zip")
        found = {drop.path.name for drop in self.scan(source)}
        deadline = time.monotonic() + PATIENCE
        while source.is_looking() and time.monotonic() < deadline:
            found |= {drop.path.name for drop in self.scan(source)}
        assert found == {"a.zip"}

    def test_closing_leaves_nothing_behind(self, world: Path) -> None:
        """No thread; nor does closing again harm, nor closing what never looked."""
        self.make(world).close()
        before, pause = set(threading.enumerate()), threading.Event()
        made = self.make(world)
        made.watch(lambda: None)
        self.scan(made)
        made.close()
        made.close()
        for thread in set(threading.enumerate()) - before:
            while thread.ident is None:  # it is just being started, by the server that was called
                pause.wait(0.01)
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread.name
