"""The days after: what a school district does to its roster overnight, and what a broken export does to it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.model import Ints
from ingestd.generate.columns import Roster, Strings, cells, is_among, join, numbers, pick, strings, with_columns
from ingestd.generate.district import ENROLLMENTS_A_DAY, USERS_A_DAY, demographics, persons
from ingestd.generate.words import DOMAIN, FAMILY, FIRST_DAY, GRADES


def next_day(
    roster: Mapping[str, pd.DataFrame],
    *,
    day: int,
    seed: int,
    changed: float = 0.01,
    added: float = 0.003,
    removed: float = 0.002,
) -> Roster:
    """Make the roster of `day` (1 and up, each once) out of the one before; shares are of the records before.

    Of the users exactly these shares, rounded, change (a name or an e-mail address), come and go. Who goes is a
    student and takes enrollments and demographics along; who comes gets both, and the timetable of a student who
    stays. Of the enrollments and classes the share changes (first day; room). Records keep their order, new ones come
    last.

    Raises:
        ValueError: `day` is less than 1, or more are to change, come or go than there are.
    """
    if day < 1:
        raise ValueError(f"days are counted from 1, not {day}")
    rng = np.random.default_rng([seed, day])
    users, enrollments, classes = roster["users"], roster["enrollments"], roster["classes"]
    students = users.loc[users["role"] == "student", "sourcedId"]
    gone = _choose(rng, students, round(removed * len(users)))
    models = _choose(rng, students[~is_among(students, gone)], round(added * len(users)))
    ids = numbers(day, USERS_A_DAY, len(models))
    come = with_columns(users.iloc[_positions(models, users["sourcedId"])], **persons(rng, ids))
    stay = _change_users(rng, _without(users, "sourcedId", gone), round(changed * len(users)), day)
    busy = _without(enrollments, "userSourcedId", gone)
    first = str(FIRST_DAY + day)
    return {
        **roster,
        "classes": _set(classes, _rows(rng, classes, round(changed * len(classes))), "location", f"Annex {day}"),
        "users": _append(stay, come),
        "enrollments": _append(
            _set(busy, _rows(rng, busy, round(changed * len(enrollments))), "beginDate", first),
            _enroll_like(enrollments, models, ids, day),
        ),
        "demographics": _append(
            _without(roster["demographics"], "sourcedId", gone),
            demographics(rng, ids, pd.Index(GRADES).get_indexer(pd.Index(come["grades"]))),
        ),
    }


def lose(roster: Mapping[str, pd.DataFrame], table: str, fraction: float, seed: int) -> Roster:
    """Make the roster of a broken export: that share of one table's records is missing, all else is as it was."""
    frame = roster[table]
    kept = _rows(np.random.default_rng(seed), frame, len(frame) - round(fraction * len(frame)))
    return {**roster, table: frame.iloc[kept].reset_index(drop=True)}


def _rows(rng: np.random.Generator, frame: "pd.DataFrame | pd.Series[str]", size: int) -> Ints:
    return np.sort(rng.choice(len(frame), size, replace=False))


def _choose(rng: np.random.Generator, ids: "pd.Series[str]", size: int) -> Strings:
    return cells(ids).take(pa.array(_rows(rng, ids, size)))


def _positions(ids: Strings, column: "pd.Series[str]") -> Ints:
    return np.asarray(pc.index_in(ids, cells(column)), dtype=np.int64)


def _without(frame: pd.DataFrame, column: str, ids: Strings) -> pd.DataFrame:
    return frame[~is_among(frame[column], ids)].reset_index(drop=True)


def _append(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, more], ignore_index=True)


def _set(frame: pd.DataFrame, rows: Ints, column: str, values: Strings | str) -> pd.DataFrame:
    frame = frame.copy()
    frame.iloc[rows, list(frame.columns).index(column)] = values if isinstance(values, str) else values.to_pylist()
    return frame


def _change_users(rng: np.random.Generator, users: pd.DataFrame, size: int, day: int) -> pd.DataFrame:
    """Give half of the chosen users another family name, the others an address that only this day gives."""
    rows = rng.permutation(_rows(rng, users, size))
    renamed, moved = np.sort(rows[: size // 2]), np.sort(rows[size // 2 :])
    before = pd.Index(FAMILY).get_indexer(pd.Index(users["familyName"].iloc[renamed]))
    after = (before + rng.integers(1, len(FAMILY), len(renamed))) % len(FAMILY)
    address = join(cells(users["username"].iloc[moved]), ".", strings(np.full(len(moved), day)), "@", DOMAIN)
    return _set(_set(users, renamed, "familyName", pick(FAMILY, after)), moved, "email", address)


def _enroll_like(enrollments: pd.DataFrame, models: Strings, ids: Strings, day: int) -> pd.DataFrame:
    """Enroll the newcomers, from this day on, where their models are."""
    rows = enrollments[is_among(enrollments["userSourcedId"], models)]
    model = pc.index_in(cells(rows["userSourcedId"]), models)
    return with_columns(
        rows,
        sourcedId=numbers(day, ENROLLMENTS_A_DAY, len(rows)),
        userSourcedId=ids.take(model),
        beginDate=strings(np.full(len(rows), str(FIRST_DAY + day))),
    )
