"""The laws of scope: a narrower one lets in nothing more, order is no matter, what is in refers to nothing out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.columns import TEXT
from ingestd.core.outside import follows, prune
from ingestd.core.scope import Scope
from ingestd.core.scoping import DECIDED, decide
from schemas import shapes

Tables = dict[str, list[dict[str, str]]]
TODAY = date(2026, 3, 2)
DAYS = st.sampled_from(["2025-08-20", "2026-01-10", "2026-03-02", "2026-03-16", "2026-06-12"])
FEW = st.integers(0, 3).map(str)
MOST = 6


def some_of(prefix: str) -> st.SearchStrategy[str]:
    """Return lists of up to two ids."""
    return st.lists(FEW, max_size=2, unique=True).map(lambda numbers: ",".join(prefix + number for number in numbers))


def one_of(prefix: str) -> st.SearchStrategy[str]:
    """Return ids."""
    return FEW.map(lambda number: prefix + number)


STATUS = st.sampled_from(["", "active", "summer"])
COLUMNS: Mapping[str, tuple[str, Mapping[str, st.SearchStrategy[str]]]] = {
    "orgs": ("S", {"identifier": FEW, "parentSourcedId": st.one_of(st.just(""), one_of("S"))}),
    "academicSessions": ("T", {"startDate": DAYS, "endDate": DAYS}),
    "courses": ("K", {"orgSourcedId": one_of("S")}),
    "classes": (
        "C",
        {"courseSourcedId": one_of("K"), "schoolSourcedId": one_of("S"), "termSourcedIds": some_of("T")},
    ),
    "users": (
        "U",
        {
            "role": st.sampled_from(["", "student", "teacher", "aide", "guardian"]),
            "orgSourcedIds": some_of("S"),
            "email": st.sampled_from(["", "a@x.example", "a@b.x.example", "a@y.example"]),
            "enabledUser": st.sampled_from(["true", "false"]),
        },
    ),
    "roles": (
        "R",
        {
            "userSourcedId": one_of("U"),
            "role": st.sampled_from(["student", "teacher", "parent"]),
            "orgSourcedId": one_of("S"),
        },
    ),
    "enrollments": (
        "E",
        {
            "classSourcedId": one_of("C"),
            "schoolSourcedId": one_of("S"),
            "userSourcedId": one_of("U"),
            "role": st.sampled_from(["student", "teacher"]),
            "beginDate": st.one_of(st.just(""), DAYS),
            "endDate": st.one_of(st.just(""), DAYS),
        },
    ),
}


@st.composite
def rosters(draw: st.DrawFn) -> Tables:
    """Draw small rosters; not every reference leads somewhere, as where a table may lack."""
    tables: Tables = {}
    for name, (prefix, columns) in COLUMNS.items():
        count = draw(st.integers(0, MOST if name == "enrollments" else 4))
        tables[name] = [
            {"sourcedId": f"{prefix}{i}", "status": draw(STATUS)} | {one: draw(way) for one, way in columns.items()}
            for i in range(count)
        ]
    return tables


scopes = st.builds(
    Scope,
    orgs=st.lists(st.sampled_from(["S0", "S1", "identifier:2"]), unique=True, max_size=2).map(tuple),
    email_domains=st.lists(st.sampled_from(["x.example", "y.example"]), unique=True, max_size=2).map(tuple),
    email_subdomains=st.booleans(),
    email_exceptions=st.sampled_from([(), ("a@y.example",)]),
    roles=st.lists(st.sampled_from(["student", "teacher", "aide", "guardian"]), unique=True, max_size=3).map(tuple),
    statuses=st.sampled_from([{}, {"users": ("active",)}, {"classes": ("active", "summer")}]),
    active_only=st.lists(
        st.sampled_from(["users", "classes", "academicSessions", "enrollments"]), unique=True, max_size=3
    ).map(tuple),
    class_lead_days=st.sampled_from([None, 0, 14]),
    class_archive_after_days=st.sampled_from([None, 0, 14]),
    classes_need=st.lists(st.sampled_from(["teacher", "student"]), unique=True, max_size=2).map(tuple),
    unenrolled_users=st.booleans(),
    contacts=st.booleans(),
)
NARROWER = {
    "orgs": ("S0",),
    "email_domains": ("x.example",),
    "email_subdomains": False,
    "email_exceptions": (),
    "roles": ("student",),
    "statuses": {"users": ("active",), "classes": ("active",)},
    "active_only": ("users", "classes", "academicSessions", "enrollments"),
    "class_lead_days": 0,
    "class_archive_after_days": 0,
    "classes_need": ("teacher", "student"),
    "unenrolled_users": False,
    "contacts": False,
}
"""For each setting a value that lets in no more than any other that is drawn."""


def frames(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return a roster as frames."""
    return {
        name: pd.DataFrame(rows, columns=["sourcedId", "status", *COLUMNS[name][1]], dtype=TEXT).fillna("")
        for name, rows in tables.items()
    }


def in_scope(scope: Scope, tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """Return the ids of the records in scope."""
    found = decide(scope, TODAY, tables, shapes())
    return {one for each in found.values() for one in each.frame["sourcedId"][each.kept]}


@given(rosters(), scopes, st.sampled_from(sorted(NARROWER)))
def test_a_narrower_scope_lets_in_nothing_more(tables: Tables, wide: Scope, setting: str) -> None:
    """Whichever setting is made narrower: what it leaves in was in before."""
    is_listed = setting in {"orgs", "email_domains", "roles"}
    value = NARROWER[setting]
    if is_listed and getattr(wide, setting) and not set(value) <= set(getattr(wide, setting)):  # type: ignore[call-overload]
        value = getattr(wide, setting)[:1]
    assert in_scope(replace(wide, **{setting: value}), frames(tables)) <= in_scope(wide, frames(tables))  # type: ignore[arg-type]


@given(rosters(), scopes, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(tables: Tables, scope: Scope, chance: object) -> None:
    """Nor what came first in a file."""
    mixed = {name: chance.sample(rows, len(rows)) for name, rows in tables.items()}  # type: ignore[attr-defined]
    assert in_scope(scope, frames(mixed)) == in_scope(scope, frames(tables))


@given(rosters(), scopes)
def test_what_is_in_scope_refers_to_nothing_that_is_not(tables: Tables, scope: Scope) -> None:
    """No record belongs to one that is left out, and pruned of the rest it names none."""
    found = decide(scope, TODAY, frames(tables), shapes())
    left = {name: one.left_out() for name, one in found.items()}
    gone = {one for ids in left.values() for one in ids.to_pylist()}
    for name in DECIDED:
        shape, kept = shapes()[name], found[name].frame[found[name].kept].reset_index(drop=True)
        for column, rows in follows(kept, shape, {other: ids for other, ids in left.items() if other != name}):
            assert not rows.any() or (name, column.name) == ("courses", "orgSourcedId")
        pruned = prune(kept, shape, left)
        for column in shape.references():
            named = list(pruned.get(column.name, ()))
            assert not {item for text in named for item in text.split(",")} & gone


@given(rosters(), scopes)
def test_every_record_left_out_has_one_reason(tables: Tables, scope: Scope) -> None:
    """And the counts by reason add up to them."""
    for one in decide(scope, TODAY, frames(tables), shapes()).values():
        reasons = [one.reason(i) for i in range(len(one.frame))]
        assert [reason is None for reason in reasons] == one.kept.tolist()
        assert sum(one.counts().values()) == np.count_nonzero(~one.kept)
