"""All bad inputs of OneRoster's meaning that are one drop; those that take several days are stories."""

from collections.abc import Sequence

from corpus import semantics_change, semantics_deltas, semantics_files, semantics_records, semantics_values
from corpus.case import Case

CASES: Sequence[Case] = [
    *semantics_files.CASES,
    *semantics_deltas.CASES,
    *semantics_values.CASES,
    *semantics_records.CASES,
    *semantics_change.CASES,
]
