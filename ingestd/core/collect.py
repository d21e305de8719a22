"""Lists of what is related to a record: the teachers of a class, the guardians of a student."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow
from ingestd.core.rules import Collect
from ingestd.core.verbs import column_of, fulfils, items, joined


def collect(records: pd.DataFrame, related: pd.DataFrame, rule: Collect) -> tuple[pa.Array, int]:
    """Return for each record what those related to it have, as a list in the rule's order; else a blank.

    Args:
        records: those that get the lists.
        related: all records of the related table.
        rule: which of those, by which columns, and what is taken. What a list would have twice it has once.

    Returns:
        The lists, and how many of them would be longer than the rule allows.
    """
    chosen = related[fulfils(related, rule.where)].reset_index(drop=True)
    chosen = chosen[(chosen[rule.take] != "").to_numpy()] if rule.take in chosen else chosen.iloc[:0]
    chosen = _in_order(chosen.reset_index(drop=True), rule)
    pairs = pd.concat([_named(records, chosen, rule), _naming(records, chosen, rule)], ignore_index=True)
    if rule.order or rule.of is None:
        pairs = pairs.sort_values(["row", "related"], kind="stable")
    pairs["item"] = chosen[rule.take].array.take(pairs["related"].to_numpy(np.int64))
    pairs = pairs[["row", "item"]].drop_duplicates()
    crowded = 0
    if rule.most is not None:
        place = pairs.groupby("row").cumcount()
        crowded = int((place == rule.most).sum())
        pairs = pairs[place < rule.most]
    return joined(pairs, len(records)), crowded


def _in_order(chosen: pd.DataFrame, rule: Collect) -> pd.DataFrame:
    """Return related records so sorted that the first comes first in every list."""
    names = dict.fromkeys([*(name.removeprefix("-") for name in rule.order), rule.take])
    direct = {name.removeprefix("-"): "descending" for name in rule.order if name.startswith("-")}
    table = pa.table({name: column_of(chosen, name) for name in names})
    at = pc.sort_indices(table, sort_keys=[(name, direct.get(name, "ascending")) for name in names])
    sorted_records: pd.DataFrame = chosen.iloc[at.to_numpy()].reset_index(drop=True)
    return sorted_records


def _named(records: pd.DataFrame, chosen: pd.DataFrame, rule: Collect) -> pd.DataFrame:
    """Return `row` and `related` of what the records themselves refer to."""
    if rule.of is None:
        return _pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    own = items(column_of(records, rule.of))
    at = pc.index_in(arrow(own["item"]), value_set=column_of(chosen, "sourcedId"))
    is_there = at.is_valid().to_numpy(zero_copy_only=False)
    return _pairs(own["row"].to_numpy()[is_there], at.drop_null().to_numpy())


def _naming(records: pd.DataFrame, chosen: pd.DataFrame, rule: Collect) -> pd.DataFrame:
    """Return `row` and `related` of what refers to the records."""
    if rule.by is None:
        return _pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    theirs = items(column_of(chosen, rule.by))
    at = pc.index_in(arrow(theirs["item"]), value_set=column_of(records, "sourcedId"))
    is_there = at.is_valid().to_numpy(zero_copy_only=False)
    return _pairs(at.drop_null().to_numpy(), theirs["row"].to_numpy()[is_there])


def _pairs(rows: "np.typing.NDArray[np.integer]", related: "np.typing.NDArray[np.integer]") -> pd.DataFrame:
    return pd.DataFrame({"row": rows.astype(np.int64), "related": related.astype(np.int64)})
