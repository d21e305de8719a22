"""One table settled: which records of the snapshot stand, which are new, changed, gone or kept, and what was held back.

Law 1 lives here: only absence from a filled bulk file, or the word tobedeleted, removes anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core import findings
from ingestd.core.diff import Difference, diff
from ingestd.core.guard import OrgLoss
from ingestd.core.hashing import find, hash_ids, is_member
from ingestd.core.model import Batch, Changes, Hashes, Ints, Mask, Mode, TableCount
from ingestd.core.scan import Live, Scanned
from ingestd.core.validate import Candidates, content_of, marks_of
from schemas import Table


@dataclass(frozen=True, slots=True)
class Settled:
    """One table of a roster against the snapshot. Positions are of `live`, rows of `new.frame`.

    `content` is the hash of what the diff compares in each candidate. `standing` came again and stays as it is;
    `deleted` goes; `forgotten` stays but is read again next time.
    """

    table: Table
    mode: Mode
    live: Live
    new: Candidates
    content: Hashes
    standing: Mask
    difference: Difference
    deleted: Ints
    forgotten: Ints
    count: TableCount
    batches: tuple[Batch, ...]

    @property
    def changes(self) -> Changes:
        """Return what changed, counted; a record kept although it did not come counts as unchanged."""
        updated, deleted = len(self.difference.updated), len(self.deleted)
        return Changes(len(self.difference.created), updated, deleted, len(self.live) - updated - deleted)

    @property
    def opened(self) -> Ints:
        """Return the rows that become versions of the snapshot: created first, then updated."""
        return np.concatenate([self.difference.created, self.difference.updated])

    @property
    def closed(self) -> Ints:
        """Return the positions whose versions end: updated first, in the order of `opened`, then deleted."""
        return np.concatenate([self.difference.was, self.deleted])


def demote(new: Candidates, frame: pd.DataFrame, positions: Ints, live: Live, lines: Ints) -> Candidates:
    """Add live records to the candidates, because what they refer to is no longer there.

    Args:
        new: the candidates so far.
        frame: the records, as the snapshot has them.
        positions: where they stand in `live`.
        live: the live records.
        lines: their lines in today's file.
    """
    if not len(positions):
        return new
    columns = list(dict.fromkeys([*new.frame.columns, *frame.columns]))
    joined = pd.concat([new.frame, frame], ignore_index=True).reindex(columns=columns).fillna("")
    none = np.zeros(len(positions), bool)
    return replace(
        new,
        frame=joined,
        lines=np.concatenate([new.lines, lines]),
        hash=np.concatenate([new.hash, np.zeros(len(positions), np.uint64)]),
        id=np.concatenate([new.id, live.id[positions]]),
        held=np.concatenate([new.held, none]),
        gone=np.concatenate([new.gone, none]),
        notes=np.concatenate([new.notes, _marks(new.table, joined.iloc[len(new) :])]),
    )


def _marks(table: Table, frame: pd.DataFrame) -> Ints:
    bits = np.zeros(len(frame), np.int64)
    for i, one in enumerate(marks_of(table, frame)):
        bits |= one.rows.astype(np.int64) << i
    return bits


def keeps_all(mode: Mode, new: Candidates, scanned: Scanned) -> bool:
    """Return whether absence says nothing about this table: a delta, an empty file, or an id that cannot be told."""
    return mode is not Mode.BULK or scanned.rows == 0 or scanned.unidentified > 0 or bool(_nameless(new).any())


def _nameless(new: Candidates) -> Mask:
    """Return which candidates were held back for their own sourcedId: nobody knows whom they meant."""
    name = new.table.told("sourcedId")
    bad = {line for one in new.batches if one.column == name and one.code in _ID_FAULTS for line in one.lines}
    return np.isin(new.lines, list(bad)) if bad else np.zeros(len(new), bool)


_ID_FAULTS = ("required-value", "invalid-guid")


def settle(
    mode: Mode, live: Live, scanned: Scanned, new: Candidates, standing: Mask, disputed: Mask, *, seed: int
) -> Settled:
    """Compare one table's records with the snapshot.

    Args:
        mode: bulk or delta.
        live: the snapshot's live records.
        scanned: the file after the scan.
        new: the candidates after all checks.
        standing: which live records came again and are not among the candidates.
        disputed: which live records share their id with a different record; they are kept.
        seed: the feed's.
    """
    keep_all = keeps_all(mode, new, scanned)
    rows, positions = np.flatnonzero(new.valid), np.flatnonzero(~standing)
    content = content_of(new.frame, seed)
    found = diff(live.id[positions], live.content[positions], new.id[rows], content[rows])
    difference = _moved(found, positions, rows)
    held_ids = np.concatenate([new.id[new.held], hash_ids(pa.array(scanned.broken, pa.large_string()), seed)])
    absent_ids = live.id[difference.absent]
    goes = np.isin(absent_ids, new.id[new.gone & ~new.held])
    if not keep_all:
        goes |= ~np.isin(absent_ids, held_ids)
    count = _count(scanned, new, disputed)
    return Settled(
        table=new.table,
        mode=mode,
        live=live,
        new=new,
        content=content,
        standing=standing,
        difference=difference,
        deleted=difference.absent[goes],
        forgotten=positions[np.isin(live.id[positions], new.id[new.held & (new.hash == 0)])],
        count=count,
        batches=(
            *new.batches,
            *_about_file(new.table, count, mode, is_unsure=keep_all and scanned.rows > 0),
            *(_unknown_deletions(new, live) if mode is Mode.DELTA and len(live) else ()),
        ),
    )


def _unknown_deletions(new: Candidates, live: Live) -> Iterator[Batch]:
    """Tell of what a delta takes away that is not there; a feed that knows nothing of the table cannot tell."""
    unknown = new.gone & ~is_member(new.id, np.sort(live.id))
    if unknown.any():
        name = new.table.told("sourcedId")
        yield findings.batch("unknown-deletion", file=new.table.file, column=name, lines=new.lines[unknown])


def _moved(found: Difference, positions: Ints, rows: Ints) -> Difference:
    return Difference(
        created=rows[found.created],
        updated=rows[found.updated],
        was=positions[found.was],
        same=rows[found.same],
        still=positions[found.still],
        absent=positions[found.absent],
    )


def _count(scanned: Scanned, new: Candidates, disputed: Mask) -> TableCount:
    held_back = int(new.held.sum()) + len(scanned.broken) + scanned.unidentified + int(disputed.sum())
    return TableCount(scanned.rows, scanned.rows - held_back, held_back)


def _about_file(table: Table, count: TableCount, mode: Mode, *, is_unsure: bool) -> list[Batch]:
    found: list[Batch] = []
    if is_unsure and mode is Mode.BULK:
        found.append(findings.batch("unidentified-record", file=table.file))
    if mode is Mode.BULK and count.rows and not count.valid:  # of a delta, one bad record may well be all there is
        found.append(findings.batch("nothing-valid", file=table.file, count=f"{count.rows:,}"))
    return found


def losses(settled: Settled, org_ids: Mapping[int, str]) -> tuple[OrgLoss, ...]:
    """Return what each org would lose in this table, by the table's reference to orgs; other orgs are no loss of one.

    Args:
        settled: the table.
        org_ids: the sourcedIds of the orgs by hash.
    """
    live = settled.live
    column = next((one.name for one in settled.table.references() if one.references == "orgs"), None)
    if column is None or settled.table.name == "orgs" or not len(settled.deleted):
        return ()
    references = live.references[column]
    goes = np.zeros(len(live), bool)
    goes[settled.deleted] = True
    orgs, lost = np.unique(references.target[references.entries(goes)], return_counts=True)
    rank = find(references.target, orgs)
    of = np.bincount(rank[rank >= 0], minlength=len(orgs))
    each = zip(orgs.tolist(), lost.tolist(), of.tolist(), strict=True)
    found = [OrgLoss(org_ids.get(org, "?"), losing, had) for org, losing, had in each if org]
    return tuple(sorted(found, key=lambda one: (-one.deleted, one.org)))  # hashes are in another order in each store


def vanished(live: Live, known: Hashes) -> Hashes:
    """Return the ids that were live and are not known any more, ascending."""
    return np.sort(live.id[~is_member(live.id, known)])
