"""What findings say: the words in a message, the remedy filled with them, one sentence for many ids.

The catalogue's messages are templates; what they were filled with is read back out of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ingestd.core.findings import CATALOGUE, FURTHER
from ingestd.core.report.words import NBSP

Found = Mapping[str, Any]
"""A finding, as a document lists it."""

_TITLES = {
    "dangling-reference": "References to records that are not there",
    "dangling-optional-reference": "Optional references to records that are not there",
    "dropped-value": "Optional values that were left out",
    "reference-to-held-back": "References to records that were held back",
}
"""What a group of several notes is called where its code is not plain enough."""
_TOGETHER = {
    "dangling-reference": "{file} refers to records that {target} does not have",
    "dangling-optional-reference": "{file} refers to records that {target} does not have; the references were left out",
    "reference-to-held-back": "{file} refers to records of {target} that were held back",
}
"""What is said of many ids at once, by code; the catalogue's messages name one."""
ABOUT_IDS = frozenset(_TOGETHER)
"""Codes whose findings name an id that something refers to."""


def read_message(code: str, message: str) -> dict[str, str]:
    """Return the words with which a message of the catalogue was filled; empty if it is not the catalogue's."""
    entry = CATALOGUE.get(code)
    found = _pattern(entry.message).fullmatch(message.removesuffix(FURTHER)) if entry else None
    return found.groupdict() if found else {}


def find_remedy(code: str, messages: Iterable[str] = ()) -> str:
    """Return what to do about a code. A word that its messages do not agree on stands as `<name>`."""
    entry = CATALOGUE.get(code)
    if not entry:
        return ""
    every = [read_message(code, message) for message in messages]

    def fill(match: re.Match[str]) -> str:
        said = {words.get(match[1]) for words in every} or {None}
        return (said.pop() if len(said) == 1 else None) or f"<{match[1]}>"

    return re.sub(r"\{(\w+)\}", fill, entry.remedy)


def name_group(code: str) -> str:
    """Return what several notes of a code are called."""
    return _TITLES.get(code, code.replace("-", " ").capitalize())


def gist(finding: Found) -> str:
    """Return what a finding says, without its id if it names one."""
    code, message = finding["code"], finding["message"].removesuffix(FURTHER)
    words = read_message(code, message)
    return _TOGETHER[code].format(**words) if words and code in ABOUT_IDS else str(message)


def name_ids(findings: Sequence[Found], most: int = 6) -> str:
    """Return the ids that are missed most, `ids: C-17 (412), C-19 (29)`; empty if it is not about ids."""
    named: dict[str, int] = {}
    for finding in findings:
        sourced_id = read_message(finding["code"], finding["message"]).get("id", "")
        if sourced_id and " " not in sourced_id and not finding["message"].endswith(FURTHER):
            named[sourced_id] = named.get(sourced_id, 0) + finding["count"]
    first = sorted(named, key=lambda one: -named[one])[:most]
    told = ", ".join(f"{one}{NBSP}({named[one]:,})" for one in first)
    is_all = len(first) == len(named) == len(findings)
    return f"{'ids' if is_all else 'most often'}: {told}" if told else ""


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return what reads a template's words back out of a message; a word that comes twice is the same both times."""
    names: set[str] = set()

    def group(match: re.Match[str]) -> str:
        is_new = match[1] not in names
        names.add(match[1])
        return f"(?P<{match[1]}>.*?)" if is_new else f"(?P={match[1]})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(template)), re.DOTALL)
