"""What a sink really has, beside what it should have: the drift that others caused, planned like any other change."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core.columns import arrow
from ingestd.core.grace import Grace
from ingestd.core.hashing import find_unsorted, hash_ids, is_member
from ingestd.core.mapping import Mapped, compared, contents_of, key_text
from ingestd.core.model import Actions, Hashes
from ingestd.core.pins import spare
from ingestd.core.plan import Owned, plan_target
from ingestd.core.rules import Target
from ingestd.sinks.base import Readable
from ingestd.targets import Targets

ACTIVE = "_active"


class DriftTargets(Targets):
    """The planning of target tables against what the sink has of the records that ingestd made."""

    sink: Readable

    def _whole(self, target: Target) -> tuple[pd.DataFrame, Owned]:
        return self._source(target), self.records.owned(target)

    def _planned(self, mapped: Mapped, owned: Owned) -> Sequence[Actions]:  # noqa: ARG002
        """Return what makes of what is there what should be; what waits to be removed still waits."""
        target = mapped.target
        there = self._there(mapped)
        waiting = self.records.absent.of(target.name).keys
        pinned = self._pinned(target)
        kept = [mapped.keys[mapped.held], waiting, *([pinned.records] if pinned else [])]
        actions = list(plan_target(mapped, there, np.concatenate(kept)))
        return list(spare(actions, pinned)) if pinned else actions

    def _patiently(self, target: Target, actions: Sequence[Actions], grace: Grace) -> Sequence[Actions]:  # noqa: ARG002
        return actions

    def _there(self, mapped: Mapped) -> Owned:
        """Return the records of the sink that ingestd made, as they are."""
        target, seed = mapped.target, self.records.seed
        fields = compared(target, list(mapped.frame.columns))
        frame = self.sink.read(target.name, (*target.key, *fields, ACTIVE))
        text = key_text(frame, target.key)
        keys = hash_ids(text, seed)
        is_ours = is_member(keys, np.sort(self.records.ever_owned(target.name, keys)))
        is_active = (frame[ACTIVE].isin(("1", "true", "True", "t"))).to_numpy(bool)
        ours, away = is_ours & is_active, is_ours & ~is_active
        key_fields = [arrow(frame[name][ours]) for name in target.key]

        def fields_of(some: Hashes) -> list[pa.Array]:
            at = pa.array(find_unsorted(some, keys[ours]))
            return [values.take(at) for values in key_fields]

        contents = contents_of(target, frame[ours].reset_index(drop=True), fields, seed)
        return Owned(keys[ours], contents, fields_of, np.sort(keys[away]))
