"""How a target record comes about: every verb in its turn, and by which condition there is none."""

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from roster_world import SEED, frame

from ingestd.core.explaining import FieldTold, Step, condition_words, explain_fields, field_as_dict, why_not
from ingestd.core.mapping import choose, map_records
from ingestd.core.rules import Rules, Target
from ingestd.core.rulesfile import parse_rules
from schemas import shapes

SHIPPED = sorted((Path(__file__).parents[2] / "config" / "rules").glob("*.toml"))
ORGS = {"orgs": {"identifier": {"O1": "0001", "O2": ""}}}
HEAD = '[[table]]\nname = "patrons"\nfrom = "users"\nkey = ["id"]\n'
KINDS = '[maps.kinds]\n"09" = "High"\n'


def rules_of(text: str) -> Rules:
    """Return the rules in a text."""
    rules, faults = parse_rules(tomllib.loads(text), shapes())
    assert not faults
    return rules


def user(**cells: str) -> pd.DataFrame:
    """Return one user as a frame, with blanks for the cells that are not given."""
    given = {"sourcedId": "U1", **cells}
    return frame(**{name: [given.get(name, "")] for name in dict.fromkeys([*shapes()["users"].header, *given])})


def told(field: str, maps: str = "", **cells: str) -> FieldTold:
    """Explain one field of a user."""
    rules = rules_of(f'{HEAD}[table.fields]\nid = {{ from = "sourcedId" }}\nx = {field}\n{maps}')
    return explain_fields(rules.targets[0], user(**cells), ORGS, rules)[1]


def steps(field: str, maps: str = "", **cells: str) -> list[tuple[str, str, str]]:
    """Return each step as its verb, what it names, and the value behind it."""
    return [(one.verb, one.names, one.value) for one in told(field, maps, **cells).steps]


# Steps ------------------------------------------------------------------------------------------------------------


def test_each_verb_has_the_value_that_it_makes() -> None:
    """In the order in which they act, whatever the order in the rules."""
    field = '{ case = "upper", map = "kinds", item = 2, from = "grades", default = "none" }'
    assert steps(field, KINDS, grades="08,09") == [
        ("from", "grades", "08,09"),
        ("item", "2", "09"),
        ("map", "kinds", "High"),
        ("default", "none", "High"),
        ("case", "upper", "HIGH"),
    ]


@pytest.mark.parametrize(
    ("field", "cells", "expected"),
    [
        ('{ const = "here" }', {}, [("const", "here", "here")]),
        (
            '{ template = "{familyName}, {givenName}" }',
            {"familyName": "A", "givenName": "B"},
            [("template", "familyName, givenName", "A, B")],
        ),
        (
            '{ from = "orgSourcedIds", item = 1, lookup = "orgs", take = "identifier" }',
            {"orgSourcedIds": "O1"},
            [("from", "orgSourcedIds", "O1"), ("item", "1", "O1"), ("lookup", "orgs.identifier", "0001")],
        ),
        ('{ from = ["sms", "phone"] }', {"phone": "1"}, [("from", "phone", "1")]),
        ('{ from = ["sms", "phone"] }', {"sms": "2", "phone": "1"}, [("from", "sms", "2")]),
        ('{ from = "sms", safe_id = true }', {"sms": "a b"}, [("from", "sms", "a b"), ("safe_id", "", "a-x20b")]),
        (
            '{ from = "sms", when = { role = ["student", "aide"], email = true } }',
            {"sms": "2", "role": "parent"},
            [("from", "sms", "2"), ("when", "role is student or aide and email is filled", "")],
        ),
        (
            '{ from = "sms", date = "%m/%d/%Y", phone = "US" }',
            {"sms": "2026-03-02"},
            [("from", "sms", "2026-03-02"), ("date", "%m/%d/%Y", "03/02/2026"), ("phone", "US", "")],
        ),
    ],
)
def test_a_verb_names_what_it_is_given_by_the_rules(
    field: str, cells: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    """Columns, tables, maps and forms; of several columns the one that is filled."""
    assert steps(field, **cells) == expected


def test_a_step_says_whether_it_made_a_difference() -> None:
    """A default that is not needed did not."""
    field = '{ from = "email", default = "x", case = "lower" }'
    assert [one.acts for one in told(field, email="A").steps] == [True, False, True]
    assert [one.acts for one in told(field, email="").steps] == [True, True, False]


def test_a_value_that_its_map_lacks_is_told_with_the_map() -> None:
    """And one that it has is not."""
    assert told('{ from = "grades", map = "kinds" }', KINDS, grades="99").unmapped == "kinds"
    assert told('{ from = "grades", map = "kinds" }', KINDS, grades="09").unmapped is None


def test_a_collected_column_says_of_what_it_is() -> None:
    """Its name alone is only known to the rules."""
    text = (
        f'{HEAD}[table.collect.rooms]\nfrom = "enrollments"\nby = "userSourcedId"\ntake = "classSourcedId"\n'
        '[table.fields]\nid = { from = "sourcedId" }\nroom = { from = "rooms", item = 1 }\n'
    )
    rules = rules_of(text)
    found = explain_fields(rules.targets[0], user(rooms="C1,C2"), {}, rules)[1]
    assert found.steps[0] == Step("from", "rooms (classSourcedId of enrollments)", acts=True, value="C1,C2")
    assert found.value == "C1"


def test_without_fields_a_column_is_as_it_is() -> None:
    """There are no steps to tell."""
    rules = rules_of('[[table]]\nname = "users"\nfrom = "users"\nkey = ["sourcedId"]\n')
    found = {one.name: one for one in explain_fields(rules.targets[0], user(email="a"), {}, rules)}
    assert found["email"] == FieldTold("email", ("email",), (), "a")


def test_values_are_told_only_if_they_are_wanted() -> None:
    """Law 9: without them there are names of columns and of what the rules say."""
    found = told('{ from = "grades", map = "kinds", default = "none" }', KINDS, grades="secret")
    assert "secret" not in str(field_as_dict(found, values=False))
    with_values: dict[str, Any] = field_as_dict(found, values=True)
    assert [one["value"] for one in with_values["steps"]] == ["secret", "", "none"]
    assert with_values["value"] == "none"


def rows_of_every_kind(target: Target) -> pd.DataFrame:
    """Return records of a target's source with blanks, lists, and words of the columns' own."""
    columns = shapes()[target.source].columns
    cells = {one.name: ["", "a b,c", (one.values or ("2026-03-02",))[0]] for one in columns}
    return frame(**{**cells, "sourcedId": ["1", "2", "3"]})


def test_of_several_ways_the_one_that_made_the_value_is_told() -> None:
    """With the condition by which it was chosen, and the columns that it reads."""
    field = '[{ from = "grades", item = 1, map = "kinds", when = { role = ["student"] } }, { from = "email" }]'
    student = told(field, KINDS, role="student", grades="08", email="x@y")
    assert (student.sources, student.unmapped, student.value) == (("grades",), "kinds", "")
    assert [(one.verb, one.names) for one in student.steps][:2] == [("from", "grades"), ("when", "role is student")]
    other = told(field, KINDS, role="aide", grades="08", email="x@y")
    assert (other.sources, other.unmapped, other.value) == (("email",), None, "x@y")
    assert [one.verb for one in other.steps] == ["from"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.stem))
def test_what_is_told_is_what_is_done(path: Path) -> None:
    """The value that a field is said to have is the one that mapping gives it, in all rules that ship with ingestd."""
    rules = rules_of(path.read_text())
    for target in rules.targets:
        records = rows_of_every_kind(target)
        looked_up = [rule for rule in (target.fields or {}).values() if rule.lookup and rule.take]
        lookups = {str(rule.lookup): {str(one.take): {"a b": "09"} for one in looked_up} for rule in looked_up}
        mapped = map_records(target, records, lookups, rules, SEED).frame
        chosen = choose(target, records)
        for row in range(len(chosen)):
            found = explain_fields(target, chosen.iloc[[row]], lookups, rules)
            assert {one.name: one.value for one in found} == mapped.iloc[row].to_dict()


# Conditions -------------------------------------------------------------------------------------------------------


def test_who_is_chosen_has_nothing_to_be_told() -> None:
    """Also of two sets of conditions of which one is enough."""
    assert why_not(user(role="student"), {"role": ("student",), "email": False}) is None
    assert why_not(user(role="student"), ({"email": True}, {"role": ("student",)})) is None


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"email": True, "role": ("student", "aide", "teacher")}, "its role is not student, aide or teacher"),
        ({"email": False}, "its email is not blank"),
        ({"sms": True}, "its sms is blank"),
        ({"metadata.house": ("red",)}, "its metadata.house is not red"),
        (({"role": ("student",)}, {"sms": True}), "its role is not student; and its sms is blank"),
    ],
)
def test_the_condition_that_is_not_fulfilled_is_told(conditions: Any, expected: str) -> None:
    """The first one of each set, in the words of the rules; what the record has instead only on demand."""
    record = user(role="parent", email="a@b.example")
    assert why_not(record, conditions) == expected
    assert "parent" in (why_not(record, {"role": ("student",)}, values=True) or "")


def test_conditions_in_words() -> None:
    """Of each set all, of several sets one."""
    assert condition_words(({"role": ("aide",), "email": True}, {"sms": False})) == (
        "role is aide and email is filled; or sms is blank"
    )
