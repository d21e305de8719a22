"""How things look on a terminal: within 80 columns, one accent per state, a bar on long work.

The law: nothing is told by colour alone, and no name that others gave (a file's, say) is read as markup or moves the
cursor. What is said of a run is what its report says, made by the same functions.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ingestd.core import report
from ingestd.core.findings import ORDER
from ingestd.core.model import Kind, Severity

if TYPE_CHECKING:
    from ingestd.stages import Show

WIDTH = 80
_DONE = frozenset({"applied", "applying", "failed"})
_PROSE = 100  # columns: longer lines are hard to read
DIGITS = 12
"""How many digits of a digest a command that is shown has; `release` takes so many."""
_SHORT = 17  # columns: what fits is never broken, be it a time, a state or the name of a run
STYLES = {
    "applied": "green", "held": "yellow", "rejected": "red", "failed": "red", "catastrophic": "bold red",
    "error": "red", "warning": "yellow", "info": "dim", "accepted": "green",
    "ok": "green", "fault": "red",
}  # fmt: skip


def console(*, err: bool = False) -> Console:
    """Return the terminal; never wider than it is, and 80 columns where it has no width."""
    return Console(stderr=err, highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else WIDTH)


def clean(text: object) -> str:
    """Return text that others wrote, with `?` for what is not printable."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def word(text: str) -> Text:
    """Return a state or severity in its colour."""
    return Text(text, STYLES.get(text.lower(), ""))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table; columns whose name ends in # are numbers, aligned right with thousands separated.

    Where it is too wide, long texts are broken; numbers, times and states never.
    """
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    made.padding = (0, 2, 0, 0)
    cells = [[_cell(value) for value in row] for row in rows]
    for i, name in enumerate(columns):
        is_number = name.endswith("#")
        is_short = is_number or max((row[i].cell_len for row in cells), default=0) <= _SHORT
        made.add_column(name.rstrip("#"), justify="right" if is_number else "left", overflow="fold", no_wrap=is_short)
    for row in cells:
        made.add_row(*row)
    return made


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if isinstance(value, int) else clean("" if value is None else value))


# Parts of a run --------------------------------------------------------------------------------------------------


class _Findings:
    """Findings by code, as wide as the terminal."""

    def __init__(self, listed: Sequence[Mapping[str, Any]]) -> None:
        self._groups = report.group_findings(listed)
        counts = {severity: sum(f["count"] for f in listed if f["severity"] == severity) for severity in ORDER}
        self._title = f"Findings: {report.count_words({'findings': counts}, *ORDER)}"

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield Text(self._title, "bold")
        for group in self._groups:
            first, *rest = map(clean, report.group_lines(group, min(options.max_width, _PROSE)))
            head = Text(f"\n{first}")
            head.stylize(STYLES[group.severity], 1, 1 + len(group.word))
            yield head
            yield Text("\n".join(rest))


def findings(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return findings by code, gravest first: what is wrong, where, what to do."""
    return _Findings(listed)


def changeset(changes: Mapping[str, Mapping[str, int]], title: str = "What changed") -> Table:
    """Return what changed, a row per table."""
    names = ("created", "updated", "deleted", "unchanged")
    rows = [(name, *(one[each] for each in names)) for name, one in changes.items()]
    return table(title, ("table", *(f"{name}#" for name in names)), rows)


def actions(planned: Mapping[str, Mapping[str, int]], title: str = "Actions") -> Table:
    """Return what is to be done, a row per target table."""
    has_rekeys = any(one.get("rekey") for one in planned.values())
    names = (*(("rekey",) if has_rekeys else ()), "create", "update", "remove")
    rows = [(name, *(one.get(each, 0) for each in names)) for name, one in planned.items()]
    return table(title, ("target", *(f"{name}#" for name in names)), rows)


def came(tables: Mapping[str, Mapping[str, int]]) -> Table:
    """Return what came, a row per table."""
    rows = [(name, one["rows"], one["valid"], one["held_back"]) for name, one in tables.items()]
    return table("What came", ("table", "rows#", "valid#", "held back#"), rows)


def done(document: Mapping[str, Any]) -> RenderableType:
    """Return what was done of the actions, a row per target table, and why some of them failed."""
    every = report.list_done(document)
    kinds = [kind for kind in Kind if kind is not Kind.REKEY or any(one.done[kind] for one in every)]
    rows = [(one.target, *(one.done[kind] for kind in kinds), one.failed) for one in every]
    names = ("target", *(f"{kind}#" for kind in kinds), "failed#")
    why = [f"{one.target}: {reason}" for one in every for reason in one.reasons]
    return Group(table("What was done", names, rows), *_bullets(why))


def left_out(document: Mapping[str, Any]) -> RenderableType | None:
    """Return what the feed does not take in, a line per table and reason; None if there is nothing."""
    every = document.get("left_out") or ()
    counts = [one["table"] if one.get("count") is None else f"{one['count']:,} of {one['table']}" for one in every]
    told = [f"{count}: {one['reason']}" for count, one in zip(counts, every, strict=True)]
    return Group(Text("What was left out", "bold"), *_bullets(told)) if told else None


def sinks(document: Mapping[str, Any]) -> RenderableType | None:
    """Return what is planned for each sink, what failed, why nothing was done in it; None if there is but one."""
    every = document.get("sinks") or {}
    planned = {name: _totals(one["actions"]) for name, one in every.items()}
    kinds = [kind for kind in Kind if kind is not Kind.REKEY or any(one[kind] for one in planned.values())]
    rows: list[tuple[Any, ...]] = [(name, *(planned[name][kind] for kind in kinds)) for name in every]
    names = ["sink", *(f"{kind}#" for kind in kinds)]
    if any("outcomes" in one for one in every.values()):
        failed = [sum(len(each["failed"]) for each in one["outcomes"]) for one in every.values()]
        wrong = [one.get("error") or "" for one in every.values()]
        rows = [(*row, *more) for row, *more in zip(rows, failed, wrong, strict=True)]
        names += ["failed#", "what is wrong"]
    return table("Sink by sink", names, rows) if rows else None


def _totals(planned: Mapping[str, Mapping[str, int]]) -> dict[Kind, int]:
    return {kind: sum(counts.get(kind, 0) for counts in planned.values()) for kind in Kind}


def not_done(document: Mapping[str, Any]) -> RenderableType | None:
    """Return how many actions pins leave out, and how many removals wait, by target table; None if there are none."""
    told: list[RenderableType] = []
    for name, title in (("pinned", "Left out for pins"), ("waiting", "Absent, to be removed later")):
        counts = (document.get(name) or {}).items()
        lines = [f"{target}: {report.plural(count, 'action')}" for target, count in counts]
        told += [Text(title, "bold"), *_bullets(lines)] if lines else []
    return Group(*told) if told else None


def _bullets(sentences: Sequence[str]) -> list[RenderableType]:
    return [Padding(Text(clean(one)), (0, 0, 0, 2)) for one in sentences]


def _steps(steps: Sequence[report.Step]) -> RenderableType | None:
    """Return what to do next; of a digest the first digits, which are enough and fit."""
    if not steps:
        return None
    lines: list[RenderableType] = [Text("What to do next", "bold")]
    for step in steps:
        lines += _bullets([step.text])
        if step.command:
            lines.append(Text("    " + re.sub(r"[0-9a-f]{64}", lambda digest: digest[0][:DIGITS], clean(step.command))))
    return Group(*lines)


def _changed(state: str) -> str:
    if state in _DONE:
        return "What changed"
    return "What would change" if state in ("held", "planned") else "What would have changed"


def _head(state: str, *names: str) -> Text:
    return Text.assemble((state.upper(), STYLES.get(state, "bold")), *(f"  {clean(name)}" for name in names if name))


def _print(out: Console, *parts: RenderableType | None) -> None:
    """Print the parts that there are, a blank line between them; a plain string is a line that is never broken."""
    there = [part for part in parts if part]
    for i, part in enumerate(there):
        if i:
            out.print()
        is_line = isinstance(part, str)
        out.print(Text(clean(part)) if is_line else part, soft_wrap=is_line)


# A whole run, many runs ------------------------------------------------------------------------------------------


def print_run(document: Mapping[str, Any], out: Console) -> None:
    """Print a run: its verdict, what came, what is wrong, what changed, what is done, what to do next."""
    verdict = report.judge(document)
    head = _head(document["state"], document["run"], report.occasion(document))
    is_rejected = document["state"] == "rejected"
    reasons = () if is_rejected else verdict.reasons  # why it is rejected, the findings tell
    is_done = document["state"] in _DONE
    tables = came(document["tables"]) if document.get("tables") else None
    found = findings(document["listed_findings"]) if document.get("listed_findings") else None
    _print(
        out,
        Group(head, Text(report.sentence(verdict.meaning)), *_bullets(reasons)),
        *((found, tables) if is_rejected else (tables, found)),
        left_out(document),
        changeset(document["changeset"], _changed(document["state"])) if document.get("changeset") else None,
        done(document) if document.get("outcomes") else None,
        actions(document["actions"], "Actions planned") if document.get("actions") and not is_done else None,
        sinks(document),
        not_done(document),
        _steps(verdict.steps),
        f"Report: {document['folder']}/report.html" if document.get("folder") else None,
    )


def print_plan(about: Mapping[str, Any], out: Console, *reasons: RenderableType) -> None:
    """Print what `plan` found: breaches, findings, changes, actions, the digest, and how to consent to a held run.

    `reasons` come behind the actions.
    """
    _print(
        out,
        Group(_head(about["state"], about["feed"], about["run"] or ""), *_bullets(report.breach_sentences(about))),
        findings(about["listed_findings"]) if about["listed_findings"] else None,
        left_out(about),
        changeset(about["changeset"], _changed(about["state"])) if about["changeset"] else None,
        actions(about["actions"], _planned_for(about)) if about["actions"] else Text("Nothing to do."),
        sinks(about),
        not_done(about),
        *reasons,
        f"Digest: {about['digest']}" if about["digest"] else None,
        _steps(report.judge(about).steps[1:]) if about["run"] else None,
    )


def _planned_for(about: Mapping[str, Any]) -> str:
    return f"Actions planned for {about['sink']}" if about.get("sink") else "Actions planned"


def print_check(name: str, found: Mapping[str, Any], out: Console) -> None:
    """Print what `check` found in one package."""
    kept = sum(one["held_back"] for one in found["tables"].values())
    held_back = f"{report.plural(kept, 'record')} would be held back." if kept else ""
    tables = came(found["tables"]) if found["tables"] else None
    told = findings(found["findings"]) if found["findings"] else Text("Nothing is wrong with it.")
    parts = (told, tables) if found["verdict"] == "rejected" else (tables, told)
    codes = [one["code"] for one in found["findings"] if one["severity"] != Severity.INFO]
    more = f"More about a code: ingestd explain-code {codes[0]}" if codes else None
    _print(out, Group(_head(found["verdict"], name), *([Text(held_back)] if held_back else [])), *parts, more)


def runs(documents: Sequence[Mapping[str, Any]]) -> Table:
    """Return runs as a table; `errors` counts what rejects a drop, too."""
    rows = [
        (one["run"], word(one["state"]), when(one["received_at"]), *_changes(one), _errors(one)) for one in documents
    ]
    return table("", ("run", "state", "received (UTC)", "new#", "changed#", "gone#", "errors#"), rows)


def when(iso: str | None) -> str:
    """Return an ISO time to the minute, blank if there is none."""
    return iso[:16].replace("T", " ") if iso else ""


def _changes(document: Mapping[str, Any]) -> tuple[int, ...]:
    changes = (document.get("changeset") or {}).values()
    return tuple(sum(one[name] for one in changes) for name in ("created", "updated", "deleted"))


def _errors(document: Mapping[str, Any]) -> int:
    counts = document.get("findings") or {}
    return int(counts.get("catastrophic", 0) + counts.get("error", 0))


# Progress --------------------------------------------------------------------------------------------------------


class _Bar:
    """Shows a run's stages as one line with a bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def stage(self, name: str, detail: str) -> None:
        """Name the stage."""
        self._progress.reset(self._task, description=f"{name} {detail}".strip(), total=None)

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=max(total, 1))


@contextmanager
def progress(*, enabled: bool = True) -> Iterator["Show | None"]:
    """Show a run's progress on a terminal, and nothing elsewhere."""
    from ingestd import reading

    reading.prepare()  # before the bar has its thread
    screen = console(err=True)
    if not enabled or not screen.is_terminal:
        yield None
        return
    parts = (TextColumn("{task.description:<28}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*parts, console=screen, transient=True) as shown:
        yield _Bar(shown)
