"""Desired against owned: which actions, in which order, under which digest."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, frame, owned_of

from ingestd.core.columns import arrow
from ingestd.core.hashing import hash_ids, hash_rows
from ingestd.core.mapping import Mapped, compared, key_text
from ingestd.core.model import Actions, Hashes, Kind, OnAbsent
from ingestd.core.plan import Owned, digest, make_plan, plan_target
from ingestd.core.rules import Target

NONE: Hashes = np.zeros(0, np.uint64)
PATRONS = Target("patrons", "users", ("id",), OnAbsent.DEACTIVATE)


def desired(records: pd.DataFrame, target: Target = PATRONS, held: tuple[int, ...] = ()) -> Mapped:
    """Return target records as the mapping gives them."""
    keys = hash_ids(key_text(records, target.key), SEED)
    contents = hash_rows(records, compared(target, list(records.columns)), SEED)
    return Mapped(target, records, keys, contents, np.isin(np.arange(len(records)), held), {}, ())


def owned(records: pd.DataFrame, target: Target = PATRONS) -> Owned:
    """Return the same as what is owned."""
    there = desired(records, target)
    return owned_of(there.keys, there.contents, [arrow(records[name]) for name in target.key])


def people(*cells: str) -> pd.DataFrame:
    """Return patrons, each given as "id name"."""
    parts = [cell.split(" ") for cell in cells]
    return frame(id=[part[0] for part in parts], name=[part[1] for part in parts])


def actions(after: Mapped, before: Owned, kept: Hashes = NONE) -> dict[str, list[dict[Hashable, Any]]]:
    """Return what is to be done, by kind."""
    return {str(one.kind): one.frame.to_dict("records") for one in plan_target(after, before, kept)}


def test_the_difference_is_the_plan() -> None:
    """What is new is created, what changed is updated, what is gone is removed, and the rest is let be."""
    found = actions(desired(people("4 Dan", "1 Ann", "2 Bo")), owned(people("1 Ann", "2 Bob", "3 Cy")))
    assert found == {
        "create": [{"id": "4", "name": "Dan"}],
        "update": [{"id": "2", "name": "Bo"}],
        "remove": [{"id": "3"}],
    }


def test_nothing_to_do_is_no_action() -> None:
    """When all is as desired the plan is empty."""
    assert actions(desired(people("1 Ann")), owned(people("1 Ann"))) == {}
    assert actions(desired(people()), owned(people())) == {}


def test_a_target_record_held_back_stays_as_it_is() -> None:
    """It is neither updated nor removed, nor created when it is not there."""
    after = desired(people("1 Anna", "2 Bob", "3 Cy"), held=(0, 2))
    assert actions(after, owned(people("1 Ann", "2 Bob"))) == {}


def test_kept_keys_are_not_removed() -> None:
    """Keys whose source record was held back stay."""
    before = owned(people("1 Ann", "2 Bob"))
    assert actions(desired(people()), before, before.keys[:1]) == {"remove": [{"id": "2"}]}


@pytest.mark.parametrize("on_absent", OnAbsent)
def test_only_keep_removes_nothing(on_absent: OnAbsent) -> None:
    """What a removal does is the sink's to carry out; `keep` makes none."""
    target = replace(PATRONS, on_absent=on_absent)
    found = list(plan_target(desired(people(), target), owned(people("1 Ann")), NONE))
    assert [(one.kind, one.on_absent) for one in found] == ([(Kind.REMOVE, on_absent)] if on_absent != "keep" else [])


def test_an_update_has_the_key_and_what_may_change() -> None:
    """Fields that are not on the `update` list are set at creation alone."""
    target = replace(PATRONS, update=("name",))
    before = owned(frame(id=["1"], pin=["0000"], name=["Ann"]), target)
    after = desired(frame(id=["1", "2"], pin=["1111", "2222"], name=["Anna", "Bob"]), target)
    assert actions(after, before) == {
        "create": [{"id": "2", "pin": "2222", "name": "Bob"}],
        "update": [{"id": "1", "name": "Anna"}],
    }
    assert all(one.columns == ("id", "pin", "name") for one in plan_target(after, before, NONE))


def test_actions_are_sorted_by_key() -> None:
    """Of a key of several fields by the first, then the second; hashes go along with their rows."""
    target = replace(PATRONS, key=("a.b", "metadata.c"))
    cells = {"a.b": ["2", "1", "2"], "metadata.c": ["1", "9", "0"], "name": ["x", "y", "z"]}
    after = desired(frame(**cells), target)
    one = next(plan_target(after, owned(after.frame.iloc[:0], target), NONE))
    assert list(one.frame["name"]) == ["y", "z", "x"]
    assert one.keys.tolist() == after.keys[[1, 2, 0]].tolist()
    assert one.contents.tolist() == after.contents[[1, 2, 0]].tolist()
    removed = next(plan_target(desired(after.frame.iloc[:0], target), owned(frame(**cells), target), NONE))
    assert removed.frame.to_dict("list") == {"a.b": ["1", "2", "2"], "metadata.c": ["9", "0", "1"]}
    assert removed.keys.tolist() == one.keys.tolist()


# The plan ---------------------------------------------------------------------------------------------------------


def group(target: str, kind: Kind, records: pd.DataFrame | None = None) -> Actions:
    """Return actions on a target table."""
    cells = people("1 Ann") if records is None else records
    hashes = np.ones(len(cells), np.uint64)
    return Actions(target, kind, ("id",), ("id", "name"), cells, hashes, hashes)


def test_removals_come_last_and_the_other_way_round() -> None:
    """A school is created before its classes and removed after them."""
    kinds = (Kind.CREATE, Kind.UPDATE, Kind.REMOVE)
    plan = make_plan(group(target, kind) for target in ("orgs", "classes") for kind in kinds)
    assert [(one.target, str(one.kind)) for one in plan.actions] == [
        ("orgs", "create"),
        ("orgs", "update"),
        ("classes", "create"),
        ("classes", "update"),
        ("classes", "remove"),
        ("orgs", "remove"),
    ]


def test_what_gets_another_key_gets_it_first() -> None:
    """Every other action knows the record by its new key; only a plan that has such actions counts them."""
    renamed = group("classes", Kind.REKEY, frame(**{"id": ["1"], "new id": ["2"]}))
    plan = make_plan([group("orgs", Kind.CREATE), renamed, group("classes", Kind.REMOVE)])
    assert [str(one.kind) for one in plan.actions] == ["rekey", "create", "remove"]
    assert plan.counts()["classes"] == {"rekey": 1, "create": 0, "update": 0, "remove": 1}
    assert plan.digest != make_plan([replace(renamed, frame=frame(**{"id": ["1"], "new id": ["3"]}))]).digest


def test_counts_are_by_target_and_kind() -> None:
    """A plan says how much it does."""
    plan = make_plan([group("orgs", Kind.CREATE, people("1 a", "2 b")), group("orgs", Kind.REMOVE)])
    assert plan.counts() == {"orgs": {"create": 2, "update": 0, "remove": 1}}
    assert len(plan) == 3


def test_a_plan_of_nothing_has_a_digest() -> None:
    """The empty plan is a plan, always the same."""
    plan = make_plan([])
    assert len(plan) == 0
    assert plan.digest == make_plan([]).digest
    assert len(plan.digest) == 64


@pytest.mark.parametrize(
    "other",
    [
        group("patron", Kind.CREATE),
        group("orgs", Kind.UPDATE),
        group("orgs", Kind.CREATE, people("1 Anna")),
        group("orgs", Kind.CREATE, people("1 Ann", "2 Bob")),
        group("orgs", Kind.CREATE, people("1 Ann").rename(columns={"name": "nick"})),
        group("orgs", Kind.CREATE, frame(id=["1A"], name=["nn"])),
        replace(group("orgs", Kind.CREATE), on_absent=OnAbsent.DELETE),
        replace(group("orgs", Kind.CREATE), key=("name",)),
    ],
)
def test_the_digest_is_of_everything_that_would_be_done(other: Actions) -> None:
    """Another target, kind, value, record, column or way of removal is another plan."""
    assert digest([other]) != digest([group("orgs", Kind.CREATE)])


def test_the_digest_is_of_every_row_of_a_large_table() -> None:
    """Rows are hashed in slices; the last one counts as the first does."""
    many = frame(id=[f"{i:06}" for i in range(70_000)], name=["x"] * 70_000)
    other = many.assign(name=[*["x"] * 69_999, "y"])
    assert digest([group("orgs", Kind.CREATE, many)]) != digest([group("orgs", Kind.CREATE, other)])
