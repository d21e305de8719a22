"""Reports on disk: complete, whole or not there, for their readers alone; and the page, as HTML."""

import csv
import json
import re
import time
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from report_documents import ALL, DIGEST, applied, document, duplicate, failed, held, rejected, said

from ingestd import reports
from ingestd.core.catalogue import BREACHES, CATALOGUE
from ingestd.core.findings import batch
from ingestd.core.model import Batch, Severity

VOID = {"meta", "br", "hr", "img", "link", "input", "circle", "path"}


class Outline(HTMLParser):
    """A page's text, headings and tags; complains about tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold the tag against the one that is open."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what is to be read."""
        if "style" not in self.open:
            self.words.append(data)
        if "h2" in self.open:
            self.headings.append(data)

    @property
    def text(self) -> str:
        """Return the page as one line of text."""
        return " ".join(" ".join(self.words).split())


def outline(about: dict[str, Any]) -> Outline:
    """Return a document's page, read."""
    return Outline(reports.render_html(about))


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("name", sorted(ALL))
def test_page_is_whole_and_loads_nothing(name: str) -> None:
    """A page has one main heading, a caption for each table, no script, and nothing that comes from elsewhere."""
    page = reports.render_html(ALL[name]())
    tags = [tag for tag, _ in Outline(page).tags]
    assert tags.count("h1") == 1
    assert tags.count("caption") == tags.count("table")
    assert not {"script", "link", "img", "iframe", "form"} & set(tags)
    assert not re.search(r"https?://|url\(|@import|\bsrc=|\bhref=", page)


def test_held_page_leads_with_verdict_and_commands() -> None:
    """The first words are the verdict, its reason and what to do, with the digest in full."""
    text = outline(held()).text
    assert "Held: nothing has been changed. 1,776 of 4,441 users would be removed (39.99%; the limit is 10%)." in text
    assert f"ingestd release springfield.17 --plan {DIGEST}" in text


def test_page_has_only_sections_with_something_to_say() -> None:
    """A duplicate has its verdict and the small print, an ordinary night all the sections in their order."""
    assert outline(duplicate()).headings == ["Small print"]
    assert outline(applied()).headings == [
        "What to do next",
        "What came",
        "What is wrong, and where",
        "What changed",
        "What was done in the application",
        "What was left out",
        "What was repaired or passed over",
        "Small print",
    ]


def test_rejected_page_tells_first_what_is_wrong() -> None:
    """What rejects a drop stands before what came in it."""
    headings = outline(rejected()).headings
    assert headings.index("What is wrong, and where") < headings.index("What came")


def test_page_says_that_a_table_was_not_read() -> None:
    """A table that scope leaves out has no count, and is said not to have been read."""
    assert "Demographics scope.demographics is false not read" in outline(applied()).text


def test_page_of_a_bare_document() -> None:
    """A run of which nothing more is known than its state has a page."""
    assert "Rejected: nothing has been changed." in outline({"run": "a.1", "feed": "a", "state": "rejected"}).text


def test_page_does_not_promise_what_was_not_done() -> None:
    """A held run's headings say would, a failed one's table says how many of how many."""
    assert "What would be done in the application" in outline(held()).headings
    assert "680 of 1,300" in outline(failed()).text
    assert "620 actions: HTTP 503." in outline(failed()).text


def test_page_does_not_show_a_method_for_a_missing_count() -> None:
    """An outcome for a target that has no planned action is a number like any other."""
    outcomes = [{"target": "patrons", "kind": "update", "done": 5, "failed": 0}]
    assert "built-in" not in reports.render_html(failed() | {"actions": {}, "outcomes": outcomes})


def test_page_folds_cascades() -> None:
    """What follows from a cause is in a fold under it, with the places of the cause."""
    page = outline(rejected())
    fold = page.text.partition("441 more records are affected by it")[2]
    assert fold.startswith(
        " enrollments.csv refers to records of classes.csv that were held back. reference-to-held-back ids: C-17"
    )
    assert "because of classes.csv , lines 214, 216" in fold


def test_page_tells_why_in_a_fold() -> None:
    """Each kind of finding has its title, what to do, and, folded, why it happens and by which rule."""
    page = outline(rejected())
    entry = CATALOGUE["invalid-date"]
    assert f"{entry.title} The value is not a date" in page.text
    assert f"To do: {entry.remedy} Why this happens {entry.cause} Rule: {entry.source}" in page.text
    kinds = [tag for tag, found in page.tags if tag == "article"]
    why = [found for tag, found in page.tags if tag == "details" and found.get("class") == "why"]
    assert len(why) == len(kinds)
    assert not any("open" in found for found in why)


def test_page_of_a_code_that_is_no_longer_known() -> None:
    """A finding of another version's code is told by its message, under its code as a title, without a why."""
    page = outline(document("applied", **said(Batch("of-old", Severity.ERROR, "it was so", "users.csv"))))
    assert "Of old It was so. users.csv" in page.text
    assert "Why this happens" not in page.text


def test_page_tells_why_a_limit_is_overstepped() -> None:
    """A held run's page has, folded, what each of its breaches comes from and what to look for, each once."""
    text = outline(held()).text
    for code in ("too-many-deletes", "too-many-deletes-in-org"):
        assert text.count(f"{BREACHES[code].title}. {BREACHES[code].cause} {BREACHES[code].remedy}") == 1


def test_page_folds_many_breaches() -> None:
    """Of many orgs over a limit three are in sight, the others are in a fold."""
    about = held()
    about["breaches"] = [about["breaches"][1] | {"org": f"school-{n}"} for n in range(40)]
    page = outline(about)
    assert "37 more orgs go over that limit" in page.text
    assert [found.get("class") for tag, found in page.tags if tag == "details"] == [None, "why"]


def test_page_escapes_what_others_wrote() -> None:
    """Names, messages and reasons of others are text, never markup."""
    evil = "<script>alert(1)</script>"
    about = applied() | {"drop": evil, "feed_name": evil, "left_out": [{"table": evil, "reason": evil, "count": 1}]}
    about |= said(Batch(evil, Severity.ERROR, evil, evil, evil), batch("missing-file", name=evil, reason=evil))
    page = reports.render_html(about)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_page_has_contrast(scheme: int) -> None:
    """Every colour of text stands out 4.5 to 1 from every ground that it is set on (WCAG 2.2, AA)."""
    block = re.findall(r":root \{(.*?)\}", reports.render_html(duplicate()), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    tones = ("good", "wait", "bad", "quiet")
    grounds = ["paper", *(f"{tone}-wash" for tone in tones)]
    pairs = [*product(("ink", "soft"), grounds), *((t, g) for t in tones for g in ("paper", f"{t}-wash"))]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_write_makes_three_files_for_the_owner_alone(tmp_path: Path) -> None:
    """A run's report is JSON, HTML and CSV, readable by nobody else, with nothing left lying about."""
    reports.write(tmp_path, applied(), [batch("blank-line", file="users.csv", lines=(3, 4))])
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
        "report.json": 0o600,
        "report.html": 0o600,
        "findings.csv": 0o600,
    }
    assert json.loads((tmp_path / "report.json").read_text()) == applied()
    with (tmp_path / "findings.csv").open(newline="") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["3", "4"]


def test_write_without_batches_leaves_the_csv(tmp_path: Path) -> None:
    """A report that is written again without its batches keeps the complete CSV of the first time."""
    (tmp_path / "findings.csv").write_text("complete\n")
    reports.write(tmp_path, applied())
    assert (tmp_path / "findings.csv").read_text() == "complete\n"


def test_write_that_fails_keeps_the_old_report(tmp_path: Path) -> None:
    """A report that cannot be rendered leaves the old one as it was, and no half of a new one."""
    reports.write(tmp_path, applied())
    before = (tmp_path / "report.html").read_text()
    with pytest.raises(KeyError):
        reports.write(tmp_path, applied() | {"state": "unheard-of"})
    assert (tmp_path / "report.html").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_write_that_cannot_take_the_place_cleans_up(tmp_path: Path) -> None:
    """When the file's place is taken by a folder, that is said, and no temporary file stays."""
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        reports.write(tmp_path, applied())
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_many_findings_are_written_quickly(tmp_path: Path) -> None:
    """100,000 lines take well under two seconds."""
    many = [batch("required-value", file=f"{n}.csv", column="name", lines=range(2, 10_002)) for n in range(10)]
    start = time.perf_counter()
    reports.write_findings(tmp_path / "findings.csv", many)
    assert time.perf_counter() - start < 2
    with (tmp_path / "findings.csv").open() as file:
        assert sum(1 for _ in file) == 100_001


def test_receipt_lies_beside_others_results(tmp_path: Path) -> None:
    """The receipt bears the zip's name and may be read by the vendor's group."""
    path = reports.write_receipt(tmp_path, rejected() | {"drop": "roster.zip"})
    assert path == tmp_path / "roster.zip.report.txt"
    assert mode(path) == 0o640
    assert path.read_text().startswith("REJECTED  roster.zip\n")


def test_receipt_for_programs_says_the_same(tmp_path: Path) -> None:
    """It has the verdict, the counts, the first findings each with what to do, and how many more there are."""
    about = rejected() | {"drop": "roster.zip"}
    path = reports.write_receipt(tmp_path, about).with_suffix(".json")
    told = json.loads(path.read_text())
    assert mode(path) == 0o640
    assert (told["version"], told["verdict"], told["drop"]) == (1, "rejected", "roster.zip")
    assert told["findings"] == about["findings"]
    assert [one["code"] for one in told["listed"]] == [one["code"] for one in about["listed_findings"]][:50]
    assert all(
        one["remedy"] and {"file", "line", "column", "message", "severity"} <= one.keys() for one in told["listed"]
    )
    assert told["more"] == max(0, len(about["listed_findings"]) - 50)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_state_has_a_receipt_for_programs(tmp_path: Path, name: str) -> None:
    """Whatever became of the drop; its first word is that of the text."""
    path = reports.write_receipt(tmp_path, ALL[name]() | {"drop": "a.zip"})
    assert json.loads(path.with_suffix(".json").read_text())["verdict"] == path.read_text().split("  ")[0].lower()


@pytest.mark.parametrize("drop", ["../../etc/cron.d/x.zip", "é" * 126 + ".zip", "..", "\udcff.zip"])
def test_receipt_stays_in_its_folder(tmp_path: Path, drop: str) -> None:
    """Whatever the drop is called, its receipt is a file in the results folder."""
    results = tmp_path / "results"
    results.mkdir()
    path = reports.write_receipt(results, duplicate() | {"drop": drop})
    assert {path, path.with_suffix(".json")} == set(results.iterdir())
    assert [results] == list(tmp_path.iterdir())
