"""Rules across records: they hold for what came again and what is new together, whichever of the two came last."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from roster_world import Row, World, changed, codes, enrollment, org, packed, user
from rosters import files_of, roster

from ingestd.core.model import Batch, Mode, Severity
from ingestd.core.ways import Ways
from ingestd.examine import Examined

CLASS = {
    "sourcedId": "C1", "title": "A", "courseSourcedId": "K1", "classType": "scheduled", "schoolSourcedId": "O1",
    "termSourcedIds": "T1",
}  # fmt: skip
SESSION = {
    "sourcedId": "T1", "title": "Fall", "type": "term", "startDate": "2026-08-20", "endDate": "2026-12-20",
    "schoolYear": "2027",
}  # fmt: skip
COURSE = {"sourcedId": "K1", "title": "Algebra", "orgSourcedId": "O1"}
DAY: dict[str, Sequence[Row]] = {
    "orgs": [org("O1"), org("D1", type="district")],
    "academicSessions": [SESSION],
    "courses": [COURSE],
    "classes": [CLASS],
    "users": [user("U1"), user("U2")],
}


def teacher(sourced_id: str, who: str, **cells: str) -> dict[str, str]:
    """Return the enrollment of a primary teacher of C1."""
    return enrollment(sourced_id, userSourcedId=who, role="teacher", primary="true", **cells)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a feed of which nothing is known."""
    return World(tmp_path)


def told(examined: Examined, code: str) -> list[tuple[str | None, str | None, tuple[int, ...]]]:
    """Return file, column and lines of each finding of a code."""
    return [(one.file, one.column, one.lines) for one in examined.batches if one.code == code]


def severities(batches: Sequence[Batch], code: str) -> set[Severity]:
    """Return how grave the findings of a code are."""
    return {one.severity for one in batches if one.code == code}


# Types of what is referred to --------------------------------------------------------------------------------------


def test_class_of_a_district_is_told(world: World) -> None:
    """A class belongs to a school; one of another org is taken, with a warning at its line."""
    examined = world.take({**DAY, "classes": [CLASS, {**CLASS, "sourcedId": "C2", "schoolSourcedId": "D1"}]})
    assert told(examined, "wrong-org-type") == [("classes.csv", "schoolSourcedId", (3,))]
    assert severities(examined.batches, "wrong-org-type") == {Severity.WARNING}
    assert world.records("classes").keys() == {"C1", "C2"}


def test_org_that_becomes_a_district_makes_its_known_classes_wrong(world: World) -> None:
    """The class came again byte for byte: it is told all the same, for its org is no school any more."""
    world.take(DAY)
    examined = world.take({**DAY, "orgs": [org("O1", type="local"), org("D1", type="district")]})
    assert told(examined, "wrong-org-type") == [("classes.csv", "schoolSourcedId", (2,))]


def test_school_year_of_a_course_is_one(world: World) -> None:
    """A course's school year is a session of that type."""
    examined = world.take({**DAY, "courses": [{**COURSE, "schoolYearSourcedId": "T1"}]})
    assert told(examined, "wrong-session-type") == [("courses.csv", "schoolYearSourcedId", (2,))]


def test_strict_feed_holds_back_what_refers_to_the_wrong_type(world: World) -> None:
    """Where it is an error, known records are held back too, and keep their last good version."""
    world.take(DAY)
    after = {**DAY, "orgs": [org("O1", type="local"), org("D1", type="district")]}
    examined = world.examine(after, ways=Ways(strict=("wrong-org-type",)))
    assert severities(examined.batches, "wrong-org-type") == {Severity.ERROR}
    assert (examined.settled["classes"].count.held_back, examined.settled["classes"].changes.deleted) == (1, 0)


# Circles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 1000])
def test_parents_in_a_circle_are_left_out(world: World, length: int) -> None:
    """Records that are above themselves are taken without those parents; who is merely below them keeps its own."""
    ring = [org(f"R{i}", parentSourcedId=f"R{(i + 1) % length}") for i in range(length)]
    examined = world.take({"orgs": [*ring, org("O1", parentSourcedId="R0")]})
    assert told(examined, "parent-cycle") == [("orgs.csv", "parentSourcedId", tuple(range(2, length + 2)))]
    records = world.records("orgs")
    assert not [one for i in range(length) if "parentSourcedId" in (one := records[f"R{i}"])]
    assert records["O1"]["parentSourcedId"] == "R0"


def test_circle_that_a_known_record_closes_is_found(world: World) -> None:
    """It does not matter which record of the circle came last: the snapshot is as if all were new."""
    world.take({"orgs": [org("A", parentSourcedId="B"), org("B")]})
    world.take({"orgs": [org("A", parentSourcedId="B"), org("B", parentSourcedId="A")]})
    assert [one.get("parentSourcedId") for one in world.records("orgs").values()] == [None, None]
    mended = world.take({"orgs": [org("A", parentSourcedId="B"), org("B")]})
    assert not told(mended, "parent-cycle")
    assert world.records("orgs")["A"]["parentSourcedId"] == "B"


# Primaries ---------------------------------------------------------------------------------------------------------


def test_two_primary_teachers_of_a_class_are_told(world: World) -> None:
    """One of them is known from yesterday."""
    world.take({**DAY, "enrollments": [teacher("E1", "U1")]})
    examined = world.take({**DAY, "enrollments": [teacher("E1", "U1"), teacher("E2", "U2")]})
    assert told(examined, "several-primary-teachers") == [("enrollments.csv", "primary", (2, 3))]
    again = world.take({**DAY, "enrollments": [teacher("E1", "U1"), teacher("E2", "U2")]})
    assert told(again, "several-primary-teachers") == [("enrollments.csv", "primary", (2, 3))]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ({"endDate": "2026-10-01"}, {"beginDate": "2026-10-01"}, False),
        ({"endDate": "2026-10-02"}, {"beginDate": "2026-10-01"}, True),
        (
            {"beginDate": "2026-09-01", "endDate": "2026-12-01"},
            {"beginDate": "2026-10-01", "endDate": "2026-11-01"},
            True,
        ),
        ({"endDate": "2026-10-01"}, {}, True),
    ],
)
def test_primary_teachers_in_turn_are_in_order(
    world: World, first: dict[str, str], second: dict[str, str], clash: bool
) -> None:
    """One primary teacher at a time: the end of an enrollment is excluded, a blank date is open."""
    examined = world.take({**DAY, "enrollments": [teacher("E1", "U1", **first), teacher("E2", "U2", **second)]})
    assert bool(told(examined, "several-primary-teachers")) == clash


def test_same_primary_teacher_twice_is_one(world: World) -> None:
    """One enrollment for each term is usual where enrollments have no dates."""
    examined = world.take({**DAY, "enrollments": [teacher("E1", "U1"), teacher("E2", "U1")]})
    assert not told(examined, "several-primary-teachers")


def test_primary_student_is_told(world: World) -> None:
    """Only a teacher is a class's primary one."""
    examined = world.take({**DAY, "enrollments": [enrollment("E1", primary="true")]})
    assert told(examined, "primary-not-teacher") == [("enrollments.csv", "primary", (2,))]


def test_delta_brings_a_second_primary_teacher(world: World) -> None:
    """In a delta the other record is not even in the file; the new one is told."""
    world.take({**DAY, "enrollments": [teacher("E1", "U1")]})
    examined = world.take({"enrollments": [changed(teacher("E2", "U2"))]}, {"enrollments": Mode.DELTA})
    assert told(examined, "several-primary-teachers") == [("enrollments.csv", "primary", (2,))]


def test_nothing_is_told_of_a_sound_roster(world: World) -> None:
    """A roster that keeps the rules has no finding, today and when it comes again."""
    sound = {**DAY, "enrollments": [teacher("E1", "U1"), enrollment("E2", userSourcedId="U2")]}
    assert codes(world.take(sound).batches) == []
    assert codes(world.take(sound).batches) == []


# What 1.2 adds -----------------------------------------------------------------------------------------------------


def take_1_2(world: World, change: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Examined:
    """Take a sound set of 1.2 in which some cells are others: by table, then sourcedId, then column."""
    made = roster("1.2")
    for table, records in change.items():
        made[table] = [{**row, **records.get(row["sourcedId"], {})} for row in made[table]]
    examined = world.hold_against(packed(files_of("1.2", made)))
    world.commit(examined)
    return examined


def test_sound_set_of_1_2_has_nothing_to_tell(world: World) -> None:
    """What the other tests change is in order without the change."""
    assert codes(take_1_2(world, {}).batches) == []


@pytest.mark.parametrize("code", ["several-primary-roles", "profile-of-another", "primary-org-without-role"])
def test_rules_of_roles(world: World, code: str) -> None:
    """One primary role per user and org; a profile of the user's own; a role in the primary org."""
    change: dict[str, dict[str, dict[str, dict[str, str]]]] = {
        "several-primary-roles": {"roles": {"roles-1": {"roleType": "primary"}, "roles-2": {"roleType": "primary"}}},
        "profile-of-another": {"userProfiles": {"userProfiles-1": {"userSourcedId": "users-2"}}},
        "primary-org-without-role": {"users": {"users-2": {"primaryOrgSourcedId": "orgs-1"}}},
    }
    file, column, lines = {
        "several-primary-roles": ("roles.csv", "roleType", (2, 3)),
        "profile-of-another": ("roles.csv", "userProfileSourcedId", (2, 3)),
        "primary-org-without-role": ("users.csv", "primaryOrgSourcedId", (3,)),
    }[code]
    take_1_2(world, {})
    examined = take_1_2(world, change[code])
    assert told(examined, code) == [(file, column, lines)]
    assert codes(examined.batches) == [code]
    assert examined.settled["roles"].count.held_back == 0


def test_score_outside_its_range_is_told_day_after_day(world: World) -> None:
    """The result is taken and looked at anew each day, until it or the range is mended."""
    wrong = {"results": {"results-1": {"score": "101"}}, "lineItems": {"lineItems-1": {"resultValueMax": "100"}}}
    for _ in range(2):
        examined = take_1_2(world, wrong)
        assert told(examined, "score-out-of-range") == [("results.csv", "score", (2,))]
    wrong["lineItems"]["lineItems-1"]["resultValueMax"] = "101"
    assert codes(take_1_2(world, wrong).batches) == []
