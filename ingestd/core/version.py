"""Decides by which version of the standard a set of files is read.

Law: the manifest's word counts, even if the files look otherwise (binding 1.2, section 2). Only a set without a
manifest is looked at: it is 1.0, or one of a later version that lost its manifest, which is never guessed.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from ingestd.core.findings import batch
from ingestd.core.manifest import FILE
from ingestd.core.model import Batch, Manifest
from schemas import NAMES, VERSIONS, load

FIRST = VERSIONS[0]
"""The version that has no manifest."""
Headers = Mapping[str, Sequence[str]]
"""The names in the headers of files, by the table's name."""

_VERSION = re.compile(r"[0-9][0-9A-Za-z._]{0,11}")
_SDS = {"relationships.csv", "userflags.csv"}
_LATER = {f"{table}.csv".lower() for table in NAMES[VERSIONS[-1]] if table not in NAMES["1.1"]}


def decide(
    manifest: Manifest | None, files: Collection[str], headers: Headers, given: str | None = None
) -> tuple[str | None, tuple[Batch, ...]]:
    """Return the version to read as, None if that cannot be known, and why if none is read.

    Args:
        manifest: None if there is none, or none that can be read (its own findings say so).
        files: the names of all files in the package.
        headers: of the files, where there is no manifest.
        given: the version that the feed or the command names, which outweighs everything.
    """
    if given:
        return given, ()
    if manifest:
        return manifest.oneroster, tuple(_unsupported(manifest.oneroster))
    if FILE in files:
        return None, ()
    return _without_manifest({name.lower() for name in files}, headers)


def _unsupported(version: str) -> Iterator[Batch]:
    if version not in VERSIONS:
        shown = version if _VERSION.fullmatch(version) else "of an unknown version"
        yield batch(
            "unsupported-version", file=FILE, version=shown, known=f"{', '.join(VERSIONS[:-1])} and {VERSIONS[-1]}"
        )


def _without_manifest(names: Collection[str], headers: Headers) -> tuple[str | None, tuple[Batch, ...]]:
    """Tell apart what lacks a manifest: SDS never has one, nor has 1.0."""
    later = _LATER & set(names)
    if _SDS & set(names) or later == {"roles.csv"}:
        return None, (batch("looks-like-sds"),)
    known = {f"{table}.csv".lower() for table in NAMES[VERSIONS[-1]]}
    if not known & set(names):
        return None, (batch("missing-manifest", file=FILE, detail=", and so is every other file of a roster"),)
    looks = nearest(headers)
    if looks == FIRST and not {name for name in known & set(names) if name.removesuffix(".csv") not in _FIRST}:
        return FIRST, ()
    version = looks if looks != FIRST else "1.1 or 1.2"
    detail = f"; only OneRoster {FIRST} has none, and this set is {version}"
    return None, (batch("missing-manifest", file=FILE, detail=detail),)


_FIRST = {table.lower() for table in NAMES[FIRST]}


def nearest(headers: Headers) -> str:
    """Return the version whose headers differ least from these, the oldest of equals."""
    return min(VERSIONS, key=lambda version: sum(_distance(version, *one) for one in headers.items()))


def _distance(version: str, table: str, header: Sequence[str]) -> int:
    """Count the names that only one of a header and a version's has; columns of a vendor's own do not count."""
    tables = load(version)
    if table not in tables:
        return len(header)
    given = {name.strip().casefold() for name in header if not name.startswith("metadata.")}
    wanted = {column.header.casefold() for column in tables[table].columns if not column.may_lack}
    optional = {column.header.casefold() for column in tables[table].columns if column.may_lack}
    return len(given - optional ^ wanted)


def fits(version: str, table: str, header: Sequence[str]) -> bool:
    """Return whether a header has all that a version demands of the table."""
    given = {name.strip().casefold() for name in header}
    found = load(version).get(table)
    return found is not None and all(column.header.casefold() in given for column in found.columns if column.required)


def demands_any(version: str, table: str, names: Collection[str]) -> bool:
    """Return whether a version demands one of these columns of the table."""
    given = {name.strip().casefold() for name in names}
    found = load(version).get(table)
    return found is not None and any(column.header.casefold() in given for column in found.columns if column.required)
