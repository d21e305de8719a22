"""Lists of what refers to a record: the teachers of a class, the guardians of a student."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow, flat
from ingestd.core.rules import Collect
from ingestd.core.verbs import column_of, fulfils, per_item


def collect(ids: pa.Array, related: pd.DataFrame, rule: Collect) -> pa.Array:
    """Return for each id what the records that refer to it have, as a list in the rule's order; else a blank.

    Args:
        ids: the sourcedIds of the records that get the lists.
        related: all records of the table that refers to them.
        rule: which of those, by which column, and what is taken. What a list would have twice it has once.
    """
    chosen = related[fulfils(related, rule.where)] if rule.where else related
    chosen = per_item(chosen, rule.by)
    names = dict.fromkeys([rule.by, *(name.removeprefix("-") for name in rule.order), rule.take])
    table = pa.table({name: column_of(chosen, name) for name in names})
    table = table.filter(pc.not_equal(table[rule.take], ""))
    direct = {name.removeprefix("-"): "descending" if name.startswith("-") else "ascending" for name in rule.order}
    table = table.sort_by([(name, direct.get(name, "ascending")) for name in names])
    pairs = pd.DataFrame({"by": table[rule.by].to_pandas(), "take": table[rule.take].to_pandas()}).drop_duplicates()
    lists = pa.table({"by": arrow(pairs["by"]), "take": arrow(pairs["take"])})
    lists = lists.group_by("by", use_threads=False).aggregate([("take", "list")])
    joined = pc.binary_join(flat(lists["take_list"]), pa.scalar(",", pa.large_string()))
    at = pc.index_in(ids, value_set=flat(lists["by"]))
    return pc.fill_null(joined.take(at), "").cast(pa.large_string())
