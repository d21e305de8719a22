"""The snapshot: versions in SQLite, arrays beside them, and what becomes of either when a process dies in between."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from roster_world import World, arrays_of, codes, enrollment, org, user, world_after

from ingestd.arrays import DATA, INDEX, load, save
from ingestd.core.model import Mode
from schemas import shapes

DAY = {"orgs": [org("O1"), org("O2", parentSourcedId="O1")], "users": [user("U1"), user("U2", orgSourcedIds="O1,O2")]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a feed that has taken its first drop."""
    yield from world_after(tmp_path, DAY)


def folder_of(world: World, table: str) -> Path:
    """Return where a table's arrays lie."""
    return next(iter(world.folder.glob(f"springfield.arrays/*/{table}")))


def assert_arrays_are_what_versions_say(world: World) -> None:
    """Compare the arrays with those that are made anew."""
    tables = ("orgs", "users", "enrollments")
    before = {name: arrays_of(world.snapshot.live(name)) for name in tables}
    shutil.rmtree(world.folder / "springfield.arrays")
    assert {name: arrays_of(world.snapshot.live(name)) for name in tables} == before


# Reading ----------------------------------------------------------------------------------------------------------


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    """Before the first drop every table is empty, and has the binding's columns."""
    world = World(tmp_path)
    assert len(world.snapshot.live("users")) == world.snapshot.count("users") == 0
    assert list(world.snapshot.read_live("users").columns) == list(world.snapshot.columns("users"))
    assert len(world.snapshot.read("users", np.zeros(0, np.int64))) == 0
    assert len(world.snapshot.live("users")) == 0, "the arrays of nothing can be read again"


def test_records_are_as_they_came(world: World) -> None:
    """Every cell of every live record."""
    assert world.records("orgs") == {one["sourcedId"]: one for one in DAY["orgs"]}
    assert world.snapshot.count("users") == 2


def test_versions_are_read_in_the_order_asked_for(world: World) -> None:
    """Whatever it is, and many at a time."""
    world.take({**DAY, "users": [user(f"U{i:05}") for i in range(31_000)]})
    rids = np.sort(world.snapshot.live("users").rid)
    assert list(world.snapshot.read("users", rids[::-1])["sourcedId"]) == [f"U{i:05}" for i in reversed(range(31_000))]


def test_live_records_are_read_without_some(world: World) -> None:
    """Those that a run will close are left out."""
    first = np.sort(world.snapshot.live("users").rid)[:1]
    assert list(world.snapshot.read_live("users", first)["sourcedId"]) == ["U2"]
    assert len(world.snapshot.read_live("users", first[:0])) == 2


# Versions ---------------------------------------------------------------------------------------------------------


def versions(world: World, sourced_id: str, column: str) -> list[tuple[str, int, int | None]]:
    """Return all versions of a user: a column, the runs that opened and closed each."""
    return [(one.values[column], one.opened, one.closed) for one in world.snapshot.history("users", sourced_id)]


def test_yesterday_is_still_there(world: World) -> None:
    """A changed record has a new version and a closed one, a deleted one only a closed one."""
    world.take({**DAY, "users": [user("U2", givenName="Bea")]})
    assert versions(world, "U1", "givenName") == [("Ann", 1, 2)]
    assert versions(world, "U2", "givenName") == [("Ann", 1, 2), ("Bea", 2, None)]
    assert versions(world, "U9", "givenName") == []


def test_a_run_that_fails_leaves_nothing(world: World) -> None:
    """Neither versions nor a generation, so that the arrays fit still."""
    before = arrays_of(world.snapshot.live("users"))
    examined = world.examine({**DAY, "users": [user("U3", **{"metadata.house": "red"})]})
    with pytest.raises(OSError, match="disk"), world.store.transaction():
        world.snapshot.commit(examined.settled, 2)
        raise OSError("disk")
    world.reopen()
    assert set(world.records("users")) == {"U1", "U2"}
    assert arrays_of(world.snapshot.live("users")) == before
    assert "metadata.house" not in world.snapshot.columns("users")


def test_a_table_gains_the_columns_that_a_vendor_adds(world: World) -> None:
    """Records from before are blank in them; a day without the column loses none."""
    world.take({**DAY, "users": [user("U1"), user("U2", **{"metadata.house": "red"})]})
    assert world.snapshot.columns("users")[-1] == "metadata.house"
    assert world.records("users")["U2"]["metadata.house"] == "red"
    examined = world.take({**DAY, "users": [user("U1"), user("U2", **{"metadata.house": "red"}), user("U3")]})
    assert examined.settled["users"].changes.created == 1
    assert world.records("users")["U1"].get("metadata.house") is None


def test_a_column_spelt_in_another_case_is_the_same(world: World) -> None:
    """SQLite takes `metadata.House` for `metadata.house`; the vendor may change his mind."""
    world.take({**DAY, "users": [user("U1", **{"metadata.house": "red"})]})
    world.take({**DAY, "users": [user("U1", **{"metadata.House": "blue"})]})
    assert [value for value, _, _ in versions(world, "U1", "metadata.house")] == ["", "red", "blue"]


def test_notes_are_remembered_with_the_records(world: World) -> None:
    """What was repaired in a record is told every day, though it is read once."""
    rows = [user("U1", enabledUser="TRUE"), user("U2")]
    for _ in range(3):
        examined = world.take({**DAY, "users": rows})
        told = [one for one in examined.batches if one.file == "users.csv"]
        assert [(one.code, one.column, one.count) for one in told] == [("boolean-case", "enabledUser", 1)]
    assert world.snapshot.notes("users") == (("boolean-case", "enabledUser"),)


def test_notes_of_several_days_keep_their_meaning(world: World) -> None:
    """Each day numbers its repairs anew; the snapshot's numbers stay."""
    world.take({**DAY, "users": [user("U1", enabledUser="TRUE"), user("U2")]})
    rows = [user("U1", enabledUser="TRUE"), user("U2", role="Student", email="")]
    world.take({**DAY, "users": rows})
    world.reopen()
    told = [one for one in world.examine({**DAY, "users": rows}).batches if one.file == "users.csv"]
    assert {(one.code, one.column, one.lines) for one in told} == {
        ("boolean-case", "enabledUser", (2,)),
        ("enum-case", "role", (3,)),
    }


# Arrays -----------------------------------------------------------------------------------------------------------


def tear(folder: Path) -> None:
    """Stop in the middle of writing: the last word is missing."""
    (folder / INDEX).unlink()


def empty(folder: Path) -> None:
    """Lose what was written last, as a power cut does."""
    (folder / INDEX).write_text("")


def cut(folder: Path) -> None:
    """Cut the arrays short."""
    path = folder / DATA
    path.write_bytes(path.read_bytes()[:-8])


def lose(folder: Path) -> None:
    """Lose the arrays and keep their index."""
    (folder / DATA).unlink()


def reshape(folder: Path) -> None:
    """Leave the arrays of a version that knew of one reference less."""
    live = load(folder, shapes()["users"])
    assert live is not None
    save(folder, replace(live, references={"orgSourcedIds": live.references["orgSourcedIds"]}))


def remove(folder: Path) -> None:
    """Remove the folder."""
    shutil.rmtree(folder)


@pytest.mark.parametrize("damage", [tear, empty, cut, lose, reshape, remove])
def test_damaged_arrays_are_made_again(world: World, damage: Callable[[Path], None]) -> None:
    """They are derived: the versions say the same."""
    before = arrays_of(world.snapshot.live("users"))
    damage(folder_of(world, "users"))
    assert arrays_of(world.snapshot.live("users")) == before
    assert load(folder_of(world, "users"), shapes()["users"]) is not None
    assert arrays_of(world.snapshot.live("users")) == before


def test_the_arrays_of_yesterday_are_not_taken_for_today(world: World) -> None:
    """A crash between commit and publish leaves old arrays, of a generation that has passed."""
    world.commit(world.examine({**DAY, "users": [user("U1", givenName="Bea"), user("U3")]}), publish=False)
    world.reopen()
    live = world.snapshot.live("users")
    frame_of = world.snapshot.read("users", live.rid)
    assert sorted(frame_of["sourcedId"]) == ["U1", "U3"]
    assert not world.take({**DAY, "users": [user("U1", givenName="Bea"), user("U3")]}).settled["users"].opened.size


def test_arrays_of_a_generation_to_come_are_not_waited_for(world: World) -> None:
    """When an older store is put back, arrays of later generations must not become right by counting."""
    shutil.copy(world.folder / "springfield.db", world.folder / "backup")
    for name in ("Bea", "Cy"):
        world.take({**DAY, "users": [user("U1", givenName=name)]})
    world.store.close()
    shutil.copy(world.folder / "backup", world.folder / "springfield.db")
    world.reopen()
    for name in ("Dan", "Eve"):
        world.commit(world.examine({**DAY, "users": [user("U1", givenName=name)]}), publish=False)
    world.reopen()
    assert_arrays_are_what_versions_say(world)


def test_only_arrays_of_the_present_are_kept(world: World) -> None:
    """Older generations are removed, those of untouched tables are carried over."""
    before = folder_of(world, "orgs").stat().st_ino
    world.take({"users": [user("U1")]})
    assert len(list(world.folder.glob("springfield.arrays/*"))) == 1
    assert folder_of(world, "orgs").stat().st_ino == before


def test_a_run_without_tables_can_be_committed(tmp_path: Path) -> None:
    """A re-plan has no roster; there need not be any arrays yet."""
    world = World(tmp_path)
    with world.store.transaction():
        world.snapshot.commit({}, 1)
    world.snapshot.publish()
    assert world.records("users") == {}


def test_arrays_are_private(world: World) -> None:
    """Hashes of ids are nobody else's business."""
    assert folder_of(world, "users").stat().st_mode & 0o077 == 0


# Days -------------------------------------------------------------------------------------------------------------


def test_a_delta_without_a_record_removes_nothing(world: World) -> None:
    """It changes what it names."""
    rows = [{**user("U2", givenName="Bea"), "status": "active", "dateLastModified": "2026-09-01T00:00:00Z"}]
    world.take({"users": rows}, {"users": Mode.DELTA})
    assert {key: one["givenName"] for key, one in world.records("users").items()} == {"U1": "Ann", "U2": "Bea"}


def test_a_known_record_whose_target_goes_keeps_its_last_good_version(world: World) -> None:
    """Day after day it is told, and when the target is back it is whole again."""
    base = {
        "orgs": [org("O1")],
        "users": [user("U1"), user("U2")],
        "enrollments": [enrollment("E1"), enrollment("E2", userSourcedId="U2")],
    }
    world.take(base)
    for _ in range(2):
        examined = world.take({**base, "users": [user("U1")]})
        assert codes([one for one in examined.batches if one.file == "enrollments.csv"]) == ["dangling-reference"]
        assert set(world.records("enrollments")) == {"E1", "E2"}
        assert_arrays_are_what_versions_say(world)
    examined = world.take(base)
    assert not [one for one in examined.batches if one.file == "enrollments.csv"]
    assert world.records("enrollments")["E2"]["userSourcedId"] == "U2"
    assert world.snapshot.count("enrollments") == 2


def test_an_optional_reference_heals(world: World) -> None:
    """Left out while its target is away, back when the target is."""
    world.take({**DAY, "orgs": [org("O2", parentSourcedId="O1"), org("O1")]})
    world.take({"orgs": [org("O2", parentSourcedId="O1"), org("O3")], "users": [user("U1", orgSourcedIds="O2")]})
    assert "parentSourcedId" not in world.records("orgs")["O2"]
    world.take({"orgs": [org("O2", parentSourcedId="O1"), org("O1")], "users": [user("U1", orgSourcedIds="O2")]})
    assert world.records("orgs")["O2"]["parentSourcedId"] == "O1"


def test_the_same_drop_again_changes_nothing(world: World) -> None:
    """No version is opened or closed, and nothing is read."""
    examined = world.take(DAY)
    assert all(len(one.new) == 0 for one in examined.settled.values())
    assert versions(world, "U1", "givenName") == [("Ann", 1, None)]
