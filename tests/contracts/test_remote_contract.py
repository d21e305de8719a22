"""A remote folder behind a real sshd as a source, held to the contract."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from contracts.source_contract import SourceContract
from intake_world import PATIENCE
from remote_world import Keys, lay, openssh, terms

from ingestd.sources.remote import RemoteSource
from ingestd.sources.remote_folder import Patience


class TestRemoteSource(SourceContract):
    """A folder on a server that is looked at ten times a second."""

    @pytest.fixture(autouse=True)
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Serve this machine's files."""
        folder = tmp_path_factory.mktemp("server")
        self.keys, self.ages = Keys.make(folder), count(1_700_000_000)
        with openssh(self.keys, folder) as self.port:
            yield

    def make(self, world: Path) -> RemoteSource:
        """Return a source of the export."""
        (world / "export").mkdir(exist_ok=True)
        about = terms(world / "export", every=0.1, patience=Patience(connect=PATIENCE, stall=PATIENCE))
        return RemoteSource(self.keys.account(self.port), about, world / "fetched" / "place")

    def put(self, world: Path, name: str, content: bytes = b"a drop") -> None:
        """Export a file."""
        (world / "export").mkdir(exist_ok=True)
        aside = lay(world, "aside", content, next(self.ages))
        aside.rename(world / "export" / name)

    def lose(self, world: Path) -> None:
        """Take the folder away."""
        (world / "export").rename(world / "gone")

    def find(self, world: Path) -> None:
        """Bring it back."""
        (world / "gone").rename(world / "export")
