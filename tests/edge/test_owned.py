"""The target records that a feed owns, as its store keeps them."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, frame
from store_world import PATRONS, by, reopened, store

from ingestd.core.hashing import hash_ids
from ingestd.core.mapping import key_text
from ingestd.core.model import Actions, Hashes, Kind, OnAbsent, Outcome
from ingestd.core.pins import Stamp
from ingestd.core.plan import make_plan
from ingestd.core.rules import Target
from ingestd.errors import ConfigError
from ingestd.owned import Standing
from ingestd.store import Store

__all__ = ["store"]


def group(kind: Kind, records: pd.DataFrame, target: Target = PATRONS, content: int = 1) -> Actions:
    """Return actions on records, all of the same content."""
    keys = hash_ids(key_text(records, target.key), SEED)
    contents = np.full(len(records), content, np.uint64)
    columns = tuple(map(str, records.columns))
    return Actions(target.name, kind, target.key, columns, records, keys, contents, target.on_absent)


def done(store: Store, *groups: Actions, failed: tuple[int, ...] = ()) -> bool:
    """Have it own what came of these actions, of which the first group's `failed` failed."""
    plan = make_plan(groups)
    reasons = [dict.fromkeys(failed if one is plan.actions[0] else (), "refused") for one in plan.actions]
    outcomes = [
        Outcome(one.target, one.kind, len(one) - len(why), why) for one, why in zip(plan.actions, reasons, strict=True)
    ]
    with store.transaction():
        return store.at("sqlite").own(plan, outcomes)


def owned(store: Store, target: Target = PATRONS) -> dict[tuple[str, ...], int]:
    """Return what it owns: the contents by key."""
    found = store.at("sqlite").owned(target)
    keys = zip(*(part.to_pylist() for part in found.key_fields), strict=True)
    return dict(zip(keys, found.contents.tolist(), strict=True))


def test_nothing_is_owned_at_first(store: Store) -> None:
    """Of a target table that never was there is nothing, and no error."""
    found = store.at("sqlite").owned(PATRONS)
    assert (len(found.keys), len(found.contents), [len(one) for one in found.key_fields]) == (0, 0, [0])
    assert store.at("sqlite").count_owned("patrons") == 0


def test_what_was_done_is_owned(store: Store) -> None:
    """Created and updated records with their content, hashes with all of their bits."""
    assert done(store, group(Kind.CREATE, frame(id=["1", "2"]), content=2**63 + 1))
    assert done(store, group(Kind.UPDATE, frame(id=["2"]), content=7))
    assert owned(store) == {("1",): 2**63 + 1, ("2",): 7}
    assert store.at("sqlite").owned(PATRONS).keys.tolist() == [
        int(hash_ids(key_text(frame(id=[key]), ("id",)), SEED)[0]) for (key,) in owned(store)
    ]
    assert store.at("sqlite").count_owned("patrons") == 2


@pytest.mark.parametrize("on_absent", [OnAbsent.DEACTIVATE, OnAbsent.ARCHIVE, OnAbsent.DELETE])
def test_what_was_removed_is_not_owned(store: Store, on_absent: OnAbsent) -> None:
    """Until it is created again."""
    target = replace(PATRONS, on_absent=on_absent)
    done(store, group(Kind.CREATE, frame(id=["1", "2"])))
    done(store, group(Kind.REMOVE, frame(id=["1", "9"]), target))
    assert owned(store) == {("2",): 1}
    done(store, group(Kind.CREATE, frame(id=["1"]), content=3))
    assert owned(store) == {("1",): 3, ("2",): 1}


def test_what_got_another_key_is_owned_by_it(store: Store) -> None:
    """With the content that it had; what was not owned, or is not active, is let be."""
    keys = hash_ids(key_text(frame(id=["1", "2", "9"]), ("id",)), store.seed)
    done(store, replace(group(Kind.CREATE, frame(id=["1", "2"]), content=5), keys=keys[:2]))
    done(store, replace(group(Kind.REMOVE, frame(id=["2"])), keys=keys[1:2]))
    renamed = group(Kind.REKEY, frame(**{"id": ["1", "2", "9"], "new id": ["a", "b", "c"]}))
    done(store, replace(renamed, keys=keys))
    assert owned(store) == {("a",): 5}
    new = hash_ids(key_text(frame(id=["a", "b", "c"]), ("id",)), store.seed)
    assert set(store.at("sqlite").ever_owned("patrons", np.concatenate([keys, new])).tolist()) == {keys[1], new[0]}
    assert not len(store.at("sqlite").ever_owned("places", keys))


def hashes(*numbers: int) -> Hashes:
    """Return hashes."""
    return np.array(numbers, np.uint64)


def test_former_keys_are_kept_with_the_key_of_today(store: Store) -> None:
    """However often it changed, also where keys go round at once; those of other tables and sinks are others."""
    kept = store.at("sqlite").rekeyed
    kept.keep("patrons", hashes(1, 2), hashes(11, 2**64 - 2))
    kept.keep("patrons", hashes(11, 2**64 - 2), hashes(2**64 - 2, 11))
    kept.keep("places", hashes(11), hashes(5))
    old, new = kept.of("patrons")
    assert dict(zip(old.tolist(), new.tolist(), strict=True)) == {
        1: 2**64 - 2,
        2: 11,
        11: 2**64 - 2,
        2**64 - 2: 11,
    }
    store.set_meta("main sink", "sqlite")
    assert [len(keys) for keys in store.at("second").rekeyed.of("patrons")] == [0, 0]


def test_one_record_can_be_asked_for(store: Store) -> None:
    """It is active, inactive, or not ingestd's at all."""
    assert store.at("sqlite").owns("patrons", "1") is None
    done(store, group(Kind.CREATE, frame(id=["1", "2"])))
    done(store, group(Kind.REMOVE, frame(id=["2"])))
    assert [store.at("sqlite").owns("patrons", key) for key in ("1", "2", "3")] == [True, False, None]


def test_the_runs_that_made_a_record_and_last_wrote_it_are_kept(store: Store) -> None:
    """Who made it stays, whatever is done to it later; that it is removed is an action, too."""
    keys = hash_ids(key_text(frame(id=["1"]), ("id",)), store.seed)
    by(store, 1, replace(group(Kind.CREATE, frame(id=["1"])), keys=keys))
    assert store.at("sqlite").standing("patrons", "1") == Standing(True, 1, 1)
    by(store, 2, replace(group(Kind.UPDATE, frame(id=["1"])), keys=keys))
    assert store.at("sqlite").standing("patrons", "1") == Standing(True, 1, 2)
    by(store, 3, replace(group(Kind.REKEY, frame(**{"id": ["1"], "new id": ["a"]})), keys=keys))
    assert store.at("sqlite").standing("patrons", "a") == Standing(True, 1, 3)
    new = hash_ids(key_text(frame(id=["a"]), ("id",)), store.seed)
    by(store, 4, replace(group(Kind.REMOVE, frame(id=["a"])), keys=new))
    assert store.at("sqlite").standing("patrons", "a") == Standing(False, 1, 4)
    by(store, 5, replace(group(Kind.CREATE, frame(id=["a"])), keys=new))
    assert store.at("sqlite").standing("patrons", "a") == Standing(True, 1, 5)
    assert store.at("sqlite").standing("patrons", "1") is None


def test_of_what_an_older_version_did_nobody_knows_the_run(tmp_path: Path) -> None:
    """Its store is brought to today's form when it is opened, and what it owns is still owned."""
    with closing(reopened(tmp_path)) as store:
        by(store, 1, group(Kind.CREATE, frame(id=["1"])))
    with closing(sqlite3.connect(tmp_path / "springfield.db")) as db, db:
        for column in ("made", "run"):
            db.execute(f"ALTER TABLE owned_patrons DROP COLUMN {column}")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'runs_of_what_is_owned'")
    with closing(reopened(tmp_path)) as store:
        assert store.at("sqlite").standing("patrons", "1") == Standing(True, None, None)
        by(store, 2, group(Kind.UPDATE, frame(id=["1"])))
        assert store.at("sqlite").standing("patrons", "1") == Standing(True, None, 2)


def test_what_failed_is_not_owned(store: Store) -> None:
    """So that the next run plans it again (law 5)."""
    assert not done(store, group(Kind.CREATE, frame(id=["1", "2", "3"])), failed=(1,))
    assert owned(store) == {("1",): 1, ("3",): 1}
    assert not done(store, group(Kind.UPDATE, frame(id=["1", "3"]), content=5), failed=(0,))
    assert owned(store) == {("1",): 1, ("3",): 5}
    assert not done(store, group(Kind.REMOVE, frame(id=["1", "3"])), failed=(1,))
    assert owned(store) == {("3",): 5}


def test_some_of_what_is_owned_can_be_asked_for(store: Store) -> None:
    """By the hashes of their keys; those of others, or of none, are not there."""
    records = frame(id=[f"{i:05}" for i in range(40_000)])
    done(store, group(Kind.CREATE, records))
    keys = hash_ids(key_text(records, ("id",)), SEED)
    asked = np.unique(np.concatenate([keys[:35_000], np.array([1, 2], np.uint64)]))
    assert sorted(store.at("sqlite").owned(PATRONS, asked).key_fields[0].to_pylist()) == list(records["id"][:35_000])
    assert not len(store.at("sqlite").owned(PATRONS, asked[:0]).keys)


@pytest.mark.parametrize("has_arrays", [True, False])
def test_of_a_large_table_all_that_is_active_is_owned(store: Store, tmp_path: Path, has_arrays: bool) -> None:
    """With all bits of every hash, in the order of the keys: from arrays, or as much as is read in pieces."""
    records = frame(id=[f"{i:05}" for i in range(60_000)])
    done(store, group(Kind.CREATE, records, content=2**63 + 1))
    done(store, group(Kind.REMOVE, records[:5_000]))
    if not has_arrays:
        shutil.rmtree(tmp_path / "springfield.owned")
    kept = hash_ids(key_text(records[5_000:], ("id",)), SEED)
    found = store.at("sqlite").owned(PATRONS)
    assert np.array_equal(found.keys, np.sort(kept))
    assert found.contents.tolist() == [2**63 + 1] * 55_000


def test_keys_of_several_fields_come_back(store: Store) -> None:
    """Field by field, blanks and all."""
    target = Target("loans.open", "users", ("school", "metadata.id"), OnAbsent.DELETE)
    records = frame(**{"school": ["A", "A", ""], "metadata.id": ["1", "", "1"], "name": ["x", "y", "z"]})
    done(store, group(Kind.CREATE, records, target))
    assert set(owned(store, target)) == {("A", "1"), ("A", ""), ("", "1")}


def test_a_table_cannot_change_its_key(store: Store) -> None:
    """Its records are known by the old one; the rules are told to give the table another name."""
    done(store, group(Kind.CREATE, frame(id=["1"])))
    with pytest.raises(ConfigError, match=r"table\.patrons\.key: .*another name"):
        store.at("sqlite").owned(replace(PATRONS, key=("id", "school")))


def test_contents_can_be_kept_anew_without_an_action(store: Store) -> None:
    """Of those that are named alone, active as they were; a table that has nothing needs nothing."""
    records = frame(id=["1", "2"])
    keys = hash_ids(key_text(records, ("id",)), store.seed)
    done(store, replace(group(Kind.CREATE, records), keys=keys))
    store.at("sqlite").stamp(
        [Stamp("patrons", keys[1:], np.array([9], np.uint64)), Stamp("places", keys[:0], keys[:0])]
    )
    assert owned(store) == {("1",): 1, ("2",): 9}


def test_what_the_application_had_is_kept_while_it_is_wanted(store: Store, tmp_path: Path) -> None:
    """Row by row as it was, for another process too; what is kept next takes its place, and then it goes."""
    found = frame(**{"id": ["b", "a"], "metadata.no": ["", "7"]})
    store.at("sqlite").found.keep({"our.people": found, "places": found[:0]})
    with closing(reopened(tmp_path)) as again:
        kept, none = again.at("sqlite").found.of("our.people"), again.at("sqlite").found.of("places")
    assert kept is not None and kept.equals(found)
    assert none is not None and not len(none)
    store.at("sqlite").found.keep({"staff": found})
    assert (store.at("sqlite").found.of("our.people"), store.at("sqlite").found.of("staff") is None) == (None, False)
    store.at("sqlite").found.forget()
    assert store.at("sqlite").found.of("staff") is None
