"""Uploads of real clients, hurt in the middle, each to a feed of its own: is any taken early, lost, or taken twice?

Every upload ends well: what was stopped goes on, what broke off is sent again. So each feed comes to one applied run.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from builders import members_of, roster
from live.clients import CLIENTS, Client, Task
from live.sites import QUIET, SITES, Site
from places import documents_of

NAME = "roster.zip"
SECONDS = 4
"""How long an upload takes that nothing hurts."""
PATIENCE = 180.0


class Fate(StrEnum):
    """What becomes of an upload when some of it has been sent."""

    FINISH = "finish"
    KILLED = "client killed"
    STOPPED = "client stopped"
    RESET = "tcp reset"
    SERVER = "server killed"


@dataclass(frozen=True, slots=True)
class Case:
    """One upload: the client, its fate, and a number to tell repeats apart."""

    client: str
    fate: Fate
    number: int = 0

    @property
    def feed(self) -> str:
        """Return the feed that this upload has for itself."""
        return f"{self.client}-{self.fate.replace(' ', '-')}-{self.number}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an upload: its case, what was amiss (nothing, if all is well), seconds from its end to the claim."""

    target: str
    case: Case
    faults: tuple[str, ...]
    latency: float


def drop() -> bytes:
    """Return a sound zip of half a MiB, not compressed: the limits of OpenSSH's clients let a quarter pass at once."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, content in members_of(roster(4000)).items():
            made.writestr(name, content)
    return out.getvalue()


def run(target: str, cases: Sequence[Case], folder: Path, *, pause: float) -> list[Verdict]:
    """Do all uploads of a batch side by side, and judge them; what was hurt stays so for `pause` seconds."""
    folder.mkdir()
    file = folder / NAME
    file.write_bytes(drop())
    site = SITES[target](folder / "site", [case.feed for case in cases])
    uploads = [_Upload(site, case, file) for case in cases]
    try:
        _live_through(uploads, pause)
        return [upload.verdict(target) for upload in uploads]
    finally:
        for upload in uploads:
            upload.close()
        site.close()


def batches_of(target: str, cases: Sequence[Case]) -> list[list[Case]]:
    """Return which uploads go side by side. A kill of the embedded server befalls all, so those are by themselves."""
    apart = [case for case in cases if target == "embedded" and case.fate is Fate.SERVER]
    return [batch for batch in ([case for case in cases if case not in apart], apart) if batch]


def _live_through(uploads: Sequence["_Upload"], pause: float) -> None:
    for upload in uploads:
        upload.start()
    _each(uploads, _Upload.try_to_hurt)
    time.sleep(pause)
    for upload in uploads:
        upload.note_what_was_early()
    for upload in uploads:
        upload.mend()
    _each(uploads, _Upload.has_ended)
    _each(uploads, _Upload.is_applied)
    time.sleep(QUIET)  # a second claim, if there were one, would come now


def _each(uploads: Iterable["_Upload"], is_done: Callable[["_Upload"], bool]) -> None:
    """Ask all uploads again and again until it is true of each, or patience ends: what is missing is told later."""
    end = time.monotonic() + PATIENCE
    left = list(uploads)
    while left and time.monotonic() < end:
        left = [one for one in left if not is_done(one)]
        time.sleep(0.02)


class _Upload:
    """One upload on its way."""

    def __init__(self, site: Site, case: Case, file: Path) -> None:
        self._site, self._case, self._file = site, case, file
        self._size = file.stat().st_size
        self._client: Client | None = None
        self._ended = 0.0
        self._faults: list[str] = []

    def start(self) -> None:
        """Send the file from its beginning."""
        self._site.relay(self._case.feed).forget()
        task = Task(self._file, NAME, self._size // SECONDS)
        self._client = Client(CLIENTS[self._case.client](self._site.door(self._case.feed), task))

    def try_to_hurt(self) -> bool:
        """Do to the upload what its fate is, if a third of it has been sent; return whether it was done."""
        assert self._client
        if self._case.fate is Fate.FINISH:
            return self.has_ended()
        if not self._site.is_served(self._case.feed):  # the server died for another upload: for this one too
            return self._case.fate is Fate.SERVER
        relay = self._site.relay(self._case.feed)
        if relay.sent < self._size // 3:
            return False
        match self._case.fate:
            case Fate.KILLED:
                self._client.kill()
            case Fate.STOPPED:
                self._client.stop()
            case Fate.RESET:
                relay.reset()
            case Fate.SERVER:
                self._site.kill_server(self._case.feed)
        if relay.sent >= self._size:
            self._faults.append("was whole before it was hurt")
        return True

    def note_what_was_early(self) -> None:
        """Note a claim of an upload that is not at its end."""
        if self._case.fate is not Fate.FINISH and self._received():
            self._faults.append("taken early")

    def mend(self) -> None:
        """Let the client go on, or do as a vendor does whose upload broke off: send it again."""
        assert self._client
        if self._case.fate is Fate.FINISH:
            return
        if self._case.fate is Fate.STOPPED:
            self._client.go_on()
            return
        if self._case.fate is Fate.SERVER:
            self._site.restart_server(self._case.feed)
        if self._client.kill() == 0:
            self._faults.append("the client took it for a success")
        self.start()

    def has_ended(self) -> bool:
        """Return whether the client is done, and remember when it was."""
        assert self._client
        if not self._ended and self._client.has_ended():
            self._ended = time.time()
            if code := self._client.end(0):
                self._faults.append(f"the client failed: {code}")
        return bool(self._ended)

    def is_applied(self) -> bool:
        """Return whether a run of it came to its end."""
        return any(line["feed"] == self._case.feed for line in self._site.daemon.events("run.applied"))

    def verdict(self, target: str) -> Verdict:
        """Return what came of it."""
        received = self._received()
        runs = documents_of(self._site.place, self._case.feed)
        digest = hashlib.sha256(self._file.read_bytes()).hexdigest()
        if not runs:
            self._faults.append(f"lost, or not taken within {PATIENCE:g} s")
        elif [(one["state"], one["sha256"]) for one in runs] != [("applied", digest)]:
            self._faults.append(f"came to {[one['state'] for one in runs]}")
        if received and received[0] < self._site.relay(self._case.feed).sent_at(self._size):
            self._faults.append("taken before its last byte was sent")
        return Verdict(target, self._case, tuple(self._faults), received[-1] - self._ended if received else 0.0)

    def close(self) -> None:
        """Leave no client behind."""
        if self._client:
            self._client.kill()

    def _received(self) -> list[float]:
        """Return the times of day at which the daemon claimed it."""
        lines = self._site.daemon.events("run.received")
        times = [line["timestamp"] for line in lines if line["feed"] == self._case.feed]
        return [datetime.fromisoformat(one).timestamp() for one in times]
