"""What no reader may ever see: the strict look at new records before they become columns.

pandas shifts columns at a stray comma, pads short lines and swallows lines behind an open quote, all without a
word (reliability notes, 3.2). So every record passes here first; what fails is held back with its line. Law: what
passes has as many cells as the header, and any reader of RFC 4180 finds the same ones.
"""

import re
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingestd.core.model import Ints, Mask
from ingestd.core.records import count_commas

FIELD_LIMIT = 1 << 16
"""Bytes in a value, its quotes included. The standard asks for 255 characters at least."""
STRAY = 2
"""Fields beyond the header's up to which a record is taken for one with stray commas, and not for two run together."""
QUOTE, COMMA, LINE, TAB, DELETE = 34, 44, 10, 9, 127
_GUID = re.compile(rb"[0-9A-Za-z./@_-]{1,255}")


_EMPTY = b', \t"'
_EDGE = np.isin(np.arange(256), list(b',\n"'))  # what stands before and after a value's quotes, and a doubled one's


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
    joined = b"\n".join([*records, b""])
    if joined.count(b"\n") > len(records):
        return _set_aside(records, np.array([b"\n" in one for one in records]), Fault.line_break_in_field, width)
    data = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(data == LINE)
    if b'"' in joined:
        is_odd = np.diff(np.searchsorted(np.flatnonzero(data == QUOTE), ends), prepend=0) & 1 == 1
        if is_odd.any():
            return _set_aside(records, is_odd, Fault.misplaced_quote, width)
    return _gate_plain(records, joined, data, ends, width)


def _set_aside(records: list[bytes], chosen: Mask, fault: Fault, width: int) -> Faults:
    """Give the chosen records their fault, so that they blur nothing, and gate the others."""
    faults = np.full(len(records), fault, np.uint8)
    others = np.flatnonzero(~chosen)
    faults[others] = gate([records[i] for i in others], width)
    return faults


def _gate_plain(records: list[bytes], joined: bytes, data: NDArray[np.uint8], ends: Ints, width: int) -> Faults:
    """Gate records of one line each with an even number of quotes: all at once, on their joined bytes."""
    faults = np.zeros(len(records), np.uint8)
    commas = np.flatnonzero(data == COMMA)
    if b'"' in joined:
        commas, misplaced = _quoted(data, commas)
        faults[np.searchsorted(ends, misplaced)] = Fault.misplaced_quote
    last = np.searchsorted(commas, ends)
    faults[(np.diff(last, prepend=0) != width - 1) & (faults == 0)] = Fault.field_count
    starts = np.append(0, ends + 1)[:-1]
    faults[_blank(records, data[starts], ends - starts, width)] = Fault.blank_line
    for i in np.flatnonzero(ends - starts > FIELD_LIMIT):
        edges = [starts[i] - 1, *commas[last[i - 1] if i else 0 : last[i]], ends[i]]
        if np.diff(edges).max() - 1 > FIELD_LIMIT:
            faults[i] = Fault.field_too_long
    faults[np.searchsorted(ends, _controls(data, joined))] = Fault.control_character
    faults[_undecodable(records, joined)] = Fault.not_utf_8
    return faults


def _quoted(data: NDArray[np.uint8], commas: Ints) -> tuple[Ints, Ints]:
    """Return the commas outside quotes, and the positions of quotes that neither begin nor end a value.

    Quotes open and close in turn. The last byte is a line end, so that the first one has it before it, too.
    """
    at = np.flatnonzero(data == QUOTE)
    outer = at + np.tile((-1, 1), len(at) // 2)
    return commas[np.searchsorted(at, commas) & 1 == 0], at[~_EDGE[data[outer]]]


def _blank(records: list[bytes], first: NDArray[np.uint8], lengths: Ints, width: int) -> list[int]:
    """Find lines without a value, also those that a spreadsheet writes as commas alone, however many."""
    candidates = np.flatnonzero(np.isin(first, list(_EMPTY + b"\n")) & (lengths <= 4 * width + 64))
    return [int(i) for i in candidates if not records[i].strip(_EMPTY)]


def _controls(data: NDArray[np.uint8], joined: bytes) -> Ints:
    """Find control characters of ASCII but the tab, and those of Latin-1, which UTF-8 begins with C2."""
    found = np.flatnonzero((data < 32) & (data != LINE) & (data != TAB) | (data == DELETE))
    if b"\xc2" in joined:
        at = np.flatnonzero(data == 0xC2)
        found = np.concatenate([found, at[(data[at + 1] & 0xE0) == 0x80]])
    return found


def _undecodable(records: list[bytes], joined: bytes) -> list[int]:
    if _decodes(joined):
        return []
    return [i for i, one in enumerate(records) if not _decodes(one)]


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def identify(record: bytes, width: int) -> str | None:
    """Return the sourcedId of a record that failed, its first field, or None where it cannot be told for sure.

    It cannot when the bytes may hold a second record: who that is would be taken for absent (law 1). Nor can it when
    nothing ends the field: the file may have been cut in the middle of it.
    """
    filled = record.rstrip(b", ")  # commas at the end are no second record
    commas = filled.count(b",") if filled.count(b'"') & 1 else count_commas(filled)
    if commas >= width + STRAY or (b"," not in record and width > 1):
        return None
    first = record.split(b",", 1)[0].strip()
    if len(first) > 1 and first[:1] == first[-1:] == b'"':
        first = first[1:-1]
    return first.decode() if _GUID.fullmatch(first) else None
