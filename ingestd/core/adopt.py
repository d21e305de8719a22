"""Adoption: records that are in the application already are taken over instead of made once more (systems.md E7).

A record to create is the one there that has its key, else the only one that has its value in the first of the fields
to match by in which any has it. What may be several, or may be meant by several, is never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from ingestd.core.columns import arrow
from ingestd.core.hashing import find_unsorted, hash_ids, is_member
from ingestd.core.mapping import Mapped, compared, key_text
from ingestd.core.model import Actions, Hashes, Ints, Kind, Mask


@dataclass(frozen=True, slots=True)
class There:
    """Records that are in the application, whoever made them: their key and what to match by, and hashes of keys.

    The hash of a record without a key is 0.
    """

    frame: pd.DataFrame
    keys: Hashes


@dataclass(frozen=True, slots=True)
class Adopted:
    """What becomes of creations: the actions instead, and how many are held back because nobody knows who they are."""

    actions: Sequence[Actions]
    unclear: int


def there_of(frame: pd.DataFrame, key: tuple[str, ...], seed: int) -> There:
    """Return the application's records with the hashes of their keys; `seed` is the feed's."""
    keys = hash_ids(key_text(frame, key), seed)
    is_blank = np.ones(len(frame), bool)
    for name in key:
        is_blank &= pc.equal(arrow(frame[name]), "").to_numpy(zero_copy_only=False)
    keys[is_blank] = 0
    return There(frame, keys)


def adopt(create: Actions, desired: Mapped, there: There, owned: Hashes, seed: int) -> Adopted:
    """Return what is to be done instead of creations, so that nothing is made that is there.

    What has the key is updated. What is found by another field gets the key, and is updated. What is unclear is left.

    Args:
        create: the creations.
        desired: all desired records, held back or not: any of them may be meant by a record that is there.
        there: what the application has.
        owned: the keys of those that ingestd owns or has owned; neither they nor what is there of them is in question.
        seed: the feed's.
    """
    target, owned = desired.target, np.sort(owned)
    strange = np.sort(there.keys[~is_member(there.keys, owned)])
    has_key = is_member(create.keys, strange)
    asking = np.flatnonzero(~is_member(desired.keys, np.sort(np.concatenate([owned, there.keys[there.keys != 0]]))))
    free = np.flatnonzero(~is_member(there.keys, np.sort(np.concatenate([owned, desired.keys[desired.keys != 0]]))))
    found, unclear = match(
        desired.frame.iloc[asking], there.frame.iloc[free], target.adopt, there.keys[free] == 0, seed
    )
    row = find_unsorted(create.keys, desired.keys[asking])
    at = np.where(row >= 0, np.append(found, -1)[row], -1)
    is_unclear = np.append(unclear, False)[row]
    update = [*target.key, *compared(target, list(create.frame.columns))]
    taken = at >= 0
    groups = (
        _rekey(create, taken, there, free[at[taken]]),
        _some(create, ~(has_key | taken | is_unclear), Kind.CREATE, list(create.frame.columns)),
        _some(create, has_key | taken, Kind.UPDATE, update),
    )
    return Adopted([one for one in groups if len(one)], int(is_unclear.sum()))


def match(
    desired: pd.DataFrame, there: pd.DataFrame, fields: Sequence[str], disputed: Mask, seed: int
) -> tuple[Ints, Mask]:
    """Find for each desired record the one there that it is.

    It is found by the first of the fields in which any has its value, whatever the case; blanks are no value.

    Args:
        desired: records, none of which is known to be there.
        there: those that may be one of them.
        fields: what to match by.
        disputed: which of those there nobody may have.
        seed: the feed's.

    Returns:
        The position of the one there, or -1; and which desired records may be several, or one that others may be too.
    """
    at, unclear = np.full(len(desired), -1), np.zeros(len(desired), bool)
    claimed, disputed = np.zeros(len(there), bool), disputed.copy()
    for name in fields:
        wanted, offered = _folded(desired, name, seed), _folded(there, name, seed)
        wanted[(at >= 0) | unclear] = 0
        offered[claimed] = 0
        values, group = np.unique(np.concatenate([wanted, offered]), return_inverse=True)
        mine, theirs = group[: len(wanted)], group[len(wanted) :]
        wants, offers, doubts = (np.bincount(one, minlength=len(values)) for one in (mine, theirs, theirs[disputed]))
        met = (wants > 0) & (offers > 0) & (values != 0)
        is_clear = met & (wants == 1) & (offers == 1) & (doubts == 0)
        place = np.full(len(values), -1)
        place[theirs] = np.arange(len(theirs))
        chosen = is_clear[mine]
        at[chosen] = place[mine[chosen]]
        claimed[at[chosen]] = True
        unclear |= (met & ~is_clear)[mine]
        disputed |= (met & ~is_clear)[theirs]
    return at, unclear


def _folded(frame: pd.DataFrame, name: str, seed: int) -> Hashes:
    """Return the hashes of values without their case and the blanks around them; of a blank value 0.

    A table that takes its source's columns as they are may lack a column: another version of the standard has it.
    """
    if name not in frame.columns:
        return np.zeros(len(frame), np.uint64)
    return hash_ids(pc.utf8_lower(pc.utf8_trim_whitespace(arrow(frame[name]))), seed)


def _rekey(create: Actions, taken: Mask, there: There, found: Ints) -> Actions:
    """Return the changes of key: from those of the records found to those of the records to create."""
    old = there.frame[list(create.key)].iloc[found].reset_index(drop=True)
    new = create.frame.loc[taken, list(create.key)].reset_index(drop=True).set_axis(list(create.new_key), axis=1)
    frame = pd.concat([old, new], axis=1)
    return replace(_some(create, taken, Kind.REKEY, create.key), frame=frame, keys=there.keys[found])


def _some(create: Actions, chosen: Mask, kind: Kind, columns: Sequence[str]) -> Actions:
    frame = create.frame.loc[chosen, list(columns)].reset_index(drop=True)
    return replace(create, kind=kind, frame=frame, keys=create.keys[chosen], contents=create.contents[chosen])
