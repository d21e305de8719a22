"""Keys, a real server, a vendor's folder, and what is logged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_world import Keys, openssh


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Return keys for server and account."""
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def sshd(keys: Keys, tmp_path: Path) -> Iterator[int]:
    """Serve this machine's files by OpenSSH."""
    with openssh(keys, tmp_path) as port:
        yield port
