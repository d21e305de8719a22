"""A SQL sink into an empty database of PostgreSQL, and plans applied through it."""

from pathlib import Path
from typing import Any

import pytest
from postgres_world import Database

from ingestd.core.model import Actions, Outcome
from ingestd.core.plan import make_plan
from ingestd.errors import SinkError
from ingestd.sinks.sql import SqlSink

AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def sink(db: Database, tmp_path: Path) -> SqlSink:
    """Return a sink into the database, which waits a fifth of a second for locks."""
    return SqlSink(db.reference(tmp_path), lock_wait=0.2)


def apply(sink: Any, *groups: Actions, once: str = "1") -> tuple[Outcome, ...]:
    """Apply a plan of these actions."""
    return tuple(sink.apply(make_plan(groups), once=once, run="r.1", at=AT, progress=lambda _: None))


def refusal(sink: SqlSink, *groups: Actions, once: str = "refused") -> SinkError:
    """Return what a sink raises."""
    with pytest.raises(SinkError) as caught:
        apply(sink, *groups, once=once)
    return caught.value
