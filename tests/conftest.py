"""Options of the whole suite."""

from collections.abc import Iterator

import pytest
from examples import examples
from hypothesis import settings
from postgres_world import Postgres, serving

settings.register_profile("laws", examples(100))
settings.load_profile("laws")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--accept`: what comes out today is what is expected from now on."""
    parser.addoption("--accept", action="store_true", help="rewrite the expected files of tests/golden")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server for all tests that want one."""
    with serving() as server:
        yield server
