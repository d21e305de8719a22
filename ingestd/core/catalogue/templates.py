"""Messages and remedies as templates: their words put in, shown as placeholders, and read back out of a message."""

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter


@cache
def words_of(template: str) -> tuple[str, ...]:
    """Return the words of a template in their order, each once."""
    return tuple(dict.fromkeys(word for _, word in _parts(template) if word))


def fill(template: str, words: Mapping[str, str] | None = None) -> str:
    """Return a template with its words put in; one that is not given stands as `<word>`."""
    given = words or {}
    return "".join(text + (given.get(word, f"<{word}>") if word else "") for text, word in _parts(template))


def read_back(template: str, message: str) -> dict[str, str]:
    """Return the words with which a message was filled; empty if it was not made from this template."""
    found = _pattern(template).fullmatch(message)
    return found.groupdict() if found else {}


@cache
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return pieces of text, each with the word that follows it, if one does."""
    return tuple((text, word) for text, word, _, _ in Formatter().parse(template))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return what reads a template's words out of a message; a word that comes twice is the same both times."""
    pattern, names = "", set[str]()
    for text, word in _parts(template):
        pattern += re.escape(text)
        if word:
            pattern += f"(?P={word})" if word in names else f"(?P<{word}>.*?)"
            names.add(word)
    return re.compile(pattern, re.DOTALL)
