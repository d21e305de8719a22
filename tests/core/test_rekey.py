"""Other ids for records that stay what they are: the list, the roster, and the keys of target records."""

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, enrollment, frame, lived, org, owned_of, user

from ingestd.core.columns import arrow
from ingestd.core.hashing import hash_ids
from ingestd.core.mapping import Mapped, key_text
from ingestd.core.model import Hashes, OnAbsent
from ingestd.core.plan import Owned
from ingestd.core.rekey import Sides, affected, own_ids, parse_list, rename_owned, renamed, tell_taken, tell_unknown
from ingestd.core.rules import Target
from schemas import shapes

NONE: Hashes = np.zeros(0, np.uint64)
PLACES = Target("places", "users", ("user", "place"), OnAbsent.DELETE)


# The list -----------------------------------------------------------------------------------------------------------


def test_a_list_is_of_one_table_or_names_them() -> None:
    """Without a column for it all ids are of the table that was asked for."""
    assert parse_list(frame(old=["1"], new=["a"]), "orgs") == ({"orgs": {"1": "a"}}, [])
    both = frame(table=["users", "orgs"], old=["1", "1"], new=["a", "a"])
    assert parse_list(both, "classes") == ({"orgs": {"1": "a"}, "users": {"1": "a"}}, [])


def test_an_id_that_stays_is_passed_over() -> None:
    """A list of all ids may well have some that did not change."""
    assert parse_list(frame(old=["1", "2"], new=["1", "b"]), "users") == ({"users": {"2": "b"}}, [])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (["1", "1"], ["a", "b"], "line 3: the old id is on an earlier line, too"),
        (["1", "2"], ["a", "a"], "line 3: the new id is on an earlier line, too"),
        (["", "2"], ["a", "b"], "line 2: the old id is blank, or has characters that no sourcedId may have"),
        (["1", "2"], ["a,b", "é"], "lines 2, 3: the new id is blank, or has characters that no sourcedId may have"),
        ([f"{n}" for n in range(7)], ["x y"] * 7, "lines 2, 3, 4, 5, 6 and 2 more: the new id is blank, or has"),
    ],
)
def test_faults_of_a_list_name_lines(old: list[str], new: list[str], said: str) -> None:
    """As an editor shows them."""
    assert any(one.startswith(said) for one in parse_list(frame(old=old, new=new), "users")[1])


# The roster ---------------------------------------------------------------------------------------------------------


def test_ids_change_where_they_stand_alone_and_in_lists() -> None:
    """Only whole ids, and only in columns that refer to their table."""
    ids = {"users": {"U1": "N1"}, "orgs": {"O1": "P1"}}
    records = frame(
        sourcedId=["U1", "U11"], orgSourcedIds=["O2,O1", "O11"], agentSourcedIds=["U11", "U1"], username=["U1", "O1"]
    )
    assert renamed(shapes()["users"], records, ids).to_dict("list") == {
        "sourcedId": ["N1", "U11"],
        "orgSourcedIds": ["O2,P1", "O11"],
        "agentSourcedIds": ["U11", "N1"],
        "username": ["U1", "O1"],
    }


def test_demographics_have_the_ids_of_users() -> None:
    """Their own id is a reference, and changes with it."""
    ids = {"users": {"U1": "N1"}}
    assert own_ids(shapes()["demographics"], ids) == {"U1": "N1"}
    assert own_ids(shapes()["enrollments"], ids) == {}


def test_only_what_has_an_old_id_is_touched() -> None:
    """As its own, or in a reference."""
    ids = {"users": {"U1": "N1"}}
    live = lived("enrollments", [enrollment("E1"), enrollment("E2", userSourcedId="U2")])
    rids = live.rid[affected(shapes()["enrollments"], live, ids, SEED)]
    assert rids.tolist() == [1]
    users = lived("users", [user("U1"), user("U2")])
    assert users.rid[affected(shapes()["users"], users, ids, SEED)].tolist() == [1]


def test_what_cannot_be_changed_is_told() -> None:
    """Old ids that are not there, and new ones that are."""
    live, ids = lived("orgs", [org("O1"), org("O2")]), {"O1": "O2", "O9": "P9"}
    assert list(tell_unknown("orgs", ids, live, SEED)) == ["orgs: 1 old id is not live (O9)"]
    assert list(tell_taken("orgs", ids, live, SEED)) == ["orgs: 1 new id is live already (O2)"]


# The target records -------------------------------------------------------------------------------------------------


def mapped(*keys: str, held: tuple[int, ...] = ()) -> Mapped:
    """Return target records with these keys, each given as "user place"."""
    records = cells(*keys)
    hashes = hash_ids(key_text(records, PLACES.key), SEED)
    return Mapped(PLACES, records, hashes, hashes, np.isin(np.arange(len(keys)), held), {}, ())


def cells(*keys: str) -> pd.DataFrame:
    """Return the fields of keys."""
    parts = [key.split(" ") for key in keys]
    return frame(user=[part[0] for part in parts], place=[part[1] for part in parts])


def owned(*keys: str) -> Owned:
    """Return what is owned, each with a content of its own."""
    there = mapped(*keys)
    contents = np.arange(1, len(keys) + 1, dtype=np.uint64)
    return owned_of(there.keys, contents, [arrow(there.frame[name]) for name in PLACES.key])


def rename(
    before: Mapped, after: Mapped, have: Owned, taken: Hashes = NONE, held: Hashes = NONE, rows: tuple[int, ...] = ()
) -> tuple[list[str], list[str], int]:
    """Return the renames as "old > new", the keys owned afterwards, and how many old keys stay."""
    sides = Sides(before, after, np.arange(len(before.frame)), np.array(rows or np.arange(len(after.frame))))
    found, actions, stays = rename_owned(sides, have, taken, held)
    told = [] if actions is None else [f"{a} {b} > {c} {d}" for a, b, c, d in actions.frame.itertuples(index=False)]
    keys = [" ".join(one) for one in zip(*(part.to_pylist() for part in found.key_fields), strict=True)]
    assert found.keys.tolist() == mapped(*keys).keys.tolist() if keys else True
    assert found.contents.tolist() == have.contents.tolist()
    return told, keys, len(stays)


def test_owned_records_get_the_new_keys() -> None:
    """In the order of the old ones, with their content; what is not owned is not renamed, nor what stays the same."""
    before, after = mapped("2 A", "1 A", "3 A", "4 A"), mapped("y A", "x A", "z A", "4 A")
    assert rename(before, after, owned("1 A", "2 A", "4 A")) == (
        ["1 A > x A", "2 A > y A"],
        ["x A", "y A", "4 A"],
        0,
    )


def test_a_key_that_is_owned_already_is_let_be() -> None:
    """Be it inactive: what is there is not to be lost."""
    after = mapped("x A")
    assert rename(mapped("1 A"), after, owned("1 A"), taken=after.keys) == ([], ["1 A"], 0)


def test_a_key_of_two_is_nobodys() -> None:
    """Neither an old key of two records, nor a new one."""
    assert rename(mapped("1 A", "1 A"), mapped("x A", "y A"), owned("1 A")) == ([], ["1 A"], 0)
    assert rename(mapped("1 A", "2 A"), mapped("x A", "x A", held=(0, 1)), owned("1 A", "2 A"))[:2] == (
        [],
        ["1 A", "2 A"],
    )


def test_what_is_held_back_stays_under_either_key() -> None:
    """It is renamed if it can be, and else its old key is not taken for one that is gone."""
    after = mapped("x A", held=(0,))
    assert rename(mapped("1 A"), after, owned("1 A")) == (["1 A > x A"], ["x A"], 1)
    assert rename(mapped("1 A"), after, owned("1 A"), taken=after.keys) == ([], ["1 A"], 1)


def test_records_are_compared_with_what_comes_of_the_same_row() -> None:
    """A record that the rules do not choose under its new id has no new key; the others are not shifted."""
    assert rename(mapped("1 A", "2 A", "3 A"), mapped("x A", "z A"), owned("1 A", "2 A", "3 A"), rows=(0, 2))[0] == [
        "1 A > x A",
        "3 A > z A",
    ]
