"""Uniqueness and references over whole tables: what is held back, what is left out, and what is told of it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from roster_world import SEED, TABLES, changed, codes, deleted, enrollment, frame, ids, lived, look, org, user, where

from ingestd.core.hashing import hash_ids
from ingestd.core.model import Cause, Mode, Severity
from ingestd.core.references import (
    NAMED,
    Ids,
    check_references,
    check_unique,
    ids_after,
    references_of,
    shaken,
    stays,
)
from ingestd.core.scan import Live
from ingestd.core.validate import Candidates, content_of

KNOWN = {"classes": Ids(ids("C1")), "orgs": Ids(ids("O1", "O2")), "users": Ids(ids("U1"))}


def check(table: str, *rows: dict[str, str], known: dict[str, Ids] | None = None) -> Candidates:
    """Check the references of records that are valid but for them; findings of other stages are left out."""
    new = replace(look(table, rows)[1], batches=())
    return check_references(new, known or KNOWN, SEED)


# Uniqueness -------------------------------------------------------------------------------------------------------


def unique(
    table: str, *rows: dict[str, str] | str, live: Live | None = None, mode: Mode = Mode.BULK
) -> tuple[Candidates, list[int]]:
    """Check uniqueness; return the candidates with the findings of this stage, and the live records in dispute."""
    live = live or Live()
    scanned, new = look(table, rows, live, mode)
    new, disputed = check_unique(replace(new, batches=()), live, scanned, SEED)
    return new, where(disputed)


def test_ids_of_their_own_are_no_finding() -> None:
    """Records with different ids are let be."""
    new, disputed = unique("orgs", org("O1"), org("O2"))
    assert not new.batches
    assert (len(new), where(new.held), disputed) == (2, [], [])


def test_the_same_record_twice_counts_once() -> None:
    """The same content under the same id is a warning at the later lines, and one record."""
    new, _ = unique("orgs", org("O1"), org("O2"), org("O1"), '"O1",,,High,school,,')
    assert codes(new.batches) == ["duplicate-record"]
    assert new.batches[0].lines == (4, 5)
    assert list(new.frame["sourcedId"]) == ["O1", "O2"]
    assert not new.held.any()


def test_one_id_with_different_contents_is_held_back_whole() -> None:
    """Nobody can say which of them is meant, so none is taken."""
    new, _ = unique("orgs", org("O1"), org("O2"), org("O1", name="Low"), org("O1"))
    assert codes(new.batches) == ["duplicate-sourcedid"]
    assert new.batches[0].lines == (2, 4, 5)
    assert where(new.held) == [0, 2, 3]
    assert new.causes[0] == Cause("duplicate-sourcedid", "orgs.csv", 2)


def test_a_record_is_in_doubt_if_its_twin_is_invalid() -> None:
    """An id whose other record is held back for a fault of its own is held back too."""
    new, _ = unique("orgs", org("O1"), org("O1", type="planet"))
    assert where(new.held) == [0, 1]
    assert new.causes[1].code == "invalid-enum"
    assert new.causes[0].code == "duplicate-sourcedid"


def test_a_record_held_back_is_no_repeat_of_a_valid_one() -> None:
    """Of two of the same content, one held back for how it was written, the other is taken; both are counted."""
    scanned, new = look("users", [user("U1"), user("U1", enabledUser="TRUE")])
    new = replace(new, batches=(), held=np.array([False, True]))
    new, _ = check_unique(new, Live(), scanned, SEED)
    assert (len(new), where(new.held), codes(new.batches)) == (2, [1], [])


def test_blank_ids_are_not_each_others_twins() -> None:
    """Records without an id have a finding of their own, not that of a repeated id."""
    new, _ = unique("orgs", org(""), org(""))
    assert not new.batches


def test_deleted_and_not_deleted_is_a_contradiction() -> None:
    """A delta that both changes and deletes a record is not guessed at."""
    new, _ = unique("orgs", changed(org("O1")), deleted(org("O1")), mode=Mode.DELTA)
    assert codes(new.batches) == ["duplicate-sourcedid"]
    assert where(new.held) == [0, 1]


def test_a_known_record_twice_is_told() -> None:
    """A line of the last drop that comes twice is a warning; it was never read."""
    live = lived("orgs", [org("O1"), org("O2")])
    new, disputed = unique("orgs", org("O1"), org("O2"), org("O1"), live=live)
    assert codes(new.batches) == ["duplicate-record"]
    assert new.batches[0].lines == (4,)
    assert (len(new), disputed) == (0, [])


def test_a_known_record_and_a_different_one_are_in_dispute() -> None:
    """The new record is held back, the known one is named too, and stays as it is."""
    live = lived("orgs", [org("O1"), org("O2")])
    new, disputed = unique("orgs", org("O2"), org("O1"), org("O1", name="Low"), live=live)
    assert codes(new.batches) == ["duplicate-sourcedid"]
    assert new.batches[0].lines == (3, 4)
    assert where(new.held) == [0]
    assert live.id[disputed].tolist() == ids("O1").tolist()


def test_a_known_record_written_otherwise_as_well_is_one() -> None:
    """A known line, and the same content with other quotes, are one record."""
    live = lived("orgs", [org("O1")])
    new, disputed = unique("orgs", org("O1"), '"O1",,,High,school,,', live=live)
    assert codes(new.batches) == ["duplicate-record"]
    assert (len(new), disputed) == (0, [])


def test_what_repeats_takes_its_causes_along() -> None:
    """When repeats are dropped, the causes of other records stay with their records."""
    new, _ = unique("orgs", org("O1"), org("O1"), org("O2", type="planet"))
    assert list(new.frame["sourcedId"]) == ["O1", "O2"]
    assert new.causes == {1: Cause("invalid-enum", "orgs.csv", 4)}


# References -------------------------------------------------------------------------------------------------------


def test_references_of_a_list_are_its_items() -> None:
    """A list refers to each of its items, a blank to nothing."""
    found = references_of(frame(orgSourcedIds=["O2,O1", "", "O1"]), TABLES["users"].column("orgSourcedIds"), SEED)
    assert found.records(np.ones(3, bool)).tolist() == [0, 0, 2]
    assert found.target.tolist() == [*ids("O2"), *ids("O1"), *ids("O1")]


def test_a_required_reference_that_leads_nowhere_holds_back() -> None:
    """The finding names the missing id, how many miss it, and the table in which it is not."""
    new = check(
        "enrollments", enrollment("E1"), enrollment("E2", classSourcedId="C9"), enrollment("E3", classSourcedId="C9")
    )
    assert where(new.held) == [1, 2]
    one = new.batches[0]
    assert (one.code, one.column, one.lines, one.count) == ("dangling-reference", "classSourcedId", (3, 4), 2)
    assert all(word in one.message for word in ("enrollments.csv", " 2 ", "C9", "classes.csv"))
    assert new.causes[1] == Cause("dangling-reference", "enrollments.csv", 3)


def test_what_follows_from_a_record_held_back_names_it() -> None:
    """A reference to a record that was held back is a finding of another code, with its cause."""
    cause = Cause("invalid-enum", "classes.csv", 17)
    known = {**KNOWN, "classes": Ids(ids("C1"), {int(ids("C9")[0]): cause})}
    new = check(
        "enrollments", enrollment("E1", classSourcedId="C9"), enrollment("E2", classSourcedId="C8"), known=known
    )
    assert sorted((one.code, one.caused_by) for one in new.batches) == [
        ("dangling-reference", None),
        ("reference-to-held-back", cause),
    ]
    assert [new.causes[0].code, new.causes[1].code] == ["reference-to-held-back", "dangling-reference"]


def test_the_id_that_most_records_miss_comes_first() -> None:
    """Findings are in the order of how much hangs on them."""
    rows = [enrollment(f"E{i}", userSourcedId="U8" if i < 2 else "U9") for i in range(5)]
    assert [one.count for one in check("enrollments", *rows).batches] == [3, 2]


def test_very_many_missing_ids_share_a_finding() -> None:
    """Beyond a hundred missing ids the rest is told in one, and the counts add up."""
    rows = [enrollment(f"E{i}", userSourcedId=f"X{i}") for i in range(NAMED + 30)]
    new = check("enrollments", *rows)
    assert len(new.batches) == NAMED + 1
    assert sum(one.count for one in new.batches) == NAMED + 30
    assert "30 more ids" in new.batches[-1].message
    assert new.held.all()


def test_an_optional_reference_that_leads_nowhere_is_left_out() -> None:
    """The record is valid without it, hashed without it, and read again next time."""
    new = check("orgs", org("O1", parentSourcedId="O2"), org("O3", parentSourcedId="O9"))
    assert codes(new.batches) == ["dangling-optional-reference"]
    assert new.batches[0].severity is Severity.WARNING
    assert list(new.frame["parentSourcedId"]) == ["O2", ""]
    assert new.valid.all()
    assert (new.hash == 0).tolist() == [False, True]
    assert content_of(new.frame, SEED)[1] == content_of(check("orgs", org("O3")).frame, SEED)[0]


def test_bad_items_are_left_out_of_a_list_that_has_good_ones() -> None:
    """Items that lead somewhere stay, in their order."""
    new = check("users", user("U1", orgSourcedIds="O9,O2,O8,O1"), user("U2"))
    assert list(new.frame["orgSourcedIds"]) == ["O2,O1", "O1"]
    assert (new.hash == 0).tolist() == [True, False]
    assert codes(new.batches) == ["dangling-optional-reference"] * 2


def test_a_required_list_of_bad_items_alone_holds_back() -> None:
    """A list of which nothing is left is not filled."""
    new = check("users", user("U1", orgSourcedIds="O9,O8"))
    assert where(new.held) == [0]
    assert list(new.frame["orgSourcedIds"]) == ["O9,O8"]


def test_one_missing_id_may_hold_back_here_and_be_left_out_there() -> None:
    """What is held back has an error, what goes on without has a warning, though the id is the same."""
    new = check("users", user("U1", orgSourcedIds="O1,O9"), user("U2", orgSourcedIds="O9"))
    found = {one.code: one.lines for one in new.batches}
    assert found == {"dangling-reference": (3,), "dangling-optional-reference": (2,)}
    assert where(new.held) == [1]


def test_an_optional_list_may_end_up_blank() -> None:
    """Of an optional list of bad items nothing is left."""
    new = check("users", user("U2", agentSourcedIds="U8,U9"))
    assert list(new.frame["agentSourcedIds"]) == [""]
    assert new.valid.all()


def test_only_valid_records_are_checked() -> None:
    """What is held back already, or gone, has no more findings."""
    rows = [deleted(enrollment("E1", classSourcedId="C9")), changed(enrollment("E2", classSourcedId="C9", role="king"))]
    new = replace(look("enrollments", rows, mode=Mode.DELTA)[1], batches=())
    assert not check_references(new, KNOWN, SEED).batches


def test_a_table_of_which_nothing_is_known_is_not_checked_against() -> None:
    """Without the other table, references to it are let be."""
    assert not check("enrollments", enrollment("E1", classSourcedId="C9"), known={"users": KNOWN["users"]}).batches


# Across days ------------------------------------------------------------------------------------------------------


def test_known_records_are_looked_at_again_when_their_target_vanished() -> None:
    """Only records that stand and refer to what vanished are shaken."""
    rows = [enrollment("E1"), enrollment("E2", userSourcedId="U2"), enrollment("E3", userSourcedId="U2")]
    live = lived("enrollments", rows)
    standing = live.id != ids("E3")[0]
    found = shaken(live, standing, TABLES["enrollments"], {"users": ids("U2", "U7")})
    assert live.id[found].tolist() == ids("E2").tolist()
    assert not len(shaken(live, standing, TABLES["enrollments"], {}))


def after(*rows: dict[str, str] | str, live: Live | None = None, mode: Mode = Mode.BULK, keep_all: bool = False) -> Ids:
    """Return the ids of orgs that others may refer to."""
    live = live or lived("orgs", [org("O1"), org("O2"), org("O3")])
    scanned, new = look("orgs", rows, live, mode)
    broken = hash_ids(pa.array(scanned.broken, pa.large_string()), SEED)
    stay = stays(new, live, scanned.present(live), broken, keep_all=keep_all)
    return ids_after(new, live, stay, broken, scanned.batches)


def test_what_came_may_be_referred_to() -> None:
    """Known records that came again, and new valid ones; not what did not come."""
    assert after(org("O1"), org("O4")).known.tolist() == ids("O1", "O4").tolist()


def test_a_record_held_back_may_be_referred_to_if_it_has_a_good_version() -> None:
    """The last good version stays, so it counts; a new record held back does not."""
    found = after(org("O1", type="planet"), org("O9", type="planet"))
    assert found.known.tolist() == ids("O1").tolist()
    assert found.held[int(ids("O9")[0])] == Cause("invalid-enum", "orgs.csv", 3)


def test_a_broken_line_keeps_its_record_too() -> None:
    """A line that no reader may see holds its record back, with the scan's finding as the cause."""
    found = after("O1,too,few", "O9,too,few")
    assert found.known.tolist() == ids("O1").tolist()
    assert found.held[int(ids("O9")[0])] == Cause("field-count", "orgs.csv", None)
    assert after("O9,too,few").held[int(ids("O9")[0])].line == 2


@pytest.mark.parametrize("keep_all", [True, False])
def test_what_the_file_deletes_may_not_be_referred_to(*, keep_all: bool) -> None:
    """Where absence says nothing all stay, save those called deleted."""
    found = after(deleted(org("O1")), mode=Mode.DELTA, keep_all=keep_all)
    assert found.known.tolist() == (ids("O2", "O3") if keep_all else np.zeros(0)).tolist()
