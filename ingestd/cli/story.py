"""How the life of a record looks on a terminal, and the reasons of a plan: parts of what `screen` prints."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ingestd.cli import screen
from ingestd.core import report

_WORDS = {
    "const": "constant {of!r}", "template": "template of {of}", "flags": "flags {of}", "when": "when {of}",
    "item": "item {of}", "lookup": "lookup {of}", "map": "map {of}", "date": "date {of}", "phone": "phone {of}",
    "safe_id": "safe_id", "default": "default {of!r}", "case": "{of} case",
}  # fmt: skip
"""How the verbs of a field are told; `from` is its column alone."""
_SPREAD = re.compile(r"(.+)_([2-9]|[1-9]\d+)")
Told = Mapping[str, Any]


def print_story(story: Told, out: Console) -> None:
    """Print the life of a record: events, findings, scope, target records, actions."""
    parts = [
        _events(story),
        _findings(story["findings"]),
        _scope(story["scope"]) if story["scope"] else Text("It is not in the roster."),
        *(_target(one) for one in story["targets"] if story["scope"] and story["scope"]["in"]),
        _actions(story),
    ]
    for i, part in enumerate(part for part in parts if part):
        if i:
            out.print()
        out.print(part)


def _section(title: str, *lines: RenderableType | str) -> RenderableType:
    """Return a heading and what is below it, by two columns to the right."""
    below = (Text(screen.clean(one)) if isinstance(one, str) else one for one in lines)
    return Group(Text(screen.clean(title), "bold"), *(Padding(one, (0, 0, 0, 2)) for one in below))


# A record --------------------------------------------------------------------------------------------------------


def _events(story: Told) -> RenderableType:
    title = f"{story['table']} {story['sourcedId']}"
    rows = [(screen.when(one["at"]), one["run"], one["what"], _columns(one)) for one in story["events"]]
    if not rows:
        return _section(title, "It has never been accepted.")
    return screen.table(screen.clean(title), ("when (UTC)", "run", "what", "columns"), rows)


def _columns(event: Told) -> str:
    columns = event["columns"]
    if not isinstance(columns, dict):
        return ", ".join(columns)
    if event["what"] == "created":
        return "; ".join(f"{name}: {new!r}" for name, (_, new) in columns.items())
    return "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in columns.items())


def _findings(found: Sequence[Told]) -> RenderableType | None:
    lines: list[RenderableType | str] = []
    for one in found:
        line = f" line {one['line']}" if one["line"] else ""
        column = f" in {one['column']}" if one["column"] else ""
        message = Padding(Text(screen.clean(one["message"])), (0, 0, 0, 2))
        lines += [f"{one['run']}{line}: {one['severity']} {one['code']}{column}", message]
    return _section("Findings", *lines) if lines else None


def _scope(scope: Told) -> RenderableType:
    if scope["in"]:
        return _section("Scope", "It is in scope.")
    lines = [f"It is left out: {scope['why']}."]
    for one in scope["follows"]:
        by = f"{one['column']} is " if one["column"] else "Of its role "
        lines.append(f"{by}{one['table']} {one['sourcedId']}: {one['why']}.")
    return _section("Scope", *lines)


def _target(one: Told) -> RenderableType:
    title = f"Target {one['target']}"
    if not one["chosen"]:
        return _section(title, f"It gives no record: {one['because']}.")
    because = [f"{report.sentence(one['because'])}."] if one["because"] else []
    held = [f"Held back ({held['code']}): {held['why']}." for held in one["held_back"]]
    return _section(f"{title}: {one['key']}", _standing(one), *because, *held, *_fields(one["fields"]))


def _standing(one: Told) -> str:
    if one["active"] is None:
        return "It is not in the application by ingestd."
    last = one["last_run"] if one["last_run"] != one["created_by"] else None
    words = [f"created by {one['created_by']}"] if one["created_by"] else []
    words += [f"last written by {last}"] if last else []
    return "; ".join(["Active" if one["active"] else "Inactive", *words]) + "."


def _fields(fields: Sequence[Told]) -> Iterator[RenderableType | str]:
    if not any(one["steps"] for one in fields):
        if "value" not in next(iter(fields), {}):
            yield "All columns are as they are."
            return
        yield screen.table("", ("column", "value"), [(one["field"], one["value"]) for one in fields if one["value"]])
        return
    has_values = "value" in fields[0]
    names = {one["field"] for one in fields}
    rows = [
        (one["field"], _made(one), *([one["value"] or "(blank)"] if has_values else []))
        for one in fields
        if one.get("value") or not _is_further(one["field"], names)
    ]
    yield screen.table("", ("field", "made of", *(["value"] if has_values else [])), rows)


def _is_further(name: str, names: set[str]) -> bool:
    """Return whether a field is but a further column of a list: the first of them tells the rule."""
    parts = _SPREAD.fullmatch(name)
    return parts is not None and parts[1] in names


def _made(one: Told) -> str:
    *steps, last = one["steps"]
    last = {name: of for name, of in last.items() if name != "value"}  # beside it stands the field's
    told = (_step(step, unmapped=one["unmapped"]) for step in (*steps, last))
    return ", ".join(filter(None, told))


def _step(step: Told, *, unmapped: str | None) -> str:
    if step["verb"] == "default" and not step["acts"]:
        return ""  # not needed
    words = _WORDS.get(step["verb"], "{of}").format(of=step["of"])
    if step["verb"] == "map" and unmapped:
        return f"{words} (does not have it)"
    if step["verb"] == "when" and step["acts"]:
        return f"{words} (it is not)"
    return f"{words} {step['value']!r}" if "value" in step and step["acts"] and step["verb"] != "const" else words


def _actions(story: Told) -> RenderableType:
    states = {(one["target"], one["key"]): "active" if one["active"] else "inactive" for one in story["owned"]}
    if not states:
        return Text("Not in any target.")
    told = {(one["target"], one["key"]): one for one in story["actions"] if one["what"] == "created"}
    last = {(one["target"], one["key"]): one for one in story["actions"] if one["what"] != "created"}
    rows = [(*each, state, *(_run(by.get(each)) for by in (told, last))) for each, state in states.items()]
    return screen.table("In the application", ("target", "key", "state", "created by", "last action by"), rows)


def _run(action: Told | None) -> str:
    return action["run"] if action else ""


# A plan ----------------------------------------------------------------------------------------------------------


def reasons(why: Sequence[Told]) -> Iterator[RenderableType]:
    """Yield the reasons of each group of a plan's actions."""
    for group in why:
        listed = group["listed"]
        told = f"; the first {len(listed):,}" if len(listed) < group["count"] else ""
        of = [] if all(one["key"] == one["sourcedId"] for one in listed) else [listed[0]["table"]]
        rows = [(one["key"], *(one["sourcedId"] for _ in of), _why(one)) for one in listed]
        title = f"Why: {group['count']:,} of {group['target']} to {group['kind']}{told}"
        yield Group(Text(screen.clean(title), "bold"), screen.table("", ("key", *of, "why"), rows))


def _why(one: Told) -> str:
    columns = one["columns"]
    if not columns:
        return str(one["why"])
    changed = _columns({"what": "changed", "columns": columns})
    return f"changed: {changed}" if one["reason"] == "changed" else f"{one['why']} (changed: {changed})"
