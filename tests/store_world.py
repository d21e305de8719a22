"""A new store, and how another process opens it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from roster_world import TABLES

from ingestd.core.model import Actions, OnAbsent, Outcome
from ingestd.core.plan import make_plan
from ingestd.core.rules import Target
from ingestd.store import Store

PATRONS = Target("patrons", "users", ("id",), OnAbsent.DEACTIVATE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a new store."""
    opened = Store(tmp_path, "springfield", TABLES)
    yield opened
    opened.close()


def reopened(folder: Path) -> Store:
    """Return the store as another process opens it."""
    return Store(folder, "springfield", TABLES)


def by(store: Store, run: int, *groups: Actions) -> None:
    """Have it own what a run did, all of it."""
    plan = make_plan(groups)
    with store.transaction():
        store.at("sqlite").own(plan, [Outcome(one.target, one.kind, len(one)) for one in plan.actions], run)
