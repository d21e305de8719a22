"""Suites for the tests of those who write a plug-in. They need pytest.

`SinkContract` holds a sink to what `ingestd.sinks.base.Sink` promises, `ReadableContract` also to what `Readable` does.
In `conftest.py`, `pytest.register_assert_rewrite("ingestd.testing")` before the import makes what fails easier to read.
"""

from ingestd.testing.actions import create, group, rekey, remove, update
from ingestd.testing.readable import ReadableContract
from ingestd.testing.sinks import Records, SinkContract

__all__ = ["ReadableContract", "Records", "SinkContract", "create", "group", "rekey", "remove", "update"]
