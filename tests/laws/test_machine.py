"""Any order of good drops, bad drops, faults, consents and restarts ends where a dictionary says it should.

The model is a dictionary of users by id: what was last accepted. The machine does something, the model says what must
come of it; after each step the sink, the owned records and the snapshot are the model. `make fuzz` tries many more
orders than the normal suite.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builders import bad_line, roster, user, zip_of
from examples import TIMES
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from places import Place, place

from ingestd.core.state import State
from ingestd.feed import Feed
from ingestd.sinks.memory import MemorySink
from ingestd.store import Run

Users = dict[int, str]
"""Family names by the user's number."""

RULES = """
[[table]]
name = "people"
from = "users"
key = ["id"]
on_absent = "delete"
[table.fields]
id = { from = "sourcedId" }
name = { from = "familyName" }
"""
LIMITS = '[limits]\ndelete = "40%"\nupdate = "100%"\nper_org_delete = "100%"\nmax_held_back = "100%"\nminimum = 5\n'
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBERS = st.integers(1, 12)
USERS = st.dictionaries(NUMBERS, st.sampled_from(["Ash", "Birch", "Cedar", "Null", "O'Fern"]), min_size=1, max_size=12)


def zip_with(users: Users) -> bytes:
    """Return a drop with these users, in their order."""
    return zip_of({**roster(1), **_tables(users)})


def enrollments(users: Users) -> list[dict[str, str]]:
    """Return one enrollment, of the first user: no drop may be without."""
    first = next(iter(users))
    return [{**roster(1)["enrollments"][0], "userSourcedId": f"U{first}"}]


class Machine(RuleBasedStateMachine):
    """A feed with a sink in memory, and what must be true of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ingestd-machine-"))
        self.place: Place = place(self.folder, more=LIMITS, rules=RULES)
        self.sink = MemorySink()
        self.days = 0
        self.model: Users = {}
        self.pending: tuple[str, Users] | None = None
        self.history: list[tuple[bytes, Users]] = []
        self.newest = b""
        self.feed = self._open()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.feed.close()
        shutil.rmtree(self.folder)

    def _open(self) -> Feed:
        feed = self.place.feed(clock=lambda: START + timedelta(days=self.days))
        feed.runs.sinks.put("sqlite", self.sink)  # a test can look into it; the rest is the feed as it is
        return feed

    def _take(self, content: bytes) -> Run:
        path = self.folder / "given.zip"
        path.write_bytes(content)
        return self.feed.take_file(path)

    def _is_breach(self, after: Users) -> bool:
        gone, before = len(self.model.keys() - after.keys()), len(self.model)
        return before > 0 and (gone == before or (before >= 5 and gone > 0.4 * before + 1e-6))

    def _expect(self, run: Run, content: bytes, after: Users) -> None:
        """Say what must have come of a sound drop."""
        if content == self.newest and run.state is State.DUPLICATE:
            return
        assert content != self.newest
        self._expect_plan(run, content, after)

    def _expect_plan(self, run: Run, content: bytes, after: Users) -> None:
        self.pending = None
        if self._is_breach(after):
            assert run.state is State.HELD
            self.pending = (run.id, after)
            self.newest = content
        elif self.sink.fail_after is not None and after != self.model:
            assert run.state is State.FAILED
            self.pending = (run.id, after)
            self.newest = b""  # what was applied before it is no repeat any more: sent again, it takes its place
        else:
            assert run.state is State.APPLIED
            self.model = dict(after)
            self.newest = content

    @initialize(users=USERS)
    def begin(self, users: Users) -> None:
        """Have a first drop, so that there is something to lose."""
        self.drop(users)

    @rule(users=USERS)
    def drop(self, users: Users) -> None:
        """Take a sound drop."""
        content = zip_with(users)
        self.history.append((content, users))
        self._expect(self._take(content), content, users)

    @rule(change=st.dictionaries(NUMBERS, st.sampled_from(["Dogwood", "Elm"]), max_size=2), leave=NUMBERS)
    def ordinary_night(self, change: Users, leave: int) -> None:
        """Take a drop with a few differences."""
        after = {number: name for number, name in {**self.model, **change}.items() if number != leave}
        if after:
            self.drop(after)

    @rule(pick=st.integers(0, 50))
    def replay(self, pick: int) -> None:
        """Take one of the earlier drops again: the newest is a duplicate, an older one is applied as a diff."""
        content, users = self.history[pick % len(self.history)]
        self._expect(self._take(content), content, users)

    @precondition(lambda self: self.model)
    @rule(pick=st.integers(0, 50), extra=st.sampled_from([",", ",x,y", '"']))
    def drop_with_a_broken_row(self, pick: int, extra: str) -> None:
        """Take today's users with one line broken: that user stays as it was, and is not gone."""
        broken = sorted(self.model)[pick % len(self.model)]
        if len(self.model) < 2:
            return
        users = {**{number: "Fir" for number in self.model if number != broken}, broken: "Hidden"}
        content = bad_line({**roster(1), **_tables(users)}, f"U{broken}", extra)
        run = self._take(content)
        if content != self.newest:
            self._expect_plan(run, content, {**users, broken: self.model[broken]})

    @rule(content=st.sampled_from([b"", b"no zip", zip_of(roster(2))[:-40], zip_of(roster(2), users=None)]))
    def drop_rubbish(self, content: bytes) -> None:
        """Take what is no roster: rejected, and what waits goes on waiting."""
        assert self._take(content).state is State.REJECTED

    @rule()
    def sink_breaks(self) -> None:
        """Let every action fail from now on."""
        self.sink.fail_after = 0

    @rule()
    def sink_is_mended(self) -> None:
        """Let actions succeed again."""
        self.sink.fail_after = None

    @precondition(lambda self: self.pending)
    @rule()
    def release(self) -> None:
        """Consent to what waits, by the digest that was looked at."""
        assert self.pending
        run, after = self.pending
        digest = self.feed.store.run(run).document["digest"]
        done = self.feed.release(run, digest)
        if done.state is State.APPLIED:
            self.model, self.pending = dict(after), None
            self.newest = self._newest_applied()
        else:
            assert (done.state, self.sink.fail_after) == (State.FAILED, 0)
            self.newest = b""

    @precondition(lambda self: self.pending)
    @rule()
    def discard(self) -> None:
        """Refuse what waits."""
        assert self.pending
        assert self.feed.discard(self.pending[0]).state is State.DISCARDED
        self.pending = None
        self.newest = self._newest_applied()

    def _newest_applied(self) -> bytes:
        shas = [run.sha256 for run in self.feed.store.runs(State.APPLIED) if run.document.get("drop")]
        return next((content for content in self._contents() if shas and _sha(content) == shas[0]), b"")

    def _contents(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.place.state / "archive").glob("*/*/*/given.zip")]

    @rule()
    def restart(self) -> None:
        """Close and open again; what had failed is tried again."""
        self.feed.close()
        self.feed = self._open()
        self.feed.resume()
        self._goes_on(lambda: self.feed.work(lambda: False))

    @rule()
    def tick(self) -> None:
        """Let a day pass; what had failed is tried again, and nothing else happens."""
        self.days += 1
        self._goes_on(lambda: self.feed.tick(START + timedelta(days=self.days), lambda: False))

    def _goes_on(self, step: Callable[[], None]) -> None:
        step()
        if self.pending and self.feed.store.run(self.pending[0]).state is State.APPLIED:
            assert self.sink.fail_after is None
            self.model, self.pending = dict(self.pending[1]), None
            self.newest = self._newest_applied()

    @invariant()
    def sink_is_the_model(self) -> None:
        """The target has the accepted users and no other."""
        people = self.sink.tables.get("people", {})
        assert {key[0]: row["name"] for key, row in people.items()} == named(self.model)

    @invariant()
    def snapshot_is_the_model(self) -> None:
        """So has the snapshot; and as many target records are owned."""
        frame = self.feed.store.snapshot.read_live("users")
        assert dict(zip(frame["sourcedId"], frame["familyName"], strict=True)) == named(self.model)
        assert self.feed.store.at("sqlite").count_owned("people") == len(self.model)

    @invariant()
    def one_run_waits_at_most(self) -> None:
        """And it is the one that the model knows of."""
        waiting = [run.id for run in self.feed.store.runs(State.HELD, State.FAILED)]
        assert waiting == ([self.pending[0]] if self.pending else [])
        assert not self.feed.store.runs(State.RECEIVED, State.APPLYING)


def _tables(users: Users) -> dict[str, list[dict[str, str]]]:
    return {
        "users": [user(number, familyName=name) for number, name in users.items()],
        "enrollments": enrollments(users),
    }


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def named(users: Users) -> dict[str, str]:
    """Return the names by sourcedId."""
    return {f"U{number}": name for number, name in users.items()}


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=12 * TIMES,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
