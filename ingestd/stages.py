"""A run's way through its stages: how long each took, what to show meanwhile, and where it may be abandoned."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ingestd.errors import StoppingError

Clock = Callable[[], datetime]
"""Gives the time of day, in UTC."""
Stop = Callable[[], bool]
"""Says whether to stop at the next safe point."""


class Show(Protocol):
    """Somebody who watches a run, such as a progress bar."""

    def stage(self, name: str, detail: str) -> None:
        """Hear that a stage begins; `detail` is a table's or target's name, or nothing."""

    def advance(self, done: int, total: int) -> None:
        """Hear how far the present stage is, in bytes or actions."""


class Unseen:
    """Nobody watches."""

    def stage(self, name: str, detail: str) -> None:
        """Do nothing."""

    def advance(self, done: int, total: int) -> None:
        """Do nothing."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def never() -> bool:
    """Say that nobody asks to stop."""
    return False


@dataclass(slots=True)
class Stages:
    """Measures stages in seconds, tells a watcher, and stops a run between two stages when asked to."""

    show: Show = field(default_factory=Unseen)
    stop: Stop = never
    clock: Callable[[], float] = time.monotonic
    seconds: dict[str, float] = field(default_factory=dict)
    peak: int = 0
    """The most memory, in bytes, that a worker process had which did a part of the work."""

    def add(self, seconds: Mapping[str, float], peak: int) -> None:
        """Take over what a worker process measured."""
        for name, spent in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
        self.peak = max(self.peak, peak)

    @contextmanager
    def measure(self, name: str, detail: str = "", *, may_stop: bool = True) -> Iterator[None]:
        """Run the block as part of the stage `name`; a stage may come in several parts.

        Raises:
            StoppingError: the run is asked to stop; the block was not begun.
        """
        if may_stop and self.stop():
            raise StoppingError(f"asked to stop before {name}")
        self.show.stage(name, detail)
        begin = self.clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - begin
