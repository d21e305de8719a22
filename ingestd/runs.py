"""One feed's runs: each is taken as far as it goes, and what came of it is kept, reported and filed.

Law 6 rests on the order of steps: the copy is durable before the run is kept, the run before the drop leaves the
inbox, the sink's transaction before the store's, the store's before the folder moves. Each step can be done again.
"""

import gc
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from ingestd import config, occasions, pipeline, rekey
from ingestd.core import document, report, retrying
from ingestd.core.model import Batch, Mode, Plan, Severity
from ingestd.core.order import check_sequence, supersedes
from ingestd.core.rekey import Ids
from ingestd.core.rules import Rules
from ingestd.core.state import WAITING, State
from ingestd.errors import (
    IngestdError,
    SinkError,
    StaleDigestError,
    StoppingError,
    UnrecordedError,
    WorkerError,
    may_pass,
)
from ingestd.examine import Examined
from ingestd.feedloop import describe
from ingestd.feedsinks import Fault, FeedSinks, Outcomes
from ingestd.filing import Filing
from ingestd.pipeline import Prepared
from ingestd.policy import package_limits, policy_of
from ingestd.reading import read_package
from ingestd.rulebook import pins_of
from ingestd.stages import Clock, Show, Stages, Stop, Unseen
from ingestd.store import Run, Store, present
from ingestd.unpack import PackageFault
from schemas import shapes


class Runs:
    """The runs of one feed, and all that they work on. Only the holder of the store's lock may use it.

    `finished` collects the runs that came to a state here.
    """

    def __init__(
        self,
        settings: config.Feed,
        rules: Rules,
        state_dir: Path,
        *,
        show: Show | None,
        clock: Clock,
        stages: Callable[[Show, Stop], Stages],
    ) -> None:
        gc.freeze()  # what is loaded by now stays; the collector need not walk it while records pass by the million
        self.settings = settings
        self.finished: list[Run] = []
        self.filing = Filing(state_dir, settings.key)
        self.filing.prepare()
        pins = pins_of(settings, rules)
        self.store = Store(self.filing.stores, settings.key, shapes())
        self.policy = policy_of(settings, rules, pins, self.store.seed)
        self.sinks = FeedSinks(settings.sinks, rules, self.filing.state_dir, self.store)
        self._show = show or Unseen()
        self.clock = clock
        self._stages = stages
        self._log = structlog.get_logger().bind(feed=settings.key)

    def close(self) -> None:
        """Let go of the store and the sink."""
        self.store.close()
        self.sinks.close()

    def begin(self, number: int, spool: Path, drop: str | None, sha256: str, origin: Mapping[str, Any]) -> Run:
        """Keep a new run, once its package is durable in its own folder."""
        run = f"{self.settings.key}.{number}"
        self.filing.begin(spool, run)
        about = {
            "run": run,
            "feed": self.settings.key,
            "feed_name": self.settings.name,
            "drop": drop,
            "sha256": sha256,
            "state": str(State.RECEIVED),
            "received_at": self._now(),
        }
        self._log.info("run.received", run=run)
        return self.store.add_run(number, sha256, origin, about)

    def process(self, run: Run, stop: Stop, *, digest: str | None = None) -> Run:
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
        except (OSError, sqlite3.Error, SinkError, WorkerError) as error:
            return self._fail(run, error, stages)
        except Exception as error:  # a fault of ours: the run is tried again like any other that failed
            self._fail(run, error, stages)
            raise

    def _fail(self, run: Run, error: Exception, stages: Stages) -> Run:
        """Keep the run as failed."""
        partly = {"partly_done": True} if isinstance(error, SinkError) and error.is_partly_done else {}
        kept = self.store.run(run.id)
        about = {"error": _told(error), "stages": stages.seconds, **partly}
        about |= retrying.after_failure(kept.document, self.clock(), may_pass=may_pass(error))
        return self.end(kept, State.FAILED, about, None)

    def _run(self, run: Run, stages: Stages, digest: str | None) -> Run:
        if run.state is State.RECEIVED and digest is None and (twin := self.twin(run)):
            return self.end(run, State.DUPLICATE, {"duplicate_of": twin.id}, None)
        day = self._day(run)
        prepared = self._refuse_mismatch(run) or self._prepare_run(run, day, stages)
        if prepared.plan is None:
            return self.end(run, State.REJECTED, {**prepared.document, "stages": stages.seconds}, prepared.batches)
        self._refuse_another(run, prepared.plan)
        about = {**prepared.document, "day": day.isoformat(), "stages": stages.seconds}
        self._supersede(run, prepared.document["modes"])
        consent = str(digest or run.document.get("released") or "")  # given now, or before a stop or a fault
        is_released = consent != "" and prepared.plan.digest.startswith(consent)
        if digest and not is_released:
            self.end(run, State.HELD, about, prepared.batches)
            raise StaleDigestError(
                f"the plan of {run.id} is not {digest[:12]}… any more; nothing was applied.\n"
                f"Look at the new one: ingestd plan {self.settings.key}\n"
                f"Then: ingestd release {run.id} --plan {prepared.plan.digest}"
            )
        if prepared.breaches and not is_released:
            return self.end(run, State.HELD, about, prepared.batches)
        released = prepared.plan.digest if is_released else None
        return self._apply(run, prepared, {**about, "released": released}, stages)

    def preview(self, path: Path | None, stop: Stop) -> Prepared:
        """Take a package, or the snapshot alone, as far as the plan. Nothing is changed."""
        return self._prepare(path, None, self.today(), self._stages(self._show, stop))

    def preview_held(self, run: Run, stop: Stop) -> Prepared:
        """Take a held run as far as the plan, anew. Nothing is changed."""
        stages = self._stages(self._show, stop)
        package = self.filing.package(run.id, run.document.get("drop"))
        return self._prepare_occasion(run, self.today(), stages) or self._prepare(package, None, self.today(), stages)

    def preview_ids(self, ids: Ids, stop: Stop) -> Prepared:
        """Take a change of ids as far as the plan. Nothing is changed."""
        stages, sinks = self._stages(self._show, stop), self.sinks.readers(is_applying=False)
        return occasions.prepare_rekey(ids, self.store, self.policy, self.today(), stages, sinks)

    def _refuse_mismatch(self, run: Run) -> Prepared | None:
        """Refuse a drop that was not the one that its sender promised when it was claimed."""
        message = run.origin.get("mismatch")
        found = Batch("digest-mismatch", Severity.CATASTROPHIC, str(message))
        return pipeline.refuse(found, self.policy) if message else None

    def _refuse_another(self, run: Run, plan: Plan) -> None:
        """Refuse another plan in the place of one of which some may be done: what it did not go on with, nobody owned.

        A transactional sink has done all of it or nothing, and says so when it is asked again.
        """
        if run.is_begun and plan.digest != run.document["digest"] and not self.sinks.are_transactional():
            fault = SinkError(
                f"the plan of {run.id} is, or may be, half done, and would be another one by now: put rules, pins and "
                f"scope back as they were until it is applied, or give up the rest of it: ingestd discard {run.id}"
            )
            fault.is_partly_done = True
            raise fault

    def _prepare_run(self, run: Run, day: date, stages: Stages) -> Prepared:
        if prepared := self._prepare_occasion(run, day, stages):
            return prepared
        package = self.filing.package(run.id, run.document.get("drop"))
        if package is None and run.document.get("drop"):
            raise FileNotFoundError(f"the package of {run.id} is gone")
        return self._prepare(package, run, day, stages)

    def _prepare_occasion(self, run: Run, day: date, stages: Stages) -> Prepared | None:
        """Prepare a run that is for something else than a drop, or a plan anew; None if it is for one of these."""
        origin, given = run.origin, (self.store, self.policy, day, stages)
        sinks = self.sinks.readers(is_applying=run.is_begun)
        if "rekey" in origin:
            return occasions.prepare_rekey(
                rekey.read_list(self.filing.running(run.id) / origin["rekey"]), *given, sinks
            )
        if "reconcile" in origin:
            return occasions.prepare_reconcile(origin["reconcile"], self.sinks.readable(origin["reconcile"]), *given)
        return occasions.prepare_undo(int(origin["undo"]), *given, sinks) if "undo" in origin else None

    def _prepare(self, path: Path | None, run: Run | None, day: date, stages: Stages) -> Prepared:
        sinks = self.sinks.readers(is_applying=run is not None and run.is_begun)
        if path is None:
            return pipeline.prepare(None, self.store, self.policy, day, stages, sinks)
        try:
            limits = package_limits(self.settings.package)
            examined = read_package(path, limits, self.store.snapshot, self.policy.terms, stages)
        except PackageFault as fault:
            return pipeline.refuse(fault.batch, self.policy)
        examined = self._in_sequence(examined, path.name, run)
        return pipeline.prepare(examined, self.store, self.policy, day, stages, sinks)

    def _in_sequence(self, examined: Examined, name: str, run: Run | None) -> Examined:
        """Add what is odd about a delta's name after that of the drop before it, if anything is."""
        others = self.store.runs(State.APPLIED, State.HELD, State.FAILED)
        before = (one.document.get("drop") for one in others if run is None or one.number < run.number)
        previous = next(filter(None, before), None)
        found = check_sequence(previous, name) if previous and Mode.DELTA in examined.modes.values() else None
        return replace(examined, batches=(*examined.batches, found)) if found else examined

    def _apply(self, run: Run, prepared: Prepared, about: Mapping[str, Any], stages: Stages) -> Run:
        with self.store.transaction():
            self.sinks.keep_found(prepared.shares)
            run = self.store.move(run, State.APPLYING, {**run.document, **about, "state": str(State.APPLYING)})
        self.filing.list_findings(run.id, prepared.batches)
        done, faults = self.sinks.carry_out(prepared.shares, run, self._now(), stages)
        with stages.measure("commit", may_stop=False):
            try:
                applied = self._commit(run, prepared, done, faults, stages)
            except (OSError, sqlite3.Error) as error:
                fault = type(error).__name__
                raise UnrecordedError(f"the plan of {run.id} was carried out, but not recorded: {fault}") from None
        return self.close_run(applied, None)

    def _commit(
        self, run: Run, prepared: Prepared, done: Mapping[str, Outcomes], faults: Mapping[str, Fault], stages: Stages
    ) -> Run:
        assert prepared.plan is not None, "only a run with a plan is applied"
        with self.store.transaction():
            self.sinks.own(prepared.shares, done, run.number)
            self.store.snapshot.commit(prepared.settled, run.number)
            self.store.renamed.keep(run.number, prepared.ids)
            for name, value in pipeline.fingerprints(self.policy).items():
                self.store.set_meta(name, value)
            told = {name: _told(error) for name, error in faults.items()}
            about = {**document.about_sinks(run.document, done, told), "stages": stages.seconds}
            if faults:
                before = next((one.document for one in self.store.runs(State.APPLIED, limit=1)), {})
                about |= retrying.after_failure(before, self.clock(), may_pass=any(map(may_pass, faults.values())))
            applied = self.store.move(run, State.APPLIED, self._ended(run, State.APPLIED, about))
        with suppress(OSError):  # derived: made again from the versions when they are next wanted
            self.store.snapshot.publish()
        return applied

    # The ends ------------------------------------------------------------------------------------------------

    def end(self, run: Run, state: State, about: Mapping[str, Any], batches: Sequence[Batch] | None) -> Run:
        """Take a run to a state at which it stays for now, with what is known of it, and tell of it."""
        return self.close_run(self.store.move(run, state, self._ended(run, state, about)), batches)

    def _ended(self, run: Run, state: State, about: Mapping[str, Any]) -> dict[str, Any]:
        passed = {"waits_for", "retry_at", *(("partly_done", "tries") if state is State.APPLIED else ())}
        known = {name: one for name, one in run.document.items() if name not in passed}
        return {**known, "error": None, **about, "state": str(state), "finished_at": self._now()}

    def close_run(self, run: Run, batches: Sequence[Batch] | None) -> Run:
        """Report a run that came to a state, and file it if it is at its end. A report never stops a run."""
        try:
            self.filing.report(run.document, batches)
            self._log.info(f"run.{run.state}", **report.summary_line(run.document))
        except Exception as error:
            self._log.error("report.failed", run=run.id, **describe(error))
        if run.state not in WAITING:
            self._file(run)
        self.finished.append(run)
        return run

    def _file(self, run: Run) -> None:
        """Move a run's folder to where ended runs lie. The run stands if that fails, and is filed at the next start."""
        try:
            self.filing.file(run.id, run.state, run.received_at)
        except OSError as error:
            self._log.error("run.unfiled", run=run.id, **describe(error))

    def twin(self, run: Run) -> Run | None:
        """Return the run that this one repeats: the newest, if its bytes are the same and it has not failed."""
        others = self.store.runs(State.APPLIED, State.HELD, State.APPLYING, State.FAILED)
        newest = next((one for one in others if one.number < run.number and one.document.get("drop")), None)
        return newest if newest and newest.sha256 == run.sha256 != "" and newest.state is not State.FAILED else None

    def _supersede(self, run: Run, modes: Mapping[str, Mode]) -> None:
        """A newer bulk set takes the place of all that is not applied, a newer re-plan that of older re-plans."""
        said = present(modes)
        for old in self.store.runs(*WAITING, State.RECEIVED):
            if old.number < run.number and _gives_way(old, run, said):
                self.end(old, State.SUPERSEDED, {"superseded_by": run.id}, None)

    def older_than(self, run: Run, blocked: Sequence[Run] = ()) -> list[Run]:
        """Return the runs whose drops this one's builds on, oldest first: those that wait, and the `blocked`.

        None, if it repeats a drop or cannot be read anyhow: then what is to be said of it can be said at once.
        """
        if not run.modes or self.twin(run):
            return []
        older = [one for one in self.store.runs(*WAITING) if one.number < run.number] + list(blocked)
        standing = [one for one in older if not _gives_way(one, run, run.modes)]
        return sorted(standing, key=lambda one: one.number)

    def wait(self, run: Run, blocker: Run) -> Run:
        """Leave a run until another one is at its end, and tell of it once."""
        if run.document.get("waits_for") == blocker.id:
            return run
        self._log.warning("run.waiting", run=run.id)
        kept = self.store.move(run, run.state, {**run.document, "waits_for": blocker.id})
        try:
            self.filing.report(kept.document, None)
        except OSError as error:
            self._log.error("report.failed", run=run.id, **describe(error))
        return kept

    def today(self) -> date:
        """Return the day in the feed's time zone."""
        return self.clock().astimezone(self.settings.timezone).date()

    def _day(self, run: Run) -> date:
        """Return the day for which a run is planned: that of its plan, if some of it may be done."""
        kept = run.document.get("day") if run.is_begun else None
        return date.fromisoformat(kept) if kept else self.today()

    def _now(self) -> str:
        return self.clock().isoformat(timespec="seconds")


def _told(error: Exception) -> str:
    """Return what is told of an error; of a foreign one its class alone, for its words may hold values."""
    return str(error) if isinstance(error, IngestdError) else type(error).__name__


def _gives_way(old: Run, run: Run, modes: Mapping[str, Mode]) -> bool:
    """Return whether an older run that is not applied gives way to this one, whose drop says `modes` of its tables."""
    if old.document.get("partly_done"):  # its plan is half carried out: it must be made whole
        return False
    if not (old.document.get("drop") and run.document.get("drop")):
        return not old.document.get("drop")
    return supersedes(modes, old.modes)
