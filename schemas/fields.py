"""The data types of the OneRoster CSV bindings, each once: what a column holds, and the checks of its cells.

A helper gives a pandera field whose `metadata` are the facts of a `Column` but its name. A check sees a whole column,
is named by the finding code that it stands for, and lets a blank cell pass: only `required-value` asks whether a value
is there.

What all helpers take: `required`, whether each record must fill the column; `header`, its name in the file where that
is not the name under which it is kept (1.0 calls some columns otherwise than its successors).
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandera.pandas import Check, Field

from schemas.cells import cells_of, text_of

BOOLEANS = ("true", "false")

# Patterns are RE2's, which reads a column in linear time; `\d` is ASCII and `$` the very end of the cell.
GUID = r"[0-9A-Za-z./@_-]{1,255}"
_ID_BYTES = (string.ascii_letters + string.digits + "./@_-").encode()
YEAR = r"\d{4}"
INTEGER = r"-?(?:0|[1-9]\d*)"
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
PAIR = r"\{[^:{},]+:[^{},]+\}"
"""`{type:id}` of userIds, `{lhs:rhs}` of a score scale (rules 4.3)."""
EMAIL = r"[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s,;<>()\".]+"
"""What can be an address at all; whether anybody reads it there only a letter tells."""
PHONE = r"\+?[0-9][0-9 ().\-/]{5,}(?: ?(?:x|ext\.?|#) ?[0-9]+)?|\([0-9][0-9 ().\-/]{5,}(?: ?(?:x|ext\.?|#) ?[0-9]+)?"
EXTENSION = "ext:"
"""How words begin that are not the standard's, in the columns where 1.2 allows them (binding 1.2, section 5.1.2)."""
CEDS_GRADES = (
    *("IT", "PR", "PK", "TK", "KG", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13"),
    *("PS", "UG", "Other"),
)
"""The CEDS Entry Grade Level, the vocabulary of grades in 1.1; 1.2 leaves it to agreement (rules 4.6)."""

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
DATETIME = rf"{DATE}T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|\+00:00)"
"""A UTC time, with or without fractions of a second (the standard says how by example only)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What cells of a column must be, by the code of the finding where they are not.

    `holds` takes the cells as an Arrow array of large strings and returns an Arrow array of booleans.
    """

    code: str
    holds: Callable[[Any], Any]


class Common(TypedDict, total=False):
    """What every helper takes."""

    required: bool
    header: str | None


def guid(*, references: str | None = None, header: str | None = None) -> Any:
    """Return the field of a record's own id, `references` naming a table whose id it is as well."""
    return _field("guid", _ids(GUID), references=references, required=True, header=header)


def ref(table: str, *, of_type: str | None = None, **common: Unpack[Common]) -> Any:
    """Return the field of a reference to a record of `table`, whose `type` should be `of_type`."""
    return _field("guid_ref", _ids(GUID), references=table, of_type=of_type, **common)


def refs(table: str, *, may_lack: bool = False, **common: Unpack[Common]) -> Any:
    """Return the field of a list of references to records of `table`, separated by commas alone.

    `may_lack`: the header may do without the column.
    """
    check = _ids(rf"{GUID}(?:,{GUID})*")
    return _field("guid_ref_list", check, references=table, many=True, may_lack=may_lack, **common)


def text(**common: Unpack[Common]) -> Any:
    """Return the field of free text."""
    return _field("string", **common)


def outside_id(**common: Unpack[Common]) -> Any:
    """Return the field of an id that was given outside OneRoster: free text."""
    return _field("id", **common)


def text_list(**common: Unpack[Common]) -> Any:
    """Return the field of a list of texts, separated by commas."""
    return _field("string_list", many=True, **common)


def grade_levels(**common: Unpack[Common]) -> Any:
    """Return the field of a list of CEDS grade levels."""
    return _field("string_list", _all_of("unknown-grade", CEDS_GRADES), many=True, **common)


def email_address(**common: Unpack[Common]) -> Any:
    """Return the field of an e-mail address."""
    return _field("string", _matches("invalid-email", EMAIL), **common)


def phone_number(**common: Unpack[Common]) -> Any:
    """Return the field of a telephone number, in any of the forms that people write."""
    return _field("string", _matches("invalid-phone", PHONE), **common)


def one_of(*values: str, extensible: bool = False, **common: Unpack[Common]) -> Any:
    """Return the field of a word out of `values`, case-sensitive as the standard is; `extensible` allows own ones."""
    check = _is_one_of("invalid-enum", values, extensible=extensible)
    return _field("enum", check, values=values, extensible=extensible, **common)


def some_of(*values: str, extensible: bool = False, **common: Unpack[Common]) -> Any:
    """Return the field of a list of words out of `values`, as `one_of` takes them."""
    check = _all_of("invalid-enum", values, extensible=extensible)
    return _field("enum_list", check, values=values, extensible=extensible, many=True, **common)


def boolean(**common: Unpack[Common]) -> Any:
    """Return the field of `true` or `false`."""
    return _field("boolean", _is_one_of("invalid-boolean", BOOLEANS), values=BOOLEANS, **common)


def date(**common: Unpack[Common]) -> Any:
    """Return the field of a calendar day, YYYY-MM-DD."""
    return _field("date", _matches("invalid-date", DATE, repeats=True), **common)


def datetime_(**common: Unpack[Common]) -> Any:
    """Return the field of a UTC time, 2026-08-20T18:25:43.511Z."""
    return _field("datetime", _matches("invalid-datetime", DATETIME), **common)


def year(**common: Unpack[Common]) -> Any:
    """Return the field of a year, YYYY."""
    return _field("year", _matches("invalid-year", YEAR), **common)


def integer(**common: Unpack[Common]) -> Any:
    """Return the field of a whole number."""
    return _field("integer", _matches("invalid-integer", INTEGER), **common)


def number(**common: Unpack[Common]) -> Any:
    """Return the field of a number."""
    return _field("float", _matches("invalid-number", NUMBER), **common)


def user_ids(**common: Unpack[Common]) -> Any:
    """Return the field of a list of `{type:id}`."""
    return _field("userid_list", _matches("invalid-user-ids", rf"{PAIR}(?:,{PAIR})*"), many=True, **common)


def score_scale(**common: Unpack[Common]) -> Any:
    """Return the field of a list of `{lhs:rhs}`, what is given for what is scored."""
    return _field("scorescale_list", _matches("invalid-score-scale", rf"{PAIR}(?:,{PAIR})*"), many=True, **common)


def _field(
    type_: str,
    *conditions: Condition,
    required: bool = False,
    references: str | None = None,
    many: bool = False,
    values: tuple[str, ...] = (),
    extensible: bool = False,
    of_type: str | None = None,
    header: str | None = None,
    may_lack: bool = False,
) -> Any:
    metadata: dict[str, Any] = {
        "type": type_,
        "required": required,
        "references": references,
        "many": many,
        "values": values,
        "extensible": extensible,
        "of_type": of_type,
        "header": header,
        "may_lack": may_lack,
        "conditions": ((_REQUIRED, *conditions) if required else conditions),
    }
    field = Field(metadata=metadata)
    # Checks of one's own enter `Field` through a global registry only; the field itself takes them as they are.
    field.checks = [_as_check(one) for one in metadata["conditions"]]
    return field


def _as_check(condition: Condition) -> Check:
    def passed(column: "pd.Series[str]") -> "pd.Series[bool]":
        return pd.Series(np.asarray(condition.holds(cells_of(column))), index=column.index)

    # No cell is NA, so looking for NAs first would only cost time.
    return Check(passed, name=condition.code, error=condition.code, ignore_na=False)


_REQUIRED = Condition("required-value", lambda cells: pc.not_equal(cells, ""))


def _matches(code: str, pattern: str, *, repeats: bool = False) -> Condition:
    """Return the condition that a cell matches as a whole; where values repeat, each is looked at once."""
    or_blank = f"^(?:{pattern})?$"

    def holds(cells: Any) -> Any:
        if not repeats:
            return pc.match_substring_regex(cells, or_blank)
        encoded = pc.dictionary_encode(cells)
        return pc.match_substring_regex(encoded.dictionary, or_blank).take(encoded.indices)

    return Condition(code, holds)


def _ids(pattern: str) -> Condition:
    """Return the condition of ids. A column of nothing but their characters, as every good one is, needs no pattern."""
    by_pattern = _matches("invalid-guid", pattern)

    def holds(cells: Any) -> Any:
        longest = pc.max(pc.binary_length(cells)).as_py() or 0
        if longest < 256 and not text_of(cells).translate(None, _ID_BYTES):
            return pa.repeat(pa.scalar(value=True), len(cells))
        return by_pattern.holds(cells)

    return Condition("invalid-guid", holds)


def _is_one_of(code: str, values: tuple[str, ...], *, extensible: bool = False) -> Condition:
    allowed = pa.array(["", *values], pa.large_string())

    def holds(cells: Any) -> Any:
        found = pc.is_in(cells, allowed)
        if extensible and not pc.all(found).as_py():
            return pc.or_(found, pc.match_substring_regex(cells, f"^{EXTENSION}[^,]+$"))
        return found

    return Condition(code, holds)


def _all_of(code: str, values: tuple[str, ...], *, extensible: bool = False) -> Condition:
    words = [*map(re.escape, values), *([f"{EXTENSION}[^,]+"] if extensible else [])]
    word = f"(?:{'|'.join(words)})"
    return _matches(code, f"{word}(?:,{word})*")
