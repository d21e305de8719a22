"""Findings about what the mapping rules make of a roster: theirs is the operator's to mend."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "unmapped-value": Entry(
        severity=Severity.ERROR,
        title="A value that no map has",
        message="a value has no entry in the value map {map}",
        cause="The district has a new school, grade or role, or the map was made before all values had been seen.",
        remedy="Operator: add it to [maps.{map}] of the rules.",
        source="ingestd",
    ),
    "duplicate-target-key": Entry(
        severity=Severity.ERROR,
        title="Two records with one key",
        message="two records give the same key in {target}",
        cause="The rules make the key from something that two records share, such as a login name.",
        remedy="Operator: choose a key that is unique, or have the source system make it so.",
        source="ingestd",
    ),
}
