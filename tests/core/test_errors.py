"""Faults of the world: which of them may be gone soon, without anybody's doing."""

import sqlite3

import pytest

from ingestd.errors import ConfigError, SinkError, TransientSinkError, WorkerError, may_pass


@pytest.mark.parametrize(
    ("fault", "passes"),
    [
        (TransientSinkError("it is away"), True),
        (WorkerError("it was killed"), True),
        (OSError(28, "No space left on device"), True),
        (sqlite3.OperationalError("database is locked"), True),
        (SinkError("it takes nothing from us"), False),
        (FileNotFoundError("the copy of the drop"), False),
        (sqlite3.DatabaseError("file is not a database"), False),
        (ConfigError(["rules"]), False),
        (ValueError("a fault of ours"), False),
    ],
)
def test_what_may_pass_is_tried_again_soon(fault: Exception, passes: bool) -> None:
    """Whoever is away, busy or full; not what only somebody can mend."""
    assert may_pass(fault) is passes
