"""Drops that build on each other: deltas wait for what is held, and numbers that are left out are told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builders import changed, roster, user, without, zip_of
from places import FEED, Place, codes_of, documents_of, invoke, live_of, once, place, states_of

DAY_1 = roster(30)
STAMP = "2026-11-25T00:00:00.000Z"


def delta(number: int, **cells: str) -> bytes:
    """Return a delta of one user."""
    return zip_of({"users": [user(number, status="active", dateLastModified=STAMP, **cells)]}, mode="delta")


def gone(*numbers: int) -> bytes:
    """Return a delta that takes users away."""
    rows = [user(number, status="tobedeleted", dateLastModified=STAMP) for number in numbers]
    return zip_of({"users": rows}, mode="delta")


HELD = gone(*range(1, 26))
"""A delta that is held: it takes away most users."""


def receipt(where: Place, name: str) -> Mapping[str, Any]:
    """Return the receipt of a drop, for programs."""
    found: Mapping[str, Any] = json.loads((where.state / "results" / FEED / f"{name}.report.json").read_text())
    return found


def take(where: Place, content: bytes, name: str) -> None:
    """Have a drop of that name taken."""
    where.drop(content, name)
    invoke(where, "once")


def with_a_waiting_delta(folder: Path) -> Place:
    """Return a feed with a delta that is held, and one behind it."""
    where = place(folder)
    once(where, zip_of(DAY_1))
    take(where, HELD, "d-1.zip")
    take(where, delta(30, familyName="Later"), "d-2.zip")
    return where


def test_a_delta_waits_behind_one_that_is_held(tmp_path: Path) -> None:
    """It builds on it, so neither takes its place nor is applied before; sender and admin are told."""
    where = with_a_waiting_delta(tmp_path)
    assert states_of(where) == ["applied", "held", "received"]
    assert documents_of(where)[2]["waits_for"] == f"{FEED}.2"
    assert receipt(where, "d-2.zip")["verdict"] == "waiting"
    assert not list(where.inbox().iterdir())
    assert invoke(where, "status", "--json").json[0]["behind"] == [f"{FEED}.3"]
    take(where, delta(29, familyName="Third"), "d-3.zip")
    assert states_of(where) == ["applied", "held", "received", "received"]


def test_release_applies_what_waited(tmp_path: Path) -> None:
    """In its order, in the same breath; receipts are written anew."""
    where = with_a_waiting_delta(tmp_path)
    assert receipt(where, "d-1.zip")["verdict"] == "held"
    invoke(where, "release", f"{FEED}.2", "--plan", documents_of(where)[1]["digest"])
    assert states_of(where) == ["applied", "applied", "applied"]
    assert live_of(where, "users", "familyName")["U30"] == "Later"
    assert [receipt(where, name)["verdict"] for name in ("d-1.zip", "d-2.zip")] == ["accepted", "accepted"]


def test_discard_lets_what_waited_go_on(tmp_path: Path) -> None:
    """Who refuses a delta has decided, and the next one is held against what is there."""
    where = with_a_waiting_delta(tmp_path)
    invoke(where, "discard", f"{FEED}.2")
    assert states_of(where) == ["applied", "discarded", "applied"]
    assert receipt(where, "d-1.zip")["verdict"] == "discarded"


def test_a_bulk_set_takes_the_place_of_all_that_waits(tmp_path: Path) -> None:
    """It says all that there is."""
    where = with_a_waiting_delta(tmp_path)
    take(where, zip_of(changed(DAY_1, "users", "U1", familyName="New")), "full.zip")
    assert states_of(where) == ["applied", "superseded", "superseded", "applied"]
    assert [receipt(where, name)["verdict"] for name in ("d-1.zip", "d-2.zip")] == ["superseded", "superseded"]


def test_what_waits_is_not_lost_by_a_restart(tmp_path: Path) -> None:
    """Nor told again."""
    where = with_a_waiting_delta(tmp_path)
    again = invoke(where, "once")
    assert states_of(where) == ["applied", "held", "received"]
    assert "run.waiting" not in again.err


def test_a_delta_sent_again_behind_itself_is_a_duplicate(tmp_path: Path) -> None:
    """It does not wait for itself."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1), HELD, HELD)
    assert states_of(where) == ["applied", "held", "duplicate"]


def test_numbers_that_are_left_out_are_told(tmp_path: Path) -> None:
    """As a warning: the delta is applied, and the sender knows what did not come."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    for number, name in ((1, "First"), (4, "Fourth"), (2, "Second")):
        take(where, delta(number, familyName=name), f"delta-{number:04}.zip")
    codes = [codes_of(one) & {"sequence-gap", "sequence-backwards"} for one in documents_of(where)]
    assert codes == [set(), set(), {"sequence-gap"}, {"sequence-backwards"}]
    assert "2, 3" in receipt(where, "delta-0004.zip")["listed"][0]["message"]
    assert states_of(where)[-3:] == ["applied"] * 3


def test_bulk_sets_have_no_sequence(tmp_path: Path) -> None:
    """A night that is left out is made up for by the next."""
    where = place(tmp_path)
    take(where, zip_of(DAY_1), "roster-1.zip")
    take(where, zip_of(without(DAY_1, "enrollments", "E30")), "roster-9.zip")
    assert "sequence-gap" not in codes_of(documents_of(where)[1])


def test_a_rejected_drop_sent_again_has_its_verdict_again(tmp_path: Path) -> None:
    """Not silence, and not the word that it is a duplicate: also in a new process."""
    where, broken = place(tmp_path), zip_of(DAY_1, users=None)
    take(where, broken, "roster.zip")
    (where.state / "results" / FEED / "roster.zip.report.json").unlink()
    take(where, broken, "roster.zip")
    assert states_of(where) == ["rejected", "rejected"]
    assert receipt(where, "roster.zip")["verdict"] == "rejected"
