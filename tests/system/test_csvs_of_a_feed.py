"""A feed whose target is a zip of CSVs, from drop to zip: the six files that Apple School Manager wants, every time."""

import zipfile
from pathlib import Path

from builders import changed, roster, without, zip_of
from places import Place, once, place, states_of, write_rules

SINK = """
[[sinks]]
kind = "csvzip"
path = "out/{feed}.zip"

[limits]
update = "100%"
delete = "100%"
per_org_delete = "100%"
"""
RULES = """
[csv]
dialect = "apple"

[[table]]
name = "locations"
from = "orgs"
where = { type = "school" }
key = ["location_id"]
[table.fields]
location_id = { from = "sourcedId", safe_id = true }
location_name = { from = "name" }

[[table]]
name = "students"
from = "users"
where = { role = "student" }
key = ["person_id"]
[table.fields]
person_id = { from = "sourcedId", safe_id = true }
first_name = { from = "givenName" }
last_name = { from = "familyName" }
location_id = { from = "orgSourcedIds", item = 1, safe_id = true }

[[table]]
name = "staff"
from = "users"
where = { role = "teacher" }
key = ["person_id"]
[table.fields]
person_id = { from = "sourcedId", safe_id = true }
first_name = { from = "givenName" }
last_name = { from = "familyName" }
location_id = { from = "orgSourcedIds", item = 1, safe_id = true }

[[table]]
name = "courses"
from = "courses"
key = ["course_id"]
[table.fields]
course_id = { from = "sourcedId", safe_id = true }
course_name = { from = "title" }
location_id = { const = "S1" }

[[table]]
name = "classes"
from = "classes"
key = ["class_id"]
[table.fields]
class_id = { from = "sourcedId", safe_id = true }
course_id = { from = "courseSourcedId", safe_id = true }
location_id = { from = "schoolSourcedId", safe_id = true }

[[table]]
name = "rosters"
from = "enrollments"
where = { role = "student" }
key = ["roster_id"]
[table.fields]
roster_id = { from = "sourcedId", safe_id = true }
class_id = { from = "classSourcedId", safe_id = true }
student_id = { from = "userSourcedId", safe_id = true }
"""
DAY_1 = changed(roster(3), "users", "U1", givenName='Ann "Nan" Lee')


def csvs_of(where: Place) -> dict[str, str]:
    """Return what the feed's zip holds."""
    with zipfile.ZipFile(where.state / "out" / "springfield.zip") as package:
        return {name: package.read(name).decode("utf-8") for name in package.namelist()}


def test_every_run_publishes_all_six_files(tmp_path: Path) -> None:
    """Also those that have no records, and those that did not change."""
    where = place(tmp_path, rules=RULES, more=SINK)
    assert once(where, zip_of(DAY_1)).code == 0
    first = csvs_of(where)
    assert list(first) == [
        f"{name}.csv" for name in ("locations", "students", "staff", "courses", "classes", "rosters")
    ]
    assert first["students.csv"].splitlines() == [
        "person_id,first_name,last_name,location_id",
        'U1,"Ann \\"Nan\\" Lee",Family1,S1',
        "U2,Given2,Family2,S1",
        "U3,Given3,Family3,S1",
    ]
    assert first["staff.csv"] == "person_id,first_name,last_name,location_id\n"
    assert once(where, zip_of(without(without(DAY_1, "users", "U2"), "enrollments", "E2"))).code == 0
    second = csvs_of(where)
    assert [name for name in first if first[name] != second[name]] == ["students.csv", "rosters.csv"]
    assert [line[:2] for line in second["students.csv"].splitlines()[1:]] == ["U1", "U3"]


def test_another_dialect_shows_in_the_next_run(tmp_path: Path) -> None:
    """Though no record has changed by it, and the run has nothing else to do."""
    where = place(tmp_path, rules=RULES, more=SINK)
    once(where, zip_of(DAY_1))
    write_rules(where, RULES.replace('"apple"', '"canvas"'))
    once(where, zip_of(changed(DAY_1, "users", "U3", phone="1")))
    assert csvs_of(where)["students.csv"].splitlines()[1] == 'U1,"Ann ""Nan"" Lee",Family1,S1'
    assert states_of(where) == ["applied", "applied"]
