"""Text to records, in a dialect of CSV that is followed to the letter: no other reader's tolerance has a say in it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is written: the line that it begins in, its cells with their quotes, what ends it.

    `whole` is false where the dialect is broken; the cells are then those ahead of the fault.
    """

    line: int
    cells: tuple[str, ...]
    end: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a format writes its files.

    Attributes:
        cell: One cell as it is written, quotes and all; it matches the empty cell too.
        separator: What stands between two cells.
        value: From a cell as written to its value.
        broken: What is wrong with a record of which `cell` does not match the whole.
        look: Yields what else is wrong with a record as it is written.
    """

    cell: re.Pattern[str]
    separator: str
    value: Callable[[str], str]
    broken: str
    look: Callable[[Record], Iterable[str]] = lambda _record: ()


END = re.compile(r"\r?\n|\Z")


def records(text: str, dialect: Dialect) -> Iterator[Record]:
    """Yield the records of a text; where one is broken, the next begins with the next line."""
    at, line = 0, 1
    while at < len(text):
        cells, stop = _cells(text, at, dialect)
        end = END.match(text, stop)
        after = end.end() if end else text.find("\n", stop) + 1 or len(text)
        yield Record(line, cells, end[0] if end else "", whole=end is not None)
        line += text.count("\n", at, after)
        at = after


def _cells(text: str, at: int, dialect: Dialect) -> tuple[tuple[str, ...], int]:
    """Return the cells that begin at a place, and the place where they stop."""
    cells = []
    while match := dialect.cell.match(text, at):
        cells.append(match[0])
        at = match.end()
        if text[at : at + 1] != dialect.separator:
            break
        at += 1
    return tuple(cells), at


def _value(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def rfc_4180(look: Callable[[Record], Iterable[str]] = lambda _record: ()) -> Dialect:
    """Return the dialect of RFC 4180: quotes around a value, doubled within it."""
    cell = re.compile(r'"(?:[^"]|"")*"|[^",\r\n]*')
    return Dialect(cell, ",", _value, "the record is not written as RFC 4180 says", look)
