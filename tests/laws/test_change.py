"""The laws of change: diff, guard, plan, owned records, and the way from a roster to a target."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from roster_world import SEED, TABLES, World, frame, org, user

from ingestd.core.diff import diff
from ingestd.core.guard import Limits, OrgLoss, guard
from ingestd.core.hashing import hash_ids
from ingestd.core.mapping import map_records
from ingestd.core.model import Actions, Changes, Hashes, Kind, OnAbsent, Outcome, Plan
from ingestd.core.plan import make_plan, plan_target
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from ingestd.sinks.memory import MemorySink

if TYPE_CHECKING:
    from ingestd.core.verbs import Lookups

NONE: Hashes = np.zeros(0, np.uint64)
Records = list[dict[str, str]]
WITH_FILES = examples(20)

# Diff -------------------------------------------------------------------------------------------------------------

Keyed = dict[int, int]
hashes = st.integers(1, 2**64 - 1)
keyed = st.dictionaries(st.one_of(st.integers(1, 9), hashes), st.integers(0, 3), max_size=12)


def sides(one: Keyed) -> tuple[Hashes, Hashes]:
    """Return a keyed set as the diff takes it."""
    return np.array(list(one), np.uint64), np.array(list(one.values()), np.uint64)


@given(keyed)
def test_nothing_differs_from_itself(one: Keyed) -> None:
    """diff(a, a) is empty, in whatever order the two sides are."""
    other = dict(reversed(one.items()))
    found = diff(*sides(one), *sides(other))
    assert not len(found.created) + len(found.updated) + len(found.absent)
    assert len(found.same) == len(one)


@given(keyed, keyed)
def test_the_difference_leads_from_before_to_after(before: Keyed, after: Keyed) -> None:
    """What is created, updated and absent, applied to before, gives after; positions are of the right records."""
    found = diff(*sides(before), *sides(after))
    old, new = list(before), list(after)
    result = dict(before)
    for i in found.absent:
        del result[old[i]]
    for i, j in zip(found.updated, found.was, strict=True):
        assert new[i] == old[j]
        assert result[new[i]] != after[new[i]]
        result[new[i]] = after[new[i]]
    for i, j in zip(found.same, found.still, strict=True):
        assert new[i] == old[j]
    for i in found.created:
        assert new[i] not in before
        result[new[i]] = after[new[i]]
    assert result == after


# Guard ------------------------------------------------------------------------------------------------------------

shares = st.floats(0, 1, allow_nan=False)


@given(
    live=st.integers(1, 2_000),
    some=st.integers(0, 2_000),
    more=st.integers(0, 2_000),
    limits=st.builds(Limits, shares, shares, shares, minimum=st.integers(0, 50)),
)
def test_to_delete_more_is_never_safer(live: int, some: int, more: int, limits: Limits) -> None:
    """If a number of deletions is a breach, so is every larger one: of a table, and of an org."""
    few, many = sorted((min(some, live), min(more, live)))

    def breaches(deleted: int) -> set[str]:
        loss = (OrgLoss("S1", deleted, live),)
        found = guard("users", Changes(deleted=deleted, unchanged=live - deleted), live, limits, loss)
        return {"org" if one.org else "table" for one in found}

    assert breaches(few) <= breaches(many)


# Plan -------------------------------------------------------------------------------------------------------------

RULES = """
[[table]]
name = "schools"
from = "orgs"
key = ["sourcedId"]
on_absent = "delete"

[[table]]
name = "patrons"
from = "users"
where = { role = ["student", "teacher"] }
key = ["id"]
update = ["name", "kind", "school"]
[table.fields]
id = { from = "sourcedId" }
name = { template = "{familyName}, {givenName}" }
pin = { from = "identifier" }
kind = { from = "grades", item = 1, map = "kinds", default = "Staff" }
school = { from = "orgSourcedIds", item = 1, lookup = "orgs", take = "identifier" }

[maps.kinds]
"01" = "Elementary"
"09" = "High"
"""


def rules_of(text: str) -> Rules:
    """Return the rules in a text."""
    rules, faults = parse_rules(tomllib.loads(text), TABLES)
    assert not faults
    return rules


words = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), max_size=6)
sourced_ids = st.sampled_from([f"U{i}" for i in range(1, 9)])


def table_of(rows: Records, table: str) -> pd.DataFrame:
    """Return rows as a frame of a table."""
    return frame(**{name: [row.get(name, "") for row in rows] for name in TABLES[table].header})


people = st.lists(
    st.builds(user, sourced_ids, givenName=words, identifier=words, grades=st.sampled_from(["01", "09", "", "99"])),
    max_size=8,
    unique_by=lambda one: one["sourcedId"],
)
schools = st.lists(
    st.builds(org, st.sampled_from(["O1", "O2", "O3"]), identifier=words),
    max_size=3,
    unique_by=lambda one: one["sourcedId"],
)


@dataclass
class Application:
    """A memory sink, and what ingestd owns in it; `owned` is kept in a real store."""

    world: World
    rules: Rules
    sink: MemorySink = field(default_factory=MemorySink)
    runs: int = 0

    def plan(self, frames: Mapping[str, pd.DataFrame]) -> Plan:
        """Plan from records by table."""
        orgs = dict(zip(frames["orgs"]["sourcedId"], frames["orgs"]["identifier"], strict=True))
        lookups: Lookups = {"orgs": {"identifier": orgs}}
        actions: list[Actions] = []
        for target in self.rules.targets:
            mapped = map_records(target, frames[target.source], lookups, self.rules, SEED)
            actions += plan_target(mapped, self.world.store.at("sqlite").owned(target), NONE)
        return make_plan(actions)

    def apply(self, plan: Plan) -> None:
        """Apply a plan and own what was done."""
        self.runs += 1
        done = self.sink.apply(plan, once=str(self.runs), run="r", at="t", progress=lambda _: None)
        with self.world.store.transaction():
            assert self.world.store.at("sqlite").own(plan, done)

    def active(self, target: str) -> dict[str, dict[str, Any]]:
        """Return the active target records by their key, as the application sees them."""
        return {
            key: {name: cell for name, cell in one.items() if not name.startswith("_")}
            for (key,), one in self.sink.tables.get(target, {}).items()
            if one["_active"]
        }


def frames_of(orgs: Records, users: Records) -> dict[str, pd.DataFrame]:
    """Return a roster of two tables."""
    return {"orgs": table_of(orgs, "orgs"), "users": table_of(users, "users")}


@examples(100)
@given(schools, people, schools, people, st.randoms(use_true_random=False))
def test_a_plan_is_ordered_and_does_not_depend_on_the_order_of_rows(
    orgs: Records, users: Records, orgs2: Records, users2: Records, chance: Any
) -> None:
    """What is referred to is created before and removed after what refers to it; shuffled rows give the same digest."""
    with TemporaryDirectory() as folder:
        app = Application(World(Path(folder)), rules_of(RULES))
        app.apply(app.plan(frames_of(orgs, users)))
        plan = app.plan(frames_of(orgs2, users2))
        chance.shuffle(orgs2)
        chance.shuffle(users2)
        again = app.plan(frames_of(orgs2, users2))
        app.world.store.close()
    assert again.digest == plan.digest
    made = [one.target for one in plan.actions if one.kind is not Kind.REMOVE]
    removed = [one.target for one in plan.actions if one.kind is Kind.REMOVE]
    assert [one.target for one in plan.actions] == made + removed, "removals come last"
    order = [target.name for target in app.rules.targets]
    assert made == sorted(made, key=order.index)
    assert removed == sorted(removed, key=order.index, reverse=True)
    for one in plan.actions:
        assert list(one.frame[one.key[0]]) == sorted(one.frame[one.key[0]])


@given(
    cells=st.lists(st.tuples(words, words, words), min_size=1, max_size=5),
    row=st.integers(0, 4),
    column=st.sampled_from(["a", "b", "c"]),
    other=words,
)
def test_the_digest_changes_with_any_cell(cells: list[tuple[str, str, str]], row: int, column: str, other: str) -> None:
    """Two plans have one digest only if they do the same."""
    records = frame(a=[one[0] for one in cells], b=[one[1] for one in cells], c=[one[2] for one in cells])
    edited = records.copy()
    edited.loc[row % len(cells), column] = other
    keys = np.ones(len(cells), np.uint64)
    one = Actions("t", Kind.CREATE, ("a",), ("a", "b", "c"), records, keys, keys)
    same = make_plan([one]).digest == make_plan([replace(one, frame=edited)]).digest
    assert same == records.equals(edited)


@WITH_FILES
@given(st.lists(st.tuples(schools, people), min_size=1, max_size=4))
def test_what_was_planned_and_applied_is_what_is_desired(days: list[tuple[Records, Records]]) -> None:
    """To map, plan and apply leaves the application as the rules say; a plan of the same again is empty.

    A record that is held back keeps what it had; a field not on the `update` list keeps what it was created with.
    """
    with TemporaryDirectory() as folder:
        app = Application(World(Path(folder)), rules_of(RULES))
        expected: dict[str, dict[str, str]] = {}
        for orgs, users in days:
            app.apply(app.plan(frames_of(orgs, users)))
            expected = _desired(orgs, users, expected)
            assert app.active("patrons") == expected
            assert {key: one["identifier"] for key, one in app.active("schools").items()} == {
                one["sourcedId"]: one["identifier"] for one in orgs
            }
            assert len(app.plan(frames_of(orgs, users))) == 0
        app.world.store.close()


def _desired(orgs: Records, users: Records, before: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Say in plain Python what the rules say in TOML."""
    identifiers = {one["sourcedId"]: one["identifier"] for one in orgs}
    kinds = {"": "Staff", "01": "Elementary", "09": "High"}
    found = {}
    for one in users:
        key, there = one["sourcedId"], before.get(one["sourcedId"])
        if one["grades"] in kinds:
            found[key] = {
                "id": key,
                "name": f"{one['familyName']}, {one['givenName']}",
                "pin": there["pin"] if there else one["identifier"],
                "kind": kinds[one["grades"]],
                "school": identifiers.get("O1", ""),
            }
        elif there:
            found[key] = there
    return found


# Owned ------------------------------------------------------------------------------------------------------------

done_to = st.lists(
    st.tuples(
        st.sampled_from(list(Kind)),
        st.tuples(sourced_ids, sourced_ids),
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from(list(OnAbsent)),
    ),
    max_size=15,
)


@WITH_FILES
@given(done_to)
def test_what_is_owned_is_what_was_done(history: list[tuple[Kind, tuple[str, str], int, bool, OnAbsent]]) -> None:
    """After any series of outcomes, owned is what succeeded, and nothing else; a rekey keeps the content."""
    target = rules_of(RULES).targets[1]
    expected: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for kind, (key, new), content, succeeds, on_absent in history:
            records = frame(**{"id": [key], "new id": [new]} if kind is Kind.REKEY else {"id": [key]})
            keys = hash_ids(pa.array([key], pa.large_string()), world.store.seed)
            group = Actions("patrons", kind, ("id",), ("id",), records, keys, np.array([content], np.uint64), on_absent)
            outcome = Outcome("patrons", kind, int(succeeds), {} if succeeds else {0: "refused"})
            with world.store.transaction():
                assert world.store.at("sqlite").own(make_plan([group]), [outcome]) is succeeds
            if succeeds and kind is Kind.REMOVE:
                expected.pop(key, None)
            elif succeeds and kind is Kind.REKEY and key in expected:
                expected[new] = expected.pop(key)
            elif succeeds and kind is not Kind.REKEY:
                expected[key] = content
        world.reopen()
        found = world.store.at("sqlite").owned(target)
        owned = dict(zip(found.key_fields[0].to_pylist(), found.contents.tolist(), strict=True))
        world.store.close()
    assert owned == expected
