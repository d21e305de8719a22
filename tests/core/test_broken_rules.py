"""Wrong rules files: each says in its first comment lines what must be said of it, all faults at once."""

import tomllib
from pathlib import Path

import pytest

from ingestd.core.rulesfile import parse_rules
from schemas import shapes

CASES = sorted((Path(__file__).parents[1] / "broken_rules").glob("*.toml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_fault_is_told(case: Path) -> None:
    """A wrong file is refused with the key, what was found, what is allowed and the nearest name."""
    text = case.read_text(encoding="utf-8")
    expected = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    assert expected
    assert list(parse_rules(tomllib.loads(text), shapes())[1]) == expected


def test_there_are_enough_cases() -> None:
    """The folder is found, and has a case per kind of fault."""
    assert len(CASES) >= 15
