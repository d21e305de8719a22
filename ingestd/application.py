"""What the application has: read through the sink, or as it was before the plan that is being applied.

And whether it has all that the sink passes on.
"""

from collections.abc import Callable

import pandas as pd

from ingestd.core.rules import Target
from ingestd.core.state import State
from ingestd.errors import ConfigError
from ingestd.sinks.base import Forwarding, Readable, Sink, unreadable
from ingestd.store import Store
from ingestd.targets import Read


def reader(open_sink: Callable[[], Sink], kind: str, store: Store, *, is_applying: bool) -> Read:
    """Return what reads a target table for adoption: the key of each record, and the fields to match by.

    A run that is being applied gets what its plan was made from: it may be done by now, and must be planned as it was,
    or it would be another plan, done twice (law 6).

    Args:
        open_sink: gives the sink, which is opened only if it is wanted.
        kind: the sink's.
        store: has what there was.
        is_applying: whether a plan is being applied.
    """

    def read(target: Target) -> pd.DataFrame:
        """Return what there is, or was.

        Raises:
            ConfigError: the sink cannot tell.
            SinkError: it fails to.
        """
        kept = store.found.of(target.name) if is_applying else None
        if kept is not None:
            return kept
        sink = open_sink()
        if not isinstance(sink, Readable):
            raise ConfigError([unreadable(target, kind)])
        return sink.read(target.name, (*target.key, *target.adopt))

    return read


def is_pending(sink: Sink, store: Store) -> bool:
    """Return whether a sink has something to pass on that no failed run, which is tried again anyway, is about to."""
    return isinstance(sink, Forwarding) and not store.runs(State.FAILED, limit=1) and sink.pending()
