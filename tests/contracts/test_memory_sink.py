"""The reference sink keeps the contract."""

from pathlib import Path

from ingestd.core.rules import OnUnmapped, Rules
from ingestd.sinks.memory import MemorySink
from ingestd.testing.readable import ReadableContract
from ingestd.testing.sinks import Records


class TestMemorySink(ReadableContract):
    """Records in dictionaries."""

    def make(self, folder: Path) -> MemorySink:
        """Return an empty sink."""
        return MemorySink.from_settings({}, folder, Rules((), {}, OnUnmapped.HOLD_RECORD, ""))

    def read(self, sink: MemorySink, target: str) -> Records:
        """Return what the dictionaries hold."""
        return {key: dict(one) for key, one in sink.tables.get(target, {}).items()}

    def trip(self, sink: MemorySink, target: str, key: str) -> None:
        """Have it fail after one action."""
        sink.fail_after = 1

    def heal(self, sink: MemorySink, target: str) -> None:
        """Have it fail no more."""
        sink.fail_after = None
