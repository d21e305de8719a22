"""The actions of a plan as JSON Lines and CSVs, for any script to consume: whole columns in, bytes out.

Law: what the lines are like is said by `sinks/changeset.schema.json`, whose version moves when they do.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.columns import arrow
from ingestd.core.model import Actions, Kind, Plan

_SLICE = 100_000
"""How many lines are made at a time."""
_CONTROL = r"[\x00-\x1f]"


def render_actions(group: Actions, run: str, at: str) -> Iterator[bytes]:
    """Yield actions as lines of JSON, some at a time; the keys of a line are always in the same order.

    A rekey has the old key as `key` and the new one as `fields`; a removal has no fields and says what is to be done,
    `on_absent`.
    """
    head = {"run": run, "at": at, "target": group.target, "kind": str(group.kind)}
    if group.kind is Kind.REMOVE:
        head["on_absent"] = str(group.on_absent)
    named = {name: name for name in map(str, group.frame) if name not in group.key}
    if group.kind is Kind.REKEY:
        named = dict(zip(group.new_key, group.key, strict=True))
    for start in range(0, len(group), _SLICE):
        frame = group.frame.iloc[start : start + _SLICE]
        cells = {str(name): arrow(frame[name]) for name in frame}
        parts = [
            f"{json.dumps(head, ensure_ascii=False)[:-1]}, ",
            *_object("key", {name: cells[name] for name in group.key}),
            ", ",
            *_object("fields", {as_name: cells[name] for name, as_name in named.items()}),
            "}\n",
        ]
        texts = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
        lines = pc.binary_join_element_wise(*texts, pa.scalar("", pa.large_string()))
        yield "".join(lines.to_pylist()).encode()


def names_of(plan: Plan) -> list[str]:
    """Return what the CSV of each group of actions is called; a second one of a target and kind has a number."""
    met: Counter[tuple[str, Kind]] = Counter()
    names = []
    for group in plan.actions:
        met[group.target, group.kind] += 1
        number = met[group.target, group.kind]
        names.append(f"{group.target}.{group.kind}{f'.{number}' if number > 1 else ''}.csv")
    return names


def about_targets(plan: Plan) -> dict[str, dict[str, object]]:
    """Return by target the names of its key and columns, and how many actions there are of each kind."""
    counts = plan.counts()
    return {
        group.target: {"key": list(group.key), "columns": list(group.columns), "actions": counts[group.target]}
        for group in plan.actions
    }


def _object(name: str, cells: Mapping[str, pa.Array]) -> Sequence[str | pa.Array]:
    """Return the parts of an object of texts."""
    parts: list[str | pa.Array] = [f"{json.dumps(name)}: {{"]
    for number, (field, column) in enumerate(cells.items()):
        parts += [f'{", " if number else ""}{json.dumps(field, ensure_ascii=False)}: "', _escaped(column), '"']
    return [*parts, "}"]


def _escaped(cells: pa.Array) -> pa.Array:
    """Return texts as they stand between the quotes of JSON."""
    cells = pc.replace_substring(pc.replace_substring(cells, "\\", "\\\\"), '"', '\\"')
    if not pc.any(pc.match_substring_regex(cells, _CONTROL)).as_py():
        return cells
    for code in range(32):
        cells = pc.replace_substring(cells, chr(code), re.sub('"', "", json.dumps(chr(code))))
    return cells
