"""What is shipped: a source archive, and the wheel that is built from it without the network."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import ingestd

ROOT = Path(__file__).parent.parent


def build(folder: Path, kind: str, out: Path) -> Path:
    """Build a `wheel` or `sdist` of the project in `folder`, with the tools that are installed."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(out)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked source archive."""
    archive = build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="module")
def names(source: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of the files in the wheel that is built from the source archive."""
    with zipfile.ZipFile(build(source, "wheel", tmp_path_factory.mktemp("wheel"))) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_two_packages_and_no_more(names: set[str]) -> None:
    """Its top level is the daemon, the schemas, and what installers need."""
    assert {name.partition("/")[0] for name in names} == {
        "ingestd",
        "schemas",
        f"ingestd-{ingestd.__version__}.dist-info",
    }


def test_every_module_is_in_the_wheel(names: set[str]) -> None:
    """What a checkout has of the packages, types and templates too, the wheel has."""
    files = [path for folder in ("ingestd", "schemas") for path in (ROOT / folder).rglob("*")]
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.is_file() and "__pycache__" not in path.parts}
    assert wanted - names == set()
    assert {"ingestd/py.typed", "schemas/py.typed", "ingestd/templates/report.html.j2"} <= names


def test_the_configuration_travels_with_the_code(names: set[str]) -> None:
    """Every file of `config/` is where an installed ingestd looks for it."""
    files = [path.relative_to(ROOT / "config") for path in (ROOT / "config").rglob("*.toml")]
    assert {f"ingestd/shipped/{path.as_posix()}" for path in files} == {n for n in names if "/shipped/" in n}
    assert {"ingestd/shipped/ingestd.toml", "ingestd/shipped/rules/default.toml"} <= names


def test_the_source_archive_can_be_worked_on(source: Path) -> None:
    """It has what a developer needs to build, test and run."""
    wanted = (
        "Makefile",
        "requirements.txt",
        "LICENSE",
        "CHANGELOG.md",
        "tests/test_packaging.py",
        "systemd/ingestd.service",
    )
    assert [name for name in wanted if not (source / name).is_file()] == []


def test_the_version_is_that_of_the_changelog() -> None:
    """The newest version of CHANGELOG.md, the project's and the installed one are the same."""
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert released[0] == project["version"] == ingestd.__version__


def test_the_lock_has_all_that_the_project_wants() -> None:
    """Every dependency of pyproject.toml is pinned in requirements.txt, with its hashes, from no host."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *project["build-system"]["requires"],
    ]
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:", lock, re.MULTILINE))
    assert {re.split(r"[^A-Za-z0-9-]", one, maxsplit=1)[0].lower() for one in wanted} - set(pinned) == set()
    assert len(pinned) == len(re.findall(r"^[a-zA-Z]", lock, re.MULTILINE))
    assert not re.search(r"^-|://", lock.replace("    --hash", ""), re.MULTILINE)
