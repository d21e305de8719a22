"""Configuration files on disk, for the tests of the configuration."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingestd.config import load
from ingestd.errors import ConfigError

BROKEN = Path(__file__).parent / "broken_config"
CASES = sorted(BROKEN.iterdir())


def write(folder: Path, main: str = "", rules: tuple[str, ...] = ("default",), **feeds: str) -> Path:
    """Write a configuration of `main`, feeds by name and rules files by name; return the file to load."""
    texts = {folder / "ingestd.toml": main}
    texts |= {folder / "feeds" / f"{name}.toml": text for name, text in feeds.items()}
    texts |= {folder / "rules" / f"{name}.toml": "" for name in rules}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "ingestd.toml"


def write_broken(case: Path, folder: Path) -> Path:
    """Write one case of `broken_config`: a folder as it is, a file as `ingestd.toml` or as the feed `broken`."""
    if case.is_dir():
        path = write(folder)
        shutil.copytree(case, folder, dirs_exist_ok=True)
        return path
    text = case.read_text(encoding="utf-8")
    return write(folder, main=text) if case.name.startswith("main-") else write(folder, broken=text)


def expected_problems(case: Path) -> list[str]:
    """Return the problems that a case announces in its first comment lines; `…` stands for anything."""
    head = case / "ingestd.toml" if case.is_dir() else case
    lines = head.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# ")]


def said(problems: Sequence[str], folder: Path) -> list[str]:
    """Return problems without the folder's own name."""
    return [problem.replace(f"{folder}/", "") for problem in problems]


def problems_of(path: Path) -> list[str]:
    """Return what is wrong with a configuration, without the names of temporary folders."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return said(caught.value.problems, path.parent)
