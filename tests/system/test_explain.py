"""`explain` and `plan --why`: what becomes of a record and why, from its line in a drop to the application."""

from pathlib import Path
from typing import Any

import pytest
from builders import Roster, added, changed, enrollment, klass, roster, row, user, without, zip_of
from places import FEED, Place, invoke, once, place, write_rules

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
SCOPE = FREE + '\n[scope]\norgs = ["S1"]\n'
RULES = """
[[table]]
name = "patrons"
from = "users"
where = { role = ["student", "teacher"] }
key = ["patron"]
[table.fields]
patron = { from = "sourcedId" }
name = { template = "{familyName}, {givenName}" }
grade = { from = "grades", item = 1, map = "grade" }
place = { from = "orgSourcedIds", item = 1, lookup = "orgs", take = "identifier" }
[[table]]
name = "sections"
from = "classes"
key = ["id"]
[table.collect.teachers]
from = "enrollments"
by = "classSourcedId"
take = "userSourcedId"
where = { role = ["teacher"] }
[table.fields]
id = { from = "sourcedId" }
teacher = { from = "teachers", item = 1 }
[maps.grade]
"09" = "Ninth"
"""
MAILED = """
[[table]]
name = "accounts"
from = "users"
key = ["mail"]
[table.fields]
mail = { from = "email" }
"""
LOW = row("orgs", sourcedId="S2", name="Low", type="school", identifier="0002", parentSourcedId="D1")
DAY_1: Roster = {
    **roster(3),
    "orgs": [*roster()["orgs"], LOW],
    "classes": [klass(1), klass(2), klass(3, schoolSourcedId="S2")],
    "users": [user(1), user(2, role="aide"), user(3), user(4, orgSourcedIds="S2")],
    "enrollments": [*roster(3)["enrollments"], enrollment(4, classSourcedId="C3", userSourcedId="U4")],
}
"""School S1 is in scope, S2 with class C3 and user U4 is not; U2 is no patron."""


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Return a feed that has taken the first day."""
    made = place(tmp_path, rules=RULES, more=SCOPE)
    assert once(made, zip_of(DAY_1)).code == 0
    return made


def story_of(where: Place, table: str, sourced_id: str, *more: str) -> dict[str, Any]:
    """Return what `explain --json` tells."""
    found: dict[str, Any] = invoke(where, "explain", FEED, table, sourced_id, *more, "--json").json
    return found


def target_of(where: Place, table: str, sourced_id: str, *more: str) -> dict[str, Any]:
    """Return what it tells of the first target table."""
    found: dict[str, Any] = story_of(where, table, sourced_id, *more)["targets"][0]
    return found


def why_of(where: Place, drop: Roster, *more: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the reason and its words by target, kind and key of each action of the plan for a drop."""
    path = where.folder / "next.zip"
    path.write_bytes(zip_of(drop))
    groups = invoke(where, "plan", FEED, path, "--why", *more, "--json").json["why"]
    return {
        (group["target"], group["kind"], one["key"]): (one["reason"], one["why"])
        for group in groups
        for one in group["listed"]
    }


# Findings ---------------------------------------------------------------------------------------------------------


def test_a_repair_that_a_record_carries_is_told_with_it(where: Place) -> None:
    """As long as the record is not sent otherwise: by code and column, of the run that accepted it so."""
    once(where, zip_of(changed(DAY_1, "users", "U1", enabledUser="TRUE")))
    once(where, zip_of(changed(changed(DAY_1, "users", "U1", enabledUser="TRUE"), "users", "U3", givenName="New")))
    (found,) = story_of(where, "users", "U1")["findings"]
    assert (found["severity"], found["column"], found["line"]) == ("info", "enabledUser", None)


def test_what_held_a_record_back_is_told_with_its_line(where: Place) -> None:
    """Of the newest drop, which is still there; the record itself is as it was."""
    once(where, zip_of(changed(DAY_1, "users", "U3", role="wizard", givenName="New")))
    story = story_of(where, "users", "U3")
    (found,) = [one for one in story["findings"] if one["severity"] == "error"]
    assert (found["run"], found["line"], found["column"]) == (f"{FEED}.2", 4, "role")
    assert [one["what"] for one in story["events"]] == ["created"]


def test_a_record_that_was_never_accepted_has_its_findings(where: Place) -> None:
    """Why it is not there is what everybody asks first."""
    once(where, zip_of(added(DAY_1, "enrollments", enrollment(9, userSourcedId="U9"))))
    story = story_of(where, "enrollments", "E9")
    assert (story["events"], story["scope"], story["targets"]) == ([], None, [])
    assert [one["code"] for one in story["findings"]] == ["dangling-reference"]
    assert "never been accepted" in invoke(where, "explain", FEED, "enrollments", "E9").out


# Scope ------------------------------------------------------------------------------------------------------------


def test_what_is_in_scope_says_so(where: Place) -> None:
    """There is no reason to tell."""
    assert story_of(where, "users", "U1")["scope"] == {"in": True, "reason": None, "why": None, "follows": []}


def test_what_follows_something_left_out_names_it_down_to_the_root(where: Place) -> None:
    """An enrollment goes with its class, and that with its school."""
    scope = story_of(where, "enrollments", "E4")["scope"]
    assert (scope["in"], scope["reason"]) == (False, "follows")
    chain = [(one["table"], one["sourcedId"], one["column"], one["reason"]) for one in scope["follows"]]
    assert chain == [("classes", "C3", "classSourcedId", "org"), ("orgs", "S2", "schoolSourcedId", "org")]
    found = target_of(where, "users", "U4")
    assert not found["chosen"]
    assert found["because"].startswith("out of scope: it goes with orgs S2")


def test_what_is_not_in_the_roster_has_no_scope(where: Place) -> None:
    """It gives no target record any more."""
    once(where, zip_of(without(without(DAY_1, "enrollments", "E3"), "users", "U3")))
    assert story_of(where, "users", "U3")["scope"] is None
    assert target_of(where, "users", "U3")["because"] == "it is not in the roster"


# Target records ---------------------------------------------------------------------------------------------------


def test_each_field_says_of_what_it_is_made(where: Place) -> None:
    """By columns and maps, and with `--values` what each verb makes of it."""
    found = {one["field"]: one for one in target_of(where, "users", "U1")["fields"]}
    assert found["name"]["from"] == ["familyName", "givenName"]
    assert [(one["verb"], one["of"]) for one in found["grade"]["steps"]] == [
        ("from", "grades"),
        ("item", "1"),
        ("map", "grade"),
    ]
    told = {one["field"]: one for one in target_of(where, "users", "U1", "--values")["fields"]}
    assert told["grade"]["value"] == "Ninth"
    assert [one["value"] for one in told["place"]["steps"]] == ["S1", "S1", "0001"]


def test_values_are_told_on_demand_alone(where: Place) -> None:
    """Law 9: neither the roster's nor those of the target record."""
    for words in (("explain", FEED, "users", "U1"), ("explain", FEED, "users", "U1", "--json")):
        out = invoke(where, *words).out
        assert not [one for one in ("Family1", "user1", "Ninth", "0001") if one in out]


def test_a_record_that_is_not_chosen_says_by_which_condition(where: Place) -> None:
    """It gives no record of that target table."""
    found = target_of(where, "users", "U2")
    assert (found["chosen"], found["because"], found["key"], found["fields"]) == (
        False,
        "its role is not student or teacher (where)",
        None,
        [],
    )


def test_a_record_that_is_held_back_says_why(where: Place) -> None:
    """The map does not have its value; the application has it as it was."""
    once(where, zip_of(changed(DAY_1, "users", "U1", grades="10")))
    found = target_of(where, "users", "U1")
    assert [one["code"] for one in found["held_back"]] == ["unmapped-value"]
    assert (found["active"], found["last_run"]) == (True, f"{FEED}.1")


def test_a_key_of_two_records_names_the_other(tmp_path: Path) -> None:
    """Which of them is meant nobody knows; one with a blank key has none."""
    days = changed(changed(roster(3), "users", "U2", email="user1@springfield.example"), "users", "U3", email="")
    where = place(tmp_path, rules=MAILED, more=FREE)
    once(where, zip_of(days))
    (found,) = target_of(where, "users", "U1")["held_back"]
    assert (found["code"], found["why"]) == ("duplicate-target-key", "users U2 would have the same key")
    assert [one["code"] for one in target_of(where, "users", "U3")["held_back"]] == ["required-value"]


def test_records_that_are_one_say_with_which(tmp_path: Path) -> None:
    """What the rules merge is told of the first."""
    merged = MAILED.replace("key =", 'merge_by = ["email"]\nkey =')
    where = place(tmp_path, rules=merged, more=FREE)
    once(where, zip_of(changed(roster(2), "users", "U2", email="user1@springfield.example")))
    assert target_of(where, "users", "U2")["because"] == "it is one with U1 (merge_by)"
    assert target_of(where, "users", "U1")["because"] is None


def test_a_record_that_gives_several_tells_each(tmp_path: Path) -> None:
    """Once per item of a list; an empty list gives none."""
    text = MAILED.replace('key = ["mail"]', 'each = "orgSourcedIds"\nkey = ["mail", "org"]')
    where = place(tmp_path, rules=f'{text}org = {{ from = "orgSourcedIds" }}\n', more=FREE)
    once(where, zip_of(changed(roster(1), "users", "U1", orgSourcedIds="S1,D1")))
    assert [one["key"].split(", ")[1] for one in story_of(where, "users", "U1")["targets"]] == ["S1", "D1"]


# Actions ----------------------------------------------------------------------------------------------------------


def test_the_runs_that_wrote_a_target_record_are_told(where: Place) -> None:
    """Which one made it, which one wrote or removed it last, and whether it is active now."""
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Second")))
    found = target_of(where, "users", "U1")
    assert (found["active"], found["created_by"], found["last_run"]) == (True, f"{FEED}.1", f"{FEED}.2")
    once(where, zip_of(changed(DAY_1, "users", "U1", role="aide")))
    actions = [(one["what"], one["run"]) for one in story_of(where, "users", "U1")["actions"]]
    assert actions == [("created", f"{FEED}.1"), ("removed", f"{FEED}.3")]


def test_the_story_fits_80_columns(where: Place) -> None:
    """With values and without, in scope and out of it."""
    once(where, zip_of(changed(added(DAY_1, "enrollments", enrollment(9, userSourcedId="U9")), "users", "U1", sms="x")))
    for words in (("users", "U1", "--values"), ("users", "U2"), ("enrollments", "E4"), ("enrollments", "E9")):
        out = invoke(where, "explain", FEED, *words).out
        assert max(map(len, out.splitlines())) <= 80


# plan --why -------------------------------------------------------------------------------------------------------


def test_why_a_target_record_is_created(where: Place) -> None:
    """Its roster record is new, or came into scope."""
    found = why_of(where, changed(added(DAY_1, "users", user(5)), "users", "U4", orgSourcedIds="S1"))
    assert found["patrons", "create", "U5"] == ("created", "created in the roster")
    reason, why = found["patrons", "create", "U4"]
    assert reason == "entered"
    assert why.startswith("in scope now; before: it goes with orgs S2")


def test_why_a_target_record_is_updated(where: Place) -> None:
    """Columns of its record changed, of those that the rules read; or a record that it refers to did."""
    days = changed(changed(DAY_1, "users", "U1", familyName="Second", username="x"), "orgs", "S1", identifier="0009")
    found = why_of(where, days)
    assert found["patrons", "update", "U1"] == ("changed", "changed: familyName")
    assert found["patrons", "update", "U3"] == ("refers", "orgs S1 changed: identifier")


def test_why_a_list_is_updated(where: Place) -> None:
    """A record that names this one came."""
    days = added(added(DAY_1, "users", user(7, role="teacher")), "enrollments")
    days = added(days, "enrollments", enrollment(7, userSourcedId="U7", role="teacher"))
    assert why_of(where, days)["sections", "update", "C1"] == ("refers", "enrollments E7 created")


def test_why_a_target_record_is_removed(where: Place) -> None:
    """Its record is deleted, out of scope, or not chosen any more."""
    gone = without(without(DAY_1, "enrollments", "E3"), "users", "U3")
    assert why_of(where, gone)["patrons", "remove", "U3"] == ("deleted", "deleted in the roster")
    moved = changed(changed(DAY_1, "users", "U1", orgSourcedIds="S2"), "users", "U3", role="aide")
    found = why_of(where, moved)
    assert found["patrons", "remove", "U1"][0] == "scope"
    assert found["patrons", "remove", "U3"] == ("where", "not chosen any more: its role is not student or teacher")


def test_why_all_is_planned_anew(where: Place) -> None:
    """The rules or the scope changed, and nothing of the roster did."""
    write_rules(where, RULES.replace('"Ninth"', '"9th"'))
    (group,) = invoke(where, "plan", FEED, "--why", "--json").json["why"]
    assert {one["reason"] for one in group["listed"]} == {"rules"}
    write_rules(where, RULES)
    wide = place(where.folder, rules=RULES, more=FREE)
    found = invoke(wide, "plan", FEED, "--why", "--json").json["why"]
    assert {one["reason"] for group in found for one in group["listed"]} == {"scope-changed"}


def test_the_reasons_of_many_are_counted_and_not_all_told(where: Place) -> None:
    """A hundred of one kind are enough to see what is going on."""
    path = where.folder / "next.zip"
    path.write_bytes(zip_of(added(DAY_1, "users", *(user(number) for number in range(100, 250)))))
    (group,) = invoke(where, "plan", FEED, path, "--why", "--json").json["why"]
    assert (group["target"], group["kind"], group["count"], len(group["listed"])) == ("patrons", "create", 150, 100)


def test_a_plan_tells_values_on_demand_alone(where: Place) -> None:
    """Names of columns otherwise; and without --why there is nothing to have values."""
    path = where.folder / "next.zip"
    path.write_bytes(zip_of(changed(DAY_1, "users", "U1", familyName="Second")))
    assert "Second" not in invoke(where, "plan", FEED, path, "--why").out
    shown = invoke(where, "plan", FEED, path, "--why", "--values").out
    assert "familyName: 'Family1' → 'Second'" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "why" not in invoke(where, "plan", FEED, path, "--json").json
    assert invoke(where, "plan", FEED, path, "--values").code == 2


def test_why_a_target_record_gets_another_key(tmp_path: Path) -> None:
    """Its record is renamed, in a run that is held for something else."""
    people = [user(number, orgSourcedIds="S1" if number < 6 else "S2") for number in range(1, 31)]
    once(place(tmp_path, rules=RULES), zip_of({**roster(30), "orgs": DAY_1["orgs"], "users": people}))
    where = place(tmp_path, rules=RULES, more='\n[scope]\norgs = ["S1"]\n')
    ids = tmp_path / "ids.csv"
    ids.write_text("old,new\nU1,N1\n")
    assert invoke(where, "rekey", FEED, ids).code == 3
    groups = {one["kind"]: one for one in invoke(where, "plan", FEED, "--why", "--json").json["why"]}
    (rekeyed,) = groups["rekey"]["listed"]
    assert (rekeyed["sourcedId"], rekeyed["reason"]) == ("U1", "rekeyed")
    assert {one["reason"] for one in groups["remove"]["listed"]} == {"scope"}
