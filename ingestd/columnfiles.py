"""The columns of a table's live versions as files to map: a part for each run that opened some, derived from the store.

Versions are never written again, so neither are parts; what of them is not live any more is passed over. Parts that
are torn, or do not have just the live versions, are none at all, and the store is read.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestd import arrays
from ingestd.core.columns import arrow, blanks, is_blank, to_series
from ingestd.core.model import Hashes, Ints

COLUMNS = "columns"
"""The folder of a table's parts, beside its arrays."""
MOST = 16
"""From so many parts on they are made one."""
_RIDS = "rid"
_ENDS, _TEXT = "ends of ", "text of "


def save(folder: Path, rids: Ints, frame: pd.DataFrame) -> None:
    """Write a part: versions, and their keys, which ascend. Columns that are blank need not be there."""
    if not len(rids):
        return
    parts: dict[str, Ints | Hashes] = {_RIDS: rids}
    for name in frame.columns:
        values = arrow(frame[name])
        if not is_blank(values):
            parts[_ENDS + name.casefold()], parts[_TEXT + name.casefold()] = _taken_apart(values)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    arrays.save_parts(folder / str(rids[0]), parts)


def replace(folder: Path, rids: Ints, frame: pd.DataFrame) -> None:
    """Write one part in the place of all."""
    shutil.rmtree(folder, ignore_errors=True)
    save(folder, rids, frame)


def load(folder: Path, live: Ints, columns: Sequence[str]) -> tuple[Ints, pd.DataFrame] | None:
    """Return the keys of the live versions, ascending, and of each the columns; None if the parts do not have them.

    Args:
        folder: where the parts lie.
        live: the keys, in any order.
        columns: the names as the store has them; names are the same whatever their case, as SQLite takes them.
    """
    is_live = np.zeros(int(live.max(initial=0)) + 1, bool)
    is_live[live] = True
    rids = [live[:0]]
    cells: list[list[pa.Array]] = [[blanks(0)] for _ in columns]
    for path in _parts(folder):
        part = arrays.load_parts(path)
        if part is None:
            return None
        kept = is_live[np.minimum(part[_RIDS], len(is_live) - 1)] & (part[_RIDS] < len(is_live))
        rids.append(part[_RIDS][kept])
        for name, cell in zip(columns, cells, strict=True):
            values = _put_together(part, name.casefold())
            cell.append(values if kept.all() else values.filter(pa.array(kept)))
    found = np.concatenate(rids)
    if len(found) != len(live) or (found[1:] <= found[:-1]).any():
        return None
    series = (to_series(cell[-1] if len(cell) == 2 else pa.concat_arrays(cell)) for cell in cells)
    return found, pd.DataFrame(dict(zip(columns, series, strict=True)), copy=False)


def count(folder: Path) -> int:
    """Return how many parts there are."""
    return len(_parts(folder))


def carry(before: Path, after: Path) -> None:
    """Take over the parts of a table to which a run added one."""
    after.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part in _parts(before):
        part.rename(after / part.name)


def _parts(folder: Path) -> list[Path]:
    parts = (path for path in folder.iterdir() if path.name.isdigit()) if folder.exists() else ()
    return sorted(parts, key=lambda path: int(path.name))


def _taken_apart(values: pa.Array) -> tuple[Ints, Ints]:
    """Return where each text ends, from 0 on, and all texts together, filled up to eight bytes."""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    text = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return ends - ends[0], np.pad(text, (0, -len(text) % 8)).view(np.int64)


def _put_together(part: dict[str, Ints], name: str) -> pa.Array:
    if _ENDS + name not in part:
        return blanks(len(part[_RIDS]))
    buffers = [None, pa.py_buffer(part[_ENDS + name]), pa.py_buffer(part[_TEXT + name])]
    return pa.Array.from_buffers(pa.large_string(), len(part[_RIDS]), buffers)
