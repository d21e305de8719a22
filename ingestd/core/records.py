"""Cut a stream of bytes into records, quotes respected. Law: a stray quote may spoil its own record, never the next.

The standard allows no line break inside a field (rules 4.2). Where a quoted field has one all the same, its lines are
put together so that the finding is about one record. That is done only where there is no doubt; else each line stands
for itself, and the gate judges it. How the bytes were cut into chunks makes no difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ingestd.core.model import Ints

LINE_LIMIT = 1 << 20
"""Bytes in a line; OneRoster's records are far below a kilobyte."""
BREAKS = 5
"""Line breaks inside one record up to which its lines are put together (reliability notes, 3.2)."""
BOM = b"\xef\xbb\xbf"


class LineTooLongError(ValueError):
    """A line of more than `LINE_LIMIT` bytes begins at `line`; what holds it is not a roster file."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is longer than {LINE_LIMIT} bytes")
        self.line = line


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of a stretch of a file, without their line ends, and the line on which each one starts."""

    records: list[bytes]
    lines: Ints


def count_commas(text: bytes) -> int:
    """Return the number of commas outside quotes."""
    return sum(part.count(b",") for part in text.split(b'"')[::2])


def split(chunks: Iterable[bytes]) -> Iterator[Piece]:
    r"""Cut `chunks` into records at `\n` or `\r\n` outside quotes; the last one needs no line end.

    The file's first line is a record, the header, and says how many fields the others should have.

    Raises:
        LineTooLongError: a line passes `LINE_LIMIT`.
    """
    held: list[bytes] = []  # lines that a later one may yet join
    tail, first, commas = b"", 1, -1
    for chunk in chunks:
        data = (tail + chunk).replace(b"\r\n", b"\n")
        _check_lengths(data, first + len(held))
        lines = data.split(b"\n")
        tail = lines.pop()
        lines[:0] = held
        if lines and first == 1:
            commas = count_commas(lines[0])
        spans, used = _spans(lines, commas, is_last=False) if held or b'"' in data else ([], len(lines))
        yield _join(lines[:used], spans, first)
        held, first = lines[used:], first + used
    lines = [*held, tail.removesuffix(b"\r")] if tail else held
    yield _join(lines, _spans(lines, commas, is_last=True)[0], first)


def _check_lengths(data: bytes, first: int) -> None:
    """Jump from line end to line end, as far as a line may be long: a look at all of them would cost too much."""
    at, size = 0, len(data) - data.endswith(b"\r")
    while size - at > LINE_LIMIT:
        end = data.rfind(b"\n", at, at + LINE_LIMIT + 1)
        if end < 0:
            raise LineTooLongError(first + data.count(b"\n", 0, at))
        at = end + 1


def _spans(lines: list[bytes], commas: int, *, is_last: bool) -> tuple[list[tuple[int, int]], int]:
    """Pair each line that opens a quote with the near one that closes it.

    Return the spans, and the line before which to stop because lines that are not here yet may close a quote.
    """
    odd = [i for i, one in enumerate(lines) if one.count(b'"') & 1]
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(odd):
        begin, end = odd[at], odd[at + 1] + 1 if at + 1 < len(odd) else None
        if end is None and len(lines) - begin <= BREAKS and not is_last:
            return spans, begin
        if end is not None and end - begin <= BREAKS + 1 and _is_one(lines[begin:end], commas):
            spans.append((begin, end))
            at += 1
        at += 1
    return spans, len(lines)


def _is_one(lines: list[bytes], commas: int) -> bool:
    """Return whether lines are beyond doubt one record: it has the header's width, and no further line may have it."""
    return count_commas(b"\n".join(lines)) == commas and all(one.count(b",") < commas for one in lines[1:])


def _join(lines: list[bytes], spans: list[tuple[int, int]], first: int) -> Piece:
    starts = np.arange(first, first + len(lines))
    if not spans:
        return Piece(lines, starts)
    begins = np.ones(len(lines), bool)
    for begin, end in spans:
        begins[begin + 1 : end] = False
        lines[begin] = b"\n".join(lines[begin:end])
    return Piece([lines[i] for i in np.flatnonzero(begins)], starts[begins])
