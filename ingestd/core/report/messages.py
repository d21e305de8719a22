"""What findings say: the words in a message, the remedy filled with them, one sentence for many ids.

The catalogue's messages are templates; what they were filled with is read back out of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingestd.core.catalogue import CATALOGUE, fill, read_back, words_of
from ingestd.core.findings import FURTHER
from ingestd.core.report.words import NBSP

Found = Mapping[str, Any]
"""A finding, as a document lists it."""


def read_message(code: str, message: str) -> dict[str, str]:
    """Return the words with which a message of the catalogue was filled; empty if it is not the catalogue's."""
    entry = CATALOGUE.get(code)
    return read_back(entry.message, message.removesuffix(FURTHER)) if entry else {}


def find_remedy(code: str, messages: Iterable[str] = ()) -> str:
    """Return what to do about a code. A word that its messages do not agree on stands as `<name>`."""
    entry = CATALOGUE.get(code)
    if not entry:
        return ""
    wanted = words_of(entry.remedy)
    every = [read_message(code, message) for message in messages] if wanted else []
    said = {word: {one.get(word, "") for one in every} for word in wanted}
    return fill(entry.remedy, {word: texts.pop() for word, texts in said.items() if len(texts) == 1 and all(texts)})


def name_group(code: str) -> str:
    """Return what findings of a code are called."""
    entry = CATALOGUE.get(code)
    return entry.title if entry else code.replace("-", " ").capitalize()


def gist(finding: Found) -> str:
    """Return what a finding says, without its id if it names one."""
    code, message = finding["code"], finding["message"].removesuffix(FURTHER)
    words = read_message(code, message)
    return fill(CATALOGUE[code].together, words) if words and CATALOGUE[code].together else str(message)


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
