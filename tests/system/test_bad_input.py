"""What the world sends on bad days: each gets a finding or a breach, and none touches target or snapshot."""

import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import (
    Roster,
    added,
    bad_line,
    changed,
    csv_of,
    enrollment,
    manifest_of,
    members_of,
    pack,
    roster,
    row,
    user,
    without,
    zip_of,
)
from places import (
    FEED,
    PATIENCE,
    Place,
    breaches_of,
    codes_of,
    command,
    documents_of,
    live_of,
    once,
    place,
    snapshot_of,
    stamped_target_of,
    states_of,
    target_of,
    wait_until,
)

from ingestd import daemon

USERS = 30
DAY_1 = roster(USERS)


@pytest.fixture(scope="module")
def day_1(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place in which the first day's drop was applied. Copy it."""
    where = place(tmp_path_factory.mktemp("day-1") / "place")
    assert once(where, zip_of(DAY_1)).code == 0
    return where


@pytest.fixture
def where(day_1: Place, tmp_path: Path) -> Place:
    """Return a copy of the place after the first day."""
    return day_1.copy_to(tmp_path / "place")


@contextmanager
def untouched(where: Place) -> Iterator[None]:
    """Check that the block changes neither the target nor the snapshot."""
    before = stamped_target_of(where), snapshot_of(where)
    yield
    assert (stamped_target_of(where), snapshot_of(where)) == before


def drop_in_vain(where: Place, content: bytes, *, code: int) -> dict[str, Any]:
    """Have a drop taken that must change nothing; return the run's document."""
    with untouched(where):
        assert once(where, content).code == code
    return documents_of(where)[-1]


# Rejected ---------------------------------------------------------------------------------------------------------


REJECTED = {
    "not a zip": (b"sourcedId,name\r\n1,2\r\n", "not-a-zip", None),
    "a member that would escape": (pack({**members_of(DAY_1), "../users.csv": "x"}), "unsafe-zip", None),
    "enrollments declared and missing": (zip_of(DAY_1, enrollments=None), "missing-file", "enrollments.csv"),
    "enrollments not even declared": (zip_of(without(DAY_1, "enrollments")), "missing-file", "enrollments.csv"),
    "users.csv is a header": (zip_of({**DAY_1, "users": []}), "empty-file", "users.csv"),
    "users.csv has no bytes": (zip_of(DAY_1, users=""), "missing-header", "users.csv"),
    "users.csv is UTF-16": (
        zip_of(DAY_1, users=csv_of(DAY_1["users"]).encode("utf-16")),
        "not-utf-8-file",
        "users.csv",
    ),
    "a manifest that promises files": (
        pack({"manifest.csv": manifest_of({"users": "bulk"})}),
        "missing-file",
        "users.csv",
    ),
    "files and no manifest": (zip_of(DAY_1, manifest=None), "missing-manifest", "manifest.csv"),
    "all users spoilt": (
        zip_of(DAY_1, users=csv_of([{**one, "role": "wizard"} for one in DAY_1["users"]])),
        "nothing-valid",
        "users.csv",
    ),
    "semicolons": (zip_of(DAY_1, users=csv_of(DAY_1["users"]).replace(",", ";")), "missing-header", "users.csv"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_drop_that_cannot_be_trusted_is_rejected(where: Place, case: str) -> None:
    """It goes to quarantine with a finding that names the file, and the vendor's receipt says so."""
    content, code, file = REJECTED[case]
    document = drop_in_vain(where, content, code=1)
    assert document["state"] == "rejected"
    assert (code, file) in [(one["code"], one["file"]) for one in document["listed_findings"]]
    assert (where.state / "quarantine" / FEED / document["run"] / "roster-0.zip").read_bytes() == content
    assert code in (where.state / "results" / FEED / "roster-0.zip.report.txt").read_text()


def test_a_truncated_zip_waits_in_the_inbox(where: Place) -> None:
    """A sender may still be at it: nothing is taken or recorded, and the exit code says that something waits."""
    whole = zip_of(DAY_1)
    with untouched(where):
        assert once(where, whole[: len(whole) // 2]).code == 1
    assert [path.name for path in where.inbox().iterdir()] == ["roster-0.zip"]
    assert states_of(where) == ["applied"]


def test_a_truncated_zip_is_rejected_in_the_end(where: Place) -> None:
    """One that has lain unchanged for `incomplete_after` will not become whole any more."""
    whole = zip_of(DAY_1)
    where.drop(whole[: len(whole) // 2])
    feed = where.feed(clock=lambda: datetime.now(UTC) + timedelta(minutes=31))
    with untouched(where):
        daemon.once([feed])
    assert codes_of(documents_of(where)[-1]) == {"incomplete-zip"}
    assert states_of(where) == ["applied", "rejected"]
    assert not list(where.inbox().iterdir())


def test_a_truncated_zip_that_is_sent_again_is_taken(where: Place) -> None:
    """The whole zip under the same name takes the broken one's place."""
    whole = zip_of(changed(DAY_1, "users", "U1", familyName="Whole"))
    once(where, whole[:-30])
    assert once(where, whole).code == 0
    assert live_of(where, "users", "familyName")["U1"] == "Whole"


def test_a_delta_before_any_bulk_is_rejected(tmp_path: Path) -> None:
    """Changes of what is not known mean nothing."""
    where = place(tmp_path)
    dated = {"status": "active", "dateLastModified": "2026-01-01T00:00:00.000Z"}
    assert once(where, zip_of({"users": [user(1, **dated)]}, mode="delta")).code == 1
    assert "delta-before-bulk" in codes_of(documents_of(where)[-1])
    assert not where.target().exists()


def test_a_manifest_and_nothing_else_says_that_nothing_has_changed(where: Place) -> None:
    """The standard's way to send a day without changes: accepted, and nothing is removed."""
    document = drop_in_vain(where, pack({"manifest.csv": manifest_of({})}), code=0)
    assert (document["state"], codes_of(document), document["actions"]) == ("applied", {"nothing-sent"}, {})


# Held back: present and not valid is not absent (law 1) -----------------------------------------------------------


def test_a_row_with_one_field_too_many_is_held_back_and_keeps_its_last_good_version(where: Place) -> None:
    """The finding has the line; the next day's mended row is an update, and nobody was removed in between."""
    after = changed(DAY_1, "users", "U2", familyName="Later")
    document = drop_in_vain(where, bad_line(after, "U2", ","), code=1)
    assert document["state"] == "applied"
    found = [(one["code"], one["file"], one["line"]) for one in document["listed_findings"]]
    assert found == [("field-count", "users.csv", 3)]
    assert document["tables"]["users"] == {"rows": USERS, "valid": USERS - 1, "held_back": 1}
    assert once(where, zip_of(after)).code == 0
    assert documents_of(where)[-1]["changeset"]["users"] == {
        "created": 0, "updated": 1, "deleted": 0, "unchanged": USERS - 1,
    }  # fmt: skip
    assert live_of(where, "users", "familyName")["U2"] == "Later"


HELD_BACK: dict[str, tuple[bytes, str, str]] = {
    "the same id twice with different content": (
        zip_of(added(DAY_1, "users", user(3, familyName="Other"))),
        "duplicate-sourcedid",
        "users.csv",
    ),
    "an enrollment of a class that is not there": (
        zip_of(added(DAY_1, "enrollments", enrollment(99, userSourcedId="U1", classSourcedId="C-99"))),
        "dangling-reference",
        "enrollments.csv",
    ),
    "a known enrollment moved to a class that is not there": (
        zip_of(changed(DAY_1, "enrollments", "E1", classSourcedId="C-99")),
        "dangling-reference",
        "enrollments.csv",
    ),
    "a required value is blank": (zip_of(changed(DAY_1, "users", "U1", username="")), "required-value", "users.csv"),
    "a role that is none": (zip_of(changed(DAY_1, "users", "U1", role="wizard")), "invalid-enum", "users.csv"),
    "Latin-1 in one row": (
        zip_of(DAY_1, users=csv_of(changed(DAY_1, "users", "U1", familyName="Zoë")["users"]).encode("latin-1")),
        "not-utf-8",
        "users.csv",
    ),
    "a quote that opens and never closes": (bad_line(DAY_1, "U4", '"'), "misplaced-quote", "users.csv"),
    "a user without an id": (zip_of(changed(DAY_1, "users", "U1", sourcedId="")), "required-value", "users.csv"),
}


@pytest.mark.parametrize("case", HELD_BACK)
def test_a_record_that_cannot_be_trusted_is_held_back(where: Place, case: str) -> None:
    """The drop is accepted without it, what was known of it stays as it was, and the exit code is 1."""
    content, code, file = HELD_BACK[case]
    document = drop_in_vain(where, content, code=1)
    assert document["state"] == "applied"
    assert (code, file) in [(one["code"], one["file"]) for one in document["listed_findings"]]


def test_enrollments_of_a_class_that_is_gone_are_held_back_day_after_day(where: Place) -> None:
    """They came unchanged, yet what they refer to is no longer there: kept, and reported as long as it lasts."""
    first = added(DAY_1, "enrollments", enrollment(99, userSourcedId="U1", classSourcedId="C2"))
    assert once(where, zip_of(first)).code == 0
    before = live_of(where, "enrollments", "classSourcedId")
    for day in (2, 3):
        after = changed(without(first, "classes", "C2"), "users", "U1", familyName=f"Day{day}")
        assert once(where, zip_of(after)).code == 1
        document = documents_of(where)[-1]
        assert document["tables"]["enrollments"] == {"rows": USERS + 1, "valid": USERS, "held_back": 1}
        found = [(one["code"], one["file"], one["line"]) for one in document["listed_findings"]]
        assert found == [("dangling-reference", "enrollments.csv", USERS + 2)]
        assert live_of(where, "enrollments", "classSourcedId") == before
        assert live_of(where, "classes", "title").keys() == {"C1"}
    assert once(where, zip_of(first)).code == 0
    assert live_of(where, "classes", "title").keys() == {"C1", "C2"}


# Held: a breach of the guard, or a file left out (law 2) ----------------------------------------------------------


def test_a_drop_without_forty_per_cent_of_the_users_is_held(where: Place) -> None:
    """Nothing at all of it is applied before someone consents."""
    lost = [f"U{number}" for number in range(1, 13)]
    after = without(without(DAY_1, "users", *lost), "enrollments", *(f"E{number}" for number in range(1, 13)))
    document = drop_in_vain(where, zip_of(after), code=3)
    assert document["state"] == "held"
    assert ("too-many-deletes", "users") in breaches_of(document)


def left_out(tmp_path: Path, more: str, table: str, *, empty: bool) -> tuple[Place, Roster]:
    """Return a place where a table that the feed does not demand was applied, and the roster without it."""
    where = place(tmp_path, more="\n[scope]\ndemographics = true\n")
    text = (where.folder / "feeds" / f"{FEED}.toml").read_text()
    (where.folder / "feeds" / f"{FEED}.toml").write_text(more + text)
    first = {**roster(3), "demographics": [row("demographics", sourcedId=f"U{number}") for number in (1, 2, 3)]}
    assert once(where, zip_of(first)).code == 0
    return where, {**first, table: []} if empty else without(first, table)


ENROLLMENTS_FREE = 'required = ["orgs", "academicSessions", "classes", "users"]\n'


@pytest.mark.parametrize(
    ("more", "table"),
    [("", "demographics"), ('allow_missing = ["courses"]\n', "courses"), (ENROLLMENTS_FREE, "enrollments")],
)
@pytest.mark.parametrize("empty", [False, True])
def test_a_table_that_was_there_before_and_is_left_out_or_empty_is_held(
    tmp_path: Path, more: str, table: str, empty: bool
) -> None:
    """It deletes nothing, not even when it may be left out."""
    where, after = left_out(tmp_path, more, table, empty=empty)
    document = drop_in_vain(where, zip_of(after), code=3)
    assert document["state"] == "held"
    assert breaches_of(document) == {("empty-file" if empty else "file-left-out", table)}


def test_a_released_drop_without_a_table_still_deletes_nothing(tmp_path: Path) -> None:
    """Consent is to the rest of the drop: a file left out is no statement about its records."""
    where, after = left_out(tmp_path, "", "demographics", empty=False)
    once(where, zip_of(changed(after, "users", "U1", familyName="Released")))
    run, digest = documents_of(where)[-1]["run"], documents_of(where)[-1]["digest"]
    feed = where.feed()
    feed.release(run, digest)
    feed.close()
    assert live_of(where, "users", "familyName")["U1"] == "Released"
    assert len(live_of(where, "demographics", "sourcedId")) == 3


# Deletion as it is meant ------------------------------------------------------------------------------------------


def test_a_user_marked_tobedeleted_is_removed(where: Place) -> None:
    """The word removes even in a bulk file, where the standard does not want it: with a warning, deactivated."""
    after = changed(without(DAY_1, "enrollments", "E7"), "users", "U7", status="tobedeleted")
    assert once(where, zip_of(after)).code == 0
    assert codes_of(documents_of(where)[-1]) == {"tobedeleted-in-bulk"}
    assert "U7" not in live_of(where, "users", "username")
    assert len(target_of(where)["users"]) == USERS


def test_a_delta_removes_only_what_it_names(where: Place) -> None:
    """What a delta does not mention stays."""
    dated = {"dateLastModified": "2026-01-01T00:00:00.000Z"}
    delta = {
        "users": [user(1, status="active", familyName="Delta", **dated), user(2, status="tobedeleted", **dated)],
        "enrollments": [enrollment(2, status="tobedeleted", **dated)],
    }
    assert once(where, zip_of(delta, mode="delta")).code == 0
    names = live_of(where, "users", "familyName")
    assert names["U1"] == "Delta"
    assert set(names) == {f"U{number}" for number in range(1, USERS + 1)} - {"U2"}


# Order and repetition ---------------------------------------------------------------------------------------------


def test_the_same_drop_twice_is_a_duplicate(where: Place) -> None:
    """Nothing is read, nothing is done, and the run says which one it repeats."""
    document = drop_in_vain(where, zip_of(DAY_1), code=0)
    assert (document["state"], document["duplicate_of"]) == ("duplicate", f"{FEED}.1")
    assert not list(where.inbox().iterdir())


def test_an_older_drop_after_a_newer_one_is_applied_as_a_diff(where: Place) -> None:
    """An admin who puts yesterday's zip in again wants yesterday's roster back."""
    first = target_of(where)
    once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Newer")))
    assert once(where, zip_of(DAY_1)).code == 0
    assert states_of(where) == ["applied"] * 3
    assert target_of(where) == first


def test_of_two_drops_at_once_the_newer_stands(where: Place) -> None:
    """Both lie in the inbox: the newer one takes the older one's place, of which nothing is read."""
    older, newer = (zip_of(changed(DAY_1, "users", "U1", familyName=name)) for name in ("Older", "Newer"))
    where.drop(older, "z.zip")
    where.drop(newer, "a.zip")
    assert once(where).code == 0
    assert states_of(where) == ["applied", "superseded", "applied"]
    assert live_of(where, "users", "familyName")["U1"] == "Newer"


def waiters(lock: Path) -> int:
    """Return how many processes wait for a file's lock, of which the kernel tells in /proc/locks."""
    inode = f":{lock.stat().st_ino} "
    return sum("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def started(where: Place, *args: str | Path) -> "subprocess.Popen[bytes]":
    """Start a command and do not wait for it."""
    return subprocess.Popen(command(where, *args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_second_process_waits_while_a_drop_is_applied(where: Place) -> None:
    """A plan made while another is carried out would be made of the wrong past; so it waits, and both end right."""
    first, second = (changed(DAY_1, "users", f"U{number}", familyName="Process") for number in (1, 2))
    where.drop(zip_of(first))
    (where.folder / "b.zip").write_bytes(zip_of(second))
    with closing(sqlite3.connect(where.target(), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")  # so that the first process stands in the middle of its apply
        processes: Sequence[subprocess.Popen[bytes]] = [started(where, "once")]
        assert wait_until(lambda: states_of(where)[-1] == "applying")
        processes = [*processes, started(where, "apply", FEED, where.folder / "b.zip")]
        lock = where.store().with_suffix(".lock")
        assert wait_until(lambda: waiters(lock) == 1)
        db.execute("ROLLBACK")
    assert [one.wait(PATIENCE) for one in processes] == [0, 0]
    assert states_of(where) == ["applied"] * 3
    names = live_of(where, "users", "familyName")
    assert (names["U1"], names["U2"]) == ("Family1", "Process")


def test_a_run_that_cannot_be_filed_stands_and_is_filed_at_the_next_start(where: Place) -> None:
    """What its plan did is done and recorded; only its folder waits where it is."""
    archive, aside = where.state / "archive", where.state / "aside"
    archive.rename(aside)
    archive.write_text("no folder")
    done = once(where, zip_of(changed(DAY_1, "users", "U1", familyName="Applied")))
    assert (done.code, "run.unfiled" in done.err) == (0, True)
    assert (states_of(where), live_of(where, "users", "familyName")["U1"]) == (["applied"] * 2, "Applied")
    archive.unlink()
    aside.rename(archive)
    assert once(where).code == 0
    assert len(list(archive.glob(f"{FEED}/*/{FEED}.2/roster-0.zip"))) == 1
