"""Rosters and rules as the laws of mapping draw them."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date
from typing import Any

from hypothesis import strategies as st
from roster_world import enrollment, org, user

from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from schemas import shapes

Records = list[dict[str, str]]
Roster = dict[str, Records]
Toml = dict[str, Any]
TODAY = date(2026, 3, 2)
ADMINISTRATORS = ("U2",)

# Rosters ----------------------------------------------------------------------------------------------------------

EVERYBODY = [f"U{number}" for number in range(1, 7)]
CLASSES = ["C1", "C2", "C3"]
FEW = st.sampled_from(["", "a", "B b", "Ünal", "07"])
DAYS = st.sampled_from(["", "2025-08-20", "2026-03-02", "2026-06-12"])


def some(values: Sequence[str], least: int = 0) -> st.SearchStrategy[str]:
    """Draw lists of up to two ids."""
    most = min(2, len(values))
    if not most:
        return st.just("")
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(",".join)


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    """Draw rosters in which nothing is held back; no table is empty, for that would delete nothing."""
    people = draw(st.lists(st.sampled_from(EVERYBODY), min_size=1, unique=True))
    sessions = [
        {"sourcedId": one, "title": one, "type": "term", "schoolYear": "2026", "startDate": first, "endDate": last}
        for one, first, last in (("T1", "2025-08-20", "2026-01-10"), ("T2", "2026-01-11", "2026-06-12"))
    ]
    parts = [
        enrollment(
            f"E{number}",
            classSourcedId=draw(st.sampled_from(CLASSES)),
            userSourcedId=draw(st.sampled_from(people)),
            role=draw(st.sampled_from(["student", "teacher"])),
            beginDate=draw(DAYS),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    for one in parts:
        one["primary"] = draw(st.sampled_from(["true", "false"])) if one["role"] == "teacher" else ""
    return {
        "orgs": [org("O1", identifier=draw(FEW)), org("O2", identifier=draw(FEW), parentSourcedId=draw(some(["O1"])))],
        "academicSessions": sessions,
        "courses": [{"sourcedId": "K1", "title": draw(FEW) or "K", "orgSourcedId": "O1"}],
        "classes": [draw(classes(one)) for one in CLASSES],
        "users": [draw(persons(one, people)) for one in people],
        "enrollments": parts,
    }


@st.composite
def classes(draw: st.DrawFn, sourced_id: str) -> dict[str, str]:
    """Draw a class of that id."""
    return {
        "sourcedId": sourced_id,
        "title": draw(FEW) or "Algebra",
        "courseSourcedId": "K1",
        "classType": draw(st.sampled_from(["homeroom", "scheduled"])),
        "schoolSourcedId": draw(st.sampled_from(["O1", "O2"])),
        "termSourcedIds": draw(some(["T1", "T2"], least=1)),
    }


@st.composite
def persons(draw: st.DrawFn, sourced_id: str, people: Sequence[str]) -> dict[str, str]:
    """Draw a user of that id, who may refer to others."""
    return user(
        sourced_id,
        role=draw(st.sampled_from(["student", "teacher", "administrator", "guardian"])),
        enabledUser=draw(st.sampled_from(["true", "false"])),
        orgSourcedIds=draw(some(["O1", "O2"], least=1)),
        agentSourcedIds=draw(some([one for one in people if one != sourced_id])),
        givenName=draw(FEW) or "Ann",
        email=draw(st.sampled_from(["", "A@x.example", "b@x.example"])),
        phone=draw(st.sampled_from(["", "217-555-0100", "+12175550100", "7"])),
        identifier=draw(FEW),
        grades=draw(st.sampled_from(["", "09", "KG", "09,10"])),
    )


# Rules ------------------------------------------------------------------------------------------------------------

MAPS = {
    "word": {"a": "A", "student": "S", "09": "nine", "": "none"},
    "role": {"student": "S", "teacher": "T", "administrator": "staff", "guardian": "G"},
}
ROLES = {"role": ["student", "teacher"]}
CONDITIONS: Mapping[str, Sequence[object]] = {
    "users": [{}, ROLES, {"email": True}, [{"identifier": False}, {"role": "teacher", "email": True}]],
    "classes": [{}, {"classType": "homeroom"}, {"courseSourcedId.title": ["K", "a"]}],
    "enrollments": [{}, {"role": "student"}, {"beginDate": True}, {"userSourcedId.role": ["student", "guardian"]}],
}
SOURCES: Mapping[str, Sequence[Toml]] = {
    "users": [
        {"from": "email"},
        {"from": ["identifier", "email", "username"]},
        {"template": "{familyName}, {givenName}"},
        {"flags": ["enabledUser", "feed.administrator"]},
        {"from": "grades", "item": 1},
        {"from": "grades", "item": 1, "map": "word"},
        {"from": "role", "map": "role"},
        {"from": "orgSourcedIds", "item": 2, "lookup": "orgs", "take": "identifier"},
        {"from": "phone", "phone": "US"},
        {"from": "agents"},
        {"from": "agents", "item": 1, "safe_id": True},
    ],
    "classes": [
        {"from": "title", "safe_id": True},
        {"from": "courseSourcedId.title"},
        {"from": "schoolSourcedId", "lookup": "orgs", "take": "identifier", "map": "word"},
        {"from": "termSourcedIds", "item": 1, "lookup": "academicSessions", "take": "startDate", "date": "%d/%m/%y"},
        {"from": "teachers"},
        {"from": "first", "item": 1},
    ],
    "enrollments": [
        {"from": "beginDate", "date": "%m/%d/%Y"},
        {"from": "userSourcedId.email"},
        {"template": "{classSourcedId.title}: {userSourcedId.givenName}"},
        {"flags": ["primary"]},
        {"from": "primary", "map": "word"},
    ],
}
TEACHERS = {"from": "enrollments", "by": "classSourcedId", "take": "userSourcedId", "where": {"role": ["teacher"]}}
ADULTS = {"from": "users", "of": "agentSourcedIds", "take": "sourcedId"}
COLLECTED: Mapping[str, Mapping[str, Sequence[Toml]]] = {
    "users": {
        "agents": [
            ADULTS,
            {**ADULTS, "by": "agentSourcedIds", "where": {"role": ["guardian"]}, "most": 1},
            {**ADULTS, "order": ["-email", "familyName"], "take": "givenName"},
        ]
    },
    "classes": {
        "teachers": [TEACHERS, {**TEACHERS, "order": ["-primary", "beginDate"], "most": 1}],
        "first": [{**TEACHERS, "where": {"userSourcedId.role": ["teacher", "administrator"]}, "order": ["-beginDate"]}],
    },
    "enrollments": {},
}
SHAPES: Sequence[tuple[str, str, Toml, Toml]] = [
    ("accounts", "users", {"key": ["sourcedId"]}, {}),
    ("people", "users", {"key": ["id"]}, {"id": {"from": "sourcedId"}}),
    ("staff", "users", {"key": ["id"]}, {"id": {"from": "sourcedId", "case": "lower"}}),
    ("namesakes", "users", {"key": ["id"], "merge_by": ["givenName", "email"]}, {"id": {"from": "sourcedId"}}),
    (
        "places",
        "users",
        {"key": ["id", "org"], "each": "orgSourcedIds"},
        {"id": {"from": "sourcedId"}, "org": {"from": "orgSourcedIds"}},
    ),
    ("sections", "classes", {"key": ["id"]}, {"id": {"from": "sourcedId", "safe_id": True}}),
    ("parts", "enrollments", {"key": ["id"]}, {"id": {"from": "sourcedId"}}),
    (
        "members",
        "enrollments",
        {"key": ["class", "user"], "merge_by": ["classSourcedId", "userSourcedId"]},
        {"class": {"from": "classSourcedId"}, "user": {"from": "userSourcedId"}},
    ),
]
"""Target tables by name, source, what makes their records, and the key, which a table keeps; one takes all columns."""


@st.composite
def fields(draw: st.DrawFn, source: str) -> Toml | list[Toml]:
    """Draw how a field is made: mostly in one way."""
    others = draw(st.lists(ways(source), max_size=2)) if draw(st.sampled_from([False, False, True])) else []
    made = [one for one in others if "when" in one]
    return [*made, draw(ways(source))] if made else draw(ways(source))


@st.composite
def ways(draw: st.DrawFn, source: str) -> Toml:
    """Draw one way to make a field."""
    made = dict(draw(st.sampled_from(SOURCES[source])))
    if draw(st.booleans()):
        made["default"] = "-"
    if draw(st.booleans()):
        made["case"] = draw(st.sampled_from(["lower", "upper"]))
    if condition := draw(st.sampled_from([{}, *CONDITIONS[source]])):
        made["when"] = condition
    return made


@st.composite
def targets(draw: st.DrawFn, shape: tuple[str, str, Toml, Toml]) -> Toml:
    """Draw a target table. No record of it stays in the application once it is not asked for."""
    name, source, about, key = shape
    more = {f"f{i}": one for i, one in enumerate(draw(st.lists(fields(source), max_size=3)))}
    on_absent = draw(st.sampled_from(["delete", "archive", "deactivate"]))
    if not key:
        return {"name": name, "from": source, "on_absent": on_absent, **about}
    made: Toml = {"name": name, "from": source, "on_absent": on_absent, **about, "fields": {**key, **more}}
    made["collect"] = {name: draw(st.sampled_from(every)) for name, every in COLLECTED[source].items()}
    made["where"] = draw(st.sampled_from(CONDITIONS[source]))
    lists = [name for name, one in more.items() if not isinstance(one, list) and "item" not in one]
    if draw(st.booleans()) and lists:
        made["spread"] = {lists[0]: 2}
    if draw(st.booleans()) and more:
        made[draw(st.sampled_from(["update", "create_only"]))] = [draw(st.sampled_from(sorted(more)))]
    return made


def tables_of_rules(*names: str) -> st.SearchStrategy[list[Toml]]:
    """Draw target tables, of these names if any are given."""
    chosen = [shape for shape in SHAPES if not names or shape[0] in names]
    return st.lists(st.sampled_from(chosen), min_size=1, max_size=3, unique_by=lambda shape: shape[0]).flatmap(
        lambda shapes: st.tuples(*map(targets, shapes)).map(list)
    )


def rules_of(tables: list[Toml], on_unmapped: str = "default") -> Rules:
    """Return rules of these tables and the value maps of all."""
    rules, faults = parse_rules(deepcopy({"table": tables, "maps": {**MAPS, "on_unmapped": on_unmapped}}), shapes())
    assert not faults, faults
    return rules
