"""Cut a stream of bytes into records, quotes respected. Law: a stray quote may spoil its own record, never the next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ingestd.core.model import Ints

LINE_LIMIT = 1 << 20
"""Bytes in a line; OneRoster's records are far below a kilobyte."""
BREAKS = 5
"""Line breaks inside one record up to which a quote is taken as still open. The standard allows none (rules 4.2)."""
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


def split(chunks: Iterable[bytes]) -> Iterator[Piece]:
    r"""Cut `chunks` into records at `\n` or `\r\n` outside quotes; the last one needs no line end.

    Raises:
        LineTooLongError: a line passes `LINE_LIMIT`.
    """
    rest, line = b"", 1
    for chunk in chunks:
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        lines = data[:cut].replace(b"\r\n", b"\n").split(b"\n")[:-1]
        if len(data) - cut > LINE_LIMIT:
            raise LineTooLongError(line + len(lines))
        piece, used = _join(lines, line, has_quotes=b'"' in data, is_last=False)
        yield piece
        rest = b"".join(one + b"\n" for one in lines[used:]) + data[cut:]
        line += used
    lines = rest.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n").split(b"\n") if rest else []
    yield _join(lines, line, has_quotes=b'"' in rest, is_last=True)[0]


def _join(lines: list[bytes], first: int, *, has_quotes: bool, is_last: bool) -> tuple[Piece, int]:
    """Join lines between which a quote is open. Return the records, and how many lines went into them."""
    longest = max(map(len, lines), default=0)
    if longest > LINE_LIMIT:
        raise LineTooLongError(first + next(i for i, one in enumerate(lines) if len(one) > LINE_LIMIT))
    odd = [i for i, one in enumerate(lines) if one.count(b'"') % 2] if has_quotes else []
    if not odd:
        return Piece(lines, np.arange(first, first + len(lines))), len(lines)
    spans, used = _spans(odd, len(lines), is_last=is_last)
    records: list[bytes] = []
    starts: list[int] = []
    at = 0
    for begin, end in [*spans, (used, used)]:
        records += lines[at:begin]
        starts += range(first + at, first + begin)
        if end > begin:
            records.append(b"\n".join(lines[begin:end]))
            starts.append(first + begin)
        at = end
    return Piece(records, np.array(starts, np.int64)), used


def _spans(odd: list[int], count: int, *, is_last: bool) -> tuple[list[tuple[int, int]], int]:
    """Pair each line that opens a quote with the near one that closes it.

    One that no near line closes stays a record of its own. Return the spans, and the line before which to stop
    because the rest of the file may yet close a quote.
    """
    spans, at = [], 0
    while at < len(odd):
        begin = odd[at]
        if at + 1 < len(odd) and odd[at + 1] - begin <= BREAKS:
            spans.append((begin, odd[at + 1] + 1))
            at += 2
        elif at + 1 == len(odd) and count - begin <= BREAKS and not is_last:
            return spans, begin
        else:
            at += 1
    return spans, count
