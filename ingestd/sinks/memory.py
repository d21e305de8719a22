"""The reference sink: target records in dictionaries. What it does is what the contract means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

from ingestd.core.columns import TEXT
from ingestd.core.model import Actions, Kind, OnAbsent, Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.errors import SinkError
from ingestd.sinks.base import Progress

Key = tuple[str, ...]


@dataclass(slots=True)
class MemorySink:
    """Keeps `tables[target][key]` as a dictionary of columns, `_active`, `_run` and `_changed_at`.

    `fail_after` makes it fail when it has carried out that many actions: a fault to test with.
    """

    tables: dict[str, dict[Key, dict[str, object]]] = field(default_factory=dict)
    done: dict[tuple[str, str], tuple[Outcome, ...]] = field(default_factory=dict)
    fail_after: int | None = None
    transactional: bool = True

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Self:  # noqa: ARG003
        """Return an empty sink."""
        return cls()

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Carry a plan out, all or nothing."""
        if (once, plan.digest) in self.done:
            return self.done[once, plan.digest]
        if self.fail_after is not None and len(plan) > self.fail_after:
            raise SinkError(f"the memory sink was told to fail after {self.fail_after} actions")
        for group in plan.actions:
            self._carry_out(group, {"_run": run, "_changed_at": at})
            progress(len(group))
        outcomes = tuple(Outcome(group.target, group.kind, len(group)) for group in plan.actions)
        self.done[once, plan.digest] = outcomes
        return outcomes

    def read(self, target: str, fields: Sequence[str]) -> pd.DataFrame:
        """Return all records of a target table."""
        rows = self.tables.get(target, {}).values()
        return pd.DataFrame({name: pd.Series([str(one.get(name, "")) for one in rows], dtype=TEXT) for name in fields})

    def close(self) -> None:
        """Keep everything: a test looks at it."""

    def _carry_out(self, group: Actions, stamp: dict[str, object]) -> None:
        table = self.tables.setdefault(group.target, {})
        blank = dict.fromkeys(group.columns, "")
        for key, there in table.items():
            table[key] = {**blank, **there}
        for record in group.frame.to_dict("records"):
            key = tuple(str(record[name]) for name in group.key)
            if group.kind is Kind.REKEY:
                new = tuple(str(record[name]) for name in group.new_key)
                if key in table:
                    table[new] = {**table.pop(key), **dict(zip(group.key, new, strict=True)), **stamp}
            elif group.kind is not Kind.REMOVE:
                values = {str(name): value for name, value in record.items()}
                table[key] = {**table.get(key, blank), **values, "_active": 1, **stamp}
            elif group.on_absent is OnAbsent.DELETE:
                table.pop(key, None)
            elif key in table:
                table[key].update(_active=0, **stamp)
