"""The values that pass between the stages. All frozen; closed sets are `StrEnum`s."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""Seeded 64-bit hashes, one per record."""
Ints = NDArray[np.int64]
"""Positions or line numbers, one per record."""
Mask = NDArray[np.bool_]
"""A choice of records."""


class Mode(StrEnum):
    """What the manifest says of a file (1.1 binding, manifest.csv)."""

    ABSENT = "absent"
    BULK = "bulk"
    DELTA = "delta"


class Severity(StrEnum):
    """How grave a finding is, gravest first. An error holds its record back, a warning its value, info is a repair."""

    CATASTROPHIC = "catastrophic"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Cause:
    """The finding from which another one follows."""

    code: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a drop, or repaired in it.

    `message` carries no value of the data. `line` is the line an editor shows (the header is 1).
    `count` is the number of records that this finding stands for.
    """

    code: str
    severity: Severity
    message: str
    file: str | None = None
    line: int | None = None
    column: str | None = None
    count: int = 1
    caused_by: Cause | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the finding in the order and with the names of `check --json` (DESIGN section 7)."""
        cause = self.caused_by
        return {
            "code": self.code,
            "severity": str(self.severity),
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "count": self.count,
            "caused_by": {"code": cause.code, "file": cause.file, "line": cause.line} if cause else None,
        }


@dataclass(frozen=True, slots=True)
class Batch:
    """Findings of one code in one column of one file: a column of line numbers instead of an object per record.

    `lines` is empty for a finding about a whole file; `stands_for` counts records when it is not `len(lines)`.
    """

    code: str
    severity: Severity
    message: str
    file: str | None = None
    column: str | None = None
    lines: tuple[int, ...] = ()
    stands_for: int | None = None
    caused_by: Cause | None = None

    @property
    def count(self) -> int:
        """Return the number of records (or files) that this batch is about."""
        return self.stands_for if self.stands_for is not None else max(1, len(self.lines))


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.csv`, read. `modes` has an entry for every table that the binding knows."""

    oneroster: str
    modes: Mapping[str, Mode]


@dataclass(frozen=True, slots=True)
class TableCount:
    """What came in one table: `rows == valid + held_back`."""

    rows: int
    valid: int
    held_back: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in one table, counted."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts as DESIGN section 7 names them."""
        return {
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "unchanged": self.unchanged,
        }


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that the changeset would overstep, or a file whose absence would be mistaken for removal."""

    code: str
    message: str
    table: str
    org: str | None = None
    count: int = 0
    of: int = 0
    limit: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the breach for JSON; `limit` is a fraction of `of`."""
        return {
            "code": self.code,
            "message": self.message,
            "table": self.table,
            "org": self.org,
            "count": self.count,
            "of": self.of,
            "limit": self.limit,
        }


class Kind(StrEnum):
    """What an action does to a target record. `remove` follows the target table's `on_absent`.

    `rekey` gives a record another key; all else of it stays.
    """

    REKEY = "rekey"
    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"


class OnAbsent(StrEnum):
    """What becomes of a target record whose source record is gone (DESIGN section 9)."""

    DELETE = "delete"
    DEACTIVATE = "deactivate"
    ARCHIVE = "archive"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Actions:
    """Actions of one kind on one target table, as a frame with a target record per row, sorted by key.

    A removal's frame has the key columns only; that of a rekey has them with the old key, and `new_key` with the new
    one. `key` is the names of the key columns, `columns` all of the
    table's columns; `keys` and `contents` are the hashes by which the owned records are kept.
    """

    target: str
    kind: Kind
    key: tuple[str, ...]
    columns: tuple[str, ...]
    frame: pd.DataFrame
    keys: Hashes
    contents: Hashes
    on_absent: OnAbsent = OnAbsent.DEACTIVATE

    def __len__(self) -> int:
        return len(self.frame)

    def some(self, chosen: Mask, columns: Sequence[str] | None = None) -> "Actions":
        """Return some of the actions; with only these columns of the frame, if given."""
        frame = self.frame.loc[chosen, list(self.frame.columns if columns is None else columns)].reset_index(drop=True)
        return replace(self, frame=frame, keys=self.keys[chosen], contents=self.contents[chosen])

    @property
    def new_key(self) -> tuple[str, ...]:
        """Return the names of the columns in which a rekey's frame has the new key."""
        return new_key_of(self.key)


def new_key_of(key: Sequence[str]) -> tuple[str, ...]:
    """Return what the columns of a new key are called."""
    return tuple(f"new {name}" for name in key)


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered actions to carry out, and the SHA-256 by which they are released."""

    actions: tuple[Actions, ...]
    digest: str

    def __len__(self) -> int:
        return sum(map(len, self.actions))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return `{target: {"create": n, "update": n, "remove": n}}` with every target that has an action.

        A target has `"rekey"`, too, if it has such actions: nearly no plan has any.
        """
        table: dict[str, dict[str, int]] = {}
        for group in self.actions:
            counts = table.setdefault(group.target, {str(kind): 0 for kind in Kind if kind is not Kind.REKEY})
            counts[str(group.kind)] = counts.get(str(group.kind), 0) + len(group)
        return table


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one group of actions: how many were done, and which rows failed, with a reason free of values."""

    target: str
    kind: Kind
    done: int
    failed: Mapping[int, str] = field(default_factory=dict)
