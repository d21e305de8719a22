"""Law: the arrays of owned records say what the store says, whatever was done, failed, or became of the files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from roster_world import frame

from ingestd.core.hashing import hash_ids
from ingestd.core.mapping import key_text
from ingestd.core.model import Actions, Kind, OnAbsent, Outcome
from ingestd.core.pins import Stamp
from ingestd.core.plan import make_plan
from ingestd.core.rules import Target
from ingestd.store import Store
from schemas import shapes

TARGETS = {name: Target(name, "users", ("id",), OnAbsent.DEACTIVATE) for name in ("patrons", "staff")}
FATES = ("done", "done", "done", "rolled back", "torn", "gone")
"""What becomes of a step, and of the files after it."""
ids = st.lists(st.sampled_from([f"{i}" for i in range(12)]), min_size=1, unique=True)
steps = st.fixed_dictionaries(
    {
        "target": st.sampled_from(sorted(TARGETS)),
        "kind": st.sampled_from([Kind.CREATE, Kind.UPDATE, Kind.REMOVE, Kind.REKEY, None]),
        "ids": ids,
        "content": st.integers(1, 2**64 - 1),
        "failed": st.booleans(),
        "fate": st.sampled_from(FATES),
    }
)


class TornError(Exception):
    """Takes back a transaction."""


@contextmanager
def opened() -> Iterator[tuple[Store, Path]]:
    """Give a store, and the folder that it is in."""
    with TemporaryDirectory() as name, closing(Store(Path(name), "springfield", shapes())) as store:
        yield store, Path(name)


def group(store: Store, target: Target, kind: Kind, named: list[str], content: int) -> Actions:
    """Return actions on records, all of one content; who gets another key gets one that nobody else has."""
    records = frame(id=named)
    if kind is Kind.REKEY:
        records = frame(**{"id": named, "new id": [f"{one}+" for one in named]})
    keys = hash_ids(key_text(records, ("id",)), store.seed)
    contents = np.full(len(named), content, np.uint64)
    return Actions(target.name, kind, ("id",), tuple(map(str, records)), records, keys, contents, target.on_absent)


def do(store: Store, step: dict[str, object]) -> None:
    """Have the store own what a step does; of its records the first may have failed."""
    target, kind, named, content = TARGETS[str(step["target"])], step["kind"], step["ids"], step["content"]
    assert isinstance(named, list) and isinstance(content, int)
    with store.transaction():
        owned = store.at("sqlite")
        if isinstance(kind, Kind):
            actions = group(store, target, kind, named, content)
            failed = {0: "refused"} if step["failed"] else {}
            owned.own(make_plan([actions]), [Outcome(target.name, kind, len(actions) - len(failed), failed)])
        elif len(keys := owned.owned(target).keys):
            owned.stamp([Stamp(target.name, keys[:2], np.full(len(keys[:2]), content, np.uint64))])
        if step["fate"] == "rolled back":
            raise TornError


def told(store: Store) -> dict[str, dict[int, int]]:
    """Return what is owned: contents by key, by target table; in the order of the keys."""
    found = {name: store.at("sqlite").owned(target) for name, target in TARGETS.items()}
    for one in found.values():
        assert np.array_equal(one.keys, np.sort(one.keys))
    return {name: dict(zip(one.keys.tolist(), one.contents.tolist(), strict=True)) for name, one in found.items()}


def tear(folder: Path) -> None:
    """Cut the arrays short by their last byte, as when the power fails."""
    for path in folder.glob("springfield.owned/*"):
        path.write_bytes(path.read_bytes()[:-1])


def remove(folder: Path) -> None:
    """Remove the arrays."""
    for path in folder.glob("springfield.owned/*"):
        path.unlink()


@given(st.lists(steps, min_size=1, max_size=8))
def test_the_arrays_say_what_the_store_says(story: list[dict[str, object]]) -> None:
    """After creations, updates, removals, renames, stamps, some in vain; after what is rolled back, torn, or gone."""
    with opened() as (store, folder):
        for step in story:
            with suppress(TornError):
                do(store, step)
            if step["fate"] in {"torn", "gone"}:
                (tear if step["fate"] == "torn" else remove)(folder)
            by_arrays = told(store)
            kept = {path: path.read_bytes() for path in folder.glob("springfield.owned/*")}
            remove(folder)
            assert told(store) == by_arrays
            for path, data in kept.items():
                path.write_bytes(data)


def test_what_is_kept_in_arrays_is_not_read_from_the_store() -> None:
    """That is what they are for: rows that are changed behind its back are not seen, until the arrays are gone."""
    with opened() as (store, folder):
        do(store, {"target": "staff", "kind": Kind.CREATE, "ids": ["1"], "content": 5, "failed": False, "fate": "done"})
        store._db.execute("UPDATE owned_staff SET content = 6")
        assert list(told(store)["staff"].values()) == [5]
        remove(folder)
        assert list(told(store)["staff"].values()) == [6]
