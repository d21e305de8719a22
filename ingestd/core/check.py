"""Decides whether the set of files is one to read: the version, a mode per table, what is missing, what was left out.

Its law: a file that is not there deletes nothing. It is a finding if the set cannot do without it, a breach if the
last set had it. A set of deltas alone is no statement about the files it leaves out, for the standard forbids to
send a file without rows.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingestd.core.findings import batch
from ingestd.core.manifest import FILE, TABLES_1_2
from ingestd.core.model import Batch, Breach, Cause, Manifest, Mode, Severity

READS = "1.1"
"""The version of the binding that is read."""

_VERSION = re.compile(r"[0-9][0-9A-Za-z._]{0,11}")
_SEVEN = {"academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users"}
_SDS = {"relationships.csv", "userflags.csv"}
_LATER = {f"{table}.csv".lower() for table in TABLES_1_2}


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


@dataclass(frozen=True, slots=True)
class Checked:
    """What to read: `modes` has each table of the binding; absent is what is not read.

    `version` is that of the binding as far as it is known. A catastrophic batch rejects the drop, a breach holds the
    run.
    """

    version: str | None
    modes: Mapping[str, Mode]
    batches: tuple[Batch, ...]
    breaches: tuple[Breach, ...]


def check(
    *,
    manifest: Manifest | None,
    files: Collection[str],
    required: Collection[str],
    allow_missing: Collection[str],
    accepted_before: Collection[str],
    tables: Mapping[str, Bound],
) -> Checked:
    """Hold the manifest against the files of the package and what the feed demands.

    Args:
        manifest: None if there is none, or none that can be read (its own findings say so).
        files: the names of all files in the package, those that are not read too: `Package.names`.
        required: the tables without which the feed takes no set.
        allow_missing: the tables without which a set is taken though its other files refer to them.
        accepted_before: the tables that the feed's snapshot holds.
        tables: those that are read, by name.
    """
    wrong = tuple(_wrong_version(manifest, files))
    version = manifest.oneroster if manifest else None if FILE in files else "1.0"
    declared = manifest.modes if manifest else {}
    there = {table for table in (*tables, *declared) if f"{table}.csv" in files}
    said = {table: declared.get(table, _by_presence(table, there)) for table in (*tables, *declared)}
    modes = {table: said[table] if table in there else Mode.ABSENT for table in tables}
    if wrong:
        is_sds = wrong[0].code == "looks-like-sds"
        return Checked(None if is_sds else version, modes, wrong, ())
    missing = _missing(said, modes, there, required, _referred(modes, allow_missing, tables))
    batches = (
        *_told(missing, allow_missing, required, tables),
        *_unread(declared, files, there, tables),
        *_early(modes, accepted_before),
    )
    return Checked(version, modes, batches, tuple(_left_out(modes, accepted_before)))


def _by_presence(table: str, there: Collection[str]) -> Mode:
    return Mode.BULK if table in there else Mode.ABSENT


def _wrong_version(manifest: Manifest | None, files: Collection[str]) -> Iterator[Batch]:
    """Say which other format or version this is; nothing if it is the one that is read, or cannot be known."""
    if manifest:
        if manifest.oneroster != READS:
            known = _VERSION.fullmatch(manifest.oneroster)
            version = manifest.oneroster if known else "of an unknown version"
            yield batch("unsupported-version", file=FILE, version=version)
    elif FILE not in files:
        yield from _without_manifest({name.lower() for name in files})


def _without_manifest(names: Collection[str]) -> Iterator[Batch]:
    """Tell apart what lacks a manifest: SDS never has one, nor has 1.0, which has these seven files and no other."""
    later = _LATER & set(names)
    if _SDS & set(names) or later == {"roles.csv"}:
        yield batch("looks-like-sds")
        return
    yield batch("missing-manifest", file=FILE, detail="; a set without it is OneRoster 1.0, which is not read")
    if {f"{table}.csv".lower() for table in _SEVEN} == set(names):
        yield batch("unsupported-version", version="1.0", caused_by=Cause("missing-manifest", FILE))


def _is_delta(modes: Mapping[str, Mode]) -> bool:
    """Return whether the set holds deltas and nothing else."""
    return set(modes.values()) - {Mode.ABSENT} == {Mode.DELTA}


def _missing(
    said: Mapping[str, Mode],
    modes: Mapping[str, Mode],
    there: Collection[str],
    required: Collection[str],
    referred: Mapping[str, Sequence[str]],
) -> dict[str, list[str]]:
    """Return each table that is missing, with the reasons for which it is missed."""
    reasons: dict[str, list[str]] = {}
    for table, mode in said.items():
        if mode is not Mode.ABSENT and table not in there:
            reasons.setdefault(table, []).append(f"the manifest declares it {mode}, but it is not in the zip")
    for table, mode in modes.items():
        if table in required and mode is Mode.ABSENT and not _is_delta(modes):
            reasons.setdefault(table, []).append("this feed requires it")
    for table, referrers in referred.items():
        are = "is" if len(referrers) == 1 else "are"
        refer = "refers" if len(referrers) == 1 else "refer"
        names = ", ".join(f"{name}.csv" for name in referrers)
        reasons.setdefault(table, []).append(f"{names} {are} bulk and {refer} to it")
    return reasons


def _referred(
    modes: Mapping[str, Mode], allow_missing: Collection[str], tables: Mapping[str, Bound]
) -> dict[str, list[str]]:
    """Return the absent tables to which bulk files must refer: a bulk set is semantically complete (binding, §3)."""
    absent = {table for table, mode in modes.items() if mode is Mode.ABSENT} - set(allow_missing)
    referred: dict[str, list[str]] = {}
    for name, table in tables.items():
        if modes[name] is Mode.BULK:
            needs = {column.references for column in table.columns if column.required and column.references}
            for need in sorted(needs & absent):
                referred.setdefault(need, []).append(name)
    return referred


def _told(
    missing: Mapping[str, Sequence[str]],
    allow_missing: Collection[str],
    required: Collection[str],
    tables: Mapping[str, Bound],
) -> Iterator[Batch]:
    """Make the findings: a warning for what the feed may do without, or what is not read anyhow."""
    for table, reasons in missing.items():
        spared = table not in tables or (table in allow_missing and table not in required)
        file = f"{table}.csv"
        severity = Severity.WARNING if spared else None
        yield batch("missing-file", file=file, name=file, reason="; ".join(reasons), severity=severity)


def _unread(
    declared: Mapping[str, Mode], files: Collection[str], there: Collection[str], tables: Mapping[str, Bound]
) -> Iterator[Batch]:
    """Find the files that lie in the zip and are not read: declared absent, or of no interest to a roster."""
    undeclared = [table for table in declared if declared[table] is Mode.ABSENT and table in there]
    for table in undeclared:
        yield batch("undeclared-file", file=f"{table}.csv", name=f"{table}.csv")
    others = (*(table for table in declared if table not in tables), *TABLES_1_2)
    for table in others:
        if f"{table}.csv" in files and table not in undeclared and table not in tables:
            yield batch("ignored-file", file=f"{table}.csv", name=f"{table}.csv")


def _early(modes: Mapping[str, Mode], accepted_before: Collection[str]) -> Iterator[Batch]:
    """Find deltas that have nothing to be applied to."""
    for table, mode in modes.items():
        if mode is Mode.DELTA and table not in accepted_before:
            yield batch("delta-before-bulk", file=f"{table}.csv", name=f"{table}.csv")


def _left_out(modes: Mapping[str, Mode], accepted_before: Collection[str]) -> Iterator[Breach]:
    """Find tables that the last set had and this one has not (law 2)."""
    for table, mode in modes.items():
        if mode is Mode.ABSENT and table in accepted_before and not _is_delta(modes):
            yield Breach("file-left-out", f"{table}.csv was in the last set and is not in this one", table)
