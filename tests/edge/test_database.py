"""How SQLite is used: private files, transactions that end, cells that come back as they went."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from roster_world import frame

from ingestd import database
from ingestd.core.hashing import RECORD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the database lies."""
    return tmp_path / "new" / "feed.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a database with a table of one row, by a connection that waits for nobody."""
    with closing(database.connect(path, busy=0)) as opened:
        opened.execute("CREATE TABLE t (a TEXT)")
        opened.execute("INSERT INTO t VALUES ('old')")
        yield opened


def rows(path: Path) -> list[str]:
    """Return what another process sees."""
    with closing(sqlite3.connect(path)) as other:
        return [one for (one,) in other.execute("SELECT a FROM t")]


def test_only_its_owner_can_read_a_database(path: Path, db: sqlite3.Connection) -> None:
    """The file and the folder made for it are private."""
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_what_is_deleted_is_overwritten_and_what_is_committed_is_synced(db: sqlite3.Connection) -> None:
    """Deleted records leave no bytes behind; a commit has reached the disk, its folder too; no log beside the file."""
    pragmas = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("secure_delete", "synchronous")}
    assert pragmas == {"secure_delete": 1, "synchronous": 3}
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "truncate"


def test_a_transaction_is_all(path: Path, db: sqlite3.Connection) -> None:
    """At the end of the block others see everything."""
    with database.transaction(db):
        db.execute("INSERT INTO t VALUES ('new')")
        assert rows(path) == ["old"]
    assert rows(path) == ["old", "new"]


def test_or_nothing(path: Path, db: sqlite3.Connection) -> None:
    """A block that raises leaves nothing, not even a table, and lets its exception through."""
    with pytest.raises(KeyError), database.transaction(db):
        db.execute("DELETE FROM t")
        db.execute("CREATE TABLE u (a TEXT)")
        raise KeyError
    assert rows(path) == ["old"]
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'u'").fetchone()


def test_a_commit_that_fails_leaves_no_open_transaction(path: Path, db: sqlite3.Connection) -> None:
    """A reader can make the commit fail; the connection is as before, and the same block works afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        reader = other.execute("SELECT a FROM t UNION ALL SELECT a FROM t")
        reader.fetchone()
        with pytest.raises(sqlite3.OperationalError, match="locked"), database.transaction(db):
            db.execute("INSERT INTO t VALUES ('new')")
        reader.close()
    assert not db.in_transaction
    with database.transaction(db):
        db.execute("INSERT INTO t VALUES ('new')")
    assert rows(path) == ["old", "new"]


def test_a_full_disk_is_told_as_what_it_is(db: sqlite3.Connection) -> None:
    """SQLite rolls back by itself then; the error that comes out is the first one."""
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite3.OperationalError, match="full"), database.transaction(db):
        db.executemany("INSERT INTO t VALUES (?)", (("x" * 1000,) for _ in range(1000)))
    assert not db.in_transaction


def test_frames_come_back_as_they_went(db: sqlite3.Connection) -> None:
    """Over several slices, in their order, with what stands beside them."""
    count = 45_000
    cells = frame(**{"a": [f"{i} Ærø 😀" for i in range(count)], "b.c": [""] * count})
    db.execute('CREATE TABLE u (n INTEGER, a TEXT, "b.c" TEXT)')
    with database.transaction(db):
        database.insert(db, "INSERT INTO u VALUES (?, ?, ?)", cells, range(count))
    assert database.select(db, 'SELECT a, "b.c" FROM u ORDER BY n', ["a", "b.c"]).equals(cells)


def test_whole_columns_come_back_as_they_went(db: sqlite3.Connection) -> None:
    """Over several pieces, in the order of the key, blanks and all; a piece, or a table, may be empty."""
    cells = frame(a=["", "x", "", "Ærø 😀", "a,b\n", ""], b=["", "1", "2", "3", "4", ""])
    db.execute("CREATE TABLE u (n INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL)")
    query = f"SELECT {database.joined(['b', 'a'])} FROM u WHERE b <> '2' AND n BETWEEN ? AND ?"
    assert database.select_joined(db, query, ["b", "a"], 0).equals(cells[["b", "a"]].iloc[:0])
    database.insert(db, "INSERT INTO u VALUES (?, ?, ?)", cells, [1, 2, 3, 200_000, 200_001, 150_000])
    found = database.select_joined(db, query, ["b", "a"], 200_001)
    assert found.equals(cells[["b", "a"]].iloc[[0, 1, 5, 3, 4]].reset_index(drop=True))
    assert found.dtypes.equals(cells[["b", "a"]].dtypes)


def test_what_a_transaction_wrote_is_read_within_it(db: sqlite3.Connection) -> None:
    """However large the table is; another connection does not see it yet."""
    db.execute("CREATE TABLE u (n INTEGER PRIMARY KEY, a TEXT NOT NULL)")
    query = f"SELECT {database.joined(['a'])} FROM u WHERE n BETWEEN ? AND ?"
    with database.transaction(db):
        database.insert(db, "INSERT INTO u VALUES (?, ?)", frame(a=["x", "y"]), [1, 200_000])
        within = database.select_joined(db, query, ["a"], 200_000)
    assert list(within["a"]) == list(database.select_joined(db, query, ["a"], 200_000)["a"]) == ["x", "y"]


def test_hashes_come_back_with_all_their_bits(db: sqlite3.Connection) -> None:
    """In the order of the key as SQLite has it, in however many pieces they are read."""
    keys = [-(2**63), -(2**62), -1, 0, 1, 2**62, 2**63 - 1]
    db.execute("CREATE TABLE u (n INTEGER PRIMARY KEY, a INTEGER NOT NULL)")
    query = f"SELECT {database.joined(['n', 'a'])} FROM u WHERE n BETWEEN ? AND ?"
    assert [len(one) for one in database.select_joined_hashes(db, query, 2, 4)] == [0, 0]
    db.executemany("INSERT INTO u VALUES (?, ?)", zip(keys, reversed(keys), strict=True))
    for pieces in (1, 4, 64):
        found = database.select_joined_hashes(db, query, 2, pieces)
        assert [database.signed(one) for one in found] == [keys, keys[::-1]]


def test_a_value_with_the_separator_is_refused_and_not_cut_in_two(db: sqlite3.Connection) -> None:
    """The gate lets none in; one that is there all the same moves no other record's value."""
    db.execute("CREATE TABLE u (n INTEGER PRIMARY KEY, a TEXT NOT NULL)")
    db.execute("INSERT INTO u VALUES (1, ?), (2, 'b')", [f"a{RECORD}a"])
    with pytest.raises(ValueError, match="a character that the gate lets into none"):
        database.select_joined(db, f"SELECT {database.joined(['a'])} FROM u WHERE n BETWEEN ? AND ?", ["a"], 2)


def test_an_empty_answer_is_an_empty_frame(db: sqlite3.Connection) -> None:
    """It has the columns that were asked for, and their type."""
    found = database.select(db, "SELECT a FROM t WHERE a = ?", ["a"], ["nobody"])
    assert len(found) == 0
    assert found.dtypes.equals(frame(a=[]).dtypes)


def test_hashes_survive_the_sign(db: sqlite3.Connection) -> None:
    """SQLite's integers are signed; all 64 bits come back."""
    hashes = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    db.execute("CREATE TABLE u (h INTEGER)")
    db.executemany("INSERT INTO u VALUES (?)", ((one,) for one in database.signed(hashes)))
    found = database.fetch(db, "SELECT h FROM u ORDER BY rowid", [pa.int64()])[0]
    assert database.hashes(found).tolist() == hashes.tolist()


def test_keys_are_cut_into_pieces_that_a_statement_bears(db: sqlite3.Connection) -> None:
    """No piece has more keys than SQLite has variables."""
    pieces = list(database.slices(np.arange(70_000)))
    assert [one for piece in pieces for one in piece] == list(range(70_000))
    for piece in pieces:
        db.execute(f"SELECT 1 WHERE 1 IN ({', '.join('?' * len(piece))})", piece)


@pytest.mark.parametrize("name", ["order", "metadata.x", 'a"b', "a b", "'"])
def test_any_name_can_be_quoted(db: sqlite3.Connection, name: str) -> None:
    """A word of SQL, dots and quotes are names like others."""
    db.execute(f"CREATE TABLE {database.quoted(name)} (x)")
    assert db.execute("SELECT name FROM sqlite_master WHERE name = ?", [name]).fetchone() == (name,)
