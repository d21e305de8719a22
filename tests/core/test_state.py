"""The states of a run and the steps between them."""

import pytest

from ingestd.core.state import STEPS, UNFINISHED, WAITING, IllegalStepError, State, step

ENDS = {state for state, following in STEPS.items() if not following}


def reach(start: State) -> set[State]:
    """Return the states to which a run may come from this one."""
    found: set[State] = set()
    following = {start}
    while following - found:
        found |= following
        following = set().union(*(STEPS[state] for state in found))
    return found


def test_states_are_those_that_are_promised() -> None:
    """The words are a contract with whoever reads `runs --json`."""
    words = "received rejected held applying applied failed duplicate discarded superseded"
    assert [str(state) for state in State] == words.split()


def test_every_state_has_its_steps() -> None:
    """The table speaks of each state, and leads to known states only."""
    assert set(STEPS) == set(State)
    assert set().union(*STEPS.values()) <= set(State)


def test_every_state_can_be_reached_and_left_towards_an_end() -> None:
    """From `received` a run can come to any other state, and from any state to an end."""
    assert reach(State.RECEIVED) == set(State)
    assert all(reach(state) & ENDS for state in State)


def test_ends_are_ends() -> None:
    """What was applied, rejected, refused or superseded is so for good."""
    assert {str(state) for state in ENDS} == {"rejected", "applied", "duplicate", "discarded", "superseded"}
    assert not ENDS & (UNFINISHED | WAITING)


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_steps_of_the_table_are_taken(before: State, after: State) -> None:
    """A step of the table is taken, any other refused by name."""
    if after in STEPS[before]:
        assert step(before, after) is after
    else:
        with pytest.raises(IllegalStepError, match=f"a run that is {before} cannot become {after}"):
            step(before, after)


def test_a_held_run_is_applied_only_through_applying() -> None:
    """No run is `applied` that was not `applying`: a crash in between can always be seen."""
    assert [state for state in State if State.APPLIED in STEPS[state]] == [State.APPLYING]
