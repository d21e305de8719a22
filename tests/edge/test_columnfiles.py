"""The files of columns: what they keep, when they are read, and when the store is."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from roster_world import World, frame, org, user, world_after

from ingestd import columnfiles
from ingestd.arrays import DATA
from ingestd.columnfiles import COLUMNS, MOST, load, save
from ingestd.core.model import Ints

USERS = [user("U1"), user("U2", orgSourcedIds="O1,O2", givenName="Zoë"), user("U3")]
DAY = {"orgs": [org("O1"), org("O2")], "users": USERS}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a feed that has taken its first drop."""
    yield from world_after(tmp_path, DAY)


def parts(world: World, table: str) -> list[Path]:
    """Return where the parts of a table's columns lie."""
    return sorted(world.folder.glob(f"springfield.arrays/*/{table}/{COLUMNS}/*"), key=lambda path: int(path.name))


def forge(world: World, name: str) -> None:
    """Give the first user another name in the store's own rows, which tells who reads these."""
    world.store._db.execute("UPDATE versions_users SET givenName = ? WHERE rid = 1", [name])


def rids(*numbers: int) -> Ints:
    """Return keys."""
    return np.array(numbers, np.int64)


def loaded(folder: Path, live: Ints, columns: Sequence[str]) -> dict[int, dict[str, str]] | None:
    """Return what the parts say, by key."""
    found = load(folder, live, columns)
    if found is None:
        return None
    rows = ({str(name): str(cell) for name, cell in row.items()} for row in found[1].to_dict("records"))
    return dict(zip(found[0].tolist(), rows, strict=True))


# Parts ------------------------------------------------------------------------------------------------------------


def test_cells_come_back_as_they_were(tmp_path: Path) -> None:
    """Blanks, letters of more than one byte, columns that are blank, and columns that are asked for in another case."""
    records = frame(**{"sourcedId": ["a", "b"], "name": ["", "Zoë 🎓"], "metadata.X": ["1", ""], "blank": ["", ""]})
    save(tmp_path / COLUMNS, rids(3, 7), records)
    found = load(tmp_path / COLUMNS, rids(7, 3), ["metadata.x", "name", "blank", "sourcedId", "never"])
    assert found is not None
    assert found[0].tolist() == [3, 7]
    assert found[1].to_dict("list") == {
        "metadata.x": ["1", ""],
        "name": ["", "Zoë 🎓"],
        "blank": ["", ""],
        "sourcedId": ["a", "b"],
        "never": ["", ""],
    }


def test_a_slice_of_records_is_kept_without_the_rest(tmp_path: Path) -> None:
    """Arrow keeps all texts behind a slice; a part has those of its own."""
    records = frame(sourcedId=[f"{i}" * 1000 for i in range(1, 9)])
    save(tmp_path / "some", rids(5), records[4:5])
    assert loaded(tmp_path / "some", rids(5), ["sourcedId"]) == {5: {"sourcedId": "5" * 1000}}
    assert (tmp_path / "some" / "5" / DATA).stat().st_size < 2000


def test_what_is_not_live_is_passed_over(tmp_path: Path) -> None:
    """Of each part; keys above all that live, too."""
    save(tmp_path, rids(1, 2), frame(sourcedId=["a", "b"]))
    save(tmp_path, rids(3, 9), frame(sourcedId=["b", "c"]))
    assert loaded(tmp_path, rids(1, 3), ["sourcedId"]) == {1: {"sourcedId": "a"}, 3: {"sourcedId": "b"}}
    assert loaded(tmp_path, rids(), ["sourcedId"]) == {}


def test_parts_without_one_of_the_live_are_none(tmp_path: Path) -> None:
    """Nor are parts that have one twice: nobody can tell which."""
    save(tmp_path, rids(1, 2), frame(sourcedId=["a", "b"]))
    assert loaded(tmp_path, rids(1, 2, 3), ["sourcedId"]) is None
    save(tmp_path, rids(3), frame(sourcedId=["c"]))
    assert loaded(tmp_path, rids(1, 2, 3), ["sourcedId"]) is not None
    shutil.copytree(tmp_path / "3", tmp_path / "4")
    assert loaded(tmp_path, rids(1, 2, 3), ["sourcedId"]) is None
    assert loaded(tmp_path / "nowhere", rids(1), ["sourcedId"]) is None


# The snapshot's ---------------------------------------------------------------------------------------------------


def test_whole_tables_are_read_from_the_files(world: World) -> None:
    """As long as they are there; without them, or with one that is torn, from the store, once."""
    forge(world, "Forged")
    assert world.records("users")["U1"]["givenName"] != "Forged"
    (only,) = parts(world, "users")
    (only / DATA).write_bytes((only / DATA).read_bytes()[:-8])
    assert world.records("users")["U1"]["givenName"] == "Forged"
    forge(world, "Forged again")
    assert world.records("users")["U1"]["givenName"] == "Forged"


def test_a_run_adds_a_part_of_what_it_opened(world: World) -> None:
    """The others stay as they are, file by file; a table that nothing happened to has what it had."""
    (first,) = parts(world, "users")
    before = (first / DATA).stat().st_ino
    orgs = [path.name for path in parts(world, "orgs")]
    world.take({**DAY, "users": [*USERS[:2], user("U4")]})
    still, added = parts(world, "users")
    assert (still / DATA).stat().st_ino == before
    assert [added.name, *world.records("users")] == ["4", "U1", "U2", "U4"]
    assert [path.name for path in parts(world, "orgs")] == orgs


def test_many_parts_become_one(world: World) -> None:
    """Of the live versions alone, so that neither files nor what is gone add up."""
    for day in range(MOST + 3):
        world.take({**DAY, "users": [user("U1", givenName=f"Name {day}"), *USERS[1:]]})
        assert len(parts(world, "users")) <= MOST
        assert world.records("users")["U1"]["givenName"] == f"Name {day}"
    assert min(int(part.name) for part in parts(world, "users")) == 2, "the first version of U1 is in none any more"


def test_nobody_else_can_look_into_the_files(world: World) -> None:
    """They are people's data, like the store."""
    (part,) = parts(world, "users")
    assert [folder.stat().st_mode & 0o77 for folder in (part, part.parent, part.parent.parent)] == [0, 0, 0]


def test_columns_are_made_one_part_out_of_a_damaged_set(world: World) -> None:
    """Whatever lay there is replaced, so that it is not in the way for good."""
    (part,) = parts(world, "users")
    (part.parent / ".nfs0001").touch()
    assert len(world.records("users")) == 3, "what is no part is passed over"
    shutil.copytree(part, part.parent / "9")
    assert len(world.records("users")) == 3
    assert [path.name for path in parts(world, "users")] == ["1"]
    assert columnfiles.count(part.parent) == 1
