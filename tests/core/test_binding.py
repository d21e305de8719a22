"""Every line of the bindings' table at work: what each column of each file takes, and what is said of what it does not.

The cases are made from the table (binding_cases.py). Those of a version come in one drop, so that all are read at
once; a test looks at the line of its own case.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from binding import BINDING, FILES, BindingColumn, BindingFile, Need
from binding_cases import CASES, SETS, Case, Fate, Told, cases_of, drop_of, known_before
from roster_world import SEED, World, packed
from rosters import Roster, files_of, manifest_of, roster, set_with

from ingestd.core.check import Demands
from ingestd.core.check import check as check_set
from ingestd.core.header import understand_header
from ingestd.core.manifest import parse
from ingestd.core.model import Batch, Manifest, Mode, Severity
from ingestd.core.validate import Candidates
from ingestd.examine import Examined, NoPast, Terms, examine
from ingestd.stages import Stages
from schemas import load


def take(version: str, given: Roster) -> Examined:
    """Look at a bulk set without a past."""
    return examine(packed(files_of(version, given)), NoPast(), Terms(required=(), seed=SEED), Stages())


def told_by_line(batches: Iterable[Batch]) -> dict[int | None, set[Told]]:
    """Return what is said of each line; of mere information the first line has it, and of the whole file no line."""
    found: dict[int | None, set[Told]] = defaultdict(set)
    for one in batches:
        for line in one.lines or (None,):
            found[line].add((one.code, one.severity, one.column or ""))
    return dict(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one file: what is said by line, and where each record is; `first` is the line of the first case."""

    told: Mapping[int | None, set[Told]]
    batches: tuple[Batch, ...]
    new: Candidates
    first: int

    def fate(self, line: int) -> Fate:
        """Return what became of the record on a line."""
        row = self.row(line)
        if row is None:
            return Fate.PASSED_OVER
        return Fate.HELD if self.new.held[row] else Fate.GONE if self.new.gone[row] else Fate.VALID

    def row(self, line: int) -> int | None:
        """Return where the record on a line is among those that were read."""
        lines = self.new.lines.tolist()
        return lines.index(line) if line in lines else None

    def kept(self, line: int, name: str) -> str:
        """Return a value of the record on a line, as it is kept."""
        row = self.row(line)
        return str(self.new.frame[name].iloc[row]) if row is not None else ""


Ask = Callable[[BindingFile, Mode], Answer]


@pytest.fixture(scope="session")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return a function that tells what came of a file's cases; each drop is taken once.

    Deltas go to a feed that knows a roster.
    """
    feeds: list[World] = []

    @cache
    def drop(version: str, mode: Mode) -> tuple[Examined, dict[str, int]]:
        made, first = drop_of(version, mode)
        if mode is Mode.BULK:
            return take(version, made), first
        feeds.append(_feed(tmp_path_factory.mktemp(f"feed-{version}"), version))
        return feeds[-1].hold_against(packed(files_of(version, made, mode))), first

    @cache
    def answer(file: BindingFile, mode: Mode) -> Answer:
        examined, first = drop(file.version, mode)
        batches = tuple(one for one in examined.batches if one.file == file.file)
        return Answer(told_by_line(batches), batches, examined.settled[file.name].new, first[file.name])

    yield answer
    for feed in feeds:
        feed.store.close()


def _feed(folder: Path, version: str) -> World:
    """Return a feed that has taken a roster."""
    world = World(folder)
    examined = world.hold_against(packed(files_of(version, known_before(version))))
    assert not examined.batches
    world.commit(examined)
    return world


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    """Return the mark of a test that is for each case of some kinds."""
    return pytest.mark.parametrize("case", [case for case in CASES if case.kind in kinds], ids=str)


def check(case: Case, ask: Ask) -> None:
    """Hold a case against what came of its line: what is said, what became of the record, what is kept of the value."""
    answer = ask(case.file, case.mode)
    line = answer.first + case.number
    assert answer.told.get(line, set()) == ({case.told} if case.told else set())
    assert answer.fate(line) is case.fate
    if case.kept is not None and case.fate is not Fate.HELD:
        assert answer.kept(line, case.column.name) == case.kept


# Values -----------------------------------------------------------------------------------------------------------


@of_kind("value", "word")
def test_a_valid_value_is_taken_as_it_is(case: Case, ask: Ask) -> None:
    """A value of the column's type, and each word that the standard allows; of passwords none is kept."""
    check(case, ask)


@of_kind("blank")
def test_a_blank_is_missed_where_a_value_is_required(case: Case, ask: Ask) -> None:
    """There it holds back its record; elsewhere it is no more than blank."""
    check(case, ask)


@of_kind("wrong type")
def test_a_value_of_another_type_is_refused(case: Case, ask: Ask) -> None:
    """A required one holds back its record, with the code of its type; an optional one is left out."""
    check(case, ask)


@of_kind("doubtful")
def test_a_doubtful_value_is_told_and_kept(case: Case, ask: Ask) -> None:
    """What is no such thing to the letter, but of use all the same, stays with a warning."""
    check(case, ask)


@of_kind("own word")
def test_an_own_word_is_for_columns_that_allow_it(case: Case, ask: Ask) -> None:
    """A word that begins with ext: is taken in those columns in which 1.2 allows it, and in no other."""
    check(case, ask)


@of_kind("bulk")
def test_state_in_a_bulk_file_is_noted(case: Case, ask: Ask) -> None:
    """What a bulk file should leave blank is passed over with a note, but for the word that a record is gone."""
    check(case, ask)


# References -------------------------------------------------------------------------------------------------------


@of_kind("dangling", "dangling item")
def test_a_reference_that_leads_nowhere_is_found(case: Case, ask: Ask) -> None:
    """A required one holds back its record; an optional one is left out, as is one of several."""
    check(case, ask)


@of_kind("held target")
def test_a_reference_to_a_record_held_back_follows_from_it(case: Case, ask: Ask) -> None:
    """A required one holds back its record, too, and says from what it follows."""
    check(case, ask)
    answer = ask(case.file, case.mode)
    line = answer.first + case.number
    causes = {one.caused_by for one in answer.batches if line in one.lines}
    assert [cause.code if cause else None for cause in causes] == ["required-value"]


@of_kind("other type", "own type")
def test_a_reference_to_a_record_of_another_type_is_told(case: Case, ask: Ask) -> None:
    """Where the standard says which type of org or session it is; what a word of one's own means nobody can say."""
    check(case, ask)


# Records ----------------------------------------------------------------------------------------------------------


@of_kind("twice", "unknown")
def test_an_id_stands_for_one_record(case: Case, ask: Ask) -> None:
    """Two different records of one id are both held back, the same one again is passed over; nobody unknown is gone."""
    check(case, ask)


@pytest.mark.parametrize(("file", "mode"), SETS, ids=lambda one: one if isinstance(one, Mode) else _id(one))
def test_nothing_else_is_found(file: BindingFile, mode: Mode, ask: Ask) -> None:
    """All that is said of a file is what its cases are about, and that one record was held back for others to see.

    In a bulk file also that ids are not known, for those of two cases are blank or wrong.
    """
    answer = ask(file, mode)
    cases = range(answer.first, answer.first + len(cases_of(file, mode)))
    found = sorted(code for line, told in answer.told.items() if line not in cases for code, _, _ in told)
    is_referred_to = any(column.refers == file.name for one in BINDING[file.version].values() for column in one.columns)
    assert found == [*["required-value"] * is_referred_to, *["unidentified-record"] * (mode is Mode.BULK)]


# Sets of files ----------------------------------------------------------------------------------------------------


def _id(file: BindingFile) -> str:
    return f"{file.version}-{file.name}"


every_file = pytest.mark.parametrize("file", FILES, ids=_id)
ROSTER = {*BINDING["1.0"], "roles"} - {"demographics"}
"""The files without which there is no roster (1.2, appendix A)."""
NEEDS = [(file, need) for file in FILES for need in file.needs]


@every_file
def test_a_file_and_what_it_needs_is_a_whole_set(file: BindingFile) -> None:
    """Nothing is wrong with a bulk set of a file, those that it needs, and theirs, if it refers to no others."""
    examined, counts = _whole_set(file.version, set_with(file, optional=False))
    assert examined.batches == ()
    assert {name: one.count.valid for name, one in examined.settled.items()} == counts


@cache
def _whole_set(version: str, tables: tuple[str, ...]) -> tuple[Examined, dict[str, int]]:
    """Return what came of a set of these files alone, which is that of several files, and how many records each has."""
    made = roster(version, tables)
    made = {name: [_without(BINDING[version][name], row, tables) for row in rows] for name, rows in made.items()}
    return take(version, made), {name: len(rows) for name, rows in made.items()}


def _without(file: BindingFile, row: Mapping[str, str], tables: tuple[str, ...]) -> dict[str, str]:
    """Return a row that refers to these tables alone."""
    return {**row, **{one.header: "" for one in file.columns if one.refers and one.refers not in tables}}


@pytest.mark.parametrize(("file", "need"), NEEDS, ids=lambda one: one if isinstance(one, str) else _id(one))
def test_a_file_that_is_needed_is_missed(file: BindingFile, need: str) -> None:
    """A roster without a file that another one needs is refused; of resources, grades and demographics it is told."""
    tables = [name for name in set_with(file) if name != need]
    manifest = Manifest(
        file.version, {name: Mode.BULK if name in tables else Mode.ABSENT for name in BINDING[file.version]}
    )
    found = check_set(
        version=file.version,
        manifest=manifest if file.version != "1.0" else None,
        files=[f"{name}.csv" for name in tables],
        tables=load(file.version),
        demands=Demands(),
    )
    severity = Severity.CATASTROPHIC if need in ROSTER else Severity.WARNING
    assert ("missing-file", severity, f"{need}.csv") in [(one.code, one.severity, one.file) for one in found.batches]


# Headers ----------------------------------------------------------------------------------------------------------

COLUMNS = [(file, column) for file in FILES for column in file.columns]
every_column = pytest.mark.parametrize(
    ("file", "column"), COLUMNS, ids=lambda one: one.header if isinstance(one, BindingColumn) else _id(one)
)


@every_file
def test_the_header_of_the_standard_is_understood(file: BindingFile) -> None:
    """There is nothing to say of it, and each column is kept under its name."""
    header = understand_header(load(file.version)[file.name], file.header)
    assert (header.names, header.batches) == (tuple(column.name for column in file.columns), ())


@every_column
def test_a_column_that_is_missing_is_missed(file: BindingFile, column: BindingColumn) -> None:
    """Without a required column the file cannot be read, without another one it can; some may lack."""
    given = [name for name in file.header if name != column.header]
    found = understand_header(load(file.version)[file.name], given)
    code, severity = (
        ("missing-column", Severity.CATASTROPHIC) if column.required else ("missing-optional-column", Severity.WARNING)
    )
    expected = (
        [] if column.need in (Need.MAY_LACK, Need.METADATA) else [(code, severity, file.file, column.header, (1,))]
    )
    assert [(one.code, one.severity, one.file, one.column, one.lines) for one in found.batches] == expected


@pytest.mark.parametrize(("own", "other"), [("1.1", "1.2"), ("1.2", "1.1")])
def test_a_file_of_another_version_is_not_read(own: str, other: str) -> None:
    """Also where this version could do without what is not in it: of what else is in it, it has no place for all."""
    files = files_of(own, roster(own)) | {"users.csv": files_of(other, roster(other, ["users"]))["users.csv"]}
    found = examine(packed(files), NoPast(), Terms(required=(), seed=SEED), Stages())
    assert ("other-version", (1,)) in [(one.code, one.lines) for one in found.batches if one.file == "users.csv"]
    assert found.is_rejected


# The manifest -----------------------------------------------------------------------------------------------------

PROPERTIES = [(file.version, file.name) for file in FILES if file.version != "1.0"]
every_property = pytest.mark.parametrize(("version", "table"), PROPERTIES)


@every_property
@pytest.mark.parametrize("mode", Mode)
def test_the_manifest_says_how_a_file_comes(version: str, table: str, mode: Mode) -> None:
    """Each of the three words is understood of each file of the version."""
    found, batches = parse(manifest_of(version, {table: mode}), [f"{table}.csv"])
    assert found is not None
    assert (found.oneroster, found.modes[table], batches) == (version, mode, ())


@every_property
def test_another_word_is_no_mode(version: str, table: str) -> None:
    """A word that is none of the three is refused with the line on which it stands."""
    text = manifest_of(version, {}).replace(f"file.{table},absent".encode(), f"file.{table},full".encode())
    line = text.decode().splitlines().index(f"file.{table},full") + 1
    _, batches = parse(text, [])
    assert [(one.code, one.severity, one.lines) for one in batches] == [("bad-mode", Severity.CATASTROPHIC, (line,))]


@every_property
def test_a_file_of_which_the_manifest_is_silent_is_told(version: str, table: str) -> None:
    """If it is there it is read, with a warning."""
    text = manifest_of(version, {}).replace(f"file.{table},absent\n".encode(), b"")
    found, batches = parse(text, [f"{table}.csv"])
    assert found is not None
    assert found.modes[table] is Mode.BULK
    assert [(one.code, one.severity) for one in batches] == [("missing-property", Severity.WARNING)]


@pytest.mark.parametrize("table", [name for name in BINDING["1.2"] if name not in BINDING["1.1"]])
def test_a_file_of_the_next_version_is_not_of_this_one(table: str) -> None:
    """A manifest of 1.1 that speaks of it is told so."""
    text = manifest_of("1.1", {}) + f"file.{table},absent\n".encode()
    _, batches = parse(text, [])
    assert [one.code for one in batches] == ["unknown-property"]
