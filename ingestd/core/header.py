"""A file's header, understood: columns by the standard's names, whatever the order, near misses repaired or hinted at.

Law: a name is taken for another only where nothing else can be meant: the name that another version has for the same
column, a spelling that exporters are known for, or what the feed's SIS is said to write. What merely resembles a name
is a hint in the finding.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ingestd.core import findings
from ingestd.core.aliases import Aliases
from ingestd.core.layout import show
from ingestd.core.model import Batch
from schemas import VERSIONS, Column, Table, load

METADATA = "metadata."
"""Prefix of the columns that a vendor may add (rules 4.6)."""

_MISSPELT: Mapping[str, str] = {
    "dateModified": "dateLastModified",
    "dataLastModified": "dateLastModified",
    "sourceId": "sourcedId",
    "agentSourceIds": "agentSourcedIds",
    "orgSourceIds": "orgSourcedIds",
    "middleNames": "middleName",
    "prefferedGivenName": "preferredGivenName",
    "prefferedMiddleName": "preferredMiddleName",
    "prefferedFamilyName": "preferredFamilyName",
    "nativeAmericanOrOtherPacificIslander": "nativeHawaiianOrOtherPacificIslander",
    "resultDate": "scoreDate",
    "gradingPeriodSourcedId": "academicSessionSourcedId",
    "academicSessionSourcedId": "gradingPeriodSourcedId",
}
"""What exporters write for the standard's names, and the one column that 1.2 renamed (rules 6)."""


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header, understood: `names` has for each column the name under which it is kept, None if unread."""

    names: tuple[str | None, ...]
    batches: tuple[Batch, ...]

    @property
    def metadata(self) -> tuple[str, ...]:
        """Return the vendor's own columns."""
        return tuple(name for name in self.names if name and name.startswith(METADATA))

    def without(self, unread: Collection[str]) -> "Header":
        """Return the header with some columns, named in lower case, left unread."""
        return replace(self, names=tuple(None if name and name.lower() in unread else name for name in self.names))


def understand_header(table: Table, header: Sequence[str], aliases: Aliases = Aliases()) -> Header:
    """Match a file's header with the table's columns, by name and regardless of order.

    Names may differ from the standard's in case and surrounding blanks, or be aliases: of the sender's own, which come
    first, or such as others have, too. A first line that has none of them is no header but a record, and not a word of
    it is told.
    """
    bare, said = [name.strip() for name in header], aliases.header(table.name, header)
    standard = {column.header.casefold(): column for column in table.columns}
    found = [standard.get(name.casefold()) for name in said]
    if not any(found):
        detail = "the first line has none of the standard's names"
        told = findings.batch("missing-header", file=table.file, lines=[1], detail=detail)
        return Header((None,) * len(bare), (told,))
    found = _with_aliases(table, said, found)
    names = tuple(
        column.name if column else name if name.startswith(METADATA) else None
        for name, column in zip(said, found, strict=True)
    )
    batches = (
        *_tell_twice(table, names),
        *_tell_missing(table, names, bare),
        *_tell_other(table, names, header),
        *_tell_order(table, names),
    )
    return Header(names, batches)


def _with_aliases(table: Table, said: Sequence[str], found: Sequence[Column | None]) -> list[Column | None]:
    """Fill in the columns that are there under another name, unless they are there under their own, too."""
    free = {column.name: column for column in table.columns if column not in found}
    aliases = _aliases(table.name)
    completed = list(found)
    for i, name in enumerate(said):
        kept = aliases.get(name.casefold())
        if completed[i] is None and kept in free:
            completed[i] = free.pop(kept)
    return completed


@cache
def _aliases(table: str) -> Mapping[str, str]:
    """Return the names, case folded, that columns have elsewhere, and what they are kept under.

    What another table calls a column counts too (`grade`, which users had not in 1.0), but for the ids of records.
    """
    every = [(name, one) for version in VERSIONS for name, found in load(version).items() for one in found.columns]
    others = {one.header: one.name for _, one in every if one.name not in {one.header, "sourcedId"}}
    own = {given: one.name for name, one in every if name == table for given in (one.header, one.name)}
    return {given.casefold(): kept for given, kept in {**others, **_MISSPELT, **own}.items()}


def _tell(code: str, table: Table, column: str | None = None, **words: Any) -> Batch:
    return findings.batch(code, file=table.file, column=column, lines=[1], **words)


def _tell_twice(table: Table, names: Sequence[str | None]) -> Iterator[Batch]:
    """Tell of columns that are there twice; of metadata columns also when only case keeps them apart, as in SQL."""
    counts = Counter(name.casefold() for name in names if name)
    firsts = {name.casefold(): name for name in reversed(names) if name}
    for key, count in counts.items():
        if count > 1:
            yield _tell("duplicate-column", table, table.told(firsts[key]))


def _tell_missing(table: Table, names: Sequence[str | None], bare: Sequence[str]) -> Iterator[Batch]:
    strangers = [given for given, name in zip(bare, names, strict=True) if name is None and given]
    for column in table.columns:
        if column.name not in names and not column.may_lack:
            code = "missing-column" if column.required else "missing-optional-column"
            yield _tell(code, table, column.header, hint=_hint(column.header, strangers))


def _tell_other(table: Table, names: Sequence[str | None], header: Sequence[str]) -> Iterator[Batch]:
    for position, (given, name) in enumerate(zip(header, names, strict=True), 1):
        if name is None:
            yield _tell("unknown-column", table, show(given.strip()) or f"#{position}")
            continue
        wanted = table.told(name)
        if given.strip().casefold() != wanted.casefold():
            yield _tell("header-alias", table, wanted, given=show(given.strip()))
        elif given != wanted:
            yield _tell("header-case", table, wanted)


def _tell_order(table: Table, names: Sequence[str | None]) -> Iterator[Batch]:
    """Tell of another order, also of the vendor's own columns before the standard's; 1.0 has some in its midst."""
    known = [name for name in names if name and not name.startswith(METADATA)]
    wanted = [column.name for column in table.columns if column.name in known]
    own = [name for name in names if name]
    is_mixed = table.version != VERSIONS[0] and own[: len(known)] != known
    if known != wanted or is_mixed:
        yield _tell("header-order", table)


def _hint(name: str, strangers: Sequence[str]) -> str:
    """Name the column that is probably meant: REST and 1.0 names differ in their endings only (rules 6)."""
    stem, folded = _stem(name), {given.casefold(): given for given in reversed(strangers)}
    near = [given for given in strangers if _stem(given) == stem]
    near += [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.75)]
    return f"; the file has {show(near[0])}, which the standard calls {name}" if near else ""


def _stem(name: str) -> str:
    return name.casefold().removesuffix("s").removesuffix("sourcedid").removesuffix("id").rstrip("s")
