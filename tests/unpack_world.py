"""What is found in a package, and what can be read of it."""

import os
from pathlib import Path

import pytest

from ingestd.unpack import PackageLimits, open_package

LIMITS = PackageLimits()
SAMPLES = os.environ.get("INGESTD_SAMPLES")


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path at which one zip after the other may be laid."""
    return tmp_path_factory.mktemp("drops") / "drop.zip"


def contents(path: Path, limits: PackageLimits = LIMITS) -> dict[str, bytes]:
    """Return what a package holds."""
    with open_package(path, limits) as package:
        return {file: b"".join(package.stream(file)) for file in package.files}


def found(path: Path, limits: PackageLimits = LIMITS) -> dict[str, list[str]]:
    """Return a package's findings, messages by code."""
    codes: dict[str, list[str]] = {}
    with open_package(path, limits) as package:
        for one_batch in package.batches:
            codes.setdefault(one_batch.code, []).append(one_batch.message)
    return codes


def lay(path: Path, raw: bytes) -> Path:
    """Write the bytes there."""
    path.write_bytes(raw)
    return path
