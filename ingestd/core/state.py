"""The states of a run and the steps between them, as one table. The store refuses any other step."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a run stands (DESIGN section 7)."""

    RECEIVED = "received"
    REJECTED = "rejected"
    HELD = "held"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"


STEPS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.RECEIVED: frozenset(
            {State.REJECTED, State.HELD, State.APPLYING, State.DUPLICATE, State.FAILED, State.SUPERSEDED}
        ),
        State.HELD: frozenset({State.APPLYING, State.DISCARDED, State.SUPERSEDED, State.REJECTED}),
        State.APPLYING: frozenset({State.APPLIED, State.FAILED, State.HELD, State.REJECTED}),
        State.FAILED: frozenset({State.APPLYING, State.HELD, State.REJECTED, State.DISCARDED, State.SUPERSEDED}),
        State.REJECTED: frozenset(),
        State.APPLIED: frozenset(),
        State.DUPLICATE: frozenset(),
        State.DISCARDED: frozenset(),
        State.SUPERSEDED: frozenset(),
    }
)
"""From each state, the states that may follow. Ends have none."""

UNFINISHED = frozenset({State.RECEIVED, State.APPLYING})
"""States in which a run is not through: a process was stopped or killed, or it waits for an older run that is held."""
WAITING = frozenset({State.HELD, State.FAILED})
"""States in which a run's package is kept, because it may still be applied."""


class IllegalStepError(ValueError):
    """A step that is not in the table."""


def step(before: State, after: State) -> State:
    """Return `after`, if a run may go there from `before`.

    Raises:
        IllegalStepError: it may not.
    """
    if after not in STEPS[before]:
        raise IllegalStepError(f"a run that is {before} cannot become {after}")
    return after
