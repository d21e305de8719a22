"""The keys and contents of active owned records as a file to map for each target table, derived from the feed's store.

The store keeps the checksum of the file that goes with it, within its transaction: a file that is torn, or of another
state than the store's, is not read, and nothing need be synced. Without it the store itself is read, which is slower.
"""

from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from ingestd import arrays
from ingestd.core.hashing import find, seed_of
from ingestd.core.model import Actions, Hashes, Kind, Mask

Pair = tuple[Hashes, Hashes]
"""Keys, ascending, and their contents."""


class Settings(Protocol):
    """Keeps values by name, and has the feed's seed."""

    seed: int

    def meta(self, key: str, default: str) -> str:
        """Return a kept value."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value."""
        ...


class OwnedArrays:
    """The files of one sink's target tables; `prefix` tells sinks apart."""

    def __init__(self, settings: Settings, folder: Path, prefix: str) -> None:
        self._settings = settings
        self._folder = folder
        self._prefix = prefix

    def load(self, target: str) -> Pair | None:
        """Return the keys and contents of a target table, read-only, or None if the store must be read."""
        path, checksum = self._path(target), self._settings.meta(self._name(target), "")
        try:
            count = path.stat().st_size // 16
            parts = arrays.mapped(path, {"keys": count, "contents": count}, checksum)
        except (OSError, ValueError):
            return None
        return parts["keys"].view(np.uint64), parts["contents"].view(np.uint64)

    def save(self, target: str, pair: Pair) -> None:
        """Write those of a target table, to be taken for good once the caller's transaction is over.

        Where they cannot be written there are none, and the store is read.
        """
        path = self._path(target)
        following, checksum = path.with_suffix(".next"), ""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            checksum = arrays.write(following, {"keys": pair[0], "contents": pair[1]})
            following.replace(path)  # whoever has mapped the one before keeps it
        self._settings.set_meta(self._name(target), checksum)

    def _name(self, target: str) -> str:
        return f"arrays of {self._prefix}{target}"

    def _path(self, target: str) -> Path:
        return self._folder / f"{seed_of(self._prefix, target):016x}"


def sorted_pair(keys: Hashes, contents: Hashes) -> Pair:
    """Return a pair in the order of the keys."""
    order = np.argsort(keys)
    return keys[order], contents[order]


def advance(pair: Pair, group: Actions, done: Mask) -> Pair:
    """Return what is active once those of the actions are done that were; they give no record another key."""
    keys, contents = sorted_pair(group.keys[done], group.contents[done])
    at = find(keys, pair[0])
    stays = np.ones(len(pair[0]), bool)
    stays[at[at >= 0]] = False
    kept = pair[0][stays], pair[1][stays]
    if group.kind is Kind.REMOVE:
        return kept
    before = np.searchsorted(kept[0], keys)
    return np.insert(kept[0], before, keys), np.insert(kept[1], before, contents)


def with_contents(pair: Pair, keys: Hashes, contents: Hashes) -> Pair:
    """Return the same records with other contents of some; what is not active is passed over."""
    at = find(keys, pair[0])
    changed = pair[1].copy()
    changed[at[at >= 0]] = contents[at >= 0]
    return pair[0], changed
