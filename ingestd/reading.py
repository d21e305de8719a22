"""What reads other people's bytes, each in a worker: whether a drop is whole, and what it says against the past.

Law: this process never parses a drop. It knows of it what a worker tells, and stays alive whatever that comes to.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ingestd import unpack, worker
from ingestd.confine import Confined, Limits
from ingestd.core.aliases import Aliases
from ingestd.core.columns import TEXT
from ingestd.core.model import Ints, Mode
from ingestd.core.scan import Live
from ingestd.core.validate import Note, validate
from ingestd.examine import Examined, NoPast, Past, Terms, declared_modes, examine
from ingestd.snapshot import Place, Snapshot, open_snapshot
from ingestd.stages import Stages
from ingestd.unpack import Completeness, PackageLimits, Verdict, open_package
from schemas import VERSIONS, load, shapes

MEMORY_PER_BYTE = 12
"""Bytes of address space that a worker may take for each byte that the files declare, beside what any worker may: the
first load of a district takes about seven, and libraries reserve some hundred MiB that they do not use."""
SECONDS_PER_MIB = 2
"""Seconds of processor time that a worker may take for each MiB, beside what any may: a first load takes a tenth."""


def prepare() -> None:
    """Have workers forked off this process; call it before it has threads, for then it costs milliseconds."""
    shapes()
    worker.start(_warm_up)


def be_nursery(descriptor: int) -> None:
    """Be the process from which workers are forked, started anew."""
    worker.be_nursery(descriptor, _warm_up)


def completeness(path: Path, limits: PackageLimits, stages: Stages, aliases: Aliases = Aliases()) -> Completeness:
    """Return whether a drop is whole; one that cannot even be looked through is broken.

    `aliases` are what its sender calls files.

    Raises:
        StoppingError, OSError, WorkerError, UnforeseenError: as `worker.run`.
    """
    prepare()
    size = path.stat().st_size
    allowed = _allowed(limits, size)
    try:
        return worker.run(_completeness, path.absolute(), limits, aliases, limits=allowed, stages=stages).value
    except unpack.PackageFault as fault:
        return Completeness(Verdict.BROKEN, fault.batch)


def confinement(path: Path) -> Confined:
    """Have a small package looked through as any drop is; return how the process that did it was confined.

    Raises:
        PackageFault, OSError, WorkerError, UnforeseenError: as `worker.run`.
    """
    prepare()
    limits = PackageLimits()
    allowed = _allowed(limits, 0)
    return worker.run(_completeness, path.absolute(), limits, Aliases(), limits=allowed, stages=Stages()).confined


def read_package(path: Path, limits: PackageLimits, past: Snapshot | None, terms: Terms, stages: Stages) -> Examined:
    """Open a zip, or a folder of CSVs, read it and compare it with the past.

    Args:
        path: the zip or folder.
        limits: how far a package may go.
        past: a feed's snapshot, or nothing.
        terms: by what it is read.
        stages: are told, and say whether to stop.

    Raises:
        PackageFault: it is damaged, or its reader was stopped.
        StoppingError, OSError, WorkerError, UnforeseenError: as `worker.run`.
    """
    prepare()
    path = path.absolute()
    with stages.measure("unpack"):
        aliases, allowed = terms.ways.aliases, _allowed(limits, 0)
        declared = worker.run(_declared, path, limits, aliases, limits=allowed, stages=stages).value
    known = {name: past.live(name) for name in shapes()} if past else {}  # written anew here if need be: no worker can
    place = past.place if past else None
    allowed = _allowed(limits, min(declared, limits.total_bytes))
    examined = worker.run(_examined, path, limits, place, terms, limits=allowed, stages=stages).value
    settled = {name: replace(one, live=known.get(name, Live())) for name, one in examined.settled.items()}
    return replace(examined, settled=settled)


def _allowed(limits: PackageLimits, size: int) -> Limits:
    return Limits(limits.memory + MEMORY_PER_BYTE * size, limits.seconds + SECONDS_PER_MIB * size // (1 << 20))


def _warm_up() -> None:
    """Do once what takes long the first time: schemas are compiled, and pandera looks for what it needs."""
    worker.reserve()
    tables = load(VERSIONS[-1])
    orgs = pd.DataFrame({name: pd.Series([""], dtype=TEXT) for name in tables["orgs"].header})
    validate(tables["orgs"], orgs, np.zeros(1, np.int64), np.zeros(1, np.uint64), mode=Mode.BULK, seed=0)
    shapes()


# In a worker --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A past whose arrays are mapped once, and so checked once."""

    past: Past
    known: dict[str, Live] = field(default_factory=dict)

    def live(self, name: str) -> Live:
        """Return the live records of a table as arrays."""
        if name not in self.known:
            self.known[name] = self.past.live(name)
        return self.known[name]

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return versions of records by their keys."""
        return self.past.read(name, rids)

    def notes(self, name: str) -> tuple[Note, ...]:
        """Return what the bits of a table's notes mean."""
        return tuple(self.past.notes(name))


def _completeness(_stages: Stages, path: Path, limits: PackageLimits, aliases: Aliases) -> Completeness:
    found = unpack.completeness(path, limits, aliases)
    if found.verdict is not Verdict.COMPLETE:
        return found
    with open_package(path, limits, aliases) as package:
        return replace(found, modes=declared_modes(package))


def _declared(_stages: Stages, path: Path, limits: PackageLimits, aliases: Aliases) -> int:
    """Return how many bytes the files of a roster have, as they declare."""
    with open_package(path, limits, aliases) as package:
        return sum(member.size for member in package.files.values())


def _examined(stages: Stages, path: Path, limits: PackageLimits, place: Place | None, terms: Terms) -> Examined:
    """Read and compare. The live arrays stay here: whoever asks has them mapped itself."""
    past = _Remembered(open_snapshot(place, shapes())) if place else NoPast()
    with open_package(path, limits, terms.ways.aliases) as package:
        examined = examine(package, past, terms, stages)
    settled = {name: replace(one, live=Live()) for name, one in examined.settled.items()}
    return replace(examined, settled=settled)
