"""What a record that is left out follows, chased to the one that is left out for itself."""

from dataclasses import dataclass, field
from datetime import date

import pandas as pd
import pyarrow as pa
from builders import Roster, enrollment, klass, roster, row, user

from ingestd.core.columns import TEXT
from ingestd.core.following import Followed, chase
from ingestd.core.outside import Decided
from ingestd.core.scope import Reason, Scope
from ingestd.core.scoping import DECIDED, decide
from schemas import shapes

TWO_SCHOOLS: Roster = {
    **roster(1),
    "orgs": [*roster()["orgs"], row("orgs", sourcedId="S2", name="Low", type="school", parentSourcedId="D1")],
    "classes": [klass(1), klass(2, schoolSourcedId="S2")],
    "users": [user(1), user(2, orgSourcedIds="S2,S2"), user(3, role="parent")],
    "enrollments": [enrollment(1), enrollment(2, classSourcedId="C2"), enrollment(3, userSourcedId="U3")],
}


@dataclass(frozen=True)
class Asked:
    """What scope decided of a roster."""

    decided: dict[str, Decided] = field(default_factory=dict)

    def record(self, table: str, sourced_id: str) -> pd.DataFrame:
        """Return a record as one row, or no row."""
        frame = self.decided[table].frame
        return frame[(frame["sourcedId"] == sourced_id).to_numpy()]

    def reason(self, table: str, sourced_id: str) -> Reason | None:
        """Return why a record is left out."""
        rows = self.record(table, sourced_id).index
        return self.decided[table].reason(int(rows[0])) if len(rows) else None

    def left_out(self, table: str) -> pa.Array:
        """Return the sourcedIds of a table that are left out."""
        return self.decided[table].left_out() if table in self.decided else pa.array([], pa.large_string())

    def roles(self, user: str, reason: Reason) -> list[str]:
        """Return the sourcedIds of the user's roles that are left out for a reason."""
        frame = self.decided["roles"].frame
        found = [i for i, of in enumerate(frame["userSourcedId"]) if of == user]
        return [frame["sourcedId"].iloc[i] for i in found if self.decided["roles"].reason(i) is reason]


def chased(tables: Roster, table: str, sourced_id: str, **scope: object) -> list[Followed]:
    """Return what a record follows under a scope."""
    frames = {
        name: pd.DataFrame(tables.get(name, []), columns=shapes()[name].header, dtype=TEXT).fillna("")
        for name in DECIDED
    }
    decided = decide(Scope(**scope), date(2026, 3, 2), frames, shapes())  # type: ignore[arg-type]
    return chase(Asked(decided), shapes(), table, sourced_id)


def test_what_is_in_scope_follows_nothing() -> None:
    """There is nothing to be told."""
    assert chased(TWO_SCHOOLS, "enrollments", "E1", orgs=("S1",)) == []


def test_what_is_left_out_for_itself_follows_nothing() -> None:
    """It is the root."""
    assert chased(TWO_SCHOOLS, "orgs", "S2", orgs=("S1",)) == []
    assert chased(TWO_SCHOOLS, "users", "U3") == []


def test_a_chain_ends_at_its_root() -> None:
    """An enrollment goes with its class, and that with its school."""
    assert chased(TWO_SCHOOLS, "enrollments", "E2", orgs=("S1",)) == [
        Followed("classes", "C2", "classSourcedId", Reason.ORG),
        Followed("orgs", "S2", "schoolSourcedId", Reason.ORG),
    ]


def test_what_belongs_to_a_user_follows_the_user() -> None:
    """Who is left out for the role."""
    assert chased(TWO_SCHOOLS, "enrollments", "E3") == [Followed("users", "U3", "userSourcedId", Reason.CONTACT)]


def test_a_list_of_which_all_is_left_out_is_followed_by_its_first_item() -> None:
    """A user of two schools that are both out of scope."""
    assert chased(TWO_SCHOOLS, "users", "U2", orgs=("S1",)) == [Followed("orgs", "S2", "orgSourcedIds", Reason.ORG)]


def test_a_user_follows_a_role() -> None:
    """Where roles are in a table of their own (1.2), and the role follows its org."""
    people = [{**user(1), "role": "", "orgSourcedIds": ""}]
    roles = [{"sourcedId": "R1", "userSourcedId": "U1", "role": "student", "orgSourcedId": "S2"}]
    found = chased({**TWO_SCHOOLS, "users": people, "roles": roles}, "users", "U1", orgs=("S1",))
    assert found == [Followed("roles", "R1", "", Reason.ORG), Followed("orgs", "S2", "orgSourcedId", Reason.ORG)]
