"""What is rendered is read back: by a small reader of this file, which knows the dialects' rules and not their code."""

import csv
import io
from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.columns import TEXT
from ingestd.core.dialect import Dialect, render_table

cells = st.text(st.sampled_from('ab ,;"\\\n\r\t\v\u2028é雪') | st.characters(exclude_categories=["Cs"]), max_size=8)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6).map(
        lambda rows: ([f"c{number}" for number in range(width)], rows)
    )
)


def frame_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return rows as a frame."""
    return pd.DataFrame({name: pd.Series([row[at] for row in rows], dtype=TEXT) for at, name in enumerate(header)})


def read(text: str, *, backslash: bool) -> list[list[str]]:
    """Return the rows of a CSV, a character at a time: with `backslash` that is what escapes, else a second quote."""
    rows: list[list[str]] = [[]]
    cell, is_quoted, at = "", False, 0
    while at < len(text):
        one, two = text[at], text[at : at + 2]
        if is_quoted and (one == "\\" if backslash else two == '""'):
            cell, at = cell + two[1], at + 1
        elif one == '"':
            assert is_quoted or cell == "", "a quote begins a cell, or ends it"
            is_quoted = not is_quoted
        elif is_quoted or one not in ",\n":
            cell += one
        else:
            rows[-1].append(cell)
            rows += [[]] if one == "\n" else []
            cell = ""
        at += 1
    assert rows.pop() == [] and cell == "" and not is_quoted, "the last line ends as the others do"
    return rows


@pytest.mark.parametrize("dialect", [Dialect.STANDARD, Dialect.CANVAS, Dialect.APPLE])
@given(table=tables)
def test_what_is_rendered_is_read_back(dialect: Dialect, table: tuple[list[str], list[list[str]]]) -> None:
    """Every cell, whatever is in it, the header first."""
    header, rows = table
    text = render_table(frame_of(header, rows), dialect).decode("utf-8")
    assert read(text, backslash=dialect is Dialect.APPLE) == [header, *rows]


@given(table=tables)
def test_other_readers_read_it_too(table: tuple[list[str], list[list[str]]]) -> None:
    """Python's own, told what the quotes are escaped with."""
    header, rows = table
    frame = frame_of(header, rows)
    standard = io.StringIO(render_table(frame, Dialect.STANDARD).decode("utf-8"), newline="")
    assert list(csv.reader(standard, strict=True)) == [header, *rows]
    apple = io.StringIO(render_table(frame, Dialect.APPLE).decode("utf-8"), newline="")
    assert list(csv.reader(apple, escapechar="\\", doublequote=False, strict=True)) == [header, *rows]


@given(table=tables)
def test_sds_has_no_line_break_in_a_value(table: tuple[list[str], list[list[str]]]) -> None:
    """A line, which CRLF ends, is a record to whoever counts lines; where a break was, there is a space."""
    header, rows = table
    text = render_table(frame_of(header, rows), Dialect.SDS).decode("utf-8")
    assert len(text.splitlines()) <= len(rows) + 1 + sum(text.count(sign) for sign in "\x1c\x1d\x1e")
    flat = [[" ".join(_lines(cell)) for cell in row] for row in rows]
    assert read(text.replace("\r\n", "\n"), backslash=False) == [header, *flat]


def _lines(cell: str) -> list[str]:
    for sign in ("\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"):
        cell = cell.replace(sign, "\n")
    return cell.split("\n")


@pytest.mark.parametrize("dialect", list(Dialect))
@given(table=tables, at=st.integers(0, 6))
def test_parts_are_rendered_as_the_whole_is(
    dialect: Dialect, table: tuple[list[str], list[list[str]]], at: int
) -> None:
    """So a table need not be in memory at once; a frame that is a part of another does not show the rest."""
    frame = frame_of(*table)
    header = render_table(frame.iloc[:0], dialect)
    parts = [render_table(part, dialect).removeprefix(header) for part in (frame.iloc[:at], frame.iloc[at:])]
    assert header + b"".join(parts) == render_table(frame, dialect)
