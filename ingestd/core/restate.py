"""A table that changes without a file: its records as they are to be, without a line and a hash of what came."""

import numpy as np
import pandas as pd

from ingestd.core.columns import arrow
from ingestd.core.diff import Difference
from ingestd.core.hashing import hash_ids
from ingestd.core.model import Ints, Mode, TableCount
from ingestd.core.roster import Settled
from ingestd.core.scan import Live
from ingestd.core.validate import Candidates, Note, content_of
from schemas import VERSIONS, load


def restate(
    name: str,
    live: Live,
    frame: pd.DataFrame,
    difference: Difference,
    deleted: Ints,
    notes: Ints,
    noted: tuple[Note, ...],
    seed: int,
) -> Settled:
    """Return a table some records of which are given anew. They are read again when they come next.

    Args:
        name: the table.
        live: its live records.
        frame: the records that are created or updated.
        difference: which of them; positions of `live` in `was`.
        deleted: positions of the live records that go.
        notes: what each record of the frame carries.
        noted: what the bits of notes mean.
        seed: the feed's.
    """
    count = len(frame)
    table = next(load(version)[name] for version in reversed(VERSIONS) if name in load(version))
    standing = np.ones(len(live), bool)
    standing[np.concatenate([difference.was, deleted])] = False
    new = Candidates(
        table=table,
        frame=frame,
        lines=np.zeros(count, np.int64),
        hash=np.zeros(count, np.uint64),
        id=hash_ids(arrow(frame["sourcedId"]), seed),
        held=np.zeros(count, bool),
        gone=np.zeros(count, bool),
        notes=notes,
        note_names=noted,
        causes={},
        batches=(),
    )
    none, counted = np.zeros(0, np.int64), TableCount(count, count, 0)
    content = content_of(frame, seed)
    return Settled(table, Mode.DELTA, live, new, content, standing, difference, deleted, none, counted, ())
