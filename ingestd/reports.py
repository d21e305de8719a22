"""Reports on disk: each file is written beside its place and renamed, so that nobody ever reads half of one.

The law: a report may name pupils' ids, so it is its owner's alone (0600); the vendor's receipt has counts, codes and
lines, and his group may read it (0640). Raises `OSError` when the disk fails; a report never stops a run, so the
pipeline logs that and goes on.
"""

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, Template
from pyarrow import csv

from ingestd.core import report
from ingestd.core.model import Batch
from ingestd.core.report import Document
from ingestd.files import replacing

_LONGEST = 255  # bytes of a file's name, on every file system that matters
_TEXT, _JSON = ".report.txt", ".report.json"


def render_html(document: Document) -> str:
    """Return the whole page for a run document, styles inside, nothing to load."""
    return report.render_html(document, _template())


def write(folder: Path, document: Document, batches: Iterable[Batch] | None = None) -> None:
    """Write `report.json` and `report.html` into `folder`, and `findings.csv` when the batches are at hand.

    Without `batches` the CSV is left as it is: the document lists findings only up to a cap, and a CSV that is not
    complete would be taken for one that is.
    """
    _write_text(folder / "report.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    _write_text(folder / "report.html", render_html(document))
    if batches is not None:
        write_findings(folder / "findings.csv", batches)


def write_findings(path: Path, batches: Iterable[Batch]) -> None:
    """Write every line of every batch as a row of a CSV that is safe to open in a spreadsheet."""
    with replacing(path, mode=0o600) as file:
        csv.write_csv(report.findings_rows(batches), file)


def write_receipt(results: Path, document: Document) -> Path:
    """Write the vendor's receipt, `<zip name>.report.txt`, into the folder `results`; return its path.

    Beside it, and before it, the same for programs: `<zip name>.report.json`.
    """
    name = Path(document["drop"]).name
    stem = os.fsdecode(os.fsencode(name)[: _LONGEST - len(_JSON)])
    told = json.dumps(report.receipt_document(document), indent=2, ensure_ascii=False)
    _write_text(results / f"{stem}{_JSON}", f"{told}\n", mode=0o640)
    path = results / f"{stem}{_TEXT}"
    _write_text(path, report.render_receipt(document), mode=0o640)
    return path


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("ingestd"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (report.number, report.occasion, report.plural, report.friendly, report.sentence)
    environment.filters |= {word.__name__: word for word in (*words, report.moment, report.duration)}
    return environment.get_template("report.html.j2")


def _write_text(path: Path, text: str, *, mode: int = 0o600) -> None:
    with replacing(path, mode=mode) as file:
        file.write(text.encode("utf-8", errors="replace"))
