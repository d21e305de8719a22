"""From a package to a settled roster: check, scan, read, validate, compare, table by table in order of dependence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ingestd.ahead import ahead
from ingestd.core import across, findings, manifest, version
from ingestd.core.check import Checked, Demands, check
from ingestd.core.hashing import seed_of
from ingestd.core.header import Header, understand_header
from ingestd.core.model import Batch, Breach, Cause, Manifest, Mode, Severity
from ingestd.core.read import read
from ingestd.core.roster import Settled
from ingestd.core.scan import Live, Scanned, read_header, scan
from ingestd.core.validate import validate
from ingestd.core.ways import Ways, is_utf_8, to_utf_8
from ingestd.settling import NoPast, Others, Past, Settling, untouched
from ingestd.stages import Stages
from ingestd.unpack import Package
from schemas import NAMES, VERSIONS, Table, load

__all__ = ["Examined", "NoPast", "Past", "Terms", "examine"]

MANIFEST_LIMIT = 1 << 20
_PEEK = 1 << 16
"""Bytes at the beginning of a file in which its header is looked for."""


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a feed's packages are read.

    `ways` are the sender's; `seed` is the feed's own; `reading` names everything but version and header that decides
    how a record is read, so that a change of it makes every record new. `left_out` has tables that scope does not let
    in, each with the reason; `unread` has the names, in lower case, of columns that it does not. `oneroster` is the
    version to read as, whatever the manifest says; `is_alone`: there is no feed and no past.
    """

    required: tuple[str, ...]
    allow_missing: tuple[str, ...] = ()
    ways: Ways = Ways()
    left_out: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    seed: int = 0
    reading: str = ""
    oneroster: str | None = None
    is_alone: bool = False


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


def examine(package: Package, past: Past, terms: Terms, stages: Stages) -> Examined:
    """Read a package and compare it with the past.

    Raises:
        PackageFault: a member turns out to be damaged.
        StoppingError: asked to stop.
    """
    with stages.measure("check"):
        decided, checked, found = _check(package, past, terms)
    if checked is None:
        return Examined(decided, {}, {}, found, ())
    tables = load(checked.version)
    work = _Work(package, tables, past, terms, stages)
    for name, table in tables.items():
        if checked.modes[name] is Mode.ABSENT or name in terms.left_out:
            untouched(table, past, work.others, terms.seed)
        else:
            work.add(table, checked.modes[name])
    work.finish()
    batches = (*found, *checked.batches, *findings.strict(work.batches, terms.ways.strict, Severity.CATASTROPHIC))
    breaches = (*checked.breaches, *work.breaches)
    return Examined(decided, checked.modes, work.settled, batches, breaches)


def _check(package: Package, past: Past, terms: Terms) -> tuple[str | None, Checked | None, tuple[Batch, ...]]:
    """Read the manifest, decide on the version, and hold the one against the files; no files if none is read."""
    read_manifest, found = _manifest(package, terms)
    headers = {} if read_manifest else _headers(package, terms.ways)
    decided, wrong = version.decide(read_manifest, package.names, headers, terms.oneroster)
    told = (*findings.strict((*package.batches, *found), terms.ways.strict, Severity.CATASTROPHIC), *wrong)
    if wrong:
        return decided, None, told
    binding = decided or version.nearest(headers)  # the files are looked at though the manifest cannot be read
    tables = load(binding)
    demands = Demands(
        required=terms.required,
        allow_missing=terms.allow_missing,
        accepted_before=[name for name in tables if len(past.live(name)) and name not in terms.left_out],
        is_alone=terms.is_alone,
    )
    checked = check(version=binding, manifest=read_manifest, files=package.names, tables=tables, demands=demands)
    return decided, checked, told


def _manifest(package: Package, terms: Terms) -> tuple[Manifest | None, tuple[Batch, ...]]:
    if manifest.FILE not in package.files:
        return None, ()
    text = package.read(manifest.FILE, MANIFEST_LIMIT)
    found: tuple[Batch, ...] = ()
    if terms.ways.encoding and not is_utf_8([text]):
        text = b"".join(to_utf_8([text], terms.ways.encoding))
        found = (_converted(manifest.FILE, terms.ways),)
    read_manifest, told = manifest.parse(text, tuple(package.files), terms.oneroster)
    return read_manifest, (*found, *told)


def declared_modes(package: Package) -> dict[str, Mode]:
    """Return what a package says of its tables, without those that are absent; nothing if its manifest is bad.

    Raises:
        PackageFault: the manifest is damaged, or too long.
    """
    if manifest.FILE not in package.files:
        return {name: Mode.BULK for name in NAMES[VERSIONS[-1]] if f"{name}.csv" in package.files}
    found, _told = manifest.parse(package.read(manifest.FILE, MANIFEST_LIMIT), tuple(package.files))
    modes = found.modes if found else {}
    return {name: mode for name, mode in modes.items() if mode is not Mode.ABSENT and f"{name}.csv" in package.files}


def _headers(package: Package, ways: Ways) -> dict[str, tuple[str, ...]]:
    """Return the headers of the files of which every version has some, other names exchanged for the standard's."""
    found = {}
    for name in NAMES[version.FIRST]:
        if f"{name}.csv" in package.files:
            first = next(package.stream(f"{name}.csv", _PEEK), b"")
            header = read_header(f"{name}.csv", first.partition(b"\n")[0].removesuffix(b"\r"))[0]
            found[name] = ways.aliases.header(name, header)
    return {name: header for name, header in found.items() if header}


def _converted(file: str, ways: Ways) -> Batch:
    return findings.batch("encoding-converted", file=file, encoding=ways.encoding)


@dataclass(slots=True)
class _Work:
    """The tables settled so far, and what later ones may refer to."""

    package: Package
    tables: Mapping[str, Table]
    past: Past
    terms: Terms
    stages: Stages
    settled: dict[str, Settled] = field(default_factory=dict)
    others: Others = field(default_factory=Others)
    batches: list[Batch] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)

    def add(self, table: Table, mode: Mode) -> None:
        """Settle one table, unless its file is past reading."""
        live = self.past.live(table.name)
        with self.stages.measure("scan", table.name):
            seed = seed_of(self.terms.seed, self.terms.reading, table.version, mode)
            meaning = partial(self.terms.ways.aliases.header, table.name)
            scanned = scan(table.file, self._chunks(table.file), live, seed, table.told("sourcedId"), meaning)
        self.batches += scanned.batches
        if findings.is_rejected(scanned.batches):
            return
        header = understand_header(table, scanned.header, self.terms.ways.aliases)
        told = tuple(_as_of_another(table, meaning(scanned.header), header))
        self.batches += told
        if findings.is_rejected(told):
            return
        if scanned.rows == 0 and mode is Mode.BULK:
            self._empty(table, live)
            return
        self.settled[table.name] = settled = self._settle(table, mode, live, scanned, header)
        self.batches += settled.batches

    def finish(self) -> None:
        """Apply the rule for which two tables must be settled that come one after the other."""
        users, roles = self.others.wholes.get("users"), self.others.wholes.get("roles")
        if users and roles and "users" in self.settled:
            suspects = across.without_role(users, roles)
            self.batches += [suspects.tell()] if len(suspects) else []

    def _chunks(self, file: str) -> Iterator[bytes]:
        """Yield a file's bytes as UTF-8, and tell how far it is."""
        chunks, encoding = self.package.stream(file), self.terms.ways.encoding
        if encoding and not is_utf_8(self.package.stream(file)):
            self.batches.append(_converted(file, self.terms.ways))
            chunks = to_utf_8(chunks, encoding)
        total, done = self.package.files[file].size, 0
        for chunk in ahead(chunks):
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
        untouched(table, self.past, self.others, self.terms.seed)

    def _settle(self, table: Table, mode: Mode, live: Live, scanned: Scanned, header: Header) -> Settled:
        seed, ways = self.terms.seed, self.terms.ways
        with self.stages.measure("read", table.name):
            frame = read(scanned, header.without(self.terms.unread), table)
        with self.stages.measure("validate", table.name):
            work = Settling(
                table=table,
                mode=mode,
                live=live,
                scanned=scanned,
                past=self.past,
                others=self.others,
                ways=ways,
                seed=seed,
                is_alone=self.terms.is_alone,
                new=validate(table, frame, scanned.lines, scanned.hashes, mode=mode, seed=seed, ways=ways),
                standing=scanned.present(live),
            )
            disputed = work.judge(is_referred_to=self._is_referred_to(table.name))
        with self.stages.measure("diff", table.name):
            return work.settle(disputed)

    def _is_referred_to(self, name: str) -> bool:
        """Return whether ids of a table matter to any other, or to itself; enrollments, the largest, do not."""
        return any(column.references == name for table in self.tables.values() for column in table.references())


def _as_of_another(table: Table, given: tuple[str, ...], header: Header) -> Iterator[Batch]:
    """Yield what is wrong with a header, and first of all that it is one of another version, if so.

    It is if this version cannot read it, or has no place for what the other one demands.
    """
    other = version.nearest({table.name: given})
    unread = [name for name, kept in zip(given, header.names, strict=True) if kept is None]
    is_unfit = findings.is_rejected(header.batches) or version.demands_any(other, table.name, unread)
    if other == table.version or not is_unfit or not version.fits(other, table.name, given):
        yield from header.batches
        return
    told = findings.batch("other-version", file=table.file, lines=[1], other=other, version=table.version)
    yield told
    cause = Cause(told.code, table.file, 1)
    yield from (replace(one, caused_by=cause) for one in header.batches)
