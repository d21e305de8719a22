"""Tables as CSV, in the dialect of the system that is to read them: whole columns in, bytes out.

Law: what is rendered can be read back, cell by cell; but of `sds`, which has no line breaks in values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow
from ingestd.core.model import Ints

_LINE_BREAKS = "\r\n|[\r\n\v\f\u0085\u2028\u2029]"


class Dialect(StrEnum):
    """Whose CSV it is. All are UTF-8 with a header and commas; each line, the last too, ends with LF, in `sds` CRLF.

    - `standard`: RFC 4180 but for that end of a line. Quotes where needed, quotes inside doubled.
    - `apple`: Apple School Manager's (systems.md 2.1). A space needs quotes as well. What the quotes would not keep, a
      quote or a line break, has a backslash before it, and so a backslash has too, or it could not be told from those.
    - `sds`: Microsoft School Data Sync's (systems.md 2.2), `standard` with CRLF, as the RFC has it, and with a space
      for each line break in a value.
    - `canvas`: Canvas's SIS import (systems.md 2.3), which is `standard`.
    """

    STANDARD = "standard"
    APPLE = "apple"
    SDS = "sds"
    CANVAS = "canvas"


@dataclass(frozen=True, slots=True)
class _Form:
    """When a cell is quoted, what is then escaped and how, and what stands for a line break; patterns of RE2."""

    quoted: str
    escaped: str
    escape: str
    line_break: str | None = None
    end: str = "\n"


_STANDARD = _Form(quoted=r'[,"\r\n]|\A\s|\s\z', escaped='"', escape='""')  # many readers trim what is not quoted
_FORMS: Mapping[Dialect, _Form] = MappingProxyType(
    {
        Dialect.STANDARD: _STANDARD,
        Dialect.APPLE: _Form(quoted=r'[\s\v,"\\]', escaped=r'(["\\\r\n])', escape=r"\\\1"),
        Dialect.SDS: _Form(_STANDARD.quoted, _STANDARD.escaped, _STANDARD.escape, line_break=" ", end="\r\n"),
        Dialect.CANVAS: _STANDARD,
    }
)


def render_table(frame: pd.DataFrame, dialect: Dialect) -> bytes:
    """Return a frame of strings as a CSV: the header, then a line per row. The same frame gives the same bytes."""
    return render_header(tuple(frame.columns), dialect) + render_lines([arrow(frame[name]) for name in frame], dialect)


def render_header(names: Sequence[str], dialect: Dialect) -> bytes:
    """Return the line with the columns' names."""
    return render_lines([pa.array([name], pa.large_string()) for name in names], dialect)


def render_lines(columns: Sequence[pa.Array], dialect: Dialect) -> bytes:
    """Return columns of large strings, at least one, as lines without a header; a long table can come in parts."""
    form = _FORMS[dialect]
    cells = [_render_cells(column, form) for column in columns]
    if len(cells) == 1:  # a line with nothing on it is no record to most readers
        cells = [pc.if_else(pc.equal(cells[0], ""), '""', cells[0])]
    cells[-1] = _join(cells[-1], form.end, by="")
    return _bytes_of(_join(*cells, by=","))


def parents_first(ids: pa.Array, parents: pa.Array) -> Ints:
    """Return the order in which each record comes after the one that it names as its parent, and else as they are."""
    above = pc.fill_null(pc.index_in(parents, value_set=ids), -1).to_numpy().astype(np.int64)
    depth, at = np.zeros(len(above), np.int64), above
    while (at >= 0).any() and (depth <= len(above)).all():  # those in a circle never end
        depth += at >= 0
        at = np.where(at >= 0, above[at], -1)
    return np.argsort(depth, kind="stable")


def _render_cells(cells: pa.Array, form: _Form) -> pa.Array:
    if form.line_break is not None:
        cells = pc.replace_substring_regex(cells, _LINE_BREAKS, form.line_break)
    chosen = pc.match_substring_regex(cells, form.quoted)
    if not pc.any(chosen).as_py():
        return cells
    escaped = pc.replace_substring_regex(cells.filter(chosen), form.escaped, form.escape)
    return pc.replace_with_mask(cells, chosen, _join('"', escaped, '"', by=""))


def _join(*parts: pa.Array | str, by: str) -> pa.Array:
    """Return what stands side by side as one text, row by row."""
    texts = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar(by, pa.large_string()))


def _bytes_of(lines: pa.Array) -> bytes:
    """Return all texts of a column, one after the other, as they lie in memory."""
    _, offsets, data = lines.buffers()
    if not len(lines) or data is None:
        return b""
    ends = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(data)[ends[0] : ends[-1]])
