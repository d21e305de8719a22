"""The laws of the code's shape, read from its syntax: what `core` may touch, and which way dependence runs."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORE = "ingestd.core"
WORLD = frozenset(
    {
        *("os", "io", "pathlib", "shutil", "tempfile", "sqlite3", "sqlite_utils", "sqlalchemy"),
        *("time", "random", "secrets", "threading", "asyncio", "subprocess", "socket", "httpx", "paramiko", "watchdog"),
        *("logging", "structlog", "click", "rich", "stamina"),
    }
)
"""What `core` must not import: the disk, the clock, SQL, the network, the log, chance."""
CALLS = frozenset({"open", "print", "input"})
METHODS = (".now", ".utcnow", ".today", ".open", ".read_text", ".write_text", ".read_bytes", ".write_bytes")
"""How a call of the world ends, whatever it is called on."""
TOPS = {"ingestd.__main__", "ingestd.docs"}
"""Who else than the command line may import it."""
BELOW_PIPELINE = ("claim", "unpack", "examine", "targets", "store", "snapshot", "sources", "sinks", "reports", "filing")
LONGEST_FILE, LONGEST_FUNCTION = 350, 45


def name_of(path: Path) -> str:
    """Return a file's name as a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for folder in ("ingestd", "schemas") for path in sorted((ROOT / folder).rglob("*.py"))}
TESTS = {name_of(path): path for path in sorted((ROOT / "tests").rglob("*.py"))}


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Return all that a module imports, in functions and for types too; of ours, modules, not what is in them."""
    return {_module(name) for node in ast.walk(tree(MODULES[module])) for name in _names(node)} - {module}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(name: str) -> str:
    """Return the module that `name` is or is in; of a package of others, its first word."""
    if name.partition(".")[0] not in {"ingestd", "schemas"}:
        return name.partition(".")[0]
    return name if name in MODULES else name.rpartition(".")[0]


def within(module: str, *packages: str) -> bool:
    """Return whether a module is one of the packages or in them."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def core() -> list[str]:
    """Return the modules of `core`."""
    return [module for module in MODULES if within(module, CORE)]


def calls(module: str) -> set[str]:
    """Return all that a module calls, as it is written."""
    return {ast.unparse(node.func) for node in ast.walk(tree(MODULES[module])) if isinstance(node, ast.Call)}


def is_of_the_world(call: str) -> bool:
    """Return whether a call opens a file, reads the clock, or speaks to a terminal."""
    return call in CALLS or call.endswith(METHODS)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the lines of each function of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_core_is_pure() -> None:
    """No module of `core` imports or calls anything of the world: no disk, no clock, no SQL, no network, no log."""
    assert {(module, name) for module in core() for name in imports(module) & WORLD} == set()
    assert {(module, call) for module in core() for call in calls(module) if is_of_the_world(call)} == set()


def test_core_leans_on_nothing_above() -> None:
    """Of ours, `core` imports only itself and the schemas."""
    ours = {(module, name) for module in core() for name in imports(module) if within(name, "ingestd", "schemas")}
    assert {pair for pair in ours if not within(pair[1], CORE, "schemas")} == set()


def test_schemas_are_a_leaf() -> None:
    """The schemas import nothing of ingestd, so that others can have them alone."""
    found = {(module, name) for module in MODULES if within(module, "schemas") for name in imports(module)}
    assert {pair for pair in found if within(pair[1], "ingestd")} == set()


def test_the_command_line_is_on_top() -> None:
    """Nothing but its own modules, `python -m ingestd` and the docs imports the command line."""
    below = [module for module in MODULES if not within(module, "ingestd.cli") and module not in TOPS]
    assert {module for module in below for name in imports(module) if within(name, "ingestd.cli")} == set()


def test_the_stages_meet_only_in_the_pipeline() -> None:
    """No stage imports the pipeline, nor what drives it."""
    drivers = ("ingestd.pipeline", "ingestd.feed", "ingestd.daemon", "ingestd.cli")
    stages = [module for module in MODULES if within(module, *(f"ingestd.{name}" for name in BELOW_PIPELINE))]
    assert len(stages) > len(BELOW_PIPELINE)
    assert {(module, name) for module in stages for name in imports(module) if within(name, *drivers)} == set()


def test_dependence_has_no_circle() -> None:
    """There is an order in which every module comes after those that it imports; `graphlib` names a circle."""
    graph = {module: {name for name in imports(module) if name in MODULES and name != "ingestd"} for module in MODULES}
    assert len(tuple(TopologicalSorter(graph).static_order())) >= len(MODULES) - 1


def test_a_file_is_one_room() -> None:
    """No file of the code has more than 350 lines."""
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > LONGEST_FILE} == {}


def test_a_function_is_one_thought() -> None:
    """No function, of the tests neither, has more than 45 lines."""
    found = {(module, *one) for module, path in (MODULES | TESTS).items() for one in functions(path)}
    assert {one for one in found if one[2] > LONGEST_FUNCTION} == set()
