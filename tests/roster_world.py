"""Small rosters taken into a real snapshot: what the tests of change share. No zip, no sink, no configuration."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd.core.columns import TEXT
from ingestd.core.commit import advance
from ingestd.core.hashing import find_unsorted, hash_ids
from ingestd.core.header import understand_header
from ingestd.core.model import Batch, Hashes, Mask, Mode
from ingestd.core.plan import Owned
from ingestd.core.read import read
from ingestd.core.references import Ids, check_references, check_unique
from ingestd.core.roster import Settled, settle
from ingestd.core.scan import Live, Scanned, scan
from ingestd.core.validate import Candidates, validate
from ingestd.core.ways import Ways
from ingestd.examine import Examined, Terms, examine
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.unpack import Member, Package
from schemas import NAMES, Table, load, shapes

TABLES = load("1.1")
SEED = 7
Row = Mapping[str, str] | str
"""The cells of a record by column, or a line as it is, right or wrong."""


def org(sourced_id: str, **cells: str) -> dict[str, str]:
    """Return an org."""
    return {"sourcedId": sourced_id, "name": "High", "type": "school", **cells}


def user(sourced_id: str, **cells: str) -> dict[str, str]:
    """Return a user of the org O1."""
    given = {"enabledUser": "true", "orgSourcedIds": "O1", "role": "student", "username": "u"}
    return {"sourcedId": sourced_id, **given, "givenName": "Ann", "familyName": "Fern", **cells}


def enrollment(sourced_id: str, **cells: str) -> dict[str, str]:
    """Return the enrollment of the user U1 in the class C1 of the org O1."""
    given = {"classSourcedId": "C1", "schoolSourcedId": "O1", "userSourcedId": "U1", "role": "student"}
    return {"sourcedId": sourced_id, **given, **cells}


def changed(one: Mapping[str, str]) -> dict[str, str]:
    """Return a record as a delta sends it."""
    return {"status": "active", "dateLastModified": "2026-09-01T00:00:00Z", **one}


def deleted(one: Mapping[str, str]) -> dict[str, str]:
    """Return a record as a delta takes it away."""
    return {**changed(one), "status": "tobedeleted"}


def csv(table: Table, rows: Sequence[Row], more: Sequence[str] = ()) -> bytes:
    """Return a file of these records; `more` are columns of the vendor's own."""
    header = (*table.header, *more)
    lines = [one if isinstance(one, str) else ",".join(_quoted(one.get(name, "")) for name in header) for one in rows]
    return "".join(f"{line}\n" for line in (",".join(header), *lines)).encode()


def _quoted(cell: str) -> str:
    return f'"{cell}"' if "," in cell else cell


def frame(**columns: Sequence[str]) -> pd.DataFrame:
    """Return a frame of texts."""
    return pd.DataFrame({name: pd.Series(list(cells), dtype=TEXT) for name, cells in columns.items()})


def ids(*sourced_ids: str) -> Hashes:
    """Return the hashes of ids, ascending, as `Ids.known` has them."""
    return np.sort(hash_ids(pa.array(sourced_ids, pa.large_string()), SEED))


def owned_of(keys: Hashes, contents: Hashes, key_fields: Sequence[pa.Array]) -> Owned:
    """Return owned target records whose key fields are these."""

    def fields_of(some: Hashes) -> list[pa.Array]:
        return [values.take(pa.array(find_unsorted(some, keys))) for values in key_fields]

    return Owned(keys, contents, fields_of)


# One table, stage by stage ----------------------------------------------------------------------------------------


def look(
    table: str, rows: Sequence[Row], live: Live | None = None, mode: Mode = Mode.BULK
) -> tuple[Scanned, Candidates]:
    """Scan, read and validate one file."""
    found = TABLES[table]
    more = [name for one in rows if not isinstance(one, str) for name in one if name not in found.header]
    scanned = scan(found.file, [csv(found, rows, list(dict.fromkeys(more)))], live or Live(), SEED)
    records = read(scanned, understand_header(found, scanned.header), found)
    return scanned, validate(found, records, scanned.lines, scanned.hashes, mode=mode, seed=SEED)


def settled(
    table: str,
    rows: Sequence[Row],
    live: Live | None = None,
    mode: Mode = Mode.BULK,
    known: Mapping[str, Ids] | None = None,
) -> Settled:
    """Take one file as far as `settle`; `known` has the ids that it may refer to."""
    live = live or Live()
    scanned, new = look(table, rows, live, mode)
    new, disputed = check_unique(new, live, scanned, SEED)
    new = check_references(new, known or {}, SEED)
    return settle(mode, live, scanned, new, scanned.present(live), disputed, seed=SEED)


def lived(table: str, rows: Sequence[Row]) -> Live:
    """Return the live arrays after a first bulk load of one table."""
    first = settled(table, rows)
    return advance(first, shapes()[table], 1, first.new.notes, SEED)


def codes(batches: Sequence[Batch]) -> list[str]:
    """Return the codes of findings, in their order."""
    return [one.code for one in batches]


def where(mask: Mask) -> list[int]:
    """Return the positions that a mask chooses."""
    return [int(i) for i in np.flatnonzero(mask)]


def arrays_of(live: Live) -> dict[str, list[Any]]:
    """Return live arrays as lists that can be compared, in the order of their records' keys."""
    order = np.argsort(live.rid)
    names = ("rid", "hash", "id", "content", "notes")
    found: dict[str, list[Any]] = {name: getattr(live, name)[order].tolist() for name in names}
    for column, one in live.references.items():
        filled = one.target != 0
        found[column] = sorted(zip(live.rid[one.records(filled)].tolist(), one.target[filled].tolist(), strict=True))
    assert (live.hash[:-1] <= live.hash[1:]).all(), "the scan looks records up by halving"
    return found


# A feed's snapshot, day after day ---------------------------------------------------------------------------------


def package(tables: Mapping[str, Sequence[Row]], modes: Mapping[str, Mode] | None = None) -> Package:
    """Return a package that lies in memory."""
    said = {name: (modes or {}).get(name, Mode.BULK) if name in tables else Mode.ABSENT for name in NAMES["1.1"]}
    lines = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.1"]
    lines += [f"file.{name},{mode}" for name, mode in said.items()]
    files = {"manifest.csv": "".join(f"{line}\n" for line in lines).encode()}
    for name, rows in tables.items():
        more = [column for one in rows if not isinstance(one, str) for column in one if column.startswith("metadata.")]
        files[f"{name}.csv"] = csv(TABLES[name], rows, list(dict.fromkeys(more)))
    return packed(files)


def packed(files: Mapping[str, bytes], pieces: int | None = None) -> Package:
    """Return a package of these files, which come in pieces of so many bytes, or as many as are asked for."""

    def stream(file: str, chunk: int) -> Iterator[bytes]:
        chunk = min(chunk, pieces or chunk)
        return (files[file][at : at + chunk] for at in range(0, len(files[file]), chunk))

    members = {file: Member(file, len(content)) for file, content in files.items()}
    return Package(members, tuple(files), (), stream, ExitStack())


class World:
    """A feed's store in a folder, and the drops that it takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder, "springfield", shapes())
        self.snapshot = self.store.snapshot
        self.runs = 0

    def reopen(self) -> None:
        """Close the store and open it again, as another process would."""
        self.store.close()
        self.store = Store(self.folder, "springfield", shapes())
        self.snapshot = self.store.snapshot

    def examine(
        self, tables: Mapping[str, Sequence[Row]], modes: Mapping[str, Mode] | None = None, ways: Ways = Ways()
    ) -> Examined:
        """Hold a drop against the snapshot."""
        return self.hold_against(package(tables, modes), ways)

    def hold_against(self, drop: Package, ways: Ways = Ways()) -> Examined:
        """Hold a package against the snapshot; any table may be missing from it."""
        terms = Terms(required=(), allow_missing=tuple(shapes()), ways=ways, seed=self.store.seed)
        return examine(drop, self.snapshot, terms, Stages())

    def commit(self, examined: Examined, *, publish: bool = True) -> None:
        """Take what was examined into the snapshot, unless it was rejected."""
        if examined.is_rejected:
            return
        self.runs += 1
        with self.store.transaction():
            self.snapshot.commit(examined.settled, self.runs)
        if publish:
            self.snapshot.publish()

    def take(self, tables: Mapping[str, Sequence[Row]], modes: Mapping[str, Mode] | None = None) -> Examined:
        """Take a drop into the snapshot."""
        examined = self.examine(tables, modes)
        self.commit(examined)
        return examined

    def records(self, table: str) -> dict[str, dict[str, str]]:
        """Return the live records of a table by sourcedId, filled cells only."""
        rows = self.snapshot.read_live(table).to_dict("records")
        return {row["sourcedId"]: {str(name): cell for name, cell in row.items() if cell} for row in rows}


def world_after(folder: Path, day: Mapping[str, Sequence[Row]]) -> Iterator[World]:
    """Give a feed that has taken its first drop, and close it."""
    made = World(folder)
    made.take(day)
    yield made
    made.store.close()
