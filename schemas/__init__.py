"""The OneRoster CSV bindings as pandera models: a subpackage per version, a module per table.

A leaf package: it knows pandera, pandas and pyarrow, and nothing of the daemon that uses it. Columns keep the
standard's camelCase, every cell is a `str`, and `""` is blank.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from schemas import v1p0, v1p1, v1p2
from schemas.rules import Mark, Rule
from schemas.table import Column, Shape, Table, shape_of, table_of

__all__ = ["NAMES", "ROSTERING", "VERSIONS", "Column", "Mark", "Rule", "Shape", "Table", "load", "shapes"]

_BINDINGS = MappingProxyType({"1.0": v1p0, "1.1": v1p1, "1.2": v1p2})

VERSIONS: tuple[str, ...] = tuple(_BINDINGS)
"""The versions that `load` knows, oldest first, as `oneroster.version` in the manifest writes them."""

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {version: tuple(binding.MODELS) for version, binding in _BINDINGS.items()}
)
"""Per version the names of its tables, so ordered that a table comes after those it refers to."""

ROSTERING = frozenset(
    {"academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "roles", "userProfiles", "users"}
)
"""The tables that make a roster; the others are resources and gradebook."""


@cache
def load(version: str) -> Mapping[str, Table]:
    """Return a version's tables by name, so ordered that a table comes after those it refers to.

    Raises:
        KeyError: the version is not one of `VERSIONS`.
    """
    if version not in _BINDINGS:
        raise KeyError(f"OneRoster {version} is not among {', '.join(VERSIONS)}")
    models = _BINDINGS[version].MODELS
    return MappingProxyType({name: table_of(name, version, model) for name, model in models.items()})


@cache
def shapes() -> Mapping[str, Shape]:
    """Return the tables of all versions together by name: what a snapshot may hold, and what rules may ask for.

    In the order of the newest version, which has all tables of the others.
    """
    newest_first = [load(version) for version in reversed(VERSIONS)]
    return MappingProxyType(
        {name: shape_of(name, [tables[name] for tables in newest_first if name in tables]) for name in newest_first[0]}
    )
