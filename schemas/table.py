"""A table of a binding as the daemon asks for it: its columns as values, and the compiled schema that checks them."""

from dataclasses import dataclass

from pandera.pandas import DataFrameModel, DataFrameSchema


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` is the binding's data type, `references` the table whose ids it holds, `many` marks a list.

    `values` are the allowed words of an enumeration, else empty.
    """

    name: str
    type: str
    required: bool
    references: str | None
    many: bool
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One file of a binding. Its frames are checked by `schema.validate(frame, lazy=True)`.

    A frame must have all columns; others (`metadata.*`) are let be.
    """

    name: str
    file: str
    columns: tuple[Column, ...]
    schema: DataFrameSchema
    model: type[DataFrameModel]

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns in the standard's order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.file} has no column {name}")

    def references(self) -> tuple[Column, ...]:
        """Return the columns that refer to records of a table, be it this one."""
        return tuple(column for column in self.columns if column.references)


def table_of(name: str, model: type[DataFrameModel]) -> Table:
    """Compile a model; the columns' facts come out of the metadata that the compiled schema carries."""
    schema = model.to_schema()
    columns = tuple(Column(column, **part.metadata) for column, part in schema.columns.items())
    return Table(name, f"{name}.csv", columns, schema, model)
