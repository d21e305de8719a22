"""The applications that sinks write to: whether each is there, is the one it should be, and lets us in."""

from collections.abc import Iterator
from pathlib import Path

from ingestd.config import Feed
from ingestd.doctor.check import Check, fault, ok
from ingestd.errors import ConfigError, SinkError
from ingestd.rulebook import rules_of
from ingestd.sinks.base import reachable_sink


def look_at_applications(feed: Feed, state_dir: Path) -> Iterator[Check]:
    """Yield what can be said of the applications behind a feed's sinks; they are spoken to, and nothing is changed."""
    for one in feed.sinks:
        name = f"{feed.key}'s sink {one.key}"
        try:
            sink = reachable_sink(one.kind, one.settings, state_dir, rules_of(feed))
            if sink:
                sink.try_out()
                yield ok("application", f"{name} gets through to it")
        except (SinkError, ConfigError) as error:
            yield fault("application", f"{name}: {error}", "correct the sink, or ask the application's operator")
