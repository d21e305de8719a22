"""Ids that changed: whom a drop removes and brings again under another sourcedId."""

import pandas as pd
import pytest
from roster_world import frame

from ingestd.core.identity import FEWEST, MATCHED_BY, Pairs, breach_of, fewest_of, pair_ids
from schemas import shapes

USERS = ("sourcedId", "identifier", "email", "username")


def users(*rows: str) -> pd.DataFrame:
    """Return users, each given as "sourcedId identifier email username"; a hyphen is a blank."""
    cells = [["" if cell == "-" else cell for cell in row.split(" ")] for row in rows]
    return frame(**{name: [row[i] for row in cells] for i, name in enumerate(USERS)})


def pairs(found: Pairs) -> dict[str, str]:
    """Return the pairs by old id."""
    return dict(zip(found.old.to_pylist(), found.new.to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("1 A7 - -", "x A7 - -", id="identifier"),
        pytest.param("1 - ann@x.example -", "x - ANN@x.example -", id="email, whatever its case"),
        pytest.param("1 - - ann", "x - - Ann", id="username, whatever its case"),
        pytest.param("1 A7 ann@x.example ann", "x A7 ann@y.example fern", id="one of them is enough"),
    ],
)
def test_a_user_is_known_by_any_of_three_columns(old: str, new: str) -> None:
    """Whoever has the same identifier, address or name for signing in is the same person."""
    found = pair_ids("users", users(old), users(new))
    assert (pairs(found), found.ambiguous) == ({"1": "x"}, 0)


def test_a_turnover_is_no_change_of_ids() -> None:
    """Who goes and who comes have nothing in common; blanks are nothing in common either."""
    found = pair_ids("users", users("1 A1 a@x -", "2 - - -"), users("x B1 b@x -", "y - - -"))
    assert (pairs(found), found.ambiguous) == ({}, 0)


@pytest.mark.parametrize(
    ("gone", "come", "expected", "ambiguous"),
    [
        pytest.param(["1 A - -"], ["x A - -", "y A - -"], {}, 1, id="two come for one"),
        pytest.param(["1 A - -", "2 A - -"], ["x A - -"], {}, 2, id="one comes for two"),
        pytest.param(["1 A ann -"], ["x A - -", "y - ann -"], {}, 1, id="the columns name two"),
        pytest.param(["1 A - -", "2 - bob -"], ["x A bob -"], {}, 2, id="two are named by the columns of one"),
        pytest.param(["1 A f -", "2 B f -"], ["x A f -", "y B f -"], {"1": "x", "2": "y"}, 0, id="a family's address"),
    ],
)
def test_who_cannot_be_told_is_not_paired(
    gone: list[str], come: list[str], expected: dict[str, str], ambiguous: int
) -> None:
    """Only one to one; the others are counted. What many share says nothing, and speaks against nothing."""
    found = pair_ids("users", users(*gone), users(*come))
    assert (pairs(found), found.ambiguous) == (expected, ambiguous)


def test_other_tables_are_matched_by_all_columns_of_a_key() -> None:
    """A class of the same name in another term is another class."""
    cells = {"title": ["Algebra"], "classCode": ["M1"], "schoolSourcedId": ["S1"], "courseSourcedId": ["K1"]}
    old = frame(sourcedId=["1"], termSourcedIds=["T1"], **cells)
    assert pairs(pair_ids("classes", old, old.assign(sourcedId=["x"]))) == {"1": "x"}
    assert pairs(pair_ids("classes", old, old.assign(sourcedId=["x"], termSourcedIds=["T2"]))) == {}


def test_a_column_that_never_came_is_blank() -> None:
    """A snapshot may have fewer columns than the file, and the file fewer than the snapshot."""
    old, new = frame(sourcedId=["1"], username=["ann"]), frame(sourcedId=["x"], username=["ann"], email=["ann@x"])
    assert pairs(pair_ids("users", old, new)) == {"1": "x"}


def test_a_table_without_a_key_has_no_pairs() -> None:
    """An enrollment has nothing but its references."""
    found = pair_ids("enrollments", frame(sourcedId=["1"]), frame(sourcedId=["x"]))
    assert (len(found), found.ambiguous) == (0, 0)


def test_keys_are_columns_of_the_standard() -> None:
    """No key is misspelt."""
    asked = {(table, name) for table, keys in MATCHED_BY.items() for key in keys for name in key}
    assert {(table, name) for table, name in asked if not shapes()[table].has(name)} == set()


@pytest.mark.parametrize(
    ("live", "fewest"), [(0, FEWEST), (100, FEWEST), (101, 6), (120, 6), (10_000, 500), (10_001, 501)]
)
def test_a_few_pairs_are_no_change_of_ids(live: int, fewest: int) -> None:
    """At least five, and at least five in a hundred of the live records."""
    assert fewest_of(live) == fewest


@pytest.mark.parametrize(("count", "is_breach"), [(4, False), (5, True)])
def test_a_change_of_ids_is_a_breach(count: int, is_breach: bool) -> None:
    """It says how many, and names nobody."""
    numbers = range(count)
    gone, come = (users(*(f"{side}{i} id{i} - -" for i in numbers)) for side in ("a", "b"))
    breach = breach_of("users", pair_ids("users", gone, come), 100)
    assert (breach is not None) is is_breach
    if breach:
        assert (breach.code, breach.table, breach.count, breach.of) == ("ids-changed", "users", 5, 100)
        assert breach.message == "5 of 100 users would be removed and come again under another sourcedId"


def test_the_breach_counts_whom_nobody_can_tell_apart() -> None:
    """They must be looked up by hand, or are removed and created after all."""
    gone = users(*(f"a{i} id{i} - -" for i in range(5)), "a8 twin - -", "a9 twin - -")
    come = users(*(f"b{i} id{i} - -" for i in range(5)), "b8 twin - -", "b9 twin - -")
    breach = breach_of("users", pair_ids("users", gone, come), 7)
    assert breach
    assert breach.message.endswith("another sourcedId; of 2 more it cannot be told which is which")
