"""A run in words: findings in groups, under their causes, each with its remedy."""

import re
from typing import Any

import pytest
from report_documents import document, duplicate, first_load, refer, rejected, said

from ingestd.core import report
from ingestd.core.catalogue import CATALOGUE
from ingestd.core.findings import batch
from ingestd.core.model import Batch, Cause, Severity


def test_cascade_is_folded_under_its_cause() -> None:
    """What follows from a finding is counted under it and is no group of its own."""
    groups = report.group_findings(rejected()["listed_findings"])
    assert "reference-to-held-back" not in [group.code for group in groups]
    assert next(group.cascaded for group in groups if group.code == "required-value") == 412 + 29


def test_cascade_is_told_with_the_places_of_its_cause() -> None:
    """A receipt says how many records a cause affects, which ids most of them miss, and the lines of the cause."""
    lines = [line.strip() for line in report.render_receipt(rejected()).splitlines()]
    at = lines.index("441 more records are affected by it:")
    assert lines[at + 1 : at + 5] == [
        "reference-to-held-back: enrollments.csv refers to records of",
        "classes.csv that were held back.",
        "ids: C-17 (412), C-19 (29)",
        "because of classes.csv, lines 214, 216",
    ]


def test_cascades_of_several_kinds_are_counted_each() -> None:
    """Where more than one kind of thing follows, each has its count, and the rest beyond four is added up."""
    cause = Cause("required-value", "users.csv", 2)
    follow = [
        batch("reference-to-held-back", file=f"{n}.csv", lines=(9,), stands_for=n, caused_by=cause, count=n, id="U-1",
              target="users.csv")
        for n in range(1, 8)
    ]  # fmt: skip
    findings = said(batch("required-value", file="users.csv", column="role", lines=(2,)), *follow)["listed_findings"]
    (group,) = report.group_findings(findings)
    lines = [line.strip() for line in report.group_lines(group, 72)]
    assert "28 more records are affected by it:" in lines
    assert [line for line in lines if line.startswith("because")] == [
        f"because of users.csv, line 2: {n}" for n in (7, 6, 5, 4)
    ]
    assert "and 6 more" in lines


def test_receipt_says_where_more_can_be_read() -> None:
    """A receipt with anything to mend ends with the command that explains a code; one without does not."""
    hint = "More about a code: ingestd explain-code CODE\n"
    assert report.render_receipt(rejected()).endswith(f"\n\n{hint}")
    repaired = document("applied", **said(batch("byte-order-mark", file="users.csv")))
    assert not any(hint in report.render_receipt(one) for one in (repaired, first_load(), duplicate()))


def test_reference_to_a_missing_file_follows_from_it() -> None:
    """What refers to a file that is missing is folded under the missing file."""
    findings = said(
        batch("missing-file", file="courses.csv", name="courses.csv", reason="classes.csv refers to it"),
        refer("dangling-reference", "courseSourcedId", 2, 7, "crs-1", "courses.csv"),
        refer("dangling-reference", "userSourcedId", 3, 1, "u-1", "users.csv"),
    )["listed_findings"]
    assert [(g.code, g.cascaded) for g in report.group_findings(findings)] == [
        ("missing-file", 7),
        ("dangling-reference", 0),
    ]


def test_ids_missing_from_one_file_are_one_note() -> None:
    """Hundreds of missing ids are one note with the true count, that names those missed most."""
    batches = [refer("dangling-reference", "userSourcedId", n + 2, 400 - n, f"u-{n}", "users.csv") for n in range(300)]
    (group,) = report.group_findings(said(*batches)["listed_findings"])
    (note,) = group.notes
    assert note.message == "enrollments.csv refers to records that users.csv does not have"
    assert note.count == sum(400 - n for n in range(300))
    assert note.ids.replace("\u00a0", " ").startswith("most often: u-0 (400), u-1 (399), ")


@pytest.mark.parametrize("code", ["dangling-reference", "dangling-optional-reference", "reference-to-held-back"])
def test_messages_about_ids_can_be_read_back(code: str) -> None:
    """The words that the catalogue's message was filled with are found in it again."""
    words: dict[str, Any] = {"count": "1,002", "file": "enrollments.csv", "id": "a.b_c@d/e-1", "target": "classes.csv"}
    assert report.read_message(code, batch(code, **words).message) == words


def test_remedy_is_filled_with_the_words_of_its_message() -> None:
    """A remedy names what its message names, and a placeholder where messages differ."""
    messages = [
        batch("file-name-case", name=f"{n.upper()}.csv", expected=f"{n}.csv").message for n in ("orgs", "users")
    ]
    assert report.find_remedy("file-name-case", messages[:1]) == "Name the file orgs.csv."
    assert report.find_remedy("file-name-case", messages) == "Name the file <expected>."


def test_symptom_comes_after_what_else_rejects() -> None:
    """That no record of a file is valid is told after the other things that reject a drop."""
    findings = said(
        batch("nothing-valid", file="classes.csv", count="3"),
        batch("nothing-valid", file="enrollments.csv", count="3"),
        batch("missing-column", file="users.csv", column="role", hint=""),
    )["listed_findings"]
    assert [group.code for group in report.group_findings(findings)] == ["missing-column", "nothing-valid"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dateLastModified is filled", "dateLastModified is filled."),
        ("orgs.csv has no records", "orgs.csv has no records."),
        ("the value is blank", "The value is blank."),
        ("org 1000: 3 of 4", "Org 1000: 3 of 4."),
    ],
)
def test_sentences_leave_names_as_they_are(text: str, told: str) -> None:
    """A message becomes a sentence; a file's or column's name in front keeps its spelling."""
    assert report.sentence(text) == told


def test_chain_of_causes_ends_at_the_root() -> None:
    """A finding caused by one that is itself caused lies under the first of the chain."""
    findings = said(
        batch("required-value", file="orgs.csv", column="name", lines=(3,)),
        Batch(
            "reference-to-held-back",
            Severity.ERROR,
            "2 of classes.csv refer to S-1, which was held back",
            "classes.csv",
            "schoolSourcedId",
            (5,),
            2,
            Cause("required-value", "orgs.csv", 3),
        ),
        Batch(
            "reference-to-held-back",
            Severity.ERROR,
            "40 of enrollments.csv refer to C-1, which was held back",
            "enrollments.csv",
            "classSourcedId",
            (9,),
            40,
            Cause("reference-to-held-back", "classes.csv", 5),
        ),
    )["listed_findings"]
    (group,) = report.group_findings(findings)
    assert (group.code, group.cascaded) == ("required-value", 42)


def test_causes_in_a_circle_end() -> None:
    """Findings that name each other as their cause are still shown, once each."""
    finding = {"severity": "error", "message": "m", "column": None, "count": 1}
    a = {"code": "a", "file": "f", "line": 1, "caused_by": {"code": "b", "file": "f", "line": 2}}
    b = {"code": "b", "file": "f", "line": 2, "caused_by": {"code": "a", "file": "f", "line": 1}}
    groups = report.group_findings([finding | a, finding | b])
    assert sorted(group.code for group in groups) == ["a", "b"]


def test_gravest_comes_first_then_what_most_follows_from() -> None:
    """Groups are ordered by gravity; within one, root causes lead, then the most frequent."""
    codes = [group.code for group in report.group_findings(rejected()["listed_findings"])]
    assert codes[2:] == ["required-value", "invalid-date", "dangling-reference", "unknown-column", "header-case"]


def test_capped_findings_keep_the_true_count() -> None:
    """A group whose lines are capped says how many lines are not shown."""
    findings = said(batch("blank-line", file="users.csv", lines=range(2, 1002)))["listed_findings"]
    (group,) = report.group_findings(findings)
    assert group.count == 1000
    assert group.notes[0].places[0].lines == "lines 2-101 and 900 more"


@pytest.mark.parametrize(
    ("lines", "count", "text"),
    [
        ((), 3, ""),
        ((7,), 1, "line 7"),
        ((4, 2, 3, 9), 4, "lines 2-4, 9"),
        ((2, 3), 10, "lines 2-3 and 8 more"),
        (range(2, 202, 2), 100, "lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32 and 84 more"),
    ],
)
def test_lines_are_told_as_runs(lines: Any, count: int, text: str) -> None:
    """Line numbers are told as runs, as many as fit, with the rest counted."""
    assert report.line_list(lines, count) == text


def test_every_code_has_a_remedy_without_braces() -> None:
    """A remedy that wants a word which only the message knows shows it as a placeholder."""
    remedies = {code: report.find_remedy(code) for code in CATALOGUE}
    assert not [code for code, remedy in remedies.items() if not remedy or re.search(r"\{\w+\}|\{\{", remedy)]
