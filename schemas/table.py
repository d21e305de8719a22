"""A table of a binding as the daemon asks for it: its columns as values, and the compiled schema that checks them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pandera.pandas import DataFrameModel, DataFrameSchema

from schemas.fields import Condition
from schemas.rules import Mark, Rule


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` is the binding's data type, `references` the table whose ids it holds, `many` marks a list.

    `values` are the allowed words of an enumeration, else empty; `extensible` allows own ones that begin with `ext:`.
    `of_type` is the `type` that the record referred to should have. `header` is the column's name in the file, `name`
    the one under which it is kept. `may_lack`: a header without it is complete. `conditions` are what cells must be.
    """

    name: str
    type: str
    required: bool
    references: str | None
    many: bool
    values: tuple[str, ...]
    extensible: bool = False
    of_type: str | None = None
    header: str = ""
    may_lack: bool = False
    conditions: tuple[Condition, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it is kept: its columns, those of all versions of the standard together."""

    name: str
    columns: tuple[Column, ...]
    _by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", MappingProxyType({column.name: column for column in self.columns}))

    @property
    def file(self) -> str:
        """Return the name of the table's file."""
        return f"{self.name}.csv"

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns in the standard's order, as they are kept."""
        return tuple(self._by_name)

    def has(self, name: str) -> bool:
        """Return whether the table has a column of that name."""
        return name in self._by_name

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: the table has no such column.
        """
        if name not in self._by_name:
            raise KeyError(f"{self.file} has no column {name}")
        return self._by_name[name]

    def references(self) -> tuple[Column, ...]:
        """Return the columns that refer to records of a table, be it this one."""
        return tuple(column for column in self.columns if column.references)

    def told(self, name: str) -> str:
        """Return what a file calls a column; of one that is not the standard's, its own name."""
        return self._by_name[name].header if name in self._by_name else name


@dataclass(frozen=True, slots=True)
class Table(Shape):
    """One file of a binding. Its frames are checked by `schema.validate(frame, lazy=True)`, and by each of `rules`.

    A frame must have all columns; others (`metadata.*`) are let be. `marks` are what rules across records ask of each
    one. `needs` are tables without which a bulk file of
    this one says too little, though no column of it refers to them.
    """

    version: str
    schema: DataFrameSchema
    model: type[DataFrameModel]
    rules: tuple[Rule, ...]
    marks: tuple[Mark, ...]
    needs: tuple[str, ...]

    @property
    def knows_modes(self) -> bool:
        """Return whether files are bulk or delta, and status and dateLastModified blank in the one; not so in 1.0."""
        return self.version != "1.0"


def table_of(name: str, version: str, model: type[DataFrameModel]) -> Table:
    """Compile a model; the columns' facts come out of the metadata that the compiled schema carries."""
    schema = model.to_schema()
    columns = tuple(_column(name, part.metadata) for name, part in schema.columns.items())
    facts: Mapping[str, Any] = model.Config.metadata or {}
    found = {name: facts.get(name, ()) for name in ("rules", "marks", "needs")}
    return Table(name, columns, version, schema, model, **found)


def _column(name: str, facts: Mapping[str, Any]) -> Column:
    return Column(name, **{**facts, "header": facts["header"] or name})


def shape_of(name: str, tables: Iterable[Table]) -> Shape:
    """Return the table as it is kept when any of these versions of it may come, the columns of the first one first."""
    columns: dict[str, Column] = {}
    for table in tables:
        columns |= {column.name: column for column in table.columns if column.name not in columns}
    return Shape(name, tuple(columns.values()))
