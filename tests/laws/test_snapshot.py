"""The laws of the snapshot: it is the last roster but for what was held back, and forgets nothing.

Rosters here are small and full of accidents: records that are invalid, broken, missing, repeated, dangling or deleted
by word, files that are empty or deltas, arrays that are lost, torn or stale, and processes that die before publishing.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from examples import examples
from hypothesis import assume, example, given
from hypothesis import strategies as st
from roster_world import TABLES, Row, World, arrays_of, changed, deleted, enrollment, org, user

from ingestd.arrays import DATA, INDEX
from ingestd.columnfiles import COLUMNS
from ingestd.core.model import Mode

WITH_FILES = examples(20)
Records = list[dict[str, str]]
sourced_ids = st.sampled_from([f"U{i}" for i in range(1, 9)])


def whole(folder: Path) -> None:
    """Leave the arrays as they are."""
    assert folder.exists()


def missing(folder: Path) -> None:
    """Lose the arrays."""
    shutil.rmtree(folder)


def torn(folder: Path) -> None:
    """Stop before the last word was written."""
    for index in folder.glob(f"*/*/{INDEX}"):
        index.unlink()


def stale(folder: Path) -> None:
    """Have arrays of another generation alone."""
    for generation in folder.iterdir():
        generation.rename(generation.with_name(f"9{generation.name}"))


def short(folder: Path) -> None:
    """Lose the end of the arrays."""
    for path in folder.glob(f"*/*/{DATA}"):
        path.write_bytes(path.read_bytes()[:-1])


def without_columns(folder: Path) -> None:
    """Lose the files of columns, and nothing else."""
    for path in folder.glob(f"*/*/{COLUMNS}"):
        shutil.rmtree(path)


def without_a_part(folder: Path) -> None:
    """Lose the columns that the first run wrote."""
    for path in first_parts(folder):
        shutil.rmtree(path)


def with_a_part_twice(folder: Path) -> None:
    """Have the columns that the first run wrote once more."""
    for path in first_parts(folder):
        shutil.copytree(path, path.with_name("1000000"), dirs_exist_ok=True)


def first_parts(folder: Path) -> list[Path]:
    """Return the oldest part of each table's columns that has any."""
    tables = [list(path.iterdir()) for path in folder.glob(f"*/*/{COLUMNS}")]
    return [min(parts, key=lambda part: int(part.name)) for parts in tables if parts]


def with_flipped_columns(folder: Path) -> None:
    """Have a bit of each file of columns be another one."""
    for path in folder.glob(f"*/*/{COLUMNS}/*/{DATA}"):
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.write_bytes(content)


of_arrays = [whole, missing, torn, stale, short]
of_columns = [without_columns, without_a_part, with_a_part_twice, with_flipped_columns]
damages = st.sampled_from([*of_arrays, *of_columns])


@dataclass(frozen=True)
class Day:
    """A day's users: the file's mode, and how each comes: well, invalid, broken, or deleted by word."""

    mode: Mode
    users: dict[str, tuple[str, str]]
    nameless: bool
    damage: Callable[[Path], None]
    is_published: bool

    def rows(self) -> list[Row]:
        """Return the rows of the file."""
        rows: list[Row] = [",".join(["", *["x"] * 17])] if self.nameless else []
        return rows + [self._row(key, how, name) for key, (how, name) in self.users.items()]

    def _row(self, key: str, how: str, name: str) -> Row:
        stamp: Callable[..., dict[str, str]] = changed if self.mode is Mode.DELTA else dict
        row = stamp(user(key, givenName=name))
        if how == "invalid":
            return {**row, "role": "king"}
        if how == "broken":
            return f"{key},one,field,too,few"
        return deleted(row) if how == "deleted" and self.mode is Mode.DELTA else row

    def of(self, how: str) -> dict[str, str]:
        """Return the names of those who come so, by id; nobody is deleted by word in a bulk file here."""
        ways = {"well", "deleted"} if how == "well" and self.mode is Mode.BULK else {how}
        if how == "deleted" and self.mode is Mode.BULK:
            return {}
        return {key: name for key, (came, name) in self.users.items() if came in ways}


ways = st.sampled_from(["well", "well", "well", "invalid", "broken", "deleted"])
days_of_users = st.lists(
    st.builds(
        Day,
        st.sampled_from([Mode.BULK, Mode.BULK, Mode.DELTA]),
        st.dictionaries(
            sourced_ids,
            st.tuples(ways, st.sampled_from(["Ann", "Bo", "Cy"])),
            max_size=6,
        ),
        st.sampled_from([False, False, False, True]),
        damages,
        st.sampled_from([True, True, False]),
    ),
    min_size=1,
    max_size=6,
)


def expect(live: Mapping[str, str], day: Day) -> dict[str, str]:
    """Say in plain Python what law 1 says: who is there after a day, and under which name."""
    well, gone = day.of("well"), day.of("deleted")
    is_rejected = day.mode is Mode.BULK and not well
    if is_rejected or not day.users or (day.mode is Mode.DELTA and not live and not well):
        return dict(live)
    says_all = day.mode is Mode.BULK and not day.nameless
    stays = {key: name for key, name in live.items() if key not in gone and (not says_all or key in day.users)}
    return {**stays, **well}


@WITH_FILES
@given(days_of_users)
def test_the_snapshot_is_the_last_roster_but_for_what_was_held_back(days: list[Day]) -> None:
    """After any days: the last good version of whoever did not leave, and every former value as a closed version."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        live: dict[str, str] = {}
        former: dict[str, list[str]] = {}
        for day in days:
            if day.mode is Mode.DELTA and not world.snapshot.count("users"):
                continue  # a delta before the first bulk file is rejected as a whole
            examined = world.examine({"orgs": [org("O1")], "users": day.rows()}, {"users": day.mode})
            world.commit(examined, publish=day.is_published)
            after = expect(live, day)
            for key, name in after.items():
                if live.get(key) != name:
                    former.setdefault(key, []).append(name)
            live = after
            arrays = world.folder / "springfield.arrays"
            if arrays.exists():
                day.damage(arrays)
            assert {key: one["givenName"] for key, one in world.records("users").items()} == live
            assert world.snapshot.count("users") == len(world.snapshot.live("users")) == len(live)
        for key, names in former.items():
            history = world.snapshot.history("users", key)
            assert [one.values["givenName"] for one in history] == names
            assert sum(one.closed is None for one in history) == (key in live)
        world.store.close()


org_rows = st.lists(
    st.builds(org, st.sampled_from(["O1", "O2", "O3", "O4"]), parentSourcedId=st.sampled_from(["", "O1", "O3", "O9"])),
    max_size=4,
)
org_lists = st.lists(st.sampled_from(["O1", "O2", "O3", "O4"]), min_size=1, max_size=3).map(",".join)
user_rows = st.lists(
    st.builds(
        user,
        st.sampled_from(["U1", "U2", "U3"]),
        orgSourcedIds=org_lists,
        agentSourcedIds=st.sampled_from(["", "U1", "U2,U3", "U9"]),
        enabledUser=st.sampled_from(["true", "TRUE"]),
    ),
    max_size=4,
)
enrollment_rows = st.lists(
    st.builds(
        enrollment,
        st.sampled_from(["E1", "E2"]),
        userSourcedId=st.sampled_from(["U1", "U2"]),
        schoolSourcedId=st.sampled_from(["O1", "O2"]),
    ),
    max_size=3,
)
rosters = st.fixed_dictionaries({"orgs": org_rows, "users": user_rows}, optional={"enrollments": enrollment_rows})


GONE = {
    "orgs": [org("O1")],
    "users": [user("U1"), user("U2")],
    "enrollments": [enrollment("E1"), enrollment("E2", userSourcedId="U2")],
}
"""Of this the second user goes, and with it what the second enrollment refers to."""


@WITH_FILES
@given(st.lists(rosters, min_size=1, max_size=5))
@example([GONE, {**GONE, "users": [user("U1")]}, GONE])
@example(
    [
        {"orgs": [org("O1"), org("O2")], "users": [user("U1", orgSourcedIds="O1,O2")]},
        {"orgs": [org("O1")], "users": [user("U1", orgSourcedIds="O1,O2")]},
    ]
)
def test_the_arrays_are_what_the_versions_say(days: list[dict[str, Records]]) -> None:
    """After any days, with records repeated, dangling, left out or looked at again: published equals rebuilt."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for day in days:
            world.take(day)
            published = {name: arrays_of(world.snapshot.live(name)) for name in TABLES}
            shutil.rmtree(world.folder / "springfield.arrays", ignore_errors=True)
            rebuilt = {name: arrays_of(world.snapshot.live(name)) for name in TABLES}
            assert {name: one for name, one in published.items() if one["rid"]} == {
                name: one for name, one in rebuilt.items() if one["rid"]
            }
        world.store.close()


@WITH_FILES
@given(rosters)
def test_the_same_roster_again_changes_nothing(roster: dict[str, Records]) -> None:
    """A drop of yesterday's content is no change, whatever was wrong with it."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        assume(not world.take(roster).is_rejected)
        for one in world.examine(roster).settled.values():
            assert (one.changes.created, one.changes.updated, one.changes.deleted) == (0, 0, 0)
        world.store.close()
