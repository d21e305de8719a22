"""One feed at work: it claims drops, takes them through the pipeline, and keeps what came of them.

Law 6 rests on the order of steps: the copy is durable before the run is kept, the run before the drop leaves the
inbox, the sink's transaction before the store's, the store's before the folder moves. Each step can be done again.
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

import ingestd
from ingestd import config, pipeline
from ingestd.claim import NotReadyError, copy_drop, remove_drop
from ingestd.core import document, report
from ingestd.core.model import Batch, Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.core.scope import Scope
from ingestd.core.stability import Look
from ingestd.core.state import UNFINISHED, WAITING, State
from ingestd.daemon import Taken, describe
from ingestd.errors import IngestdError, SinkError, StaleDigestError, StoppingError, UnrecordedError, UsageError
from ingestd.examine import Terms
from ingestd.filing import Filing
from ingestd.pipeline import Policy, Prepared
from ingestd.sinks.base import Sink, open_sink
from ingestd.sources.base import Drop, Source, look_of
from ingestd.sources.folder import FolderSource
from ingestd.stages import Show, Stages, Unseen, never
from ingestd.store import Run, Store
from ingestd.unpack import PackageFault, PackageLimits, Verdict, completeness, open_package
from schemas import load

ONEROSTER = "1.1"
"""The binding that this version reads."""
Clock = Callable[[], datetime]
"""Gives the time of day, in UTC."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def policy_of(settings: config.Feed, rules: Rules, seed: int) -> Policy:
    """Return how a feed's drops are judged and mapped."""
    scope = Scope(demographics=settings.scope.demographics)
    terms = Terms(
        required=settings.required,
        allow_missing=settings.allow_missing,
        strict=settings.repairs.strict,
        left_out=scope.left_out(),
        seed=seed,
        reading=f"{ingestd.__version__} {settings.repairs.strict}",
    )
    return Policy(terms, scope, {name: settings.limits.of(name) for name in load(ONEROSTER)}, rules)


def package_limits(settings: config.PackageLimits) -> PackageLimits:
    """Return the limits of a zip."""
    return PackageLimits(settings.members, settings.member_size, settings.total_size, settings.ratio)


class Feed:
    """One feed, as the daemon and the commands drive it. `finished` collects the runs that came to a state here."""

    def __init__(
        self,
        settings: config.Feed,
        rules: Rules,
        state_dir: Path,
        *,
        show: Show | None = None,
        clock: Clock = utc_now,
        stages: Callable[[Show, Callable[[], bool]], Stages] = Stages,
    ) -> None:
        self.name = settings.key
        self.settings = settings
        self.finished: list[Run] = []
        self.waiting: list[tuple[Path, Batch]] = []
        self.filing = Filing(state_dir, self.name)
        self.filing.prepare()
        self.tables = load(ONEROSTER)
        self.store = Store(self.filing.stores, self.name, self.tables)
        self.policy = policy_of(settings, rules, self.store.seed)
        self.sources: Sequence[Source] = [
            FolderSource(one.path, quiet_period=one.quiet_period.total_seconds())
            for one in settings.sources
            if isinstance(one, config.FolderSource)
        ]
        self._sink: Sink | None = None
        self._show = show or Unseen()
        self._clock = clock
        self._stages = stages
        self._log = structlog.get_logger().bind(feed=self.name)

    def close(self) -> None:
        """Let go of the store and the sink."""
        self.store.close()
        if self._sink is not None:
            self._sink.close()

    # Intake: what the daemon calls ---------------------------------------------------------------------------

    def take(self, drop: Drop, stop: Callable[[], bool]) -> Taken:
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
            whole = completeness(copied.path, package_limits(self.settings.package))
            if whole.verdict is Verdict.INCOMPLETE and whole.batch and not self._is_given_up(drop):
                shutil.rmtree(spool)
                self.waiting.append((drop.path, whole.batch))
                self._log.warning("drop.waiting", code=whole.batch.code)
                return Taken.WAIT
            run = self._begin(number, spool, drop.path.name, copied.sha256, _origin(drop))
            self._take_out(drop)
            self._process(run, stop)
        return Taken.DONE

    def resume(self, stop: Callable[[], bool]) -> None:
        """Go on with the runs that an earlier process left behind, and try again what the world let fail."""
        with self.store.locked():
            runs = self.store.runs()
            for folder in self.filing.leftovers([run.id for run in runs]):
                shutil.rmtree(folder)
            for run in reversed(runs):
                if run.state not in UNFINISHED | WAITING and self.filing.running(run.id).exists():
                    self._close_run(run, None)  # it came to its end, and nobody was told
            self._go_on(stop)
            self._retry(stop)

    def tick(self, wall: datetime, stop: Callable[[], bool]) -> None:
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

    def _go_on(self, stop: Callable[[], bool]) -> None:
        """Go on with runs that a killed process left: what they did must be recorded before anything is planned."""
        for run in reversed(self.store.runs(*UNFINISHED)):
            self._log.info("run.resumed", run=run.id)
            _finish_claim(run)
            self._process(run, stop)

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
        patience = next(
            (
                one.incomplete_after
                for one in self.settings.sources
                if isinstance(one, config.FolderSource) and one.path == drop.path.parent
            ),
            timedelta(minutes=30),
        )
        return rest >= patience.total_seconds()

    # What the commands call ----------------------------------------------------------------------------------

    def take_file(self, path: Path, stop: Callable[[], bool] = never, *, digest: str | None = None) -> Run:
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
            run = self._begin(number, spool, path.name, copied.sha256, {})
            return self._process(run, stop, digest=digest)

    def release(self, run: str, digest: str, stop: Callable[[], bool] = never) -> Run:
        """Consent to a held run: apply it if its plan is still the one that was looked at (law 4).

        Raises:
            UsageError: the run is not held.
            StaleDigestError: its plan has changed; the new one is kept with the run.
        """
        with self.store.locked():
            self._go_on(stop)
            held = self._held(run)
            self._log.info("run.released", run=run)
            return self._process(held, stop, digest=digest)

    def discard(self, run: str) -> Run:
        """Refuse a held run: nothing of it is applied."""
        with self.store.locked():
            return self._end(self._held(run), State.DISCARDED, {}, None)

    def replan(self, stop: Callable[[], bool] = never) -> Run | None:
        """Plan from the snapshot alone, and apply what a change of rules, scope or an earlier failure left to do."""
        prepared = self._prepare(None, self._stages(self._show, stop))
        if not prepared.plan or self._is_held(prepared.plan):
            return None
        number = self.store.next_number()
        run = self._begin(number, self.filing.spool(number), None, "", {})
        return self._process(run, stop)

    def _is_held(self, plan: Plan) -> bool:
        """Return whether a re-plan with this very plan waits for consent already: nobody is asked anew each day."""
        held = self.held_run()
        return held is not None and not held.document.get("drop") and held.document["digest"] == plan.digest

    def preview(self, path: Path | None) -> Prepared:
        """Plan without a run: of a zip, of the held run, or of the snapshot alone. Nothing is changed."""
        with self.store.locked():
            if path is None and (held := self.held_run()):
                path = self.filing.package(held.id, held.document.get("drop"))
            return self._prepare(path, self._stages(self._show, never))

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

    # One run -------------------------------------------------------------------------------------------------

    def _begin(self, number: int, spool: Path, drop: str | None, sha256: str, origin: Mapping[str, Any]) -> Run:
        """Keep a new run, once its package is durable in its own folder."""
        run = f"{self.name}.{number}"
        self.filing.begin(spool, run)
        about = {
            "run": run,
            "feed": self.name,
            "feed_name": self.settings.name,
            "drop": drop,
            "sha256": sha256,
            "state": str(State.RECEIVED),
            "received_at": self._now(),
        }
        self._log.info("run.received", run=run)
        return self.store.add_run(number, sha256, origin, about)

    def _process(self, run: Run, stop: Callable[[], bool], *, digest: str | None = None) -> Run:
        """Take a run as far as it goes. A fault of the world leaves it `failed`, to be tried again.

        Raises:
            StoppingError: abandoned at a safe point; `resume` goes on with it.
            StaleDigestError: `digest` names another plan.
            UnrecordedError: carried out, not recorded; `resume`, and whatever comes before it, goes on with it.
        """
        stages = self._stages(self._show, stop)
        try:
            return self._run(run, stages, digest)
        except (StoppingError, StaleDigestError, UnrecordedError):
            raise
        except (OSError, sqlite3.Error, SinkError) as error:
            return self._fail(run, error, stages)
        except Exception as error:  # a fault of ours: the run is tried again like any other that failed
            self._fail(run, error, stages)
            raise

    def _fail(self, run: Run, error: Exception, stages: Stages) -> Run:
        """Keep the run as failed. Of a foreign error its class alone is told: its words may hold values."""
        told = str(error) if isinstance(error, IngestdError) else type(error).__name__
        return self._end(self.store.run(run.id), State.FAILED, {"error": told, "stages": stages.seconds}, None)

    def _run(self, run: Run, stages: Stages, digest: str | None) -> Run:
        if run.state is State.RECEIVED and digest is None and (twin := self._twin(run)):
            return self._end(run, State.DUPLICATE, {"duplicate_of": twin.id}, None)
        prepared = self._prepare(self.filing.package(run.id, run.document.get("drop")), stages)
        if prepared.plan is None:
            return self._end(run, State.REJECTED, {**prepared.document, "stages": stages.seconds}, prepared.batches)
        about = {**prepared.document, "stages": stages.seconds}
        self._supersede(run)
        is_released = digest is not None and prepared.plan.digest.startswith(digest)
        if digest is not None and not is_released:
            self._end(run, State.HELD, about, prepared.batches)
            raise StaleDigestError(
                f"the plan of {run.id} is not {digest[:12]}… any more; nothing was applied.\n"
                f"Look at the new one: ingestd plan {self.name}\n"
                f"Then: ingestd release {run.id} --plan {prepared.plan.digest}"
            )
        if prepared.breaches and not is_released and run.state is not State.APPLYING:
            return self._end(run, State.HELD, about, prepared.batches)
        return self._apply(run, prepared, about, stages)

    def _prepare(self, path: Path | None, stages: Stages) -> Prepared:
        if path is None:
            return pipeline.prepare(None, self.tables, self.store, self.policy, stages)
        try:
            with stages.measure("unpack"):
                package = open_package(path, package_limits(self.settings.package))
            with package:
                return pipeline.prepare(package, self.tables, self.store, self.policy, stages)
        except PackageFault as fault:
            return pipeline.refuse(fault.batch, self.policy)

    def _apply(self, run: Run, prepared: Prepared, about: Mapping[str, Any], stages: Stages) -> Run:
        run = self.store.move(run, State.APPLYING, {**run.document, **about, "state": str(State.APPLYING)})
        self.filing.report(run.document, prepared.batches)
        if self._sink is None:
            self._sink = self._open_sink()
        outcomes = pipeline.carry_out(prepared, self._sink, once=run.token, run=run.id, at=self._now(), stages=stages)
        with stages.measure("commit", may_stop=False):
            try:
                done = self._commit(run, prepared, outcomes, stages)
            except (OSError, sqlite3.Error) as error:
                fault = type(error).__name__
                raise UnrecordedError(f"the plan of {run.id} was carried out, but not recorded: {fault}") from None
        return self._close_run(done, None)

    def _commit(self, run: Run, prepared: Prepared, outcomes: Sequence[Outcome], stages: Stages) -> Run:
        assert prepared.plan is not None, "only a run with a plan is applied"
        with self.store.transaction():
            is_whole = self.store.own(prepared.plan, outcomes)
            self.store.snapshot.commit(prepared.settled, run.number)
            for name, value in pipeline.fingerprints(self.policy).items():
                self.store.set_meta(name, value)
            self.store.set_meta("is_whole", "yes" if is_whole else "no")
            about = {"outcomes": document.about_outcomes(outcomes), "stages": stages.seconds}
            done = self.store.move(run, State.APPLIED, self._ended(run, State.APPLIED, about))
        with suppress(OSError):  # derived: made again from the versions when they are next wanted
            self.store.snapshot.publish()
        return done

    def _open_sink(self) -> Sink:
        settings = self.settings.sinks[0]
        return open_sink(settings.kind, settings.settings, self.filing.state_dir)

    # The ends ------------------------------------------------------------------------------------------------

    def _end(self, run: Run, state: State, about: Mapping[str, Any], batches: Sequence[Batch] | None) -> Run:
        return self._close_run(self.store.move(run, state, self._ended(run, state, about)), batches)

    def _ended(self, run: Run, state: State, about: Mapping[str, Any]) -> dict[str, Any]:
        return {**run.document, "error": None, **about, "state": str(state), "finished_at": self._now()}

    def _close_run(self, run: Run, batches: Sequence[Batch] | None) -> Run:
        """Report a run that came to a state, and file it if it is at its end. A report never stops a run."""
        try:
            self.filing.report(run.document, batches)
            self._log.info(f"run.{run.state}", **report.summary_line(run.document))
        except Exception as error:
            self._log.error("report.failed", run=run.id, **describe(error))
        if run.state not in WAITING:
            self.filing.file(run.id, run.state, _received(run))
        self.finished.append(run)
        return run

    def _twin(self, run: Run) -> Run | None:
        """Return the run that this one repeats: the newest that was applied or waits, if its bytes are the same."""
        others = self.store.runs(State.APPLIED, State.HELD, State.APPLYING)
        newest = next((one for one in others if one.number < run.number and one.document.get("drop")), None)
        return newest if newest and run.sha256 and newest.sha256 == run.sha256 else None

    def _supersede(self, run: Run) -> None:
        """A newer roster takes the place of all that still waits, a newer re-plan that of older re-plans."""
        for old in self.store.runs(*WAITING):
            if old.number < run.number and (run.document.get("drop") or not old.document.get("drop")):
                self._end(old, State.SUPERSEDED, {"superseded_by": run.id}, None)

    def _retry(self, stop: Callable[[], bool]) -> None:
        for run in self.store.runs(State.FAILED, limit=1):
            self._process(run, stop)

    def _now(self) -> str:
        return self._clock().isoformat(timespec="seconds")


def _origin(drop: Drop) -> dict[str, Any]:
    """Return by what a drop is known again in its inbox."""
    look = drop.look
    return {"path": str(drop.path), "look": [look.dev, look.ino, look.size, look.mtime_ns, look.ctime_ns]}


def _stopping(stop: Callable[[], bool]) -> Callable[[int, int], None]:
    """Return a progress that abandons a long copy when asked to stop."""

    def progress(_done: int, _total: int) -> None:
        if stop():
            raise StoppingError("asked to stop while claiming")

    return progress


def _finish_claim(run: Run) -> None:
    """Take the drop of a run out of the inbox, if a crash came between the two."""
    if run.origin.get("path"):
        remove_drop(Drop(Path(run.origin["path"]), Look(*run.origin["look"]), 0.0))


def _received(run: Run) -> datetime:
    return datetime.fromisoformat(run.document["received_at"])


def gravest(runs: Sequence[Run]) -> int:
    """Return the exit code for several runs: the gravest of 4, 1, 3, 0 (DESIGN section 7)."""
    codes = {exit_code(run) for run in runs}
    return next((code for code in (4, 1, 3) if code in codes), 0)


def exit_code(run: Run) -> int:
    """Return the exit code for one run."""
    if run.state is State.FAILED or any(one.get("failed") for one in run.document.get("outcomes", ())):
        return 4
    counts = run.document.get("findings", {})
    if run.state is State.REJECTED or counts.get("error") or counts.get("catastrophic"):
        return 1
    return 3 if run.state is State.HELD else 0


__all__ = ["Feed", "exit_code", "gravest", "package_limits", "policy_of"]
