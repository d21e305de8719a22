"""The laws of rules: the order of rows is no matter, and what was applied day by day is what the last day asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pandas as pd
import pytest
from examples import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from mapping_strategies import ADMINISTRATORS, SHAPES, TODAY, Roster, Toml, rosters, rules_of, tables_of_rules, targets
from roster_world import TABLES, World, frame, org, user

from ingestd import pipeline
from ingestd.core.guard import Limits
from ingestd.core.model import Batch, Plan
from ingestd.core.plan import make_plan
from ingestd.core.rules import Rules, Target
from ingestd.core.scope import Scope
from ingestd.examine import Terms
from ingestd.pipeline import Prepared
from ingestd.policy import Policy
from ingestd.sinks.memory import MemorySink
from ingestd.stages import Stages
from ingestd.tables import Tables
from ingestd.targets import Targets
from schemas import shapes

# The order of rows ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """Tables of a roster as they are given, for what `Tables` would read of them out of a snapshot."""

    roster: Roster
    has_roles: bool = False

    def after(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all records of a table."""
        header = [column.name for column in shapes()[name].columns]
        return frame(**{one: [row.get(one, "") for row in self.roster.get(name, [])] for one in header})

    def has_changed(self, name: str) -> bool:
        """Return whether a table has records."""
        return name in self.roster

    def is_as_kept(self, name: str) -> bool:
        """Return that a table is in no snapshot."""
        return name not in self.roster


def policy_with(rules: Rules, scope: Scope) -> Policy:
    """Return how drops are judged and mapped, with limits that nothing reaches in these tests."""
    return Policy(Terms(required=()), scope, dict.fromkeys(shapes(), Limits()), rules, ADMINISTRATORS)


def planned(world: World, rules: Rules, roster: Roster) -> tuple[Plan, int, list[Batch]]:
    """Plan a roster for an application that has nothing yet: all its target records, those held back, what is told."""
    given_tables = cast("Tables", Given(roster))
    records, policy = world.store.at("sqlite"), policy_with(rules, Scope())
    planning = Targets(records, given_tables, policy, is_full=True, stages=Stages())
    return make_plan(planning.actions()), planning.held_back, planning.batches


@examples(60)
@given(tables_of_rules(), st.sampled_from(["default", "hold_record"]), rosters(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(tables: list[Toml], on_unmapped: str, roster: Roster, chance: Any) -> None:
    """Of the source and of what is related to it: the same target records come about, and the same is told of them."""
    rules = rules_of(tables, on_unmapped)
    mixed = {name: chance.sample(rows, len(rows)) for name, rows in roster.items()}
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        plan, held_back, batches = planned(world, rules, roster)
        again, held_again, told_again = planned(world, rules, mixed)
        world.store.close()
    assert [one.frame.to_dict("records") for one in plan.actions] == [
        one.frame.to_dict("records") for one in again.actions
    ]
    assert (again.digest, held_again, told_again) == (plan.digest, held_back, batches)


# Day after day ----------------------------------------------------------------------------------------------------

scopes = st.builds(
    Scope,
    orgs=st.sampled_from([(), ("O1",), ("O2",), ("identifier:a",)]),
    email_domains=st.sampled_from([(), ("x.example",)]),
    roles=st.sampled_from([(), ("student", "teacher")]),
    active_only=st.sampled_from([(), ("users",), ("classes", "enrollments")]),
    classes_need=st.sampled_from([(), ("teacher",)]),
    unenrolled_users=st.booleans(),
    contacts=st.booleans(),
)
narrow_or_not = st.one_of(st.just(Scope(contacts=True)), scopes)


@dataclass
class Life:
    """A feed with its application: drops are taken, planned and applied as runs do it, whatever a guard would say."""

    world: World
    sink: MemorySink = field(default_factory=MemorySink)

    def prepare(self, roster: Roster | None, rules: Rules, scope: Scope) -> Prepared:
        """Plan a drop, or the snapshot alone, and see that a plan of everything comes to the same."""
        examined = self.world.examine(roster) if roster is not None else None
        policy = policy_with(rules, scope)
        prepared = pipeline.prepare(examined, self.world.store, policy, TODAY, Stages())
        assert prepared.plan is not None
        assert prepared.held_back == 0, "nothing is held back of what is drawn"
        tables = Tables(self.world.snapshot, prepared.settled, scope, TODAY)
        whole = Targets(self.world.store.at("sqlite"), tables, policy, is_full=True, stages=Stages())
        assert make_plan(whole.actions()).digest == prepared.plan.digest, "what changed is planned as the whole is"
        self.policy = policy
        return prepared

    def take(self, roster: Roster | None, rules: Rules, scope: Scope) -> None:
        """Take a drop, or plan anew without one; nothing is left to do then."""
        prepared = self.prepare(roster, rules, scope)
        assert prepared.plan is not None
        run = self.world.runs = self.world.runs + 1
        done = pipeline.carry_out(prepared.plan, self.sink, once=str(run), run=f"r{run}", at="t", stages=Stages())
        store = self.world.store
        with store.transaction():
            assert store.at("sqlite").own(prepared.plan, done)
            store.snapshot.commit(prepared.settled, run)
            for name, value in pipeline.fingerprints(self.policy).items():
                store.set_meta(name, value)
        store.snapshot.publish()
        assert self.count(None, rules, scope) == 0, "what was applied is what is desired"

    def count(self, roster: Roster | None, rules: Rules, scope: Scope) -> int:
        """Return how many actions a plan has."""
        plan = self.prepare(roster, rules, scope).plan
        assert plan is not None
        return len(plan)

    def active(self, rules: Rules) -> dict[str, dict[tuple[str, ...], dict[str, object]]]:
        """Return what the application has active, of the fields that the rules always tell it."""
        return {
            one.name: {
                key: {name: record.get(name, "") for name in told_of(one)}
                for key, record in self.sink.tables.get(one.name, {}).items()
                if record["_active"]
            }
            for one in rules.targets
        }


def told_of(target: Target) -> list[str]:
    """Return the fields that are told whenever they change, and the key."""
    fields = target.fields or TABLES[target.source].header
    return [name for name in fields if target.update is None or name in (*target.key, *target.update)]


days = st.tuples(
    rosters(), tables_of_rules("accounts", "people", "places", "sections", "parts", "members"), narrow_or_not
)


@examples(12)
@given(st.lists(days, min_size=1, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3))
def test_what_is_applied_day_by_day_is_what_the_last_day_asks_for(
    given_days: list[tuple[Roster, list[Toml], Scope]], keeps: list[bool]
) -> None:
    """Whatever changed in between, the roster, the rules or the scope, the application has what a new one would get."""
    rules, scope = rules_of(given_days[0][1]), given_days[0][2]
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        old, new = Life(World(Path(folder))), Life(World(Path(other)))
        for (roster, tables, narrow), keep in zip(given_days, keeps, strict=False):
            rules, scope = (rules, scope) if keep else (rules_of(tables), narrow)
            old.take(roster, rules, scope)
        new.take(given_days[-1][0], rules, scope)
        assert old.active(rules) == new.active(rules)
        for life in (old, new):
            life.world.store.close()


@examples(8)
@given(rosters(), tables_of_rules("accounts", "people", "sections", "members"), st.data(), narrow_or_not, narrow_or_not)
def test_what_is_changed_and_changed_back_leaves_nothing_to_do(
    roster: Roster, tables: list[Toml], data: st.DataObject, scope: Scope, other_scope: Scope
) -> None:
    """Rules and scope that were tried and taken back plan to nothing; if they were applied, what was there is back."""
    names = {one["name"] for one in tables}
    others = [data.draw(targets(shape)) for shape in SHAPES if shape[0] in names]
    rules, other_rules = rules_of(tables), rules_of(others)
    assume((rules.fingerprint, scope) != (other_rules.fingerprint, other_scope))
    with TemporaryDirectory() as folder:
        life = Life(World(Path(folder)))
        life.take(roster, rules, scope)
        before = life.active(rules)
        for changed_rules, changed_scope in ((other_rules, scope), (rules, other_scope), (other_rules, other_scope)):
            life.prepare(None, changed_rules, changed_scope)
            assert life.count(None, rules, scope) == 0
        life.take(None, other_rules, other_scope)
        life.take(None, rules, scope)
        assert life.active(rules) == before
        life.world.store.close()


PEOPLE: Toml = {"name": "people", "from": "users", "key": ["id"]}
WITH = {"id": {"from": "sourcedId"}, "a": {"from": "givenName"}, "b": {"from": "identifier"}}
WITHOUT = {name: WITH[name] for name in ("id", "a")}


@pytest.mark.parametrize("before", [{"fields": WITHOUT}, {"fields": WITH, "update": ["a"]}])
def test_a_field_that_is_told_again_is_told_although_it_is_blank_by_now(before: Toml) -> None:
    """The application has what it was told when the field was told last, and no longer what the roster has."""
    rules, others = rules_of([{**PEOPLE, "fields": WITH}]), rules_of([{**PEOPLE, **before}])
    filled, blank = ({"orgs": [org("O1")], "users": [user("U1", identifier=one)]} for one in ("x", ""))
    with TemporaryDirectory() as folder:
        life = Life(World(Path(folder)))
        for roster, known in ((filled, rules), (filled, others), (blank, others), (blank, rules)):
            life.take(roster, known, Scope())
        assert life.active(rules) == {"people": {("U1",): {"id": "U1", "a": "Ann", "b": ""}}}
        life.world.store.close()
