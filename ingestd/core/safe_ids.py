"""Ids for systems that take letters, digits and hyphens alone, such as Apple School Manager.

Law: every id has a safe one of its own, which tells it again, so that no two ids ever become one. What is safe stays as
it is, but for a hyphen that would be read as the beginning of a replaced byte.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import change_where

_SUSPECT = r"[^A-Za-z0-9-]|-x[0-9A-F]{2}"
"""What an id has that does not stay as it is."""
_UNSAFE = re.compile(r"[^A-Za-z0-9-]|-(?=x[0-9A-F]{2})")
_REPLACED = re.compile(r"(?:-x[0-9A-F]{2})+")


def safe_id(text: str) -> str:
    """Return the id with each other byte as `-xHH`: `TCH_12` is `TCH-x5F12`."""
    return _UNSAFE.sub(lambda found: "".join(f"-x{byte:02X}" for byte in found[0].encode()), text)


def safe_ids(values: pa.Array) -> pa.Array:
    """Return the safe form of each id of a column."""
    return change_where(values, pc.match_substring_regex(values, _SUSPECT), safe_id)


def original_id(text: str) -> str:
    """Return the id that `safe_id` made this from.

    Raises:
        UnicodeDecodeError: it made it from none.
    """
    return _REPLACED.sub(lambda found: bytes.fromhex(found[0].replace("-x", "")).decode(), text)
