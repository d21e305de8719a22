"""The data types of the OneRoster CSV bindings, each once: what a column holds, and the checks of its cells.

A helper gives a pandera field with `metadata` `{"type", "required", "references", "many", "values"}`. A check sees a
whole column, is named by the finding code that it stands for, and lets a blank cell pass: only `required-value`
asks whether a value is there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandera.pandas import Check, Field

BOOLEANS = ("true", "false")

# Patterns are RE2's, which reads a column in linear time; `\d` is ASCII and `$` the very end of the cell.
GUID = r"[0-9A-Za-z./@_-]{1,255}"
YEAR = r"\d{4}"
DATETIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)"
"""A UTC time, with or without fractions of a second (the standard says how by example only)."""

_FOURTH = r"(?:0[48]|[2468][048]|[13579][26])"
_LEAP_YEAR = rf"(?:\d\d{_FOURTH}|{_FOURTH}00)"
_ANY_YEAR = r"(?:\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})"
_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
)
DATE = rf"(?:{_ANY_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
"""A day that is in the calendar: in one pattern, because whole columns have no other check that does not raise."""

CheckFunction = Callable[["pd.Series[str]"], "pd.Series[bool]"]


def guid(*, references: str | None = None) -> Any:
    """Return the field of a record's own id, `references` naming a table whose id it is as well."""
    return _field("guid", _matches("invalid-guid", GUID), references=references, required=True)


def ref(table: str, *, required: bool = False) -> Any:
    """Return the field of a reference to a record of `table`."""
    return _field("guid_ref", _matches("invalid-guid", GUID), references=table, required=required)


def refs(table: str, *, required: bool = False) -> Any:
    """Return the field of a list of references to records of `table`, separated by commas alone."""
    check = _matches("invalid-guid", rf"{GUID}(?:,{GUID})*")
    return _field("guid_ref_list", check, references=table, many=True, required=required)


def text(*, required: bool = False) -> Any:
    """Return the field of free text."""
    return _field("string", required=required)


def text_list(*, required: bool = False) -> Any:
    """Return the field of a list of texts, separated by commas."""
    return _field("string_list", many=True, required=required)


def one_of(*values: str, required: bool = False) -> Any:
    """Return the field of a word out of `values`, case-sensitive as the standard is."""
    return _field("enum", _is_one_of("invalid-enum", values), values=values, required=required)


def boolean(*, required: bool = False) -> Any:
    """Return the field of `true` or `false`."""
    return _field("boolean", _is_one_of("invalid-boolean", BOOLEANS), values=BOOLEANS, required=required)


def date(*, required: bool = False) -> Any:
    """Return the field of a calendar day, YYYY-MM-DD."""
    return _field("date", _matches("invalid-date", DATE), required=required)


def datetime_(*, required: bool = False) -> Any:
    """Return the field of a UTC time, 2026-08-20T18:25:43.511Z."""
    return _field("datetime", _matches("invalid-datetime", DATETIME), required=required)


def year(*, required: bool = False) -> Any:
    """Return the field of a year, YYYY."""
    return _field("year", _matches("invalid-year", YEAR), required=required)


def user_ids(*, required: bool = False) -> Any:
    """Return the field of a list of `{type:id}`; its form is not checked, since exporters differ in it."""
    return _field("userid_list", many=True, required=required)


def _field(
    type_: str,
    *checks: Check,
    required: bool,
    references: str | None = None,
    many: bool = False,
    values: tuple[str, ...] = (),
) -> Any:
    metadata = {"type": type_, "required": required, "references": references, "many": many, "values": values}
    field = Field(metadata=metadata)
    # Checks of one's own enter `Field` through a global registry only; the field itself takes them as they are.
    field.checks = [_required(), *checks] if required else list(checks)
    return field


def _check(code: str, function: CheckFunction) -> Check:
    # No cell is NA, so looking for NAs first would only cost time.
    return Check(function, name=code, error=code, ignore_na=False)


def _required() -> Check:
    return _check("required-value", lambda column: column != "")


def _matches(code: str, pattern: str) -> Check:
    or_blank = f"^(?:{pattern})?$"
    return _check(code, lambda column: _answer(column, pc.match_substring_regex(_cells(column), or_blank)))


def _is_one_of(code: str, values: tuple[str, ...]) -> Check:
    allowed = pa.array(["", *values], pa.large_string())
    return _check(code, lambda column: _answer(column, pc.is_in(_cells(column), allowed)))


def _cells(column: "pd.Series[str]") -> Any:
    return pa.array(column.array, pa.large_string())


def _answer(column: "pd.Series[str]", passed: Any) -> "pd.Series[bool]":
    return pd.Series(np.asarray(passed), index=column.index)
