"""How one target record comes about, field by field and verb by verb, or which condition keeps it from it.

The law: nothing is told here but what `mapping` and `verbs` do. What a verb makes of a record is what the field would
be if its rule ended with that verb.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ingestd.core import verbs
from ingestd.core.mapping import make_field
from ingestd.core.rules import Condition, Conditions, Rule, Rules, Target
from ingestd.core.verbs import Lookups

_BEGINNING = ("column", "others", "const", "template", "flags")
_FURTHER: Mapping[str, tuple[str, ...]] = {
    "when": ("when",),
    "item": ("item",),
    "lookup": ("lookup", "take"),
    "map": ("map",),
    "date": ("date",),
    "phone": ("phone",),
    "safe_id": ("safe_id",),
    "default": ("default",),
    "case": ("case",),
}
"""The verbs of a field behind its beginning, in the order in which they act, each with what a rule keeps of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A verb of a field: what of the rules it names, whether it made another value of the one before it, and its value.

    `names` never has a value of the data.
    """

    verb: str
    names: str
    acts: bool
    value: str


@dataclass(frozen=True, slots=True)
class FieldTold:
    """One field of a target record: the source columns that its value is made of, the steps to it, and the value.

    Without steps it is the source's column as it is. `unmapped` is the value map that lacks the value, if one does.
    """

    name: str
    sources: tuple[str, ...]
    steps: tuple[Step, ...]
    value: str
    unmapped: str | None = None


def explain_fields(target: Target, record: pd.DataFrame, lookups: Lookups, rules: Rules) -> tuple[FieldTold, ...]:
    """Return how each field of one target record comes about.

    Args:
        target: the target table's rules.
        record: one row, as `mapping.choose` chose it.
        lookups: the values that the fields look up.
        rules: for the value maps.
    """
    if target.fields is None:
        return tuple(FieldTold(name, (name,), (), str(record[name].iloc[0])) for name in record.columns)
    return tuple(_explain(name, rule, target, record, lookups, rules) for name, rule in target.fields.items())


def _explain(name: str, rule: Rule, target: Target, record: pd.DataFrame, lookups: Lookups, rules: Rules) -> FieldTold:
    rule = next(way for way, rows in verbs.ways(rule, record) if len(rows))
    steps: list[Step] = []
    for verb, cut in _cut(rule):
        value = make_field(cut, record, lookups, rules).values[0].as_py()
        acts = not steps or value != steps[-1].value
        steps.append(Step(verb, _names(verb, cut, target, record), acts, value))
    missed = make_field(replace(rule, otherwise=None), record, lookups, rules).missed
    unmapped = next((value_map for value_map, mask in missed.items() if mask[0]), None)
    return FieldTold(name, rule.sources(), tuple(steps), value, unmapped)


def _cut(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield each verb of a rule, and the rule as far as that verb."""
    cut = Rule(**{one: getattr(rule, one) for one in _BEGINNING})
    yield next(verb for verb in ("const", "template", "flags", "from") if verb == "from" or getattr(rule, verb)), cut
    for verb, parts in _FURTHER.items():
        longer = replace(cut, **{one: getattr(rule, one) for one in parts})
        if longer != cut:
            yield verb, (cut := longer)


def _names(verb: str, rule: Rule, target: Target, record: pd.DataFrame) -> str:
    """Return what of the rules a verb names; of several columns the one that is filled, of a list what it is of."""
    match verb:
        case "from":
            columns = (rule.column or "", *rule.others)
            filled = (one for one in columns if verbs.column_of(record, one)[0].as_py())
            name = next(filled, columns[-1])
            listed = target.collect.get(name)
            return f"{name} ({listed.take} of {listed.table})" if listed else name
        case "when":
            return condition_words(rule.when)
        case "lookup":
            return f"{rule.lookup}.{rule.take}"
        case "template" | "flags":
            return ", ".join(rule.sources())
        case "safe_id":
            return ""
    return str(getattr(rule, verb))


# Conditions ------------------------------------------------------------------------------------------------------


def condition_words(conditions: Conditions) -> str:
    """Return conditions in words: columns and the rules' own values."""
    every = conditions if isinstance(conditions, tuple) else (conditions,)
    return "; or ".join(" and ".join(_asked(name, wanted) for name, wanted in one.items()) for one in every)


def _asked(name: str, wanted: tuple[str, ...] | bool) -> str:
    if isinstance(wanted, bool):
        return f"{name} is {'filled' if wanted else 'blank'}"
    return f"{name} is {_either(wanted)}"


def _either(words: tuple[str, ...]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def why_not(record: pd.DataFrame, conditions: Conditions, *, values: bool = False) -> str | None:
    """Return by which condition a record, one row, is not chosen; None if it is.

    Of several sets of conditions each has one that it does not fulfil. With `values`, what it has instead is told.
    """
    if verbs.fulfils(record, conditions)[0]:
        return None
    every = conditions if isinstance(conditions, tuple) else (conditions,)
    return "; and ".join(_unmet(record, one, values=values) for one in every)


def _unmet(record: pd.DataFrame, condition: Condition, *, values: bool) -> str:
    name = next(name for name, wanted in condition.items() if not verbs.fulfils(record, {name: wanted})[0])
    wanted = condition[name]
    if isinstance(wanted, bool):
        return f"its {name} is {'blank' if wanted else 'not blank'}"
    instead = f" but {verbs.column_of(record, name)[0].as_py()!r}" if values else ""
    return f"its {name} is not {_either(wanted)}{instead}"


# For JSON --------------------------------------------------------------------------------------------------------


def field_as_dict(told: FieldTold, *, values: bool) -> dict[str, Any]:
    """Return `{"field", "from", "steps": [{"verb", "of", "acts"}], "unmapped"}`, with `"value"`s if they are wanted."""
    steps = [
        {"verb": one.verb, "of": one.names, "acts": one.acts, **({"value": one.value} if values else {})}
        for one in told.steps
    ]
    found = {"field": told.name, "from": list(told.sources), "steps": steps, "unmapped": told.unmapped}
    return {**found, "value": told.value} if values else found
