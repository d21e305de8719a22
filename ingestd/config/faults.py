"""What is wrong with a configuration, in the operator's words: where, what was found, what is allowed, what is near.

Law: a value is shown only if its setting cannot be a secret and is not a whole table or list.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ingestd.config.base import Settings
from ingestd.config.settings import NOT_YET, fields_of, kind_of, models_in, planned, settings_of
from ingestd.config.words import hint, listed, one_of, quoted

Place = tuple[str | int, ...]
Models = tuple[type[Settings], ...]

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def list_faults(raw: Mapping[str, Any], model: type[Settings], error: ValidationError | None) -> list[str]:
    """Return all faults of one file as `dotted.key: words`: what is planned, then what pydantic found elsewhere."""
    not_yet = planned(raw, model)
    faults = [_line(_dotted(model, place)[0], words) for place, words in not_yet.items()]
    for one in error.errors(include_url=False) if error else ():
        place = tuple(one["loc"])
        if not any(place[: len(above)] == above for above in not_yet):
            faults.append(_explain(one, model))
    return faults


def _line(dotted: str, words: str) -> str:
    return f"{dotted}: {words}" if dotted else words


def _explain(one: ErrorDetails, model: type[Settings]) -> str:
    """Return one of pydantic's errors as `dotted.key: words`."""
    place, context = tuple(one["loc"]), one.get("ctx", {})
    at, models = _dotted(model, place)
    found = _found(one["input"])
    match one["type"]:
        case "extra_forbidden":
            words = _unknown(place, model)
        case "missing":
            words = "is missing and must be given"
        case "secret":
            words = one["msg"]
        case "value_error":
            subject = "" if isinstance(one["input"], dict | list | tuple) else f"{found} "
            words = f"{subject}{context['error']}"
        case "enum" | "literal_error":
            allowed = re.findall(r"'([^']*)'", context["expected"])
            words = _not_one_of(one["input"], [word for word in allowed if f"{at} = {quoted(word)}" not in NOT_YET])
        case "union_tag_invalid":
            at, words = f"{at}.kind", _not_one_of(context["tag"], _kinds(models, at))
        case "union_tag_not_found":
            at, words = f"{at}.kind", f"is missing; it is {one_of(_kinds(models, at))}"
        case "greater_than_equal" | "less_than_equal":
            side, bound = ("less", context["ge"]) if "ge" in context else ("more", context["le"])
            words = f"{found} is {side} than {bound}"
        case wrong if wrong in _WANTED:
            words = f"{found} is not {_WANTED[wrong]}{_brackets(one['input'], _WANTED[wrong], at)}"
        case _:
            words = f"{found} is wrong: {one['msg'].lower()}"
    return _line(at, words)


def _dotted(model: type[Settings], place: Place) -> tuple[str, Models]:
    """Return a place as one writes it, `sources[0].path`, and the models that the table there may be of."""
    text = ""
    models: Models = (model,)
    for part in place:
        chosen = tuple(one for one in models if kind_of(one) == part) if len(models) > 1 else ()
        if isinstance(part, int):
            text += f"[{part}]"
        elif chosen:
            models = chosen  # pydantic names the kind that it took; the file does not
        elif part != "[key]":
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]+", part) else quoted(part))
            held = [one.model_fields[part].annotation for one in models if part in one.model_fields]
            models = models_in(held[0]) if held else models
    return text, models


def _unknown(place: Place, whole: type[Settings]) -> str:
    above, models = _dotted(whole, place[:-1])
    known = [name for one in models for name in fields_of(one) if f"{above}.{name}".lstrip(".") not in NOT_YET]
    homes = [at for at, _, last in (one.key.rpartition(".") for one in settings_of(whole)) if last == place[-1]]
    belongs = listed(dict.fromkeys(map(_home, homes)))
    near = f"; it belongs {belongs}" if belongs else hint(place[-1], known)
    return f"is not a setting; allowed here: {listed(known)}{near}"


def _home(table: str) -> str:
    if not table:
        return "at the top of the file, before any [table]"
    return f"in [[{table.partition('[')[0]}]]" if "[" in table else f"in [{table}]"


def _kinds(models: Models, at: str) -> list[str]:
    """Return the kinds that this version knows of the tables at `sources[0]`."""
    kinds = [kind for kind in map(kind_of, models) if kind]
    return [kind for kind in kinds if f"{at.rpartition('[')[0]}[{kind}]" not in NOT_YET]


def _not_one_of(found: object, allowed: list[str]) -> str:
    return f"{_found(found)} is not {one_of(allowed)}{hint(found, allowed)}"


def _brackets(found: object, wanted: str, dotted: str) -> str:
    if isinstance(found, dict) and wanted == "a list":
        return f"; write [[{dotted}]]"
    return f"; write [{dotted}]" if isinstance(found, list) and wanted == "a table" else ""


def _found(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case dict() | Settings():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)
