"""`ingestd check`: one package on its own, without a feed, without a past."""

from pathlib import Path
from typing import Any

from ingestd.core import document, findings
from ingestd.core.model import Batch
from ingestd.core.ways import Ways
from ingestd.errors import IngestdError
from ingestd.examine import Examined, Terms
from ingestd.reading import read_package
from ingestd.stages import Show, Stages, Unseen
from ingestd.unpack import PackageFault, PackageLimits

REQUIRED = ("orgs", "academicSessions", "classes", "users", "enrollments")
"""The tables that every application in the field asks for (systems notes A1, A2)."""


def check_package(
    path: Path, *, oneroster: str | None = None, ways: Ways = Ways(), show: Show | None = None
) -> dict[str, Any]:
    """Return what `check --json` prints of a zip or a folder of CSVs (DESIGN section 7).

    Args:
        path: the zip or folder.
        oneroster: the version to read as, whatever the manifest says.
        ways: how the sender writes, and what is not repaired.
        show: told of the progress.

    Raises:
        IngestdError: the file cannot be read.
    """
    terms = Terms(required=REQUIRED, ways=ways, oneroster=oneroster, is_alone=True)
    stages = Stages(show or Unseen())
    try:
        return _document(read_package(path, PackageLimits(), None, terms, stages))
    except PackageFault as fault:
        return _document(Examined(None, {}, {}, (fault.batch,), ()))
    except OSError as error:
        raise IngestdError(f"{path} cannot be read: {error.strerror}") from None


def _document(examined: Examined) -> dict[str, Any]:
    counts = {name: one.count for name, one in examined.settled.items()}
    about = document.about_drop(
        oneroster=examined.oneroster, modes=examined.modes, tables=counts, batches=examined.batches
    )
    return {
        "ok": not _has_faults(examined.batches),
        "verdict": "rejected" if examined.is_rejected else "accepted",
        "oneroster": about["oneroster"],
        "modes": about["modes"],
        "tables": about["tables"],
        "findings": about["listed_findings"],
        "counts": about["findings"],
    }


def _has_faults(batches: tuple[Batch, ...]) -> bool:
    counts = findings.count_by_severity(batches)
    return bool(counts["catastrophic"] or counts["error"])
