"""What the application has as it is in the roster: seen by hashes alone, which say what mapping would."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, TABLES, frame, owned_of

from ingestd.core.columns import arrow
from ingestd.core.commit import live_of
from ingestd.core.hashing import hash_ids, hash_rows
from ingestd.core.mapping import map_records
from ingestd.core.model import OnAbsent
from ingestd.core.plan import Owned
from ingestd.core.rules import OnUnmapped, Rules, Target
from ingestd.core.scan import Live
from ingestd.core.standing import REST, is_as_it_is, without_standing
from schemas import shapes

USERS = Target("users", "users", ("sourcedId",), OnAbsent.DEACTIVATE)
RECORDS = frame(
    sourcedId=["U3", "U1", "U2", "U4", "U5"],
    status=["", "active", "summer", "active", ""],
    dateLastModified=["", "2026-01-01", "", "2026-01-02", "2026-01-03"],
    givenName=["Ann", "", "Bo", "", ""],
    grades=["", "", "09", "07", ""],
)


def live(records: pd.DataFrame) -> Live:
    """Return the arrays of live records whose keys are 1, 2 and so on."""
    rids, hashes = np.arange(len(records)) + 1, hash_ids(arrow(records["sourcedId"]), SEED + 1)
    return live_of(shapes()["users"], records, rids, hashes, np.zeros(len(records), np.int64), SEED)


def owned(records: pd.DataFrame) -> Owned:
    """Return what is owned of these records once they were mapped."""
    rules = Rules((USERS,), {}, OnUnmapped.DEFAULT, "")
    made = map_records(USERS, records, {}, rules, SEED)
    return owned_of(made.keys, made.contents, [arrow(made.frame["sourcedId"])])


def apart(records: pd.DataFrame, there: pd.DataFrame) -> tuple[list[int], list[str]]:
    """Return the keys of the roster records that are to be mapped, and the ids of the owned ones that remain."""
    columns = [name for name in REST if name in records]
    rids, others = without_standing(live(records), records[columns], owned(there), SEED)
    return rids.tolist(), others.key_fields[0].to_pylist()


def test_what_is_the_same_need_not_be_mapped() -> None:
    """In whatever order; of every form of status, with dates and without, and of records with nothing but an id."""
    assert apart(RECORDS, RECORDS.iloc[::-1].reset_index(drop=True)) == ([], [])
    assert apart(RECORDS.drop(columns=["dateLastModified"]), RECORDS.assign(dateLastModified="")) == ([], [])


@pytest.mark.parametrize("column", ["status", "dateLastModified", "givenName", "grades"])
def test_what_differs_in_any_column_is_mapped(column: str) -> None:
    """The record, against the owned one."""
    there = RECORDS.copy()
    there.loc[2, column] = "other"
    assert apart(RECORDS, there) == ([3], ["U2"])


def test_what_is_on_one_side_alone_remains() -> None:
    """To be created, or to be removed."""
    assert apart(RECORDS, RECORDS.iloc[1:4]) == ([1, 5], [])
    assert apart(RECORDS.iloc[:2], RECORDS) == ([], ["U2", "U4", "U5"])
    assert apart(RECORDS, RECORDS.iloc[:0]) == ([1, 2, 3, 4, 5], [])


def test_only_a_table_that_takes_its_source_as_it_is_is_so_seen() -> None:
    """Fields, a condition, an `update` list or another key make records that the roster's hashes do not tell."""
    assert is_as_it_is(USERS)
    assert not is_as_it_is(replace(USERS, fields={}))
    assert not is_as_it_is(replace(USERS, where={"role": ("student",)}))
    assert not is_as_it_is(replace(USERS, update=("grades",)))
    assert not is_as_it_is(replace(USERS, key=("username",)))


def test_contents_are_those_of_the_mapping() -> None:
    """The hash of all columns but the id, added up."""
    records = RECORDS.reindex(columns=TABLES["users"].header, fill_value="")
    names = [name for name in TABLES["users"].header if name != "sourcedId"]
    assert owned(records).contents.tolist() == hash_rows(records, names, SEED).tolist()
    assert apart(records, records) == ([], [])
