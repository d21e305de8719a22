"""Ways to break a sound package in one place, for tests of what finds it."""

from collections.abc import Callable, Mapping

from formats.package import Layout

Package = Mapping[str, str]
Break = Callable[[Package], Package]
"""From a package to one that is broken. A byte that is no UTF-8 is written as a surrogate."""


def bytes_of(package: Package) -> dict[str, bytes]:
    """Return the files of a package as they are in its zip."""
    return {name: text.encode("utf-8", errors="surrogateescape") for name, text in package.items()}


def text(name: str, old: str, new: str) -> Break:
    """Write something else where `old` first is in a file."""

    def change(package: Package) -> Package:
        assert old in package[name], f"{name} has no {old!r}"
        return {**package, name: package[name].replace(old, new, 1)}

    return change


def without(*names: str) -> Break:
    """Leave files out."""
    return lambda package: {name: text for name, text in package.items() if name not in names}


def having(name: str, text: str) -> Break:
    """Put a file in, or in place of another."""
    return lambda package: {**package, name: text}


def more(name: str, row: str) -> Break:
    """Put a row at the end of a file."""
    return lambda package: {**package, name: package[name] + row}


def cell(name: str, column: str, value: str, line: int = 2) -> Break:
    """Write another value into a cell of a line that has no quotes."""

    def change(package: Package) -> Package:
        lines = package[name].splitlines(keepends=True)
        cells = lines[line - 1].rstrip("\r\n").split(",")
        end = lines[line - 1][len(lines[line - 1].rstrip("\r\n")) :]
        cells[_header(package[name]).index(column)] = value
        lines[line - 1] = ",".join(cells) + end
        return {**package, name: "".join(lines)}

    return change


def renamed(name: str, column: str, other: str) -> Break:
    """Give a column another name."""

    def change(package: Package) -> Package:
        header = [other if one == column else one for one in _header(package[name])]
        assert header != _header(package[name]), f"{name} has no {column}"
        return text(name, ",".join(_header(package[name])), ",".join(header))(package)

    return change


def required(columns: Mapping[str, str]) -> list[tuple[Break, str]]:
    """Return a break and its fault for each column, given by file, that must be there and in line 2 have data."""
    each = [(name, column) for name, words in columns.items() for column in words.split()]
    return [
        *((renamed(name, column, "else"), f"{name}:1 - {column} is missing") for name, column in each),
        *((cell(name, column, ""), f"{name}:2 - {column} is blank") for name, column in each),
    ]


def odd_values(layout: Layout) -> list[tuple[Break, str]]:
    """Return a break and its fault for each column that cannot have all values."""
    return [
        (cell(name, column, "?"), f"{name}:2 - {column} is not {values.words}")
        for name, file in layout.items()
        for column, values in file.values.items()
    ]


def _header(text: str) -> list[str]:
    return text.splitlines()[0].split(",")
