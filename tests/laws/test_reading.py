"""Laws of reading: cutting, gating, recognising, parsing, mending, hashing."""

import csv
import io
import unicodedata
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from reading_files import ORGS, SEED, frame_of, in_pieces, live_of, scan_bytes

from ingestd.core.columns import TEXT
from ingestd.core.gate import gate
from ingestd.core.hashing import hash_bytes, hash_ids, hash_rows
from ingestd.core.header import understand_header
from ingestd.core.model import Mode
from ingestd.core.read import read
from ingestd.core.records import split
from ingestd.core.repair import repair
from ingestd.core.scan import BLANK, Live, scan
from ingestd.core.validate import content_of, validate
from ingestd.core.ways import Ways

law, slow_law = examples(100), examples(30)

HEADER = b",".join(name.encode() for name in ORGS.header)
WIDTH = len(ORGS.header)
SOUP = st.lists(
    st.sampled_from([b"a", b"b", b",", b",", b'"', b'"', b"\n", b"\n", b"\r", b"\r\n", b"\0", b" ", b"\t", b"\xc3\xa4",
                     b"\xff", b"\xef\xbb\xbf", b"\xc2\x85", b"\xc2\xa0", b"\x1f", b'""', b",,,,,,", b"NA"]),
    max_size=60,
).map(b"".join)  # fmt: skip
"""Bytes of which trouble is made."""
CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["", " ", "a", 'a"b', ",", "NA"]
)
ROW = st.lists(CELL, min_size=WIDTH, max_size=WIDTH)
ID = st.integers(0, 999).map("o-{}".format)


def written(rows: list[list[str]], quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> bytes:
    """Return rows as Python writes them, below the header."""
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)  # type: ignore[arg-type]
    return HEADER + end.encode() + text.getvalue().encode()


def cells_of(record: bytes) -> list[str]:
    """Return the cells that Python's strict reader finds in a record."""
    return next(csv.reader([record.decode()], strict=True))


def read_all(data: bytes) -> tuple[pd.DataFrame, list[bytes]]:
    """Return the frame of a file, and the bytes of the records from which it was made."""
    scanned = scan_bytes(data)
    return read(scanned, understand_header(ORGS, scanned.header), ORGS), scanned.data.split(b"\n")[:-1]


# Cutting ---------------------------------------------------------------------------------------------------------


@law
@given(SOUP, st.lists(st.integers(0, 120), max_size=8))
def test_chunks_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """Records and their lines do not depend on how the bytes were cut into chunks."""

    def cut(*at: int) -> list[tuple[int, bytes]]:
        pieces = list(split(in_pieces(data, [min(one, len(data)) for one in at])))
        return [pair for piece in pieces for pair in zip(piece.lines.tolist(), piece.records, strict=True)]

    assert cut(*cuts) == cut() == cut(*range(1, len(data)))


@law
@given(SOUP)
def test_no_byte_is_lost(data: bytes) -> None:
    """The records, one below the other, are the file's lines, and each is numbered as an editor numbers them."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] in (b"", b"\r"):
        last = lines.pop()
        lines += [b""] if last else []
    elif lines[-1].endswith(b"\r"):
        lines[-1] = lines[-1][:-1]
    pieces = list(split([data]))
    assert [line for piece in pieces for record in piece.records for line in record.split(b"\n")] == lines
    assert all(
        record.split(b"\n")[0] == lines[at - 1]
        for piece in pieces
        for at, record in zip(piece.lines, piece.records, strict=True)
    )


@law
@given(st.lists(ROW, min_size=1, max_size=12), st.data())
def test_stray_quotes_spoil_their_own_records(rows: list[list[str]], data: st.DataObject) -> None:
    """However many quotes are put into some records, all the others are read."""
    records = written([[f"o-{i}", *row[1:]] for i, row in enumerate(rows)]).split(b"\n")[1:-1]
    spoilt = data.draw(st.sets(st.integers(0, len(records) - 1)))
    for i in spoilt:
        at = data.draw(st.integers(0, len(records[i])))
        records[i] = records[i][:at] + b'"' + records[i][at:]
    found = scan_bytes(b"\n".join([HEADER, *records]))
    assert {i + 2 for i in range(len(records)) if i not in spoilt} <= set(found.lines.tolist())


# The gate --------------------------------------------------------------------------------------------------------


@law
@given(st.lists(SOUP.map(lambda data: data.replace(b"\n", b"")), max_size=6), st.integers(1, 4))
def test_what_passes_is_sound(records: list[bytes], width: int) -> None:
    """What passes is UTF-8 without control characters, and a strict reader finds as many cells as the header has."""
    for record, fault in zip(records, gate(records, width), strict=True):
        if not fault:
            assert len(cells_of(record)) == width
            assert not {"Cc"} & set(map(unicodedata.category, record.decode().replace("\t", "")))


@law
@given(st.lists(SOUP, max_size=8), st.integers(1, 4))
def test_records_are_judged_alone(records: list[bytes], width: int) -> None:
    """A record's fault does not depend on the records around it."""
    alone = [int(gate([record], width)[0]) for record in records]
    assert gate(records, width).tolist() == alone


@law
@given(st.lists(ROW, max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_what_a_writer_writes_is_read(rows: list[list[str]], quoting: int, end: str) -> None:
    """Of what a proper writer wrote every record passes unless it is blank, and comes back cell by cell."""
    frame, _ = read_all(written(rows, quoting, end))
    assert frame.to_numpy().tolist() == [row for row in rows if "".join(row).strip(', \t"')]


@law
@given(st.lists(SOUP, max_size=6))
def test_two_readers_agree(parts: list[bytes]) -> None:
    """Whatever the bytes, the frame is what Python's strict reader makes of the records that passed."""
    frame, records = read_all(HEADER + b"\n" + b"\n".join(parts))
    assert frame.to_numpy().tolist() == [cells_of(record) for record in records]


# The scan --------------------------------------------------------------------------------------------------------


@law
@given(SOUP, st.sets(st.integers(0, 9)))
def test_records_are_conserved(data: bytes, some: set[int]) -> None:
    """Every record is known, new, broken or unidentified; blanks do not count."""
    body = HEADER + b"\no-1,,,,,,\no-2,,,,,,\n" + data
    live = live_of(scan_bytes(body))
    live = Live(*(getattr(live, name)[[i for i in range(len(live)) if i not in some]] for name in
                  ("rid", "hash", "id", "content", "notes")))  # fmt: skip
    found = scan_bytes(body, live)
    known, blank = int((found.met >= 0).sum()), int((found.met == BLANK).sum())
    assert found.rows == known + len(found.lines) + len(found.broken) + found.unidentified
    assert found.rows + blank == len(found.starts)
    assert found.data.count(b"\n") == len(found.lines) == len(found.hashes)


@law
@given(SOUP, st.lists(st.integers(0, 160), max_size=5))
def test_what_is_known_is_not_read(data: bytes, cuts: list[int]) -> None:
    """Scanned against its own records a file has nothing to read, and the same findings."""
    body = HEADER + b"\no-1,,,,,,\n" + data
    first = scan_bytes(body)
    live = live_of(first)
    again = scan("orgs.csv", in_pieces(body, [min(one, len(body)) for one in cuts]), live, SEED)
    assert (again.data, len(again.lines)) == (b"", 0)
    assert again.present(live).all()
    assert (again.batches, sorted(again.broken), again.unidentified, again.rows) == (
        first.batches, sorted(first.broken), first.unidentified, first.rows,
    )  # fmt: skip


@law
@given(st.lists(ROW, min_size=2, max_size=6), st.data())
def test_no_record_goes_missing(rows: list[list[str]], data: st.DataObject) -> None:
    """Whichever byte behind an id is lost or replaced: each id is read, told as broken, or known to be missing."""
    names = [f"o-{i}" for i in range(len(rows))]
    body = written([[name, "x", *row[2:]] for name, row in zip(names, rows, strict=True)])
    edges = [
        i for name in names for i in range(body.index(f"\n{name},".encode()), body.index(f"\n{name},".encode()) + 6)
    ]
    at = data.draw(st.sampled_from([i for i in range(len(HEADER) + 5, len(body)) if i not in edges]))
    put = data.draw(st.sampled_from([b"", b",", b'"', b"\n", b"\0", b"\xff", b"x"]))
    found = scan_bytes(body[:at] + put + body[at + data.draw(st.integers(0, 1)) :])
    read_ids = set(read(found, understand_header(ORGS, found.header), ORGS)["sourcedId"])
    assert found.unidentified or set(names) <= read_ids | set(found.broken)


# Mending and validating ------------------------------------------------------------------------------------------

VALUE = st.sampled_from(
    ["", " ", "a", "Active", "INACTIVE", " inactive", "tobedeleted", "School", "school", "x y", "a, b"]
)
FRAME = st.lists(st.fixed_dictionaries(dict.fromkeys(ORGS.header, VALUE)), max_size=6).map(
    lambda rows: frame_of(ORGS, *rows)
)


@law
@given(FRAME, st.sampled_from([Mode.BULK, Mode.DELTA]))
def test_repair_is_idempotent(frame: pd.DataFrame, mode: Mode) -> None:
    """What has been mended needs no mending."""
    once, _ = repair(frame, ORGS, mode)
    twice, done = repair(once, ORGS, mode)
    pd.testing.assert_frame_equal(once, twice)
    assert {one.code for one in done} <= {"bulk-status", "bulk-date", "tobedeleted-in-bulk"}


@slow_law
@given(FRAME, st.sampled_from([Mode.BULK, Mode.DELTA]), st.booleans())
def test_every_record_has_one_fate(frame: pd.DataFrame, mode: Mode, strict: bool) -> None:
    """A record is valid, gone or held back; it is held back if and only if an error names its line."""
    lines = np.arange(2, len(frame) + 2)
    new = validate(ORGS, frame, lines, np.ones(len(frame), np.uint64), mode=mode, seed=SEED, ways=Ways(strict=strict))
    named = {line for one in new.batches if one.severity == "error" for line in one.lines}
    assert not (new.held & new.gone).any()
    assert set(lines[new.held].tolist()) == named == {cause.line for cause in new.causes.values()}
    assert set(new.causes) == set(np.flatnonzero(new.held).tolist())


@slow_law
@given(FRAME, st.sampled_from([Mode.BULK, Mode.DELTA]))
def test_valid_records_stay_valid(frame: pd.DataFrame, mode: Mode) -> None:
    """What validation let pass has nothing left to find but what a bulk file passes over."""
    new = validate(ORGS, frame, np.arange(len(frame)), np.ones(len(frame), np.uint64), mode=mode, seed=SEED)
    good = new.frame[~new.held].reset_index(drop=True)
    again = validate(ORGS, good, np.arange(len(good)), np.ones(len(good), np.uint64), mode=mode, seed=SEED)
    assert not again.held.any()
    assert content_of(again.frame, SEED).tolist() == content_of(new.frame[~new.held], SEED).tolist()
    told_again = {"bulk-status", "bulk-date", "tobedeleted-in-bulk", "incomplete-deletion"}
    assert {one.code for one in again.batches} <= told_again


# Hashes ----------------------------------------------------------------------------------------------------------


@law
@given(st.lists(ROW, max_size=6), st.permutations(ORGS.header), st.randoms(use_true_random=False))
def test_order_is_no_content(rows: list[list[str]], columns: list[str], random: Random) -> None:
    """Neither the order of columns nor that of rows, nor a blank column more, changes a content."""
    frame = frame_of(ORGS, *(dict(zip(ORGS.header, row, strict=True)) for row in rows))
    contents = content_of(frame, SEED)
    order = list(range(len(rows)))
    random.shuffle(order)
    other = (
        frame[columns]
        .iloc[order]
        .reset_index(drop=True)
        .assign(**{"metadata.x": pd.Series("", range(len(rows)), TEXT)})
    )
    assert content_of(other, SEED).tolist() == contents[order].tolist()


@law
@given(st.lists(ROW, min_size=2, max_size=2))
def test_contents_differ_where_cells_do(rows: list[list[str]]) -> None:
    """Two records have one content if and only if all cells are the same."""
    one, other = hash_rows(frame_of(ORGS, *(dict(zip(ORGS.header, row, strict=True)) for row in rows)), ORGS.header, 1)
    assert bool(one == other) is (rows[0] == rows[1])


@law
@given(st.lists(CELL, max_size=8), st.integers(0, 2**64 - 1))
def test_only_a_blank_is_zero(values: list[str], seed: int) -> None:
    """0 stands for nothing: no filled value and no record hashes to it."""
    ids = hash_ids(pa.array(values, pa.large_string()), seed)
    assert (ids == 0).tolist() == [value == "" for value in values]
    assert (hash_bytes([value.encode() for value in values], seed) != 0).all()
