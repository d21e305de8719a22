"""Telephone numbers: which a country cannot have, and how all are written alike."""

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import by_distinct, change_where
from ingestd.core.model import Mask

_PLAIN = r"^\+[1-9]\d{7,14}$"
"""E.164, which needs no second look."""
_WRONG = "\0"


def impossible(values: pa.Array, country: str) -> Mask:
    """Return which numbers cannot be dialled from `country` (two letters, ISO 3166); blanks and E.164 pass."""
    open_ = pc.and_(pc.not_equal(values, ""), pc.invert(pc.match_substring_regex(values, _PLAIN)))
    rows = np.flatnonzero(open_.to_numpy(zero_copy_only=False))
    _, wrong = by_distinct(values.take(pa.array(rows)), lambda text: text if _is_possible(text, country) else _WRONG)
    found = np.zeros(len(values), bool)
    found[rows[wrong]] = True
    return found


def e164(values: pa.Array, country: str) -> pa.Array:
    """Return numbers in the form of E.164, `+12175550100`, as dialled from `country`; an impossible one is blank."""
    other = pc.invert(pc.match_substring_regex(values, _PLAIN))
    return change_where(values, other, lambda text: _written(text, country))


def _written(text: str, country: str) -> str:
    if not _is_possible(text, country):
        return ""
    number = phonenumbers.parse(text, country)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_possible(text: str, country: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, country))
    except phonenumbers.NumberParseException:
        return False
