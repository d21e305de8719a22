"""The laws of validation, for files of any version: what becomes of a record, and what it does not depend on.

Most rosters here are messy: a few sound records, and more that have accidents in their cells.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from binding import BINDING, BindingFile, Need
from hypothesis import given
from hypothesis import strategies as st
from roster_strategies import Drop, files, in_modes, law, messy_drops, messy_rows, whole_drops
from roster_world import SEED, World, packed
from rosters import STATE, Row, csv_of, files_of, manifest_of, record_id, sound

from ingestd.core.columns import TEXT
from ingestd.core.model import Batch, Mode, Severity
from ingestd.core.repair import repair
from ingestd.core.validate import NOT_COMPARED, Candidates, content_of, validate
from ingestd.core.ways import DateForm, Ways
from ingestd.examine import Examined, NoPast, Terms, examine
from ingestd.stages import Stages
from schemas import load

Said = Counter[tuple[str, Severity, str | None, str | None]]
"""How many records each code, severity, file and column is about."""
ways = st.builds(
    Ways, strict=st.booleans(), date_form=st.none() | st.sampled_from(DateForm), country=st.sampled_from([None, "US"])
)
IN_BULK = {"bulk-status", "bulk-date", "tobedeleted-in-bulk"}
"""What is said of a bulk file that tells the state of its records."""


# Looking ----------------------------------------------------------------------------------------------------------


def take(content: Mapping[str, bytes], way: Ways = Ways(), pieces: int | None = None) -> Examined:
    """Look at the files of a drop without a past."""
    return examine(packed(content, pieces), NoPast(), Terms(required=(), ways=way, seed=SEED), Stages())


def look(drop: Drop, way: Ways = Ways()) -> Examined:
    """Look at a drop as it is usually written."""
    return take(files_of(drop.version, drop.records), way)


def with_file(drop: Drop, content: bytes) -> dict[str, bytes]:
    """Return the files of a drop, that which it is about written otherwise."""
    return {**files_of(drop.version, drop.records), drop.file.file: content}


def said(batches: Sequence[Batch], *beside: str) -> Said:
    """Count what is said, beside some codes."""
    found: Said = Counter()
    for one in batches:
        if one.code not in beside:
            found[one.code, one.severity, one.file, one.column] += one.count
    return found


def records(examined: Examined) -> dict[str, list[tuple[str, ...]]]:
    """Return the valid records by table, without the order of columns and rows; state is no content."""
    return {name: content(one.new) for name, one in examined.settled.items()}


def content(new: Candidates) -> list[tuple[str, ...]]:
    """Return the valid records of a table in an order of their own."""
    frame = new.frame[new.valid]
    return sorted(frame[sorted(set(frame.columns) - set(NOT_COMPARED))].itertuples(index=False, name=None))


def frame_of(file: BindingFile, rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as they are read, under the names by which columns are kept."""
    cells = {one.name: pd.Series([row[one.header] for row in rows], dtype=TEXT) for one in file.columns}
    return pd.DataFrame(cells)


def judge(file: BindingFile, frame: pd.DataFrame, mode: Mode = Mode.BULK, way: Ways = Ways()) -> Candidates:
    """Validate records that stand on line 2 and further on."""
    lines, hashes = np.arange(2, len(frame) + 2), np.arange(1, len(frame) + 1, dtype=np.uint64)
    return validate(load(file.version)[file.name], frame, lines, hashes, mode=mode, seed=SEED, ways=way)


@st.composite
def messy_frames(draw: st.DrawFn, of: st.SearchStrategy[BindingFile] = files) -> tuple[BindingFile, pd.DataFrame]:
    """Draw messy records of any file."""
    file = draw(of)
    return file, frame_of(file, draw(messy_rows(file)))


# What becomes of a record -----------------------------------------------------------------------------------------


@law(10)
@given(messy_drops(), ways)
def test_records_are_conserved(drop: Drop, way: Ways) -> None:
    """Every record that came is valid or held back, in every file; held back is what an error names, no other."""
    examined = look(drop, way)
    for name, one in examined.settled.items():
        assert one.count.rows == len(drop.records[name]) == one.count.valid + one.count.held_back
        named = {
            line
            for batch in examined.batches
            if batch.file == f"{name}.csv" and batch.severity is Severity.ERROR
            for line in batch.lines
        }
        assert named == set(one.new.lines[one.new.held].tolist())


@law(10)
@given(whole_drops())
def test_a_whole_roster_is_itself(drop: Drop) -> None:
    """Of a roster with which nothing is wrong nothing is said, and every cell is kept as it was written."""
    examined = look(drop)
    assert examined.batches == ()
    for name, rows in drop.records.items():
        new = examined.settled[name].new
        assert new.valid.all()
        pd.testing.assert_frame_equal(
            new.frame.reset_index(drop=True), frame_of(BINDING[drop.version][name], rows), check_like=True
        )


@law(4)
@given(messy_frames(), st.sampled_from([Mode.BULK, Mode.DELTA]), ways)
def test_repair_is_idempotent(messy: tuple[BindingFile, pd.DataFrame], mode: Mode, way: Ways) -> None:
    """What has been mended needs no mending, in any column of any file."""
    file, frame = messy
    table = load(file.version)[file.name]
    once, _ = repair(frame, table, mode, way)
    twice, done = repair(once, table, mode, way)
    pd.testing.assert_frame_equal(once, twice)
    assert {one.code for one in done} <= IN_BULK


@law(5)
@given(messy_frames(), ways)
def test_no_cell_changes_in_silence(messy: tuple[BindingFile, pd.DataFrame], way: Ways) -> None:
    """A cell that is kept otherwise than it came is noted in its record, by its column (law 8)."""
    file, frame = messy
    new = judge(file, frame, way=way)
    changed = {(row, name) for name in frame for row in np.flatnonzero(frame[name] != new.frame[name]).tolist()}
    noted = {
        (row, column)
        for bit, (_, column) in enumerate(new.note_names)
        for row in np.flatnonzero((new.notes >> bit) & 1).tolist()
    }
    assert changed <= noted


# What it does not depend on ---------------------------------------------------------------------------------------


@law(10)
@given(messy_drops(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(drop: Drop, chance: Random) -> None:
    """In another order the same is said of as many records, and the same ones are valid."""
    rows = list(drop.records[drop.file.name])
    chance.shuffle(rows)
    one, other = look(drop), take(with_file(drop, csv_of(drop.file.header, rows)))
    assert (said(other.batches), records(other)) == (said(one.batches), records(one))


@law(10)
@given(messy_drops(), st.randoms(use_true_random=False))
def test_the_order_of_columns_does_not_matter(drop: Drop, chance: Random) -> None:
    """In another order of columns the order is told, and else nothing is different."""
    header = list(drop.file.header)
    chance.shuffle(header)
    one, other = look(drop), take(with_file(drop, csv_of(header, drop.records[drop.file.name])))
    assert (said(other.batches, "header-order"), records(other)) == (said(one.batches), records(one))


@law(10)
@given(messy_drops(), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 3))
def test_how_a_file_is_written_does_not_matter(drop: Drop, mark: bool, crlf: bool, quoted: bool, blank: int) -> None:
    """A byte order mark, CRLF, quotes around everything and blank lines change nothing but notes of them."""
    rows, end = drop.records[drop.file.name], "\r\n" if crlf else "\n"
    content = csv_of(drop.file.header, rows, end=end, quoted=quoted) + blank * end.encode()
    one, other = look(drop), take(with_file(drop, mark * b"\xef\xbb\xbf" + content))
    beside = {code for code, wanted in (("byte-order-mark", mark), ("blank-line", blank)) if wanted}
    assert {batch.code for batch in other.batches} - {batch.code for batch in one.batches} == beside
    assert (said(other.batches, *beside), records(other)) == (said(one.batches), records(one))


@law(10)
@given(messy_drops(), st.integers(1, 200))
def test_the_pieces_in_which_it_comes_do_not_matter(drop: Drop, pieces: int) -> None:
    """A file that comes in pieces is the same file: the same is said of the same lines."""
    one, other = look(drop), take(files_of(drop.version, drop.records), pieces=pieces)
    assert other.batches == one.batches
    assert records(other) == records(one)


@law(10)
@given(messy_drops())
def test_an_unrelated_record_changes_no_other(drop: Drop) -> None:
    """With one more sound record the same is said of all the others, and of it nothing."""
    row = sound(drop.file, record_id(drop.file, "unrelated"))
    more = {**drop.records, drop.file.name: [*drop.records[drop.file.name], row]}
    if drop.file.name == "demographics":
        more["users"] = [*more["users"], sound(BINDING[drop.version]["users"], "users-unrelated")]
    one, other = look(drop), look(Drop(drop.file, more))
    assert other.batches == one.batches
    for name, found in records(one).items():
        assert not Counter(found) - Counter(records(other)[name])
        assert len(records(other)[name]) - len(found) == len(more[name]) - len(drop.records[name])


@law(5)
@given(messy_frames(), st.integers(0, 5), ways)
def test_records_are_judged_each_by_itself(messy: tuple[BindingFile, pd.DataFrame], cut: int, way: Ways) -> None:
    """Records come to the same verdict together as in two parts, with the same content."""
    file, frame = messy
    whole = judge(file, frame, way=way)
    parts = [judge(file, part.reset_index(drop=True), way=way) for part in (frame[:cut], frame[cut:])]
    assert np.concatenate([one.held for one in parts]).tolist() == whole.held.tolist()
    contents = [content_of(one.frame, SEED) for one in (*parts, whole)]
    assert np.concatenate(contents[:2]).tolist() == contents[2].tolist()
    assert said(parts[0].batches) + said(parts[1].batches) == said(whole.batches)


@law(5)
@given(messy_frames(in_modes))
def test_the_mode_does_not_matter_beyond_the_state(messy: tuple[BindingFile, pd.DataFrame]) -> None:
    """Records that tell their state are judged alike in a bulk file and in a delta, but for the note that they do."""
    file, frame = messy
    stated = frame.assign(**STATE).astype(TEXT)
    bulk, delta = judge(file, stated), judge(file, stated, Mode.DELTA)
    assert delta.held.tolist() == bulk.held.tolist()
    assert said(delta.batches) == said(bulk.batches, *IN_BULK)
    assert content(delta) == content(bulk)


@law(10)
@given(messy_drops(), st.data())
def test_a_missing_optional_column_is_a_blank_one(drop: Drop, data: st.DataObject) -> None:
    """A file without a column that is not required is read as one in which it is blank, and the lack is told."""
    optional = [one for one in drop.file.columns if not one.required and one.need is not Need.METADATA]
    column = data.draw(st.sampled_from(optional))
    rows = [{**row, column.header: ""} for row in drop.records[drop.file.name]]
    blank = take(with_file(drop, csv_of(drop.file.header, rows)))
    lacking = take(with_file(drop, csv_of([name for name in drop.file.header if name != column.header], rows)))
    told = {batch.code for batch in lacking.batches} - {batch.code for batch in blank.batches}
    assert told == ({"missing-optional-column"} if column.need is not Need.MAY_LACK else set())
    assert said(lacking.batches, "missing-optional-column") == said(blank.batches)
    assert records(lacking) == records(blank)


# Strictness and versions ------------------------------------------------------------------------------------------


@law(10)
@given(messy_drops())
def test_strictness_is_never_milder(drop: Drop) -> None:
    """Where nothing is repaired the same records come, no fewer are held back, and there are no fewer errors."""
    mild, strict = look(drop), look(drop, Ways(strict=True))
    for name, one in mild.settled.items():
        other = strict.settled[name]
        assert other.count.rows == one.count.rows
        assert set(one.new.lines[one.new.held].tolist()) <= set(other.new.lines[other.new.held].tolist())
    assert _errors(strict) >= _errors(mild)


def _errors(examined: Examined) -> int:
    return sum(one.count for one in examined.batches if one.severity in (Severity.ERROR, Severity.CATASTROPHIC))


alike = [
    name
    for name, file in BINDING["1.1"].items()
    if file.header == BINDING["1.2"][name].header and file.columns != BINDING["1.2"][name].columns
]
"""The tables of which 1.2 has the same columns, and in some of them allows more."""


@law(5)
@given(messy_frames(st.sampled_from([BINDING["1.1"][name] for name in alike])))
def test_the_next_version_takes_what_this_one_took(messy: tuple[BindingFile, pd.DataFrame]) -> None:
    """Of the same records 1.2 holds back none that 1.1 does not, and says nothing that 1.1 does not say."""
    file, frame = messy
    one, other = judge(file, frame), judge(BINDING["1.2"][file.name], frame)
    assert not (other.held & ~one.held).any()
    assert not said(other.batches) - said(one.batches)


# Deltas -----------------------------------------------------------------------------------------------------------

of_roster = st.sampled_from([BINDING[version][name] for version in ("1.1", "1.2") for name in ("orgs", "resources")])


@law(20)
@given(whole_drops(of_roster), st.data())
def test_a_delta_does_what_a_bulk_file_of_its_outcome_does(drop: Drop, data: st.DataObject) -> None:
    """After a delta of new, changed and deleted records a feed knows what a bulk set of all that stays would tell."""
    file = drop.file
    after = data.draw(whole_drops(st.just(file)))
    known = {row["sourcedId"]: row for row in drop.records[file.name]}
    own = [key for key in known if key.startswith(f"{file.name}-{file.name}-")]
    gone = data.draw(st.sets(st.sampled_from(own)))
    sent = [{**row, **STATE} for row in after.records[file.name] if row["sourcedId"] not in gone]
    sent += [{**known[key], **STATE, "status": "tobedeleted"} for key in sorted(gone)]
    stays = {**known, **{row["sourcedId"]: row for row in after.records[file.name]}}
    outcome = {**drop.records, file.name: [row for key, row in stays.items() if key not in gone]}
    delta = files_of(drop.version, {file.name: sent}, Mode.DELTA)
    assert after_days(file, files_of(drop.version, drop.records), delta) == after_days(
        file, files_of(drop.version, drop.records), files_of(drop.version, outcome)
    )


def after_days(file: BindingFile, *days: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Return the records of a table that a feed knows after some drops, without their state."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for content in days:
            world.commit(world.hold_against(packed(content)))
        found = world.records(file.name)
        world.store.close()
    return {key: {name: cell for name, cell in row.items() if name not in NOT_COMPARED} for key, row in found.items()}


@law(20)
@given(whole_drops(of_roster))
def test_a_delta_of_what_is_known_changes_nothing(drop: Drop) -> None:
    """Neither does one that is empty, a manifest alone; nothing is said of the one, and one thing of the other."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.commit(world.hold_against(packed(files_of(drop.version, drop.records))))
        again = {name: [{**row, **STATE} for row in rows] for name, rows in drop.records.items()}
        known = world.hold_against(packed(files_of(drop.version, again, Mode.DELTA)))
        empty = world.hold_against(packed({"manifest.csv": manifest_of(drop.version, {})}))
        world.store.close()
    for one in known.settled.values():
        assert (one.changes.created, one.changes.updated, one.changes.deleted) == (0, 0, 0)
    assert (known.batches, known.breaches) == ((), ())
    assert ([one.code for one in empty.batches], empty.breaches, empty.settled) == (["nothing-sent"], (), {})
