"""The sinks of one feed: each has its share of a plan, what is owned in it, and a progress of its own."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from ingestd import config, pipeline
from ingestd.application import reader
from ingestd.core.model import Outcome
from ingestd.core.rules import Rules
from ingestd.core.state import State
from ingestd.errors import SinkError, UsageError
from ingestd.feedloop import describe
from ingestd.owned import OwnedRecords
from ingestd.planning import Share, Sinks
from ingestd.sinks.base import Forwarding, Losable, Readable, Sink, open_sink
from ingestd.stages import Stages
from ingestd.store import MAIN_SINK, Run, Store

Outcomes = Sequence[Outcome]
Fault = OSError | SinkError


class FeedSinks:
    """The sinks of one feed. They are opened when they are first wanted."""

    def __init__(self, settings: Sequence[config.Sink], rules: Rules, folder: Path, store: Store) -> None:
        self._settings = {one.key: one for one in settings}
        self._rules = rules
        self._folder = folder
        self._store = store
        self._open: dict[str, Sink] = {}
        self._log = structlog.get_logger().bind(feed=store.feed)

    def owned(self, name: str | None = None) -> OwnedRecords:
        """Return what is owned in a sink; by default in the first, where it does not matter in which.

        Raises:
            UsageError: there is no such sink.
        """
        return self._store.at(self._known(name) if name else next(iter(self._settings)))

    def _known(self, name: str) -> str:
        if name not in self._settings:
            raise UsageError(f"feed {self._store.feed} has no sink {name}; it has {', '.join(self._settings)}")
        return name

    def close(self) -> None:
        """Let go of all that are open."""
        for sink in self._open.values():
            sink.close()

    def readers(self, *, is_applying: bool) -> Sinks:
        """Return what reads each sink, for rules that adopt what is there; `is_applying`: what was found there."""
        return {
            name: reader(partial(self.get, name), one.kind, self._store.at(name), is_applying=is_applying)
            for name, one in self._settings.items()
        }

    def readable(self, name: str) -> Readable:
        """Return a sink that can tell what it has.

        Raises:
            UsageError: there is no such sink, or it cannot tell.
        """
        sink = self.get(self._known(name))
        if not isinstance(sink, Readable):
            raise UsageError(f"sink {name} cannot tell what it has, so nothing can be compared with it")
        return sink

    def are_transactional(self) -> bool:
        """Return whether each sink does all of a plan or nothing."""
        return all(self.get(name).transactional for name in self._settings)

    def is_pending(self) -> bool:
        """Return whether a sink has something to pass on that no failed run, which is tried again, is about to."""
        if self._store.runs(State.FAILED, limit=1):
            return False
        return any(isinstance(sink, Forwarding) and sink.pending() for sink in map(self.get, self._settings))

    def put(self, name: str, sink: Sink) -> None:
        """Have a sink that is open already take the place of one of the feed's."""
        self._open[name] = sink

    def get(self, name: str) -> Sink:
        """Return a sink."""
        if name not in self._open:
            one = self._settings[name]
            self._open[name] = open_sink(one.kind, one.settings, self._folder, self._rules)
        return self._open[name]

    def carry_out(
        self, shares: Mapping[str, Share], run: Run, at: str, stages: Stages
    ) -> tuple[dict[str, Outcomes], dict[str, Fault]]:
        """Apply each sink's share. One that is down holds back its own progress, and no other's.

        Returns:
            What came of the plan in each sink, and why nothing was done in the others.

        Raises:
            OSError, SinkError: nothing was done in any sink, or a part of a plan in one: the run must make it whole.
        """
        done: dict[str, Outcomes] = {}
        faults: dict[str, Fault] = {}
        for name, share in shares.items():
            try:
                if "reconcile" not in run.origin:
                    self._refuse_lost(name)
                done[name] = pipeline.carry_out(
                    share.plan, self.get(name), once=run.token, run=run.id, at=at, stages=stages
                )
            except (OSError, SinkError) as error:
                faults[name] = error
                self._log.error("sink.failed", run=run.id, sink=name, **describe(error))
        halves = [error for error in faults.values() if isinstance(error, SinkError) and error.is_partly_done]
        if halves or not done:
            raise next(iter(halves or faults.values()))
        return done, faults

    def _refuse_lost(self, name: str) -> None:
        """Refuse to bring today's changes alone to a sink that has lost all the rest."""
        sink, owned = self.get(name), self._store.at(name)
        if (
            isinstance(sink, Losable)
            and sink.is_lost()
            and any(owned.count_owned(one.name, 1) for one in self._rules.targets)
        ):
            raise SinkError(
                f"sink {name} is gone, with all that ingestd made there: put it back, or have it filled anew by "
                f"`ingestd reconcile {self._store.feed} {name}`; at another place it needs another name"
            )

    # What is kept: inside the caller's transaction ----------------------------------------------------------------

    def keep_found(self, shares: Mapping[str, Share]) -> None:
        """Keep what the sinks were found to have."""
        for name, share in shares.items():
            self._store.at(name).found.keep(share.there)

    def own(self, shares: Mapping[str, Share], done: Mapping[str, Outcomes], run: int) -> None:
        """Record what was done in the sinks; one in which nothing was is planned as a whole next time."""
        self._store.set_meta(MAIN_SINK, self._store.meta(MAIN_SINK, next(iter(self._settings))))
        for name, share in shares.items():
            _own(self._store.at(name), share, done.get(name), run)


def _own(records: OwnedRecords, share: Share, outcomes: Outcomes | None, run: int) -> None:
    records.found.forget()
    if outcomes is None:
        records.set_whole(is_whole=False)
        return
    records.stamp(share.stamps)
    for target, absent in share.absences.items():
        records.absent.keep(target, absent)
    records.set_whole(is_whole=records.own(share.plan, outcomes, run))
