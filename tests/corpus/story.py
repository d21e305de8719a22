"""Inputs that are bad for what comes before, beside or after them: stories of a feed, each with a clean twin.

A story is played on a feed that has taken the first day's drop. What is told of it is all that a machine can read:
states of runs, codes of findings and breaches, events of the log, names of errors, exit codes.
"""

import io
import itertools
import json
import queue
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders import Roster, Row
from corpus.case import CANARY, Made, _active_in, _digest, _live_in, _peak, bytes_of, logging_to
from corpus.sets import FIRST
from corpus.sound import DAY_1, DAY_2
from fault_world import Server
from places import (
    FEED,
    Place,
    documents_of,
    invoke,
    once,
    place,
    rows_of,
    snapshot_of,
    stamped_target_of,
    states_of,
    take_drop,
)

from ingestd import daemon
from ingestd.daemon import Clock
from ingestd.feed import Feed
from ingestd.feedloop import Requests, Taken
from ingestd.sources.base import Drop
from ingestd.stages import Unseen
from ingestd.store import Store
from schemas import shapes

QUIET = 'quiet_period = "0s"'


class Watcher(Unseen):
    """Does something when a run comes to a stage, once: the world does not stand still meanwhile."""

    def __init__(self, at: str, act: Callable[[], object]) -> None:
        self._at, self._act = at, act
        self._is_done = False

    def stage(self, name: str, detail: str) -> None:
        """Act, if it is the stage."""
        if name == self._at and not self._is_done:
            self._is_done = True
            self._act()


@dataclass
class Scene:
    """A feed after its first day, and what is heard of it from then on.

    `later` is how far its clock is ahead, `server` the one that forks processes.
    """

    where: Place
    server: Callable[[], Server]
    later: timedelta = timedelta()
    words: set[str] = field(default_factory=set)
    heard: io.StringIO = field(default_factory=io.StringIO)
    sights: list[Mapping[str, Mapping[str, Row]]] = field(default_factory=list)
    longest: float = 0.0

    def now(self) -> datetime:
        """Return the time of day as the feed's clock has it."""
        return datetime.now(UTC) + self.later

    # What senders do ------------------------------------------------------------------------------------------

    def send(self, content: bytes, name: str = "roster.zip") -> Path:
        """Put a drop into the inbox."""
        return self.where.drop(content, name)

    def settle(self, old: str, new: str, file: str = f"feeds/{FEED}.toml") -> None:
        """Change the feed's settings, or another file of the configuration."""
        path = self.where.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def inbox(self) -> Path:
        """Return the feed's inbox."""
        return self.where.inbox()

    # What operators do ----------------------------------------------------------------------------------------

    def command(self, *args: str | Path) -> int:
        """Run a command, which is a new process as far as the feed can tell; return its exit code."""
        with self._hearing():
            done = invoke(self.where, *args)
        self.heard.write(f"{done.err}\n{done.out}\n")
        self.words.add(f"{args[0]}-exit-{done.code}")
        return done.code

    def take(self) -> int:
        """Have everything taken that lies in the inbox, and failed runs tried again."""
        return self.command("once", "--json")

    def take_traced(self, *options: str) -> None:
        """Have everything taken by a process of its own under strace with these options."""
        log = self.where.folder / "traced.log"
        server, begun = self.server(), time.monotonic()
        code = server.trace(log, ["-o", "/dev/null", *options], "--config", self.where.config, "once")
        self.longest = max(self.longest, time.monotonic() - begun)
        self.heard.write(log.read_text())
        self.words.add(f"once-exit-{code}")

    def last(self) -> Mapping[str, Any]:
        """Return the document of the newest run."""
        return documents_of(self.where)[-1]

    def release(self, digest: str = "") -> int:
        """Consent to the newest run's plan, or to another one."""
        return self.command("release", str(self.last()["run"]), "--plan", digest or str(self.last()["digest"]))

    def look(self) -> None:
        """Look at the states of runs, at the snapshot and at the target: none of them is ever half way."""
        self.sights += [live_in(self.where), target_in(self.where)]
        self.words |= {f"then-{state}" for state in states_of(self.where)[1:]}
        self.words |= set(_documented(documents_of(self.where)[1:]))

    # The feed in this process ---------------------------------------------------------------------------------

    @contextmanager
    def feed(self, watcher: Watcher | None = None) -> Iterator[Feed]:
        """Open the feed; what it logs is heard."""
        with self._hearing():
            feed = self.where.feed(clock=self.now, show=watcher)
            try:
                yield feed
            finally:
                feed.close()

    def sight(self, feed: Feed, after: float = 0) -> list[Drop]:
        """Return the drops that have been at rest long enough; `after` so many seconds of our own clock."""
        return list(feed.sources[0].scan(time.monotonic() + after, self.now()))

    def offer(self, feed: Feed, drop: Drop, stop: Callable[[], bool] = lambda: False) -> None:
        """Have the feed take a drop that was sighted."""
        taken = take_drop(feed, drop, stop)
        self.words |= {"wait"} if taken is Taken.WAIT else set()

    def loop(self, watcher: Watcher | None = None) -> None:
        """Have the feed's own loop take everything, as the daemon does."""
        with self.feed(watcher) as feed:
            self.run(feed)

    def run(self, feed: Feed) -> None:
        """Have the loop of a feed that is open take everything."""
        requests: Requests = queue.SimpleQueue()
        daemon.once([feed], clock=Clock(wall=self.now), requests=requests)

    def tick(self, at: datetime) -> None:
        """Have the feed do what the time of day asks for."""
        with self.feed() as feed:
            feed.tick(at, lambda: False)

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        begun = time.monotonic()
        with logging_to(self.heard):
            yield
        self.longest = max(self.longest, time.monotonic() - begun)


Play = Callable[[Scene], object]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to a feed after its first day, and what comes of it; in its clean twin the last step is right.

    `states` are those in which its runs end up, oldest first; `codes` are told of it and not of the twin; `after` is
    what target and snapshot hold in the end, and `left` lies in the inbox. `first` is what they hold after `day_1`,
    `plans` how many the target has carried out by then. `feed` is TOML behind the feed's settings, `top` before them.
    `is_traced`: it takes strace.
    """

    name: str
    bad: Play
    twin: Play
    states: tuple[str, ...] = ("applied",)
    codes: tuple[str, ...] = ()
    after: Roster = field(default_factory=lambda: DAY_2)
    left: tuple[str, ...] = ()
    twin_states: tuple[str, ...] = ("applied",)
    twin_after: Roster = field(default_factory=lambda: DAY_2)
    first: Roster = field(default_factory=lambda: DAY_1)
    day_1: Made = FIRST.zip
    feed: str = ""
    top: str = ""
    plans: int = 1
    is_traced: bool = False


@dataclass(frozen=True)
class Told:
    """What came of a story. `sights` were there on the way, `plans` is how many the target has carried out."""

    states: tuple[str, ...]
    words: frozenset[str]
    grave: frozenset[str]
    target: Mapping[str, Mapping[str, Row]]
    snapshot: Mapping[str, Mapping[str, Row]]
    sights: Sequence[Mapping[str, Mapping[str, Row]]]
    plans: int
    is_untouched: bool
    left: tuple[str, ...]
    canaries: frozenset[str]
    seconds: float
    peak: int


class Stage:
    """Feeds after their first day, on which stories are played."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Place] = {}
        self._numbers = itertools.count()
        self._played: dict[tuple[Play, str, str, str], Told] = {}
        self._servers: list[Server] = []

    def server(self) -> Server:
        """Return the server that forks processes, started when it is first wanted."""
        if not self._servers:
            self._servers.append(Server())
        return self._servers[0]

    def close(self) -> None:
        """End what was started."""
        for one in self._servers:
            one.close()

    def scene(self, day_1: Made = FIRST.zip, feed: str = "", top: str = "") -> Scene:
        """Return a new scene."""
        first = bytes_of(day_1)
        key = _digest(first)
        if key not in self._places:
            self._places[key] = place(self._folder / f"day-1-{len(self._places)}")
            assert once(self._places[key], first).code == 0
        where = self._places[key].copy_to(self._folder / f"scene-{next(self._numbers)}")
        settings = where.folder / "feeds" / f"{FEED}.toml"
        settings.write_text(top + settings.read_text() + feed, encoding="utf-8")
        return Scene(where, self.server)

    def play(self, play: Play, story: Story) -> Told:
        """Play a story, or its twin; what several have in common is played once."""
        key = play, _digest(bytes_of(story.day_1)), story.feed, story.top
        if key not in self._played:
            scene = self.scene(story.day_1, story.feed, story.top)
            before = stamps(scene)
            with _peak() as peak:
                play(scene)
            self._played[key] = told_of(scene, before, peak())
        return self._played[key]


def stamps(scene: Scene) -> Any:
    """Return all that there is in target and snapshot, to see whether anything was written."""
    return stamped_target_of(scene.where), snapshot_of(scene.where)


def told_of(scene: Scene, before: Any, peak: int) -> Told:
    """Return what can be told of a scene, and what is there now."""
    where = scene.where
    snapshot = live_in(where)  # first: who opens a store to write rolls back what a fault left half done
    documents = documents_of(where)[1:]
    receipts = "".join(path.read_text() for path in (where.state / "results").glob("*/*.txt") if path.is_file())
    return Told(
        states=tuple(str(one["state"]) for one in documents),
        words=frozenset({*scene.words, *_logged(scene.heard.getvalue()), *_documented(documents)}),
        grave=frozenset(
            str(one["code"]) for document in documents for one in document.get("listed_findings", ())
            if one["severity"] in {"error", "catastrophic"}
        ),
        target=target_in(where),
        snapshot=snapshot,
        sights=scene.sights,
        plans=len(rows_of(where.target(), "SELECT 1 FROM _ingestd_plans")),
        is_untouched=stamps(scene) == before,
        left=tuple(sorted(path.name for path in where.inbox().iterdir())) if where.inbox().is_dir() else (),
        canaries=frozenset(CANARY.findall(scene.heard.getvalue() + json.dumps(documents) + receipts)),
        seconds=scene.longest,
        peak=peak,
    )  # fmt: skip


def live_in(where: Place) -> Mapping[str, Mapping[str, Row]]:
    """Return the live records of the snapshot."""
    store = Store(where.store().parent, FEED, shapes())
    try:
        return _live_in(store)
    finally:
        store.close()


def target_in(where: Place) -> Mapping[str, Mapping[str, Row]]:
    """Return the active target records."""
    with closing(sqlite3.connect(where.target())) as db:
        db.execute("SELECT 1 FROM sqlite_master")  # who opens it to write rolls back what a fault left half done
    return _active_in(where)


def _logged(text: str) -> Iterator[str]:
    """Yield the events of a log, and the names of the errors in it."""
    for line in text.splitlines():
        if line.startswith("{") and "event" in (said := json.loads(line)):
            yield from (str(said[name]) for name in ("event", "code", "errno", "error") if said.get(name))


def _documented(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the states of runs, codes, what each finding follows from, names of errors, and what changed."""
    for one in documents:
        yield str(one["state"])
        yield from str(one.get("error") or "").replace(":", " ").split()
        for finding in (*one.get("listed_findings", ()), *one.get("breaches", ())):
            yield str(finding["code"])
            cause = finding.get("caused_by")
            if cause:
                yield f"{finding['code']}:{cause['code']}:{cause['file']}:{cause['line']}"
        for table, counts in one.get("changeset", {}).items():
            yield from (f"{table}:{counts[kind]}:{kind}" for kind in ("created", "updated", "deleted") if counts[kind])
