"""By which version a set of files is read."""

from collections.abc import Mapping, Sequence

import pytest

from ingestd.core.model import Batch, Manifest
from ingestd.core.version import decide, demands_any, fits, nearest
from schemas import NAMES, VERSIONS, load


def header(version: str, table: str) -> tuple[str, ...]:
    """Return the header of a table as a version has it."""
    return tuple(column.header for column in load(version)[table].columns)


def headers(version: str) -> Mapping[str, Sequence[str]]:
    """Return the headers of the tables of which every version has some."""
    return {table: header(version, table) for table in NAMES["1.0"]}


def without_manifest(files: str, given: Mapping[str, Sequence[str]] | None = None) -> tuple[str | None, list[Batch]]:
    """Decide on a set without a manifest; `files` without `.csv`, headers of 1.0 unless others are given."""
    version, batches = decide(None, [f"{name}.csv" for name in files.split()], given or headers("1.0"))
    return version, list(batches)


SEVEN = " ".join(NAMES["1.0"])


@pytest.mark.parametrize("version", VERSIONS)
def test_manifest_decides(version: str) -> None:
    """What the manifest says is read, though the files look otherwise."""
    assert decide(Manifest(version, {}), ["manifest.csv"], headers("1.0")) == (version, ())


@pytest.mark.parametrize("version", ["2", "1.3", "1.20", "0.9"])
def test_other_version_is_refused(version: str) -> None:
    """Another version is named, with those that are read."""
    found, (batch,) = decide(Manifest(version, {}), ["manifest.csv"], {})
    assert (found, batch.code) == (version, "unsupported-version")
    assert batch.message == f"OneRoster {version} is not read; 1.0, 1.1 and 1.2 are"


def test_version_that_is_no_version_is_not_shown() -> None:
    """What stands in place of a version may be anything, and is not repeated."""
    (batch,) = decide(Manifest("Mary Smith", {}), ["manifest.csv"], {})[1]
    assert "Mary" not in batch.message


def test_what_the_feed_names_outweighs_all() -> None:
    """A feed may say how its sets are to be read, also those without a manifest."""
    assert decide(Manifest("1.1", {}), ["manifest.csv"], {}, "1.2") == ("1.2", ())
    assert decide(None, ["users.csv"], headers("1.2"), "1.1") == ("1.1", ())


def test_manifest_that_cannot_be_read_is_not_missing() -> None:
    """Its own findings say what is wrong with it."""
    assert decide(None, ["manifest.csv", "users.csv"], {}) == (None, ())


def test_seven_files_without_a_manifest_are_1_0() -> None:
    """1.0 has no manifest."""
    assert without_manifest(SEVEN) == ("1.0", [])


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_later_set_without_its_manifest_is_not_guessed(version: str) -> None:
    """Headers of a later version say that a manifest was lost; which modes it had nobody knows."""
    found, (batch,) = without_manifest(SEVEN, headers(version))
    assert (found, batch.code, batch.file) == (None, "missing-manifest", "manifest.csv")
    assert f"this set is {version}" in batch.message


def test_file_of_a_later_version_is_a_sign_of_it() -> None:
    """Beside files that 1.0 does not have, the set is of a later version."""
    _, (batch,) = without_manifest(f"{SEVEN} results")
    assert "this set is 1.1 or 1.2" in batch.message


def test_zip_without_a_roster_is_told_so() -> None:
    """Where no file is one of a roster, more than the manifest is missing."""
    _, (batch,) = without_manifest("report notes")
    assert batch.message == "manifest.csv is missing, and so is every other file of a roster"


@pytest.mark.parametrize(
    "files",
    ["orgs users roles", "orgs users roles relationships userFlags", "users userFlags", "users relationships classes"],
)
def test_sds_is_told_kindly(files: str) -> None:
    """A set with files of Microsoft SDS and no manifest is named, and nothing else is said of it."""
    version, (batch,) = without_manifest(files)
    assert (version, batch.code) == (None, "looks-like-sds")


def test_1_2_without_manifest_is_not_sds() -> None:
    """Roles beside user profiles are OneRoster 1.2; its manifest is missing."""
    assert [one.code for one in without_manifest("orgs users roles userProfiles")[1]] == ["missing-manifest"]


@pytest.mark.parametrize("version", VERSIONS)
def test_headers_are_nearest_to_their_own_version(version: str) -> None:
    """Also in another order, in capitals, with columns of a vendor's own, or with one that lacks."""
    for table in ("users", "demographics", "academicSessions"):
        if header(version, table) in [header(other, table) for other in VERSIONS if other < version]:
            continue
        names = [*header(version, table)[::-1], "metadata.x"]
        assert nearest({table: names}) == nearest({table: [one.upper() for one in names if one != "status"]}) == version


def test_header_fits_a_version_that_finds_all_it_demands() -> None:
    """What a version demands must be there; whatever else is."""
    assert fits("1.0", "academicSessions", header("1.1", "academicSessions"))
    assert not fits("1.1", "academicSessions", header("1.0", "academicSessions"))
    assert not fits("1.1", "roles", header("1.2", "roles"))


def test_columns_that_only_another_version_demands_are_known() -> None:
    """A file that has them is that version's, though this one could do without what else is in it."""
    assert demands_any("1.1", "users", ["Role ", "metadata.x"])
    assert not demands_any("1.1", "users", ["pronouns", "identifier"])
    assert not demands_any("1.1", "roles", header("1.2", "roles"))
