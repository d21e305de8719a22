"""What every sink promises. `ingestd.testing.SinkContract` holds each of them to it."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from ingestd.core.model import Outcome, Plan
from ingestd.core.rules import Rules, Target
from ingestd.errors import ConfigError

GROUP = "ingestd.sinks.v1"
"""The entry points' group; the version lets an old plug-in be refused by name."""

EXTRAS = {"sqlalchemy": "postgres", "psycopg": "postgres"}
"""By the module that a sink needs and ingestd alone does not bring: what to install with it."""

Progress = Callable[[int], None]
"""Called with the number of actions carried out since the last call, which may be none.

If it raises, a sink that is not transactional lets it pass, and goes on from there when the plan is applied again: so
it calls it where it can be left, and before it waits.
"""


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


@runtime_checkable
class Losable(Protocol):
    """A sink that keeps its records where they can be seen to be gone, such as in a file."""

    def is_lost(self) -> bool:
        """Return whether there is nothing of what it keeps."""
        ...


@runtime_checkable
class Forwarding(Protocol):
    """A sink that passes on what it made. It does so at each `apply`, which a run without actions is as good for."""

    def pending(self) -> bool:
        """Return whether something is still to be passed on."""
        ...


@runtime_checkable
class Reachable(Protocol):
    """A sink that can tell whether its application is there and lets it in. `ingestd doctor --network` asks."""

    def try_out(self) -> None:
        """Go as far as that, and change nothing.

        Raises:
            SinkError: the application is away, or is not the one it should be, or does not let us in.
        """
        ...


def reachable_sink(kind: str, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Reachable | None:
    """Return the sink of that kind, as `open_sink` does, if it can tell whether its application is there.

    Raises:
        ConfigError: as `open_sink`.
    """
    found = next(iter(entry_points(group=GROUP, name=kind)), None)
    if found is None or not hasattr(_class_of(found), "try_out"):
        return None
    sink = open_sink(kind, settings, folder, rules)
    return sink if isinstance(sink, Reachable) else None


def unreadable(target: Target, kind: str) -> str:
    """Return what is wrong when a table's rules adopt and a sink of that kind cannot tell what it has."""
    return f"table.{target.name}.adopt: a sink of kind {kind!r} cannot tell what the application has; take adopt out"


def check_sink(kind: str, rules: Rules) -> list[str]:
    """Return what the rules want of a sink of that kind and it cannot do."""
    try:
        found = _class_of(next(iter(entry_points(group=GROUP, name=kind))))
    except ConfigError as error:
        return [*error.problems]
    return [unreadable(one, kind) for one in rules.targets if one.adopt and not hasattr(found, "read")]


def open_sink(kind: str, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Sink:
    """Return the sink of that kind, as its class's `from_settings` makes it of the other arguments.

    Args:
        kind: the entry point's name.
        settings: the other keys of `[[sinks]]`.
        folder: relative paths start here.
        rules: what target tables there may be, and their fields; for a sink that writes more than a plan tells it.

    Raises:
        ConfigError: there is no such kind, or it is not installed, or its settings are wrong.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in found:
        raise ConfigError([f"sinks.kind: {kind!r} is not one of {', '.join(sorted(found))}"])
    sink: Sink = _class_of(found[kind]).from_settings(settings, folder, rules)
    return sink


def _class_of(point: EntryPoint) -> Any:
    """Return the class of a sink.

    Raises:
        ConfigError: something that it needs is not installed.
    """
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise ConfigError([f"sinks.kind: a {point.name} sink cannot be had: {lacking(error)}"]) from None


def lacking(error: ModuleNotFoundError) -> str:
    """Return which module is not there, and what to do."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    remedy = f"; pip install 'ingestd[{extra}]'" if extra else ""
    return f"the module {error.name} is not installed{remedy}"
