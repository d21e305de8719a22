"""An application's webhook: plans in batches as signed JSON, each sent until it is answered, under one key.

HTTP alone is never exactly once. It becomes so by the key of a batch, which the receiver keeps with what it did, and
by the file in which the answers are kept here: after a kill, what was answered is not sent again, and what was sent
and not answered is sent again under the same key.
"""

import hashlib
import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from ingestd import __version__, secrets
from ingestd.core import delivery
from ingestd.core.delivery import Again, Declined, Parcel, Refused, Sender, Settled, Verdict
from ingestd.core.model import Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.base import Progress
from ingestd.sinks.webhook_client import UnansweredError, WebhookClient
from ingestd.sinks.webhook_progress import Begun, WebhookProgress
from ingestd.slots import lent

_HEADERS = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"ingestd/{__version__}",
}


Render = Callable[[Parcel], bytes]
"""Returns a batch of the plan as it is sent."""


@dataclass(frozen=True, slots=True)
class World:
    """Time and chance: seconds since 1970, seconds that only grow, a pause, a share from 0 to 1."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds how long a batch is tried, and how long the receiver is let be when it is given up.

    It is given up, too, after so many `failures` in a row.
    """

    max_retry: float = 120.0
    rest: float = 60.0
    failures: int = 10
    longest_rest: float = 3600.0


@dataclass(slots=True)
class Circuit:
    """Whether the receiver is to be asked at all: not before `until`, once it failed too often."""

    failures: int = 0
    until: float = float("-inf")
    why: str = ""


class WebhookSink:
    """Posts batches of actions; `path` is the file in which it keeps their answers.

    It is not transactional: what the receiver refuses for good is a failed action, and all others are done.
    """

    transactional = False

    def __init__(
        self,
        client: WebhookClient,
        progress: WebhookProgress,
        receiver: str,
        secret: str,
        size: int = delivery.SIZE,
        patience: Patience | None = None,
        world: World | None = None,
    ) -> None:
        """Set it up; nothing is sent or opened yet.

        Args:
            client: sends.
            progress: keeps what was answered.
            receiver: whom the answers are of; another one has done nothing yet.
            secret: the reference to the signing secret.
            size: how many actions are sent at once.
            patience: when to give up.
            world: time and chance.
        """
        self._client = client
        self._progress = progress
        self._receiver = receiver
        self._secret = secret
        self._size = size
        self._patience = patience or Patience()
        self._world = world or World()
        self._circuit = Circuit()
        self._is_touched = False
        self._told: set[tuple[int, int]] = set()
        self._declined = 0

    @classmethod
    def from_settings(
        cls,
        settings: Mapping[str, Any],
        folder: Path,
        rules: Rules,  # noqa: ARG003
        world: World | None = None,
    ) -> Self:
        """Read `url`, `secret`, `path`, and, if they are there, `batch`, the times and `ca`.

        Raises:
            ConfigError: something is missing, or no URL of a webhook.
        """
        missing = [name for name in ("url", "secret", "path") if not settings.get(name)]
        if missing:
            raise ConfigError([f"sinks.{name}: a webhook sink needs it" for name in missing])
        try:
            url = delivery.check_url(str(settings["url"]))
        except ValueError as error:
            raise ConfigError([f"sinks.url: {error}"]) from None
        ca = settings.get("ca")
        times = (_seconds(settings, "timeout", 60.0), _seconds(settings, "connect_timeout", 10.0))
        return cls(
            WebhookClient(url, *times, folder / ca if ca else None),
            WebhookProgress(folder / settings["path"]),
            hashlib.sha256(url.encode()).hexdigest(),
            str(settings["secret"]),
            int(settings.get("batch", delivery.SIZE)),
            Patience(_seconds(settings, "max_retry", Patience().max_retry)),
            world,
        )

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Send what of a plan was not answered yet, batch by batch in its order.

        Raises:
            TransientSinkError: the receiver is away, or busy for longer than its batch is tried.
            SinkError: it takes nothing from us. Of both, `is_partly_done` says whether something may have been done.
        """
        begun = None
        self._is_touched = True
        try:
            begun = self._progress.begin(once, plan.digest, self._receiver, run, at, self._size)
            self._is_touched = not begun.is_new
            with lent():
                return self._send(plan, begun, once, progress)
        except (sqlite3.Error, OSError) as error:  # their text may name what is in the way, their class does not
            fault: SinkError = SinkError(f"the webhook sink failed on this machine: {type(error).__name__}")
            fault.is_partly_done = self._is_touched
            raise fault from None
        except SinkError as error:
            error.is_partly_done = self._is_touched
            if begun and not self._is_touched:
                self._progress.forget(begun.id)
            raise

    def try_out(self) -> None:
        """Read the secret to sign with, and connect; nothing is sent."""
        self._keys()
        try:
            self._client.reach()
        except UnansweredError as error:
            raise TransientSinkError(f"the webhook sink: {error.why}") from None
        except OSError as error:
            raise SinkError(f"the webhook sink failed on this machine: {type(error).__name__}") from None

    def close(self) -> None:
        """Close the connection and the file."""
        self._client.close()
        self._progress.close()

    def _send(self, plan: Plan, begun: Begun, once: str, progress: Progress) -> Sequence[Outcome]:
        parcels = delivery.parcels(plan, begun.size)
        sender = Sender(begun.run, begun.at, len(parcels))
        self._declined = 0
        found: list[tuple[Parcel, Mapping[int, str]]] = []
        for parcel in parcels:
            failed = begun.answers.get(parcel.number)
            if failed is None:
                key = delivery.key_of(once, plan.digest, parcel.number)
                failed = self._settle(key, parcel, partial(delivery.render, plan, sender=sender), progress)
                self._progress.answered(begun.id, parcel.number, failed)
            found.append((parcel, failed))
            if (begun.id, parcel.number) not in self._told:  # a try after this one tells of it no more
                self._told.add((begun.id, parcel.number))
                progress(len(parcel))
        return delivery.outcomes(plan, found)

    def _settle(self, key: str, parcel: Parcel, render: Render, progress: Progress) -> Mapping[int, str]:
        """Send a batch; return which of its actions failed for good.

        One that is declined as it is is sent again in halves, so that what is wrong with one action costs no other.
        """
        match self._deliver(key, render(parcel), len(parcel), progress):
            case Settled(failed):
                self._declined = 0 if len(failed) < len(parcel) else self._declined
                return failed
            case Declined(reason):
                self._declined += len(parcel) == 1
                if len(parcel) == 1 or self._declined >= delivery.PATIENCE:
                    return dict.fromkeys(range(len(parcel)), reason)
        found: dict[int, str] = {}
        for number, half in enumerate(parcel.halves()):
            failed = self._settle(f"{key}_{number}", half, render, progress)
            found |= {half.start - parcel.start + index: reason for index, reason in failed.items()}
        return found

    def _deliver(self, key: str, body: bytes, count: int, progress: Progress) -> Settled | Declined:
        """Send a batch until it is answered."""
        began = self._world.steady()
        while True:
            if self._world.steady() < self._circuit.until:
                raise TransientSinkError(self._circuit.why)
            match self._ask(key, body, count):
                case Settled() | Declined() as answer:
                    self._circuit = Circuit()
                    self._is_touched |= isinstance(answer, Settled)
                    return answer
                case Refused(why):
                    raise SinkError(f"the webhook sink takes nothing: {why}")
                case Again(why, wait, is_clean):
                    self._is_touched |= not is_clean
                    progress(0)
                    self._wait(began, why, wait)

    def _ask(self, key: str, body: bytes, count: int) -> Verdict:
        timestamp = int(self._world.wall())
        signature = delivery.sign(self._keys(), key, timestamp, body)
        signed = {"webhook-id": key, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
        try:
            answer = self._client.post(body, _HEADERS | signed)
        except UnansweredError as error:
            return Again(error.why, is_clean=error.is_clean)
        now = datetime.fromtimestamp(self._world.wall(), UTC)
        return delivery.judge(answer.status, answer.body, answer.retry_after, count, now)

    def _wait(self, began: float, why: str, wanted: float | None) -> None:
        """Wait until the next try of a batch is due, or give the receiver up for now."""
        self._circuit.failures += 1
        wait = max(delivery.pause(self._circuit.failures, self._world.chance()), wanted or 0.0)
        now = self._world.steady()
        is_last = now + wait - began > self._patience.max_retry
        if is_last or self._circuit.failures >= self._patience.failures:
            rest = min(max(self._patience.rest, wanted or 0.0), self._patience.longest_rest)
            self._circuit.until = now + rest
            self._circuit.why = f"the webhook sink gave up: {why} (failures in a row: {self._circuit.failures})"
            raise TransientSinkError(self._circuit.why)
        self._world.sleep(wait)

    def _keys(self) -> Sequence[bytes]:
        try:
            return delivery.parse_keys(secrets.resolve(self._secret))
        except ConfigError as error:
            raise SinkError(str(error)) from None
        except ValueError as error:
            raise SinkError(f"{self._secret}: {error}") from None


def _seconds(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name, default)
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
