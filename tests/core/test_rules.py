"""Rules files: what they come to mean, and the rules that ship with ingestd."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ingestd.config import load
from ingestd.core.dialect import Dialect
from ingestd.core.model import OnAbsent
from ingestd.core.rules import Case, OnUnmapped, Rule, Rules
from ingestd.core.rulesfile import parse_rules
from schemas import shapes

TABLES = shapes()
SHIPPED = Path(__file__).parents[2] / "config" / "rules"
SMALL = """
[[table]]
name = "patrons"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
"""


def parse(text: str) -> Rules:
    """Return the rules in a text without faults."""
    rules, faults = parse_rules(tomllib.loads(text), TABLES)
    assert faults == ()
    return rules


def test_what_is_not_said_is_the_safe_choice() -> None:
    """Records are deactivated and not deleted, and one whose value no map has is held back."""
    rules = parse(SMALL)
    target = rules.targets[0]
    assert (target.name, target.source, target.key) == ("patrons", "users", ("id",))
    assert (target.on_absent, target.where, target.update) == (OnAbsent.DEACTIVATE, {}, None)
    assert target.fields == {"id": Rule(column="sourcedId")}
    assert rules.on_unmapped is OnUnmapped.HOLD_RECORD


def test_the_dialect_of_csvs_is_no_matter_of_records() -> None:
    """It is the standard's unless another is named, and to name one has no record planned anew."""
    rules = parse(f'[csv]\ndialect = "apple"\n{SMALL}')
    assert (parse(SMALL).csv.dialect, rules.csv.dialect) == (Dialect.STANDARD, Dialect.APPLE)
    assert rules.fingerprint == parse(SMALL).fingerprint


def test_a_table_without_fields_takes_its_source_as_it_is() -> None:
    """Its key and its update list are columns of the source; the vendor's own may be among those to update."""
    text = '[[table]]\nname = "orgs"\nfrom = "orgs"\nkey = ["sourcedId"]\nupdate = ["name", "metadata.tier"]\n'
    target = parse(text).targets[0]
    assert target.fields is None
    assert target.update == ("name", "metadata.tier")


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ('{ from = "email", case = "lower" }', Rule(column="email", case=Case.LOWER)),
        ('{ const = "x" }', Rule(const="x")),
        ('{ template = "{familyName}, {givenName}" }', Rule(template=("", "familyName", ", ", "givenName", ""))),
        ('{ from = "grades", item = 2, default = "?" }', Rule(column="grades", item=2, default="?")),
        ('{ from = "grades", map = "grades" }', Rule(column="grades", map="grades")),
        ('{ from = "sms", lookup = "orgs", take = "name" }', Rule(column="sms", lookup="orgs", take="name")),
        ('{ from = "metadata.house" }', Rule(column="metadata.house")),
    ],
)
def test_verbs_of_a_field(entry: str, rule: Rule) -> None:
    """Each verb is read into the rule of its field."""
    rules = parse(f'{SMALL}field = {entry}\n[maps.grades]\n"09" = "High"\n')
    assert rules.targets[0].fields == {"id": Rule(column="sourcedId"), "field": rule}


def test_where_takes_a_value_or_several() -> None:
    """One value need not be a list."""
    text = SMALL.replace("[table.fields]", 'where = { role = "student", email = ["a", "b"] }\n[table.fields]')
    assert parse(text).targets[0].where == {"role": ("student",), "email": ("a", "b")}


def test_lookups_are_the_tables_that_fields_look_into() -> None:
    """They must be at hand before the table is mapped."""
    fields = '{ from = "orgSourcedIds", item = 1, lookup = "orgs", take = "name" }'
    assert parse(f"{SMALL}school = {fields}\n").targets[0].lookups() == {"orgs"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"patrons"', '"people"'),
        ('"sourcedId"', '"identifier"'),
        ('key = ["id"]', 'key = ["id"]\non_absent = "delete"'),
        ('key = ["id"]', 'key = ["id"]\nwhere = { role = "student" }'),
        ("id = {", 'more = { const = "" }\nid = {'),
        ("[[table]]", '[maps]\non_unmapped = "default"\n[[table]]'),
        ("[[table]]", '[maps.m]\na = "b"\n[[table]]'),
    ],
)
def test_the_fingerprint_changes_with_the_rules(old: str, new: str) -> None:
    """By it a change of rules is noticed, and everything planned anew."""
    assert parse(SMALL.replace(old, new)).fingerprint != parse(SMALL).fingerprint


def test_the_fingerprint_is_of_the_meaning() -> None:
    """Comments and blank lines are not the rules."""
    assert parse(f"# hello\n\n{SMALL}").fingerprint == parse(SMALL).fingerprint


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"table": {}},
        {"table": [1]},
        {"table": [{}], "maps": 3},
        {"table": [{"fields": [], "where": 1, "update": {}, "key": "a"}]},
        {"table": [{"name": 1, "from": [2], "on_absent": [3]}], "maps": {"m": [], "on_unmapped": {}}},
        {
            "table": [
                {"name": "a", "from": "users", "fields": {"x": {"from": [1], "template": 2, "take": 3, "map": []}}}
            ]
        },
    ],
)
def test_nothing_that_toml_can_say_raises(data: dict[str, Any]) -> None:
    """Whatever is written where it does not belong is a fault."""
    assert parse_rules(data, TABLES)[1]


# The rules that ship ----------------------------------------------------------------------------------------------


def shipped() -> Rules:
    """Return the rules `default`."""
    return parse((SHIPPED / "default.toml").read_text(encoding="utf-8"))


def test_shipped_rules_have_no_fault() -> None:
    """The rules that a feed has unless it names others are right."""
    assert shipped().on_unmapped is OnUnmapped.HOLD_RECORD


def test_shipped_rules_have_every_table_as_it_is() -> None:
    """One target table per table of the binding, in order of dependence, by sourcedId; then patrons."""
    targets = shipped().targets
    assert [target.name for target in targets] == [*TABLES, "patrons"]
    for target in targets[:-1]:
        assert (target.source, target.key, target.fields) == (target.name, ("sourcedId",), None)
        assert (target.on_absent, target.where) == (OnAbsent.DEACTIVATE, {})


def test_shipped_patrons_are_those_of_the_design() -> None:
    """Students, teachers and aides; what changes after creation; the fields of DESIGN section 9."""
    patrons = shipped().targets[-1]
    assert patrons.where == {"role": ("student", "teacher", "aide")}
    assert patrons.update == ("name", "email", "grade", "patron_type", "location")
    assert tuple(patrons.fields or ()) == ("patron_id", *patrons.update)


def test_shipped_map_knows_every_grade_of_the_standard() -> None:
    """The words of CEDS Entry Grade Level, on which OneRoster 1.1 relies."""
    grades = shipped().maps["patron_type"]
    assert " ".join(grades) == "IT PR PK TK KG 01 02 03 04 05 06 07 08 09 10 11 12 13 PS UG Other"
    assert (grades["KG"], grades["09"]) == ("Elementary", "High school")


def test_shipped_rules_are_found_by_their_name(tmp_path: Path) -> None:
    """A feed that names no rules gets the file `default`."""
    (tmp_path / "feeds").mkdir()
    (tmp_path / "ingestd.toml").write_text("")
    (tmp_path / "feeds" / "springfield.toml").write_text("")
    feed = load(tmp_path / "ingestd.toml").feeds["springfield"]
    assert feed.rules.read_bytes() == (SHIPPED / "default.toml").read_bytes()
