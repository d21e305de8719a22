"""A feed's store: its first opening, its runs, and who may write to it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils
from roster_world import TABLES
from store_world import reopened, store

from ingestd import store as store_module
from ingestd.core.state import IllegalStepError, State
from ingestd.store import Store, documents

__all__ = ["store"]


# Opening ----------------------------------------------------------------------------------------------------------


def test_a_feed_has_a_seed_of_its_own_for_good(store: Store, tmp_path: Path) -> None:
    """It is drawn once, by chance, and never again: all hashes depend on it."""
    with closing(reopened(tmp_path)) as again:
        assert again.seed == store.seed > 0
    with closing(Store(tmp_path, "shelbyville", TABLES)) as other:
        assert other.seed != store.seed


def test_a_first_opening_that_was_cut_off_is_done_again(tmp_path: Path, store: Store) -> None:
    """The tables come at once or not at all, so that a process killed meanwhile leaves nothing in the way."""
    folder = tmp_path / "cut"
    half = sqlite_utils.Migrations("ingestd.store")
    for step in store_module.migrations._migrations:
        half(name=step.name)(step.fn)

    @half()
    def killed(db: sqlite_utils.Database) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store_module, "migrations", half)
        Store(folder, "springfield", TABLES)
    with closing(sqlite3.connect(folder / "springfield.db")) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == []
    reopened(folder).close()


def test_a_store_is_opened_while_another_process_writes(store: Store, tmp_path: Path) -> None:
    """Opening a store that is up to date needs no lock."""
    with store.transaction():
        store.set_meta("a", "b")
        with closing(reopened(tmp_path)) as again:
            assert again.meta("a", "nothing yet") == "nothing yet"


def test_values_are_kept_and_replaced(store: Store, tmp_path: Path) -> None:
    """A kept value is there after a restart; one that never was is the default."""
    store.set_meta("rules", "1")
    store.set_meta("rules", "2")
    with closing(reopened(tmp_path)) as again:
        assert (again.meta("rules", ""), again.meta("scope", "none")) == ("2", "none")


def test_documents_are_read_by_whoever_only_looks(tmp_path: Path) -> None:
    """Newest first, also while a run is being written, and wherever the folder lies."""
    folder = tmp_path / "a #1?%20"
    with closing(reopened(folder)) as store:
        store.add_run(1, "", {}, {"n": 1})
        store.add_run(2, "", {}, {"n": 2})
        with store.transaction():
            store.add_run(3, "", {}, {"n": 3})
            assert documents(folder, "springfield") == [{"n": 2}, {"n": 1}]


def test_a_feed_that_has_done_nothing_has_no_documents(tmp_path: Path) -> None:
    """Be there no store yet, or one whose first opening has just begun."""
    assert documents(tmp_path, "springfield") == []
    (tmp_path / "springfield.db").touch()
    assert documents(tmp_path, "springfield") == []


def test_one_process_at_a_time_works_on_a_feed(store: Store, tmp_path: Path) -> None:
    """Another process sees that the feed is busy, and that it is free again."""
    ask = (
        "import sys; from pathlib import Path; from ingestd.store import Store; from schemas import load;"
        "print(Store(Path(sys.argv[1]), 'springfield', load('1.1')).is_busy())"
    )
    words = [sys.executable, "-c", ask, str(tmp_path)]
    with store.locked():
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "True\n"
    assert not store.is_busy()


# Runs -------------------------------------------------------------------------------------------------------------


def test_a_run_is_kept_as_it_came(store: Store) -> None:
    """With the next number, the feed's name, its own token, its origin and document."""
    assert store.next_number() == 1
    run = store.add_run(1, "abc", {"path": "/x"}, {"state": "received"})
    assert (run.number, run.id, run.state, run.sha256) == (1, "springfield.1", State.RECEIVED, "abc")
    assert (run.origin, run.document) == ({"path": "/x"}, {"state": "received"})
    assert store.run("springfield.1") == run
    assert store.add_run(store.next_number(), "abc", {}, {}).token != run.token


def test_an_unknown_run_is_an_error_of_its_own(store: Store) -> None:
    """The caller says so in its own words."""
    with pytest.raises(KeyError, match=r"springfield\.9"):
        store.run("springfield.9")


def test_runs_are_listed_newest_first(store: Store) -> None:
    """All of them, those of some states, or the newest few."""
    runs = [store.add_run(number, "", {}, {}) for number in (1, 2, 3)]
    store.move(runs[1], State.HELD, {})
    assert [run.number for run in store.runs()] == [3, 2, 1]
    assert [run.number for run in store.runs(State.HELD)] == [2]
    assert [run.number for run in store.runs(State.HELD, State.RECEIVED, limit=2)] == [3, 2]
    assert store.runs(State.APPLIED) == []


def test_a_run_goes_from_state_to_state(store: Store) -> None:
    """Each step brings what is known by then; token, origin and number stay."""
    run = store.add_run(1, "abc", {"path": "/x"}, {})
    held = store.move(run, State.HELD, {"digest": "d"})
    assert (held.state, held.document, held.token, held.origin) == (State.HELD, {"digest": "d"}, run.token, run.origin)
    again = store.move(held, State.HELD, {"digest": "e"})
    assert again.document == {"digest": "e"}


def test_a_step_that_is_not_in_the_table_is_refused(store: Store) -> None:
    """And the run stays where it is."""
    run = store.add_run(1, "", {}, {})
    with pytest.raises(IllegalStepError):
        store.move(run, State.APPLIED, {"no": "no"})
    assert store.run(run.id) == run


def test_a_step_from_where_the_run_is_no_longer_is_refused(store: Store) -> None:
    """What one process discarded another cannot apply, though it saw the run held."""
    held = store.move(store.add_run(1, "", {}, {}), State.HELD, {})
    store.move(held, State.DISCARDED, {})
    with pytest.raises(IllegalStepError, match="is not held any more"):
        store.move(held, State.APPLYING, {})
    assert store.run(held.id).state is State.DISCARDED


def test_several_things_are_one_transaction(store: Store) -> None:
    """A fault in the middle takes all of them back."""
    run = store.add_run(1, "", {}, {})
    with pytest.raises(OSError, match="disk"), store.transaction():
        store.move(run, State.APPLYING, {})
        store.set_meta("a", "b")
        raise OSError("disk")
    assert store.run(run.id) == run
    assert store.meta("a", "") == ""
