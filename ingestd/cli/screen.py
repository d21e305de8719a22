"""How things look on a terminal: tables within 80 columns, one accent per state, a bar on long work."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ingestd.stages import Show

WIDTH = 80
STYLES = {
    "applied": "green", "held": "yellow", "rejected": "red", "failed": "red", "catastrophic": "bold red",
    "error": "red", "warning": "yellow", "info": "dim", "accepted": "green",
}  # fmt: skip


def console(*, err: bool = False) -> Console:
    """Return the terminal; never wider than it is, and 80 columns where it has no width."""
    return Console(stderr=err, highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else WIDTH)


def word(text: str) -> Text:
    """Return a state or severity in its colour."""
    return Text(text, STYLES.get(text, ""))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table; columns whose name ends in # are numbers, aligned right with thousands separated."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        is_number = name.endswith("#")
        made.add_column(name.rstrip("#"), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if isinstance(value, int) else str(value if value is not None else ""))


def findings(listed: Sequence[Mapping[str, Any]], limit: int = 40) -> Table:
    """Return findings as a table: gravest first, each with its place and what it says."""
    rows = [(word(one["severity"]), place(one), _message(one)) for one in listed[:limit]]
    if len(listed) > limit:
        rows.append((Text(""), "", Text(f"… and {len(listed) - limit} more; the report and --json have them all", "dim")))
    return table("Findings", ("severity", "where", "what"), rows)


def place(one: Mapping[str, Any]) -> str:
    """Return `users.csv:12 grades`, as far as it is known."""
    line = f":{one['line']}" if one.get("line") else ""
    column = f" {one['column']}" if one.get("column") else ""
    return f"{one.get('file') or ''}{line}{column}"


def _message(one: Mapping[str, Any]) -> Text:
    count = f" (×{one['count']:,})" if one["count"] > 1 and "of " not in one["message"][:12] else ""
    return Text.assemble(one["message"], count, (f"  {one['code']}", "dim"))


def changeset(changes: Mapping[str, Mapping[str, int]]) -> Table:
    """Return what changed, a row per table."""
    names = ("created", "updated", "deleted", "unchanged")
    rows = [(name, *(one[each] for each in names)) for name, one in changes.items()]
    return table("What changed", ("table", *(f"{name}#" for name in names)), rows)


def actions(planned: Mapping[str, Mapping[str, int]]) -> Table:
    """Return what is to be done, a row per target table."""
    names = ("create", "update", "remove")
    rows = [(name, *(one[each] for each in names)) for name, one in planned.items()]
    return table("Actions", ("target", *(f"{name}#" for name in names)), rows)


def came(tables: Mapping[str, Mapping[str, int]]) -> Table:
    """Return what came, a row per table."""
    rows = [(name, one["rows"], one["valid"], one["held_back"]) for name, one in tables.items()]
    return table("What came", ("table", "rows#", "valid#", "held back#"), rows)


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
    screen = console(err=True)
    if not enabled or not screen.is_terminal:
        yield None
        return
    parts = (TextColumn("{task.description:<28}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*parts, console=screen, transient=True) as shown:
        yield _Bar(shown)
