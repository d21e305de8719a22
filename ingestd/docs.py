"""The generated parts of README, each rendered from the one place where its facts are; `make docs` writes them.

Law: nothing is described here. A word that is wrong in README is wrong in a docstring, a model or a catalogue.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from ingestd import log
from ingestd.cli import main
from ingestd.config import Identity, Sis, describe, load_sis, shipped_folder
from ingestd.config.settings import FILES
from ingestd.core.catalogue import BREACHES, GROUPS, Entry, fill
from ingestd.core.state import STEPS, State
from ingestd.core.validate import NOT_COMPARED
from schemas import NAMES, VERSIONS, Column, Shape, Table, load, shapes
from schemas.fields import EXTENSION

TOP = "ingestd"
"""The folder above all; of it the code map tells the modules alone."""
LAYERS = ("cli", "doctor", "config", "server", "sources", "sinks", "testing", "core", "generate")
"""The folders in it, from the top down; told with what is below them, as is the last."""
LEAF = "schemas"

_SPECIAL = re.compile(r"([\\`*_<>|\[\]])")
_TOML = re.compile(r'["\[{\d].*|true|false')
_OUTSIDE = re.compile(r" \(DESIGN [^)]*\)")


def settings() -> str:
    """Return a table of the settings for each file of a configuration."""
    return "\n\n".join(f"`{file}`\n\n{_settings_of(file)}" for file in FILES)


def systems() -> str:
    """Return what is known of the student information systems that ship: a table of identities, then each alone."""
    found = {path.stem: load_sis(path) for path in sorted((shipped_folder() / "sis").glob("*.toml"))}
    fields = list(Identity.model_fields)
    rows = (
        (_code(name), _text(one.name), *(_text(getattr(one.identity, field)) or "not known" for field in fields))
        for name, one in found.items()
    )
    identities = _table(("`sis`", "system", *map(_code, fields)), rows)
    return "\n\n".join((identities, *(_system(name, one) for name, one in found.items())))


def findings() -> str:
    """Return a table of findings for each group of the catalogue, in the order of the stages."""
    columns = ("code", "severity", "what it says", "what to do")
    tables = (_table(columns, map(_finding, entries.items())) for entries in GROUPS.values())
    return "\n\n".join(f"**{name}**\n\n{table}" for name, table in zip(GROUPS, tables, strict=True))


def breaches() -> str:
    """Return a table of all breaches."""
    rows = ((_code(code), _text(one.title), _text(one.cause), _text(one.remedy)) for code, one in BREACHES.items())
    return _table(("code", "what it is", "why", "what to do"), rows)


def commands() -> str:
    """Return a table of all commands."""
    rows = ((_code(path), _text(_short(command))) for path, command in _commands())
    return _table(("command", "does"), rows)


def options() -> str:
    """Return the whole help of all commands, as a block."""
    helps = [_help("ingestd", main), *(_help(path, command) for path, command in _commands())]
    return "\n".join(("```text", "\n\n".join(helps), "```"))


def states() -> str:
    """Return the states of a run and the steps between them, as a diagram."""
    steps = [f"    {before} --> {after}" for before, afters in STEPS.items() for after in State if after in afters]
    ends = [f"    {state} --> [*]" for state, afters in STEPS.items() if not afters]
    first = next(iter(STEPS))
    return "\n".join(("```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *steps, *ends, "```"))


def events() -> str:
    """Return a table of all that is logged."""
    return _table(("event", "means"), ((_code(name), meaning) for name, meaning in log.EVENTS.items()))


def schemas() -> str:
    """Return a table for each file that is read: its columns in all versions of the standard."""
    files = (
        _file(shape, [load(one)[name] for one in VERSIONS if name in NAMES[one]]) for name, shape in shapes().items()
    )
    return "\n\n".join(files)


def modules() -> str:
    """Return the code map: a line per module, taken from its docstring, by layer."""
    root = Path(inspect.getfile(log)).parent.parent
    layers = (_layer(root, root / folder, "**/*.py") for folder in (*(f"{TOP}/{name}" for name in LAYERS), LEAF))
    return "\n\n".join((_layer(root, root / TOP, "*.py"), *layers))


def _system(name: str, one: Sis) -> str:
    """Return what to know of one system, as a list."""
    files = [f"{_code(f'{other}.csv')} is read as {_code(f'{table}.csv')}." for other, table in one.files.items()]
    columns = [
        f"In {_code(f'{table}.csv')} {_code(other)} is read as {_code(column)}."
        for table, names in one.headers
        for other, column in names.items()
    ]
    return "\n".join((f"{_code(name)}\n", *(f"- {line}" for line in (*map(_text, one.quirks), *files, *columns))))


def _finding(found: tuple[str, Entry]) -> Sequence[str]:
    code, one = found
    severity = f"{one.severity}, switchable" if one.switchable else str(one.severity)
    return _code(code), severity, _text(fill(one.message)), _text(fill(one.remedy))


def _file(shape: Shape, tables: Sequence[Table]) -> str:
    """Return a file's table: a row for what versions say alike of a column, the newest version's order."""
    said: dict[tuple[str, ...], list[str]] = {}
    for name in shape.header:
        for table in tables:
            if table.has(name):
                said.setdefault(_column(table, table.column(name)), []).append(table.version)
    rows = ((*facts, ", ".join(versions)) for facts, versions in said.items())
    return f"**`{shape.file}`**\n\n{_table(('column', 'type', 'required', 'words', 'refers to', 'in'), rows)}"


def _column(table: Table, column: Column) -> tuple[str, ...]:
    kept = f", kept as {_code(column.name)}" if column.header != column.name else ""
    of_state = table.knows_modes and column.name in NOT_COMPARED
    required = (
        "yes" if column.required else "in a delta" if of_state else "no, the header may lack it" * column.may_lack
    )
    words = () if column.type == "boolean" else (*column.values, *([f"{EXTENSION}…"] if column.extensible else []))
    refers = _code(column.references or "") + (f" of type {_code(column.of_type)}" if column.of_type else "")
    return f"{_code(column.header)}{kept}", column.type.replace("_", " "), required, " ".join(map(_code, words)), refers


def _settings_of(file: str) -> str:
    rows = (
        (
            _code(one.key),
            _text(one.type),
            _default(one.default),
            _text(one.meaning) + ("" if one.acts else " *(later)*"),
        )
        for one in describe()
        if one.file == file
    )
    return _table(("setting", "type", "default", "meaning"), rows)


def _default(said: str) -> str:
    return _code(said) if _TOML.fullmatch(said) else _text(said)


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(main.commands.items()):
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in sorted(command.commands.items()))
        else:
            yield name, command


def _short(command: click.Command) -> str:
    """Return the first paragraph of a command's help."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def _help(path: str, command: click.Command) -> str:
    top = click.Context(main, info_name="ingestd", **main.context_settings)
    return command.get_help(top if command is main else click.Context(command, info_name=path, parent=top))


def _layer(root: Path, folder: Path, pattern: str) -> str:
    first = folder / "__init__.py"
    rows = [
        (_code(path.relative_to(folder).as_posix()), _text(_sentence(path)))
        for path in sorted(folder.glob(pattern))
        if path != first
    ]
    return (
        f"**`{folder.relative_to(root).as_posix()}/`** {_text(_sentence(first))}.\n\n{_table(('module', 'is'), rows)}"
    )


def _sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without its full stop."""
    words = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    found = re.match(r"(.*?)\.(?: |$)", _OUTSIDE.sub("", words))
    return found[1] if found else words


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _text(words: str) -> str:
    """Return words as Markdown shows them; what stands in backticks already stays."""
    parts = words.split("`")
    return "".join(f"`{part}`" if index % 2 else _SPECIAL.sub(r"\\\1", part) for index, part in enumerate(parts))
