"""README tells the truth: its generated parts are current, nothing is left out, and its quickstart runs as pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ingestd import docs, log
from ingestd.cli import main
from ingestd.config import describe
from ingestd.core.catalogue import BREACHES, CATALOGUE
from ingestd.core.state import State
from schemas import VERSIONS, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HELD = 3

REGISTRY = re.compile(r"(pypi|pythonhosted|npmjs|deb\.debian)[.](org|com)|(?<!emit-)index-url\s*=", re.IGNORECASE)
"""Hosts that packages are fetched from: where from is for each machine to say."""
HOMES = re.compile(r"/(home|Users)/\w+/|/root/")


def quickstart() -> list[str]:
    """Return the lines of README's quickstart after the one that makes the environment."""
    block = README.partition("<!-- quickstart")[2].partition("```sh\n")[2].partition("```")[0]
    return [line for line in block.splitlines() if not line.startswith("make ")]


def tracked() -> list[Path]:
    """Return the files of the project that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for line in ran.stdout.splitlines() if (path := ROOT / line).is_file()]


def paths(group: click.Group, before: str = "") -> set[str]:
    """Return all commands, such as `config check`."""
    inner = [(f"{before}{name}", command) for name, command in group.commands.items()]
    groups = [paths(one, f"{path} ") for path, one in inner if isinstance(one, click.Group)]
    return {path for path, one in inner if not isinstance(one, click.Group)}.union(*groups)


def test_the_generated_parts_are_current() -> None:
    """`make docs` would change nothing."""
    command = [sys.executable, "-m", "cogapp", "--check", "README.md"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"run `make docs`\n{ran.stdout}{ran.stderr}"


@pytest.mark.parametrize(
    "words",
    [
        paths(main),
        {one.key for one in describe()},
        set(CATALOGUE),
        set(BREACHES),
        set(log.EVENTS),
    ],
    ids=["commands", "settings", "findings", "breaches", "events"],
)
def test_nothing_is_left_out(words: set[str]) -> None:
    """Every command, setting, finding, breach and event has a row of README's tables."""
    assert {word for word in words if f"| `{word}` |" not in README} == set()


def test_every_column_is_told() -> None:
    """README has a table of each file of the standard, in which each column of each version has its row."""
    tables = dict(re.findall(r"\*\*`(\w+)\.csv`\*\*\n\n(.*?)\n\n", README, re.DOTALL))
    wanted = {
        (name, column.header, version)
        for version in VERSIONS
        for name, table in load(version).items()
        for column in table.columns
    }
    rows = {
        name: re.findall(r"^\| `([\w.]+)`.* \| ([\d., ]+) \|$", table, re.MULTILINE) for name, table in tables.items()
    }
    told = {(name, header, one) for name, found in rows.items() for header, said in found for one in said.split(", ")}
    assert told == wanted


def test_every_state_is_drawn() -> None:
    """Every state of a run is in the diagram, as the start or the end of a step."""
    assert {state for state in State if f"--> {state}\n" not in docs.states()} == set()


def test_every_folder_of_the_code_is_on_the_map() -> None:
    """The code map has a part for each package; a new one has to be given its place in it."""
    packages = {path.parent.name for path in (ROOT / "ingestd").glob("*/__init__.py")}
    assert packages == set(docs.LAYERS)


def test_the_quickstart_runs_as_pasted(tmp_path: Path) -> None:
    """Each line of README's quickstart ends well, but for the one that says that its run is held."""
    lines = quickstart()
    script = "\n".join(f"{line}\necho rc $?" for line in lines)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", script]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    codes = [int(code) for code in re.findall(r"^rc (\d+)$", ran.stdout, re.MULTILINE)]
    plan = next(index for index, line in enumerate(lines) if " plan " in line)
    assert [0 if "held:" not in line and index != plan else HELD for index, line in enumerate(lines)] == codes


def test_every_target_of_make_is_told() -> None:
    """README names the targets of the Makefile that a reader needs."""
    targets = re.findall(r"^([a-z]+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name in targets if f"make {name}" not in README} <= {"help", "clean"}


def test_links_lead_somewhere() -> None:
    """Every relative link of README leads to a file or a heading of its own."""
    links = re.findall(r"\]\(([^)]+)\)", README)
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    local = {link for link in links if "://" not in link}
    assert {one for one in local if one.lstrip("#") not in headings and not (ROOT / one).is_file()} == set()


def test_no_file_says_where_it_was_made() -> None:
    """No file names a host that packages come from, nor a folder of somebody's machine."""
    here = re.compile(re.escape(f"{ROOT}/") + "|" + re.escape(f"{ROOT.parent}/shared"))
    texts = {path: path.read_bytes().decode("utf-8", errors="replace") for path in tracked()}
    faults = {
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path, text in texts.items()
        for pattern in (REGISTRY, HOMES, here)
        if (found := pattern.search(text)) and path != Path(__file__)
    }
    assert faults == set()
