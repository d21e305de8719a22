"""The table of the bindings, binding.txt, read: what each file and column of each version is to be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TABLE = Path(__file__).with_name("binding.txt")
EXTENSION = "ext:"

_HEAD = re.compile(r"\[(\S+) (\w+)\]")
_COLUMN = re.compile(
    r"(?P<header>\S+)(?: as (?P<name>\w+))? +(?P<need>required|optional|by mode|may lack|metadata) +(?P<type>\w+)"
    r"(?: -> (?P<refers>\w+)(?: \((?P<of_type>\w+)\))?)?(?: of (?P<vocabulary>\w+))?(?:: (?P<words>.+))?"
)


class Need(StrEnum):
    """Whether a record must fill a column, in the table's words."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    BY_MODE = "by mode"
    MAY_LACK = "may lack"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class BindingColumn:
    """One line: `header` is the column's name in the file, `name` the one under which it is kept."""

    header: str
    name: str
    need: Need
    type: str
    refers: str | None
    of_type: str | None
    vocabulary: str | None
    words: tuple[str, ...]
    extensible: bool

    @property
    def required(self) -> bool:
        """Return whether each record must fill the column, whatever the mode."""
        return self.need is Need.REQUIRED

    @property
    def many(self) -> bool:
        """Return whether the column holds a list."""
        return self.type.endswith("_list")


@dataclass(frozen=True, slots=True)
class BindingFile:
    """One file of one version; `needs` and `may_need` are the tables of its bulk set."""

    version: str
    name: str
    needs: tuple[str, ...]
    may_need: tuple[str, ...]
    columns: tuple[BindingColumn, ...]

    @property
    def file(self) -> str:
        """Return the file's name."""
        return f"{self.name}.csv"

    @property
    def header(self) -> list[str]:
        """Return the names of the columns as the file has them."""
        return [column.header for column in self.columns]

    def column(self, header: str) -> BindingColumn:
        """Return the column of that name in the file."""
        return next(column for column in self.columns if column.header == header)


def _read() -> dict[str, dict[str, BindingFile]]:
    files: dict[str, dict[str, BindingFile]] = {}
    for block in re.split(r"\n(?=\[)", TABLE.read_text(encoding="utf-8"))[1:]:
        first, *lines = [line for line in (whole.partition("#")[0].rstrip() for whole in block.splitlines()) if line]
        found = _HEAD.fullmatch(first)
        assert found, first
        version, name = found.groups()
        files.setdefault(version, {})[name] = _file(version, name, lines)
    return files


def _file(version: str, name: str, lines: list[str]) -> BindingFile:
    needs, may_need = _set(lines, "needs "), _set(lines, "may need ")
    columns = [_column(line) for line in lines if not line.startswith(("needs ", "may need "))]
    return BindingFile(version, name, needs, may_need, tuple(columns))


def _set(lines: list[str], key: str) -> tuple[str, ...]:
    return next((_items(line.removeprefix(key)) for line in lines if line.startswith(key)), ())


def _column(line: str) -> BindingColumn:
    found = _COLUMN.fullmatch(line)
    assert found, line
    words = _items(found["words"] or "")
    return BindingColumn(
        header=found["header"],
        name=found["name"] or found["header"],
        need=Need(found["need"]),
        type=found["type"],
        refers=found["refers"],
        of_type=found["of_type"],
        vocabulary=found["vocabulary"],
        words=("true", "false") if found["type"] == "boolean" else tuple(one for one in words if one != EXTENSION),
        extensible=EXTENSION in words,
    )


def _items(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


BINDING: Mapping[str, Mapping[str, BindingFile]] = _read()
"""By version and table, as they stand in the table."""

FILES: tuple[BindingFile, ...] = tuple(one for files in BINDING.values() for one in files.values())
"""All files of all versions."""
