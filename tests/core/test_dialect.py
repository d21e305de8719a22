"""Dialects of CSV: what each does to a value, and that whole columns are rendered at once."""

import pandas as pd
import pytest

from ingestd.core.columns import TEXT
from ingestd.core.dialect import Dialect, render_table


def end_of(dialect: Dialect) -> bytes:
    """Return what ends a line: RFC 4180 has CRLF, and SDS is said to want it; Apple wants LF."""
    return b"\r\n" if dialect is Dialect.SDS else b"\n"


def rendered(cell: str, dialect: Dialect) -> str:
    """Return what becomes of one cell between two others."""
    frame = pd.DataFrame(
        {name: pd.Series([one], dtype=TEXT) for name, one in zip("abc", ("1", cell, "3"), strict=True)}
    )
    end = end_of(dialect).decode()
    return render_table(frame, dialect).decode("utf-8").removeprefix(f"a,b,c{end}1,").removesuffix(f",3{end}")


@pytest.mark.parametrize(
    ("cell", "standard", "apple", "sds"),
    [
        ("", "", "", ""),
        ("Ann", "Ann", "Ann", "Ann"),
        ("Ann Lee", "Ann Lee", '"Ann Lee"', "Ann Lee"),
        ("Lee, Ann", '"Lee, Ann"', '"Lee, Ann"', '"Lee, Ann"'),
        ('5"', '"5"""', '"5\\""', '"5"""'),
        ("a\nb", '"a\nb"', '"a\\\nb"', "a b"),
        ("a\r\nb", '"a\r\nb"', '"a\\\r\\\nb"', "a b"),
        ("a\\b", "a\\b", '"a\\\\b"', "a\\b"),
        ("a\tb", "a\tb", '"a\tb"', "a\tb"),
        (" a", '" a"', '" a"', '" a"'),
        ("a ", '"a "', '"a "', '"a "'),
        ("\na", '"\na"', '"\\\na"', '" a"'),
        ("a\u2028b", "a\u2028b", "a\u2028b", "a b"),
        ("a;b", "a;b", "a;b", "a;b"),
        ("Ærø雪", "Ærø雪", "Ærø雪", "Ærø雪"),
        ("-1", "-1", "-1", "-1"),
    ],
)
def test_a_value_is_quoted_where_its_reader_needs_it(cell: str, standard: str, apple: str, sds: str) -> None:
    """Elsewhere not: Apple says so, and it is a fifth of a file. Canvas takes the standard."""
    found = [rendered(cell, dialect) for dialect in (Dialect.STANDARD, Dialect.CANVAS, Dialect.APPLE, Dialect.SDS)]
    assert found == [standard, standard, apple, sds]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_table_without_records_is_its_header(dialect: Dialect) -> None:
    """Its columns in their order, and the end of the line."""
    frame = pd.DataFrame({name: pd.Series([], dtype=TEXT) for name in ("person_id", "location_id", "metadata.house")})
    assert render_table(frame, dialect) == b"person_id,location_id,metadata.house" + end_of(dialect)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_blank_line_is_no_record(dialect: Dialect) -> None:
    """The one column of a table shows that it is blank by quotes, or readers would pass the line over."""
    made = render_table(pd.DataFrame({"id": pd.Series(["", "x"], dtype=TEXT)}), dialect)
    assert made == b'id\n""\nx\n'.replace(b"\n", end_of(dialect))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_million_cells_are_no_matter(dialect: Dialect) -> None:
    """Quoted and escaped in every cell of every column: whole columns at a time, or this test would be seen to hang."""
    rows = 250_000
    frame = pd.DataFrame({name: pd.Series(['a "b", c\\\n'] * rows, dtype=TEXT) for name in "abcd"})
    made = render_table(frame, dialect)
    header = b"a,b,c,d" + end_of(dialect)
    line = render_table(frame.iloc[:1], dialect).removeprefix(header)
    assert made == header + line * rows
