"""The outbox keeps the contract: whoever does what it says, in its order, has what any sink has."""

import csv
import hashlib
import json
import resource
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastjsonschema
import pandas as pd
import pytest
from contracts.test_csvzip_sink import rules_of

from ingestd.core.columns import TEXT
from ingestd.core.dialect import Dialect
from ingestd.core.model import Actions, Kind, OnAbsent, new_key_of
from ingestd.core.plan import make_plan
from ingestd.errors import ConfigError, SinkError
from ingestd.sinks import changeset
from ingestd.sinks.base import open_sink
from ingestd.sinks.changeset import ChangesetSink
from ingestd.sinks.memory import MemorySink
from ingestd.testing.actions import ANN, BOB, Key, create, rekey, remove, update
from ingestd.testing.sinks import Records, SinkContract

SCHEMA = json.loads((files(changeset.__package__) / "changeset.schema.json").read_text("utf-8"))
AN_ACTION: Callable[[Any], Any] = fastjsonschema.compile(SCHEMA, use_formats=False)  # the suite's times are none
AN_ENTRY: Callable[[Any], Any] = fastjsonschema.compile(SCHEMA["definitions"]["entry"], use_formats=False)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file, each of which is whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def entries_of(outbox: Path) -> list[dict[str, Any]]:
    """Return the index, each line of which is as the schema says."""
    index = outbox / "_index.jsonl"
    return [AN_ENTRY(one) for one in lines_of(index)] if index.exists() else []


def actions_of(line: Mapping[str, Any], about: Mapping[str, Any]) -> Actions:
    """Return one line as actions; `about` is what the index says of its target."""
    kind = Kind(line["kind"])
    named = new_key_of(about["key"]) if kind is Kind.REKEY else ()
    fields = {**line["key"], **(dict(zip(named, line["fields"].values(), strict=True)) if named else line["fields"])}
    one = create({"": ""}, target=line["target"], key=tuple(about["key"]), columns=tuple(about["columns"]))
    frame = pd.DataFrame({name: pd.Series([value], dtype=TEXT) for name, value in fields.items()})
    return replace(one, kind=kind, frame=frame, on_absent=OnAbsent(line.get("on_absent", "delete")))


def replay(outbox: Path) -> dict[str, dict[Key, dict[str, Any]]]:
    """Do all that an outbox says, in its order, in dictionaries."""
    application = MemorySink()
    for entry in entries_of(outbox):
        lines = [AN_ACTION(line) for line in lines_of(outbox / f"{entry['name']}.jsonl")]
        assert len(lines) == entry["actions"]
        for number, line in enumerate(lines):
            plan = make_plan([actions_of(line, entry["targets"][line["target"]])])
            once = f"{entry['name']} {number}"
            application.apply(plan, once=once, run=line["run"], at=line["at"], progress=lambda _: None)
    return application.tables


class TestChangesetSink(SinkContract):
    """An outbox, and a reader that does what it says."""

    def make(self, folder: Path) -> ChangesetSink:
        """Return a sink whose outbox is not there yet."""
        self.outbox = folder / "out" / "changes"
        return ChangesetSink(self.outbox)

    def read(self, sink: ChangesetSink, target: str) -> Records:
        """Return what the reader has."""
        return replay(self.outbox).get(target, {})

    def trip(self, sink: ChangesetSink, target: str, key: str) -> None:
        """Have something in the way of the next file."""
        self.in_the_way = self.outbox / f".r.1-{len(entries_of(self.outbox)) + 1}.jsonl.part"
        self.in_the_way.mkdir()

    def heal(self, sink: ChangesetSink, target: str) -> None:
        """Have it out of the way."""
        self.in_the_way.rmdir()

    # What is written -----------------------------------------------------------------------------------------

    def test_a_line_is_an_action(self, sink: ChangesetSink) -> None:
        """In the order of the plan, with a removal's `on_absent`, and the new key of a rekey as its fields."""
        first = update({"id": "P2", "name": "Bea"})
        self.apply(sink, remove("P1", on_absent=OnAbsent.DELETE), create(ANN), first, rekey(("P8",), ("P9",)))
        head = {"run": "r.1", "at": "2026-01-01T00:00:00Z", "target": "patrons"}
        assert lines_of(self.outbox / "r.1.jsonl") == [
            {**head, "kind": "rekey", "key": {"id": "P8"}, "fields": {"id": "P9"}},
            {**head, "kind": "create", "key": {"id": "P1"}, "fields": {"name": "Ann", "email": "ann@x.example"}},
            {**head, "kind": "update", "key": {"id": "P2"}, "fields": {"name": "Bea"}},
            {**head, "kind": "remove", "on_absent": "delete", "key": {"id": "P1"}, "fields": {}},
        ]

    def test_a_csv_is_a_group_of_actions(self, sink: ChangesetSink) -> None:
        """By target and kind; a second one of the same has a number."""
        self.apply(sink, create(ANN, BOB), update({"id": "P2", "name": "Bea"}), update({"id": "P1", "email": ""}))
        found = {path.name: path.read_text("utf-8") for path in (self.outbox / "r.1").iterdir()}
        assert found == {
            "patrons.create.csv": "id,name,email\nP1,Ann,ann@x.example\nP2,Bob,\n",
            "patrons.update.csv": "id,name\nP2,Bea\n",
            "patrons.update.2.csv": "id,email\nP1,\n",
        }

    def test_csvs_are_in_the_dialect_of_the_rules(self, tmp_path: Path) -> None:
        """Lines of JSON know none."""
        self.apply(ChangesetSink(tmp_path, Dialect.SDS), create({**ANN, "name": "a\nb"}))
        assert (tmp_path / "r.1" / "patrons.create.csv").read_bytes() == b"id,name,email\r\nP1,a b,ann@x.example\r\n"
        assert lines_of(tmp_path / "r.1.jsonl")[0]["fields"]["name"] == "a\nb"

    def test_a_long_group_is_whole(self, sink: ChangesetSink) -> None:
        """More lines than are made at a time."""
        many = [{"id": f"{number:06}", "name": "x", "email": ""} for number in range(100_001)]
        self.apply(sink, create(*many))
        lines = lines_of(self.outbox / "r.1.jsonl")
        assert [line["key"]["id"] for line in lines] == [one["id"] for one in many]
        assert len(list(csv.reader((self.outbox / "r.1" / "patrons.create.csv").open()))) == len(many) + 1

    @pytest.mark.parametrize("code", range(33))
    def test_every_control_character_is_kept(self, sink: ChangesetSink, code: int) -> None:
        """JSON has them escaped."""
        self.apply(sink, create({**ANN, "name": f'a{chr(code)}\\{chr(code)}"'}))
        assert self.cells(sink)["P1",]["name"] == f'a{chr(code)}\\{chr(code)}"'

    def test_only_its_owner_can_read_it(self, sink: ChangesetSink) -> None:
        """It has children's data in it."""
        self.apply(sink, create(ANN))
        assert {path.stat().st_mode & 0o077 for path in (self.outbox, *self.outbox.rglob("*"))} == {0}

    # The index -----------------------------------------------------------------------------------------------

    def test_the_index_is_in_order(self, sink: ChangesetSink) -> None:
        """A line for each plan; a second plan of a run has a name of its own."""
        self.apply(sink, create(ANN))
        self.apply(sink, create(BOB))
        self.apply(sink, remove("P1"), once="2", run="r.2")
        found = entries_of(self.outbox)
        assert [(one["run"], one["name"], one["actions"]) for one in found] == [
            ("r.1", "r.1", 1),
            ("r.1", "r.1-2", 1),
            ("r.2", "r.2", 1),
        ]
        actions = {"create": 1, "update": 0, "remove": 0}
        assert found[0]["targets"] == {
            "patrons": {"key": ["id"], "columns": ["id", "name", "email"], "actions": actions}
        }

    def test_a_plan_of_nothing_is_not_written(self, sink: ChangesetSink) -> None:
        """Nobody has anything to do for it."""
        self.apply(sink)
        assert not self.outbox.exists()

    def test_the_same_plan_again_writes_nothing(self, sink: ChangesetSink) -> None:
        """Also when its files have been consumed, and by another process."""
        self.apply(sink, create(ANN))
        (self.outbox / "r.1.jsonl").unlink()
        before = (self.outbox / "_index.jsonl").read_bytes()
        self.apply(ChangesetSink(self.outbox), create(ANN))
        assert (self.outbox / "_index.jsonl").read_bytes() == before
        assert not (self.outbox / "r.1.jsonl").exists()

    def test_what_a_kill_left_is_made_good(self, sink: ChangesetSink) -> None:
        """Files that the index does not name, and half a line of it, give way to the same plan."""
        self.apply(sink, create(ANN))
        index = self.outbox / "_index.jsonl"
        before = index.read_bytes()
        self.apply(sink, create(BOB), once="2", run="r.2")
        for kept in (before, index.read_bytes()[:-1], index.read_bytes()[: len(before) + 1]):
            index.write_bytes(kept)
            (self.outbox / ".r.2.part").mkdir()
            self.apply(sink, create(BOB), once="2", run="r.2")
            assert [one["name"] for one in entries_of(self.outbox)] == ["r.1", "r.2"]
            assert set(self.cells(sink)) == {("P1",), ("P2",)}
            assert list(self.outbox.glob(".*")) == []

    def test_a_full_disk_leaves_nothing_in_the_index(self, sink: ChangesetSink) -> None:
        """Of the files and of the index itself; when there is room, it is made good."""
        self.apply(sink, create(ANN))
        wide = {**BOB, "name": "x" * 10_000}
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        for most in (5_000, len((self.outbox / "_index.jsonl").read_bytes()) + 10):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
            try:
                with pytest.raises(SinkError, match="the changeset sink failed: File too large"):
                    self.apply(sink, create(wide if most == 5_000 else BOB), once="2", run="r.2")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert [one["name"] for one in entries_of(self.outbox)] == ["r.1"]
        self.apply(sink, create(wide), once="2", run="r.2")
        assert set(self.cells(sink)) == {("P1",), ("P2",)}

    def test_a_damaged_index_is_told(self, sink: ChangesetSink) -> None:
        """Nothing is written then: it could be a second time."""
        self.apply(sink, create(ANN))
        (self.outbox / "_index.jsonl").write_bytes(b"{\n")
        with pytest.raises(SinkError, match=r"_index\.jsonl is damaged"):
            self.apply(sink, create(BOB), once="2")

    def test_the_index_names_what_is_there(self, sink: ChangesetSink) -> None:
        """With the SHA-256 of its lines, so that a script can tell."""
        self.apply(sink, create(ANN))
        (entry,) = entries_of(self.outbox)
        told = hashlib.sha256((self.outbox / "r.1.jsonl").read_bytes()).hexdigest()
        assert entry["sha256"] == told


def test_times_are_times(tmp_path: Path) -> None:
    """As the schema says; what a run gives is one."""
    plan = make_plan([create(ANN)])
    ChangesetSink(tmp_path).apply(plan, once="1", run="r", at="2026-01-01T00:00:00+00:00", progress=lambda _: None)
    fastjsonschema.compile(SCHEMA)(lines_of(tmp_path / "r.jsonl")[0])
    fastjsonschema.compile(SCHEMA["definitions"]["entry"])(lines_of(tmp_path / "_index.jsonl")[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "delete"},
        {"key": {}},
        {"fields": {"name": 3}},
        {"kind": "remove"},
        {"kind": "remove", "on_absent": "delete"},
        {"on_absent": "delete"},
        {"kind": "rekey", "fields": {}},
    ],
)
def test_the_schema_refuses_what_is_none(wrong: dict[str, Any]) -> None:
    """It says what a line is, and not only that it is one."""
    line = {"run": "r", "at": "2026-01-01T00:00:00Z", "target": "t", "kind": "create", "key": {"id": "1"}}
    whole = {**line, "fields": {"name": "x"}}
    AN_ACTION(whole)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        AN_ACTION({**whole, **wrong})


def test_a_sink_is_opened_by_its_kind(tmp_path: Path) -> None:
    """A relative path starts at the folder that is given."""
    sink = open_sink("changeset", {"path": "out/changes"}, tmp_path, rules_of())
    sink.apply(make_plan([create(ANN)]), once="1", run="r", at="t", progress=lambda _: None)
    sink.close()
    assert (tmp_path / "out" / "changes" / "r.jsonl").exists()


def test_a_path_is_needed(tmp_path: Path) -> None:
    """Without one it is a fault of the configuration."""
    with pytest.raises(ConfigError) as caught:
        open_sink("changeset", {}, tmp_path, rules_of())
    assert caught.value.problems == ('sinks.path: a changeset sink needs path = "FOLDER"',)
