"""The law of partial uploads: no half or damaged image of a drop passes for a whole one. `make images` tries 60,000."""

from pathlib import Path

import pytest
from partial_images import KINDS, LIMITS, UNDER_WAY, Came, Tally, images, pairs, table, tally

from ingestd.reading import completeness
from ingestd.stages import Stages
from ingestd.unpack import Verdict

COUNT = 500


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    """Judge the first images, of all kinds and all forms of zip."""
    return tally(range(COUNT), tmp_path_factory.mktemp("images"))


def test_nothing_is_accepted_that_is_no_whole_drop(found: Tally) -> None:
    """What is accepted holds, file by file, what the drop of one of the two days held."""
    assert found.came.total() == COUNT
    assert found.wrong == (), table(found)


def test_what_is_under_way_is_waited_for(found: Tally) -> None:
    """An image that more bytes can still make whole is never rejected: the sender gets no receipt for half a file."""
    assert {kind: found.came[kind, Came.REJECTED] for kind in UNDER_WAY} == dict.fromkeys(UNDER_WAY, 0)
    assert all(found.came[kind, Came.WAITING] for kind in UNDER_WAY)


@pytest.mark.parametrize("kind", ["with_holes", "hybrid", "wrongly_resumed", "with_flipped_bits"])
def test_the_images_are_such_as_deceive(found: Tally, kind: str) -> None:
    """A check of the end record alone, which many programs go by, would have taken most of these kinds."""
    assert found.by_end[kind] > COUNT // len(KINDS) // 2


def test_a_worker_judges_as_its_function_does(tmp_path: Path) -> None:
    """The daemon asks in a confined process: the same verdict, for an image of each kind."""
    drops = pairs(tmp_path)
    path = tmp_path / "drop.zip"
    for image in images(drops, range(len(KINDS))):
        path.write_bytes(image.content)
        assert completeness(path, LIMITS, Stages()).verdict is not Verdict.COMPLETE, image.kind
