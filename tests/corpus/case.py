"""One bad input with its clean twin, and the harness that runs either through the real pipeline.

A feed stands where the first day's drop was applied; an input lies in its inbox and is taken from there as the daemon
takes it. What comes of it is an `Outcome`: the run's document, the log, target and snapshot, seconds and memory.
Equal inputs have equal outcomes, so that a twin shared by many cases is run once.
"""

import hashlib
import io
import itertools
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from builders import Roster, Row, zip_of
from corpus.sound import DAY_1, DAY_2, drop
from places import FEED, Place, once, place, rows_of, snapshot_of, stamped_target_of, tables_of, take_drop

from ingestd import log
from ingestd.core.model import Batch
from ingestd.feed import Feed
from ingestd.feedloop import Taken
from ingestd.stages import Show, Stages, Stop
from ingestd.store import Store
from schemas import shapes

CANARY = re.compile(r"qz[a-z]+[0-9]+qz", re.IGNORECASE)
SECONDS, MEMORY = 5.0, 512 << 20
"""How long one input, or one step of a story, may take, and how many bytes it may take up."""
GIVEN_UP = timedelta(minutes=31)
"""After this much rest a zip that is cut off is not waited for any longer."""


class Verdict(StrEnum):
    """What becomes of an input."""

    REJECTED = "rejected"
    WAITS = "waits in the inbox"
    HELD = "held"
    PARTLY = "applied, with records held back"
    FAILED = "failed"
    ACCEPTED = "applied whole"


Made = bytes | Callable[[], bytes]
"""A zip, or what makes it: large ones are made when they are needed."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A bad input, what must come of it, and the nearest legal input, which must be accepted.

    `code` is that of a finding (of a breach where the verdict is HELD); None is for what is legal and must be taken as
    it is; `also` has what may be told of it as well. `says` is a word of its message, `held_back` how many records its
    table does without. `after` is what target and snapshot hold afterwards where the input is applied, as far as it
    names tables and columns; `twin_after` the same for the twin. `feed` is TOML behind the feed's settings, `top`
    before them, `day_1` another first day's drop.
    """

    name: str
    bad: Made
    twin: Made = field(default_factory=drop)
    verdict: Verdict
    code: str | None
    file: str | None = None
    line: int | None = None
    also: frozenset[str] = frozenset()
    says: str = ""
    held_back: int = 0
    after: Roster = field(default_factory=lambda: DAY_2)
    twin_after: Roster = field(default_factory=lambda: DAY_2)
    feed: str = ""
    top: str = ""
    day_1: Made = field(default_factory=lambda: zip_of(DAY_1))


@dataclass(frozen=True)
class Outcome:
    """What came of an input.

    `state` is the run's, or that it waits. `target` and `snapshot` have live records by table and sourcedId where it
    was applied; where it was not, `is_untouched` says that not even a stamp in them is another. `told` is all that
    the vendor and the admin read.
    """

    state: str
    document: Mapping[str, Any]
    waiting: Batch | None
    target: Mapping[str, Mapping[str, Row]]
    snapshot: Mapping[str, Mapping[str, Row]]
    is_untouched: bool
    log: str
    told: str
    seconds: float
    peak: int

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """Return the findings that the run lists."""
        return list(self.document.get("listed_findings", ()))

    @property
    def codes(self) -> set[str]:
        """Return the codes of all findings and breaches, also of why it waits."""
        listed = {str(one["code"]) for one in (*self.findings, *self.document.get("breaches", ()))}
        return listed | ({self.waiting.code} if self.waiting else set())

    @property
    def canaries(self) -> set[str]:
        """Return the values of the data that came out: there must be none (law 9)."""
        return set(CANARY.findall((self.log + self.told).replace("\\u0000", "")))


def bytes_of(made: Made) -> bytes:
    """Return a zip, made now if it was not yet."""
    return made if isinstance(made, bytes) else made()


class World:
    """Feeds after their first day, and the outcomes of inputs so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, tuple[Place, Any]] = {}
        self._outcomes: dict[tuple[str, str, str], Outcome] = {}
        self._numbers = itertools.count()

    def take(self, made: Made, case: Case) -> Outcome:
        """Return what comes of an input under the settings of a case."""
        content, first = bytes_of(made), bytes_of(case.day_1)
        key = (_digest(content), _digest(first), case.top + case.feed)
        if key not in self._outcomes:
            before, was = self._after_day_1(first)
            where = before.copy_to(self._folder / f"case-{next(self._numbers)}")
            settings = where.folder / "feeds" / f"{FEED}.toml"
            settings.write_text(case.top + settings.read_text() + case.feed, encoding="utf-8")
            self._outcomes[key] = _take(where, content, was)
        return self._outcomes[key]

    def _after_day_1(self, first: bytes) -> tuple[Place, Any]:
        key = _digest(first)
        if key not in self._places:
            where = place(self._folder / f"day-1-{len(self._places)}")
            assert once(where, first).code == 0
            self._places[key] = where, _stamped(where)
        return self._places[key]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamped(where: Place) -> Any:
    return stamped_target_of(where), snapshot_of(where)


def _take(where: Place, content: bytes, was: Any) -> Outcome:
    """Put a drop into the inbox, have the feed take it from there, and look at what came of it."""
    where.drop(content)
    with logging_to(io.StringIO()) as stream, _peak() as peak:
        waiting, seconds, document, snapshot, workers = _run(where)
    assert "run.received" in stream.getvalue(), "the log is the one that is looked at"
    assert not list(where.inbox().iterdir())
    receipt = (where.state / "results" / FEED / "roster.zip.report.txt").read_text()
    is_applied = document["state"] == "applied"
    return Outcome(
        state=Verdict.WAITS if waiting else document["state"],
        document=document,
        waiting=waiting,
        target=_active_in(where) if is_applied else {},
        snapshot=snapshot,
        is_untouched=not is_applied and _stamped(where) == was,
        log=stream.getvalue(),
        told=json.dumps(document) + receipt,
        seconds=seconds,
        peak=max(peak(), workers),
    )


def _run(where: Place) -> tuple[Batch | None, float, Mapping[str, Any], Mapping[str, Mapping[str, Row]], int]:
    """Take the drop that lies in the inbox, once more if it waits, as when it has long lain there.

    Return why it waits, the seconds that the first look took, the run's document, the snapshot, and the most memory
    that a worker took.
    """
    shift = timedelta()
    made: list[Stages] = []

    def stages(show: Show, stop: Stop) -> Stages:
        made.append(Stages(show, stop))
        return made[-1]

    feed = where.feed(clock=lambda: datetime.now(UTC) + shift, stages=stages)
    try:
        begun = time.monotonic()
        waits = _offer(feed) is Taken.WAIT
        seconds = time.monotonic() - begun
        if waits:
            assert [path.name for path in where.inbox().iterdir()] == ["roster.zip"]
            assert len(feed.store.runs()) == 1
            shift = GIVEN_UP
            _offer(feed)
        waiting = feed.waiting[0][1] if waits else None
        document = feed.finished[-1].document
        snapshot = _live_in(feed.store) if document["state"] == "applied" else {}
        return waiting, seconds, document, snapshot, max((one.peak for one in made), default=0)
    finally:
        feed.close()


def _offer(feed: Feed) -> Taken:
    """Look through the inbox, and have the one drop taken that lies there."""
    (found,) = feed.sources[0].scan(time.monotonic(), datetime.now(UTC))
    return take_drop(feed, found)


def _active_in(where: Place) -> dict[str, dict[str, Row]]:
    """Return the active target records of the tables that are the roster's own, without what is ours in them."""
    return {
        table: {
            str(values["sourcedId"]): {name: str(cell) for name, cell in values.items() if not name.startswith("_")}
            for cells in rows_of(where.target(), f'SELECT * FROM "{table}" WHERE _active = 1')
            if (values := dict(zip(columns, cells, strict=True)))
        }
        for table, columns in tables_of(where.target()).items()
        if {"sourcedId", "_active"} <= set(columns)
    }


def _live_in(store: Store) -> dict[str, dict[str, Row]]:
    """Return the live records of the snapshot."""
    return {
        name: {
            str(one["sourcedId"]): {str(column): str(cell) for column, cell in one.items()}
            for one in store.snapshot.read_live(name).to_dict("records")
        }
        for name in shapes()
    }


def as_expected(found: Mapping[str, Mapping[str, Row]], roster: Roster) -> Mapping[str, Mapping[str, Row]]:
    """Return what is there of the tables and columns that a roster names, to be compared with `by_id` of it."""
    return {
        table: {
            key: {name: value for name, value in one.items() if name in rows[0]}
            for key, one in found.get(table, {}).items()
        }
        for table, rows in roster.items()
    }


def by_id(roster: Roster) -> Mapping[str, Mapping[str, Row]]:
    """Return a roster's records by table and sourcedId."""
    return {table: {one["sourcedId"]: one for one in rows} for table, rows in roster.items()}


@contextmanager
def logging_to(stream: io.StringIO) -> Iterator[io.StringIO]:
    """Have everything logged as JSON into a stream, and put things as they were."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    log.configure("debug", json=True, stream=stream)
    try:
        yield stream
    finally:
        root.handlers, root.level = handlers, level
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


@contextmanager
def _peak() -> Iterator[Callable[[], int]]:
    """Give a function that returns the most memory in bytes that this process took meanwhile, beside what it had.

    The kernel's mark is set back first (proc(5), clear_refs). In a long suite this process has much already.
    """
    Path("/proc/self/clear_refs").write_text("5")
    had = _memory("VmRSS")
    peaks: list[int] = []
    try:
        yield lambda: max(peaks)
    finally:
        peaks.append(_memory("VmHWM") - had)


def _memory(mark: str) -> int:
    """Return what the kernel says of this process's memory, in bytes."""
    found = re.search(rf"{mark}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "the kernel tells it"
    return int(found[1]) << 10
