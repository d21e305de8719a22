"""A synthetic roster on disk: a whole zip, the same bytes each time, and every cell comes back as it was."""

import csv
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from ingestd.generate import Roster, district, lose, write_folder, write_zip
from ingestd.generate.write import SLICE


@pytest.fixture(scope="module")
def roster() -> Roster:
    """Return a district of 300 users."""
    return district(300, seed=2)


def rows_of(path: Path, name: str) -> list[list[str]]:
    """Read a CSV in the zip by the standard library's reader, which takes nothing but quoting amiss."""
    with zipfile.ZipFile(path) as package:
        return list(csv.reader(io.StringIO(package.read(name).decode(), newline=""), strict=True))


def test_zip_holds_the_manifest_and_all_tables(tmp_path: Path, roster: Roster) -> None:
    """The zip is whole and has manifest.csv and a CSV per table at its root."""
    write_zip(roster, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as package:
        assert package.testzip() is None
        assert ["manifest.csv", *(f"{table}.csv" for table in roster)] == package.namelist()


def test_manifest_names_what_is_there(tmp_path: Path, roster: Roster) -> None:
    """The manifest says 1.1, bulk for the tables of the roster, absent for the rest of the standard's thirteen."""
    write_zip({"orgs": roster["orgs"]}, tmp_path / "a.zip")
    header, *rows = rows_of(tmp_path / "a.zip", "manifest.csv")
    facts = dict(rows)
    assert header == ["propertyName", "value"]
    assert (facts["manifest.version"], facts["oneroster.version"]) == ("1.0", "1.1")
    assert facts["file.orgs"] == "bulk"
    assert list(facts.values()).count("absent") == 12


def test_manifest_says_what_it_is_told(tmp_path: Path, roster: Roster) -> None:
    """A mode that is given stands in the manifest, true or not; the file is there all the same."""
    write_zip(roster, tmp_path / "a.zip", modes={"users": "delta", "results": "bulk", "orgs": "absent"})
    facts = dict(rows_of(tmp_path / "a.zip", "manifest.csv"))
    assert (facts["file.users"], facts["file.results"], facts["file.orgs"]) == ("delta", "bulk", "absent")
    assert len(rows_of(tmp_path / "a.zip", "orgs.csv")) == len(roster["orgs"]) + 1


def test_cells_come_back(tmp_path: Path, roster: Roster) -> None:
    """Read back by another reader, every cell of every table is what it was, commas, quotes and accents too."""
    write_zip(roster, tmp_path / "a.zip")
    for table, frame in roster.items():
        assert [list(frame.columns), *frame.to_numpy().tolist()] == rows_of(tmp_path / "a.zip", f"{table}.csv")


def test_quotes_only_where_needed(tmp_path: Path) -> None:
    """A value is quoted for a comma, a quote, a line break or a blank at an end, its quotes doubled; others are not."""
    frame = pd.DataFrame({"a": ["x", "x,y", 'x"y', "x\ny", ""], "b": ["O'Fern", "é", " ", "", "z"]}, dtype="str")
    write_folder({"orgs": frame}, tmp_path)
    assert 'a,b\nx,O\'Fern\n"x,y",é\n"x""y"," "\n"x\ny",\n,z\n'.encode() == (tmp_path / "orgs.csv").read_bytes()


def test_large_tables_are_written_in_slices(tmp_path: Path) -> None:
    """A table longer than one slice loses and repeats nothing where slices meet."""
    numbers = pd.DataFrame({"a": range(SLICE * 2 + 3), "b": ["b"] * (SLICE * 2 + 3)}).astype("str")
    write_folder({"orgs": numbers}, tmp_path)
    assert "a,b\n" + "".join(f"{n},b\n" for n in range(SLICE * 2 + 3)) == (tmp_path / "orgs.csv").read_text()


def test_an_empty_table_is_a_header(tmp_path: Path, roster: Roster) -> None:
    """A table that lost all its records is written as its header alone."""
    write_zip(lose(roster, "users", 1.0, seed=1), tmp_path / "a.zip")
    assert [list(roster["users"].columns)] == rows_of(tmp_path / "a.zip", "users.csv")


def test_same_roster_gives_the_same_bytes(tmp_path: Path, roster: Roster) -> None:
    """Two zips of equal rosters are equal byte for byte, whenever they are written."""
    write_zip(roster, tmp_path / "a.zip")
    write_zip(district(300, seed=2), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_folder_holds_what_the_zip_holds(tmp_path: Path, roster: Roster) -> None:
    """The folder is made, and its files are the zip's members."""
    write_zip(roster, tmp_path / "a.zip")
    write_folder(roster, tmp_path / "in" / "side")
    with zipfile.ZipFile(tmp_path / "a.zip") as package:
        members = {name: package.read(name) for name in package.namelist()}
    assert members == {path.name: path.read_bytes() for path in (tmp_path / "in" / "side").iterdir()}
