"""One table settled: law 1, that only absence from a filled bulk file, or the word tobedeleted, removes anything."""

import numpy as np
import pytest
from roster_world import SEED, Row, changed, codes, deleted, enrollment, frame, ids, lived, look, org, settled, user

from ingestd.core.guard import OrgLoss
from ingestd.core.model import Changes, Mode, TableCount
from ingestd.core.references import Ids, check_references
from ingestd.core.roster import Settled, demote, keeps_all, losses, settle, vanished
from ingestd.core.scan import Live

THREE = [org("O1"), org("O2"), org("O3")]


def day(*rows: Row, mode: Mode = Mode.BULK) -> Settled:
    """Settle a file of orgs against O1, O2 and O3."""
    return settled("orgs", rows, lived("orgs", THREE), mode)


def gone(one: Settled) -> list[int]:
    """Return the ids that go."""
    return sorted(one.live.id[one.deleted].tolist())


def same(*sourced_ids: str) -> list[int]:
    """Return ids as `gone` does."""
    return sorted(ids(*sourced_ids).tolist())


def test_absence_from_a_bulk_file_deletes() -> None:
    """A bulk file is the whole truth: what it lacks goes."""
    one = day(org("O1"), org("O3", name="Low"), org("O4"))
    assert gone(one) == same("O2")
    assert one.changes == Changes(created=1, updated=1, deleted=1, unchanged=1)


def test_absence_from_a_delta_says_nothing() -> None:
    """A delta changes what it names and no more."""
    one = day(changed(org("O3", name="Low")), mode=Mode.DELTA)
    assert gone(one) == []
    assert one.changes == Changes(updated=1, unchanged=2)


def test_a_delta_deletes_by_word() -> None:
    """Only `tobedeleted` removes a record by delta."""
    one = day(deleted(org("O3")), mode=Mode.DELTA)
    assert gone(one) == same("O3")


def test_a_bulk_file_may_delete_by_word_too() -> None:
    """A record marked tobedeleted in a bulk file is read as gone."""
    assert gone(day(org("O1"), {**org("O2"), "status": "tobedeleted"}, org("O3"))) == same("O2")


def test_deleting_what_is_not_there_changes_nothing() -> None:
    """A delta may delete a record that never came."""
    assert day(deleted(org("O9")), mode=Mode.DELTA).changes == Changes(unchanged=3)


@pytest.mark.parametrize("mode", [Mode.BULK, Mode.DELTA])
def test_a_record_held_back_is_not_absent(mode: Mode) -> None:
    """It keeps its last good version."""
    one = day(*map(changed, (org("O1"), org("O2", type="planet"), org("O3"))), mode=mode)
    assert gone(one) == []
    assert one.changes == Changes(unchanged=3)
    assert one.count == TableCount(3, 2, 1)


def test_a_broken_line_is_not_absent() -> None:
    """A line that cannot be read keeps the record whose id it begins with."""
    one = day(org("O1"), "O2,one,comma,too,many,,,", org("O3"))
    assert gone(one) == []
    assert one.count == TableCount(3, 2, 1)


@pytest.mark.parametrize("line", ["?,one,comma,too,many,,,", ",,,High,school,,", "not an id,,,High,school,,"])
def test_nothing_goes_when_an_id_cannot_be_told(line: str) -> None:
    """Nobody knows whom such a line means, so nothing is removed from its file, and that is told."""
    one = day(org("O1"), line)
    assert gone(one) == []
    assert "unidentified-record" in codes(one.batches)


def test_a_file_without_records_removes_nothing() -> None:
    """A header alone is no statement (law 2)."""
    one = day()
    assert gone(one) == []
    assert not codes(one.batches)


def test_a_disputed_id_goes_nowhere() -> None:
    """An id with two contents is held back; called deleted in one of them, it is still not removed."""
    one = day(changed(org("O1")), deleted(org("O1", name="Low")), mode=Mode.DELTA)
    assert gone(one) == []
    assert one.changes == Changes(unchanged=3)


def test_a_known_record_in_dispute_stays() -> None:
    """The known record stands; both lines count as held back."""
    one = day(org("O1"), org("O1", name="Low"), org("O2"), org("O3"))
    assert one.changes == Changes(unchanged=3)
    assert one.count == TableCount(4, 2, 2)


def test_nothing_valid_is_a_catastrophe_of_a_bulk_file() -> None:
    """A bulk file in which every record is held back is rejected; a delta may well have one bad record only."""
    assert "nothing-valid" in codes(day(org("O1", type="planet")).batches)
    assert "nothing-valid" not in codes(day(changed(org("O1", type="planet")), mode=Mode.DELTA).batches)


def test_status_and_its_date_are_not_compared() -> None:
    """A vendor who stamps every record every night changes nothing; the new bytes are known from then on."""
    one = day(*({**row, "dateLastModified": "2026-09-02T00:00:00Z"} for row in THREE))
    assert one.changes == Changes(unchanged=3)
    assert len(one.difference.same) == 3


def test_opened_and_closed_go_together() -> None:
    """Created rows open before updated ones, and updated ones close before deleted ones, in the same order."""
    one = day(org("O4"), org("O1", name="Low"), org("O2"))
    assert list(one.new.frame["sourcedId"].iloc[one.opened]) == ["O4", "O1"]
    assert one.live.id[one.closed].tolist() == [*ids("O1"), *ids("O3")]


def test_absence_says_something_in_filled_bulk_files_alone() -> None:
    """That is the rule by which anything may be removed."""
    scanned, new = look("orgs", [org("O1")])
    assert not keeps_all(Mode.BULK, new, scanned)
    assert keeps_all(Mode.DELTA, new, scanned)
    scanned, new = look("orgs", [])
    assert keeps_all(Mode.BULK, new, scanned)


# Records whose target vanished ------------------------------------------------------------------------------------


def demoted(**known: Ids) -> Settled:
    """Settle two known enrollments, of which E2 is looked at again because of what is `known` no more."""
    rows = [enrollment("E1"), enrollment("E2", classSourcedId="C2")]
    live = lived("enrollments", rows)
    again = np.flatnonzero(live.id == ids("E2")[0])
    scanned, new = look("enrollments", rows, live)
    records = frame(**{name: [rows[1].get(name, "")] for name in new.frame.columns})
    new = demote(new, records, again, live, scanned.lines_of(again))
    standing = scanned.present(live)
    standing[again] = False
    new = check_references(new, known, SEED)
    return settle(Mode.BULK, live, scanned, new, standing, np.zeros(len(live), bool), seed=SEED)


def test_a_known_record_whose_target_vanished_is_held_back() -> None:
    """It keeps its last good version, is told with its line, and is read again next time."""
    one = demoted(classes=Ids(ids("C1")))
    assert one.changes == Changes(unchanged=2)
    assert one.count == TableCount(2, 1, 1)
    assert [(found.code, found.lines) for found in one.batches] == [("dangling-reference", (3,))]
    assert one.live.id[one.forgotten].tolist() == ids("E2").tolist()


def test_a_known_record_that_is_whole_after_all_stays() -> None:
    """Looked at again and found whole, it is unchanged."""
    one = demoted(classes=Ids(ids("C1", "C2")))
    assert one.changes == Changes(unchanged=2)
    assert not one.batches
    assert not len(one.forgotten)


def test_demoting_nothing_changes_nothing() -> None:
    """Without positions the candidates are the same."""
    scanned, new = look("orgs", [org("O1")])
    assert demote(new, new.frame, np.zeros(0, np.int64), Live(), scanned.lines) is new


def test_demoted_records_bring_their_columns() -> None:
    """A vendor's column that today's file lacks is kept with the record that has it."""
    live = lived("orgs", [org("O1", **{"metadata.tier": "1"})])
    scanned, new = look("orgs", [org("O2")], live)
    again = np.zeros(1, np.int64)
    records = frame(
        **{name: ["O1" if name == "sourcedId" else ""] for name in new.frame.columns}, **{"metadata.tier": ["1"]}
    )
    new = demote(new, records, again, live, scanned.lines)
    assert list(new.frame["metadata.tier"]) == ["", "1"]
    assert len(new.lines) == len(new.hash) == len(new.held) == len(new.notes) == 2


# What single orgs lose --------------------------------------------------------------------------------------------


def test_losses_are_counted_by_org() -> None:
    """A user of two orgs is a loss to both; an org that loses nobody is not listed."""
    before = [
        user("U1"),
        user("U2", orgSourcedIds="O1,O2"),
        user("U3", orgSourcedIds="O2"),
        user("U4", orgSourcedIds="O3"),
    ]
    one = settled("users", [before[0], before[3]], lived("users", before))
    names = {int(ids(name)[0]): name for name in ("O1", "O2")}
    assert sorted(losses(one, names), key=lambda loss: loss.org) == [OrgLoss("O1", 1, 2), OrgLoss("O2", 2, 2)]


def test_an_org_without_a_name_is_counted_all_the_same() -> None:
    """An id that is not known any more is told as a question mark."""
    one = settled("users", [user("U2")], lived("users", [user("U1"), user("U2")]))
    assert losses(one, {}) == (OrgLoss("?", 1, 2),)


@pytest.mark.parametrize("table", ["orgs", "demographics"])
def test_tables_that_are_not_of_an_org_have_no_losses(table: str) -> None:
    """Orgs have parents, demographics have no org at all."""
    make = org if table == "orgs" else lambda sourced_id: {"sourcedId": sourced_id}
    one = settled(table, [make("O1")], lived(table, [make("O1"), make("O2")]))
    assert len(one.deleted) == 1
    assert losses(one, {}) == ()


def test_vanished_ids_were_live_and_are_not_known() -> None:
    """What is known no more is what records of other tables may have lost."""
    live = lived("orgs", THREE)
    assert vanished(live, ids("O1", "O9")).tolist() == ids("O2", "O3").tolist()
