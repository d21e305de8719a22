"""A package is held to what its reader would refuse: each rule alone, told by file, column and count."""

import tomllib
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from ingestd.core.package_rules import Sheet, asked, check_package
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from schemas import shapes

TABLES = """
[[table]]
name = "students"
from = "users"
key = ["person_id"]
[table.fields]
person_id = { from = "sourcedId" }
last_name = { from = "familyName" }

[[table]]
name = "staff"
from = "users"
key = ["person_id"]
[table.fields]
person_id = { from = "sourcedId" }

[[table]]
name = "classes"
from = "classes"
key = ["class_id", "term"]
spread = { teacher = 2 }
[table.collect.people]
from = "enrollments"
by = "classSourcedId"
take = "userSourcedId"
[table.fields]
class_id = { from = "sourcedId" }
term = { from = "title" }
teacher = { from = "people" }
owner = { from = "courseSourcedId" }
"""
CSV = """
[csv]
dialect = "{dialect}"
[csv.required]
students = ["last_name"]
[csv.references]
"classes.teacher" = "staff.person_id"
"classes.owner" = ["staff.person_id", "students.person_id"]
"""
WHOLE: Mapping[str, Mapping[str, Sequence[str]]] = {
    "students": {"person_id": ["P1", "P2"], "last_name": ["A", "B"]},
    "staff": {"person_id": ["T1", "T2"]},
    "classes": {
        "class_id": ["C1", "C1", "C2"],
        "term": ["1", "2", "1"],
        "teacher": ["T1", "", "T2"],
        "teacher_2": ["T2", "", ""],
        "owner": ["T1", "P1", ""],
    },
}


def rules_of(text: str) -> tuple[Rules, tuple[str, ...]]:
    """Return the rules in a text, and their faults."""
    return parse_rules(tomllib.loads(text), shapes())


def faults_of(
    package: Mapping[str, Mapping[str, Sequence[str]]], dialect: str = "standard", **headers: tuple[str, ...]
) -> list[str]:
    """Return what is wrong with a package; `headers` has those that are not what the cells are called."""
    rules, faults = rules_of(CSV.replace("{dialect}", dialect) + TABLES)
    assert faults == ()
    sheets = {
        name: Sheet(headers.get(name, tuple(cells)), {one: pa.array(cells[one], pa.large_string()) for one in cells})
        for name, cells in package.items()
    }
    return check_package(sheets, rules)


def but(table: str, **cells: Sequence[str]) -> dict[str, Mapping[str, Sequence[str]]]:
    """Return the package with other cells in some columns of a table."""
    return {**WHOLE, table: {**WHOLE[table], **cells}}


@pytest.mark.parametrize("dialect", ["standard", "apple", "sds", "canvas"])
def test_nothing_is_wrong_with_a_good_one(dialect: str) -> None:
    """Blank references name nobody, and that is no fault; keys of several fields are told apart by all of them."""
    assert faults_of(WHOLE, dialect) == []


def test_a_reference_may_be_a_list() -> None:
    """Or an id that has a comma in it, which is the whole value."""
    assert faults_of(but("classes", owner=["T1,P1", "P2, T2,", ""])) == []
    of_one = {**but("staff", person_id=["T1", "T2", "T,3"]), "classes": {**WHOLE["classes"], "owner": ["T,3", "", ""]}}
    assert faults_of(of_one) == []


def test_an_empty_one_is_in_order() -> None:
    """A feed before its first records."""
    assert faults_of({name: {one: [] for one in cells} for name, cells in WHOLE.items()}, "apple") == []


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ({name: WHOLE[name] for name in ("students", "classes")}, "staff.csv is missing"),
        (but("staff", person_id=["T1", "T2", "T1"]), "staff.csv, person_id: 1 records have the key of another"),
        (but("staff", person_id=["T1", "T2", " "]), "staff.csv, person_id: 1 cells are blank, and must not be"),
        (
            but("classes", term=["1", "1", "1"]),
            "classes.csv, class_id and term: 1 records have the key of another",
        ),
        (but("students", last_name=["", "B"]), "students.csv, last_name: 1 cells are blank, and must not be"),
        (but("classes", teacher=["T1", "P1", "T9"]), "classes.csv, teacher: 2 values name no record of staff.csv"),
        (but("classes", teacher_2=["T1", "T9", ""]), "classes.csv, teacher_2: 1 values name no record of staff.csv"),
        (
            but("classes", owner=["T1,P9", "T1, P1", "C1,C2"]),
            "classes.csv, owner: 2 values name no record of staff.csv or students.csv",
        ),
        (
            but("classes", owner=["T1", "P1", "C1"]),
            "classes.csv, owner: 1 values name no record of staff.csv or students.csv",
        ),
        (
            {**WHOLE, "students": {"person_id": ["P1", "P2"]}},
            "students.csv, last_name: the column is missing",
        ),
    ],
)
def test_each_fault_is_told(package: Mapping[str, Mapping[str, Sequence[str]]], told: str) -> None:
    """By file, column and how often, never by what was found."""
    assert faults_of(package) == [told]


def test_all_faults_are_told_at_once() -> None:
    """Nobody repairs a package one fault a night."""
    assert len(faults_of({**but("students", last_name=["", ""]), "staff": {"person_id": ["T1", "T1"]}})) == 4


def test_columns_have_names_of_their_own() -> None:
    """In whatever case."""
    told = ["students.csv: 1 columns have the name of another"]
    assert faults_of(WHOLE, students=("person_id", "last_name", "Last_Name")) == told


@pytest.mark.parametrize("cell", ["T_1", "T.1", "T 1", "Té", "T1\n"])
def test_apple_s_ids_are_letters_digits_and_hyphens(cell: str) -> None:
    """Keys and what refers to them; others take them as they are."""
    package = {**but("staff", person_id=[cell, "T-2"]), "classes": {**WHOLE["classes"], "teacher": [cell, "", "T-2"]}}
    package["classes"] = {**package["classes"], "teacher_2": ["", "", ""], "owner": ["", "", ""]}
    assert faults_of(package) == []
    assert faults_of(package, "apple") == [
        f"{place}: 1 ids have more than letters, digits and hyphens (see safe_id)"
        for place in ("staff.csv, person_id", "classes.csv, teacher")
    ]


def test_apple_s_people_are_students_or_staff() -> None:
    """Who comes second would overwrite the first."""
    package = but("students", person_id=["P1", "T2"])
    package = {**package, "classes": {**WHOLE["classes"], "owner": ["", "", ""]}}
    assert faults_of(package) == []
    assert faults_of(package, "apple") == ["students.csv and staff.csv, person_id: 1 people are in both"]


def test_what_is_asked_is_what_is_checked() -> None:
    """Keys, what is required, what refers, and what is referred to."""
    rules, _ = rules_of(CSV.replace("{dialect}", "apple") + TABLES)
    assert [asked(one, rules.csv) for one in rules.targets] == [
        ("person_id", "last_name"),
        ("person_id",),
        ("class_id", "term", "teacher", "teacher_2", "owner"),
    ]


@pytest.mark.parametrize(
    ("csv", "told"),
    [
        ('references = { "classes.nobody" = "staff.person_id" }', 'csv.references."classes.nobody": '),
        ('references = { "classes.owner" = "staff.nobody" }', 'csv.references."classes.owner": '),
        ('references = { "classes.owner" = [] }', 'csv.references."classes.owner": must be a list'),
        ('references = { "classes.owner" = 3 }', 'csv.references."classes.owner": '),
        ('required = { nobody = ["x"] }', "csv.required.nobody: "),
        ('required = { staff = ["x"] }', "csv.required.staff: "),
    ],
)
def test_rules_that_name_what_is_not_there_are_refused(csv: str, told: str) -> None:
    """As everything in a rules file is: when it is read."""
    _, faults = rules_of(f"[csv]\n{csv}\n{TABLES}")
    assert len(faults) == 1 and faults[0].startswith(told)
