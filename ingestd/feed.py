"""One feed at work: it claims drops for the daemon, and does what the commands ask. What a run does is `runs`' part."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from ingestd import config, rekey
from ingestd.claim import copy_drop, digest_of
from ingestd.core import retrying
from ingestd.core.model import Plan
from ingestd.core.order import next_of
from ingestd.core.rekey import Ids
from ingestd.core.rules import Rules
from ingestd.core.state import UNFINISHED, WAITING, State
from ingestd.errors import UsageError
from ingestd.feedloop import Taken
from ingestd.intake import PATIENCE, Claims, finish_claim
from ingestd.opening import open_served, open_source
from ingestd.pipeline import Prepared
from ingestd.policy import package_limits
from ingestd.reading import completeness
from ingestd.runs import Runs
from ingestd.sources.base import Drop, Source, look_of
from ingestd.stages import Clock, Show, Stages, Stop, never, utc_now
from ingestd.store import Run


class Feed:
    """One feed, as the daemon and the commands drive it.

    `waiting` has the drops that are not whole yet, `finished` the runs that came to a state here.
    """

    def __init__(
        self,
        settings: config.Feed,
        rules: Rules,
        state_dir: Path,
        *,
        show: Show | None = None,
        clock: Clock = utc_now,
        stages: Callable[[Show, Stop], Stages] = Stages,
        served_inbox: Path | None = None,
    ) -> None:
        self.name = settings.key
        self.settings = settings
        self.runs = Runs(settings, rules, state_dir, show=show, clock=clock, stages=stages)
        self.store, self.filing, self.finished = self.runs.store, self.runs.filing, self.runs.finished
        fetched, loose_csv = state_dir / "fetched" / self.name, settings.loose_csv
        sources = [open_source(one, fetched, loose_csv=loose_csv) for one in settings.sources]
        patience = {source.path: one.incomplete_after for source, one in zip(sources, settings.sources, strict=True)}
        if served_inbox:
            sources.append(open_served(served_inbox, loose_csv=loose_csv))
            patience[served_inbox] = PATIENCE
        self.sources: Sequence[Source] = sources
        self._claims = Claims(self.runs, patience)
        self.waiting = self._claims.waiting
        self._own: set[str] = set()
        self._to_retry: Sequence[str] = ()
        self._log = structlog.get_logger().bind(feed=self.name)

    def close(self) -> None:
        """Let go of the store and the sink."""
        self.runs.close()

    # Intake: what the daemon calls ---------------------------------------------------------------------------

    def resume(self) -> None:
        """Put in order what an earlier process left behind, and have `work` try again what the world let fail."""
        with self.store.locked():
            runs = self.store.runs()
            for folder in self.filing.cut_short():
                shutil.rmtree(folder)
            for folder in self.filing.strangers([run.id for run in runs]):
                self._set_aside(folder)
            for run in reversed(runs):
                if run.state not in UNFINISHED and self.filing.is_untold(run.id, run.state):
                    self.runs.close_run(run, None)  # it came to its state, and nobody was told
            self._to_retry = [run.id for run in self.store.runs(State.FAILED, limit=1)]

    def claim(self, drop: Drop, stop: Stop) -> Taken:
        """Make a stable drop a run that `work` goes on with; WAIT if it is incomplete or has a writer."""
        with self.store.locked():
            self._take_over()
            run = self._claims.claim(drop, stop)
            if run is None:
                return Taken.WAIT
            self._own.add(run.id)
        return Taken.DONE

    def work(self, stop: Stop) -> None:
        """Go on with the runs that are not through."""
        with self.store.locked():
            self._go_on(stop)
            self._retry(stop, self._to_retry)
            self._to_retry = ()

    def is_due(self, wall: datetime) -> bool:
        """Return whether today's tick is still to come, or something that failed is to be tried again."""
        return self._is_tick_due(wall) or bool(self._late(wall))

    def tick(self, wall: datetime, stop: Stop) -> None:
        """Try again what failed; once a day at `apply_at`, in the feed's own time, plan anew without a drop, too."""
        if not self.is_due(wall):
            return
        with self.store.locked():
            is_daily, is_first = self._is_tick_due(wall), not self.store.meta("last_tick", "")
            self.store.set_meta("last_tick", self._due(wall).isoformat())
            if is_daily and is_first:  # the first day has nothing behind it
                return
            self._go_on(stop)
            self._retry(stop)
            late = [run.id for run in self._late(wall) if run.state is State.APPLIED]
            for run in late:
                self.store.set_meta("seen_to", run)
            if is_daily or late:
                self.replan(stop)

    def _late(self, wall: datetime) -> list[Run]:
        """Return of the newest runs that failed, and that were applied but not in all sinks, those to be seen to."""
        newest = [run for state in (State.FAILED, State.APPLIED) for run in self.store.runs(state, limit=1)]
        seen_to = self.store.meta("seen_to", "")
        return [run for run in newest if retrying.is_due(run.document, wall) and run.id != seen_to]

    def _is_tick_due(self, wall: datetime) -> bool:
        return self.store.meta("last_tick", "") < self._due(wall).isoformat()

    def _set_aside(self, folder: Path) -> None:
        """Keep the drop of a run that the store does not know: the store is from a backup.

        Or a kill came before the store had learnt of the run. Then the drop still lies in its inbox.
        """
        if self._claims.lies_in_an_inbox(folder):
            shutil.rmtree(folder)
        else:
            self._log.warning("run.unknown", run=folder.name)
            self.filing.set_aside(folder)

    def _take_over(self) -> None:
        """Finish the claims of runs that another process began: a kill may have come before their drops were removed.

        `waits_for` says that a process was through with it.
        """
        unfinished = self.store.runs(*UNFINISHED)
        for run in reversed(unfinished):
            if run.id not in self._own and not run.document.get("waits_for"):
                self._log.info("run.resumed", run=run.id)
                finish_claim(run)
        self._own = {run.id for run in unfinished}

    def _go_on(self, stop: Stop) -> None:
        """Go on with the runs that are not through, in their order; what a kill left of one must be recorded first."""
        self._take_over()
        blocked: list[Run] = []
        while turn := self._next(blocked):
            if blocker := self._blocker(turn, blocked, stop):
                blocked.append(self.runs.wait(turn, blocker))
            else:
                self.runs.process(turn, stop)

    def _next(self, blocked: Sequence[Run]) -> Run | None:
        """Return the run to work on next: one that is being applied, else what the order of drops says."""
        known = {run.id for run in blocked}
        waiting = [run for run in reversed(self.store.runs(*UNFINISHED)) if run.id not in known]
        applying = [run for run in waiting if run.state is State.APPLYING]
        return next(iter(applying), None) or (waiting[next_of([run.modes for run in waiting])] if waiting else None)

    def _blocker(self, run: Run, blocked: Sequence[Run], stop: Stop) -> Run | None:
        """Return the run that must come to its end before this one, if any; what failed is tried once more."""
        older = self.runs.older_than(run, blocked)
        for one in older:
            again = self.runs.process(one, stop) if one.state is State.FAILED else one
            if again.state in {State.HELD, State.FAILED, State.RECEIVED}:
                return again
        return None

    def _retry(self, stop: Stop, among: Sequence[str] | None = None) -> None:
        """Try the newest failed run again, if it is one of these."""
        for run in self.store.runs(State.FAILED, limit=1):
            if among is None or run.id in among:
                self.runs.process(run, stop)

    def _due(self, wall: datetime) -> datetime:
        """Return the last time at which a tick was due."""
        local = wall.astimezone(self.settings.timezone)
        today = datetime.combine(local.date(), self.settings.schedule.apply_at, self.settings.timezone)
        return (today if today <= local else today - timedelta(days=1)).astimezone(UTC)

    # What the commands call ----------------------------------------------------------------------------------

    def take_file(self, path: Path, stop: Stop = never, *, digest: str | None = None) -> Run:
        """Run a zip that an admin names; it stays where it is. With `digest`, that plan and no other is applied.

        Raises:
            StaleDigestError: the plan is not the one named; the run is held.
        """
        with self.store.locked():
            self._go_on(stop)
            number = self._claims.next_number()
            spool = self.filing.spool(number)
            source = path.resolve()
            copied = copy_drop(Drop(source, look_of(source.stat()), 0.0), spool)
            limits, aliases = package_limits(self.settings.package), self.runs.policy.terms.ways.aliases
            whole = completeness(copied.path, limits, Stages(stop=stop), aliases)
            run = self.runs.begin(number, spool, path.name, copied.sha256, {"modes": dict(whole.modes)})
            if blocker := self._blocker(run, (), stop):
                return self.runs.wait(run, blocker)
            return self.runs.process(run, stop, digest=digest)

    def change_ids(self, ids: Ids, stop: Stop = never) -> Run:
        """Give live records other sourcedIds, in a run of its own; what is held is planned anew when it is looked at.

        Raises:
            ConfigError: old ids are not live, or new ones are; nothing is changed.
        """
        with self.store.locked():
            self._go_on(stop)
            rekey.check(ids, self.store)
            number = self._claims.next_number()
            spool = self.filing.spool(number)
            rekey.write_list(spool / rekey.LIST, ids)
            run = self.runs.begin(number, spool, None, digest_of(spool / rekey.LIST), {"rekey": rekey.LIST})
            return self.runs.process(run, stop)

    def reconcile(self, sink: str, stop: Stop = never) -> Run | None:
        """Compare what a sink has with what it should have, in a run that waits for consent; None if all is well.

        Raises:
            UsageError: there is no such sink, or it cannot tell what it has.
        """
        with self.store.locked():
            self._go_on(stop)
            self.runs.sinks.readable(sink)
            return self._begin_occasion({"reconcile": sink}, stop)

    def undo(self, name: str, stop: Stop = never) -> Run | None:
        """Plan the reverse of an applied run, in a run that waits for consent; None if nothing of it stands.

        Raises:
            UsageError: the run was not applied, or changed nothing in the roster.
        """
        with self.store.locked():
            self._go_on(stop)
            run = self._run(name)
            if run.state is not State.APPLIED:
                raise UsageError(f"run {name} is {run.state}; only what was applied can be undone")
            return self._begin_occasion({"undo": run.number}, stop)

    def _begin_occasion(self, origin: Mapping[str, Any], stop: Stop) -> Run | None:
        number = self._claims.next_number()
        run = self.runs.begin(number, self.filing.spool(number), None, "", origin)
        done = self.runs.process(run, stop)
        return done if done.state is not State.APPLIED else None

    def release(self, run: str, digest: str, stop: Stop = never) -> Run:
        """Consent to a held run: apply it if its plan is still the one that was looked at (law 4).

        Raises:
            UsageError: the run is not held.
            StaleDigestError: its plan has changed; the new one is kept with the run.
        """
        with self.store.locked():
            self._go_on(stop)
            held = self._held(run)
            self._log.info("run.released", run=run)
            released = self.runs.process(held, stop, digest=digest)
            self._go_on(stop)
            return released

    def discard(self, run: str) -> Run:
        """Refuse a held run: nothing of it is applied."""
        with self.store.locked():
            discarded = self.runs.end(self._held(run), State.DISCARDED, {}, None)
            self._go_on(never)
            return discarded

    def retry(self, run: str, stop: Stop = never) -> Run | None:
        """Try what a run left undone: the run itself if it failed, else all that is still to be done, planned anew.

        Return None if nothing is left to do.

        Raises:
            UsageError: there is no such run, or it waits for something else than another try.
        """
        with self.store.locked():
            self._go_on(stop)
            found = self._run(run)
            if found.state is State.FAILED:
                return self.runs.process(found, stop)
            if found.state is not State.APPLIED:
                raise UsageError(f"run {run} is {found.state}; what failed, or was applied in part, can be tried again")
            return self.replan(stop)

    def replan(self, stop: Stop = never) -> Run | None:
        """Plan from the snapshot alone, and apply what a change of rules, scope or an earlier failure left to do.

        A plan of nothing is applied for a sink that has something to pass on. Nothing is planned while the plan of
        another run is carried out in part.
        """
        if any(one.document.get("partly_done") for one in self.store.runs(*WAITING)):
            return None
        prepared = self.runs.preview(None, stop)
        if (
            prepared.plan is None
            or self._is_held(prepared.plan)
            or (prepared.is_idle and not self.runs.sinks.is_pending())
        ):
            return None
        number = self._claims.next_number()
        run = self.runs.begin(number, self.filing.spool(number), None, "", {})
        return self.runs.process(run, stop)

    def _is_held(self, plan: Plan) -> bool:
        """Return whether a re-plan with this very plan waits for consent already: nobody is asked anew each day."""
        held = self.held_run()
        return held is not None and not held.document.get("drop") and held.document["digest"] == plan.digest

    def preview(self, path: Path | None, *, ids: Ids | None = None) -> Prepared:
        """Plan without a run: of a zip, of ids that change, of the held run, or of the snapshot alone.

        Raises:
            ConfigError: the ids cannot be changed.
        """
        with self.store.locked():
            if ids:
                return self.runs.preview_ids(ids, never)
            if path is None and (held := self.held_run()):
                return self.runs.preview_held(held, never)
            return self.runs.preview(path, never)

    def held_run(self) -> Run | None:
        """Return the run that waits for consent, if any."""
        return next(iter(self.store.runs(State.HELD, limit=1)), None)

    def _run(self, run: str) -> Run:
        try:
            return self.store.run(run)
        except KeyError:
            raise UsageError(f"there is no run {run}; `ingestd runs {self.name}` lists them") from None

    def _held(self, run: str) -> Run:
        found = self._run(run)
        if found.state not in WAITING:
            raise UsageError(f"run {run} is {found.state}, not held; there is nothing to release or discard")
        return found
