"""`make bench-sinks`: a first load and a day's plan into PostgreSQL and SQLite, beside the same rows by hand.

By hand is: COPY of text that is ready into a new table with its primary key, in one transaction; for the day, COPY into
a temporary table and one statement for each kind of action. In SQLite it is executemany of tuples that are ready. Both
are the best of several rounds of the same process that take turns, for the machine may be shared.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from postgres_world import Postgres, serving

from ingestd import database
from ingestd.core.columns import arrow, to_series
from ingestd.core.model import Actions, Kind, Plan
from ingestd.core.plan import make_plan
from ingestd.sinks.base import Sink
from ingestd.sinks.sql import SqlSink
from ingestd.sinks.sql_rows import copy_lines
from ingestd.sinks.sqlite import SqliteSink

FIELDS = ("id", "name", "given", "family", "email", "username", "grade", "school", "role", "phone", "status", "card")
AT, RUN = "2026-01-01T00:00:00Z", "0" * 15
GOAL = 1.5
"""How many times as long as the same by hand it may take at most."""
MAKE = (
    f"CREATE TABLE patrons ({', '.join(f'{name} TEXT NOT NULL' for name in FIELDS)}, "
    "_active SMALLINT NOT NULL DEFAULT 1, _run TEXT NOT NULL, _changed_at {moment} NOT NULL, PRIMARY KEY (id)){rest}"
)
SETS = ", ".join(f"{name} = excluded.{name}" for name in (*FIELDS, "_active", "_run", "_changed_at"))
UPSERT = f"ON CONFLICT (id) DO UPDATE SET {SETS}"

OFF = f"_active = 0, _run = '{RUN}', _changed_at = '{AT}'"

Work = Callable[[], object]


def records(rows: pa.Array, day: int) -> pd.DataFrame:
    """Return target records, the same for the same numbers and day."""
    number = pc.utf8_lpad(pc.cast(rows, pa.large_string()), 8, "0")

    def text(*parts: object) -> pa.Array:
        return pc.binary_join_element_wise(*(_large(one) for one in parts), _large(""))

    given, family = text("Given", pc.utf8_slice_codeunits(number, 5, 8)), text("Family", number)
    values = (
        text("6f1c2e4a-", number, "-4b7d"), text(family, ", ", given), given, family,
        text("user", number, f".{day}@springfield.example"), text("user", number),
        text("0", pc.utf8_slice_codeunits(number, 7, 8)), text("school-", pc.utf8_slice_codeunits(number, 6, 8)),
        text("student", pc.utf8_slice_codeunits(number, 0, 0)), text("+1555", number),
        text("active", pc.utf8_slice_codeunits(number, 0, 0)), text("card-", number),
    )  # fmt: skip
    return pd.DataFrame({name: to_series(one) for name, one in zip(FIELDS, values, strict=True)}, copy=False)


def _large(one: object) -> object:
    return pa.scalar(one, pa.large_string()) if isinstance(one, str) else one


def actions(kind: Kind, frame: pd.DataFrame) -> Actions:
    """Return actions of one kind."""
    none = np.zeros(len(frame), np.uint64)
    return Actions("patrons", kind, ("id",), FIELDS, frame, none, none)


def day_of(count: int, changes: int) -> Plan:
    """Return a day's plan: two thirds updates, the rest creations and removals, spread over the whole table."""
    spread = np.linspace(0, count - 1, changes, dtype=np.int64)
    updated, removed = np.sort(np.concatenate([spread[::3], spread[1::3]])), spread[2::6]
    created = np.arange(count, count + len(spread[5::6]))
    groups = [
        actions(Kind.CREATE, records(pa.array(created), 2)),
        actions(Kind.UPDATE, records(pa.array(updated), 2)),
        actions(Kind.REMOVE, records(pa.array(removed), 2)[["id"]]),
    ]
    return make_plan(groups)


def own(frame: pd.DataFrame) -> list[pa.Array]:
    """Return the cells of records as they lie in the table."""
    stamp = (pa.repeat(pa.scalar(text, pa.large_string()), len(frame)) for text in ("1", RUN, AT))
    return [*(arrow(frame[name]) for name in frame.columns), *stamp]


def best(rounds: int, prepare: Work, work: dict[str, Work]) -> dict[str, float]:
    """Return the least seconds of each work, which take turns, each after `prepare`."""
    found: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, one in work.items():
            prepare()
            begin = time.perf_counter()
            one()
            found[name].append(time.perf_counter() - begin)
    return {name: min(seconds) for name, seconds in found.items()}


def tell(what: str, found: dict[str, float]) -> None:
    """Print seconds and their ratios to the same by hand."""
    for name, seconds in found.items():
        if name != "by hand":
            ratio = seconds / found["by hand"]
            print(f"{what:<28}{name:<14}{seconds:8.2f} s   by hand {found['by hand']:8.2f} s   ratio {ratio:.2f}")


def applied(sink: Sink, plan: Plan) -> None:
    """Apply a plan by a run of its own, so that every record changes, and none grows, for which SQLite splits pages."""
    token = f"{time.perf_counter_ns() % 10**15:015}"
    sink.apply(plan, once=token, run=token, at=AT, progress=lambda _: None)


# PostgreSQL -------------------------------------------------------------------------------------------------------


def copy(cursor: psycopg.Cursor[Any], lines: Sequence[bytes], into: str) -> None:
    """Copy lines into a table."""
    with cursor.copy(f"COPY {into} FROM STDIN") as opened:
        for one in lines:
            opened.write(one)


def into_postgres(server: Postgres, folder: Path, first: Plan, day: Plan, rounds: int) -> None:
    """Measure PostgreSQL."""
    db = server.database()
    sink = SqlSink(db.reference(folder))
    lines = [bytes(part) for part in copy_lines(own(first.actions[0].frame))]
    table = MAKE.format(moment="TIMESTAMPTZ", rest="")

    def by_hand() -> None:
        with db.connect(autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute(table)
            copy(cursor, lines, "patrons")

    def empty() -> None:
        db.do("DROP TABLE IF EXISTS patrons", "CHECKPOINT")

    tell(f"PostgreSQL, {len(first):,}", best(rounds, empty, {"by hand": by_hand, "sql": lambda: applied(sink, first)}))
    create, update, remove = (one.frame for one in day.actions)
    made = "CREATE TEMP TABLE hand (LIKE patrons) ON COMMIT DROP"
    sets = [bytes(part) for part in copy_lines(own(pd.concat([create, update], ignore_index=True)))]
    gone = [bytes(part) for part in copy_lines([arrow(remove["id"])])]

    def day_by_hand() -> None:
        with db.connect(autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute(made)
            cursor.execute("CREATE TEMP TABLE gone (id TEXT) ON COMMIT DROP")
            copy(cursor, sets, "hand")
            copy(cursor, gone, "gone")
            cursor.execute(f"INSERT INTO patrons SELECT * FROM hand {UPSERT}")
            cursor.execute(f"UPDATE patrons SET {OFF} FROM gone WHERE gone.id = patrons.id")

    def settle() -> None:
        db.do("VACUUM patrons", "CHECKPOINT")

    tell(
        f"PostgreSQL, {len(day):,} of a day",
        best(rounds + 2, settle, {"by hand": day_by_hand, "sql": lambda: applied(sink, day)}),
    )


# SQLite -----------------------------------------------------------------------------------------------------------


def rows_of(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return records as tuples."""
    return list(zip(*(values.to_pylist() for values in own(frame)), strict=True))


def into_sqlite(folder: Path, first: Plan, day: Plan, rounds: int) -> None:
    """Measure SQLite."""
    file, url = folder / "roster.db", folder / "sqlite.url"
    url.write_text(f"sqlite:///{file}")
    rows = rows_of(first.actions[0].frame)
    marks = ", ".join("?" * len(rows[0]))
    table = MAKE.format(moment="TEXT", rest=" WITHOUT ROWID")

    def by_hand(*work: tuple[str, Sequence[Sequence[object]]], before: str = "") -> None:
        with closing(database.connect(file)) as db, database.transaction(db):
            if before:
                db.execute(before)
            for statement, some in work:
                db.executemany(statement, some)

    def emptied() -> None:
        file.unlink(missing_ok=True)

    def sink_of(make: Callable[[], Sink], plan: Plan) -> None:
        sink = make()
        applied(sink, plan)
        sink.close()

    sinks: dict[str, Callable[[], Sink]] = {"sqlite": lambda: SqliteSink(file), "sql": lambda: SqlSink(f"file:{url}")}
    insert = f"INSERT INTO patrons VALUES ({marks})"

    def measured(what: str, times: int, prepare: Work, hand: Work, plan: Plan) -> None:
        ours = {name: partial(sink_of, make, plan) for name, make in sinks.items()}
        tell(what, best(times, prepare, {"by hand": hand} | ours))

    measured(f"SQLite, {len(first):,}", rounds, emptied, lambda: by_hand((insert, rows), before=table), first)
    create, update, remove = (one.frame for one in day.actions)
    sets = rows_of(pd.concat([create, update], ignore_index=True))
    gone = [(RUN, AT, one) for one in remove["id"]]
    off = "UPDATE patrons SET _active = 0, _run = ?, _changed_at = ? WHERE id = ?"
    emptied()
    sink_of(sinks["sqlite"], first)

    def day_by_hand() -> None:
        by_hand((f"{insert} {UPSERT}", sets), (off, gone))

    measured(f"SQLite, {len(day):,} of a day", rounds + 2, lambda: None, day_by_hand, day)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--actions", type=int, default=15_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["postgres", "sqlite"])
    given = parser.parse_args()
    first = make_plan([actions(Kind.CREATE, records(pa.array(np.arange(given.records)), 1))])
    day = day_of(given.records, given.actions)
    print(f"goal: a ratio of {GOAL:g} at most")
    with TemporaryDirectory(prefix="ingestd-bench-") as name:
        if given.only != "sqlite":
            with serving(settings=()) as server:
                into_postgres(server, Path(name), first, day, given.rounds)
        if given.only != "postgres":
            into_sqlite(Path(name), first, day, given.rounds)


if __name__ == "__main__":
    main()
