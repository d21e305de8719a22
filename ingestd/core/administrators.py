"""Who may be an administrator in the application: whom the feed names, and nobody by the data alone (systems.md E5)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import blanks, to_series
from ingestd.core.model import Mask
from ingestd.core.verbs import column_of

COLUMN = "feed.administrator"
"""The column of users that rules may ask beside the standard's: `true` of those named, else blank."""

NAMES = ("sourcedId", "username", "email")
"""The columns of users by which one is named."""


def with_administrators(users: pd.DataFrame, named: Sequence[str]) -> pd.DataFrame:
    """Return users with the column `COLUMN`. One is named by sourcedId, by username, or by e-mail in any case."""
    is_named = _is_named(users, named)
    return users.assign(**{COLUMN: to_series(pc.if_else(pa.array(is_named), "true", blanks(len(users)))).array})


def missing_administrators(users: pd.DataFrame, named: Sequence[str]) -> list[int]:
    """Return the positions in `named` of those whom no user is."""
    return [i for i, one in enumerate(named) if not _is_named(users, [one]).any()]


def _is_named(users: pd.DataFrame, named: Sequence[str]) -> Mask:
    if not named:
        return np.zeros(len(users), bool)
    exactly, anyhow = (pa.array(words, pa.large_string()) for words in (named, [one.lower() for one in named]))
    found = pc.is_in(column_of(users, "sourcedId"), exactly)
    for name in ("username", "email"):
        found = pc.or_(found, pc.is_in(pc.utf8_lower(column_of(users, name)), anyhow))
    mask: Mask = found.to_numpy(zero_copy_only=False)
    return mask
