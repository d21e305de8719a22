"""Exactly once into PostgreSQL: ingestd or the server dies at moments of chance, and the target is as of a fresh load.

INGESTD_KILLS says how often (`make kill-postgres`: 1,000 times).
"""

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from builders import added, changed, roster, user, without, zip_of
from fault_world import Child, Server, serving
from places import Cells, Place, once, place, rows_of, states_of, tables_of
from postgres_world import Database, Postgres
from postgres_world import serving as serving_postgres

KILLS = int(os.environ.get("INGESTD_KILLS", "50"))
CRASHES = max(3, KILLS // 10)
DAYS = 4
SIZE = 40
OWN = ("_active", "_run", "_changed_at")
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ingestd'"


def day(number: int) -> bytes:
    """Return a drop: someone comes, someone changes, someone goes with what is theirs, each day another."""
    number %= DAYS
    gone = f"U{number + 1}"
    tonight = without(without(roster(SIZE), "users", gone), "enrollments", f"E{number + 1}")
    return zip_of(added(changed(tonight, "users", "U9", familyName=f"Day{number}"), "users", user(100 + number)))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run the server that forks processes."""
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Cells]]:
    """Return what a fresh load of each day makes of it, by target table."""
    found = []
    for number in range(DAYS):
        where = place(tmp_path_factory.mktemp("model") / "place")
        once(where, day(number))
        tables = {
            name: [one for one in columns if one not in OWN] for name, columns in tables_of(where.target()).items()
        }
        found.append(
            {
                name: sorted(rows_of(where.target(), f"SELECT {listed(columns)} FROM {name}"))
                for name, columns in tables.items()
                if not name.startswith("_")
            }
        )
    return found


def listed(columns: list[str]) -> str:
    """Return columns as SQL has them, in one order."""
    return ", ".join(f'"{one}"' for one in sorted(columns))


@dataclass(slots=True)
class World:
    """A feed whose sink is in PostgreSQL, and what came of its nights."""

    where: Place
    database: Database
    server: Server
    log: Path
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    applying: float = 0.5
    nights: int = 0

    def start(self) -> Child:
        """Put the next day's drop into the inbox, and start ingestd on it."""
        self.where.drop(day(self.nights), f"{self.nights:04}.zip")
        self.nights += 1
        return self.server.start(self.log, "--config", self.where.config, "once")

    def wait_for_apply(self, probe: psycopg.Connection[tuple[int]], *, is_busy: bool = True) -> None:
        """Return when ingestd is in the database, or no more; or if that never happens, as when it was quick."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            row = probe.execute(BUSY).fetchone()
            if row is not None and bool(row[0]) is is_busy:
                return

    def linger(self) -> None:
        """Let some part of the time pass that applying takes."""
        end = time.monotonic() + self.chance.uniform(0, self.applying)
        while time.monotonic() < end:
            os.sched_yield()

    def again(self) -> int:
        """Start ingestd once more."""
        return self.server.run(self.log, "--config", self.where.config, "once")

    def target(self, model: dict[str, Cells]) -> dict[str, Cells]:
        """Return the active records of the tables that a model has."""
        columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name"
        found: dict[str, Cells] = {}
        for name in model:
            names = [str(one) for (one,) in self.database.rows(f"{columns} = '{name}'") if one not in OWN]
            found[name] = sorted(self.database.rows(f'SELECT {listed(names)} FROM "{name}" WHERE _active = 1'))
        return found

    def state(self) -> str:
        """Return what the store says of the newest run, if the kill left it so that it can be read."""
        try:
            return states_of(self.where)[-1]
        except sqlite3.OperationalError:
            return "being written"

    def plans(self) -> int:
        """Return how many plans were done."""
        if self.database.rows("SELECT to_regclass('_ingestd_plans')") == [(None,)]:
            return 0
        return int(self.database.rows("SELECT count(*) FROM _ingestd_plans")[0][0])


@contextmanager
def held(child: Child) -> Iterator[int]:
    """Give a hold of a process that is never of another one, which has its number when it has ended."""
    process = os.pidfd_open(child.pid)
    yield process
    os.close(process)


def world_in(postgres: Postgres, server: Server, folder: Path) -> World:
    """Return a feed with a first load, and how long it takes to apply."""
    database = postgres.database()
    sink = f'[[sinks]]\nkind = "sql"\nurl = "{database.reference(folder)}"\n'
    world = World(place(folder / "place", more=sink), database, server, folder / "log")
    with database.connect() as probe:
        child = world.start()
        world.wait_for_apply(probe)
        begin = time.monotonic()
        world.wait_for_apply(probe, is_busy=False)
        world.applying = time.monotonic() - begin
        assert child.wait() == 0, world.log.read_text()
    return world


def test_killed_at_moments_of_chance_it_ends_as_a_fresh_load(
    postgres: Postgres, server: Server, models: list[dict[str, Cells]], tmp_path: Path
) -> None:
    """Each night it is killed while it applies, and started again: nothing is lost, nothing is done twice."""
    world, met = world_in(postgres, server, tmp_path), Counter[str]()
    with world.database.connect() as probe:
        for _ in range(KILLS):
            before, night = world.plans(), world.nights
            child = world.start()
            with held(child) as process:
                world.wait_for_apply(probe)
                world.linger()
                with suppress(ProcessLookupError):  # it was quicker
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            was_killed = child.wait() == -signal.SIGKILL
            state, plans = world.state(), world.plans() - before
            met[f"{state}, {'done' if plans else 'not done'}" if was_killed else "too late"] += 1
            assert world.again() == 0, world.log.read_text()
            model = models[night % DAYS]
            assert world.target(model) == model
    assert set(states_of(world.where)) == {"applied"}
    assert world.plans() == world.nights
    assert met["applying, not done"] > KILLS * 0.2, met
    print(f"\n{KILLS} nights: {dict(met)}")


def test_a_server_that_crashes_is_met_again_when_it_is_back(
    server: Server, models: list[dict[str, Cells]], tmp_path: Path
) -> None:
    """PostgreSQL stops at once in the middle of a plan, and comes back: this run does the plan, or the next."""
    with serving_postgres() as own:
        world, met = world_in(own, server, tmp_path), Counter[int]()
        for _ in range(CRASHES):
            night = world.nights
            with world.database.connect() as probe:
                child = world.start()
                world.wait_for_apply(probe)
            world.linger()
            own.stop("immediate")
            own.start()
            met[child.wait()] += 1
            assert world.again() == 0, world.log.read_text()
            model = models[night % DAYS]
            assert world.target(model) == model
        assert set(states_of(world.where)) == {"applied"}
        assert world.plans() == world.nights
        assert met[0] + met[4] == CRASHES, "it was applied, or it failed for now"
        print(f"\n{CRASHES} nights, by exit code: {dict(met)}")
