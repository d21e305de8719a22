"""What a sink promises that can also tell what the application has: the contract of sinks, and more."""

from abc import ABC
from pathlib import Path
from typing import Any

from ingestd.sinks.base import Readable, Sink
from ingestd.testing.actions import ANN, BOB, create, remove, update
from ingestd.testing.sinks import SinkContract

LONG = "x" * 70_000


def rows_of(sink: Sink, *fields: str, target: str = "patrons") -> list[tuple[str, ...]]:
    """Return what a sink tells of a target table, sorted."""
    assert isinstance(sink, Readable)
    frame = sink.read(target, fields)
    assert list(frame.columns) == list(fields)
    return sorted(tuple(map(str, row)) for row in frame.itertuples(index=False, name=None))


class ReadableContract(SinkContract, ABC):
    """The suite of sinks that can be read, which is what rules that adopt need."""

    def test_it_tells_the_fields_that_are_asked_for(self, sink: Sink) -> None:
        """In their order, of all records."""
        self.apply(sink, create(ANN, BOB))
        assert rows_of(sink, "email", "id") == [("", "P2"), ("ann@x.example", "P1")]

    def test_it_tells_of_inactive_records_too(self, sink: Sink) -> None:
        """They are there, and would be made once more."""
        self.apply(sink, create(ANN))
        self.apply(sink, remove("P1"), once="2")
        assert rows_of(sink, "id") == [("P1",)]

    def test_it_tells_what_is_there_now(self, sink: Sink) -> None:
        """Not what was there when it was first asked."""
        assert rows_of(sink, "id", "name") == []
        self.apply(sink, create(ANN))
        assert rows_of(sink, "id", "name") == [("P1", "Ann")]
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="2")
        assert rows_of(sink, "id", "name") == [("P1", "Anna")]

    def test_a_table_that_is_not_there_has_no_records(self, sink: Sink) -> None:
        """Nor has one of another name."""
        self.apply(sink, create(ANN))
        assert rows_of(sink, "id", target="staff") == []

    def test_a_field_that_is_not_there_is_blank(self, sink: Sink) -> None:
        """The rules have gained it, and no plan has brought it yet."""
        self.apply(sink, create(ANN))
        assert rows_of(sink, "id", "metadata.house") == [("P1", "")]

    def test_values_are_told_as_they_are(self, sink: Sink) -> None:
        """No value is read as anything but itself."""
        cells = ("O'Fern", "Null", "Ærø 雪 😀", " blank ", LONG)
        self.apply(sink, create(*({"id": str(i), "name": cell, "email": ""} for i, cell in enumerate(cells))))
        assert tuple(name for _, name in rows_of(sink, "id", "name")) == cells

    def test_names_may_have_dots_when_it_is_read(self, sink: Sink) -> None:
        """Tables and fields are called as the rules call them."""
        about: dict[str, Any] = {"target": "our.group", "key": ("metadata.id",), "columns": ("metadata.id", "order")}
        self.apply(sink, create({"metadata.id": "1", "order": "a"}, **about))
        assert rows_of(sink, "order", "metadata.id", target="our.group") == [("a", "1")]

    def test_reading_makes_nothing(self, tmp_path: Path) -> None:
        """A plan that is looked at leaves no trace in the application."""
        made = self.make(tmp_path / "sink")
        assert rows_of(made, "id") == []
        assert not (tmp_path / "sink").exists()
        made.close()
