"""What no reader may ever see: the strict look at new records before they become columns.

pandas shifts columns at a stray comma, pads short lines and swallows lines behind an open quote, all without a
word (reliability notes, CSV). So every record passes here first; what fails is held back with its line.
"""

import csv
import re
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingestd.core.model import Ints, Mask

FIELD_LIMIT = 1 << 16
"""Bytes in a value. The standard asks for 255 characters at least."""
QUOTE, COMMA, LINE = 34, 44, 10
_GUID = re.compile(rb"[0-9A-Za-z./@_-]{1,255}")


class Fault(IntEnum):
    """What the gate says of a record; the names are finding codes, `_` for `-`."""

    none = 0
    blank_line = 1
    field_count = 2
    not_utf_8 = 3
    control_character = 4
    line_break_in_field = 5
    misplaced_quote = 6
    field_too_long = 7

    @property
    def code(self) -> str:
        """Return the finding's code."""
        return self.name.replace("_", "-")


Faults = NDArray[np.uint8]


def gate(records: list[bytes], width: int) -> Faults:
    """Return a `Fault` per record of a file whose header has `width` columns."""
    faults = np.zeros(len(records), np.uint8)
    if not records:
        return faults
    odd = [i for i, one in enumerate(records) if b'"' in one and (b"\n" in one or one.count(b'"') % 2)]
    for i in odd:
        faults[i] = Fault.line_break_in_field if b"\n" in records[i] else Fault.misplaced_quote
    plain = np.flatnonzero(faults == 0)
    faults[plain] = _gate_plain([records[i] for i in plain] if odd else records, width)
    return faults


def _gate_plain(records: list[bytes], width: int) -> Faults:
    """Gate records of one line each with an even number of quotes: all at once, on their joined bytes."""
    faults = np.zeros(len(records), np.uint8)
    if not records:
        return faults
    joined = b"\n".join([*records, b""])
    data = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(data == LINE)
    lengths = np.diff(ends, prepend=-1) - 1
    commas = np.flatnonzero(data == COMMA)
    if b'"' in joined:
        commas, misplaced = _quoted(data, commas)
        faults[np.searchsorted(ends, misplaced)] = Fault.misplaced_quote
    counts = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
    faults[(counts != width) & (faults == 0)] = Fault.field_count
    faults[_blank(records, lengths, counts, width)] = Fault.blank_line
    for i in np.flatnonzero(lengths > FIELD_LIMIT):
        if max(map(len, records[i].split(b","))) > FIELD_LIMIT:
            faults[i] = Fault.field_too_long
    control = (data < 32) & (data != LINE) & (data != 9) | (data == 127)
    faults[np.searchsorted(ends, np.flatnonzero(control))] = Fault.control_character
    faults[_undecodable(records, joined)] = Fault.not_utf_8
    return faults


def _quoted(data: NDArray[np.uint8], commas: Ints) -> tuple[Ints, Ints]:
    """Return the commas outside quotes, and the positions of quotes that neither begin nor end a value."""
    is_quote = data == QUOTE
    inside = np.cumsum(is_quote, dtype=np.uint8) & 1  # parity survives the wrap at 256
    at = np.flatnonzero(is_quote)
    opens = inside[at] == 1
    before, after = data[at - 1], data[np.minimum(at + 1, len(data) - 1)]
    before[at == 0] = LINE
    opens_well = np.isin(before, (COMMA, LINE, QUOTE))
    closes_well = np.isin(after, (COMMA, LINE, QUOTE))
    return commas[inside[commas] == 0], at[np.where(opens, ~opens_well, ~closes_well)]


def _blank(records: list[bytes], lengths: Ints, counts: Ints, width: int) -> Mask:
    """Find blank lines, also those that a spreadsheet writes as commas alone."""
    blank: Mask = np.asarray(lengths == 0)
    for i in np.flatnonzero((counts == width) & (lengths < width + 8) & (lengths > 0)):
        blank[i] = not records[i].strip(b", ")
    return blank


def _undecodable(records: list[bytes], joined: bytes) -> list[int]:
    try:
        joined.decode()
    except UnicodeDecodeError:
        return [i for i, one in enumerate(records) if not _decodes(one)]
    return []


def _decodes(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def identify(record: bytes, fault: Fault, width: int) -> str | None:
    """Return the sourcedId of a record that failed, its first field, or None where it cannot be told for sure.

    It cannot when the bytes may hold a second record: twice the fields, or lines that an open quote swallowed.
    """
    if fault is Fault.line_break_in_field and len(next(csv.reader([record.decode("latin-1")]))) != width:
        return None
    if record.count(b",") >= 2 * width - 2:
        return None
    first = record.split(b",", 1)[0].strip()
    if len(first) > 1 and first[:1] == first[-1:] == b'"':
        first = first[1:-1]
    return first.decode() if _GUID.fullmatch(first) else None
