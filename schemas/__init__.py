"""The OneRoster CSV bindings as pandera models: a subpackage per version, a module per table.

A leaf package: it knows pandera, pandas and pyarrow, and nothing of the daemon that uses it. Columns keep the
standard's camelCase, every cell is a `str`, and `""` is blank.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from schemas import v1p1
from schemas.table import Column, Table, table_of

__all__ = ["MANIFEST_TABLES", "VERSIONS", "Column", "Table", "load"]

_BINDINGS = MappingProxyType({"1.1": v1p1})

VERSIONS: tuple[str, ...] = tuple(_BINDINGS)
"""The versions that `load` knows, as `oneroster.version` in the manifest writes them."""

MANIFEST_TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {version: binding.MANIFEST_TABLES for version, binding in _BINDINGS.items()}
)
"""Per version, the tables for which the manifest has a `file.<table>` property; more than those that `load` gives."""


@cache
def load(version: str) -> Mapping[str, Table]:
    """Return a version's tables by name, so ordered that a table comes after those it refers to.

    Raises:
        KeyError: the version is not one of `VERSIONS`.
    """
    if version not in _BINDINGS:
        raise KeyError(f"OneRoster {version} is not among {', '.join(VERSIONS)}")
    models = _BINDINGS[version].MODELS
    return MappingProxyType({name: table_of(name, model) for name, model in models.items()})
