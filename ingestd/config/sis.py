"""What is particular to one student information system: `sis/NAME.toml` as a model.

Law: an alias names what the standard names otherwise. A name of the standard's own is no alias, and what is meant by
one is a table or a column that the standard has.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, create_model

from ingestd.config.base import Settings
from ingestd.config.values import TABLES, TableName
from ingestd.config.words import DefaultIs, Written, hint, listed, quoted
from ingestd.core.aliases import Aliases
from schemas import VERSIONS, load

_MANIFEST = "manifest"


def parse_file_alias(found: object) -> str:
    """Return another name of a CSV file, without its ending.

    Raises:
        ValueError: it can be none, or is a name of the standard's own.
    """
    name = _some_text(found)
    if "/" in name or name.lower().endswith(".csv"):
        raise ValueError("is not the name of a CSV file without folder and without .csv")
    if name.lower() in {one.lower() for one in (*TABLES, _MANIFEST)}:
        raise ValueError("is a name of the standard's own, which is never taken for another; remove it")
    return name


def parse_header_alias(table: str, found: object) -> str:
    """Return another name of a column of a table.

    Raises:
        ValueError: it can be none, or is a name of the standard's own.
    """
    name = _some_text(found)
    if name.lower() in {one.lower() for one in columns_of(table)}:
        raise ValueError(f"is a column of {table} in the standard, which is never taken for another; remove it")
    return name


def parse_column(table: str, found: object) -> str:
    """Return the standard's name of a column of a table, in any version.

    Raises:
        ValueError: the standard's table has no such column.
    """
    known = columns_of(table)
    if not isinstance(found, str) or found not in known:
        raise ValueError(f"is not a column of {table}; those are: {listed(known)}{hint(found, known)}")
    return found


def check_aliases(aliases: dict[str, str]) -> dict[str, str]:
    """Return aliases that differ in more than case.

    Raises:
        ValueError: two of them do not.
    """
    seen: dict[str, str] = {}
    for name in aliases:
        if (first := seen.setdefault(name.casefold(), name)) != name:
            raise ValueError(f"has {quoted(first)} and {quoted(name)}, which differ in case alone; remove one of them")
    return aliases


@cache
def columns_of(table: str) -> tuple[str, ...]:
    """Return the columns of a table as the headers of all versions call them, the newest first."""
    newest_first = [load(version).get(table) for version in reversed(VERSIONS)]
    return tuple(dict.fromkeys(column.header for found in newest_first if found for column in found.columns))


def _some_text(found: object) -> str:
    if not isinstance(found, str) or not found.strip() or not found.isprintable():
        raise ValueError("is not a name")
    return found.strip()


class Identity(Settings):
    """`[identity]`: what the system calls by which people are known. It acts on nothing: it is for who writes rules."""

    username: str = Field("", description="its own field behind `users.username`; empty: not known")
    sourcedId: str = Field("", description="its own field behind `users.sourcedId`; empty: not known")  # noqa: N815
    identifier: str = Field("", description="its own field behind `users.identifier`; empty: not known")
    email: str = Field("", description="its own field behind `users.email`; empty: not known")
    key: Literal["sourcedId", "identifier", "username", "email"] = Field(
        "sourcedId", description="by which column rules had best know a person"
    )


FileAliases = Annotated[
    dict[Annotated[str, PlainValidator(parse_file_alias)], TableName],
    AfterValidator(check_aliases),
    Written("a table", lambda found: "{}" if not found else str(found)),
]

if TYPE_CHECKING:

    class Headers(Settings):
        """`[headers.TABLE]`: other names of a table's columns, and the standard's."""

else:  # a field for each table, so that a fault in it is told with its key

    def _columns(table: str) -> object:
        alias = Annotated[str, PlainValidator(partial(parse_header_alias, table))]
        column = Annotated[str, PlainValidator(partial(parse_column, table))]
        return Annotated[dict[alias, column], AfterValidator(check_aliases)]

    Headers = create_model(
        "Headers", __base__=Settings, **{table: (_columns(table), Field(default_factory=dict)) for table in TABLES}
    )


class Sis(Settings):
    """`sis/NAME.toml`: what is particular to one student information system."""

    name: str = Field(description="what the system is called")
    quirks: tuple[str, ...] = Field((), description="sentences for the operator, shown by `ingestd config check`")
    identity: Identity = Identity()
    files: FileAliases = Field(
        default_factory=dict, description="other names of CSV files, without `.csv` and in any case, and the table"
    )
    headers: Annotated[Headers, DefaultIs("no names")] = Field(
        default_factory=Headers,
        description="per table, `[headers.TABLE]`: other names of columns, in any case, and the standard's",
    )

    @property
    def aliases(self) -> Aliases:
        """Return its other names of files and columns, so ordered that the same ones are always told alike."""
        columns = {table: _folded(names) for table, names in sorted(self.headers) if names}
        return Aliases(_folded(self.files), columns)


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    return {name.casefold(): meant for name, meant in sorted(names.items())}
