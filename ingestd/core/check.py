"""Decides whether the set of files is one to read: a mode per table, what is missing, what was left out.

Its law: a file that is not there deletes nothing. It is a finding if the set cannot do without it, a breach if the
last set had it. A set of deltas alone is no statement about the files it leaves out, for the standard forbids to
send a file without rows; nor is a manifest alone, which says that nothing has changed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingestd.core.findings import batch
from ingestd.core.manifest import FILE
from ingestd.core.model import Batch, Breach, Manifest, Mode, Severity
from ingestd.core.version import FIRST
from schemas import NAMES, ROSTERING, VERSIONS

_SPARED = ("demographics",)
"""What 1.0 has always, and nobody needs: its lack is told and no more."""


class Reference(Protocol):
    """A column, as far as the check looks at it: `references` names the table to which it refers."""

    @property
    def required(self) -> bool:
        """Whether each record must fill it."""

    @property
    def references(self) -> str | None:
        """The table that its values are ids of."""


class Bound(Protocol):
    """A table of the binding, as far as the check looks at it."""

    @property
    def columns(self) -> Sequence[Reference]:
        """The columns, in any order."""

    @property
    def needs(self) -> Sequence[str]:
        """The tables without which its bulk file says too little."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What to read: `modes` has each table of the binding; absent is what is not read.

    A catastrophic batch rejects the drop, a breach holds the run.
    """

    version: str
    modes: Mapping[str, Mode]
    batches: tuple[Batch, ...] = ()
    breaches: tuple[Breach, ...] = ()


@dataclass(frozen=True, slots=True)
class Demands:
    """What a feed demands of a set, and what came before.

    `required` are the tables without which it takes no set; `allow_missing` those without which a set is taken though
    its other files refer to them; `accepted_before` those that the snapshot holds. `is_alone`: there is no feed and no
    past, so that a delta cannot be held against anything.
    """

    required: Collection[str] = ()
    allow_missing: Collection[str] = ()
    accepted_before: Collection[str] = ()
    is_alone: bool = False


def check(
    *,
    version: str,
    manifest: Manifest | None,
    files: Collection[str],
    tables: Mapping[str, Bound],
    demands: Demands,
) -> Checked:
    """Hold the manifest against the files of the package and what the feed demands.

    Args:
        version: by which the set is read.
        manifest: None if there is none, or none that can be read (its own findings say so).
        files: the names of all files in the package, those that are not read too: `Package.names`.
        tables: those of the version, by name.
        demands: the feed's.
    """
    declared = manifest.modes if manifest else {}
    there = {table for table in tables if f"{table}.csv" in files}
    said = {table: declared.get(table, _by_presence(table, there)) for table in tables}
    modes = {table: said[table] if table in there else Mode.ABSENT for table in tables}
    if manifest and not there and set(said.values()) <= {Mode.ABSENT}:
        return Checked(version, modes, (batch("nothing-sent", file=FILE),))
    batches = (
        *_told(_missing(version, said, modes, there, demands, tables), version, demands),
        *_unread(declared, files, there),
        *_early(modes, demands),
    )
    return Checked(version, modes, batches, tuple(_left_out(modes, demands.accepted_before)))


def _by_presence(table: str, there: Collection[str]) -> Mode:
    return Mode.BULK if table in there else Mode.ABSENT


def _is_delta(modes: Mapping[str, Mode]) -> bool:
    """Return whether the set holds deltas and nothing else."""
    return set(modes.values()) - {Mode.ABSENT} == {Mode.DELTA}


def _missing(
    version: str,
    said: Mapping[str, Mode],
    modes: Mapping[str, Mode],
    there: Collection[str],
    demands: Demands,
    tables: Mapping[str, Bound],
) -> dict[str, list[str]]:
    """Return each table that is missing, with the reasons for which it is missed."""
    reasons: dict[str, list[str]] = {}
    for table, mode in said.items():
        if mode is not Mode.ABSENT and table not in there:
            reasons.setdefault(table, []).append(f"the manifest declares it {mode}, but it is not in the zip")
    for table, mode in modes.items():
        if table in demands.required and mode is Mode.ABSENT and not _is_delta(modes):
            reasons.setdefault(table, []).append("this feed requires it")
        if version == FIRST and mode is Mode.ABSENT:
            reasons.setdefault(table, []).append(f"a set of OneRoster {FIRST} has all seven files")
    for verb, wanted in (
        ("refer", _referred(tables)),
        ("need", {name: set(one.needs) for name, one in tables.items()}),
    ):
        for table, names in _wanted(modes, demands.allow_missing, wanted).items():
            reasons.setdefault(table, []).append(_told_wanted(names, verb))
    return reasons


def _referred(tables: Mapping[str, Bound]) -> dict[str, set[str]]:
    """Return what each table must refer to."""
    return {
        name: {column.references for column in table.columns if column.required and column.references}
        for name, table in tables.items()
    }


def _wanted(
    modes: Mapping[str, Mode], allow_missing: Collection[str], wanted: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """Return the absent tables that bulk files cannot do without: a bulk set is semantically complete (binding, §3)."""
    absent = {table for table, mode in modes.items() if mode is Mode.ABSENT} - set(allow_missing)
    found: dict[str, list[str]] = {}
    for name, needs in wanted.items():
        if modes[name] is Mode.BULK:
            for need in sorted(needs & absent):
                found.setdefault(need, []).append(name)
    return found


def _told_wanted(names: Sequence[str], verb: str) -> str:
    are, ending = ("is", "s") if len(names) == 1 else ("are", "")
    return f"{', '.join(f'{name}.csv' for name in names)} {are} bulk and {verb}{ending}{' to' * (verb == 'refer')} it"


def _told(missing: Mapping[str, Sequence[str]], version: str, demands: Demands) -> Iterator[Batch]:
    """Make the findings: a warning for what the feed, or a roster, may do without."""
    spared = {*demands.allow_missing, *(_SPARED if version == FIRST else ()), *(missing.keys() - ROSTERING)}
    spared -= set(demands.required)
    for table, reasons in missing.items():
        file = f"{table}.csv"
        severity = Severity.WARNING if table in spared else None
        yield batch("missing-file", file=file, name=file, reason="; ".join(reasons), severity=severity)


def _unread(declared: Mapping[str, Mode], files: Collection[str], there: Collection[str]) -> Iterator[Batch]:
    """Find the files that lie in the zip and are not read: declared absent, or not of this version."""
    for table, mode in declared.items():
        if mode is Mode.ABSENT and table in there:
            yield batch("undeclared-file", file=f"{table}.csv", name=f"{table}.csv")
    for table in NAMES[VERSIONS[-1]]:
        if f"{table}.csv" in files and table not in there:
            yield batch("ignored-file", file=f"{table}.csv", name=f"{table}.csv")


def _early(modes: Mapping[str, Mode], demands: Demands) -> Iterator[Batch]:
    """Find deltas that have nothing to be applied to, or nothing to be held against.

    A table may well begin with a delta: without records it had no place in the bulk set.
    """
    code = "delta-alone" if demands.is_alone else "delta-before-bulk" if not demands.accepted_before else None
    for table, mode in modes.items():
        if mode is Mode.DELTA and code:
            yield batch(code, file=f"{table}.csv", name=f"{table}.csv")


def _left_out(modes: Mapping[str, Mode], accepted_before: Collection[str]) -> Iterator[Breach]:
    """Find tables that the last set had and this one has not (law 2)."""
    for table, mode in modes.items():
        if mode is Mode.ABSENT and table in accepted_before and not _is_delta(modes):
            yield Breach("file-left-out", f"{table}.csv was in the last set and is not in this one", table)
