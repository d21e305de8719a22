"""The two dialects: what is written by their rules comes back as it was, whatever the values are."""

import csv
import io
from collections.abc import Callable, Sequence

from formats.apple import COMMAS, SEMICOLONS
from formats.text import Dialect, records, rfc_4180
from hypothesis import given
from hypothesis import strategies as st

ROWS = st.lists(st.lists(st.text("aé 0,;\"'\t\n-", max_size=6), min_size=2, max_size=4), max_size=5)


def values(text: str, dialect: Dialect) -> list[list[str]]:
    """Return the values of all records, all of them sound."""
    found = [*records(text, dialect)]
    assert all(record.whole and not [*dialect.look(record)] for record in found)
    return [[dialect.value(cell) for cell in record.cells] for record in found]


def written(rows: Sequence[Sequence[str]], separator: str) -> str:
    """Return rows as Apple has them: quotes only where they must be, a backslash before quotes and line breaks."""
    return "".join(f"{separator.join(quoted(value) for value in row)}\n" for row in rows)


def quoted(value: str) -> str:
    """Return a value as Apple has it."""
    escaped = value.replace('"', '\\"').replace("\n", "\\\n")
    return f'"{escaped}"' if set(value) & set(" ,;\t") else escaped


@given(ROWS)
def test_what_python_writes_is_rfc_4180(rows: list[list[str]]) -> None:
    """Python's own writer and this reader agree."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    assert values(out.getvalue(), rfc_4180()) == rows


@given(ROWS)
def test_values_come_back_from_apples_dialect(rows: list[list[str]]) -> None:
    """Backslashes before quotes and line breaks are taken off, with either separator."""
    assert values(written(rows, ","), COMMAS) == rows
    assert values(written(rows, ";"), SEMICOLONS) == rows


def lines(text: str, dialect: Callable[[], Dialect] = rfc_4180) -> list[tuple[int, bool]]:
    """Return the line of each record and whether it is sound."""
    return [(record.line, record.whole) for record in records(text, dialect())]


def test_a_broken_record_breaks_no_other() -> None:
    """Reading goes on with the next line, and lines within values are counted."""
    assert lines('a,b\r\n"1\n2",3\r\n4"4,5\r\n6,7') == [(1, True), (2, True), (4, False), (5, True)]
