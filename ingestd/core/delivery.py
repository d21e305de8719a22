"""A plan as the batches that a webhook gets, each under a key of its own, and what its answers mean.

A batch is called a parcel here, for `Batch` is one of findings. How parcels are signed is the specification Standard
Webhooks 1.0; how they look is `ingestd/sinks/actions.v1.schema.json`.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ingestd.core.columns import arrow
from ingestd.core.hashing import UNIT
from ingestd.core.model import Actions, Kind, Outcome, Plan

TYPE = "ingestd.actions.v1"
"""What is sent: another number is another form."""
SIZE = 500
"""How many actions are in a batch unless the settings say otherwise."""
PATIENCE = 8
"""After so many single actions that are declined in a row, and none that is taken, batches are not cut up any more."""
UNNAMED = "refused"
"""The reason of a failure that the receiver gives none for, or none that is a word."""
FIRST, LONGEST = 1.0, 60.0
"""Seconds of the first pause before a batch is sent again, and of the longest."""

_WORD = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_PREFIX = "whsec_"
_LATER = frozenset({408, 425, 429})
"""Answers by which nothing was done and which a later try changes."""
_AS_IT_IS = frozenset({400, 413, 422})
"""Answers that are about what is in the batch: cut up, most of it may be taken."""
_NEVER = frozenset({401, 403, 404, 410})
"""Answers that are about the sender or the address: the next batch would get the same."""


# What is sent ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows `start` to `stop` of the plan's group number `group`, sent as one; `number` counts from 1."""

    number: int
    group: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def halves(self) -> tuple["Parcel", "Parcel"]:
        """Return it as two of the same number."""
        middle = self.start + len(self) // 2
        return replace(self, stop=middle), replace(self, start=middle)


@dataclass(frozen=True, slots=True)
class Sender:
    """What all batches of a plan say: the run, its time, and how many batches there are."""

    run: str
    at: str
    batches: int


def parcels(plan: Plan, size: int) -> list[Parcel]:
    """Return a plan's batches of at most `size` actions in the plan's order, each of one target table and kind."""
    return [Parcel(number, *where) for number, where in enumerate(_places(plan, size), 1)]


def _places(plan: Plan, size: int) -> Iterator[tuple[int, int, int]]:
    for at, group in enumerate(plan.actions):
        for start in range(0, len(group), size):
            yield at, start, min(start + size, len(group))


def key_of(once: str, digest: str, number: int) -> str:
    """Return a batch's key, by which its receiver knows it again: the same at every try, also after a crash."""
    return f"msg_{hashlib.sha256(UNIT.join((once, digest, str(number))).encode()).hexdigest()}"


def render(plan: Plan, parcel: Parcel, sender: Sender) -> bytes:
    """Return a batch as JSON."""
    group = plan.actions[parcel.group]
    feed = sender.run.rpartition(".")[0]
    told = {
        "type": TYPE,
        **({"feed": feed} if feed else {}),
        "run": sender.run,
        "at": sender.at,
        "batch": parcel.number,
        "batches": sender.batches,
        "target": group.target,
        "kind": str(group.kind),
        **({"on_absent": str(group.on_absent)} if group.kind is Kind.REMOVE else {}),
        "key": list(group.key),
        "columns": list(group.columns),
        "records": _records(group, parcel),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _records(group: Actions, parcel: Parcel) -> list[dict[str, Any]]:
    """Return the records of a batch: the key of each, and what else its kind tells."""
    parts = {"key": _rows(group, parcel, group.key, group.key)}
    if group.kind is Kind.REKEY:
        parts["new_key"] = _rows(group, parcel, group.new_key, group.key)
    elif group.kind is not Kind.REMOVE:
        fields = [name for name in group.frame.columns if name not in group.key]
        parts["fields"] = _rows(group, parcel, fields, fields)
    return [dict(zip(parts, one, strict=True)) for one in zip(*parts.values(), strict=True)]


def _rows(group: Actions, parcel: Parcel, columns: Sequence[str], names: Sequence[str]) -> list[dict[str, str]]:
    """Return some columns of the batch as a dictionary a row, under these names."""
    length = len(parcel)
    cells = [arrow(group.frame[one].iloc[parcel.start : parcel.stop]).to_pylist() for one in columns]
    rows = zip(*cells, strict=True) if cells else ((),) * length
    return [dict(zip(names, row, strict=True)) for row in rows]


# By which it is believed -------------------------------------------------------------------------------------


def check_url(url: str) -> str:
    """Return a URL to which records may be sent: `https`, or `http` within this machine, without a password in it.

    Raises:
        ValueError: it is not one; the text is the end of a sentence, and does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if not host or not url.isascii() or re.search(r"\s", url) or port == 0 or parts.fragment:
        raise ValueError("is not the URL of a webhook, like https://app.example/roster")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a name or a password in it; a webhook is believed by its signature")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("must begin with https://; http:// is for 127.0.0.1, [::1] and localhost alone")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_keys(secret: str) -> tuple[bytes, ...]:
    """Return the signing keys of a secret: one, or several with blanks between, while they are changed.

    Raises:
        ValueError: it is not a signing secret; the text does not repeat it.
    """
    keys = tuple(_parse_key(one) for one in secret.split())
    if not keys or not all(24 <= len(key) <= 64 for key in keys):
        raise ValueError(f"a webhook's secret is {_PREFIX} and 24 to 64 bytes in base64")
    return keys


def _parse_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):
        return b""


def sign(keys: Sequence[bytes], key: str, timestamp: int, body: bytes) -> str:
    """Return the signatures of a batch, one for each signing key."""
    signed = f"{key}.{timestamp}.".encode() + body
    digests = (hmac.new(one, signed, hashlib.sha256).digest() for one in keys)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in digests)


# What is answered --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """The receiver is through with the batch; `failed` has the places of the actions that it did not do, and why."""

    failed: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declined:
    """Nothing of the batch was done, nor ever will be as it is; it may be a single action's fault."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """The batch must be sent again: `wait` seconds from now, if the receiver said so.

    `is_clean` says that nothing of it was done, for sure.
    """

    why: str
    wait: float | None = None
    is_clean: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No batch would be taken; nothing of this one was done."""

    why: str


Verdict = Settled | Declined | Again | Refused


def judge(status: int, body: bytes | None, retry_after: str | None, count: int, now: datetime) -> Verdict:
    """Say what an answer means.

    Args:
        status: the answer's.
        body: what came with it, None if that was too much.
        retry_after: its header of that name.
        count: how many actions the batch has.
        now: the time, for a `Retry-After` that is a date.
    """
    why = f"it answered {status}"
    if status == 207:
        failed = parse_failed(body, count)
        return Again("it answered 207 and no list that can be read") if failed is None else Settled(failed)
    if 200 <= status < 300:
        return Settled()
    if 300 <= status < 400 or status in _NEVER:
        return Refused(why)
    if status in _AS_IT_IS:
        return Declined(f"http-{status}")
    if 400 <= status < 500 and status not in _LATER:
        return Settled(dict.fromkeys(range(count), f"http-{status}"))
    return Again(why, parse_retry_after(retry_after, now), is_clean=status in _LATER)


def parse_failed(body: bytes | None, count: int) -> dict[int, str] | None:
    """Return the failures that a 207 lists, by the place of the action in the batch; None if it cannot be read."""
    try:
        listed = json.loads(body or b"")["failed"]
        found = {one["index"]: _word(one.get("reason")) for one in listed}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if all(type(index) is int and 0 <= index < count for index in found) else None


def _word(reason: object) -> str:
    """Return a reason that is a word; whatever else a receiver writes may have a child's data in it (law 9)."""
    return reason if isinstance(reason, str) and _WORD.fullmatch(reason) else UNNAMED


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return how many seconds a `Retry-After` asks for, be it a number or a date; None if it cannot be read."""
    value = (value or "").strip()
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def pause(failures: int, chance: float) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, less a share by chance."""
    return min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16)) * (1 - chance / 2)


def outcomes(plan: Plan, of_parcels: Sequence[tuple[Parcel, Mapping[int, str]]]) -> tuple[Outcome, ...]:
    """Return the outcomes of a plan's groups from the failures in each of its batches."""
    failed: list[dict[int, str]] = [{} for _ in plan.actions]
    for parcel, found in of_parcels:
        failed[parcel.group].update({parcel.start + index: reason for index, reason in sorted(found.items())})
    return tuple(
        Outcome(group.target, group.kind, len(group) - len(some), some)
        for group, some in zip(plan.actions, failed, strict=True)
    )
