"""A folder on someone's SFTP server, visited by a thread of its own.

Law: nothing here makes a feed wait for a network. The thread fetches into a private folder; the scan looks at that.
"""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from ingestd.sources.base import Drop, Sighting
from ingestd.sources.folder import FolderSource
from ingestd.sources.remote_client import Account
from ingestd.sources.remote_spool import Spool
from ingestd.sources.remote_visits import Terms, Visits

FAREWELL = 5.0
"""Seconds that `close` waits for the thread. One that hangs in a name look-up is left behind: a kill harms nothing."""


class RemoteSource:
    """The drops that were fetched from a remote folder into `folder`. The first scan, or the watch, sends the thread.

    `clock`, `wait` and `chance` (from 0 to 1) are the thread's time and luck.
    """

    def __init__(
        self,
        account: Account,
        terms: Terms,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Event, float], bool] = Event.wait,
        chance: Callable[[], float] = random.random,
    ) -> None:
        spool = Spool(folder)
        self.path = spool.drops
        self._spool = spool
        self._visits = Visits(account, terms, spool, clock=clock, chance=chance)
        self._fetched = FolderSource(spool.drops, quiet_period=0)
        self._wait = wait
        self._wake: Callable[[], None] = lambda: None
        self._stopping = Event()
        self._thread = Thread(target=self._loop, name=f"fetch {account.host}", daemon=True)
        self._is_away = True
        self._was_away = True

    def scan(self, now: float, wall: datetime) -> Sequence[Drop]:
        """Return what has been fetched, oldest first."""
        self._start()
        self._was_away = self._is_away  # asked before the look: what the thread brought by then is seen by it
        return self._fetched.scan(now, wall)

    def waiting(self) -> Sequence[Sighting]:
        """Return nothing: what is fetched has settled."""
        return self._fetched.waiting()

    def is_looking(self) -> bool:
        """Return whether, at the last scan, the first visit had not ended, or one had found what must yet settle."""
        return self._was_away

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` when something was fetched."""
        self._wake = wake
        self._start()

    def health(self) -> str | None:
        """Return what was wrong at the last visit, or with the folder of what is fetched."""
        problem = self._visits.problem
        return f"{self._visits.place}: {problem}" if problem else self._fetched.health()

    def close(self) -> None:
        """End the visit under way, and the thread."""
        self._stopping.set()
        self._visits.hang_up()
        if self._thread.is_alive():
            self._thread.join(FAREWELL)
        self._fetched.close()

    def _ring(self) -> None:
        self._wake()

    def _start(self) -> None:
        if self._thread.ident is None and not self._stopping.is_set():
            self._spool.prepare()
            self._thread.start()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            pause = self._visit()
            self._is_away = self._visits.is_settling
            self._wait(self._stopping, pause)

    def _visit(self) -> float:
        try:
            return self._visits.visit(self._ring)
        except Exception as error:  # whatever it is, the source goes on
            return self._visits.fail(error)
