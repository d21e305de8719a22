"""The live arrays of one table as a file to map into memory, and an index that is written last.

The index says where each array lies, and a checksum of them all; without it, or with one that does not fit, there are
no arrays, and the store rebuilds them. So a torn set is never read, and nothing need be synced.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from xxhash import xxh3_64

from ingestd.core.model import Hashes, Ints
from ingestd.core.scan import Live, References
from schemas import Shape

INDEX, DATA = "index.json", "arrays"
FORM = 2
"""How the hashes are made; those of another form are made again."""
_HASHES = ("hash", "id", "content")
_PER_RECORD = ("rid", "notes", *_HASHES)


def save(folder: Path, live: Live) -> None:
    """Write the arrays of one table; what lay in the folder is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    save_parts(folder, _parts(live))


def load(folder: Path, shape: Shape) -> Live | None:
    """Map the arrays, or return None if they are not all there, or not of the shape that this version gives them."""
    parts = load_parts(folder)
    if parts is None or not set(_PER_RECORD) <= parts.keys():
        return None
    live = _live(parts)
    wanted = {column.name for column in shape.references()}
    return live if not len(live) or set(live.references) == wanted else None


def save_parts(folder: Path, parts: Mapping[str, Ints | Hashes]) -> None:
    """Write arrays of items of eight bytes, and their index last."""
    folder.mkdir(parents=True, mode=0o700)
    checksum = write(folder / DATA, parts)
    counts = {name: len(values) for name, values in parts.items()}
    (folder / INDEX).write_text(json.dumps({"form": FORM, "checksum": checksum, "counts": counts}))


def load_parts(folder: Path) -> dict[str, Ints] | None:
    """Map what `save_parts` wrote, read-only, or return None if it is not all there, or of another form."""
    try:
        index = json.loads((folder / INDEX).read_text())
        return mapped(folder / DATA, index["counts"], index["checksum"]) if index["form"] == FORM else None
    except (OSError, ValueError, KeyError):
        return None


def carry(before: Path, after: Path) -> None:
    """Take over the arrays of a table that a run did not touch."""
    if (before / INDEX).exists():
        after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        before.rename(after)


def _parts(live: Live) -> dict[str, Ints | Hashes]:
    parts: dict[str, Ints | Hashes] = {name: getattr(live, name) for name in _PER_RECORD}
    for column, one in live.references.items():
        parts[f"{column} target"] = one.target
        if one.row is not None:
            parts[f"{column} row"] = one.row
    return parts


def write(path: Path, parts: Mapping[str, Ints | Hashes]) -> str:
    """Write arrays of items of eight bytes one after the other; return the checksum of them and their names."""
    checksum = xxh3_64()
    with path.open("wb") as file:
        for name, values in parts.items():
            data = np.ascontiguousarray(values).data
            checksum.update(name.encode())
            checksum.update(data)
            file.write(data)
    return checksum.hexdigest()


def mapped(path: Path, counts: Mapping[str, int], checksum: str) -> dict[str, Ints]:
    """Return read-only views into a file of arrays, each of which has so many items.

    Raises:
        ValueError: they are not those that had this checksum.
        OSError: the file is not there.
    """
    data = np.memmap(path, np.int64, "r") if path.stat().st_size else np.zeros(0, np.int64)
    ends = np.cumsum(list(counts.values()))
    parts = {name: data[end - count : end] for (name, count), end in zip(counts.items(), ends, strict=True)}
    found = xxh3_64()
    for name, values in parts.items():
        found.update(name.encode())
        found.update(values.data)
    if len(data) != sum(counts.values()) or found.hexdigest() != checksum:
        raise ValueError("the arrays are not those of their index")
    return parts


def _live(parts: Mapping[str, Ints]) -> Live:
    hashes = {name: parts[name].view(np.uint64) for name in _HASHES}
    columns = [name.removesuffix(" target") for name in parts if name.endswith(" target")]
    references = {
        name: References(parts.get(f"{name} row"), parts[f"{name} target"].view(np.uint64)) for name in columns
    }
    return Live(rid=parts["rid"], notes=parts["notes"], references=references, **hashes)
