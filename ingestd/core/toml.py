"""Reads the values of a TOML file that people write: what is not as it must be is noted, and reading goes on."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

_NAME = re.compile(r"(?!sqlite_)[a-z][a-z0-9_.]*", re.IGNORECASE)

Word = TypeVar("Word", bound=StrEnum)


@dataclass(slots=True)
class TomlReader:
    """Each reading returns what it found, or something harmless; `faults` has each fault as `key: what is wrong`."""

    faults: list[str] = field(default_factory=list)

    def choice(self, where: str, value: object, words: type[Word]) -> Word:
        """Return one of the words."""
        if isinstance(value, str) and value in list(words):
            return words(value)
        self.faults.append(f"{where}: {not_one_of(value, [str(word) for word in words])}")
        return next(iter(words))

    def table(self, where: str, given: object, like: str = "") -> Mapping[str, Any]:
        """Return a table; `like` is an example for the fault."""
        if isinstance(given, dict):
            return given
        self.faults.append(f"{where}: must be a table{like}")
        return {}

    def text(self, where: str, given: object) -> str | None:
        """Return a text, or None if nothing is given."""
        if given is None or isinstance(given, str):
            return given
        self.faults.append(f"{where}: {given!r} is not a text; write it in quotes")
        return None

    def texts(self, where: str, given: object, of: str) -> tuple[str, ...]:
        """Return a list of at least one text; `of` says what they are."""
        if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
            return tuple(given)
        self.faults.append(f"{where}: must be a list of at least one {of}, in quotes")
        return ()

    def flag(self, where: str, given: object) -> bool:
        """Return true or false."""
        if isinstance(given, bool):
            return given
        self.faults.append(f"{where}: {given!r} is neither true nor false")
        return False

    def is_one_of(self, where: str, found: object, allowed: Collection[str]) -> bool:
        """Return whether a word is one of those allowed; if not, it is a fault."""
        if isinstance(found, str) and found in allowed:
            return True
        self.faults.append(f"{where}: {not_one_of(found, allowed)}")
        return False

    def check_keys(self, where: str, entry: Mapping[str, Any], allowed: Sequence[str]) -> None:
        """Refuse keys that are not among those allowed."""
        for key in entry:
            if key not in allowed:
                self.faults.append(f"{where}{key}: not a key; allowed: {', '.join(allowed)}{hint(key, allowed)}")

    def check_name(self, where: str, name: object) -> None:
        """Refuse what no database takes for the name of a table or a column."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.faults.append(
                f"{where}: {name!r} is not a name: letters, digits, _ and ., first a letter, not sqlite_"
            )

    def check_twice(self, where: str, names: Sequence[str]) -> None:
        """Refuse names that differ in case at most: a database takes them for one."""
        folded = [name.casefold() for name in names]
        self.faults += [
            f"{where}: {name} is there twice" for name in sorted({n for n in folded if folded.count(n) > 1})
        ]


def not_one_of(found: object, allowed: Iterable[str]) -> str:
    """Return that a value is none of those allowed, and which is nearest."""
    words = list(allowed)
    return f"{found!r} is not one of {', '.join(words)}{hint(found, words)}"


def hint(found: object, allowed: Sequence[str]) -> str:
    """Return which of the allowed is nearest, if any is near."""
    near = difflib.get_close_matches(str(found), allowed, n=1)
    return f"; did you mean {near[0]}?" if near else ""
