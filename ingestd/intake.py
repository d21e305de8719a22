"""Takes drops out of a feed's inboxes and makes them runs: whole ones, or those that nobody will complete any more."""

import filecmp
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from ingestd.claim import Copied, NotReadyError, copy_drop, remove_drop
from ingestd.core import sentinel
from ingestd.core.findings import batch
from ingestd.core.model import Batch
from ingestd.core.sentinel import Promise, Ready
from ingestd.core.stability import Look
from ingestd.errors import StoppingError
from ingestd.feedloop import describe
from ingestd.loose import copy_loose
from ingestd.policy import package_limits
from ingestd.reading import completeness
from ingestd.runs import Runs
from ingestd.sources.base import Drop
from ingestd.stages import Stages, Stop
from ingestd.store import Run
from ingestd.unpack import Completeness, Verdict

PATIENCE = timedelta(minutes=30)
"""How long a drop may lie unchanged though it is not whole, in the embedded server's inbox and where nothing is set."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims a feed's drops. `waiting` has those that are not whole yet, each with the finding that says so.

    `patience` has the inboxes, each with how long what is not whole may lie there unchanged.
    """

    runs: Runs
    patience: Mapping[Path, timedelta]
    waiting: list[tuple[Path, Batch]] = field(default_factory=list)

    def claim(self, drop: Drop, stop: Stop) -> Run | None:
        """Make a stable drop a run, and take it out of its inbox; None if it is not whole yet, or has a writer.

        Raises:
            StoppingError, OSError, WorkerError, UnforeseenError: nothing has been claimed.
        """
        number = self.next_number()
        spool = self.runs.filing.spool(number)
        copy = copy_loose if drop.parts else copy_drop
        try:
            copied = copy(drop, spool, progress=_stopping(stop))
        except NotReadyError:
            shutil.rmtree(spool)
            return None
        mismatch = _mismatch(drop, copied)
        whole = Completeness(Verdict.INCOMPLETE, mismatch) if mismatch else self._completeness(copied, stop)
        if whole.verdict is Verdict.INCOMPLETE and whole.batch and not self._is_given_up(drop):
            shutil.rmtree(spool)
            self._wait(drop, whole.batch)
            return None
        run = self.runs.begin(number, spool, drop.path.name, copied.sha256, _origin(drop, whole, mismatch))
        self._take_out(drop)
        return run

    def next_number(self) -> int:
        """Return the number of the next run, which no folder has either: a store from a backup has forgotten some."""
        store, filing = self.runs.store, self.runs.filing
        number = store.next_number()
        while filing.find(f"{store.feed}.{number}"):
            number += 1
        return number

    def lies_in_an_inbox(self, folder: Path) -> bool:
        """Return whether the drop of a run's folder still lies in an inbox, byte for byte."""
        pairs = [(kept, inbox / kept.name) for kept in folder.iterdir() for inbox in self.patience]
        return any(drop.is_file() and filecmp.cmp(kept, drop, shallow=False) for kept, drop in pairs)

    def _completeness(self, copied: Copied, stop: Stop) -> Completeness:
        limits = package_limits(self.runs.settings.package)
        return completeness(copied.path, limits, Stages(stop=stop), self.runs.policy.terms.ways.aliases)

    def _wait(self, drop: Drop, why: Batch) -> None:
        self.waiting.append((drop.path, why))
        self._log().warning("drop.waiting", code=why.code)

    def _take_out(self, drop: Drop) -> None:
        """Remove a claimed drop from the inbox. If that fails the run goes on; next time the drop is a duplicate."""
        try:
            _remove(drop)
        except OSError as error:
            self._log().error("drop.stuck", **describe(error))

    def _is_given_up(self, drop: Drop) -> bool:
        """Return whether what is not whole has lain unchanged long enough: ctime, which no client can set."""
        last = max(look.ctime_ns for look in (drop.look, *(one.look for one in drop.sentinels)))
        patience = self.patience.get(drop.path.parent, PATIENCE)
        return self.runs.clock().timestamp() - last / 1e9 >= patience.total_seconds()

    def _log(self) -> Any:
        return structlog.get_logger().bind(feed=self.runs.settings.key)


def finish_claim(run: Run) -> None:
    """Take the drop of a run out of the inbox, if a crash came between the two."""
    if run.origin.get("path"):
        _remove(_drop_of(run.origin))


def _remove(drop: Drop) -> None:
    """Remove a drop, all that it consists of, and the sentinels that spoke for it: they would belie the next one."""
    beside = [Drop(drop.path.with_name(one.name), one.look, drop.since) for one in drop.sentinels]
    for one in [*(drop.parts or (drop,)), *beside]:
        remove_drop(one)


def _mismatch(drop: Drop, copied: Copied) -> Batch | None:
    """Return in what a copy is not what the sender promised, if there is anything."""
    promises = [_promise(drop.path.with_name(one.name)) for one in drop.sentinels if one.kind is Ready.SHA256]
    found = [sentinel.contradiction(one, copied.sha256, copied.size) for one in promises]
    return next((batch("digest-mismatch", detail=detail) for detail in found if detail), None)


def _promise(path: Path) -> Promise | None:
    """Read a `.sha256` sentinel; what took its place is never followed nor waited for."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return Promise.read(file.read(sentinel.LONGEST))
    return None


def _origin(drop: Drop, whole: Completeness, mismatch: Batch | None) -> dict[str, Any]:
    """Return by what a drop is known again in its inbox, and what was seen of it when it was claimed."""
    beside = [[one.name, str(one.kind), _numbers(one.look)] for one in drop.sentinels]
    parts = [[part.path.name, _numbers(part.look)] for part in drop.parts]
    refused = mismatch.message if mismatch else None
    found = {"sentinels": beside, "parts": parts, "modes": dict(whole.modes), "mismatch": refused}
    return {"path": str(drop.path), "look": _numbers(drop.look), **{name: one for name, one in found.items() if one}}


def _drop_of(origin: Mapping[str, Any]) -> Drop:
    path = Path(origin["path"])
    beside = [sentinel.Sentinel(name, Ready(kind), Look(*look)) for name, kind, look in origin.get("sentinels", ())]
    parts = [Drop(path.with_name(name), Look(*look), 0.0) for name, look in origin.get("parts", ())]
    return Drop(path, Look(*origin["look"]), 0.0, tuple(beside), tuple(parts))


def _numbers(look: Look) -> list[int]:
    return [look.dev, look.ino, look.size, look.mtime_ns, look.ctime_ns]


def _stopping(stop: Stop) -> Callable[[int, int], None]:
    """Return a progress that abandons a long copy when asked to stop."""

    def progress(_done: int, _total: int) -> None:
        if stop():
            raise StoppingError("asked to stop while claiming")

    return progress
