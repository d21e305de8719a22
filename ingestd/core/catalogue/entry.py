"""What is told of a code: the fields of an entry, and the words that a message is filled with."""

from dataclasses import dataclass

from ingestd.core.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One code of a finding.

    `title` names it in a few words, `message` says what is so at some place, `cause` why that happens, `remedy` what
    to do, for whoever can do it. `source` is where the rule comes from. Message and remedy may have words in braces
    (`WORDS`); braces that are meant are doubled. `switchable`: strictness turns it into an error (law 8), be it a
    warning or, as information, a repair. `together` is what is said of many ids at once, where the message names one.
    """

    severity: Severity
    title: str
    message: str
    cause: str
    remedy: str
    source: str
    switchable: bool = False
    together: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachEntry:
    """One code of a breach, which holds a run until someone consents. Its message is made where it is found."""

    title: str
    cause: str
    remedy: str


WORDS = {
    "allowed": "the words that the standard allows",
    "begin": "the column with the beginning",
    "column": "the column",
    "count": "how many records or columns",
    "detail": "what it is in particular, in words, names and sizes",
    "encoding": "the name of an encoding",
    "end": "the column with the end",
    "expected": "the name of the file in the standard",
    "file": "the file",
    "given": "the name or number as header or manifest spell it",
    "hint": "the nearest name, as a question",
    "id": "the sourcedId that is referred to",
    "known": "the versions that are read",
    "limit": "the limit",
    "map": "the value map of the rules",
    "name": "the file or property",
    "other": "another version of OneRoster",
    "reason": "why it is missed",
    "target": "the table or file that is referred to",
    "type": "the type that the standard demands",
    "version": "a version of OneRoster",
    "why": "the message of the fault",
}
"""The words of messages and what each holds: names, counts, sizes and ids, never a value of the data (law 9)."""
