"""The catalogue: every code that ingestd tells, as data. Messages, reports, README and `explain-code` all read it.

A code is a kebab-case noun; one that has been told is never given another meaning. Law: nothing here, nor what fills
a message, is a value of the data (law 9).
"""

from collections.abc import Mapping
from types import MappingProxyType

from ingestd.core.catalogue import across, file, fileset, mapping, package, record, repairs, value
from ingestd.core.catalogue.breaches import BREACHES
from ingestd.core.catalogue.entry import WORDS, BreachEntry, Entry
from ingestd.core.catalogue.templates import fill, read_back, words_of

__all__ = ["BREACHES", "CATALOGUE", "GROUPS", "WORDS", "BreachEntry", "Entry", "fill", "read_back", "words_of"]

GROUPS: Mapping[str, Mapping[str, Entry]] = MappingProxyType(
    {
        "The zip": package.ENTRIES,
        "The set of files": fileset.ENTRIES,
        "A file as a whole": file.ENTRIES,
        "A record as a line": record.ENTRIES,
        "The values of a record": value.ENTRIES,
        "Records against each other": across.ENTRIES,
        "Mended or passed over": repairs.ENTRIES,
        "Scope and mapping": mapping.ENTRIES,
    }
)
"""The findings in the order of the stages, by what they are about."""

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {code: entry for entries in GROUPS.values() for code, entry in entries.items()}
)
"""All findings by code, in the order of the stages."""
