"""What follows from what: every finding is led to its root cause, over all files of a drop."""

from collections.abc import Sequence
from typing import Any

import pytest

from ingestd.core.catalogue import CATALOGUE, WORDS
from ingestd.core.causes import ABOUT_IDS, trace
from ingestd.core.findings import FURTHER, batch, list_findings
from ingestd.core.model import Batch, Cause, Finding
from ingestd.core.report import findings_rows, group_findings

TITLE = batch("required-value", file="classes.csv", column="title", lines=(17, 18))
NO_COURSES = batch("missing-file", file="courses.csv", name="courses.csv", reason="this feed requires it")


def refer(
    code: str, file: str, target: str, cause: Cause | None = None, lines: tuple[int, ...] = (5,), count: int = 412
) -> Batch:
    """Return the finding that records of a file refer to a record of another."""
    words: dict[str, Any] = {"count": f"{count:,}", "id": "X-1", "target": target}
    return batch(code, file=file, column="c", lines=lines, stands_for=count, caused_by=cause, **words)


def rest_of(batches: Sequence[Batch]) -> Finding:
    """Return the finding that stands for the rest, when two are listed."""
    return next(one for one in list_findings(batches, cap=2) if one.message.endswith(FURTHER))


def causes(*batches: Batch) -> list[Cause | None]:
    """Return the root causes of these findings."""
    return [one.caused_by for one in trace(batches)]


def test_what_a_class_held_back_keeps_waiting_names_the_class() -> None:
    """412 enrollments of a class that was held back follow from the error of that class, with its line."""
    held = refer("reference-to-held-back", "enrollments.csv", "classes.csv", Cause("required-value", "classes.csv", 17))
    assert causes(TITLE, held) == [None, Cause("required-value", "classes.csv", 17)]
    (group,) = group_findings([one.as_dict() for one in list_findings([TITLE, held])])
    assert (group.code, group.count, group.cascaded) == ("required-value", 2, 412)
    assert [str(place) for note in group.cascades for place in note.because] == ["classes.csv, line 17"]


def test_a_chain_is_led_to_its_beginning() -> None:
    """An org holds back a class, and the class its enrollments: both follow from the org's error."""
    org = Cause("required-value", "orgs.csv", 3)
    classes = refer("reference-to-held-back", "classes.csv", "orgs.csv", org, lines=(17, 18, 19), count=3)
    between = Cause("reference-to-held-back", "classes.csv", 19)
    enrollments = refer("reference-to-held-back", "enrollments.csv", "classes.csv", between)
    assert causes(enrollments, classes) == [org, org]


def test_a_chain_is_followed_by_its_lines() -> None:
    """Two classes held back for two reasons pass on each its own."""
    first, second = Cause("required-value", "orgs.csv", 3), Cause("dangling-reference", "classes.csv", 8)
    classes = [
        refer("reference-to-held-back", "classes.csv", "orgs.csv", first, lines=(7,)),
        refer("reference-to-held-back", "classes.csv", "courses.csv", second, lines=(8,)),
    ]
    enrollments = [
        refer("reference-to-held-back", "enrollments.csv", "classes.csv", Cause(classes[0].code, "classes.csv", line))
        for line in (7, 8)
    ]
    assert causes(*classes, *enrollments) == [first, second, first, second]


def test_a_cause_without_a_line_of_its_own_is_found_by_its_file() -> None:
    """Where a cause has no line, or one that is not told, any finding of its code and file leads on."""
    org = Cause("required-value", "orgs.csv", 3)
    classes = refer("reference-to-held-back", "classes.csv", "orgs.csv", org, lines=(7,))
    for line in (None, 99):
        passed_on = refer("reference-to-held-back", "enrollments.csv", "x", Cause(classes.code, "classes.csv", line))
        assert causes(classes, passed_on) == [org, org]


def test_causes_in_a_circle_end() -> None:
    """Findings that name each other are led no further than round once."""
    a = Batch("a", TITLE.severity, "m", "f", lines=(1,), caused_by=Cause("b", "f", 2))
    b = Batch("b", TITLE.severity, "m", "f", lines=(2,), caused_by=Cause("a", "f", 1))
    assert {cause.code for cause in causes(a, b) if cause} <= {"a", "b"}


@pytest.mark.parametrize("code", sorted(ABOUT_IDS - {"reference-to-held-back"}))
@pytest.mark.parametrize(
    "unread",
    [
        NO_COURSES,
        batch("undeclared-file", file="courses.csv", name="courses.csv"),
        batch("empty-file", file="courses.csv", name="courses.csv"),
        batch("empty-optional-file", file="courses.csv", name="courses.csv"),
    ],
    ids=lambda one: one.code,
)
def test_what_refers_to_a_file_without_records_follows_from_that(unread: Batch, code: str) -> None:
    """A file is missing, not read or empty, and whatever refers to it follows; what refers elsewhere does not."""
    here, elsewhere = (refer(code, "classes.csv", target) for target in ("courses.csv", "orgs.csv"))
    assert causes(here, unread, elsewhere) == [Cause(unread.code, "courses.csv"), None, None]


def test_faults_of_a_header_of_another_version_follow_from_that() -> None:
    """Columns that are missing or unknown because the file is of another version are no news; other files' are."""
    other = batch("other-version", file="users.csv", lines=(1,), other="1.2", version="1.1")
    missing = [batch("missing-column", file=file, column="role", lines=(1,), hint="") for file in ("users.csv", "a")]
    unknown = batch("unknown-column", file="users.csv", column="pronouns", lines=(1,))
    cause = Cause("other-version", "users.csv", 1)
    assert causes(*missing, unknown, other) == [cause, None, cause, None]


def test_a_file_without_a_valid_record_follows_from_its_commonest_error() -> None:
    """That nothing is valid is a symptom; of a file without an error that is told it is all that is known."""
    rare = batch("invalid-guid", file="users.csv", column="sourcedId", lines=(9,))
    common = batch("invalid-date", file="users.csv", column="dateLastModified", lines=range(2, 9))
    warned = batch("dropped-value", file="users.csv", column="email", lines=range(2, 99), why="x")
    symptoms = [batch("nothing-valid", file=file, count="8") for file in ("users.csv", "orgs.csv")]
    assert causes(rare, warned, common, *symptoms)[3:] == [Cause("invalid-date", "users.csv", 2), None]


def test_the_symptom_rejects_under_the_name_of_its_cause() -> None:
    """The fault that leaves nothing valid is what rejects the drop, and is told once, as such."""
    wrong = batch("required-value", file="users.csv", column="role", lines=(2, 3))
    listed = [one.as_dict() for one in list_findings([wrong, batch("nothing-valid", file="users.csv", count="2")])]
    (group,) = group_findings(listed)
    assert (group.code, group.word, group.follows) == (
        "required-value",
        "Rejects the drop",
        "1 more finding follows from it",
    )
    assert [note.message for note in group.fatal] == ["the file has no valid record; held back: 2"]


def test_what_is_grave_by_itself_comes_before_what_its_symptom_makes_grave() -> None:
    """A file that is missing is told before an error that leaves another file without a valid record."""
    wrong = batch("required-value", file="users.csv", column="role", lines=(2, 3))
    listed = list_findings([wrong, batch("nothing-valid", file="users.csv", count="2"), NO_COURSES])
    groups = group_findings([one.as_dict() for one in listed])
    assert [group.code for group in groups] == ["missing-file", "required-value"]


def test_the_commonest_error_is_that_of_most_records() -> None:
    """Errors of one code count together, also when each is a finding of its own."""
    each = [batch("invalid-guid", file="users.csv", column="sourcedId", lines=(line,)) for line in range(2, 9)]
    one = batch("invalid-date", file="users.csv", column="dateLastModified", lines=(9, 10, 11))
    assert causes(one, *each, batch("nothing-valid", file="users.csv", count="10"))[-1] == Cause(
        "invalid-guid", "users.csv", 2
    )


@pytest.mark.parametrize(
    "fault",
    [
        batch("field-count", file="users.csv", lines=(4,)),
        batch("invalid-guid", file="users.csv", column="sourcedId", lines=(4,)),
    ],
    ids=lambda one: one.code,
)
def test_a_line_of_an_unknown_record_follows_from_what_is_wrong_with_it(fault: Batch) -> None:
    """That nobody is removed follows from the fault that hides an id, and from no other error of the file."""
    other = batch("invalid-enum", file="users.csv", column="role", lines=range(9, 30), allowed="x")
    unknown = batch("unidentified-record", file="users.csv")
    assert causes(other, fault, unknown) == [None, None, Cause(fault.code, "users.csv", 4)]


def test_all_else_is_a_root() -> None:
    """No finding follows from another but for these reasons, and none is lost or changed on the way."""
    every = [batch(code, file="users.csv", **_words(code)) for code in CATALOGUE if code not in _FOLLOWERS]
    assert trace(every) == tuple(every)


_FOLLOWERS = {"other-version", "nothing-valid", "unidentified-record"}


def _words(code: str) -> dict[str, Any]:
    return {word: code for word in WORDS if word not in {"file", "column"}}


def test_rows_name_the_root_cause() -> None:
    """findings.csv names the same causes as the report."""
    rows = findings_rows([NO_COURSES, refer("dangling-reference", "classes.csv", "courses.csv")])
    assert rows["caused_by"].to_pylist() == [None, "missing-file:courses.csv"]


@pytest.mark.parametrize(
    ("lines", "shared"),
    [
        ((7, 7, 7), Cause("required-value", "classes.csv", 7)),
        ((7, 8, 9), Cause("required-value", "classes.csv")),
        ((7, None, 9), Cause("required-value", "classes.csv")),
    ],
)
def test_the_last_of_a_capped_list_has_what_all_have_in_common(
    lines: tuple[int | None, ...], shared: Cause | None
) -> None:
    """The finding that stands for the rest names a cause as far as it is that of all, without a line that is not."""
    every = [
        refer("reference-to-held-back", "enrollments.csv", "classes.csv", Cause("required-value", "classes.csv", line))
        for line in lines
    ]
    assert rest_of(every).caused_by == shared


def test_the_last_of_a_capped_list_of_many_causes_has_none() -> None:
    """Where some follow from one thing and some from another or from nothing, the rest is told on its own."""
    cause = Cause("required-value", "classes.csv", 7)
    every = [refer("dangling-reference", "enrollments.csv", "users.csv", one) for one in (cause, cause, None)]
    assert rest_of(every).caused_by is None
    mixed = [refer("dangling-reference", "e.csv", "u.csv", one) for one in (cause, cause, Cause("x", "classes.csv", 7))]
    assert rest_of(mixed).caused_by is None
