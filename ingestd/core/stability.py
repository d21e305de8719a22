"""Decides when an arriving file has stopped changing.

Law: a client sets a file's name, size and mtime as it likes, so rest is counted by our own monotonic clock from the
first look at the file as it is now. Only ctime, which no client can set, may vouch for the time before that look.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Look:
    """What one `lstat` says of a file: if all of it is equal, the file is taken to be the same and unchanged."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A path, how it looks, since when it has looked so, and when its quiet period ends (our monotonic clock)."""

    path: str
    look: Look
    since: float
    due: float


@dataclass(slots=True)
class StabilityTracker:
    """Hold files back until they have looked the same for `quiet_period` seconds.

    A file counts as quiet at first sight if its ctime already lies that far back, so that what was at rest before we
    came need not wait again. An empty file is held back no longer than any other: an upload that has only begun, or
    one that brought nothing and must be told in the end, is for whoever takes it to tell apart.
    """

    quiet_period: float
    _seen: dict[str, Sighting] = field(default_factory=dict)

    def observe(self, looks: Mapping[str, Look], now: float, wall: float, vouched: Collection[str] = ()) -> None:
        """Take in one whole scan, by path: a change restarts a file's quiet period, a path not in it is forgotten.

        `now` is monotonic, `wall` is seconds since 1970; both are of the moment before the files were looked at.
        What is `vouched` for by its sender has no quiet period.
        """
        seen = {path: self._sight(path, look, now, wall) for path, look in looks.items()}
        self._seen = seen | {path: replace(seen[path], due=min(now, seen[path].due)) for path in vouched}

    def stable(self, now: float) -> tuple[Sighting, ...]:
        """Return the files whose quiet period is over, oldest first: by first sight, then ctime, then name."""
        return tuple(seen for seen in self._in_order() if seen.due <= now)

    def waiting(self, now: float) -> tuple[Sighting, ...]:
        """Return the files that are still in their quiet period, oldest first."""
        return tuple(seen for seen in self._in_order() if seen.due > now)

    def _sight(self, path: str, look: Look, now: float, wall: float) -> Sighting:
        last = self._seen.get(path)
        if last is not None and last.look == look:
            return last
        is_at_rest = last is None and wall - look.ctime_ns / 1e9 >= self.quiet_period
        return Sighting(path, look, now, now if is_at_rest else now + self.quiet_period)

    def _in_order(self) -> list[Sighting]:
        # Files found in one scan (after a standstill, say) are told apart by ctime: yesterday's drop before today's.
        return sorted(self._seen.values(), key=lambda seen: (seen.since, seen.look.ctime_ns, seen.path))
