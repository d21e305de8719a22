"""What the SQL sink does in PostgreSQL beside the contract: names, values, keys, and tables of somebody else's."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from postgres_world import Database, Postgres
from sql_world import AT, apply, refusal, sink

from ingestd.core.model import Actions, Kind, OnAbsent, Outcome
from ingestd.core.plan import make_plan
from ingestd.errors import TransientSinkError
from ingestd.sinks.memory import MemorySink
from ingestd.sinks.sql import PLANS, SqlSink
from ingestd.testing.actions import ANN, BOB, COLUMNS, create, group, rekey, remove, update
from ingestd.testing.readable import rows_of

__all__ = ["sink"]


# Tables -----------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_design(db: Database, sink: SqlSink) -> None:
    """The rule's fields as text, `_active` as 1 or 0, the run, the time; the key is the primary key."""
    apply(sink, create(ANN))
    query = "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
    columns = db.rows(f"{query} WHERE table_name = 'patrons' ORDER BY ordinal_position")
    assert columns == [
        *((name, "text", "NO") for name in COLUMNS),
        ("_active", "smallint", "NO"),
        ("_run", "text", "NO"),
        ("_changed_at", "timestamp with time zone", "NO"),
    ]
    assert db.rows("SELECT indexdef FROM pg_indexes WHERE indexname = 'patrons_pkey'") == [
        ("CREATE UNIQUE INDEX patrons_pkey ON public.patrons USING btree (id)",)
    ]


def test_plans_are_remembered_with_run_and_time(db: Database, sink: SqlSink) -> None:
    """The table beside the target tables says what was applied when."""
    apply(sink, create(ANN))
    assert db.rows(f"SELECT * FROM {PLANS}") == [("1", make_plan([create(ANN)]).digest, "r.1", AT)]


def test_nothing_else_is_left_behind(db: Database, sink: SqlSink) -> None:
    """What the rows went through is gone."""
    apply(sink, create(ANN), remove("P1"), rekey(("P1",), ("P2",)))
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace <> 'pg_catalog'::regnamespace"
    tables = db.rows(f"{query} AND relnamespace <> 'information_schema'::regnamespace ORDER BY 1")
    assert tables == [(PLANS,), ("patrons",)]


def test_a_schema_may_be_named(db: Database, tmp_path: Path) -> None:
    """All tables are there, whatever is called so elsewhere."""
    db.do("CREATE SCHEMA roster", "CREATE TABLE patrons (x int)")
    sink = SqlSink(db.reference(tmp_path), "roster")
    apply(sink, create(ANN), remove("P2"))
    assert db.rows(f"SELECT p.id, (SELECT count(*) FROM roster.{PLANS}) FROM roster.patrons p") == [("P1", 1)]
    assert rows_of(sink, "id") == [("P1",)]


def test_a_schema_that_is_not_there_is_a_fault(db: Database, tmp_path: Path) -> None:
    """It is not made: it may be misspelt."""
    sink = SqlSink(db.reference(tmp_path), "rooster")
    assert str(refusal(sink, create(ANN))) == "the sql sink failed: InvalidSchemaName (3F000)"


@pytest.mark.parametrize("name", ["select", "a b", 'a"b', "a%b", "a%(x)s", ":a", "Ærø", "CamelCase", "x" * 63, "c0"])
def test_names_are_taken_as_they_are(db: Database, sink: SqlSink, name: str) -> None:
    """Tables, keys and fields may be called whatever PostgreSQL can call them."""
    about: dict[str, Any] = {"target": name, "key": (name,), "columns": (name, "more")}
    apply(sink, create({name: "1", "more": "a"}, {name: "2", "more": "a"}, **about))
    apply(sink, rekey(("2",), ("3",), **about), update({name: "1", "more": "b"}, **about), once="2")
    apply(sink, group(Kind.REMOVE, {name: "3"}, on_absent=OnAbsent.DELETE, **about), once="3")
    assert rows_of(sink, name, "more", target=name) == [("1", "b")]


@pytest.mark.parametrize("name", ["x" * 64, "ä" * 32])
def test_a_name_that_is_too_long_is_told(db: Database, sink: SqlSink, name: str) -> None:
    """PostgreSQL would cut it at 63 bytes, and two names could become one."""
    told = str(refusal(sink, create({"id": "1", name: ""}, columns=("id", name))))
    assert told == f"the sql sink cannot make {name!r}: a name has at most 63 bytes; change the rules"
    assert db.rows("SELECT to_regclass('patrons')") == [(None,)]


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["\\", "\\.", "a\n\\.\nb", "\\N", "a\tb\nc\rd\\te", "\x01\x1e\x7f", "'", "\u2028", ""])
def test_what_means_something_to_copy_is_kept(sink: SqlSink, cell: str) -> None:
    """Backslashes, tabs, line ends and the end of data are values like any other."""
    apply(sink, create({**ANN, "name": cell}, {**BOB, "id": f"{cell}!"}))
    assert rows_of(sink, "id", "name") == sorted([("P1", cell), (f"{cell}!", "Bob")])


def test_a_nul_is_an_outcome_of_its_row(db: Database, sink: SqlSink) -> None:
    """PostgreSQL has no text with it: that record fails, the others are done, and a repeat says the same."""
    groups = create(ANN, {**BOB, "name": "B\0b"}, {**BOB, "id": "P3"}), remove("P\0")
    why = "it has a NUL character, which PostgreSQL cannot keep"
    wanted = (Outcome("patrons", Kind.CREATE, 2, {1: why}), Outcome("patrons", Kind.REMOVE, 1))
    assert apply(sink, *groups) == wanted
    assert rows_of(sink, "id") == [("P1",), ("P3",)]
    assert apply(sink, *groups) == wanted


# Keys that change ---------------------------------------------------------------------------------------------------


def test_keys_may_go_around(sink: SqlSink) -> None:
    """One after the other, as the contract has it, also where one wants what another has."""
    apply(sink, create(ANN, BOB))
    chain = pd.concat([rekey((old,), (new,)).frame for old, new in (("P1", "X"), ("P2", "P1"), ("X", "P2"))])
    hashes = np.arange(3, dtype=np.uint64)
    apply(
        sink, Actions("patrons", Kind.REKEY, ("id",), COLUMNS, chain.reset_index(drop=True), hashes, hashes), once="2"
    )
    assert rows_of(sink, "id", "name") == [("P1", "Bob"), ("P2", "Ann")]


KEYS = some.sampled_from(["A", "B", "C", "D"])
SEVERAL = some.sets(KEYS, min_size=1)


def created(keys: set[str]) -> Actions:
    """Return creations."""
    return create(*({"id": one, "name": one.lower(), "email": ""} for one in keys))


def updated(keys: set[str], name: str) -> Actions:
    """Return updates of one field."""
    return update(*({"id": one, "name": name} for one in keys))


def removed(keys: set[str], how: OnAbsent) -> Actions:
    """Return removals."""
    return remove(*keys, on_absent=how)


def several(pairs: list[tuple[str, str]]) -> Actions:
    """Return changes of key."""
    frame = pd.concat([rekey((old,), (new,)).frame for old, new in pairs]).reset_index(drop=True)
    hashes = np.arange(len(pairs), dtype=np.uint64)
    return Actions("patrons", Kind.REKEY, ("id",), COLUMNS, frame, hashes, hashes)


GROUPS = some.one_of(
    some.builds(created, SEVERAL),
    some.builds(updated, SEVERAL, KEYS),
    some.builds(removed, SEVERAL, some.sampled_from(OnAbsent)),
    some.builds(several, some.lists(some.tuples(KEYS, KEYS), min_size=1, max_size=4)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(some.lists(GROUPS, max_size=4), min_size=1, max_size=4))
def test_it_does_what_the_reference_sink_does(postgres: Postgres, tmp_path: Path, plans: list[list[Actions]]) -> None:
    """Whatever the plans are, the tables end alike."""
    db, memory = postgres.database(), MemorySink()
    sink = SqlSink(db.reference(tmp_path))
    apply(sink, create(ANN))
    apply(memory, create(ANN))
    for number, groups in enumerate(plans):
        assert apply(sink, *groups, once=f"x{number}") == apply(memory, *groups, once=f"x{number}")
    found = db.rows("SELECT id, name, email, _active FROM patrons")
    kept = memory.tables["patrons"].values()
    assert sorted(found) == sorted((one["id"], one["name"], one["email"], one["_active"]) for one in kept)


# Tables of others ---------------------------------------------------------------------------------------------------


def test_a_table_of_somebody_elses_is_taken_as_it_is(db: Database, sink: SqlSink) -> None:
    """It gains what ingestd writes beside the fields; numbers, dates and NULL are told as text, the rest stays."""
    db.do(
        "CREATE TYPE mood AS ENUM ('', 'ok')",
        "CREATE TABLE patrons (no serial PRIMARY KEY, id int UNIQUE, name varchar(20), born date, pin text, m mood)",
        "INSERT INTO patrons (id, pin) VALUES (17, '0000')",
    )
    fields = ("id", "name", "born", "m")
    assert rows_of(sink, *fields, "email") == [("17", "", "", "", "")]
    first = {"id": "18", "name": "Bob", "born": "2010-02-03", "m": "ok"}
    apply(sink, rekey(("17",), ("1",)), create(first, {**first, "id": "19", "born": ""}, columns=fields), remove("19"))
    found = db.rows("SELECT no, id, name, born::text, pin, m::text, email, _active, _run FROM patrons ORDER BY no")
    assert found == [
        (1, 1, None, None, "0000", None, "", 1, "r.1"),
        (2, 18, "Bob", "2010-02-03", None, "ok", "", 1, "r.1"),
        (3, 19, "Bob", None, None, "ok", "", 0, "r.1"),
    ]


def test_a_column_of_somebody_elses_may_want_a_value(db: Database, sink: SqlSink) -> None:
    """It is blank in what is new, and stays in what is there."""
    db.do("CREATE TABLE patrons (id text, pin text NOT NULL)", "CREATE UNIQUE INDEX ON patrons (id)")
    db.do("INSERT INTO patrons VALUES ('P1', '0000')")
    apply(sink, create(ANN, BOB))
    assert db.rows("SELECT id, pin, name FROM patrons ORDER BY 1") == [("P1", "0000", "Ann"), ("P2", "", "Bob")]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("CREATE TABLE patrons (id text)", "nothing makes its key ('id') unique"),
        ("CREATE TABLE patrons (id text, n text, UNIQUE (id, n))", "nothing makes its key ('id') unique"),
        ("CREATE VIEW patrons AS SELECT '1' AS id", "nothing makes its key ('id') unique"),
        ("CREATE TABLE patrons (no int PRIMARY KEY)", "it has no column 'id', the key"),
        (
            "CREATE TABLE patrons (id text PRIMARY KEY, no int NOT NULL)",
            "its column 'no' wants a value; give it a default",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(db: Database, sink: SqlSink, table: str, told: str) -> None:
    """It is told before anything is done, in other tables neither."""
    db.do(table)
    refused = refusal(sink, create({"id": "1"}, target="staff", columns=("id",)), create(ANN))
    assert str(refused) == f"the sql sink cannot take the table 'patrons': {told}"
    assert not isinstance(refused, TransientSinkError)
    assert db.rows(f"SELECT to_regclass('staff'), to_regclass('{PLANS}')") == [(None, None)]


def test_a_unique_index_of_some_rows_is_none(db: Database, sink: SqlSink) -> None:
    """Nor is one of what is computed from the key."""
    db.do("CREATE TABLE patrons (id text, n int)", "CREATE UNIQUE INDEX ON patrons (id) WHERE n > 0")
    db.do("CREATE UNIQUE INDEX ON patrons (lower(id))")
    assert "nothing makes its key ('id') unique" in str(refusal(sink, create(ANN)))


def test_a_role_that_may_not_make_tables_can_use_those_there_are(db: Database, tmp_path: Path) -> None:
    """Who gives ingestd few rights makes its tables for it; without them, it is told what is not allowed."""
    role = f"clerk_{db.name}"
    db.do(f"CREATE ROLE {role} LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    file = tmp_path / "url"
    file.write_text(db.url.replace("//ingestd@", f"//{role}@"))
    sink = SqlSink(f"file:{file}")
    assert str(refusal(sink, create(ANN))) == "the sql sink failed: InsufficientPrivilege (42501)"
    apply(SqlSink(db.reference(tmp_path)), create(BOB))
    db.do(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    apply(sink, create(ANN), once="2")
    assert rows_of(sink, "id") == [("P1",), ("P2",)]
