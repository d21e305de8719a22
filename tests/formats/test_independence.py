"""The validators judge what ingestd writes, and so must have nothing from it."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
MODULES = sorted(path for path in HERE.glob("*.py") if not path.name.startswith("test_"))


def imported(path: Path) -> set[str]:
    """Return the first words of all that a module imports."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def test_the_validators_share_no_code_with_ingestd() -> None:
    """They import each other and a little of the standard library, whose own reader of CSV is none of it."""
    used = {name for path in MODULES for name in imported(path)}
    assert {"apple.py", "sds.py", "canvas.py"} <= {path.name for path in MODULES}
    assert used == {"formats", "collections", "dataclasses", "datetime", "re"}
