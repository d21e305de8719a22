"""A zip of CSVs, or a folder of them: the full set of active target records, as Apple School Manager and SDS want it.

The records themselves are in an SQLite file beside it. What is to be published is on the disk under another name before
that file's transaction commits, and takes its own name after it. A kill between the two is made good when the plan is
applied again: it changes no record then, and renders the same bytes. What is published is passed on after that, to all
places that do not have it yet.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow as pa

from ingestd import database, files
from ingestd.core.dialect import parents_first, render_header, render_lines
from ingestd.core.manifest import render as render_manifest
from ingestd.core.model import Mode, Outcome, Plan
from ingestd.core.package_rules import Sheet, asked, check_package
from ingestd.core.rules import Rules, Target
from ingestd.database import quoted
from ingestd.errors import ConfigError, SinkError, TransientSinkError
from ingestd.sinks.base import Progress
from ingestd.sinks.push import Destination, Pushes, destination
from ingestd.sinks.sqlite import OWN, SqliteSink, columns_of
from schemas import shapes

_MODE = 0o600
_WHEN = (1980, 1, 1, 0, 0, 0)
"""The time of each file in a zip, the first that a zip can tell: the same records are the same bytes."""

Sheets = Mapping[str, Iterator[bytes]]
"""By the name of a CSV what is in it, a part at a time."""


class CsvZipSink:
    """One CSV per target table of the rules, those without records too, its columns in the order of the rules' fields.

    `path` is a zip if its name ends in `.zip`, else a folder; the records are in `path` with `.db` behind it.
    """

    transactional = True

    def __init__(self, path: Path, rules: Rules, busy: float = database.BUSY, push: Sequence[Destination] = ()) -> None:
        """`busy`: seconds to wait for somebody else's transaction; `push`: where a zip is passed on to."""
        self._path = path
        self._rules = rules
        self._kept = path.with_name(f"{path.name}.db")
        self._records = SqliteSink(self._kept, busy, before_commit=self._render)
        self._pushes = Pushes(path, push)
        self._rendered: dict[Path, Path] = {}
        self._stale: list[Path] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Self:
        """Read `path`, relative to `folder`, and the tables of `push`.

        Raises:
            ConfigError: there is no path.
        """
        if not isinstance(settings.get("path"), (str, Path)):
            raise ConfigError(['sinks.path: a csvzip sink needs path = "FILE.zip", or that of a folder'])
        path = folder / settings["path"]
        return cls(path, rules, push=[destination(one, path.name) for one in settings.get("push", ())])

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Carry a plan out in one transaction, publish all active records, and pass them on."""
        self._refuse_a_part()
        try:
            outcomes = self._records.apply(plan, once=once, run=run, at=at, progress=progress)
            self._publish()
        finally:
            for aside in self._rendered:
                with suppress(OSError):  # it is in nobody's way, and goes with the next
                    aside.unlink(missing_ok=True)
            self._rendered.clear()
        self._pushes.push()
        return outcomes

    def is_lost(self) -> bool:
        """Return whether the records' file is not there."""
        return not self._kept.exists()

    def pending(self) -> bool:
        """Return whether some place lacks what is published: it is a new one, or was away."""
        return bool(self._pushes.due())

    def close(self) -> None:
        """Close the records' file."""
        self._records.close()

    def _refuse_a_part(self) -> None:
        """Refuse to begin with no records what was published before: its reader would take all others for gone."""
        if self._is_published() and not self._kept.exists():
            raise SinkError(
                f"the csvzip sink found {self._path.name}, but not {self._kept.name}, which has its records; "
                f"put that back, or move {self._path.name} away if this feed did not write it"
            )

    def _is_published(self) -> bool:
        return self._path.is_file() or any(self._path.glob("*.csv"))

    # Rendering -----------------------------------------------------------------------------------------------

    def _render(self, db: sqlite3.Connection) -> None:
        """Have all tables on the disk, each file under a name of its own that is not the one to come."""
        targets = [target for target in self._rules.targets if self._is_wanted(db, target)]
        written: dict[str, Sheet] = {}
        sheets = {f"{target.name}.csv": self._lines(db, target, written) for target in targets}
        if self._rules.csv.oneroster:
            manifest = render_manifest(self._rules.csv.oneroster, {target.name: Mode.BULK for target in targets})
            sheets["manifest.csv"] = iter([manifest])
        try:
            if self._path.suffix.lower() == ".zip":
                self._render_zip(sheets)
            else:
                self._render_folder(sheets)
                self._stale = [self._path / f"{name}.csv" for name in _tables(db) if f"{name}.csv" not in sheets]
        except OSError as error:
            raise SinkError(f"the csvzip sink failed: {error.strerror}") from None
        if faults := check_package(written, self._rules):
            raise SinkError(f"the csvzip sink published nothing: the package is not in order: {'; '.join(faults)}")

    def _is_wanted(self, db: sqlite3.Connection, target: Target) -> bool:
        """Return whether a table has a file; in a set of OneRoster only if it has records."""
        if not self._rules.csv.oneroster:
            return True
        if not columns_of(db, target.name):
            return False
        return db.execute(f"SELECT 1 FROM {quoted(target.name)} WHERE _active = 1 LIMIT 1").fetchone() is not None

    def _render_zip(self, sheets: Sheets) -> None:
        with files.writing(self._aside(self._path), mode=_MODE) as file, ZipFile(file, "w", ZIP_DEFLATED) as package:
            for name, parts in sheets.items():
                about = ZipInfo(name, _WHEN)
                about.compress_type, about.external_attr = ZIP_DEFLATED, _MODE << 16
                with package.open(about, "w") as member:
                    member.writelines(parts)

    def _render_folder(self, sheets: Sheets) -> None:
        files.make_private(self._path)
        for name, parts in sheets.items():
            with files.writing(self._aside(self._path / name), mode=_MODE) as file:
                file.writelines(parts)

    def _aside(self, path: Path) -> Path:
        aside = path.with_name(f".{path.name}.part")
        self._rendered[aside] = path
        return aside

    def _lines(self, db: sqlite3.Connection, target: Target, written: dict[str, Sheet]) -> Iterator[bytes]:
        """Yield the CSV of one table, its records in the order of the key; at the end `written` has what is checked."""
        have = [name for name in columns_of(db, target.name) if name not in OWN]
        names, dialect = _fields(target, have), self._rules.csv.dialect
        kept = {name: [pa.array([], pa.large_string())] for name in asked(target, self._rules.csv) if name in names}
        yield render_header(names, dialect)
        for part in self._parts(db, target, names, have) if have else ():
            for name, cells in kept.items():
                cells.append(part[names.index(name)])
            yield render_lines(part, dialect)
        written[target.name] = Sheet(names, {name: pa.concat_arrays(cells) for name, cells in kept.items()})

    def _parts(
        self, db: sqlite3.Connection, target: Target, names: Sequence[str], have: Sequence[str]
    ) -> Iterator[Sequence[pa.Array]]:
        """Yield the columns of a CSV, some rows at a time; all at once where parents come first."""
        query, values = self._query(target, names, {name.casefold() for name in have})  # as SQLite compares names
        types, parents = [pa.large_string()] * len(names), self._rules.csv.parents
        if target.name not in parents:
            yield from database.fetch_parts(db, query, types, values)
            return
        columns = database.fetch(db, query, types, values)
        ids, above = (columns[names.index(name)] for name in (target.key[0], parents[target.name]))
        order = pa.array(parents_first(ids, above))
        yield [column.take(order) for column in columns]

    def _query(self, target: Target, names: Sequence[str], known: Collection[str]) -> tuple[str, list[str]]:
        """Return the query of a table's cells, and its values: what stands in records that are gone, if they do."""
        gone = self._rules.csv.gone.get(target.name)
        cells = {name: quoted(name) if name.casefold() in known else "''" for name in names}
        for name in gone or ():
            cells[name] = f"CASE _active WHEN 1 THEN {cells[name]} ELSE ? END"
        values = [gone[name] for name in names if name in gone] if gone else []
        where = " WHERE _active = 1" if gone is None else ""
        key = ", ".join(map(quoted, target.key))
        return f"SELECT {', '.join(cells.values())} FROM {quoted(target.name)}{where} ORDER BY {key}", values

    # Publishing ----------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Give each rendered file its name; of a folder, take away the tables that the rules have no more."""
        try:
            for aside, path in self._rendered.items():
                aside.replace(path)
                files.sync_folder(path.parent)
            for path in self._stale:
                path.unlink(missing_ok=True)
        except OSError as error:  # the records are kept: the next try has nothing to do but this
            raise TransientSinkError(f"the csvzip sink failed: {error.strerror}") from None


def _fields(target: Target, have: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table's CSV; a table without fields has those that came, else the standard's."""
    if target.fields is not None:
        return tuple(target.fields)
    return tuple(have) or (*shapes()[target.source].header, *target.collect)


def _tables(db: sqlite3.Connection) -> list[str]:
    return [str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
