"""The check of the set of files: version, modes, what is missing and what was left out."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from ingestd.core.check import Checked, Demands, check
from ingestd.core.model import Batch, Manifest, Mode, Severity
from schemas import NAMES, load


@dataclass(frozen=True)
class Refers:
    """A column that refers to a table."""

    references: str | None
    required: bool = True


@dataclass(frozen=True)
class Stand:
    """A table of a binding of three."""

    columns: list[Refers] = field(default_factory=list)
    needs: tuple[str, ...] = ()


TABLES = {
    "orgs": Stand([Refers("orgs", required=False)]),
    "users": Stand([Refers("orgs"), Refers("users", required=False), Refers(None)]),
    "enrollments": Stand([Refers("users"), Refers("orgs")]),
    "results": Stand([], needs=("categories",)),
    "categories": Stand(),
}


def run(
    modes: str | None,
    files: str,
    *,
    version: str = "1.1",
    required: Collection[str] = (),
    allow_missing: Collection[str] = (),
    accepted_before: Collection[str] = (),
    is_alone: bool = False,
) -> Checked:
    """Check a set: `modes` as `users=bulk`, the rest absent; `files` without `.csv`, manifest.csv added if declared."""
    declared = dict.fromkeys(TABLES, Mode.ABSENT)
    for one in (modes or "").split():
        table, _, mode = one.partition("=")
        declared[table] = Mode(mode)
    names = [f"{name}.csv" for name in files.split()]
    return check(
        version=version,
        manifest=None if modes is None else Manifest(version, declared),
        files=names if modes is None else [*names, "manifest.csv"],
        tables=TABLES,
        demands=Demands(required, allow_missing, accepted_before, is_alone),
    )


def told(checked: Checked) -> list[tuple[str, str | None]]:
    """Return code and file of each finding."""
    return [(one.code, one.file) for one in checked.batches]


def only(checked: Checked) -> Batch:
    """Return the one finding."""
    (batch,) = checked.batches
    return batch


def test_whole_bulk_set_passes() -> None:
    """What is declared and there is read as declared."""
    checked = run("orgs=bulk users=bulk enrollments=bulk", "orgs users enrollments", required=["orgs", "users"])
    modes = {**dict.fromkeys(TABLES, Mode.ABSENT), **dict.fromkeys(["orgs", "users", "enrollments"], Mode.BULK)}
    assert checked == Checked("1.1", modes, (), ())


def test_files_count_where_the_manifest_cannot_be_read() -> None:
    """What has no word of a manifest is bulk if it is there, and the rest of the set is checked."""
    checked = run(None, "users", required=["orgs"])
    assert told(checked) == [("missing-file", "orgs.csv")]
    assert checked.modes["users"] is Mode.BULK


def test_set_of_1_0_is_seven_files() -> None:
    """1.0 knows no absent files; only demographics is missed with a warning."""
    files = "academicSessions classes courses enrollments orgs users"
    checked = check(
        version="1.0",
        manifest=None,
        files=[f"{name}.csv" for name in files.split()],
        tables=load("1.0"),
        demands=Demands(),
    )
    assert told(checked) == [("missing-file", "demographics.csv")]
    assert only(checked).severity is Severity.WARNING
    checked = check(version="1.0", manifest=None, files=["users.csv"], tables=load("1.0"), demands=Demands())
    assert {file for _, file in told(checked)} == {f"{name}.csv" for name in NAMES["1.0"] if name != "users"}


def test_manifest_alone_says_that_nothing_changed() -> None:
    """A zip with nothing but a manifest that calls every table absent is a day without changes (binding, section 2)."""
    checked = run("", "", required=["orgs"], accepted_before=["orgs", "users"])
    assert told(checked) == [("nothing-sent", "manifest.csv")]
    assert only(checked).severity is Severity.INFO
    assert not checked.breaches


def test_manifest_alone_that_declares_files_is_incomplete() -> None:
    """Where a file is declared and not there, something is missing."""
    assert ("missing-file", "orgs.csv") in told(run("orgs=bulk", ""))


# Missing files ------------------------------------------------------------------------------------------------------


def test_declared_file_that_is_not_there_is_missing() -> None:
    """A file that the manifest declares must be in the zip."""
    checked = run("orgs=bulk users=bulk", "orgs")
    assert only(checked).message == "users.csv is missing: the manifest declares it bulk, but it is not in the zip"
    assert only(checked).severity is Severity.CATASTROPHIC
    assert checked.modes["users"] is Mode.ABSENT


@pytest.mark.parametrize("modes", ["orgs=bulk", "orgs=bulk users=absent"])
def test_required_table_must_come(modes: str) -> None:
    """A table that the feed requires is missing if it is declared absent."""
    assert only(run(modes, "orgs", required=["users"])).message == "users.csv is missing: this feed requires it"


def test_required_table_declared_absent_is_missing_though_its_file_came() -> None:
    """A file that is declared absent is not read, so that the feed misses it."""
    checked = run("orgs=bulk", "orgs users", required=["users"])
    assert told(checked) == [("missing-file", "users.csv"), ("undeclared-file", "users.csv")]


def test_bulk_set_must_be_complete_in_itself() -> None:
    """A table to which a bulk file must refer has to come; an optional reference does not ask for it."""
    checked = run("users=bulk enrollments=bulk", "users enrollments")
    assert only(checked).message == "orgs.csv is missing: users.csv, enrollments.csv are bulk and refer to it"


def test_all_reasons_are_told_in_one_finding() -> None:
    """A table that is missed for several reasons is one finding."""
    checked = run("users=bulk orgs=bulk", "users", required=["orgs"])
    assert only(checked).message == (
        "orgs.csv is missing: the manifest declares it bulk, but it is not in the zip; this feed requires it; "
        "users.csv is bulk and refers to it"
    )


def test_delta_needs_no_other_file() -> None:
    """What a delta refers to may have been accepted before."""
    assert not run("users=delta", "users", accepted_before=["users"]).batches


def test_table_beside_a_delta_counts_as_there() -> None:
    """A bulk file may refer to a table that comes as a delta."""
    assert not run("users=bulk orgs=delta", "users orgs", accepted_before=["orgs"]).batches


def test_feed_may_do_without_a_table() -> None:
    """A table that may be missing is not asked for by those that refer to it."""
    checked = run("users=bulk", "users", allow_missing=["orgs"])
    assert not checked.batches
    assert checked.modes["orgs"] is Mode.ABSENT


def test_declared_file_that_may_be_missing_is_a_warning() -> None:
    """A file declared and not sent is told even if the feed can do without it."""
    checked = run("users=bulk orgs=bulk", "users", allow_missing=["orgs"])
    assert (only(checked).code, only(checked).severity) == ("missing-file", Severity.WARNING)


def test_required_outweighs_allow_missing() -> None:
    """A table on both lists is required."""
    checked = run("users=bulk", "users", allow_missing=["orgs"], required=["orgs"])
    assert only(checked).severity is Severity.CATASTROPHIC


# Files that are not read --------------------------------------------------------------------------------------------


def test_undeclared_file_is_not_read() -> None:
    """A file that the manifest calls absent is a warning, and stays absent."""
    checked = run("orgs=bulk", "orgs users")
    assert (only(checked).code, only(checked).severity) == ("undeclared-file", Severity.WARNING)
    assert checked.modes["users"] is Mode.ABSENT


def test_missing_file_of_the_gradebook_is_a_warning() -> None:
    """A table that makes no roster rejects none."""
    found = run("orgs=bulk results=bulk", "orgs").batches
    assert [(one.file, one.severity) for one in found] == [("results.csv", Severity.WARNING)]


def test_table_may_need_another_without_referring_to_it() -> None:
    """A bulk file that says nothing without another one misses it."""
    found = run("results=bulk", "results").batches
    assert [(one.file, one.message) for one in found] == [
        ("categories.csv", "categories.csv is missing: results.csv is bulk and needs it")
    ]


def test_file_of_1_2_in_a_set_of_1_1_is_ignored() -> None:
    """roles.csv says nothing in 1.1."""
    assert told(run("orgs=bulk", "orgs roles")) == [("ignored-file", "roles.csv")]


# What came before ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", ["orgs=bulk", "orgs=bulk users=absent"])
def test_file_left_out_is_a_breach(modes: str) -> None:
    """A table that was accepted and does not come now holds the run and deletes nothing."""
    checked = run(modes, "orgs", accepted_before=["orgs", "users"])
    assert [(one.code, one.table) for one in checked.breaches] == [("file-left-out", "users")]
    assert checked.modes["users"] is Mode.ABSENT
    assert not checked.batches


def test_undeclared_file_is_left_out_too() -> None:
    """A file that came but was declared absent is not read, hence left out."""
    checked = run("orgs=bulk", "orgs users", accepted_before=["users"])
    assert [one.table for one in checked.breaches] == ["users"]


def test_set_without_files_that_were_not_declared_absent_leaves_all_out() -> None:
    """A set of nothing but files that are not read deletes nothing and is looked at by a person."""
    checked = run("", "orgs users", accepted_before=["orgs", "users"])
    assert [one.table for one in checked.breaches] == ["orgs", "users"]


def test_set_of_deltas_leaves_nothing_out() -> None:
    """A delta without rows must not be sent, so that its absence says nothing, and none is required."""
    checked = run("users=delta", "users", accepted_before=["orgs", "users"], required=["orgs"])
    assert not checked.breaches
    assert not checked.batches


def test_one_bulk_file_makes_it_a_bulk_set() -> None:
    """Beside a bulk file, a table that does not come is left out."""
    checked = run("users=delta orgs=bulk", "users orgs", accepted_before=["orgs", "users", "enrollments"])
    assert [one.table for one in checked.breaches] == ["enrollments"]


def test_first_set_leaves_nothing_out() -> None:
    """Where nothing was accepted, nothing can be left out."""
    assert not run("orgs=bulk", "orgs").breaches


def test_delta_needs_a_bulk_before_it() -> None:
    """A delta on a feed of which nothing was accepted has nothing to be applied to."""
    found = run("users=delta orgs=delta", "users orgs").batches
    assert [one.message for one in found] == [
        f"{file} is a delta and nothing has been accepted yet" for file in ("orgs.csv", "users.csv")
    ]
    assert {one.severity for one in found} == {Severity.CATASTROPHIC}


def test_table_may_begin_with_a_delta() -> None:
    """A table without records had no place in the bulk set: its first records may come as a delta."""
    assert not run("users=delta orgs=delta", "users orgs", accepted_before=["orgs"]).batches


def test_delta_on_its_own_is_noted() -> None:
    """Where there is no feed there is no past either: what a delta refers to is not looked up."""
    found = run("users=delta", "users", is_alone=True).batches
    assert [(one.code, one.severity) for one in found] == [("delta-alone", Severity.INFO)]


# The binding itself -------------------------------------------------------------------------------------------------

MATRIX = {
    "orgs": set(),
    "academicSessions": set(),
    "users": {"orgs"},
    "courses": {"orgs"},
    "classes": {"academicSessions", "courses", "orgs"},
    "enrollments": {"classes", "orgs", "users"},
    "demographics": {"users"},
    "resources": set(),
    "classResources": {"classes", "resources"},
    "courseResources": {"courses", "resources"},
    "categories": set(),
    "lineItems": {"academicSessions", "categories", "classes"},
    "results": {"lineItems", "users"},
}
"""What each bulk file of 1.1 cannot do without; what those need in their turn is in their own row."""


@pytest.mark.parametrize("table", MATRIX)
def test_bulk_matrix_of_1_1(table: str) -> None:
    """The references of the schemas give the standard's bulk matrix."""
    assert missed("1.1", table) == MATRIX[table]


def test_users_of_1_2_need_their_roles() -> None:
    """What a user is stands in roles.csv, so that users.csv says too little without it (binding 1.2, table A1)."""
    assert missed("1.2", "users") == {"roles"}


def missed(version: str, table: str) -> set[str]:
    """Return what is missed when a set has one bulk file."""
    declared = dict.fromkeys(NAMES[version], Mode.ABSENT) | {table: Mode.BULK}
    checked = check(
        version=version, manifest=Manifest(version, declared), files=["manifest.csv", f"{table}.csv"],
        tables=load(version), demands=Demands(),
    )  # fmt: skip
    return {str(one.file).removesuffix(".csv") for one in checked.batches}
