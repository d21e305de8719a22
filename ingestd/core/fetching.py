"""Decides what to fetch from a remote folder, from one listing after another.

Law: sizes and times are the server's word, so a file is at rest when two looks that lie apart by our own clock agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestd.core.stability import Look, StabilityTracker


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as its server lists it: name, bytes, and when it last changed (seconds, by the server's clock)."""

    name: str
    size: int
    mtime: int


Memory = Mapping[str, Listed]
"""What was fetched, by name, as it was listed then."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one look asks for: files to fetch, oldest first; files fetched before; when the next one has settled."""

    fetch: tuple[Listed, ...]
    fetched: tuple[Listed, ...]
    due: float | None


class Chooser:
    """Compare the looks at one remote folder; a file is to be fetched once it has looked the same for `settle`."""

    def __init__(self, settle: float) -> None:
        self._tracker = StabilityTracker(settle)

    def choose(self, listing: Iterable[Listed], memory: Memory, now: float) -> Choice:
        """Take in one whole listing; `now` is our monotonic clock before it was asked for.

        A file that differs in size or time from the one remembered under its name is another file.
        """
        files = {file.name: file for file in listing}
        fetched = tuple(file for file in files.values() if memory.get(file.name) == file)
        new = {file.name: _look(file) for file in files.values() if memory.get(file.name) != file}
        self._tracker.observe(new, now, wall=0)
        settled = (files[seen.path] for seen in self._tracker.stable(now))
        due = min((seen.due for seen in self._tracker.waiting(now)), default=None)
        return Choice(tuple(sorted(settled, key=lambda file: (file.mtime, file.name))), fetched, due)


def still_there(memory: Memory, listing: Iterable[Listed]) -> dict[str, Listed]:
    """Return the memory without the files that are no longer listed, so that it stays as small as the folder."""
    names = {file.name for file in listing}
    return {name: file for name, file in memory.items() if name in names}


def _look(file: Listed) -> Look:
    """Return a listed file as a look; a server tells no ctime, so none vouches for the time before the first look."""
    return Look(0, 0, file.size, file.mtime, 0)
