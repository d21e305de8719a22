"""What a sender calls files and columns that the standard names otherwise, as far as the feed's SIS says so.

Law: a name of the standard's own is never taken for another, and nothing takes the place of what stands there under it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Aliases:
    """Other names, case folded, and what is meant.

    `files` has the tables by the names of their files without `.csv`; `columns` has for each table the standard's
    columns by their other names.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def file(self, name: str) -> str | None:
        """Return the standard's name of a file that the sender calls otherwise, None of any other."""
        stem, dot, ending = name.casefold().rpartition(".")
        table = self.files.get(stem) if (dot, ending) == (".", "csv") else None
        return f"{table}.csv" if table else None

    def header(self, table: str, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of a header, without surrounding blanks, other names exchanged for the standard's.

        Another name stays as it is where the standard's stands there, too.
        """
        bare = tuple(name.strip() for name in names)
        there, others = {name.casefold() for name in bare}, self.columns.get(table, {})
        meant = (others.get(name.casefold(), name) for name in bare)
        return tuple(name if one.casefold() in there else one for name, one in zip(bare, meant, strict=True))
