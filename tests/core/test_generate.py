"""The synthetic district: valid, the same for the same arguments, and changed overnight by what was asked."""

import pandas as pd
import pytest

import schemas
from ingestd.generate import Roster, counts, district, lose, next_day

TABLES = ["orgs", "academicSessions", "courses", "classes", "users", "enrollments", "demographics"]


@pytest.fixture(scope="module")
def first() -> Roster:
    """Return a district of 1,500 users."""
    return district(1500, seed=7)


@pytest.fixture(scope="module")
def second(first: Roster) -> Roster:
    """Return the same district a day later, with other shares than the defaults."""
    return next_day(first, day=1, seed=7, changed=0.02, added=0.01, removed=0.005)


def assert_same(one: Roster, other: Roster) -> None:
    """Compare all cells of two rosters."""
    assert list(one) == list(other)
    for table, frame in one.items():
        pd.testing.assert_frame_equal(frame, other[table])


def assert_valid(roster: Roster) -> None:
    """Check a roster's values by the schemas, the uniqueness of its ids, and that all references resolve."""
    for name in roster:
        table = schemas.load("1.1")[name]
        table.schema.validate(roster[name], lazy=True)
        assert roster[name]["sourcedId"].is_unique
        for column in table.references():
            assert column.references
            ids = roster[name][column.name].str.split(",").explode()
            assert ids[ids != ""].isin(roster[column.references]["sourcedId"]).all(), (name, column.name)


def ids_of(frame: pd.DataFrame) -> list[str]:
    """Return the sourcedIds in the file's order."""
    return list(frame["sourcedId"])


def changed_ids(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return the ids of the records that are in both frames, and not the same."""
    old, new = before.set_index("sourcedId"), after.set_index("sourcedId")
    both = old.index.intersection(new.index)
    return list(both[(old.loc[both] != new.loc[both]).any(axis=1)])


@pytest.mark.parametrize("users", [10, 11, 37, 100, 4000])
def test_district_is_valid_at_any_size(users: int) -> None:
    """However small, a district has that many users, passes the schemas, and refers to nothing that is not there."""
    roster = district(users, seed=3)
    assert users == counts(roster)["users"]
    assert_valid(roster)


def test_district_has_the_standards_shape(first: Roster) -> None:
    """All seven tables come in order of dependence, their columns in the standard's, every cell a string."""
    assert list(first) == TABLES
    for name in TABLES:
        table = schemas.load("1.1")[name]
        assert table.header == tuple(first[name].columns)
        assert {"str"} == {str(dtype) for dtype in first[name].dtypes}


def test_district_is_bulk(first: Roster) -> None:
    """In a bulk set, status and dateLastModified are blank."""
    for frame in first.values():
        assert (frame[["status", "dateLastModified"]] == "").all(axis=None)


def test_district_is_believable(first: Roster) -> None:
    """Nine users in ten are students, all with demographics; there are about nine enrollments for each user."""
    sizes, roles = counts(first), first["users"]["role"].value_counts()
    assert roles["student"] == sizes["demographics"] == 1350
    assert {"student", "teacher", "aide", "administrator"} == set(roles.index)
    assert 8.5 < sizes["enrollments"] / sizes["users"] < 9.7


def test_nobody_is_twice_in_a_class(first: Roster) -> None:
    """A user is enrolled in a class once."""
    assert not first["enrollments"].duplicated(["classSourcedId", "userSourcedId"]).any()


def test_users_are_enrolled_in_their_own_school(first: Roster) -> None:
    """A class's teacher and students belong to the school that the enrollment names, which is the class's."""
    rows = first["enrollments"].merge(first["users"], left_on="userSourcedId", right_on="sourcedId")
    assert all(a in b.split(",") for a, b in zip(rows["schoolSourcedId"], rows["orgSourcedIds"], strict=True))
    rows = first["enrollments"].merge(first["classes"], left_on="classSourcedId", right_on="sourcedId")
    assert (rows["schoolSourcedId_x"] == rows["schoolSourcedId_y"]).all()


def test_each_class_has_one_primary_teacher(first: Roster) -> None:
    """Every class is led by one teacher and attended by at most 25 students."""
    rows = first["enrollments"]
    assert set(ids_of(first["classes"])) == set(rows.loc[rows["primary"] == "true", "classSourcedId"])
    assert rows.loc[rows["primary"] == "true", "classSourcedId"].is_unique
    assert rows.loc[rows["role"] == "student", "classSourcedId"].value_counts().max() <= 25


def test_names_are_awkward(first: Roster) -> None:
    """The names hold what breaks software: a comma, an apostrophe, a quote, letters beyond ASCII, NA and Null."""
    names = set(first["users"]["familyName"]) | set(first["users"]["middleName"])
    assert {"NA", "Null"} <= names
    text = "".join(names)
    assert all(mark in text for mark in (",", "'", '"'))
    assert not text.isascii()


def test_addresses_cannot_exist(first: Roster) -> None:
    """E-mail addresses are in a domain reserved for examples."""
    emails = first["users"]["email"]
    assert emails[emails != ""].str.endswith(".example").all()


def test_same_seed_gives_the_same_roster(first: Roster) -> None:
    """The same size and seed give the same cells; another seed gives others."""
    assert_same(first, district(1500, seed=7))
    assert not first["users"].equals(district(1500, seed=8)["users"])


def test_too_small_a_district_is_refused() -> None:
    """Fewer than ten users are no district."""
    with pytest.raises(ValueError, match="at least 10 users"):
        district(9, seed=1)


def test_next_day_is_valid(first: Roster) -> None:
    """After days of churn all values still pass and all references resolve."""
    roster = first
    for day in (1, 2, 3):
        roster = next_day(roster, day=day, seed=7, changed=0.05, added=0.05, removed=0.05)
    assert_valid(roster)


def test_next_day_is_the_same_for_the_same_seed(first: Roster, second: Roster) -> None:
    """The same day of the same roster by the same seed is the same; and the day before is left as it was."""
    assert_same(second, next_day(first, day=1, seed=7, changed=0.02, added=0.01, removed=0.005))
    assert_same(first, district(1500, seed=7))


def test_users_change_by_the_shares_asked_for(first: Roster, second: Roster) -> None:
    """Of 1,500 users 2 % changed, 1 % came and 0.5 % went, rounded."""
    before, after = first["users"], second["users"]
    assert round(0.02 * 1500) == len(changed_ids(before, after))
    assert round(0.01 * 1500) == len(set(ids_of(after)) - set(ids_of(before)))
    assert round(0.005 * 1500) == len(set(ids_of(before)) - set(ids_of(after)))


def test_enrollments_and_classes_change_by_the_share(first: Roster, second: Roster) -> None:
    """The share of enrollments and of classes that was asked for is changed, rounded."""
    for table in ("enrollments", "classes"):
        assert round(0.02 * len(first[table])) == len(changed_ids(first[table], second[table]))


def test_who_goes_takes_all_along(first: Roster, second: Roster) -> None:
    """Enrollments and demographics that are gone are just those of the users who are gone."""
    gone = set(ids_of(first["users"])) - set(ids_of(second["users"]))
    for table, column in (("enrollments", "userSourcedId"), ("demographics", "sourcedId")):
        before, after = first[table], second[table]
        left = set(ids_of(before)) - set(ids_of(after))
        assert left == set(before.loc[before[column].isin(gone), "sourcedId"])


def test_who_comes_is_enrolled(first: Roster, second: Roster) -> None:
    """New enrollments and demographics are those of the new users, and each new user has them."""
    new = set(ids_of(second["users"])) - set(ids_of(first["users"]))
    for table, column in (("enrollments", "userSourcedId"), ("demographics", "sourcedId")):
        rows = second[table][~second[table]["sourcedId"].isin(first[table]["sourcedId"])]
        assert new == set(rows[column])


def test_records_keep_their_order(first: Roster, second: Roster) -> None:
    """The records that stay are in the order of the day before, and the new ones follow them."""
    for table, frame in first.items():
        after = set(ids_of(second[table]))
        stay = [sourced_id for sourced_id in ids_of(frame) if sourced_id in after]
        assert stay == ids_of(second[table])[: len(stay)]


def test_no_churn_is_no_change(first: Roster) -> None:
    """A day on which nothing is asked for is the day before."""
    assert_same(first, next_day(first, day=1, seed=7, changed=0, added=0, removed=0))


def test_no_id_is_given_twice(first: Roster) -> None:
    """An id that has gone does not come back for somebody else."""
    roster, seen = first, set(ids_of(first["users"]))
    for day in (1, 2, 3):
        after = next_day(roster, day=day, seed=7, changed=0, added=0.02, removed=0.02)
        new = set(ids_of(after["users"])) - set(ids_of(roster["users"]))
        assert len(new) == 30
        assert not new & seen
        roster, seen = after, seen | new


def test_days_are_counted_from_one(first: Roster) -> None:
    """There is no day 0 after the first."""
    with pytest.raises(ValueError, match="from 1, not 0"):
        next_day(first, day=0, seed=7)


def test_more_cannot_go_than_are_there(first: Roster) -> None:
    """Removing more users than there are students is refused."""
    with pytest.raises(ValueError, match="larger sample"):
        next_day(first, day=1, seed=7, removed=0.95)


@pytest.mark.parametrize(("fraction", "left"), [(0.4, 900), (1.0, 0), (0.0, 1500)])
def test_lose_takes_records_of_one_table(first: Roster, fraction: float, left: int) -> None:
    """A broken export lacks the share of one table's records; those left keep their order, other tables are whole."""
    broken = lose(first, "users", fraction, seed=5)
    assert {**counts(first), "users": left} == counts(broken)
    kept = first["users"][first["users"]["sourcedId"].isin(broken["users"]["sourcedId"])].reset_index(drop=True)
    assert_same({**first, "users": kept}, broken)
