"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--accept`: what comes out today is what is expected from now on."""
    parser.addoption("--accept", action="store_true", help="rewrite the expected files of tests/golden")
