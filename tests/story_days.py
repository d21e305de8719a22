"""Days of stories that are told as folders of CSVs: each has what is another than the day before."""

import zipfile
from pathlib import Path


def overlay(files: dict[str, bytes], day: Path) -> dict[str, bytes]:
    """Return the CSVs of a day: those of the day before, and what is another today."""
    new = {path.name: path.read_bytes() for path in day.glob("*.csv")}
    gone = {path.name.removesuffix(".absent") for path in day.glob("*.absent")}
    return {name: content for name, content in {**files, **new}.items() if name not in gone}


def pack_day(path: Path, files: dict[str, bytes], number: int) -> Path:
    """Write a day's zip; its times make the same files another zip each day."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in sorted(files.items()):
            made.writestr(zipfile.ZipInfo(name, (2026, 3, number, 4, 0, 0)), content)
    return path
