"""From a package to a settled roster: check, scan, read, validate, compare, table by table in order of dependence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from ingestd.ahead import ahead
from ingestd.core import findings, manifest
from ingestd.core.check import Checked, check
from ingestd.core.hashing import seed_of
from ingestd.core.model import Batch, Breach, Hashes, Ints, Manifest, Mask, Mode, Severity
from ingestd.core.read import Header, read, understand_header
from ingestd.core.references import Ids, check_references, check_unique, ids_after, shaken
from ingestd.core.roster import Settled, demote, keeps_all, settle, vanished
from ingestd.core.scan import Live, Scanned, scan
from ingestd.core.validate import Candidates, Note, recall, validate
from ingestd.stages import Stages
from ingestd.unpack import Package
from schemas import MANIFEST_TABLES, Table

MANIFEST_LIMIT = 1 << 20


class Past(Protocol):
    """What is known from before: a feed's snapshot, or nothing."""

    def live(self, name: str) -> Live:
        """Return the live records of a table as arrays."""

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return versions of records by their keys."""

    def notes(self, name: str) -> Sequence[Note]:
        """Return what the bits of a table's notes mean."""


class NoPast:
    """No snapshot: everything is new. What `ingestd check` compares with."""

    def live(self, name: str) -> Live:  # noqa: ARG002
        """Return no records."""
        return Live()

    def read(self, name: str, rids: Ints) -> pd.DataFrame:
        """Return nothing; nobody asks, for there are no keys."""
        raise LookupError(f"{name}: {len(rids)} records asked of an empty past")

    def notes(self, name: str) -> Sequence[Note]:  # noqa: ARG002
        """Return no notes."""
        return ()


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a feed's packages are read.

    `seed` is the feed's own; `reading` names everything but the header that decides how a record is read, so that a
    change of it makes every record new. `left_out` has tables that scope does not let in, each with the reason.
    """

    required: tuple[str, ...]
    allow_missing: tuple[str, ...] = ()
    strict: bool | tuple[str, ...] = False
    left_out: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    reading: str = ""
    oneroster: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """A package held against the past: what came, what is wrong with it, what changed."""

    oneroster: str | None
    modes: Mapping[str, Mode]
    settled: Mapping[str, Settled]
    batches: tuple[Batch, ...]
    breaches: tuple[Breach, ...]

    @property
    def is_rejected(self) -> bool:
        """Return whether anything catastrophic was found."""
        return findings.is_rejected(self.batches)


def examine(package: Package, tables: Mapping[str, Table], past: Past, terms: Terms, stages: Stages) -> Examined:
    """Read a package and compare it with the past.

    Raises:
        PackageFault: a member turns out to be damaged.
        StoppingError: asked to stop.
    """
    with stages.measure("check"):
        checked, found = _check(package, tables, past, terms)
    if findings.is_rejected(checked.batches) and checked.version not in MANIFEST_TABLES:
        return Examined(checked.version, checked.modes, {}, (*found, *checked.batches), ())
    work = _Work(package, tables, past, terms, stages)
    for name, table in tables.items():
        if checked.modes[name] is Mode.ABSENT or name in terms.left_out:
            work.pass_over(name)
        else:
            work.add(table, checked.modes[name])
    batches = (*found, *checked.batches, *findings.strict(work.batches, terms.strict, Severity.CATASTROPHIC))
    breaches = (*checked.breaches, *work.breaches)
    return Examined(checked.version, checked.modes, work.settled, batches, breaches)


def _check(
    package: Package, tables: Mapping[str, Table], past: Past, terms: Terms
) -> tuple[Checked, tuple[Batch, ...]]:
    """Read the manifest and hold it against the files."""
    read_manifest: Manifest | None = None
    found: tuple[Batch, ...] = ()
    if manifest.FILE in package.files:
        text = package.read(manifest.FILE, MANIFEST_LIMIT)
        read_manifest, found = manifest.parse(text, MANIFEST_TABLES["1.1"], tuple(package.files))
    if terms.oneroster:
        modes = read_manifest.modes if read_manifest else _by_presence(tables, package)
        read_manifest = Manifest(terms.oneroster, modes)
    checked = check(
        manifest=read_manifest,
        files=package.names,
        required=terms.required,
        allow_missing=terms.allow_missing,
        accepted_before=[name for name in tables if len(past.live(name)) and name not in terms.left_out],
        tables=tables,
    )
    return checked, findings.strict((*package.batches, *found), terms.strict, Severity.CATASTROPHIC)


def _by_presence(tables: Mapping[str, Table], package: Package) -> dict[str, Mode]:
    return {name: Mode.BULK if table.file in package.files else Mode.ABSENT for name, table in tables.items()}


@dataclass(slots=True)
class _Work:
    """The tables settled so far, and what later ones may refer to."""

    package: Package
    tables: Mapping[str, Table]
    past: Past
    terms: Terms
    stages: Stages
    settled: dict[str, Settled] = field(default_factory=dict)
    ids: dict[str, Ids] = field(default_factory=dict)
    vanished: dict[str, Hashes] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)

    def pass_over(self, name: str) -> None:
        """Take a table that did not come for what it was; others may refer to it."""
        live = self.past.live(name)
        if len(live):
            self.ids[name] = Ids(np.sort(live.id))

    def add(self, table: Table, mode: Mode) -> None:
        """Settle one table, unless its file is past reading."""
        live = self.past.live(table.name)
        with self.stages.measure("scan", table.name):
            seed = seed_of(self.terms.seed, self.terms.reading, mode)
            scanned = scan(table.file, self._chunks(table.file), live, seed)
        self.batches += scanned.batches
        if findings.is_rejected(scanned.batches):
            return
        header = understand_header(table, scanned.header)
        self.batches += header.batches
        if findings.is_rejected(header.batches):
            return
        if scanned.rows == 0 and mode is Mode.BULK:
            self._empty(table, live)
            return
        settled = self._settle(table, mode, live, scanned, header)
        self.settled[table.name] = settled
        self.batches += (*settled.batches, *self._recalled(table, settled, scanned))

    def _chunks(self, file: str) -> Iterator[bytes]:
        """Yield a file's bytes, and tell how far it is."""
        total, done = self.package.files[file].size, 0
        for chunk in ahead(self.package.stream(file)):
            done += len(chunk)
            self.stages.show.advance(done, total)
            yield chunk

    def _empty(self, table: Table, live: Live) -> None:
        """Note a file without records: it removes nothing (law 2)."""
        code = "empty-file" if table.name in self.terms.required else "empty-optional-file"
        self.batches.append(findings.batch(code, file=table.file, name=table.file))
        if len(live):
            message = f"{table.file} has no records; {len(live):,} are known, and none is removed"
            self.breaches.append(Breach("empty-file", message, table.name, None, 0, len(live)))
        self.pass_over(table.name)

    def _settle(self, table: Table, mode: Mode, live: Live, scanned: Scanned, header: Header) -> Settled:
        seed = self.terms.seed
        with self.stages.measure("read", table.name):
            frame = read(scanned, header, table)
        with self.stages.measure("validate", table.name):
            new = validate(table, frame, scanned.lines, scanned.hashes, mode=mode, seed=seed, strict=self.terms.strict)
            new, disputed = check_unique(new, live, scanned)
            new, standing = self._refer(table, mode, live, scanned, new)
        with self.stages.measure("diff", table.name):
            return settle(mode, live, scanned, new, standing, disputed, seed=seed)

    def _refer(
        self, table: Table, mode: Mode, live: Live, scanned: Scanned, new: Candidates
    ) -> tuple[Candidates, Mask]:
        """Check references, also those of known records whose targets are gone. Return which known ones still stand."""
        seed, standing = self.terms.seed, scanned.present(live)
        keep_all = keeps_all(mode, new, scanned)

        def remember(some: Candidates) -> None:
            if self._is_referred_to(table.name):
                ids = ids_after(some, live, standing, scanned.broken, seed, keep_all=keep_all, faults=scanned.batches)
                self.ids[table.name], self.vanished[table.name] = ids, vanished(live, ids.known)

        remember(new)
        positions = shaken(live, standing, table, self.vanished)
        if len(positions):
            again = self.past.read(table.name, live.rid[positions])
            new = demote(new, again, positions, live, scanned.lines_of(positions))
            standing[positions] = False
        others = {name: ids for name, ids in self.ids.items() if name != table.name}
        new = check_references(new, others, seed)
        remember(new)  # what was held back just now is no good for its own table either
        own = {name: ids for name, ids in self.ids.items() if name == table.name}
        return check_references(new, own, seed), standing

    def _is_referred_to(self, name: str) -> bool:
        """Return whether ids of a table matter to any other, or to itself; enrollments, the largest, do not."""
        return any(column.references == name for table in self.tables.values() for column in table.references())

    def _recalled(self, table: Table, settled: Settled, scanned: Scanned) -> Iterator[Batch]:
        """Yield what records carry that were not read again."""
        at = np.flatnonzero(settled.standing & (settled.live.notes != 0))
        if len(at):
            yield from recall(table, settled.live.notes[at], scanned.lines_of(at), self.past.notes(table.name))
