"""Sentinels: small files beside a drop by which its sender says that it is whole.

`NAME.zip.sha256` (or `NAME.sha256`) says which bytes are meant, and so may come before or after the zip. An empty
`NAME.zip.done` (or `NAME.done`) says only "I am through", and so counts if it is no older than the zip: by ctime, which
no sender can set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ingestd.core.stability import Look

LONGEST = 4096
"""Bytes of a sentinel that are read: a digest, a name and a size have room in them."""

_ZIP = len(".zip")
_PROMISE = re.compile(r"(?P<digest>[0-9a-fA-F]{64})(?: [ *](?P<name>[^\r\n]*?))?(?:\s+(?P<size>\d{1,18}))?\s*")


class Ready(StrEnum):
    """By what a drop is known to be whole: its rest alone, or a sentinel without which it is not taken."""

    QUIET = "quiet"
    DONE = "done"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A sentinel as it lies beside its drop: its name, its kind (never `QUIET`), how it looks."""

    name: str
    kind: Ready
    look: Look


@dataclass(frozen=True, slots=True)
class Promise:
    """What a `.sha256` sentinel says of its drop: the digest in hex, perhaps the size in bytes."""

    digest: str
    size: int | None = None

    @classmethod
    def read(cls, text: bytes) -> Self | None:
        """Return what the sentinel's text says as `sha256sum` writes it, or None if that is something else.

        That is the digest, then perhaps two blanks and the name, then perhaps the size.
        """
        found = _PROMISE.fullmatch(text.decode("utf-8", errors="replace"))
        if found is None:
            return None
        return cls(found["digest"].lower(), int(found["size"]) if found["size"] else None)


def is_sentinel_name(name: str) -> bool:
    """Return whether a file of this name is a sentinel, whether or not its drop is there."""
    return name.lower().endswith((".done", ".sha256"))


def sentinels_of(drop: str, look: Look, others: Mapping[str, Look]) -> tuple[Sentinel, ...]:
    """Return the sentinels among `others` that speak for a drop (`*.zip`) which looks so; a stale one does not."""
    names = [(f"{stem}.{kind}", kind) for stem in (drop, drop[:-_ZIP]) for kind in (Ready.SHA256, Ready.DONE)]
    found = [Sentinel(name, kind, others[name]) for name, kind in names if name in others]
    return tuple(one for one in found if one.kind is Ready.SHA256 or one.look.ctime_ns >= look.ctime_ns)


def is_vouched(found: tuple[Sentinel, ...], ready: Ready) -> bool:
    """Return whether a drop need not wait for its quiet period: it has the sentinel that is asked for, or any."""
    return any(ready in {Ready.QUIET, one.kind} for one in found)


def contradiction(promise: Promise | None, sha256: str, size: int) -> str | None:
    """Return in what a drop is not the one that its sentinel promises, or None if it is that one."""
    if promise is None:
        return "there is no SHA-256 in it"
    if promise.size is not None and promise.size != size:
        return f"{promise.size} bytes are promised, and {size} came"
    return None if promise.digest == sha256 else f"the SHA-256 begins with {sha256[:12]} and not {promise.digest[:12]}"
