"""The plans of all sinks of a feed, each its share, and what is told of them together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import pandas as pd

from ingestd.core import document
from ingestd.core.grace import Absences
from ingestd.core.model import Batch, Breach, Plan
from ingestd.core.pins import Stamp
from ingestd.core.plan import make_plan, together
from ingestd.core.roster import Settled
from ingestd.guarding import guard_targets
from ingestd.stages import Stages
from ingestd.targets import Read, Targets

_One = TypeVar("_One")


Sinks = Mapping[str, Read | None]
"""The sinks of a feed by name, each with what reads it, if the rules may ask what it has."""
ONE: Sinks = MappingProxyType({"sqlite": None})


@dataclass(frozen=True, slots=True)
class Share:
    """What is to be done in one sink, and what is to be kept of it then.

    `stamps` are of owned records, `there` is what the sink was found to have, `absences` what waits, by target table.
    """

    plan: Plan
    stamps: tuple[Stamp, ...] = ()
    there: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    absences: Mapping[str, Absences] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Return whether it changes nothing, neither in the sink nor in what is kept of it."""
        return not self.plan and not self.absences and not any(len(one.keys) for one in self.stamps)


@dataclass(frozen=True, slots=True)
class Planning:
    """The planning of all sinks, and what is told of it: the largest plan stands for all, by a digest over all."""

    shares: Mapping[str, Share]
    made: Mapping[str, Targets]

    @property
    def batches(self) -> list[Batch]:
        """Return what the rules found."""
        return [batch for one in self.made.values() for batch in one.batches]

    @property
    def held_back(self) -> int:
        """Return how many target records are held back."""
        return max((one.held_back for one in self.made.values()), default=0)

    @property
    def largest(self) -> str:
        """Return the sink with the largest plan."""
        return largest(self.shares)

    @property
    def plan(self) -> Plan:
        """Return the plan that stands for all."""
        if len(self.shares) == 1:
            return self.shares[self.largest].plan
        return together({name: share.plan for name, share in self.shares.items()}, self.largest)

    def guard(self, found: Sequence[Breach]) -> list[Breach]:
        """Return the breaches of target records in all sinks; what those `found` explain is not told again."""
        told: list[Breach] = []
        for name, share in self.shares.items():
            told += [
                *self.made[name].breaches,
                *guard_targets(share.plan.actions, found, self.made[name].records, self.made[name].policy),
            ]
        return distinct(told)

    def about(
        self, settled: Mapping[str, Settled], fields: Mapping[str, Mapping[str, int]], breaches: Sequence[Breach],
        held_back: int,
    ) -> dict[str, Any]:  # fmt: skip
        """Return what a document says of the changes and the plan."""
        targets = self.made[self.largest]
        about = document.about_plan(
            changes={name: one.changes for name, one in settled.items()},
            fields=fields,
            breaches=breaches,
            plan=self.plan,
            held_back=held_back,
            pinned=targets.pinned,
            waiting=targets.waiting,
        )
        if len(self.shares) == 1:
            return about
        return {**about, "sinks": {name: {"actions": one.plan.counts()} for name, one in self.shares.items()}}


def largest(shares: Mapping[str, Share]) -> str:
    """Return the sink whose plan stands for those of all: the first of those with most actions."""
    return max(shares, key=lambda name: len(shares[name].plan))


def plan_sinks(made: Mapping[str, Targets], stages: Stages) -> Planning:
    """Plan all target tables in each sink.

    Raises:
        SinkError: a sink cannot be read.
    """
    return Planning({name: _share(targets, stages) for name, targets in made.items()}, made)


def _share(targets: Targets, stages: Stages) -> Share:
    actions = list(targets.actions())
    with stages.measure("plan"):
        plan = make_plan(actions)
    return Share(plan, tuple(targets.stamps), targets.there, targets.absences)


def distinct(found: Iterable[_One]) -> list[_One]:
    """Return what several sinks told, each thing once."""
    return list({repr(one): one for one in found}.values())
