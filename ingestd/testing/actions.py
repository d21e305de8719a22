"""Actions to try a sink with, as a plan has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ingestd.core.columns import TEXT
from ingestd.core.model import Actions, Kind, OnAbsent, new_key_of

Key = tuple[str, ...]

COLUMNS = ("id", "name", "email")
ANN = {"id": "P1", "name": "Ann", "email": "ann@x.example"}
BOB = {"id": "P2", "name": "Bob", "email": ""}


def group(
    kind: Kind,
    *records: Mapping[str, str],
    target: str = "patrons",
    key: Key = ("id",),
    columns: Sequence[str] = COLUMNS,
    on_absent: OnAbsent = OnAbsent.DEACTIVATE,
) -> Actions:
    """Return actions of one kind; each record names the same fields."""
    frame = pd.DataFrame({name: pd.Series([one[name] for one in records], dtype=TEXT) for name in records[0]})
    hashes = np.arange(1, len(records) + 1, dtype=np.uint64)
    return Actions(target, kind, key, tuple(columns), frame, hashes, hashes, on_absent)


def create(*records: Mapping[str, str], **about: Any) -> Actions:
    """Return creations."""
    return group(Kind.CREATE, *records, **about)


def update(*records: Mapping[str, str], **about: Any) -> Actions:
    """Return updates."""
    return group(Kind.UPDATE, *records, **about)


def remove(*ids: str, **about: Any) -> Actions:
    """Return removals."""
    return group(Kind.REMOVE, *({"id": one} for one in ids), **about)


def rekey(old: Key, new: Key, **about: Any) -> Actions:
    """Return the change of one record's key."""
    key = about.get("key", ("id",))
    named = {**dict(zip(key, old, strict=True)), **dict(zip(new_key_of(key), new, strict=True))}
    return group(Kind.REKEY, named, **about)
