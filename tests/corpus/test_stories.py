"""Bad inputs that are told as stories, and their clean twins: what comes before, beside and after a drop."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from builders import Row
from corpus import environment, order, semantics_days
from corpus.case import MEMORY, SECONDS, as_expected, by_id
from corpus.story import Stage, Story, Told
from fault_world import STRACE

CLASSES: Mapping[str, Sequence[Story]] = {
    "semantics": semantics_days.STORIES,
    "order": order.STORIES,
    "environment": environment.STORIES,
}
LEAST = {"semantics": 15, "order": 28, "environment": 28}
"""How many stories each class must have; those of meaning come beside 84 that are one drop."""

UNTRACED = pytest.mark.skipif(STRACE is None, reason="strace is not installed")

each_story = pytest.mark.parametrize(
    "story",
    [
        pytest.param(one, id=f"{kind}/{one.name}", marks=[UNTRACED] if one.is_traced else [])
        for kind, stories in CLASSES.items()
        for one in stories
    ],
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the feeds on which stories are played."""
    made = Stage(tmp_path_factory.mktemp("stories"))
    yield made
    made.close()


def assert_bounded(told: Told) -> None:
    """Check what holds for each story: each step is done soon, in little memory, and no value comes out."""
    assert told.seconds <= SECONDS
    assert told.peak <= MEMORY
    assert not told.canaries


def is_whole(sight: Mapping[str, Mapping[str, Row]], story: Story) -> bool:
    """Return whether what was there on the way is what was there before or in the end, and nothing between."""
    return any(as_expected(sight, roster) == by_id(roster) for roster in (story.first, story.after))


@each_story
def test_bad_story_ends_as_it_should(story: Story, stage: Stage) -> None:
    """Its runs come to their states, what is wrong is told, and what is not applied is not touched."""
    told = stage.play(story.bad, story)
    assert_bounded(told)
    assert told.states == story.states
    assert set(story.codes) <= told.words
    assert as_expected(told.target, story.after) == by_id(story.after)
    assert as_expected(told.snapshot, story.after) == by_id(story.after)
    assert told.is_untouched or "applied" in story.states
    assert all(is_whole(sight, story) for sight in told.sights)
    assert told.plans == story.plans + story.states.count("applied")
    assert told.left == story.left


@each_story
def test_clean_twin_is_accepted(story: Story, stage: Stage) -> None:
    """It is applied, and what is told of the bad one is not told of it."""
    told = stage.play(story.twin, story)
    assert_bounded(told)
    assert told.states == story.twin_states
    assert not set(story.codes) & told.words
    assert not told.grave
    assert as_expected(told.target, story.twin_after) == by_id(story.twin_after)
    assert as_expected(told.snapshot, story.twin_after) == by_id(story.twin_after)
    assert not told.left


def test_every_class_is_complete() -> None:
    """Each class has the stories that it should have, each under a name of its own."""
    assert CLASSES.keys() == LEAST.keys()
    for kind, stories in CLASSES.items():
        assert len(stories) >= LEAST[kind]
        assert len({story.name for story in stories}) == len(stories)
