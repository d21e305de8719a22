"""How values are written in the configuration, and how a fault speaks of them. The bottom of this package."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\"} | {code: f"\\u{code:04x}" for code in (*range(32), 127)}


@dataclass(frozen=True, slots=True)
class Written:
    """How a value is written in the file: its type in words, and the way back from the value to the text."""

    words: str
    render: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class DefaultIs:
    """A default in words, where it is worked out from something else."""

    words: str


@dataclass(frozen=True, slots=True)
class NotASetting:
    """Marks a field that the loader fills in and a file must not."""


def quoted(value: object) -> str:
    """Return a value as TOML writes text, cut where nobody reads on."""
    text = str(value)
    return f'"{(text if len(text) <= 60 else text[:59] + "…").translate(_ESCAPES)}"'


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them."""
    return ", ".join(names)


def one_of(words: Iterable[str]) -> str:
    """Return the words that may be written, as a sentence names them."""
    allowed = [quoted(word) for word in words]
    return ("one of " if len(allowed) > 1 else "") + listed(allowed)


def hint(name: object, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` with the known name nearest to `name`, or nothing."""
    by_lower = {one.lower(): one for one in known}
    said = str(name).lower()
    begun = [one for one in by_lower if said and one.startswith(said)]
    near = difflib.get_close_matches(said, by_lower, n=1, cutoff=0.6) or begun
    return f"; did you mean {quoted(by_lower[near[0]])}?" if near else ""
