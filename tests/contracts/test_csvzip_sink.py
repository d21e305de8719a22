"""The CSV sink keeps the contract, and publishes the full set of active records: whole at every moment."""

import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from contracts.test_sqlite_sink import beside

from ingestd.core.model import OnAbsent
from ingestd.core.plan import make_plan
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.base import open_sink
from ingestd.sinks.csvzip import CsvZipSink
from ingestd.testing.actions import ANN, BOB, create, remove, update
from ingestd.testing.sinks import Records, SinkContract
from schemas import shapes

RULES = """
[[table]]
name = "patrons"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
name = { from = "familyName" }
email = { from = "email" }

[[table]]
name = "staff"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
"""
AS_IT_IS = '[[table]]\nname = "orgs"\nfrom = "orgs"\nkey = ["sourcedId"]\n'


def rules_of(text: str = RULES) -> Rules:
    """Return the rules in a text."""
    rules, faults = parse_rules(tomllib.loads(text), shapes())
    assert faults == ()
    return rules


def kept_of(sink: CsvZipSink) -> Path:
    """Return the file in which a sink keeps its records."""
    return sink._kept


def csvs_of(path: Path) -> dict[str, str]:
    """Return what is published, by the names of the files in their order."""
    if path.is_dir():
        return {one.name: one.read_text(encoding="utf-8") for one in sorted(path.iterdir())}
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        return {name: package.read(name).decode("utf-8") for name in package.namelist()}


class KeptContract(SinkContract):
    """The contract of a sink that keeps its records in a file beside what it publishes."""

    def read(self, sink: CsvZipSink, target: str) -> Records:
        """Return the kept records by their primary key."""
        with beside(kept_of(sink)) as db:
            about = db.execute(f'PRAGMA table_info("{target}")').fetchall()
            key = [one["name"] for one in sorted(about, key=lambda one: one["pk"]) if one["pk"]]
            rows = [dict(row) for row in db.execute(f'SELECT * FROM "{target}"')]
            return {tuple(row[name] for name in key): row for row in rows}

    def trip(self, sink: CsvZipSink, target: str, key: str) -> None:
        """Have the database refuse that record."""
        with beside(kept_of(sink)) as db:
            refuse = f"WHEN NEW.id = '{key}' BEGIN SELECT RAISE(ABORT, 'Bob P2 P3'); END"
            db.execute(f'CREATE TRIGGER trip BEFORE INSERT ON "{target}" {refuse}')

    def heal(self, sink: CsvZipSink, target: str) -> None:
        """Have it refuse no more."""
        with beside(kept_of(sink)) as db:
            db.execute("DROP TRIGGER trip")


class TestCsvFolderSink(KeptContract):
    """CSVs in a folder."""

    def make(self, folder: Path) -> CsvZipSink:
        """Return a sink whose folder is not there yet."""
        (folder / "out").mkdir(exist_ok=True)
        return CsvZipSink(folder / "out" / "roster", rules_of(), busy=0)


class TestCsvZipSink(KeptContract):
    """CSVs in a zip."""

    def make(self, folder: Path) -> CsvZipSink:
        """Return a sink whose zip is not there yet."""
        return CsvZipSink(folder / "out" / "roster.zip", rules_of(), busy=0)

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        """Give the zip that `sink` publishes."""
        return tmp_path / "out" / "roster.zip"

    # What is published ---------------------------------------------------------------------------------------

    def test_every_table_of_the_rules_is_there(self, sink: CsvZipSink, out: Path) -> None:
        """In no folder, in the rules' order; a table without records is its header alone."""
        self.apply(sink, create(ANN, BOB))
        assert csvs_of(out) == {"patrons.csv": "id,name,email\nP1,Ann,ann@x.example\nP2,Bob,\n", "staff.csv": "id\n"}

    def test_a_plan_with_nothing_to_do_publishes_too(self, sink: CsvZipSink, out: Path) -> None:
        """The first run of a feed without records makes the full set of headers."""
        self.apply(sink)
        assert csvs_of(out) == {"patrons.csv": "id,name,email\n", "staff.csv": "id\n"}

    def test_records_that_are_gone_are_told_where_the_rules_say_so(self, tmp_path: Path) -> None:
        """With what then stands in their fields: Canvas takes a record that is merely missing for unchanged."""
        sink = CsvZipSink(tmp_path / "gone.zip", rules_of(RULES + '[csv.gone]\npatrons = { email = "deleted" }\n'))
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P1"), once="2")
        sink.close()
        assert csvs_of(tmp_path / "gone.zip")["patrons.csv"] == "id,name,email\nP1,Ann,deleted\nP2,Bob,\n"

    def test_parents_come_before_those_that_name_them(self, tmp_path: Path) -> None:
        """Else in the order of the key; a circle, or a parent that is not there, keeps nobody out."""
        sink = CsvZipSink(tmp_path / "tree.zip", rules_of(RULES + '[csv.parents]\npatrons = "name"\n'))
        tree = {"A": "D", "B": "", "C": "B", "D": "C", "E": "nobody", "F": "G", "G": "F"}
        self.apply(sink, create(*({"id": one, "name": parent, "email": ""} for one, parent in tree.items())))
        sink.close()
        lines = csvs_of(tmp_path / "tree.zip")["patrons.csv"].splitlines()[1:]
        assert [line[0] for line in lines] == ["B", "E", "C", "D", "A", "F", "G"]

    def test_what_did_not_change_is_there_all_the_same(self, sink: CsvZipSink, out: Path) -> None:
        """A plan is a difference, what is published never is."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, update({"id": "P2", "name": "Bea"}), once="2")
        assert csvs_of(out)["patrons.csv"] == "id,name,email\nP1,Ann,ann@x.example\nP2,Bea,\n"

    @pytest.mark.parametrize("on_absent", [OnAbsent.DELETE, OnAbsent.DEACTIVATE, OnAbsent.ARCHIVE])
    def test_removed_records_are_gone(self, sink: CsvZipSink, out: Path, on_absent: OnAbsent) -> None:
        """However the rules remove them; who comes back is there again."""
        self.apply(sink, create(ANN, BOB))
        self.apply(sink, remove("P1", on_absent=on_absent), once="2")
        assert csvs_of(out)["patrons.csv"] == "id,name,email\nP2,Bob,\n"
        self.apply(sink, create(ANN), once="3")
        assert csvs_of(out)["patrons.csv"] == "id,name,email\nP1,Ann,ann@x.example\nP2,Bob,\n"

    def test_columns_are_those_of_the_rules(self, tmp_path: Path, out: Path) -> None:
        """In their order, whatever that of the kept table is; one that it does not have is blank."""
        self.apply(CsvZipSink(out, rules_of()), create(ANN))
        text = RULES.replace(
            'id = { from = "sourcedId" }\nname', 'more = { const = "x" }\nid = { from = "sourcedId" }\nname'
        )
        self.apply(CsvZipSink(out, rules_of(text)), once="2")
        assert csvs_of(out)["patrons.csv"] == "more,id,name,email\n,P1,Ann,ann@x.example\n"

    def test_a_table_without_fields_has_the_columns_that_came(self, out: Path) -> None:
        """Until something comes, those of the standard."""
        sink = CsvZipSink(out, rules_of(AS_IT_IS))
        self.apply(sink)
        assert csvs_of(out) == {"orgs.csv": ",".join(shapes()["orgs"].header) + "\n"}
        org = {"sourcedId": "S1", "name": "High", "metadata.tier": "A"}
        self.apply(sink, create(org, target="orgs", key=("sourcedId",), columns=tuple(org)), once="2")
        assert csvs_of(out) == {"orgs.csv": "sourcedId,name,metadata.tier\nS1,High,A\n"}

    def test_a_table_that_the_rules_have_no_more_is_gone(self, tmp_path: Path) -> None:
        """Of a zip as of a folder: what lies there from yesterday would be taken for today's."""
        for path in (tmp_path / "roster.zip", tmp_path / "folder"):
            self.apply(CsvZipSink(path, rules_of()), create(ANN), create({"id": "S1"}, target="staff", columns=("id",)))
            self.apply(CsvZipSink(path, rules_of(RULES.partition("\n\n")[0])), once="2")
            assert list(csvs_of(path)) == ["patrons.csv"]

    def test_the_rules_name_the_dialect(self, out: Path) -> None:
        """Apple's backslash instead of a second quote."""
        self.apply(CsvZipSink(out, rules_of(f'[csv]\ndialect = "apple"\n{RULES}')), create({**ANN, "name": 'An "A" N'}))
        assert csvs_of(out)["patrons.csv"] == 'id,name,email\nP1,"An \\"A\\" N",ann@x.example\n'

    def test_records_are_in_the_order_of_their_key(self, sink: CsvZipSink, out: Path) -> None:
        """By bytes, as many as come in parts, and not in the order in which they came."""
        numbers = [f"{(7919 * number) % 45_007:05}" for number in range(45_007)]
        self.apply(sink, create(*({"id": one, "name": "", "email": ""} for one in numbers)))
        lines = csvs_of(out)["patrons.csv"].splitlines()
        assert lines == ["id,name,email", *(f"{one},," for one in sorted(numbers))]

    def test_a_path_that_is_no_zip_is_a_folder(self, tmp_path: Path) -> None:
        """A file for each table, its owner's alone, and nothing else."""
        self.apply(CsvZipSink(tmp_path / "out", rules_of()), create(ANN))
        assert csvs_of(tmp_path / "out") == {
            "patrons.csv": "id,name,email\nP1,Ann,ann@x.example\n",
            "staff.csv": "id\n",
        }
        for path in (tmp_path / "out", *(tmp_path / "out").iterdir()):
            assert path.stat().st_mode & 0o077 == 0

    def test_only_its_owner_can_read_it(self, sink: CsvZipSink, out: Path) -> None:
        """It has children's data in it."""
        self.apply(sink, create(ANN))
        assert {path.stat().st_mode & 0o077 for path in out.parent.iterdir()} == {0}

    @pytest.mark.parametrize("name", ["roster.zip", "folder"])
    def test_a_package_that_is_not_in_order_is_not_published(self, tmp_path: Path, name: str) -> None:
        """Nothing is done, the old one stays, and what is wrong is told without a value; mended, it is published."""
        rules = rules_of(f'[csv]\nreferences = {{ "patrons.name" = "staff.id" }}\n{RULES}')
        sink = CsvZipSink(tmp_path / name, rules)
        self.apply(sink, create({"id": "Ann"}, target="staff", columns=("id",)), create(ANN))
        before = csvs_of(tmp_path / name)
        told = "not in order: patrons.csv, name: 1 values name no record of staff.csv$"
        with pytest.raises(SinkError, match=told):
            self.apply(sink, create(BOB), once="2")
        assert csvs_of(tmp_path / name) == before and set(self.cells(sink)) == {("P1",)}
        self.apply(sink, create({"id": "Bob"}, target="staff", columns=("id",)), create(BOB), once="2")
        sink.close()
        assert "Bob" in csvs_of(tmp_path / name)["patrons.csv"]

    # How it is published -------------------------------------------------------------------------------------

    def test_the_same_records_are_the_same_bytes(self, tmp_path: Path) -> None:
        """Whenever they are rendered, and by whatever way they came to be what they are."""
        one, other = tmp_path / "one.zip", tmp_path / "other.zip"
        self.apply(CsvZipSink(one, rules_of()), create(ANN, BOB))
        sink = CsvZipSink(other, rules_of())
        self.apply(sink, create({**BOB, "name": "Bea"}), at="2027-01-01T00:00:00Z")
        self.apply(sink, create(ANN), update({"id": "P2", "name": "Bob"}), once="2", run="r.2")
        assert one.read_bytes() == other.read_bytes()

    def test_the_same_plan_again_publishes_again(self, sink: CsvZipSink, out: Path) -> None:
        """What a kill between the two commits left undone is done when the run is resumed."""
        self.apply(sink, create(ANN))
        before = out.read_bytes()
        out.unlink()
        self.apply(sink, create(ANN))
        assert out.read_bytes() == before

    def test_a_failure_leaves_what_was_published(self, sink: CsvZipSink, out: Path) -> None:
        """The old zip stays whole, and nothing lies beside it."""
        self.apply(sink, create(ANN))
        before = out.read_bytes()
        self.trip(sink, "patrons", "P2")
        with pytest.raises(SinkError):
            self.apply(sink, create(BOB), once="2")
        assert out.read_bytes() == before
        assert [path.name for path in out.parent.iterdir() if path.suffix == ".part"] == []

    def test_what_cannot_be_rendered_is_not_done(self, sink: CsvZipSink, out: Path) -> None:
        """A plan of which nothing can be published changes no record: the sink did nothing, as it says."""
        self.apply(sink, create(ANN))
        (out.parent / ".roster.zip.part").mkdir()
        with pytest.raises(SinkError, match="the csvzip sink failed: Is a directory"):
            self.apply(sink, create(BOB), once="2")
        assert set(self.cells(sink)) == {("P1",)}
        (out.parent / ".roster.zip.part").rmdir()
        self.apply(sink, create(BOB), once="2")
        assert set(self.cells(sink)) == {("P1",), ("P2",)}

    def test_what_cannot_take_its_name_may_be_tried_again(self, sink: CsvZipSink, out: Path) -> None:
        """The records are kept by then; the next try publishes them."""
        self.apply(sink)
        out.unlink()
        out.mkdir()
        with pytest.raises(TransientSinkError, match="the csvzip sink failed: Is a directory"):
            self.apply(sink, create(ANN), once="2")
        out.rmdir()
        self.apply(sink, create(ANN), once="2")
        assert csvs_of(out)["patrons.csv"] == "id,name,email\nP1,Ann,ann@x.example\n"

    def test_what_a_kill_left_beside_it_is_in_nobody_s_way(self, sink: CsvZipSink, out: Path) -> None:
        """Half a zip is replaced, and a link that somebody laid there is not followed."""
        self.apply(sink)
        (out.parent / "secret").write_bytes(b"ours")
        (out.parent / ".roster.zip.part").symlink_to("secret")
        self.apply(sink, create(ANN), once="2")
        assert (out.parent / "secret").read_bytes() == b"ours"
        assert not out.is_symlink() and "Ann" in csvs_of(out)["patrons.csv"]

    @pytest.mark.parametrize("name", ["roster.zip", "folder"])
    def test_without_its_records_it_publishes_nothing(self, tmp_path: Path, name: str) -> None:
        """A plan tells what changes alone; published as if it were all, everybody else would be gone."""
        sink = CsvZipSink(tmp_path / name, rules_of())
        self.apply(sink, create(ANN))
        sink.close()
        before = csvs_of(tmp_path / name)
        kept_of(sink).unlink()
        with pytest.raises(SinkError, match=rf"found {name}, but not {name}\.db"):
            self.apply(sink, create(BOB), once="2")
        assert csvs_of(tmp_path / name) == before


def test_a_sink_is_opened_by_its_kind(tmp_path: Path) -> None:
    """A relative path starts at the folder that is given."""
    sink: Any = open_sink("csvzip", {"path": "out/roster.zip"}, tmp_path, rules_of())
    sink.apply(make_plan([create(ANN)]), once="1", run="r", at="t", progress=lambda _: None)
    sink.close()
    assert (tmp_path / "out" / "roster.zip").exists()


@pytest.mark.parametrize("settings", [{}, {"path": 3}])
def test_a_path_is_needed(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Without one it is a fault of the configuration."""
    with pytest.raises(ConfigError) as caught:
        open_sink("csvzip", settings, tmp_path, rules_of())
    assert caught.value.problems == ('sinks.path: a csvzip sink needs path = "FILE.zip", or that of a folder',)
