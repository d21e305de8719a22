"""The check of the set of files: version, modes, what is missing and what was left out."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from ingestd.core.check import Checked, check
from ingestd.core.model import Batch, Manifest, Mode, Severity
from schemas import MANIFEST_TABLES, load


@dataclass(frozen=True)
class Refers:
    """A column that refers to a table."""

    references: str | None
    required: bool = True


@dataclass(frozen=True)
class Stand:
    """A table of a binding of three."""

    columns: list[Refers] = field(default_factory=list)


TABLES = {
    "orgs": Stand([Refers("orgs", required=False)]),
    "users": Stand([Refers("orgs"), Refers("users", required=False), Refers(None)]),
    "enrollments": Stand([Refers("users"), Refers("orgs")]),
}


def run(
    modes: str | None,
    files: str,
    *,
    version: str = "1.1",
    required: Collection[str] = (),
    allow_missing: Collection[str] = (),
    accepted_before: Collection[str] = (),
) -> Checked:
    """Check a set: `modes` as `users=bulk`, the rest absent; `files` without `.csv`, manifest.csv added if declared."""
    declared = dict.fromkeys([*TABLES, "results"], Mode.ABSENT)
    for one in (modes or "").split():
        table, _, mode = one.partition("=")
        declared[table] = Mode(mode)
    names = [f"{name}.csv" for name in files.split()]
    return check(
        manifest=None if modes is None else Manifest(version, declared),
        files=names if modes is None else [*names, "manifest.csv"],
        required=required,
        allow_missing=allow_missing,
        accepted_before=accepted_before,
        tables=TABLES,
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
    assert checked == Checked("1.1", dict.fromkeys(TABLES, Mode.BULK), (), ())


# The version --------------------------------------------------------------------------------------------------------


def test_set_without_manifest_is_refused() -> None:
    """Without a manifest the standard reads 1.0, which is not read."""
    checked = run(None, "orgs users")
    assert told(checked) == [("missing-manifest", "manifest.csv")]
    assert checked.version == "1.0"


def test_the_seven_files_of_1_0_are_told_as_such() -> None:
    """The seven files of 1.0 and no other are named as 1.0 too, as what follows from the missing manifest."""
    checked = run(None, "academicSessions classes courses demographics enrollments orgs users")
    assert [one.code for one in checked.batches] == ["missing-manifest", "unsupported-version"]
    assert checked.batches[1].caused_by is not None


def test_manifest_that_cannot_be_read_is_not_missing() -> None:
    """A manifest with faults of its own is not told as missing; the rest of the set is checked."""
    checked = check(
        manifest=None, files=["manifest.csv", "users.csv"], required=["orgs"], allow_missing=[], accepted_before=[],
        tables=TABLES,
    )  # fmt: skip
    assert told(checked) == [("missing-file", "orgs.csv")]
    assert checked.version is None
    assert checked.modes["users"] is Mode.BULK


@pytest.mark.parametrize(
    "files",
    ["orgs users roles", "orgs users roles relationships userFlags", "users userFlags", "users relationships classes"],
)
def test_sds_is_told_kindly(files: str) -> None:
    """A set with files of Microsoft SDS and no manifest is named, and nothing else is said of it."""
    checked = run(None, files)
    assert told(checked) == [("looks-like-sds", None)]
    assert checked.version is None


def test_1_2_without_manifest_is_not_sds() -> None:
    """Roles beside user profiles are OneRoster 1.2; its manifest is missing."""
    assert told(run(None, "orgs users roles userProfiles")) == [("missing-manifest", "manifest.csv")]


def test_sds_files_beside_a_manifest_are_no_matter() -> None:
    """A manifest makes it OneRoster, whatever else is in the zip."""
    assert not run("users=bulk orgs=bulk", "users orgs userFlags").batches


@pytest.mark.parametrize("version", ["1.2", "1.0", "1.2_JP", "2"])
def test_other_version_is_refused(version: str) -> None:
    """Another version is named, and hides what would follow from it."""
    checked = run("users=bulk", "", version=version, required=["orgs"])
    assert only(checked).message == f"OneRoster {version} is not read by this version; 1.1 is"
    assert checked.version == version


def test_version_that_is_no_version_is_not_shown() -> None:
    """What stands in place of a version may be anything, and is not repeated."""
    assert "Mary" not in only(run("users=bulk", "users", version="Mary Smith")).message


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


def test_file_of_the_gradebook_is_ignored() -> None:
    """A table that the manifest knows and that is not read is told; it is in no mode."""
    checked = run("orgs=bulk results=bulk", "orgs results")
    assert told(checked) == [("ignored-file", "results.csv")]
    assert "results" not in checked.modes


def test_missing_file_of_the_gradebook_is_a_warning() -> None:
    """A table that would not be read rejects nothing."""
    assert only(run("orgs=bulk results=bulk", "orgs")).severity is Severity.WARNING


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


def test_set_without_files_leaves_all_out() -> None:
    """A manifest alone deletes nothing and is looked at by a person."""
    checked = run("", "", accepted_before=["orgs", "users"])
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
    """A delta for a table of which nothing was accepted has nothing to be applied to."""
    checked = run("users=delta orgs=delta", "users orgs", accepted_before=["orgs"])
    assert only(checked).message == "users.csv is a delta and nothing has been accepted yet"
    assert only(checked).severity is Severity.CATASTROPHIC


# The binding itself -------------------------------------------------------------------------------------------------

MATRIX = {
    "orgs": set(),
    "academicSessions": set(),
    "users": {"orgs"},
    "courses": {"orgs"},
    "classes": {"academicSessions", "courses", "orgs"},
    "enrollments": {"classes", "orgs", "users"},
    "demographics": {"users"},
}
"""What each bulk file of 1.1 cannot do without; what those need in their turn is in their own row."""


@pytest.mark.parametrize("table", MATRIX)
def test_bulk_matrix_of_1_1(table: str) -> None:
    """The references of the schemas give the standard's bulk matrix."""
    declared = dict.fromkeys(MANIFEST_TABLES["1.1"], Mode.ABSENT) | {table: Mode.BULK}
    checked = check(
        manifest=Manifest("1.1", declared), files=["manifest.csv", f"{table}.csv"], required=[], allow_missing=[],
        accepted_before=[], tables=load("1.1"),
    )  # fmt: skip
    assert {str(one.file).removesuffix(".csv") for one in checked.batches} == MATRIX[table]
