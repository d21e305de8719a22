"""Rules whose target records are not one of each roster record: what a change of the roster makes of them."""

from pathlib import Path

from builders import added, changed, enrollment, roster, user, zip_of
from places import FEED, codes_of, documents_of, invoke, live_of, once, place, rows_of

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
PLACES = """
[[table]]
name = "places"
from = "users"
each = "orgSourcedIds"
key = ["user", "place"]
on_absent = "delete"
[table.fields]
user = { from = "sourcedId" }
place = { from = "orgSourcedIds" }
"""
LOWER = """
[[table]]
name = "people"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId", case = "lower" }
"""
SPREAD = """
[[table]]
name = "people"
from = "users"
key = ["id"]
update = ["place"]
spread = { place = 2 }
[table.fields]
id = { from = "sourcedId" }
place = { from = "orgSourcedIds" }
"""
SECTIONS = """
[[table]]
name = "sections"
from = "classes"
key = ["id"]
spread = { teacher = 2 }
[table.collect.teachers]
from = "enrollments"
by = "classSourcedId"
take = "userSourcedId"
where = { role = ["teacher"] }
order = ["-primary"]
[table.fields]
id = { from = "sourcedId", safe_id = true }
teacher = { from = "teachers", safe_id = true }
"""
DAY_1 = changed(roster(3), "users", "U1", orgSourcedIds="S1,D1")
MOVED = changed(DAY_1, "users", "U1", orgSourcedIds="D1")


def test_a_record_per_item_goes_with_its_item(tmp_path: Path) -> None:
    """A user who leaves one of two schools keeps the other: one target record is removed, none is touched."""
    where = place(tmp_path, rules=PLACES, more=FREE)
    once(where, zip_of(DAY_1))
    assert documents_of(where)[-1]["actions"]["places"] == {"create": 4, "update": 0, "remove": 0}
    once(where, zip_of(MOVED))
    assert documents_of(where)[-1]["actions"]["places"] == {"create": 0, "update": 0, "remove": 1}
    rows = rows_of(where.target(), "select user, place from places order by user")
    assert [tuple(row) for row in rows] == [("U1", "D1"), ("U2", "S1"), ("U3", "S1")]


def test_explain_lists_what_a_record_has_been_in_the_application(tmp_path: Path) -> None:
    """By the keys that the rules make of it: the place that it left, too, as long as it is kept there."""
    where = place(tmp_path, rules=PLACES.replace('"delete"', '"deactivate"'), more=FREE)
    for day in (DAY_1, MOVED):
        once(where, zip_of(day))
    owned = invoke(where, "explain", FEED, "users", "U1", "--json").json["owned"]
    assert owned == [
        {"target": "places", "key": "U1, S1", "active": False},
        {"target": "places", "key": "U1, D1", "active": True},
    ]


def test_a_list_over_numbered_columns_is_updated_as_a_whole(tmp_path: Path) -> None:
    """What is left moves up, and the last column becomes blank."""
    where = place(tmp_path, rules=SPREAD, more=FREE)
    once(where, zip_of(DAY_1))
    assert live_of(where, "people", "place_2", key="id")["U1"] == "D1"
    once(where, zip_of(MOVED))
    assert live_of(where, "people", "place", key="id")["U1"] == "D1"
    assert live_of(where, "people", "place_2", key="id")["U1"] == ""


def test_a_class_has_its_teachers_as_they_come_and_go(tmp_path: Path) -> None:
    """A change of enrollments alone, which are no target here, updates the class."""
    where = place(tmp_path, rules=SECTIONS, more=FREE)
    teachers = [user(number, role="teacher") for number in (7, 8)]
    taught = [enrollment(number, userSourcedId=f"U{number}", role="teacher") for number in (7, 8)]
    base = added(DAY_1, "users", *teachers)
    days = [
        base,
        added(base, "enrollments", *taught),
        added(base, "enrollments", {**taught[1], "primary": "true"}, taught[0]),
    ]
    seen = []
    for day in days:
        assert once(where, zip_of(day)).code == 0
        seen.append([live_of(where, "sections", column, key="id")["C1"] for column in ("teacher", "teacher_2")])
    assert seen == [["", ""], ["U7", "U8"], ["U8", "U7"]]


def test_a_key_in_one_case_is_compared_with_all_others(tmp_path: Path) -> None:
    """A new id that differs from an older one in case alone would take its record: both are held back and told."""
    where = place(tmp_path, rules=LOWER, more=FREE)
    once(where, zip_of(DAY_1))
    once(where, zip_of(added(DAY_1, "users", user(9, sourcedId="u1"))))
    document = documents_of(where)[-1]
    assert "duplicate-target-key" in codes_of(document)
    assert document["actions"].get("people", {"create": 0, "update": 0, "remove": 0}) == {
        "create": 0,
        "update": 0,
        "remove": 0,
    }


PERSONS = """
[[table]]
name = "accounts"
from = "users"
where = { role = ["teacher", "aide"] }
merge_by = ["username"]
key = ["login"]
spread = { school = 2 }
[table.fields]
login = { from = "username", case = "lower" }
id = { from = "sourcedId" }
school = { from = "orgSourcedIds" }
"""


def test_the_same_person_with_two_ids_is_one_account(tmp_path: Path) -> None:
    """Staff who share a username have all orgs of both records; when one of the records goes, the account stays."""
    where = place(tmp_path, rules=PERSONS, more=FREE)
    twice = [user(7, role="teacher", username="tea"), user(8, role="aide", username="tea", orgSourcedIds="D1")]
    once(where, zip_of(added(DAY_1, "users", *twice)))
    assert live_of(where, "accounts", "id", key="login") == {"tea": "U7"}
    assert live_of(where, "accounts", "school_2", key="login") == {"tea": "D1"}
    once(where, zip_of(added(DAY_1, "users", twice[1])))
    assert live_of(where, "accounts", "id", key="login") == {"tea": "U8"}
    assert live_of(where, "accounts", "school_2", key="login") == {"tea": ""}
