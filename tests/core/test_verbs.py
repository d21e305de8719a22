"""The verbs of rules, one by one, over small columns."""

import pandas as pd
import pytest
from roster_world import frame

from ingestd.core import verbs
from ingestd.core.rules import Conditions, Join, Rule

USERS = frame(
    sourcedId=["U3", "U1", "U2", "U4"],
    username=["ann", "ann", "bob", ""],
    email=["", "a@x.example", "", ""],
    orgSourcedIds=["S3,S1", "S1, S2", "S2", "S4"],
    primaryOrgSourcedId=["S1", "S2", "", "S9"],
)
ORGS = frame(sourcedId=["S1", "S2"], type=["school", "district"])


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ({}, [True, True, True, True]),
        ({"username": ("ann", "bob")}, [True, True, True, False]),
        ({"username": True}, [True, True, True, False]),
        ({"email": False, "username": True}, [True, False, True, False]),
        ({"metadata.none": True}, [False, False, False, False]),
    ],
)
def test_records_are_chosen_by_values_or_by_having_one(where: Conditions, chosen: list[bool]) -> None:
    """All columns must agree; one that this feed does not send is blank."""
    assert verbs.fulfils(USERS, where).tolist() == chosen


def test_a_join_follows_a_reference() -> None:
    """What leads nowhere gives a blank."""
    one = Join("primaryOrgSourcedId", "orgs", "type")
    assert verbs.join(USERS, one, ORGS).to_pylist() == ["school", "district", "", ""]


def test_records_that_agree_are_merged_into_the_first() -> None:
    """First is the least id, whatever the order of rows; lists are united, its own items first; blanks do not agree."""
    more = frame(sourcedId=["U5"], username=[""], email=[""], orgSourcedIds=["S5"], primaryOrgSourcedId=[""])
    merged = verbs.merge(pd.concat([USERS, more], ignore_index=True), ("username",), ("orgSourcedIds",))
    rows = list(zip(merged["sourcedId"], merged["email"], merged["orgSourcedIds"], strict=True))
    assert rows == [
        ("U1", "a@x.example", "S1,S2,S3"),
        ("U2", "", "S2"),
        ("U4", "", "S4"),
        ("U5", "", "S5"),
    ]


def test_merged_records_stay_in_the_order_of_their_rows() -> None:
    """By it a change of ids knows which target record comes of which row, whatever ids the rows have."""
    rows = frame(
        sourcedId=["U9", "U3", "U5", "U1"], username=["ann", "bob", "ann", ""], orgSourcedIds=["1", "2", "3", "4"]
    )
    merged = verbs.merge(rows, ("username",), ("orgSourcedIds",))
    assert list(zip(merged.index, merged["sourcedId"], merged["orgSourcedIds"], strict=True)) == [
        (1, "U3", "2"),
        (2, "U5", "3,1"),
        (3, "U1", "4"),
    ]


def test_of_several_columns_the_first_that_is_filled_counts() -> None:
    """And a blank where none is."""
    assert verbs.source(Rule(column="email", others=("username",)), USERS).to_pylist() == [
        "ann",
        "a@x.example",
        "bob",
        "",
    ]


def test_flags_are_the_names_of_what_is_true() -> None:
    """In the order of the rules, as a list."""
    people = frame(asian=["true", "false", ""], white=["true", "true", ""])
    assert verbs.source(Rule(flags=("white", "asian")), people).to_pylist() == ["white,asian", "white", ""]


def test_a_map_may_take_values_in_any_case() -> None:
    """The exact entry is preferred; without the setting case matters."""
    values = verbs.source(Rule(column="username"), frame(username=["Ann", "ANN", "bob"]))
    entries = {"ann": "1", "ANN": "2"}
    assert verbs.map_values(values, entries, ignore_case=True)[0].to_pylist() == ["2", "2", ""]
    mapped, missed = verbs.map_values(values, entries)
    assert (mapped.to_pylist(), missed.tolist()) == (["", "2", ""], [True, False, True])


def test_a_map_may_have_an_entry_for_all_others() -> None:
    """A blank is no other value."""
    values = verbs.source(Rule(column="username"), frame(username=["ann", "zoe", ""]))
    mapped, missed = verbs.map_values(values, {"ann": "1", "*": "9"})
    assert (mapped.to_pylist(), missed.tolist()) == (["1", "9", ""], [False, False, False])
