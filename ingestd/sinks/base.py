"""What every sink promises. `tests/contracts/sink_contract.py` holds each of them to it."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from ingestd.core.model import Outcome, Plan
from ingestd.core.rules import Rules, Target
from ingestd.errors import ConfigError

GROUP = "ingestd.sinks.v1"
"""The entry points' group; the version lets an old plug-in be refused by name."""

Progress = Callable[[int], None]
"""Called with the number of actions carried out since the last call."""


class Sink(Protocol):
    """A place where target records live.

    - `apply` carries the plan's actions out in their order and returns an outcome per group of actions.
    - A create is an upsert by key: it sets every column and makes the record active, whether or not it is there.
    - An update sets the columns of its frame and is an upsert too; what a new record is not told is blank.
    - A rekey gives a record another key: its other columns and `_active` stay, and what is at the new key gives way. Of
      a missing record it does nothing. It comes before all else, so that the rest of the plan can use the new key.
    - A remove follows `on_absent`: `delete` deletes, `deactivate` and `archive` set `_active = 0`. Of a missing record
      it does nothing.
    - Columns that the plan's tables gain are blank in the records that are there.
    - Applying the same plan under the same `once` again has no further effect and returns the same outcomes.
    - A transactional sink does all of a plan or nothing; it raises `SinkError` when it did nothing.
    - Another sink tells in the outcomes which actions failed for good, and does all others. When it must stop half-way,
      its `SinkError` says `is_partly_done`: it goes on from there when the same plan is applied again.
    """

    transactional: bool

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Carry a plan out.

        Args:
            plan: the actions.
            once: the run's token; with the plan's digest the key under which the plan is done once, and never again.
            run: the run that applies it, for `_run`.
            at: the time of the run, ISO 8601 UTC, for `_changed_at`.
            progress: told how many actions were carried out.

        Raises:
            TransientSinkError: a later try may succeed; nothing was done, or it will not be done twice.
            SinkError: no try will succeed.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Readable(Protocol):
    """A sink that can also tell what the application has, whoever put it there. `adopt` in the rules needs it."""

    def read(self, target: str, fields: Sequence[str]) -> pd.DataFrame:
        """Return all records of a target table, active or not: these fields, as text, in the order of the key or any.

        A field that a record does not have is blank. Of a table that is not there, there are no records. Nothing is
        changed.

        Raises:
            SinkError: it cannot be told.
        """
        ...


def unreadable(target: Target, kind: str) -> str:
    """Return what is wrong when a table's rules adopt and a sink of that kind cannot tell what it has."""
    return f"table.{target.name}.adopt: a sink of kind {kind!r} cannot tell what the application has; take adopt out"


def check_sink(kind: str, rules: Rules) -> list[str]:
    """Return what the rules want of a sink of that kind and it cannot do."""
    found = next(iter(entry_points(group=GROUP, name=kind))).load()
    return [unreadable(one, kind) for one in rules.targets if one.adopt and not hasattr(found, "read")]


def open_sink(kind: str, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Sink:
    """Return the sink of that kind, as its class's `from_settings` makes it of the other arguments.

    Args:
        kind: the entry point's name.
        settings: the other keys of `[[sinks]]`.
        folder: relative paths start here.
        rules: what target tables there may be, and their fields; for a sink that writes more than a plan tells it.

    Raises:
        ConfigError: there is no such kind, or its settings are wrong.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in found:
        raise ConfigError([f"sinks.kind: {kind!r} is not one of {', '.join(sorted(found))}"])
    sink: Sink = found[kind].load().from_settings(settings, folder, rules)
    return sink
