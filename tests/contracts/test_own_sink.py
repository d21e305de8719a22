"""A sink that others write: installed beside ingestd, held to the contract by their own tests, named in a feed."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders import roster, zip_of
from places import place, run_ingestd

SINK = '''
import json
from pathlib import Path

from ingestd.errors import SinkError
from ingestd.sinks.memory import MemorySink


class TheirSink(MemorySink):
    """Their application, which tells what it was asked for."""

    @classmethod
    def from_settings(cls, settings, folder, rules):
        made = cls()
        made.told = folder / settings["told"] if "told" in settings else None
        return made

    def apply(self, plan, **about):
        outcomes = super().apply(plan, **about)
        if self.told:
            self.told.write_text(json.dumps([[one.target, str(one.kind), one.done] for one in outcomes]))
        return outcomes
'''
TEST = """
from ingestd.sinks.memory import MemorySink
from ingestd.testing import SinkContract
from theirs import TheirSink


class TestTheirSink(SinkContract):
    def make(self, folder):
        return TheirSink.from_settings({}, folder, None)

    def read(self, sink, target):
        return {key: dict(one) for key, one in sink.tables.get(target, {}).items()}

    def trip(self, sink, target, key):
        sink.fail_after = 1

    def heal(self, sink, target):
        sink.fail_after = None
"""
WRONG = "        outcomes = super().apply(plan, **{**about, 'once': str(id(about))})\n"
"""What forgets that a plan is done."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Give the folder of their package, as an installer leaves it."""
    folder = tmp_path / "site"
    (folder / "theirs-1.dist-info").mkdir(parents=True)
    (folder / "theirs-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (folder / "theirs-1.dist-info" / "entry_points.txt").write_text("[ingestd.sinks.v1]\ntheirs = theirs:TheirSink\n")
    (folder / "theirs.py").write_text(SINK)
    (folder / "conftest.py").write_text('import pytest\npytest.register_assert_rewrite("ingestd.testing")\n')
    (folder / "test_theirs.py").write_text(TEST)
    return folder


def their_tests(package: Path) -> subprocess.CompletedProcess[str]:
    """Run their tests as they would."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=line", "."]
    return subprocess.run(argv, cwd=package, capture_output=True, text=True, check=False)


def test_their_sink_is_held_to_the_contract(package: Path) -> None:
    """The suite comes with ingestd; one subclass is all that their tests need."""
    done = their_tests(package)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_a_sink_that_breaks_a_promise_is_told_so(package: Path) -> None:
    """Here it does a plan that was done already once more."""
    right = "        outcomes = super().apply(plan, **about)\n"
    (package / "theirs.py").write_text(SINK.replace(right, WRONG))
    done = their_tests(package)
    assert done.returncode == 1
    assert "test_the_same_rekey_again_does_nothing" in done.stdout


def test_a_feed_names_their_sink(package: Path, tmp_path: Path) -> None:
    """By its entry point, with its settings under `options`."""
    more = '\n[[sinks]]\nkind = "theirs"\noptions = {told = "told.json"}\n'
    where = place(tmp_path / "place", more=more)
    (where.folder / "roster.zip").write_bytes(zip_of(roster(3)))
    done = run_ingestd(where, "apply", "springfield", where.folder / "roster.zip", PYTHONPATH=str(package))
    assert done.code == 0, done.err
    assert '["users", "create", 3]' in (where.state / "told.json").read_text()
