"""Pins: target records, or single fields of them, that the feed leaves as they are in the application.

A pinned record gets no action. A pinned field is in no update, and its change alone makes none; a removal takes the
record all the same. The content that is kept of a pinned record stands for the pins as well, so that it is another
one when they go: then the next plan brings the record to what the roster says (systems.md P13).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from ingestd.core.hashing import find_unsorted, hash_ids, is_member, seed_of
from ingestd.core.mapping import Mapped, compared, contents_of
from ingestd.core.model import Actions, Hashes, Kind, Mask
from ingestd.core.plan import Owned, plan_target

Fields = tuple[str, ...]
"""The pinned fields of a record, sorted; none of them: the whole record is pinned."""
_NONE: Hashes = np.zeros(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pins of one target table: the hashes of keys, ascending, by what is pinned of their records.

    `returning` are those that ingestd made and that lie inactive in the application; they may still have their value.
    """

    keys: Mapping[Fields, Hashes]
    seed: int
    returning: Hashes = field(default_factory=lambda: _NONE)

    @property
    def records(self) -> Hashes:
        """Return the keys of records that are pinned whole."""
        return self.keys.get((), _NONE)

    @property
    def parts(self) -> Mapping[Fields, Hashes]:
        """Return the keys of records of which fields are pinned."""
        return {names: keys for names, keys in self.keys.items() if names}

    @property
    def all(self) -> Hashes:
        """Return the keys of all records of which anything is pinned."""
        return np.sort(np.concatenate([_NONE, *self.keys.values()]))

    def following(self, old: Hashes, new: Hashes) -> "Pinned":
        """Return the same pins on the keys that records got in the place of others, too: they go with their records."""
        keys = {
            names: np.unique(np.concatenate([some, new[is_member(old, some)]])) for names, some in self.keys.items()
        }
        return replace(self, keys=keys)

    def stands_for(self, names: Fields) -> np.uint64:
        """Return what pins add to the content that is kept of their records."""
        return np.uint64(seed_of(self.seed, "pinned", *names))


@dataclass(frozen=True, slots=True)
class Pins:
    """What is pinned, by target table: the key of each record as `key_text` has it, and which of its fields.

    `fingerprint` changes with any of it, and is blank if there are none.
    """

    targets: Mapping[str, Mapping[str, Fields]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the pins."""
        told = sorted((target, *sorted(pins.items())) for target, pins in self.targets.items())
        return f"{seed_of(repr(told)):016x}" if told else ""

    def of(self, target: str, seed: int) -> Pinned | None:
        """Return the pins of one target table, if it has any; `seed` is the feed's."""
        by_fields: dict[Fields, list[str]] = {}
        for key, names in self.targets.get(target, {}).items():
            by_fields.setdefault(names, []).append(key)
        texts = {names: pa.array(keys, pa.large_string()) for names, keys in sorted(by_fields.items())}
        return Pinned({names: np.sort(hash_ids(one, seed)) for names, one in texts.items()}, seed) if texts else None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Contents to keep of owned records that nothing is done to, so that their pins count from now on."""

    target: str
    keys: Hashes
    contents: Hashes


@dataclass(frozen=True, slots=True)
class Spared:
    """What pins leave of a target table's actions, how many they leave out, and what is to be kept of their records."""

    actions: Sequence[Actions]
    left_out: int
    stamp: Stamp


def plan_pinned(mapped: Mapped, owned: Owned, pinned: Pinned, before: Callable[[], Mapped]) -> Spared:
    """Return what must be done to one target table, but for what is pinned.

    Args:
        mapped: the desired records.
        owned: what is there now.
        pinned: the table's pins.
        before: gives what was desired by the last snapshot; asked for when a pin is new, to tell whether anything
            beside the pinned fields has changed since.
    """
    kept = mapped.keys[mapped.held]
    wanted = _under(mapped, pinned)
    known = _recognised(owned, mapped, wanted, pinned, before)
    actions = list(spare(plan_target(wanted, known, np.concatenate([kept, pinned.records])), pinned))
    every = pinned.all
    plain = plan_target(_only(mapped, every), _some(owned, is_member(owned.keys, every)), kept)
    done = sum(int(is_member(one.keys, every).sum()) for one in actions)
    changed = np.flatnonzero(known.contents != owned.contents)
    stamp = Stamp(mapped.target.name, owned.keys[changed], known.contents[changed])
    return Spared(actions, sum(map(len, plain)) - done, stamp)


def _under(mapped: Mapped, pinned: Pinned) -> Mapped:
    """Return desired records whose content is that beside the pins; those that are pinned whole stay as they are."""
    contents, fields = mapped.contents.copy(), compared(mapped.target, list(mapped.frame.columns))
    for names, keys in pinned.parts.items():
        rows = np.flatnonzero(is_member(mapped.keys, keys))
        rest = [name for name in fields if name not in names]
        beside = contents_of(mapped.target, mapped.frame.iloc[rows], rest, pinned.seed)
        contents[rows] = beside + pinned.stands_for(names)
    return replace(mapped, contents=contents, held=mapped.held | is_member(mapped.keys, pinned.records))


def _recognised(owned: Owned, mapped: Mapped, wanted: Mapped, pinned: Pinned, before: Callable[[], Mapped]) -> Owned:
    """Return the owned records with the content that they have under their pins, as far as that can be told.

    It can where a record is as the roster has it now, or had it before, and where only pinned fields are compared.
    """
    contents = owned.contents.copy()
    contents[is_member(owned.keys, pinned.records)] = pinned.stands_for(())
    fields = compared(mapped.target, list(mapped.frame.columns))
    for names, keys in pinned.parts.items():
        if set(fields) <= set(names):
            contents[is_member(owned.keys, keys)] = pinned.stands_for(names) + np.uint64(1)
    rows = np.flatnonzero(is_member(owned.keys, np.sort(np.concatenate([_NONE, *pinned.parts.values()]))))
    contents[rows] = _translate(owned.keys[rows], contents[rows], mapped, wanted)
    if (contents[rows] != _contents_of(owned.keys[rows], contents[rows], wanted)).any():
        was = before()
        contents[rows] = _translate(owned.keys[rows], contents[rows], was, _under(was, pinned))
    return replace(owned, contents=contents)


def _translate(keys: Hashes, contents: Hashes, plain: Mapped, under: Mapped) -> Hashes:
    """Return the contents, where they are those of `plain` those of the same records `under` pins."""
    is_plain = contents == _contents_of(keys, contents, plain)
    return np.where(is_plain, _contents_of(keys, contents, under), contents)


def _contents_of(keys: Hashes, contents: Hashes, mapped: Mapped) -> Hashes:
    """Return the desired content of each key, of one that is not desired the one given."""
    at = find_unsorted(keys, mapped.keys)
    return np.where(at >= 0, np.append(mapped.contents, np.uint64(0))[at], contents)


def spare(actions: Iterable[Actions], pinned: Pinned) -> Iterator[Actions]:
    """Yield the actions without the fields that are pinned.

    A record that comes back to the application is updated instead of created: a creation would set all of its fields.
    """
    for one in actions:
        rest = np.ones(len(one), bool)
        spared = []
        for names, keys in pinned.parts.items() if one.kind in {Kind.CREATE, Kind.UPDATE} else ():
            chosen = is_member(one.keys, keys)
            if one.kind is Kind.CREATE:
                chosen &= is_member(one.keys, pinned.returning)
            if chosen.any():
                spared.append(one.some(chosen, [name for name in one.frame.columns if name not in names]))
            rest &= ~chosen
        if rest.any():
            yield one.some(rest) if spared else one
        yield from (replace(some, kind=Kind.UPDATE) for some in spared)


def _only(mapped: Mapped, keys: Hashes) -> Mapped:
    rows = np.flatnonzero(is_member(mapped.keys, keys))
    frame = mapped.frame.iloc[rows].reset_index(drop=True)
    return replace(mapped, frame=frame, keys=mapped.keys[rows], contents=mapped.contents[rows], held=mapped.held[rows])


def _some(owned: Owned, chosen: Mask) -> Owned:
    return replace(owned, keys=owned.keys[chosen], contents=owned.contents[chosen])
