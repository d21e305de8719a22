"""A place after its first day, and one with a held run: what the tests of the commands copy."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import roster, without, zip_of
from places import (
    Place,
    documents_of,
    once,
    place,
)

USERS = 30
DAY_1 = roster(USERS)
GONE = tuple(f"U{number}" for number in range(1, 13))
WIPED = without(without(DAY_1, "enrollments", *(f"E{number}" for number in range(1, 13))), "users", *GONE)
"""Day 1 without forty per cent of the users: held."""

CHANGES = {"created", "updated", "deleted", "unchanged"}
ACTIONS = {"create", "update", "remove"}
LISTED = {"run", "feed", "drop", "sha256", "state", "received_at", "digest", "changeset", "actions", "findings"}
SEVERITIES = {"catastrophic", "error", "warning", "info"}


@pytest.fixture(scope="module")
def day_1(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place in which the first day's drop was applied. Copy it."""
    where = place(tmp_path_factory.mktemp("day-1") / "place")
    assert once(where, zip_of(DAY_1)).code == 0
    return where


@pytest.fixture(scope="module")
def held_day(day_1: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a held run. Copy it."""
    where = day_1.copy_to(tmp_path_factory.mktemp("held-day") / "place")
    assert once(where, zip_of(WIPED)).code == 3
    return where


@pytest.fixture
def where(day_1: Place, tmp_path: Path) -> Place:
    """Return a copy of the place after the first day."""
    return day_1.copy_to(tmp_path / "place")


@pytest.fixture
def held(held_day: Place, tmp_path: Path) -> Place:
    """Return a copy of the place with a held run."""
    return held_day.copy_to(tmp_path / "place")


def file_of(where: Place, content: bytes, name: str = "given.zip") -> Path:
    """Put a zip somewhere that is no inbox."""
    path = where.folder / name
    path.write_bytes(content)
    return path


def digest_of(where: Place) -> str:
    """Return the digest of the newest run's plan."""
    return str(documents_of(where)[-1]["digest"])


@contextmanager
def unchanged(where: Place) -> Iterator[None]:
    """Check that the block changes nothing below the state folder but what is derived."""
    before = hashes(where)
    yield
    assert hashes(where) == before


def hashes(where: Place) -> dict[str, str]:
    """Return the SHA-256 of every file of the state, without the arrays that are derived from the store."""
    files = [path for path in where.state.rglob("*") if path.is_file() and ".arrays" not in str(path)]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def break_sink(where: Place) -> None:
    """Put a folder in the place of the target database."""
    where.target().rename(where.target().with_suffix(".aside"))
    where.target().mkdir()


def mend_sink(where: Place) -> None:
    """Put the target database back."""
    where.target().rmdir()
    where.target().with_suffix(".aside").rename(where.target())
