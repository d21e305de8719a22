"""Findings as plain lines of a given width, the same on a terminal as in a receipt."""

import textwrap
from collections.abc import Iterator, Sequence

from ingestd.core.model import Severity
from ingestd.core.report.groups import Group, Note, Place
from ingestd.core.report.words import NBSP, number, plural, sentence, some_of

_NOTES = {Severity.CATASTROPHIC: 24, Severity.ERROR: 6}
"""How many notes of a group are told, and places of a note, by severity; of the others it is three."""


_CASCADES, _NAMED = 4, 3


def wrap(text: str, width: int, first: str = "", indent: int | None = None) -> list[str]:
    """Return `text` as lines of at most `width`: `first` before the first, blanks before the others."""
    rest = " " * (len(first) if indent is None else indent)
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return [line.replace(NBSP, " ") for line in lines]


def group_lines(group: Group, width: int) -> list[str]:
    """Return a group of findings as lines: its severity and code, what is wrong and where, what to do."""
    times = f", {number(group.count)} times" if group.count > 1 else ""
    lines = wrap(f"{group.word.upper()}  {group.code}{times}", width)
    if group.severity is Severity.INFO:
        lines += _brief(group, width)
    else:
        lines += _in_full(group.notes, _NOTES.get(group.severity, 3), width)
    lines += _what_follows(group, width)
    return [*lines, *wrap(group.remedy, width, "  > ")]


def _in_full(notes: Sequence[Note], most: int, width: int) -> Iterator[str]:
    for note in notes[:most]:
        yield from wrap(sentence(note.message), width, "  ")
        if note.ids:
            yield from wrap(note.ids, width, "    ")
        for place in note.where[:most]:
            yield from wrap(str(place), width, "    in ")
        if len(note.where) > most:
            yield f"    and in {plural(len(note.where) - most, 'more place')}"
    if more := notes[most:]:
        yield f"  and {number(sum(note.count for note in more))} more"


def _what_follows(group: Group, width: int) -> Iterator[str]:
    if group.follows:
        yield from wrap(f"{group.follows}:", width, "  ")
    for note in group.cascades[:_CASCADES]:
        yield from wrap(f"{note.code}: {sentence(note.message)}", width, "    ", 6)
        if note.ids:
            yield from wrap(note.ids, width, "      ")
        counted = f": {number(note.count)}" if len(group.cascades) > 1 else ""
        yield from wrap(f"because of {_places(note.because)}{counted}", width, "      ")
    if more := group.cascades[_CASCADES:]:
        yield f"    and {number(sum(note.count for note in more))} more"


def _places(places: Sequence[Place]) -> str:
    more = len(places) - _NAMED
    return "; ".join(map(str, places[:_NAMED])) + (f" and {plural(more, 'more place')}" if more > 0 else "")


def _brief(group: Group, width: int) -> list[str]:
    """Return what was repaired in fewer lines: nobody has to act on it."""
    notes = group.notes[:3]
    said = [line for note in notes for line in wrap(sentence(note.message), width, "  ")]
    if more := group.notes[3:]:
        said.append(f"  and {number(sum(note.count for note in more))} more")
    files = [place.file for note in group.notes for place in note.where if place.file]
    return [*said, *(wrap(f"in {some_of(files, 4, 'file')}", width, "    ", 7) if files else [])]
