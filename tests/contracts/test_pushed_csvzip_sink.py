"""The CSV sink that passes its zip on to a real OpenSSH server keeps the contract, and the server has what is here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.test_csvzip_sink import KeptContract, kept_of, rules_of
from intake_world import PATIENCE
from remote_world import Keys, openssh

from ingestd.sinks.csvzip import CsvZipSink
from ingestd.sinks.push import Destination
from ingestd.sources.remote_folder import Patience
from ingestd.testing.sinks import Records


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, int]]:
    """Serve this machine's files."""
    folder = tmp_path_factory.mktemp("server")
    keys = Keys.make(folder)
    with openssh(keys, folder) as port:
        yield keys, port


class TestPushedCsvZipSink(KeptContract):
    """CSVs in a zip that is pushed."""

    @pytest.fixture(autouse=True)
    def receiver(self, server: tuple[Keys, int], tmp_path: Path) -> None:
        """Have a folder to push to."""
        self.keys, self.port = server
        self.there = tmp_path / "there"
        self.there.mkdir()

    def make(self, folder: Path) -> CsvZipSink:
        """Return a sink whose zip is nowhere yet."""
        patience = Patience(connect=PATIENCE, stall=PATIENCE)
        place = Destination(self.keys.account(self.port), str(self.there), "ours.zip", patience)
        return CsvZipSink(folder / "out" / "roster.zip", rules_of(), busy=0, push=[place])

    def read(self, sink: CsvZipSink, target: str) -> Records:
        """Return the kept records; what is published is what the server has."""
        out = kept_of(sink).with_suffix("")
        here = {"ours.zip": out.read_bytes()} if out.exists() else {}
        assert {path.name: path.read_bytes() for path in self.there.iterdir()} == here
        return super().read(sink, target)
