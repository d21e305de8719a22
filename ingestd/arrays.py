"""The live arrays of one table as a file to map into memory, and an index that is written last.

The index says where each array lies, and a checksum of them all; without it, or with one that does not fit, there are
no arrays, and the store rebuilds them. So a torn set is never read, and nothing need be synced.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_hexdigest

from ingestd.core.model import Hashes, Ints
from ingestd.core.scan import Live, References
from schemas import Shape

INDEX, DATA = "index.json", "arrays"
FORM = 2
"""How the hashes are made; those of another form are made again."""
_HASHES = ("hash", "id", "content")


def save(folder: Path, live: Live) -> None:
    """Write the arrays of one table; what lay in the folder is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    parts = _parts(live)
    checksum = xxh3_64()
    with (folder / DATA).open("wb") as file:
        for values in parts.values():
            data = np.ascontiguousarray(values).data
            checksum.update(data)
            file.write(data)
    counts = {name: len(values) for name, values in parts.items()}
    (folder / INDEX).write_text(json.dumps({"form": FORM, "checksum": checksum.hexdigest(), "counts": counts}))


def load(folder: Path, shape: Shape) -> Live | None:
    """Map the arrays, or return None if they are not all there, or not of the shape that this version gives them."""
    try:
        index = json.loads((folder / INDEX).read_text())
        parts = _mapped(folder / DATA, index["counts"], index["checksum"]) if index["form"] == FORM else {}
        live = _live(parts)
    except (OSError, ValueError, KeyError):
        return None
    wanted = {column.name for column in shape.references()}
    return live if not len(live) or set(live.references) == wanted else None


def carry(before: Path, after: Path) -> None:
    """Take over the arrays of a table that a run did not touch."""
    if (before / INDEX).exists():
        after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        before.rename(after)


def _parts(live: Live) -> dict[str, Ints | Hashes]:
    parts: dict[str, Ints | Hashes] = {name: getattr(live, name) for name in ("rid", "notes", *_HASHES)}
    for column, one in live.references.items():
        parts[f"{column} target"] = one.target
        if one.row is not None:
            parts[f"{column} row"] = one.row
    return parts


def _mapped(path: Path, counts: Mapping[str, int], checksum: str) -> dict[str, Ints]:
    """Return read-only views into the file; every array has items of eight bytes."""
    data = np.memmap(path, np.int64, "r") if path.stat().st_size else np.zeros(0, np.int64)
    if len(data) != sum(counts.values()) or xxh3_64_hexdigest(data.data) != checksum:
        raise ValueError("the arrays are not those of their index")
    ends = np.cumsum(list(counts.values()))
    return {name: data[end - count : end] for (name, count), end in zip(counts.items(), ends, strict=True)}


def _live(parts: Mapping[str, Ints]) -> Live:
    hashes = {name: parts[name].view(np.uint64) for name in _HASHES}
    columns = [name.removesuffix(" target") for name in parts if name.endswith(" target")]
    references = {
        name: References(parts.get(f"{name} row"), parts[f"{name} target"].view(np.uint64)) for name in columns
    }
    return Live(rid=parts["rid"], notes=parts["notes"], references=references, **hashes)
