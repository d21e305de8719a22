"""How many feeds are at work at once; and whoever waits for somebody else's machine takes nobody's turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore

MOST = 4
"""How many times as many feeds may have begun at once as may be at work: those that wait keep their memory."""


class Slots:
    """So many feeds are at work at once; more may have begun and wait."""

    def __init__(self, count: int) -> None:
        self._working = BoundedSemaphore(count)
        self._begun = BoundedSemaphore(count * MOST)

    @contextmanager
    def taken(self, timeout: float) -> Iterator[bool]:
        """Run the block with a slot, or tell it that none came free within so many seconds."""
        with _acquired(self._begun, timeout) as has_begun, _acquired(self._working, timeout, has_begun) as has_slot:
            token = _HELD.set(self._working if has_slot else None)
            try:
                yield has_slot
            finally:
                _HELD.reset(token)


_HELD: ContextVar[BoundedSemaphore | None] = ContextVar("held slot", default=None)


@contextmanager
def lent() -> Iterator[None]:
    """Let another feed have this one's slot while the block waits for somebody else's machine.

    Sinks use it around what a receiver that hangs can draw out. Without a slot, or within such a block, it is idle.
    """
    held = _HELD.get()
    if held is None:
        yield
        return
    token = _HELD.set(None)
    held.release()
    try:
        yield
    finally:
        held.acquire()
        _HELD.reset(token)


@contextmanager
def _acquired(semaphore: BoundedSemaphore, timeout: float, wanted: bool = True) -> Iterator[bool]:
    has_it = wanted and semaphore.acquire(timeout=timeout)
    try:
        yield has_it
    finally:
        if has_it:
            semaphore.release()
