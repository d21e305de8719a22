"""What every sink promises, as a suite. A sink's test subclasses `SinkContract` and says how to make, read and trip it.

class TestOurSink(SinkContract):
    def make(self, folder): return OurSink(folder / "target")
    def read(self, sink, target): return {("P1",): {"name": "Ann", "_active": 1, "_run": "r.1", …}}
    def trip(self, sink, target, key): …      # from now on, an action on this record fails
    def heal(self, sink, target): …           # … and no more
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingestd.core.model import Actions, Kind, OnAbsent, Outcome
from ingestd.core.plan import make_plan
from ingestd.errors import SinkError
from ingestd.sinks.base import Sink
from ingestd.testing.actions import ANN, BOB, COLUMNS, Key, create, group, rekey, remove, update

Records = dict[Key, dict[str, Any]]
"""Target records by key: each its columns, `_active` (1 or 0), `_run` and `_changed_at`."""


class SinkContract(ABC):
    """The suite. Every test begins with an empty sink."""

    @abstractmethod
    def make(self, folder: Path) -> Sink:
        """Return an empty sink, which may keep its things in `folder`."""

    @abstractmethod
    def read(self, sink: Any, target: str) -> Records:
        """Return all records of a target table by key: its columns, `_active`, `_run` and `_changed_at`."""

    @abstractmethod
    def trip(self, sink: Any, target: str, key: str) -> None:
        """Have the next action on the record with that `id` fail."""

    @abstractmethod
    def heal(self, sink: Any, target: str) -> None:
        """Undo what `trip` did."""

    @pytest.fixture
    def sink(self, tmp_path: Path) -> Iterator[Sink]:
        """Give an empty sink."""
        made = self.make(tmp_path)
        yield made
        made.close()

    def apply(
        self, sink: Sink, *groups: Actions, once: str = "1", run: str = "r.1", at: str = "2026-01-01T00:00:00Z"
    ) -> Sequence[Outcome]:
        """Apply a plan of these actions."""
        return sink.apply(make_plan(groups), once=once, run=run, at=at, progress=lambda _: None)

    def cells(self, sink: Sink, target: str = "patrons") -> dict[Key, dict[str, Any]]:
        """Return the records without what says who wrote them."""
        hidden = ("_run", "_changed_at")
        return {
            key: {name: cell for name, cell in one.items() if name not in hidden}
            for key, one in self.read(sink, target).items()
        }

    # What single actions do ----------------------------------------------------------------------------------

    def test_a_create_sets_all_columns(self, sink: Sink) -> None:
        """A created record is as it was given, active, and stamped with run and time."""
        self.apply(sink, create(ANN, BOB))
        assert self.read(sink, "patrons") == {
            (one["id"],): {**one, "_active": 1, "_run": "r.1", "_changed_at": "2026-01-01T00:00:00Z"}
            for one in (ANN, BOB)
        }

    def test_a_create_of_what_is_there_takes_its_place(self, sink: Sink) -> None:
        """A create is an upsert by key."""
        self.apply(sink, create(ANN))
        self.apply(sink, create({**ANN, "name": "Anna", "email": ""}), once="2", run="r.2")
        assert self.cells(sink) == {("P1",): {"id": "P1", "name": "Anna", "email": "", "_active": 1}}
        assert self.read(sink, "patrons")["P1",]["_run"] == "r.2"

    def test_an_update_sets_its_own_columns_alone(self, sink: Sink) -> None:
        """Fields that it does not name stay as they are, and so do other records."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="2", run="r.2", at="2026-01-02T00:00:00Z")
        found = self.read(sink, "patrons")
        assert found["P1",] == {
            **ANN,
            "name": "Anna",
            "_active": 1,
            "_run": "r.2",
            "_changed_at": "2026-01-02T00:00:00Z",
        }
        assert found["P2",]["_run"] == "r.1"

    def test_an_update_of_what_is_missing_makes_it(self, sink: Sink) -> None:
        """Somebody deleted the record by hand; what the update does not say is blank."""
        self.apply(sink, create(BOB))
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="2")
        assert self.cells(sink)["P1",] == {"id": "P1", "name": "Anna", "email": "", "_active": 1}

    def test_delete_removes_the_record(self, sink: Sink) -> None:
        """`on_absent = "delete"` leaves nothing of it."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P1", on_absent=OnAbsent.DELETE), once="2")
        assert list(self.read(sink, "patrons")) == [("P2",)]

    @pytest.mark.parametrize("on_absent", [OnAbsent.DEACTIVATE, OnAbsent.ARCHIVE])
    def test_deactivate_and_archive_keep_the_record(self, sink: Sink, on_absent: OnAbsent) -> None:
        """The record stays with all it had, inactive, and says which run did that."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P1", on_absent=on_absent), once="2", run="r.2")
        assert self.cells(sink) == {("P1",): {**ANN, "_active": 0}, ("P2",): {**BOB, "_active": 1}}
        assert self.read(sink, "patrons")["P1",]["_run"] == "r.2"

    @pytest.mark.parametrize("on_absent", [OnAbsent.DELETE, OnAbsent.DEACTIVATE, OnAbsent.ARCHIVE])
    def test_removing_what_is_missing_does_nothing(self, sink: Sink, on_absent: OnAbsent) -> None:
        """Somebody was faster, or the table has never been there; the outcome is a success."""
        outcomes = self.apply(sink, remove("P9", on_absent=on_absent))
        assert [(one.done, dict(one.failed)) for one in outcomes] == [(1, {})]
        assert self.read(sink, "patrons") == {}

    @pytest.mark.parametrize("kind", [Kind.CREATE, Kind.UPDATE])
    def test_an_inactive_record_comes_back(self, sink: Sink, kind: Kind) -> None:
        """Who returns is active again."""
        self.apply(sink, create(ANN))
        self.apply(sink, remove("P1"), once="2")
        self.apply(sink, group(kind, ANN), once="3")
        assert self.cells(sink) == {("P1",): {**ANN, "_active": 1}}

    def test_a_rekey_gives_a_record_another_key(self, sink: Sink) -> None:
        """All else of it stays, active or not; others are let be, and it says which run did that."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P2"), once="2")
        self.apply(sink, rekey(("P1",), ("N1",)), rekey(("P2",), ("N2",)), once="3", run="r.3")
        assert self.cells(sink) == {
            ("N1",): {**ANN, "id": "N1", "_active": 1},
            ("N2",): {**BOB, "id": "N2", "_active": 0},
        }
        assert self.read(sink, "patrons")["N1",]["_run"] == "r.3"

    def test_rekeying_what_is_missing_does_nothing(self, sink: Sink) -> None:
        """Somebody deleted it by hand, or the table has never been there; the outcome is a success."""
        assert [(one.done, dict(one.failed)) for one in self.apply(sink, rekey(("P9",), ("N9",)))] == [(1, {})]
        assert self.read(sink, "patrons") == {}

    def test_what_is_at_the_new_key_gives_way(self, sink: Sink) -> None:
        """As it does to a create: one key is one record."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, rekey(("P1",), ("P2",)), once="2")
        assert self.cells(sink) == {("P2",): {**ANN, "id": "P2", "_active": 1}}

    def test_a_rekey_comes_before_all_else(self, sink: Sink) -> None:
        """The other actions of its plan know the record by its new key."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P2"), update({"id": "N1", "name": "Anna"}), rekey(("P1",), ("N1",)), once="2")
        assert self.cells(sink) == {
            ("N1",): {**ANN, "id": "N1", "name": "Anna", "_active": 1},
            ("P2",): {**BOB, "_active": 0},
        }

    def test_a_rekey_may_change_some_fields_of_a_key(self, sink: Sink) -> None:
        """The record is found by all of them, and others that share some are let be."""
        about: dict[str, Any] = {"target": "lockers", "key": ("school", "id"), "columns": ("name", "id", "school")}
        first = {"name": "Ann", "id": "1", "school": "A"}
        self.apply(sink, create(first, {**first, "school": "B"}, **about))
        self.apply(sink, rekey(("A", "1"), ("A", "9"), **about), once="2")
        assert set(self.cells(sink, "lockers")) == {("A", "9"), ("B", "1")}
        assert self.cells(sink, "lockers")["A", "9"] == {**first, "id": "9", "_active": 1}

    def test_the_same_rekey_again_does_nothing(self, sink: Sink) -> None:
        """After a crash its plan is applied again, and the first time counts, whoever has the old key by now."""
        self.apply(sink, create(ANN))
        first = self.apply(sink, rekey(("P1",), ("N1",)), once="2")
        self.apply(sink, create(ANN), once="3")
        before = self.read(sink, "patrons")
        assert self.apply(sink, rekey(("P1",), ("N1",)), once="2") == first
        assert self.read(sink, "patrons") == before

    # Plans ---------------------------------------------------------------------------------------------------

    def test_outcomes_are_one_per_group(self, sink: Sink) -> None:
        """In the order of the plan, each with its count."""
        outcomes = self.apply(sink, create(ANN, BOB), update({**ANN, "name": "Anna"}), remove("P2"))
        assert outcomes == tuple(
            Outcome("patrons", kind, done) for kind, done in ((Kind.CREATE, 2), (Kind.UPDATE, 1), (Kind.REMOVE, 1))
        )

    def test_actions_are_done_in_their_order(self, sink: Sink) -> None:
        """Of two actions on one record the later one stands."""
        self.apply(sink, create(ANN), update({"id": "P1", "name": "Anna"}), update({"id": "P1", "name": "Anne"}))
        assert self.cells(sink)["P1",]["name"] == "Anne"
        self.apply(sink, remove("P1"), create(ANN), once="2")
        assert self.cells(sink)["P1",]["_active"] == 0, "removals come last in a plan"

    def test_progress_adds_up(self, sink: Sink) -> None:
        """Whoever watches hears of every action once."""
        heard: list[int] = []
        plan = make_plan([create(ANN, BOB), remove("P1")])
        sink.apply(plan, once="1", run="r", at="2026-01-01T00:00:00Z", progress=heard.append)
        assert sum(heard) == len(plan) == 3

    def test_an_empty_plan_is_applied(self, sink: Sink) -> None:
        """There is nothing to do, and nothing goes wrong."""
        assert list(self.apply(sink)) == []

    def test_tables_are_apart(self, sink: Sink) -> None:
        """The same key in two tables is two records."""
        self.apply(sink, create(ANN), create({"id": "P1"}, target="staff", columns=("id",)))
        self.apply(sink, remove("P1", target="staff", columns=("id",)), once="2")
        assert self.cells(sink) == {("P1",): {**ANN, "_active": 1}}
        assert self.cells(sink, "staff") == {("P1",): {"id": "P1", "_active": 0}}

    def test_new_columns_are_blank_where_nothing_is_said(self, sink: Sink) -> None:
        """When the rules gain a field, the table gains a column."""
        self.apply(sink, create(ANN))
        more = (*COLUMNS, "metadata.house")
        self.apply(sink, create({**BOB, "metadata.house": "red"}, columns=more), once="2")
        assert self.cells(sink)["P1",] == {**ANN, "metadata.house": "", "_active": 1}
        assert self.cells(sink)["P2",] == {**BOB, "metadata.house": "red", "_active": 1}

    def test_a_removal_may_bring_new_columns(self, sink: Sink) -> None:
        """Its frame has the key alone, but its table has all columns."""
        self.apply(sink, create(ANN))
        self.apply(sink, remove("P1", columns=(*COLUMNS, "more")), once="2")
        assert self.cells(sink)["P1",] == {**ANN, "more": "", "_active": 0}

    def test_a_key_may_have_several_fields(self, sink: Sink) -> None:
        """Records are told apart by all of them; the table's columns need not begin with them."""
        about: dict[str, Any] = {"target": "lockers", "key": ("school", "id"), "columns": ("name", "id", "school")}
        first = {"name": "Ann", "id": "1", "school": "A"}
        self.apply(sink, create(first, {**first, "school": "B"}, **about))
        self.apply(sink, update({"school": "B", "id": "1", "name": "Bea"}, **about), once="2")
        self.apply(sink, group(Kind.REMOVE, {"school": "A", "id": "1"}, **about), once="3")
        assert self.cells(sink, "lockers") == {
            ("A", "1"): {**first, "_active": 0},
            ("B", "1"): {**first, "name": "Bea", "school": "B", "_active": 1},
        }

    def test_names_may_have_dots(self, sink: Sink) -> None:
        """Fields and tables are called as the rules call them, be it a word of SQL or a name with dots."""
        about: dict[str, Any] = {"target": "our.group", "key": ("metadata.id",), "columns": ("metadata.id", "order")}
        self.apply(sink, create({"metadata.id": "1", "order": "a"}, **about))
        self.apply(sink, update({"metadata.id": "1", "order": "b"}, **about), once="2")
        self.apply(sink, group(Kind.REMOVE, {"metadata.id": "1"}, **about), once="3")
        assert self.cells(sink, "our.group") == {("1",): {"metadata.id": "1", "order": "b", "_active": 0}}

    @pytest.mark.parametrize("cell", ["O'Fern", 'x"y', "Null", "%s ? :a", "Ærø 雪 😀", " blank ", "a\tb", "x" * 70_000])
    def test_cells_are_kept_as_they_are(self, sink: Sink, cell: str) -> None:
        """No value is read as anything but itself."""
        self.apply(sink, create({**ANN, "name": cell}, {**BOB, "id": cell}))
        found = self.cells(sink)
        assert found["P1",]["name"] == cell
        assert found[cell,]["id"] == cell

    # Exactly once --------------------------------------------------------------------------------------------

    def test_the_same_plan_again_does_nothing(self, sink: Sink) -> None:
        """After a crash the run is resumed and its plan applied again: the first time counts."""
        plan = make_plan([create(ANN), remove("P2")])
        first = sink.apply(plan, once="1", run="r.1", at="2026-01-01T00:00:00Z", progress=lambda _: None)
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="2")
        before = self.read(sink, "patrons")
        again = sink.apply(plan, once="1", run="r.1", at="2026-01-02T00:00:00Z", progress=lambda _: None)
        assert again == first
        assert self.read(sink, "patrons") == before

    def test_the_same_plan_of_another_run_is_done(self, sink: Sink) -> None:
        """Two runs may well have the same plan, with time in between."""
        self.apply(sink, create(ANN))
        self.apply(sink, remove("P1", on_absent=OnAbsent.DELETE), once="2")
        self.apply(sink, create(ANN), once="3")
        assert self.cells(sink) == {("P1",): {**ANN, "_active": 1}}

    def test_another_plan_of_the_same_run_is_done(self, sink: Sink) -> None:
        """The key is the run's token together with the plan's digest."""
        self.apply(sink, create(ANN))
        self.apply(sink, create(BOB))
        assert set(self.cells(sink)) == {("P1",), ("P2",)}

    def test_a_failure_leaves_nothing_and_may_be_tried_again(self, sink: Sink) -> None:
        """A transactional sink does all of a plan or nothing; healed, the same call does all of it."""
        self.apply(sink, create(ANN))
        before = self.read(sink, "patrons")
        groups = create({**BOB, "id": "P0"}, BOB, {**BOB, "id": "P3"}), remove("P1")
        self.trip(sink, "patrons", "P2")
        with pytest.raises(SinkError) as caught:
            self.apply(sink, *groups, once="2")
        assert self.read(sink, "patrons") == before
        assert not any(value in str(caught.value) for value in ("Bob", "P2", "P3")), "no value in an exception"
        self.heal(sink, "patrons")
        self.apply(sink, *groups, once="2")
        assert set(self.read(sink, "patrons")) == {("P0",), ("P1",), ("P2",), ("P3",)}

    def test_a_failure_is_not_remembered_as_done(self, sink: Sink) -> None:
        """Nor is it in the way of other plans."""
        self.apply(sink, create(ANN))
        self.trip(sink, "patrons", "P2")
        with pytest.raises(SinkError):
            self.apply(sink, create({**BOB, "id": "P0"}, BOB), once="2")
        self.heal(sink, "patrons")
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="3")
        assert self.cells(sink) == {("P1",): {**ANN, "name": "Anna", "_active": 1}}

    def test_closing_twice_is_no_harm(self, tmp_path: Path) -> None:
        """A sink that was never used, or is closed already, can be closed."""
        made = self.make(tmp_path)
        made.close()
        made.close()
