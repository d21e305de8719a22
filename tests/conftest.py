"""Options of the whole suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import examples
from hypothesis import settings
from intake_world import Log, kept_log
from postgres_world import Database, Postgres, serving
from remote_world import Keys, openssh

settings.register_profile("laws", examples(100))
settings.load_profile("laws")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--accept`: what comes out today is what is expected from now on."""
    parser.addoption("--accept", action="store_true", help="rewrite the expected files of tests/golden")


@pytest.fixture
def log() -> Iterator[Log]:
    """Keep what is logged."""
    with kept_log() as kept:
        yield kept


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return an empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return a vendor's empty folder."""
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Return keys for an SFTP server and its account."""
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def sshd(keys: Keys, tmp_path: Path) -> Iterator[int]:
    """Serve this machine's files by OpenSSH."""
    with openssh(keys, tmp_path) as port:
        yield port


@pytest.fixture
def db(postgres: Postgres) -> Database:
    """Return an empty database of PostgreSQL."""
    return postgres.database()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server for all tests that want one."""
    with serving() as server:
        yield server
