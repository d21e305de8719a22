"""The folder as a source, held to the contract."""

from pathlib import Path

from contracts.source_contract import SourceContract

from ingestd.sources.folder import FolderSource


class TestFolderSource(SourceContract):
    """A folder."""

    def make(self, world: Path) -> FolderSource:
        """Return an inbox."""
        return FolderSource(world / "inbox", quiet_period=0)

    def put(self, world: Path, name: str, content: bytes = b"a drop") -> None:
        """Move a file in."""
        (world / "inbox").mkdir(exist_ok=True)
        (world / "aside").write_bytes(content)
        (world / "aside").rename(world / "inbox" / name)

    def lose(self, world: Path) -> None:
        """Take the folder away."""
        (world / "inbox").rename(world / "gone")

    def find(self, world: Path) -> None:
        """Bring it back."""
        (world / "gone").rename(world / "inbox")
