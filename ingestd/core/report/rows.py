"""The rows of findings.csv: every line of every finding, none folded, none capped."""

from collections.abc import Iterable
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.causes import trace
from ingestd.core.findings import ORDER
from ingestd.core.model import Batch
from ingestd.core.report.messages import find_remedy

_GAP = r"""[\s\pZ"']*"""
_FORMULA = r"[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""What makes a formula: = + - @, and their wide forms."""


def findings_rows(batches: Iterable[Batch]) -> pa.Table:
    """Return every line of every batch as a row, gravest first, its text safe to open in a spreadsheet.

    The counts of a batch's rows add up to the batch's: the first row carries what has no line of its own.
    """
    kept = sorted(trace(batches), key=lambda one: ORDER.index(one.severity))
    sizes = np.array([max(1, len(one.lines)) for one in kept], dtype=np.int64)
    counts = np.ones(sizes.sum(), dtype=np.int64)
    counts[np.cumsum(sizes) - sizes] = [max(0, one.count - size + 1) for one, size in zip(kept, sizes, strict=True)]
    lines = np.fromiter(chain.from_iterable(one.lines or (0,) for one in kept), np.int64, len(counts))
    which = pa.array(np.repeat(np.arange(len(kept), dtype=np.int32), sizes))

    def spread(texts: Iterable[str | None]) -> pa.Array:  # a batch's text once, however many lines it has
        return pa.DictionaryArray.from_arrays(which, _defuse(pa.array(list(texts), pa.large_string())))

    return pa.table(
        {
            "severity": spread(str(one.severity) for one in kept),
            "code": spread(one.code for one in kept),
            "file": spread(one.file for one in kept),
            "line": pa.array(lines, mask=lines == 0),
            "column": spread(one.column for one in kept),
            "count": pa.array(counts),
            "message": spread(one.message for one in kept),
            "remedy": spread(find_remedy(one.code, (one.message,)) for one in kept),
            "caused_by": spread(_name_cause(one) for one in kept),
        }
    )


def _defuse(texts: pa.Array) -> pa.Array:
    """Put an apostrophe before what a spreadsheet may run as a formula (OWASP, CSV injection).

    That is where a cell begins with one, also behind blanks and quotes, or holds what another program takes for the
    end of a cell, and one behind it.
    """
    begun = pc.replace_substring_regex(texts, rf"\A({_GAP}{_FORMULA}|[\t\r\n])", r"'\1")
    return pc.replace_substring_regex(begun, rf"([,;|\t\r\n]{_GAP})({_FORMULA})", r"\1'\2")


def _name_cause(one: Batch) -> str | None:
    cause = one.caused_by
    return ":".join(str(part) for part in (cause.code, cause.file, cause.line) if part) if cause else None
