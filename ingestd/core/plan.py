"""Desired target records against the owned ones: the ordered actions, and the digest by which they are released."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, to_series
from ingestd.core.diff import diff
from ingestd.core.hashing import RECORD, UNIT, is_member
from ingestd.core.mapping import Mapped, compared
from ingestd.core.model import Actions, Hashes, Ints, Kind, OnAbsent, Plan

_SLICE = 1 << 16


@dataclass(frozen=True, slots=True)
class Owned:
    """Target records that ingestd created and that are active, or those of them that can have changed.

    `fields_of` gives the key fields of some, asked for by their hashes and in that order, as a list per field: of most
    records nobody wants them. `inactive` are keys of records that are there and not active: where the rules say which
    fields change, they come back with these alone.
    """

    keys: Hashes
    contents: Hashes
    fields_of: Callable[[Hashes], Sequence[pa.Array]]
    inactive: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))

    @property
    def key_fields(self) -> Sequence[pa.Array]:
        """Return the key fields of all."""
        return self.fields_of(self.keys)


def plan_target(mapped: Mapped, owned: Owned, kept: Hashes) -> Iterator[Actions]:
    """Yield what must be done so that the owned records of one target table become the desired ones.

    Args:
        mapped: the desired records; those of them held back stay as they are.
        owned: what is there now.
        kept: keys of other records that stay as they are.
    """
    target, columns = mapped.target, tuple(mapped.frame.columns)
    rows = np.flatnonzero(~mapped.held)
    found = diff(owned.keys, owned.contents, mapped.keys[rows], mapped.contents[rows])
    changed = (*target.key, *compared(target, columns))
    returns = is_member(mapped.keys[rows[found.created]], owned.inactive)
    returned = rows[found.created[returns]]
    for kind, chosen, fields in (
        (Kind.CREATE, rows[found.created[~returns]], columns),
        (Kind.UPDATE, np.concatenate([rows[found.updated], returned]), changed),
    ):
        if len(chosen):
            at = chosen[order([arrow(mapped.frame[name].iloc[chosen]) for name in target.key])]
            frame = mapped.frame[list(fields)].iloc[at].reset_index(drop=True)
            yield _actions(mapped, kind, frame, mapped.keys[at], mapped.contents[at])
    stays = np.concatenate([kept, mapped.keys[mapped.held]])
    gone = found.absent[~np.isin(owned.keys[found.absent], stays)]
    if len(gone) and target.on_absent is not OnAbsent.KEEP:
        key = owned.fields_of(owned.keys[gone])
        rows = order(key)
        named = zip(target.key, key, strict=True)
        frame = pd.DataFrame({name: to_series(values.take(pa.array(rows))) for name, values in named}, copy=False)
        yield _actions(mapped, Kind.REMOVE, frame, owned.keys[gone[rows]], owned.contents[gone[rows]])


def order(key: Sequence[pa.Array]) -> Ints:
    """Return the positions that sort records by their key fields, so that no plan depends on the order of rows."""
    cells = pa.table(list(key), names=[str(i) for i in range(len(key))])
    by = [(name, "ascending") for name in cells.column_names]
    return np.asarray(pc.sort_indices(cells, sort_keys=by), np.int64)


def _actions(mapped: Mapped, kind: Kind, frame: pd.DataFrame, keys: Hashes, contents: Hashes) -> Actions:
    target, columns = mapped.target, tuple(mapped.frame.columns)
    return Actions(target.name, kind, target.key, columns, frame, keys, contents, target.on_absent)


def make_plan(actions: Iterable[Actions]) -> Plan:
    """Order the actions: creations and updates as the rules list their tables, removals the other way round.

    What gets another key gets it first: the others know the record by its new one.
    """
    given = tuple(actions)
    ordered = (
        *(one for one in given if one.kind is Kind.REKEY),
        *(one for one in given if one.kind not in {Kind.REKEY, Kind.REMOVE}),
        *(one for one in reversed(given) if one.kind is Kind.REMOVE),
    )
    return Plan(ordered, digest(ordered))


def together(plans: Mapping[str, Plan], shown: str) -> Plan:
    """Return the plan that stands for those of several sinks: the actions of one, and a digest over all."""
    sha = hashlib.sha256()
    for name, plan in plans.items():
        sha.update(f"{name}{UNIT}{plan.digest}{RECORD}".encode())
    return Plan(plans[shown].actions, sha.hexdigest())


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
