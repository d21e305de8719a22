"""Desired target records against the owned ones: the ordered actions, and the digest by which they are released."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, to_series
from ingestd.core.diff import diff
from ingestd.core.hashing import RECORD, UNIT
from ingestd.core.mapping import Mapped, compared
from ingestd.core.model import Actions, Hashes, Ints, Kind, OnAbsent, Plan

_SLICE = 1 << 16


@dataclass(frozen=True, slots=True)
class Owned:
    """Target records that ingestd created and that are active, or those of them that can have changed.

    `key_text` has the key fields of each, as a list per field.
    """

    keys: Hashes
    contents: Hashes
    key_fields: Sequence[pa.Array]


def plan_target(mapped: Mapped, owned: Owned, kept: Hashes) -> Iterator[Actions]:
    """Yield what must be done so that the owned records of one target table become the desired ones.

    Args:
        mapped: the desired records.
        owned: what is there now.
        kept: keys that stay as they are, because their source record was held back.
    """
    target, columns = mapped.target, tuple(mapped.frame.columns)
    rows = np.flatnonzero(~mapped.held)
    found = diff(owned.keys, owned.contents, mapped.keys[rows], mapped.contents[rows])
    changed = tuple(compared(target, list(columns)))
    for kind, chosen, fields in (
        (Kind.CREATE, rows[found.created], columns),
        (Kind.UPDATE, rows[found.updated], (*target.key, *changed)),
    ):
        if len(chosen):
            frame = mapped.frame.iloc[chosen][list(fields)]
            yield _sorted(mapped, kind, frame, mapped.keys[chosen], mapped.contents[chosen])
    stays = np.concatenate([kept, mapped.keys[mapped.held]])
    gone = found.absent[~np.isin(owned.keys[found.absent], stays)]
    if len(gone) and target.on_absent is not OnAbsent.KEEP:
        yield _sorted(mapped, Kind.REMOVE, _keys(target.key, owned, gone), owned.keys[gone], owned.contents[gone])


def _keys(names: Sequence[str], owned: Owned, chosen: Ints) -> pd.DataFrame:
    at = pa.array(chosen)
    return pd.DataFrame(
        {name: to_series(values.take(at)) for name, values in zip(names, owned.key_fields, strict=True)}
    )


def _sorted(mapped: Mapped, kind: Kind, frame: pd.DataFrame, keys: Hashes, contents: Hashes) -> Actions:
    target = mapped.target
    cells = pa.table({name: arrow(frame[name]) for name in target.key})
    order = pc.sort_indices(cells, sort_keys=[(name, "ascending") for name in target.key]).to_numpy()
    return Actions(
        target=target.name,
        kind=kind,
        key=target.key,
        columns=tuple(mapped.frame.columns),
        frame=frame.iloc[order].reset_index(drop=True),
        keys=keys[order],
        contents=contents[order],
        on_absent=target.on_absent,
    )


def make_plan(actions: Iterable[Actions]) -> Plan:
    """Order the actions: creations and updates as the rules list their tables, removals the other way round."""
    given = tuple(actions)
    ordered = (
        *(one for one in given if one.kind is not Kind.REMOVE),
        *(one for one in reversed(given) if one.kind is Kind.REMOVE),
    )
    return Plan(ordered, digest(ordered))


def digest(actions: Iterable[Actions]) -> str:
    """Return the SHA-256 over all actions in their order, every cell included."""
    sha = hashlib.sha256()
    for one in actions:
        head = (one.target, one.kind, one.on_absent, *one.key, *one.frame.columns, str(len(one)))
        sha.update((UNIT.join(head) + RECORD).encode())
        cells = [arrow(one.frame[name]) for name in one.frame.columns]
        for start in range(0, len(one), _SLICE):
            rows = pc.binary_join_element_wise(
                *(values.slice(start, _SLICE) for values in cells), pa.scalar(UNIT, pa.large_string())
            )
            sha.update((RECORD.join(rows.to_pylist()) + RECORD).encode())
    return sha.hexdigest()
