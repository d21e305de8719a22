"""Every setting, told from the models: for README's table, for `did you mean`, for what does not act yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ingestd.config.base import Settings
from ingestd.config.models import Feed, Main
from ingestd.config.sis import Sis
from ingestd.config.words import DefaultIs, NotASetting, Written, listed, one_of, quoted

FILES: Mapping[str, type[Settings]] = {"ingestd.toml": Main, "feeds/<feed>.toml": Feed, "sis/<sis>.toml": Sis}
"""The files that make up a configuration, and the model of each."""

NOT_YET = frozenset(
    {
        "metrics",
        "notify",
        'limits.on_breach = "hold_deletes"',
        "schedule.weekends",
        "schedule.blackout",
        "schedule.additive_only",
        "schedule.not_before",
        "schedule.active_until",
        "schedule.expect_every",
    }
)
"""What is planned and refused until it works, unless it says the default. To enable a setting, delete its line."""

STORED = frozenset({"retention"})
"""What is accepted and does nothing yet, because doing nothing harms nobody: nothing is ever deleted."""

_PLAIN = {str: Written("text", quoted), date: Written("a date", str)}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its file, dotted key, type in words, default as TOML (empty: none), meaning; does it act yet."""

    file: str
    key: str
    type: str
    default: str
    meaning: str
    acts: bool


def describe() -> list[Setting]:
    """Return every setting of every file, in the order of the models."""
    return [setting for file, model in FILES.items() for setting in settings_of(model, file)]


def settings_of(model: type[Settings], file: str = "", prefix: str = "") -> Iterator[Setting]:
    """Yield the settings of a model and of the tables in it; `prefix` is the dotted key of the model itself."""
    for name, field in fields_of(model).items():
        tables = models_in(field.annotation)
        if field.description:
            yield _setting(file, f"{prefix}{name}", field, "tables" if tables else "")
        for table in tables:
            yield from settings_of(table, file, f"{prefix}{name}{_step(field, table, tables)}.")


def fields_of(model: type[Settings]) -> dict[str, FieldInfo]:
    """Return what a file may say in this table."""
    fields = model.model_fields.items()
    return {
        field.alias or name: field
        for name, field in fields
        if not any(isinstance(m, NotASetting) for m in field.metadata)
    }


def models_in(annotation: Any) -> tuple[type[Settings], ...]:
    """Return the models of the tables that a field holds: none, one, or one per `kind`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return (annotation,)
    return tuple(model for part in get_args(annotation) for model in models_in(part))


def kind_of(model: type[Settings]) -> str | None:
    """Return the word by which a table says that it is of this model."""
    kind = model.model_fields.get("kind")
    return str(get_args(kind.annotation)[0]) if kind and get_origin(kind.annotation) is Literal else None


def written(annotation: Any, metadata: tuple[Any, ...] = ()) -> Written:
    """Return how values of a type are written: what the metadata says, else what follows from the type."""
    marked = [one for one in metadata if isinstance(one, Written)]
    origin, parts = get_origin(annotation), get_args(annotation)
    if marked:
        return marked[0]
    if origin is Annotated:
        return written(parts[0], parts[1:])
    if origin in {Union, UnionType}:
        return written(parts[0])
    if origin in {tuple, Mapping}:
        return _written_together(origin, written(parts[-1] if origin is Mapping else parts[0]))
    if words := parts if origin is Literal else _members(annotation):
        return Written(one_of(words), quoted)
    return _PLAIN[annotation]


def _written_together(origin: Any, each: Written) -> Written:
    """Return how a list, or a table of names, is written; of a table only an empty one is a default."""
    if origin is tuple:
        return Written(f"a list, each {each.words}", lambda values: f"[{', '.join(map(each.render, values))}]")
    return Written(f"a table of lists by name, {each.words}", lambda _values: "{}")


def planned(raw: Mapping[str, Any], model: type[Settings]) -> dict[tuple[str | int, ...], str]:
    """Return what a file asks for that this version does not do: where, and the fault in words."""
    defaults = {setting.key: setting.default for setting in settings_of(model)}
    faults = {}
    for key, place, value in _walk(raw):
        said = _toml(value)
        is_planned = key in NOT_YET and said != defaults.get(key)
        if is_planned or f"{key} = {said}" in NOT_YET:
            what = f"kind {quoted(value['kind'])} " if key.endswith("]") else "" if is_planned else f"{said} "
            faults[place] = f"{what}is planned and not part of this version; remove it"
    return faults


def _setting(file: str, key: str, field: FieldInfo, type_words: str) -> Setting:
    said = [one.words for one in field.metadata if isinstance(one, DefaultIs)]
    way = Written(type_words, str) if type_words else written(field.annotation, tuple(field.metadata))
    value = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    default = said[0] if said else "" if value is None else way.render(value)
    acts = not any(key == one or key.startswith((f"{one}.", f"{one}[")) for one in NOT_YET | STORED)
    return Setting(file, key, way.words, default, field.description or "", acts)


def _step(field: FieldInfo, table: type[Settings], tables: tuple[type[Settings], ...]) -> str:
    origin = get_origin(field.annotation)
    if origin is tuple:
        return f"[{kind_of(table) if len(tables) > 1 else ''}]"
    return ".<name>" if origin is Mapping else ""


def _members(annotation: Any) -> tuple[str, ...]:
    return tuple(annotation) if isinstance(annotation, type) and issubclass(annotation, StrEnum) else ()


def _walk(
    table: Mapping[str, Any], key: str = "", place: tuple[str | int, ...] = ()
) -> Iterator[tuple[str, tuple[str | int, ...], Any]]:
    for name, value in table.items():
        at, here = f"{key}{name}", (*place, name)
        yield at, here, value
        if isinstance(value, dict):
            yield from _walk(value, f"{at}.", here)
        for index, one in enumerate(value if isinstance(value, list) else ()):
            if isinstance(one, dict) and isinstance(one.get("kind"), str):
                yield f"{at}[{one['kind']}]", (*here, index), one
                yield from _walk(one, f"{at}[{one['kind']}].", (*here, index))


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case list():
            return f"[{listed(map(_toml, value))}]"
        case _:
            return str(value)
