"""Files as bytes, and what the stages scan and read make of them: shared by the tests of reading."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ingestd.core.columns import TEXT
from ingestd.core.header import understand_header
from ingestd.core.model import Batch, Mode
from ingestd.core.read import read
from ingestd.core.scan import Live, Scanned, scan
from ingestd.core.validate import Candidates, validate
from ingestd.core.ways import Ways
from schemas import Table, load

ORGS = load("1.1")["orgs"]
ENROLLMENTS = load("1.1")["enrollments"]
SEED = 7


def csv_of(
    *rows: Sequence[str] | str, header: Sequence[str] | str = ("sourcedId", "name", "type"), end: str = "\n"
) -> bytes:
    """Return a file of lines as they are given, or of cells that need no quotes."""
    lines = [one if isinstance(one, str) else ",".join(one) for one in (header, *rows)]
    return "".join(line + end for line in lines).encode()


def in_pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Cut bytes at the given positions."""
    edges = [0, *sorted(cuts), len(data)]
    return (data[begin:end] for begin, end in pairwise(edges))


def scan_bytes(data: bytes, live: Live | None = None, seed: int = SEED) -> Scanned:
    """Scan a file that comes in one piece."""
    return scan("orgs.csv", [data], live or Live(), seed)


def live_of(scanned: Scanned) -> Live:
    """Return a snapshot that knows the records which a scan found good, and nothing of them but their hashes."""
    hashes = np.unique(scanned.hashes)
    return Live(np.arange(len(hashes)), hashes, hashes, hashes, np.zeros(len(hashes), np.int64))


def read_bytes(data: bytes, table: Table = ORGS) -> pd.DataFrame:
    """Scan and read a file of which nothing is known."""
    scanned = scan_bytes(data)
    return read(scanned, understand_header(table, scanned.header), table)


def frame_of(table: Table, *rows: dict[str, str]) -> pd.DataFrame:
    """Return a frame with the table's columns; cells that are not given are blank."""
    return pd.DataFrame({name: pd.Series([row.get(name, "") for row in rows], dtype=TEXT) for name in table.header})


def validate_rows(
    table: Table,
    *rows: dict[str, str],
    mode: Mode = Mode.BULK,
    strict: bool | tuple[str, ...] = False,
    country: str | None = None,
) -> Candidates:
    """Validate records that stand on line 2 and further on."""
    count, ways = len(rows), Ways(strict=strict, country=country)
    lines, hashes = np.arange(2, count + 2), np.arange(1, count + 1, dtype=np.uint64)
    return validate(table, frame_of(table, *rows), lines, hashes, mode=mode, seed=SEED, ways=ways)


def told(batches: Iterable[Batch]) -> list[tuple[str, str | None, tuple[int, ...]]]:
    """Return code, column and lines of each batch."""
    return [(one.code, one.column, one.lines) for one in batches]


def codes(batches: Iterable[Batch]) -> list[str]:
    """Return the codes alone."""
    return [one.code for one in batches]
