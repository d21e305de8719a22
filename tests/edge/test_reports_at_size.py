"""A very bad drop: 100,000 findings of one kind are listed up to a cap with true counts, and written without one."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from report_documents import document

from ingestd import reports
from ingestd.core import report
from ingestd.core.document import about_drop
from ingestd.core.findings import CAP, FURTHER, batch
from ingestd.core.model import Batch, Cause

MANY = 100_000
LINES = range(2, MANY + 2)
MISSING = batch("missing-file", file="users.csv", name="users.csv", reason="this feed requires it")
BLANK = batch("required-value", file="users.csv", column="role", lines=LINES)


def refer(code: str, line: int, cause: Cause | None = None) -> Batch:
    """Return the finding that one enrollment refers to one user, another in each line."""
    words: dict[str, Any] = {"count": "1", "id": f"U-{line}", "target": "users.csv"}
    return batch(code, file="enrollments.csv", column="c", lines=(line,), stands_for=1, caused_by=cause, **words)


SHAPES: dict[str, list[Batch]] = {
    "one batch": [BLANK],
    "a batch each": [refer("dangling-reference", line) for line in LINES],
    "all follow from one": [MISSING, *(refer("dangling-reference", line) for line in LINES)],
    "each follows from another": [
        BLANK,
        *(refer("reference-to-held-back", line, Cause("required-value", "users.csv", line)) for line in LINES),
    ],
}
ERRORS = {"one batch": MANY, "a batch each": MANY, "all follow from one": MANY, "each follows from another": 2 * MANY}


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    """Return the name of one way to be 100,000 findings."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def about(shape: str) -> dict[str, Any]:
    """Return the document of a drop with these findings."""
    return document("rejected", **about_drop(oneroster="1.1", modes={}, tables={}, batches=SHAPES[shape]))


def test_the_list_is_capped_and_its_counts_are_true(shape: str, about: dict[str, Any]) -> None:
    """At most a hundred of a code and file are listed; the last stands for the rest, so that nothing is lost."""
    listed = about["listed_findings"]
    files = {(one["code"], one["file"]) for one in listed}
    for code, file in files - {("missing-file", "users.csv")}:
        kind = [one for one in listed if (one["code"], one["file"]) == (code, file)]
        assert (len(kind), sum(one["count"] for one in kind)) == (CAP, MANY)
        assert [one["count"] for one in kind if one["message"].endswith(FURTHER)] == [MANY - CAP + 1]
    assert about["findings"]["error"] == ERRORS[shape]


def test_the_reports_stay_short(about: dict[str, Any]) -> None:
    """Page, receipt and JSON tell 100,000 findings in a few pages, with the true number."""
    page, receipt = reports.render_html(about), report.render_receipt(about)
    assert len(page) < 20_000
    assert len(receipt.splitlines()) < 60
    assert len(json.dumps(about)) < 100_000
    assert "100,000" in page
    assert "100,000" in receipt


def test_the_rest_stays_with_its_cause(shape: str, about: dict[str, Any]) -> None:
    """What follows is folded under its cause to the last one, also what is beyond the cap."""
    groups = report.group_findings(about["listed_findings"])
    assert len(groups) == 1
    assert groups[0].cascaded == (MANY if "follow" in shape else 0)


def test_the_csv_is_complete(shape: str, tmp_path: Path) -> None:
    """Every line of every finding is a row, each with its message, its remedy and its cause."""
    reports.write_findings(tmp_path / "findings.csv", SHAPES[shape])
    with (tmp_path / "findings.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["code"] != "missing-file"]
    assert len(rows) == ERRORS[shape]
    assert {int(row["line"]) for row in rows} == set(LINES)
    assert sum(int(row["count"]) for row in rows) == ERRORS[shape]
    assert all(row["message"] and row["remedy"] for row in rows)
    assert sum(bool(row["caused_by"]) for row in rows) == (MANY if "follow" in shape else 0)


def test_texts_are_quoted_in_the_csv(tmp_path: Path) -> None:
    """Every text stands in quotes, its own doubled, so that no separator in it begins a new cell."""
    path = tmp_path / "findings.csv"
    reports.write_findings(path, [batch("unknown-column", file="users.csv", column='a","=1', lines=(1,))])
    header, line = path.read_text(encoding="utf-8").splitlines()
    assert header == '"severity","code","file","line","column","count","message","remedy","caused_by"'
    assert line.startswith('"warning","unknown-column","users.csv",1,"a"",""\'=1",1,"the column is not')
