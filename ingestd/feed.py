"""One feed at work: it claims drops for the daemon, and does what the commands ask. What a run does is `runs`' part."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from ingestd import config
from ingestd.claim import NotReadyError, copy_drop, remove_drop
from ingestd.core.model import Batch, Plan
from ingestd.core.rules import Rules
from ingestd.core.stability import Look
from ingestd.core.state import UNFINISHED, WAITING, State
from ingestd.errors import StoppingError, UsageError
from ingestd.feedloop import Taken, describe
from ingestd.opening import open_source
from ingestd.pipeline import Prepared
from ingestd.policy import package_limits
from ingestd.reading import completeness
from ingestd.runs import Clock, Runs, Stop, utc_now
from ingestd.sources.base import Drop, Source, look_of
from ingestd.sources.folder import FolderSource
from ingestd.stages import Show, Stages, never
from ingestd.store import Run
from ingestd.unpack import Verdict


class Feed:
    """One feed, as the daemon and the commands drive it. `waiting` has the drops that are not whole yet."""

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
        self.waiting: list[tuple[Path, Batch]] = []
        self.runs = Runs(settings, rules, state_dir, show=show, clock=clock, stages=stages)
        self.store, self.filing = self.runs.store, self.runs.filing
        opened = [(open_source(one, state_dir / "fetched" / self.name), one) for one in settings.sources]
        self.sources: Sequence[Source] = [source for source, _ in opened]
        self._patience = {source.path: one.incomplete_after for source, one in opened}
        if served_inbox:  # what the embedded server puts there is whole, so nothing is waited for
            self.sources = [*self.sources, FolderSource(served_inbox, quiet_period=0)]
        self._clock = clock
        self._log = structlog.get_logger().bind(feed=self.name)

    @property
    def finished(self) -> Sequence[Run]:
        """Return the runs that came to a state here."""
        return self.runs.finished

    def close(self) -> None:
        """Let go of the store and the sink."""
        self.runs.close()

    # Intake: what the daemon calls ---------------------------------------------------------------------------

    def take(self, drop: Drop, stop: Stop) -> Taken:
        """Claim a stable drop and run it; WAIT if it is incomplete or has a writer."""
        with self.store.locked():
            self._go_on(stop)
            number = self.store.next_number()
            spool = self.filing.spool(number)
            try:
                copied = copy_drop(drop, spool, progress=_stopping(stop))
            except NotReadyError:
                shutil.rmtree(spool)
                return Taken.WAIT
            whole = completeness(copied.path, package_limits(self.settings.package), Stages(stop=stop))
            if whole.verdict is Verdict.INCOMPLETE and whole.batch and not self._is_given_up(drop):
                shutil.rmtree(spool)
                self.waiting.append((drop.path, whole.batch))
                self._log.warning("drop.waiting", code=whole.batch.code)
                return Taken.WAIT
            run = self.runs.begin(number, spool, drop.path.name, copied.sha256, _origin(drop))
            self._take_out(drop)
            self.runs.process(run, stop)
        return Taken.DONE

    def resume(self, stop: Stop) -> None:
        """Go on with the runs that an earlier process left behind, and try again what the world let fail."""
        with self.store.locked():
            runs = self.store.runs()
            for folder in self.filing.leftovers([run.id for run in runs]):
                shutil.rmtree(folder)
            for run in reversed(runs):
                if run.state not in UNFINISHED and self.filing.is_untold(run.id, run.state):
                    self.runs.close_run(run, None)  # it came to its state, and nobody was told
            self._go_on(stop)
            self._retry(stop)

    def tick(self, wall: datetime, stop: Stop) -> None:
        """Once a day at `apply_at`, in the feed's own time: try again what failed, and plan anew without a drop."""
        due = self._due(wall)
        last = self.store.meta("last_tick", "")
        if last >= due.isoformat():
            return
        with self.store.locked():
            self.store.set_meta("last_tick", due.isoformat())
            if last:  # the first day has nothing behind it
                self._go_on(stop)
                self._retry(stop)
                self.replan(stop)

    def _go_on(self, stop: Stop) -> None:
        """Go on with runs that a killed process left: what they did must be recorded before anything is planned."""
        for run in reversed(self.store.runs(*UNFINISHED)):
            self._log.info("run.resumed", run=run.id)
            _finish_claim(run)
            self.runs.process(run, stop)

    def _retry(self, stop: Stop) -> None:
        for run in self.store.runs(State.FAILED, limit=1):
            self.runs.process(run, stop)

    def _take_out(self, drop: Drop) -> None:
        """Remove a claimed drop from the inbox. If that fails the run goes on; next time the drop is a duplicate."""
        try:
            remove_drop(drop)
        except OSError as error:
            self._log.error("drop.stuck", **describe(error))

    def _due(self, wall: datetime) -> datetime:
        """Return the last time at which a tick was due."""
        local = wall.astimezone(self.settings.timezone)
        today = datetime.combine(local.date(), self.settings.schedule.apply_at, self.settings.timezone)
        return (today if today <= local else today - timedelta(days=1)).astimezone(UTC)

    def _is_given_up(self, drop: Drop) -> bool:
        """Return whether a zip that is cut off has lain unchanged long enough: ctime, which no client can set."""
        rest = self._clock().timestamp() - drop.look.ctime_ns / 1e9
        patience = self._patience.get(drop.path.parent, timedelta(minutes=30))
        return rest >= patience.total_seconds()

    # What the commands call ----------------------------------------------------------------------------------

    def take_file(self, path: Path, stop: Stop = never, *, digest: str | None = None) -> Run:
        """Run a zip that an admin names; it stays where it is. With `digest`, that plan and no other is applied.

        Raises:
            StaleDigestError: the plan is not the one named; the run is held.
        """
        with self.store.locked():
            self._go_on(stop)
            number = self.store.next_number()
            spool = self.filing.spool(number)
            source = path.resolve()
            copied = copy_drop(Drop(source, look_of(source.stat()), 0.0), spool)
            run = self.runs.begin(number, spool, path.name, copied.sha256, {})
            return self.runs.process(run, stop, digest=digest)

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
            return self.runs.process(held, stop, digest=digest)

    def discard(self, run: str) -> Run:
        """Refuse a held run: nothing of it is applied."""
        with self.store.locked():
            return self.runs.end(self._held(run), State.DISCARDED, {}, None)

    def replan(self, stop: Stop = never) -> Run | None:
        """Plan from the snapshot alone, and apply what a change of rules, scope or an earlier failure left to do."""
        prepared = self.runs.preview(None, stop)
        if not prepared.plan or self._is_held(prepared.plan):
            return None
        number = self.store.next_number()
        run = self.runs.begin(number, self.filing.spool(number), None, "", {})
        return self.runs.process(run, stop)

    def _is_held(self, plan: Plan) -> bool:
        """Return whether a re-plan with this very plan waits for consent already: nobody is asked anew each day."""
        held = self.held_run()
        return held is not None and not held.document.get("drop") and held.document["digest"] == plan.digest

    def preview(self, path: Path | None) -> Prepared:
        """Plan without a run: of a zip, of the held run, or of the snapshot alone. Nothing is changed."""
        with self.store.locked():
            if path is None and (held := self.held_run()):
                path = self.filing.package(held.id, held.document.get("drop"))
            return self.runs.preview(path, never)

    def held_run(self) -> Run | None:
        """Return the run that waits for consent, if any."""
        return next(iter(self.store.runs(State.HELD, limit=1)), None)

    def _held(self, run: str) -> Run:
        try:
            found = self.store.run(run)
        except KeyError:
            raise UsageError(f"there is no run {run}; `ingestd runs {self.name}` lists them") from None
        if found.state not in WAITING:
            raise UsageError(f"run {run} is {found.state}, not held; there is nothing to release or discard")
        return found


def _origin(drop: Drop) -> dict[str, Any]:
    """Return by what a drop is known again in its inbox."""
    look = drop.look
    return {"path": str(drop.path), "look": [look.dev, look.ino, look.size, look.mtime_ns, look.ctime_ns]}


def _stopping(stop: Stop) -> Callable[[int, int], None]:
    """Return a progress that abandons a long copy when asked to stop."""

    def progress(_done: int, _total: int) -> None:
        if stop():
            raise StoppingError("asked to stop while claiming")

    return progress


def _finish_claim(run: Run) -> None:
    """Take the drop of a run out of the inbox, if a crash came between the two."""
    if run.origin.get("path"):
        remove_drop(Drop(Path(run.origin["path"]), Look(*run.origin["look"]), 0.0))
