"""Drops made by other people's software, which are not part of the project: $INGESTD_SAMPLES says where they lie."""

import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from builders import pack
from places import Place, codes_of, documents_of, invoke, live_of, once, place, states_of

SAMPLES = Path(os.environ.get("INGESTD_SAMPLES", ""))

pytestmark = pytest.mark.skipif(
    not os.environ.get("INGESTD_SAMPLES"), reason="INGESTD_SAMPLES does not name the folder of samples"
)

ACCEPTED = {
    "VRd118": {"users": (1, 0), "roles": (1, 0), "userProfiles": (1, 0), "enrollments": (1, 0)},
    "edfi-1.0": {"users": (10, 0), "enrollments": (24, 0), "demographics": (8, 0)},
    "edfi-1.1": {"users": (10, 2), "enrollments": (24, 4)},
    "lepo-en": {"users": (20, 0), "enrollments": (30, 0)},
    "lepo-en-2019": {"users": (20, 0), "academicSessions": (4, 0)},
    "lepo-ja": {"users": (20, 0), "enrollments": (30, 0)},
    "gospelnerd-day1": {"users": (79, 0), "enrollments": (546, 0)},
    "gospelnerd-day2": {"users": (79, 0), "enrollments": (546, 0)},
    "gospelnerd-district-large": {"users": (4441, 0), "classes": (1470, 0), "enrollments": (31045, 0)},
}
"""Accepted: some tables with their rows, and how many of them are held back."""

REJECTED: dict[str, list[tuple[str, str | None, str | None, str]]] = {
    "catalyst-full": [("missing-file", "courses.csv", None, "classes.csv")],
    "catalyst-minimal": [("missing-file", "courses.csv", None, "classes.csv")],
    "catalyst-v1p2-folder": [
        ("missing-file", "courses.csv", None, "classes.csv"),
        ("missing-column", "userProfiles.csv", "profileType", "profileType"),
    ],
    "headers-only": [("empty-file", f"{name}.csv", None, "no records") for name in ("orgs", "users", "enrollments")],
    "oat-1.1": [
        ("other-version", "academicSessions.csv", None, "OneRoster 1.0"),
        ("missing-column", "academicSessions.csv", "schoolYear", "schoolYear"),
        ("nothing-valid", "classes.csv", None, "no valid record"),
    ],
    "sds-v2.1": [("looks-like-sds", None, None, "Microsoft SDS")],
    "usechalk": [
        ("missing-column", "courses.csv", "orgSourcedId", "org"),
        ("missing-column", "classes.csv", "courseSourcedId", "course"),
        ("missing-column", "classes.csv", "termSourcedIds", "terms"),
        ("missing-column", "users.csv", "orgSourcedIds", "orgs"),
        ("missing-column", "enrollments.csv", "userSourcedId", "user"),
        ("missing-column", "enrollments.csv", "classSourcedId", "class"),
    ],
}
"""Rejected: findings by code, file and column (the right header), and a word of the message."""


def check(name: str) -> dict[str, Any]:
    """Return what `check --json` says of a sample."""
    found: dict[str, Any] = invoke(None, "check", SAMPLES / f"{name}.zip", "--json").json
    return found


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_set_that_is_sound_enough_is_accepted(name: str) -> None:
    """Nothing catastrophic; errors only where records are held back."""
    found = check(name)
    tables = {table: (one["rows"], one["held_back"]) for table, one in found["tables"].items()}
    assert found["verdict"] == "accepted"
    assert {table: tables[table] for table in ACCEPTED[name]} == ACCEPTED[name]
    assert found["ok"] == (not any(held_back for _, held_back in tables.values()))


@pytest.mark.parametrize("name", REJECTED)
def test_a_set_that_cannot_be_read_is_rejected_with_words_that_help(name: str) -> None:
    """Each finding names the file, and the header that the standard wants."""
    found = check(name)
    assert found["verdict"] == "rejected"
    grave = [one for one in found["findings"] if one["severity"] == "catastrophic"]
    for code, file, column, word in REJECTED[name]:
        assert any(
            (one["code"], one["file"], one["column"]) == (code, file, column)
            and word in f"{one['message']} {one['column']}"
            for one in grave
        )


def test_a_manifest_that_a_spreadsheet_touched_is_repaired() -> None:
    """edfi-1.1 says `manifest.version,1`; two of its users have a comma too many, each with its line."""
    found = [(one["code"], one["file"], one["line"]) for one in check("edfi-1.1")["findings"]]
    assert ("manifest-version", "manifest.csv", 2) in found
    assert [one for one in found if one[0] == "field-count"] == [
        ("field-count", "users.csv", 10),
        ("field-count", "users.csv", 11),
    ]


def test_a_typing_error_in_the_manifest_is_a_warning() -> None:
    """lepo-en writes `fiel.demographics`."""
    assert {(one["code"], one["severity"]) for one in check("lepo-en")["findings"]} == {("unknown-property", "warning")}


@pytest.mark.parametrize(("name", "version"), [("edfi-1.0", "1.0"), ("edfi-1.1", "1.1"), ("VRd118", "1.2")])
def test_version_is_found(name: str, version: str) -> None:
    """A set without a manifest is 1.0; else the manifest says it."""
    assert check(name)["oneroster"] == version


def test_names_of_1_0_are_kept_under_those_of_1_1(tmp_path: Path) -> None:
    """What 1.0 calls grade, agents and userSourcedId outlives a move to 1.1."""
    where = place(tmp_path, more="\n[scope]\ndemographics = true\n")
    once(where, (SAMPLES / "edfi-1.0.zip").read_bytes())
    assert set(live_of(where, "classes", "grades").values()) == {"9"}
    assert live_of(where, "demographics", "sex")["604863"] == "Female"
    assert live_of(where, "users", "phone")["604863"] == "(950) 336 6601"


def base_of(name: str) -> bytes:
    """Return a bulk set of a delta's records: another name, and neither status nor date."""
    with zipfile.ZipFile(SAMPLES / f"{name}.zip") as package:
        files = {one: package.read(one).decode() for one in package.namelist()}
    made = {"manifest.csv": files.pop("manifest.csv").replace(",delta", ",bulk")}
    for file, text in files.items():
        blank = re.sub(r",active,[0-9TZ:.-]+,", ",,,", text)
        made[file] = blank.replace("Bruce,Wayne", "Richard,Grayson")
    return pack(made)


def test_conformance_delta_is_applied_over_its_base(tmp_path: Path) -> None:
    """A valid delta of the standard's own test set changes the one record that differs, and nothing else."""
    where = place(tmp_path, more="\n[scope]\ndemographics = true\n")
    assert once(where, base_of("VRd118")).code == 0
    assert live_of(where, "users", "familyName") == {"USER_0": "Grayson"}
    assert once(where, (SAMPLES / "VRd118.zip").read_bytes()).code == 0
    base, delta = documents_of(where)
    assert (base["oneroster"], delta["oneroster"], delta["state"]) == ("1.2", "1.2", "applied")
    assert set(delta["modes"].values()) == {"absent", "delta"}
    assert changes(delta) == {"users": {"updated": 1}}
    assert live_of(where, "users", "familyName") == {"USER_0": "Wayne"}


def test_conformance_delta_before_its_base_is_refused(tmp_path: Path) -> None:
    """Where nothing was accepted a delta has nothing to be applied to."""
    where = place(tmp_path)
    assert once(where, (SAMPLES / "VRd118.zip").read_bytes()).code == 1
    assert codes_of(documents_of(where)[-1]) >= {"delta-before-bulk"}


def applied(where: Place, *names: str) -> list[dict[str, Any]]:
    """Apply samples one after the other; return the runs' documents."""
    for name in names:
        assert once(where, (SAMPLES / f"{name}.zip").read_bytes()).code == 0
    assert states_of(where) == ["applied"] * len(names)
    return documents_of(where)


def changes(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return the changeset without what is unchanged."""
    counts = {
        table: {kind: count for kind, count in one.items() if count and kind != "unchanged"}
        for table, one in document["changeset"].items()
    }
    return {table: one for table, one in counts.items() if one}


def test_two_days_that_differ_in_dates_of_change_alone_have_an_empty_plan(tmp_path: Path) -> None:
    """The second day has another dateLastModified in every row, and no other difference."""
    second = applied(place(tmp_path), "gospelnerd-day1", "gospelnerd-day2")[1]
    assert (changes(second), second["actions"]) == ({}, {})


def test_a_pair_of_years_differs_in_four_sessions(tmp_path: Path) -> None:
    """Of lepo's two sets only the dates of the academicSessions differ."""
    second = applied(place(tmp_path), "lepo-en-2019", "lepo-en")[1]
    assert changes(second) == {"academicSessions": {"updated": 4}}
    assert second["actions"] == {"academicSessions": {"create": 0, "update": 4, "remove": 0}}
