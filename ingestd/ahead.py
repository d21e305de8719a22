"""One step ahead: the next piece of a stream is made in a thread while the present one is worked on."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import TypeVar

_Item = TypeVar("_Item")
_DEPTH = 2
"""Pieces made ahead at most: enough to keep both sides busy, little enough memory."""


def ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield the items of an iterable that inflates or reads, which Python's threads do side by side with other work.

    An exception of the iterable is raised here, in its place. A consumer that stops early ends the thread.
    """
    made: queue.Queue[tuple[_Item | None, BaseException | None]] = queue.Queue(_DEPTH)
    stopped = Event()

    def put(item: _Item | None, error: BaseException | None) -> None:
        is_in = False
        while not is_in and not stopped.is_set():
            with suppress(queue.Full):
                made.put((item, error), timeout=0.1)
                is_in = True

    def make() -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:
            end = error
        put(None, end)

    worker = Thread(target=make, name="ahead", daemon=True)
    worker.start()
    try:
        while (taken := made.get())[1] is None:
            yield taken[0]  # type: ignore[misc]  # an item, for there is no error
        if not isinstance(taken[1], StopIteration):
            raise taken[1]
    finally:
        stopped.set()
        worker.join()
