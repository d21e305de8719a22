"""Records that the application has already: which of them a record to create is, and what is done instead."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, frame, owned_of

from ingestd.core.adopt import Adopted, adopt, match, there_of
from ingestd.core.columns import arrow, blanks
from ingestd.core.hashing import hash_ids, hash_rows
from ingestd.core.mapping import Mapped, compared, key_text
from ingestd.core.model import Hashes, OnAbsent
from ingestd.core.plan import plan_target
from ingestd.core.rules import Target

PEOPLE = Target("people", "users", ("id",), OnAbsent.DEACTIVATE, adopt=("no", "email"))
FIELDS = ("id", "no", "email", "name")
NONE: Hashes = np.zeros(0, np.uint64)
NOTHING = owned_of(NONE, NONE, [blanks(0)])


def records(*cells: str) -> pd.DataFrame:
    """Return records, each given as "id no email name", a dash for a blank."""
    rows = [["" if part == "-" else part.replace("_", " ") for part in one.split(" ")] for one in cells]
    return frame(**{name: [row[at] for row in rows] for at, name in enumerate(FIELDS)})


def desired(rows: pd.DataFrame, held: Sequence[str] = ()) -> Mapped:
    """Return target records as the mapping gives them; those of `held` are held back."""
    keys = hash_ids(key_text(rows, PEOPLE.key), SEED)
    contents = hash_rows(rows, compared(PEOPLE, list(rows.columns)), SEED)
    return Mapped(PEOPLE, rows, keys, contents, rows["id"].isin(list(held)).to_numpy(), {}, ())


def found(wanted: pd.DataFrame, there: pd.DataFrame) -> tuple[list[int], list[bool]]:
    """Return what is found by number, then by address."""
    at, unclear = match(wanted, there, PEOPLE.adopt, np.zeros(len(there), bool), SEED)
    return at.tolist(), unclear.tolist()


def adopted(
    wanted: pd.DataFrame, there: pd.DataFrame, owned: pd.DataFrame | None = None, held: Sequence[str] = ()
) -> Adopted:
    """Return what is done instead of creations."""
    after, mine = desired(wanted, held), desired(records() if owned is None else owned)
    before = owned_of(mine.keys, mine.contents, [arrow(mine.frame["id"])])
    create = next(plan_target(after, before, after.keys[after.held]))
    return adopt(create, after, there_of(there, PEOPLE.key, SEED), mine.keys, SEED)


def told(found: Adopted) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Return the kinds of actions and the cells of their records."""
    rows = [list(one.frame.itertuples(index=False, name=None)) for one in found.actions]
    return [(str(one.kind), [tuple(row) for row in cells]) for one, cells in zip(found.actions, rows, strict=True)]


# Who is who -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "there", "at"),
    [
        ("1 77 a@x Ann", "z 77 b@x Bob", 0),
        ("1 - a@x Ann", "z - A@X Bob", 0),
        ("1 - a@x Ann", "z - _a@x_ Bob", 0),
        ("1 - a@x Ann", "z - b@x Ann", -1),
        ("1 - - Ann", "z - - Ann", -1),
        ("1 - _ Ann", "z - __ Ann", -1),
        ("1 77 - Ann", "z - 77 Ann", -1),
    ],
)
def test_a_value_finds_its_like(wanted: str, there: str, at: int) -> None:
    """In the same field, whatever its case and the blanks around it; what is blank finds nothing."""
    assert found(records(wanted), records(there)) == ([at], [False])


def test_the_first_field_is_asked_first() -> None:
    """Who is found by number is not looked for by address, and nobody else is found there."""
    there = records("x 7 c@x -", "y - a@x -")
    assert found(records("1 7 a@x -"), there) == ([0], [False])
    assert found(records("1 7 a@x -", "2 - c@x -"), there) == ([0, -1], [False, False])
    assert found(records("1 7 - -", "2 - a@x -"), there) == ([0, 1], [False, False])


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (["1 7 - -"], ["x 7 - -", "y 7 - -"]),
        (["1 7 - -", "2 7 - -"], ["x 7 - -"]),
        (["1 7 - -", "2 - c@x -"], ["x 7 c@x -", "y 7 - -"]),
    ],
    ids=["several there", "several ask", "others may be it by another field"],
)
def test_what_is_unclear_is_nobodys(wanted: list[str], there: list[str]) -> None:
    """It is not decided by a later field either."""
    assert found(records(*wanted), records(*there)) == ([-1] * len(wanted), [True] * len(wanted))


def test_a_column_that_is_not_there_finds_nothing() -> None:
    """Another version of the standard has it; the next field is asked."""
    assert found(records("1 - a@x -").drop(columns="no"), records("x 7 a@x -")) == ([0], [False])


# What is done -----------------------------------------------------------------------------------------------------


def test_what_is_found_gets_the_key_and_an_update() -> None:
    """And what is not found is created, what nobody found is let be."""
    there = records("x - a@x Anna", "y - z@x Zoe")
    assert told(adopted(records("1 - a@x Ann", "2 - b@x Bob"), there)) == [
        ("rekey", [("x", "1")]),
        ("create", [("2", "", "b@x", "Bob")]),
        ("update", [("1", "", "a@x", "Ann")]),
    ]


def test_what_has_the_key_is_updated() -> None:
    """Whatever else it has; and nobody else is found there."""
    there = records("1 - b@x Anna")
    assert told(adopted(records("1 - a@x Ann", "2 - b@x Bob"), there)) == [
        ("create", [("2", "", "b@x", "Bob")]),
        ("update", [("1", "", "a@x", "Ann")]),
    ]


def test_the_same_again_creates_nothing() -> None:
    """After a kill the application has what was adopted and created, by its key: what is unclear stays so."""
    wanted = records("1 - a@x Ann", "2 - b@x Bob", "3 - c@x Cy", "4 7 c@x Di", "5 7 - Ed")
    first = adopted(wanted, records("x - a@x -", "y 7 c@x -"))
    assert [str(one.kind) for one in first.actions] == ["rekey", "create", "update"]
    assert first.unclear == 3
    again = adopted(wanted, records("1 - a@x Ann", "2 - b@x Bob", "y 7 c@x -"))
    assert ([kind for kind, _ in told(again)], again.unclear) == (["update"], 3)


def test_what_is_owned_is_not_in_question() -> None:
    """A brother of somebody in the application is a new record, though they share an address."""
    there = records("1 - a@x Ann")
    assert told(adopted(records("1 - a@x Ann", "2 - a@x Bob"), there, owned=records("1 - a@x Ann"))) == [
        ("create", [("2", "", "a@x", "Bob")])
    ]


def test_who_comes_back_is_created_as_ever() -> None:
    """Ingestd knows the record, which lies inactive in the application."""
    after = desired(records("1 - a@x Ann"))
    create = next(plan_target(after, NOTHING, NONE))
    there = there_of(records("1 - a@x Anna", "x - a@x Ann"), PEOPLE.key, SEED)
    assert told(adopt(create, after, there, after.keys, SEED)) == [("create", [("1", "", "a@x", "Ann")])]


def test_a_record_held_back_may_be_meant_as_well() -> None:
    """Its own key is kept for it, and who shares its address is unclear."""
    there = records("x - a@x -", "2 - b@x -")
    wanted = records("1 - a@x Ann", "2 - a@x Bob", "3 - b@x Cy", "4 - a@x Di")
    found = adopted(wanted, there, held=["2", "4"])
    assert (told(found), found.unclear) == ([("create", [("3", "", "b@x", "Cy")])], 1)


def test_what_has_no_key_cannot_be_found_again() -> None:
    """So nobody gets it, and who might be it is held back."""
    found = adopted(records("1 - a@x Ann"), records("- - a@x Ann"))
    assert (told(found), found.unclear) == ([], 1)


def test_an_update_has_what_may_change_alone() -> None:
    """What is not on the `update` list stays as the application has it; a creation has all."""
    target = replace(PEOPLE, update=("name",))
    after = replace(desired(records("1 - a@x Ann")), target=target)
    create = next(plan_target(after, NOTHING, NONE))
    there = there_of(records("x - a@x Anna"), target.key, SEED)
    assert told(adopt(create, after, there, NONE, SEED))[-1] == ("update", [("1", "Ann")])
