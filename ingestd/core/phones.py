"""Telephone numbers: which a country cannot have."""

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import by_distinct
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


def _is_possible(text: str, country: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, country))
    except phonenumbers.NumberParseException:
        return False
