"""The inbox to which something happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from intake_world import kept_log
from watcher_world import World
from watching import inotify_descriptors


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an inbox that is not watched yet, and see that nothing of it is left behind."""
    before = inotify_descriptors()
    with kept_log():
        made = World(tmp_path)
        yield made
        made.close()
    assert inotify_descriptors() == before
