"""The webhook keeps the contract of sinks, against a real HTTP server; what is its own is told here."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from receiver import KEY, SCHEMA, SECRET, VALIDATOR, Fault, Receiver, receiving

from ingestd.core.model import Kind, Outcome
from ingestd.core.plan import make_plan
from ingestd.core.rules import OnUnmapped, Rules
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.webhook import WebhookSink, World
from ingestd.testing.actions import ANN, BOB, create, remove, update
from ingestd.testing.sinks import Records, SinkContract

RULES = Rules((), {}, OnUnmapped.HOLD_RECORD, "")
OVER = {"url", "secret", "path"}


@dataclass(slots=True)
class Time:
    """A time of its own, in which whoever sleeps is awake at once; `on_sleep` is what happens meanwhile."""

    now: float = 1_800_000_000.0
    pauses: list[float] = field(default_factory=list)
    on_sleep: Any = None

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds
        if self.on_sleep:
            self.on_sleep()

    @property
    def world(self) -> World:
        """Return the time as a sink wants it; chance shortens no pause."""
        return World(lambda: self.now, lambda: self.now, self.sleep, lambda: 0.0)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """Return the reference to the secret."""
    (tmp_path / "hook").write_text(f"{SECRET}\n")
    return f"file:{tmp_path / 'hook'}"


class WebhookWorld:
    """An application, a time of its own, and a sink between them."""

    receiver: Receiver
    time: Time
    about: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _world(self, secret: str) -> Iterator[None]:
        with receiving() as self.receiver:
            self.time = Time()
            self.about = {"url": self.receiver.url, "secret": secret, "path": "hook.db", "timeout": 5.0}
            yield
            assert self.receiver.odd == []
            assert set(self.receiver.effects.values()) <= {1}, "nothing is done twice"

    def make(self, folder: Path, **about: Any) -> WebhookSink:
        """Return a sink that keeps its answers in the folder."""
        return WebhookSink.from_settings({**self.about, **about}, folder, RULES, self.time.world)

    def read(self, sink: WebhookSink, target: str) -> Records:
        """Return what the application has."""
        return {key: dict(one) for key, one in self.receiver.tables.get(target, {}).items()}

    def trip(self, sink: WebhookSink, target: str, key: str) -> None:
        """Have the application refuse a record."""
        self.receiver.refuses[target, (key,)] = "no-seat"

    def heal(self, sink: WebhookSink, target: str) -> None:
        """Have it refuse nothing."""
        self.receiver.refuses.clear()


class TestWebhookSink(WebhookWorld, SinkContract):
    """The contract; a failure is of single actions, for it is not transactional."""

    def test_a_failure_leaves_nothing_and_may_be_tried_again(self, sink: WebhookSink) -> None:  # type: ignore[override]
        """Of a failed action nothing is left, all others are done; healed, a plan of what is left does the rest."""
        self.apply(sink, create(ANN))
        self.trip(sink, "patrons", "P2")
        outcomes = self.apply(sink, create({**BOB, "id": "P0"}, BOB, {**BOB, "id": "P3"}), remove("P1"), once="2")
        assert outcomes == (
            Outcome("patrons", Kind.CREATE, 2, {1: "no-seat"}),
            Outcome("patrons", Kind.REMOVE, 1, {}),
        )
        assert {key: one["_active"] for key, one in self.cells(sink).items()} == {("P0",): 1, ("P1",): 0, ("P3",): 1}
        self.heal(sink, "patrons")
        self.apply(sink, create(BOB), once="3")
        assert ("P2",) in self.cells(sink)

    def test_a_failure_is_not_remembered_as_done(self, sink: WebhookSink) -> None:  # type: ignore[override]
        """Of the same plan it is told again; nor is it in the way of other plans."""
        self.trip(sink, "patrons", "P2")
        first = self.apply(sink, create(ANN, BOB), once="2")
        self.heal(sink, "patrons")
        assert self.apply(sink, create(ANN, BOB), once="2") == first
        self.apply(sink, update({"id": "P1", "name": "Anna"}), once="3")
        assert self.cells(sink) == {("P1",): {**ANN, "name": "Anna", "_active": 1}}


class TestBatches(WebhookWorld):
    """What is sent, and how it is known again."""

    @pytest.fixture
    def sink(self, tmp_path: Path) -> Iterator[WebhookSink]:
        """Return a sink that sends two actions at once."""
        made = self.make(tmp_path, batch=2)
        yield made
        made.close()

    def apply(self, sink: WebhookSink, *groups: Any, once: str = "1", at: str = "t1") -> Any:
        """Apply a plan of a run of springfield's."""
        return sink.apply(make_plan(groups), once=once, run="springfield.7", at=at, progress=lambda _: None)

    def test_batches_come_in_the_order_of_the_plan(self, sink: WebhookSink) -> None:
        """Each is of one table and kind, and says which of how many it is."""
        self.apply(sink, create(ANN, BOB, {**BOB, "id": "P3"}), update(ANN), remove("P2"))
        sent = [(one["batch"], one["kind"], len(one["records"])) for _, one in self.receiver.requests]
        assert sent == [(1, "create", 2), (2, "create", 1), (3, "update", 1), (4, "remove", 1)]
        assert {one["batches"] for _, one in self.receiver.requests} == {4}

    def test_a_batch_tells_all_that_its_receiver_needs(self, sink: WebhookSink) -> None:
        """Feed, run and time, the table with its key and columns, and of a record its key and what else there is."""
        self.apply(sink, create(ANN), remove("P1"))
        (_, first), (_, last) = self.receiver.requests
        assert first == {
            "type": "ingestd.actions.v1", "feed": "springfield", "run": "springfield.7", "at": "t1",
            "batch": 1, "batches": 2, "target": "patrons", "kind": "create", "key": ["id"],
            "columns": ["id", "name", "email"],
            "records": [{"key": {"id": "P1"}, "fields": {"name": "Ann", "email": "ann@x.example"}}],
        }  # fmt: skip
        assert (last["on_absent"], last["records"]) == ("deactivate", [{"key": {"id": "P1"}}])

    def test_the_same_batch_has_the_same_key_and_body(self, sink: WebhookSink) -> None:
        """At each try, and with the time of the first; other batches, plans and runs have others."""
        self.receiver.faults.append(Fault(503))
        self.apply(sink, create(ANN))
        assert len(set(self.receiver.keys)) == 1 and self.receiver.requests[0] == self.receiver.requests[1]
        self.apply(sink, create(ANN), once="2")
        self.apply(sink, create(BOB), once="2")
        assert len(set(self.receiver.keys)) == 3

    def test_a_batch_is_signed_anew_at_each_try(self, sink: WebhookSink) -> None:
        """The time that is signed is that of the try, or the receiver would take it for a replay."""
        self.receiver.faults.append(Fault(503))
        self.apply(sink, create(ANN))
        first, second = (int(one["webhook-timestamp"]) for one in self.receiver.headers)
        assert (first, second - first) == (1_800_000_000, int(self.time.pauses[0]))

    def test_while_a_secret_is_changed_both_sign(self, tmp_path: Path, secret: str) -> None:
        """The receiver believes whichever it knows."""
        other = "whsec_" + base64.b64encode(KEY[::-1]).decode()
        Path(secret.removeprefix("file:")).write_text(f"{other} {SECRET}")
        with closing(self.make(tmp_path)) as sink:
            self.apply(sink, create(ANN))
        assert self.receiver.headers[0]["webhook-signature"].count("v1,") == 2

    def test_a_secret_is_read_when_it_is_needed(self, tmp_path: Path, secret: str) -> None:
        """What is wrong with it is told without it, and heals without a restart."""
        place = Path(secret.removeprefix("file:"))
        place.write_text("whsec_hunter2")
        with closing(self.make(tmp_path)) as sink:
            with pytest.raises(SinkError, match="24 to 64 bytes") as caught:
                self.apply(sink, create(ANN))
            assert "hunter2" not in str(caught.value) and not caught.value.is_partly_done
            place.write_text(SECRET)
            assert self.apply(sink, create(ANN))[0].done == 1

    @pytest.mark.parametrize("name", sorted(OVER))
    def test_what_is_missing_is_told(self, tmp_path: Path, name: str) -> None:
        """Before anything is opened."""
        with pytest.raises(ConfigError, match=f"sinks.{name}"):
            WebhookSink.from_settings({**self.about, name: None}, tmp_path, RULES)

    def test_times_may_be_durations(self, tmp_path: Path) -> None:
        """As the configuration gives them."""
        with closing(self.make(tmp_path, timeout=timedelta(seconds=5), max_retry=timedelta(minutes=1))) as sink:
            self.apply(sink, create(ANN))


class TestProgress(WebhookWorld):
    """What is kept of a plan between processes."""

    def apply(self, folder: Path, *groups: Any, at: str = "t1", **about: Any) -> tuple[Any, list[int]]:
        """Apply a plan in a process of its own, so to speak, two actions at once; return what it told as well."""
        heard: list[int] = []
        with closing(self.make(folder, **{"batch": 2, **about})) as sink:
            plan = make_plan(groups)
            return sink.apply(plan, once="1", run="f.1", at=at, progress=heard.append), heard

    def test_a_repeat_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        """What was answered is not sent again; what was not is sent under the key it had; outcomes are of both."""
        groups = create(ANN, BOB, {**BOB, "id": "P3"}), remove("P1")
        self.trip(None, "patrons", "P2")  # type: ignore[arg-type]
        self.receiver.faults.extend([Fault(200, does=True), Fault(401)])
        self.receiver.faults[0] = Fault(207, body=b'{"failed": [{"index": 1, "reason": "no-seat"}]}', does=True)
        with pytest.raises(SinkError) as caught:
            self.apply(tmp_path, *groups)
        assert caught.value.is_partly_done
        outcomes, heard = self.apply(tmp_path, *groups, at="t2")
        assert outcomes == (
            Outcome("patrons", Kind.CREATE, 2, {1: "no-seat"}),
            Outcome("patrons", Kind.REMOVE, 1, {}),
        )
        assert [one["batch"] for _, one in self.receiver.requests] == [1, 2, 2, 3]
        assert self.receiver.requests[1] == self.receiver.requests[2], "with the time of the first try"
        assert sum(heard) == 4

    def test_a_batch_keeps_its_size(self, tmp_path: Path) -> None:
        """Another setting is of the next plan: batches would be others under the same keys."""
        groups = (create(ANN, BOB, {**BOB, "id": "P3"}),)
        self.receiver.faults.extend([Fault(200, does=True), Fault(403)])
        with pytest.raises(SinkError):
            self.apply(tmp_path, *groups)
        self.apply(tmp_path, *groups, batch=3)
        assert [len(one["records"]) for _, one in self.receiver.requests] == [2, 1, 1]

    def test_another_receiver_has_done_nothing_yet(self, tmp_path: Path) -> None:
        """What the one before answered is no word of its own."""
        self.apply(tmp_path, create(ANN))
        with receiving() as other:
            self.apply(tmp_path, create(ANN), url=other.url)
            assert set(other.tables["patrons"]) == {("P1",)}

    def test_what_is_kept_has_no_value(self, tmp_path: Path) -> None:
        """Numbers, keys of batches, and words; and nobody else can read it."""
        self.receiver.refuses["patrons", ("P1",)] = "Ann has no seat"
        outcomes, _ = self.apply(tmp_path, create(ANN))
        assert dict(outcomes[0].failed) == {0: "refused"}
        kept = (tmp_path / "hook.db").read_bytes()
        assert b"Ann" not in kept and b"P1" not in kept and b"127.0.0.1" not in kept
        assert (tmp_path / "hook.db").stat().st_mode & 0o077 == 0

    def test_of_a_plan_of_which_nothing_was_done_nothing_is_kept(self, tmp_path: Path) -> None:
        """Another plan may take its place."""
        self.receiver.faults.append(Fault(404))
        with pytest.raises(SinkError) as caught:
            self.apply(tmp_path, create(ANN))
        assert not caught.value.is_partly_done
        with closing(sqlite3.connect(tmp_path / "hook.db")) as db:
            assert db.execute("SELECT count(*) FROM plans").fetchone() == (0,)

    def test_what_may_have_been_done_is_told_by_a_later_try_too(self, tmp_path: Path) -> None:
        """A try that reached nobody takes nothing back."""
        self.receiver.faults.extend([Fault(500)] * 10)
        for _ in range(2):
            with pytest.raises(TransientSinkError) as caught:
                self.apply(tmp_path, create(ANN))
            assert caught.value.is_partly_done
            self.receiver.faults.extend([Fault(429)] * 10)

    def test_a_file_that_cannot_be_written_is_a_fault_of_the_sink(self, tmp_path: Path) -> None:
        """Nothing is sent of which no answer could be kept."""
        (tmp_path / "hook.db").mkdir()
        with pytest.raises(SinkError, match="OperationalError"):
            self.apply(tmp_path, create(ANN))
        assert self.receiver.requests == []

    def test_the_schema_that_ships_is_a_schema(self) -> None:
        """And refuses what is not of its form."""
        VALIDATOR.check_schema(SCHEMA)
        assert not VALIDATOR.is_valid({"type": "ingestd.actions.v1"})
