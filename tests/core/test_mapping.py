"""Rules over frames: each verb, their order, and what is held back."""

import tomllib
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from roster_world import SEED, TABLES, codes, frame, where

from ingestd.core.mapping import KEY_JOIN, Mapped, compared, found_values, key_text, map_records, split_key
from ingestd.core.model import Severity
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules

HEAD = '[[table]]\nname = "patrons"\nfrom = "users"\nkey = ["id"]\n'
ID = 'id = { from = "sourcedId" }\n'
ORGS = {"orgs": {"identifier": {"O1": "0001", "O2": ""}}}


def rules_of(text: str) -> Rules:
    """Return the rules in a text."""
    rules, faults = parse_rules(tomllib.loads(text), TABLES)
    assert not faults
    return rules


def users(**columns: list[str]) -> pd.DataFrame:
    """Return users U1, U2 … with these cells, all others blank."""
    count = len(next(iter(columns.values())))
    given = {"sourcedId": [f"U{i}" for i in range(1, count + 1)], **columns}
    return frame(**{name: given.get(name, [""] * count) for name in dict.fromkeys([*TABLES["users"].header, *given])})


def mapped(fields: str, records: pd.DataFrame, head: str = HEAD, maps: str = "") -> Mapped:
    """Map users by some fields and `id`."""
    rules = rules_of(f"{head}[table.fields]\n{ID}{fields}\n{maps}")
    return map_records(rules.targets[0], records, ORGS, rules, SEED)


def made(field: str, records: pd.DataFrame, maps: str = "") -> list[str]:
    """Return the values of one field."""
    return list(mapped(f"x = {field}", records, maps=maps).frame["x"])


# Ways -------------------------------------------------------------------------------------------------------------

MAILS = """[
    { template = "{username}@students.example", when = { role = ["student"] } },
    { template = "{username}@staff.example", when = { role = ["teacher"], username = true } },
    { from = "email" },
]"""


def test_a_field_can_be_made_in_several_ways() -> None:
    """The first whose `when` holds makes the value, records stay in their order; the last one makes what is left."""
    roles, names = ["teacher", "aide", "student", "teacher", "student"], ["t", "a", "s", "", "z"]
    people = users(role=roles, username=names, email=["1@x", "2@x", "3@x", "4@x", "5@x"])
    assert made(MAILS, people) == ["t@staff.example", "2@x", "s@students.example", "4@x", "z@students.example"]
    assert made(MAILS, people[:0]) == []


def test_a_way_that_does_not_hold_says_nothing_of_the_record() -> None:
    """Neither that its map lacks the value, nor that it cannot be written; and what is said is counted by map."""
    field = """[
        { from = "grades", item = 1, map = "kinds", when = { role = ["student"] } },
        { from = "sms", phone = "US", when = { role = ["parent"] } },
        { from = "role", map = "roles" },
    ]"""
    maps = '[maps.kinds]\n"09" = "High"\n[maps.roles]\n"aide" = "Helper"\n'
    people = users(
        role=["student", "student", "parent", "teacher", "aide"],
        grades=["09", "99", "99", "99", "99"],
        sms=["?", "?", "nobody", "?", "?"],
    )
    found = mapped(f"x = {field}", people, maps=maps)
    assert list(found.frame["x"]) == ["High", "", "", "", "Helper"]
    assert found.unmapped == {"kinds": 1, "roles": 1}
    assert list(found.held) == [False, True, False, True, False]
    assert [(one.code, one.count) for one in found.batches if one.code == "unwritable-value"] == [
        ("unwritable-value", 1)
    ]


def test_maps_are_asked_by_the_ways_that_hold() -> None:
    """`maps` lists each value that a map is asked for, once for a field, however many ways ask it."""
    field = """[
        { from = "grades", item = 1, map = "kinds", when = { role = ["student"] } },
        { from = "grades", item = 2, map = "kinds", when = { role = ["teacher"] } },
        { const = "none" },
    ]"""
    rules = rules_of(f"{HEAD}[table.fields]\n{ID}x = {field}\n{KINDS}")
    people = users(role=["student", "teacher", "aide"], grades=["09,10", "09,10", "11,12"])
    assert list(found_values(rules.targets[0], people, ORGS)) == [("kinds", "x", {"09": 1, "10": 1})]


def test_a_field_reads_what_any_of_its_ways_reads() -> None:
    """Columns, and the tables that are looked into."""
    field = """[
        { from = "orgSourcedIds", lookup = "orgs", take = "identifier", when = { role = ["aide"] } },
        { from = "sms" },
    ]"""
    target = rules_of(f"{HEAD}[table.fields]\n{ID}x = {field}\n").targets[0]
    assert target.columns() == {"sourcedId", "orgSourcedIds", "role", "sms"}
    assert target.lookups() == {"orgs"}


# Verbs ------------------------------------------------------------------------------------------------------------

KINDS = '[maps.kinds]\n"09" = "High"\n"10" = "High"\n'


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ('{ from = "grades" }', ["09,10", ""], ["09,10", ""]),
        ('{ const = "here" }', ["09", ""], ["here", "here"]),
        ('{ const = "" }', ["09", ""], ["", ""]),
        ('{ template = "grade {grades}!" }', ["09", ""], ["grade 09!", "grade !"]),
        ('{ template = "{grades}{sourcedId}" }', ["09", ""], ["09U1", "U2"]),
        ('{ from = "grades", item = 1 }', ["09,10", "09", ""], ["09", "09", ""]),
        ('{ from = "grades", item = 2 }', ["09,10", "09", ""], ["10", "", ""]),
        ('{ from = "grades", default = "none" }', ["09", ""], ["09", "none"]),
        ('{ from = "grades", case = "lower" }', ["KG", "ÄÖ"], ["kg", "äö"]),
        ('{ from = "grades", case = "upper" }', ["kg", ""], ["KG", ""]),
        ('{ from = "grades", lookup = "orgs", take = "identifier" }', ["O1", "O2", "O9", ""], ["0001", "", "", ""]),
        ('{ from = "grades", map = "kinds" }', ["09", "10", ""], ["High", "High", ""]),
        (
            '{ from = "grades", map = "kinds", item = 2, default = "Staff", case = "upper" }',
            ["1,09", "10"],
            ["HIGH", "STAFF"],
        ),
        ('{ from = "metadata.house" }', ["09", ""], ["", ""]),
        (
            '{ from = "grades", date = "%m/%d/%Y" }',
            ["2026-08-31", "2026-08-31T07:00:00Z", ""],
            ["08/31/2026"] * 2 + [""],
        ),
        ('{ from = "grades", phone = "US" }', ["(217) 555-0100", "+12175550100", ""], ["+12175550100"] * 2 + [""]),
        ('{ from = "grades", safe_id = true }', ["TCH_12", "a-b", "ä", ""], ["TCH-x5F12", "a-b", "-xC3-xA4", ""]),
        ('{ const = "9", when = { grades = ["09", "10"] } }', ["09", "10", "11"], ["9", "9", ""]),
        ('{ from = "grades", when = { grades = "09" }, default = "no" }', ["09", "10"], ["09", "no"]),
        ('{ from = "grades", map = "kinds", when = { grades = "09" } }', ["09", "11"], ["High", ""]),
    ],
)
def test_verbs(field: str, values: list[str], expected: list[str]) -> None:
    """A field is taken where `when` holds, then its item, looked up, mapped, written, filled in, set in its case."""
    assert made(field, users(grades=values), KINDS) == expected


@pytest.mark.parametrize("verb", ['date = "%Y"', 'phone = "US"'])
def test_what_cannot_be_written_is_left_blank_and_told(verb: str) -> None:
    """The record goes on with the default; the finding counts, and tells no value."""
    found = mapped(f'x = {{ from = "grades", {verb}, default = "?" }}', users(grades=["9", "12345678901234567890", ""]))
    assert list(found.frame["x"]) == ["?", "?", "?"]
    assert [(one.code, one.severity, one.count) for one in found.batches] == [("unwritable-value", Severity.WARNING, 2)]
    assert "1234" not in found.batches[0].message


def test_what_a_map_lacks_is_no_matter_where_the_field_is_not_wanted() -> None:
    """`when` comes first: no record is held back for a value that is not asked for."""
    found = mapped(
        'x = { from = "grades", map = "kinds", when = { grades = "09" } }', users(grades=["09", "99"]), maps=KINDS
    )
    assert (where(found.held), found.unmapped) == ([], {})


def test_a_looked_up_value_may_be_mapped() -> None:
    """The map sees what was looked up."""
    field = '{ from = "orgSourcedIds", lookup = "orgs", take = "identifier", map = "kinds" }'
    assert made(field, users(orgSourcedIds=["O1", "O2"]), '[maps.kinds]\n"0001" = "North"\n') == ["North", ""]


def test_a_map_may_have_an_entry_for_the_blank() -> None:
    """Otherwise a blank stays blank and is never unmapped."""
    assert made('{ from = "grades", map = "m" }', users(grades=["", "1"]), '[maps.m]\n"" = "none"\n1 = "one"\n') == [
        "none",
        "one",
    ]


@pytest.mark.parametrize(
    "fields",
    ['x = { const = "1" }', 'x = { template = "{email}" }', 'x = { from = "grades", item = 1, map = "kinds" }'],
)
def test_no_records_give_no_target_records(fields: str) -> None:
    """Every verb bears an empty table."""
    found = mapped(fields, users(grades=[]), maps=KINDS)
    assert list(found.frame.columns) == ["id", "x"]
    assert len(found.frame) == len(found.keys) == len(found.contents) == len(found.held) == 0


# Tables -----------------------------------------------------------------------------------------------------------


PLACES = 'user = { from = "sourcedId" }\nplace = { from = "orgSourcedIds" }'


def test_each_takes_a_record_once_per_item() -> None:
    """The list's column has the item; an empty list gives no record, an item that is there twice gives one."""
    head = '[[table]]\nname = "places"\nfrom = "users"\neach = "orgSourcedIds"\nkey = ["user", "place"]\n'
    records = users(orgSourcedIds=["O1,O2", "", "O2,O2,"], role=["student"] * 3)
    rules = rules_of(f"{head}[table.fields]\n{PLACES}")
    found = map_records(rules.targets[0], records, ORGS, rules, SEED)
    assert list(zip(found.frame["user"], found.frame["place"], strict=True)) == [
        ("U1", "O1"),
        ("U1", "O2"),
        ("U3", "O2"),
    ]
    assert not found.held.any()
    assert len(set(found.keys)) == 3


def test_spread_puts_a_list_into_numbered_columns() -> None:
    """Each verb of the field acts on each item; lists with more items than columns are told."""
    head = HEAD + "spread = { place = 3 }\n"
    records = users(orgSourcedIds=["O1", "O1,O2", "", "O1,O2,O1,O2"])
    found = mapped(
        'place = { from = "orgSourcedIds", lookup = "orgs", take = "identifier", default = "-" }', records, head
    )
    assert list(found.frame.columns) == ["id", "place", "place_2", "place_3"]
    assert found.frame.iloc[:, 1:].to_numpy().tolist() == [
        ["0001", "-", "-"], ["0001", "-", "-"], ["-", "-", "-"], ["0001", "-", "0001"],
    ]  # fmt: skip
    assert [(one.code, one.count) for one in found.batches] == [("too-many-items", 1)]


def test_what_is_updated_may_be_spread() -> None:
    """An update list names the field, and means all its columns."""
    head = HEAD + 'update = ["place"]\nspread = { place = 2 }\n'
    before, after = (
        mapped('place = { from = "orgSourcedIds" }', users(orgSourcedIds=[one]), head) for one in ("O1", "O1,O2")
    )
    assert before.contents[0] != after.contents[0]


def test_where_chooses_records() -> None:
    """A record must have one of the values in each of the columns."""
    head = f'{HEAD}where = {{ role = ["student", "aide"], enabledUser = "true" }}\n'
    records = users(role=["student", "aide", "parent", "student"], enabledUser=["true", "true", "true", "false"])
    assert list(mapped("", records, head).frame["id"]) == ["U1", "U2"]


def test_where_of_a_column_that_is_not_sent_chooses_nobody() -> None:
    """A metadata column that the vendor stopped sending is blank."""
    head = f'{HEAD}where = {{ "metadata.house" = "red" }}\n'
    assert not len(mapped("", users(role=["student"]), head).frame)


def test_without_fields_columns_are_as_they_are() -> None:
    """The vendor's own columns come along."""
    rules = rules_of('[[table]]\nname = "users"\nfrom = "users"\nkey = ["sourcedId"]\n')
    records = users(grades=["09"], **{"metadata.house": ["red"]})
    found = map_records(rules.targets[0], records, {}, rules, SEED)
    assert found.frame.equals(records)
    assert compared(rules.targets[0], list(records.columns)) == [
        name for name in records.columns if name != "sourcedId"
    ]


def test_only_what_is_updated_is_compared() -> None:
    """A change of a field that is not on the `update` list changes no content; one that is does."""
    head = f'{HEAD}update = ["grade"]\n'
    fields = 'grade = { from = "grades" }\nmail = { from = "email" }'

    def content(**cells: Any) -> int:
        return int(mapped(fields, users(**cells), head).contents[0])

    assert content(grades=["09"], email=["a"]) == content(grades=["09"], email=["b"])
    assert content(grades=["09"], email=["a"]) != content(grades=["10"], email=["a"])


def test_records_of_a_key_alone_are_all_alike() -> None:
    """Where there is nothing to compare, nothing ever changes."""
    found = mapped("", users(grades=["09", "10"]))
    assert found.contents.tolist() == [1, 1]
    assert len(set(found.keys.tolist())) == 2


def test_update_may_name_a_column_that_is_not_sent() -> None:
    """A metadata column on the `update` list need not be there."""
    rules = rules_of(
        '[[table]]\nname = "users"\nfrom = "users"\nkey = ["sourcedId"]\nupdate = ["role", "metadata.house"]\n'
    )
    assert compared(rules.targets[0], ["sourcedId", "role", "email"]) == ["role"]


# Held back --------------------------------------------------------------------------------------------------------

UNKNOWN = 'x = { from = "grades", map = "kinds", default = "?" }'


@pytest.mark.parametrize(
    ("choice", "held", "severity"),
    [("hold_record", [1], Severity.ERROR), ("hold_run", [], Severity.WARNING), ("default", [], Severity.WARNING)],
)
def test_a_value_that_no_map_has(choice: str, held: list[int], severity: Severity) -> None:
    """The record is held back, or goes on with the default; either way it is counted by map, and no value told."""
    found = mapped(UNKNOWN, users(grades=["09", "99"]), maps=f'[maps]\non_unmapped = "{choice}"\n{KINDS}')
    assert where(found.held) == held
    assert found.unmapped == {"kinds": 1}
    assert list(found.frame["x"]) == ["High", "?"]
    assert [(one.code, one.severity, one.count, one.file) for one in found.batches] == [
        ("unmapped-value", severity, 1, "users.csv")
    ]
    assert "99" not in found.batches[0].message


def test_two_fields_of_one_map_count_once_per_record() -> None:
    """`unmapped` counts records, not cells."""
    found = mapped(f'{UNKNOWN}\ny = {{ from = "grades", map = "kinds" }}', users(grades=["99", "98"]), maps=KINDS)
    assert found.unmapped == {"kinds": 2}


def test_a_key_that_two_records_give_holds_both_back() -> None:
    """Which of them should be the target record nobody can say."""
    head = HEAD.replace('["id"]', '["mail"]')
    found = mapped('mail = { from = "email", case = "lower" }', users(email=["A", "b", "a", "c"]), head)
    assert where(found.held) == [0, 2]
    assert [(one.code, one.count) for one in found.batches] == [("duplicate-target-key", 2)]


def test_a_blank_key_holds_back() -> None:
    """A record without a key cannot be kept; that is no duplicate, however many there are."""
    head = HEAD.replace('["id"]', '["mail"]')
    found = mapped('mail = { from = "email" }', users(email=["", "b", ""]), head)
    assert where(found.held) == [0, 2]
    assert [(one.code, one.count, one.column) for one in found.batches] == [("required-value", 2, "mail")]


def test_a_key_of_several_fields_may_have_blanks_but_not_alone() -> None:
    """The fields of a key are told apart, and all blank is no key."""
    head = HEAD.replace('["id"]', '["mail", "grade"]')
    fields = 'mail = { from = "email" }\ngrade = { from = "grades" }'
    found = mapped(fields, users(email=["a", "", "", "ab", "a"], grades=["b", "ab", "", "", "b"]), head)
    assert where(found.held) == [0, 2, 4]
    assert codes(found.batches) == ["required-value", "duplicate-target-key"]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "metadata.x", "c")])
def test_keys_come_apart_as_they_were_joined(names: tuple[str, ...]) -> None:
    """The text of a key gives its fields again, blanks too."""
    cells = frame(**{name: [f"{name}1", "", "x y,z"] for name in names})
    text = key_text(cells, names)
    assert [part.to_pylist() for part in split_key(text, len(names))] == [list(cells[name]) for name in names]
    assert text.to_pylist()[1] == KEY_JOIN * (len(names) - 1)
    assert [part.to_pylist() for part in split_key(pa.array([], pa.large_string()), len(names))] == [[]] * len(names)
