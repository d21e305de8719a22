"""A sender who keeps a hand on his file after the claim changes nothing: what is applied is what was copied then.

`INGESTD_LIVE` multiplies how often it is tried (`make live`: by ten).
"""

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from builders import changed, roster, zip_of
from places import FEED, Place, documents_of, once, place, take_drop, target_of

from ingestd.sources.base import Drop, look_of

MOMENTS = ("scan", "validate", "diff", "plan", "apply")
TIMES = int(os.environ.get("INGESTD_LIVE", "1"))
SENT = zip_of(roster(40))
OTHER = zip_of(changed(roster(40), "users", "U1", familyName="Tampered"))


@contextmanager
def by_hard_link(path: Path) -> Iterator[Callable[[int], int]]:
    """Keep a second name of the file, by which it can be opened again."""
    link = path.parent.parent / "kept.zip"
    link.hardlink_to(path)
    yield lambda flags: os.open(link, flags)


@contextmanager
def by_open_descriptor(path: Path) -> Iterator[Callable[[int], int]]:
    """Keep the file open: by then it has no name, and yet it can be opened again for writing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield lambda flags: os.open(f"/proc/self/fd/{descriptor}", flags)
    finally:
        os.close(descriptor)


class Tamperer:
    """Writes over the sender's file when a run comes to a stage; knows how often it did."""

    def __init__(self, moment: str, reopen: Callable[[int], int], chance: random.Random) -> None:
        self.moment, self.times = moment, 0
        self._reopen, self._chance = reopen, chance

    def stage(self, name: str, detail: str) -> None:
        """Write another drop, from somewhere on, over the file."""
        if name == self.moment:
            start = self._chance.choice((0, self._chance.randrange(len(OTHER))))
            descriptor = self._reopen(os.O_WRONLY)
            self.times += os.pwrite(descriptor, OTHER[start:], start)
            os.close(descriptor)

    def advance(self, done: int, total: int) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place in which nobody tampered."""
    where = place(tmp_path_factory.mktemp("untouched"))
    once(where, SENT)
    return where


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("keep", [by_hard_link, by_open_descriptor])
def test_what_is_applied_is_what_was_copied_at_the_claim(
    keep: Callable[[Path], AbstractContextManager[Callable[[int], int]]],
    moment: str,
    number: int,
    untouched: Place,
    tmp_path: Path,
) -> None:
    """Whenever the file is written to after the claim, run and target are those of the drop as it was."""
    where = place(tmp_path)
    path = where.drop(SENT)
    with keep(path) as reopen:
        tamperer = Tamperer(moment, reopen, random.Random(number))
        feed = where.feed(show=tamperer)
        try:
            take_drop(feed, Drop(path, look_of(path.lstat()), 0.0))
        finally:
            feed.close()
    assert tamperer.times > 0
    assert [one["sha256"] for one in documents_of(where, FEED)] == [hashlib.sha256(SENT).hexdigest()]
    assert target_of(where) == target_of(untouched)
