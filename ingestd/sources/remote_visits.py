"""What is done at each visit to a remote folder: look, fetch what has settled, remember it, clear it away.

Law: a drop is fetched whole, remembered after it is safe here, and touched there only after that.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

import paramiko
import structlog

from ingestd.core.fetching import Choice, Chooser, Listed, still_there
from ingestd.sources.base import is_drop_name, is_passing
from ingestd.sources.remote_client import Account, connected
from ingestd.sources.remote_folder import Patience, RemoteError, RemoteFileError, RemoteFolder
from ingestd.sources.remote_spool import Spool

JITTER = 0.1
"""How much of the time between two visits is chance, so that many feeds do not knock at one moment."""

LONGEST_PAUSE = 3600.0
"""Seconds to which the pause after failures doubles, unless `every` is longer."""


class After(StrEnum):
    """What becomes of a file on its server once it is fetched."""

    LEAVE = "leave"
    MOVE = "move"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a remote folder is visited: which one, how often, how long a file must rest, what becomes of it; seconds."""

    path: str
    every: float = 600
    settle: float = 60
    after: After = After.LEAVE
    move_to: str = ""
    largest: int = 2 << 30
    patience: Patience = field(default_factory=Patience)


class Visits:
    """The visits to one folder, made one after the other by one thread; `hang_up` may be called by another."""

    def __init__(
        self,
        account: Account,
        terms: Terms,
        spool: Spool,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.problem: str | None = None
        self.is_settling = False
        self._account, self._terms, self._spool = account, terms, spool
        self._clock, self._chance = clock, chance
        self._chooser = Chooser(terms.settle)
        self._failures = 0
        self._ignored: frozenset[str] = frozenset()
        self._line = _Line()
        self.place = f"sftp://{account.user}@{account.host}:{account.port}/{terms.path.lstrip('/')}"
        self._log = structlog.get_logger().bind(source=self.place)

    def visit(self, on_fetch: Callable[[], None]) -> float:
        """Go there once; return the seconds to the next visit. Whatever fails is told by `problem`."""
        self.is_settling = False
        began = self._clock()
        try:
            due = self._visit(on_fetch)
        except RemoteError as error:
            return self._failed(error.problem)
        except OSError:
            return self._failed("the disk refuses what is fetched; see ingestd doctor")
        self._failures = 0
        self.is_settling = due is not None
        usual = began + self._jittered(self._terms.every)
        return max(0.0, (usual if due is None else min(usual, due)) - self._clock())

    def fail(self, error: Exception) -> float:
        """Count a fault of ours as a visit that failed."""
        self._log.error("error.unexpected", exc_info=error)
        return self._failed("a fault in ingestd; the log has it")

    def hang_up(self) -> None:
        """End the visit under way, and every later one as soon as it begins."""
        self._line.cut()

    def _visit(self, on_fetch: Callable[[], None]) -> float | None:
        """Return when the next file has settled, if any is waited for."""
        self._spool.prepare()
        terms = self._terms
        now = self._clock()
        with connected(self._account, terms.path, terms.patience, hold=self._line.hold) as folder:
            files, others = folder.listing()
            drops = [file for file in files if is_drop_name(file.name) and "/" not in file.name]
            self._tell_ignored([*others, *(file.name for file in files if file not in drops)])
            memory = still_there(self._spool.recall(), drops)
            choice = self._chooser.choose(drops, memory, now)
            problems = self._fetch(folder, choice, memory, on_fetch)
            self._spool.remember(memory)
        self._tell(f"{len(problems)} files not fetched or cleared: {problems[0]}" if problems else None)
        return choice.due

    def _fetch(
        self, folder: RemoteFolder, choice: Choice, memory: dict[str, Listed], on_fetch: Callable[[], None]
    ) -> Sequence[str]:
        """Fetch and clear away; return what was wrong with single files."""
        problems = []
        for file in (*choice.fetched, *choice.fetch):
            try:
                if file not in choice.fetched:
                    if self._spool.holds(file.name) and not self._spool.is_cut_off(file.name):
                        continue  # an earlier drop of that name is not claimed yet: neither takes the other's place
                    self._take(folder, file)
                    memory[file.name] = file
                    self._spool.remember(memory)
                    on_fetch()
                self._clear(folder, file)
            except RemoteFileError as error:
                problems.append(error.problem)
        return problems

    def _take(self, folder: RemoteFolder, file: Listed) -> None:
        if file.size > self._terms.largest:
            raise RemoteFileError("it is larger than max_size")
        began = self._clock()
        with self._spool.receiving(file.name) as into:
            folder.fetch(file, into)
        self._log.info("drop.fetched", file=ascii(file.name), bytes=file.size, seconds=round(self._clock() - began, 3))

    def _clear(self, folder: RemoteFolder, file: Listed) -> None:
        if self._spool.is_cut_off(file.name):
            return  # its sender may have stalled, and go on
        match self._terms.after:
            case After.MOVE:
                folder.move(file, self._terms.move_to)
            case After.DELETE:
                folder.delete(file)

    def _failed(self, problem: str) -> float:
        self._tell(problem)
        pause = self._terms.every * 2 ** min(self._failures, 20)
        self._failures += 1
        return self._jittered(min(pause, max(self._terms.every, LONGEST_PAUSE)))

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 - JITTER + 2 * JITTER * self._chance())

    def _tell(self, problem: str | None) -> None:
        if problem != self.problem and not self._line.is_cut:
            self.problem = problem
            if problem:
                self._log.warning("remote.lost", problem=problem)
            else:
                self._log.info("remote.found")

    def _tell_ignored(self, names: Sequence[str]) -> None:
        ours = self._terms.move_to.strip("/")
        ignored = frozenset(name for name in names if not is_passing(name) and name != ours)
        for name in sorted(ignored - self._ignored):
            self._log.warning("file.ignored", file=ascii(name))
        self._ignored = ignored


class _Line:
    """The transport of the visit under way, so that another thread can cut it; once cut, always cut."""

    def __init__(self) -> None:
        self.is_cut = False
        self._transport: paramiko.Transport | None = None
        self._lock = Lock()

    def hold(self, transport: paramiko.Transport | None) -> None:
        """Be given the transport, or None at its end."""
        with self._lock:
            self._transport = transport
        if self.is_cut and transport:
            raise RemoteError("told to stop")

    def cut(self) -> None:
        """Close what is open."""
        with self._lock:
            self.is_cut = True
            transport = self._transport
        if transport:
            transport.close()
