"""Records against the schema of their table."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from reading_files import ORGS, SEED, codes, frame_of, told, validate_rows

from ingestd.core.findings import batch
from ingestd.core.model import Cause, Mode, Severity
from ingestd.core.validate import Candidates, content_of, recall
from schemas import load

TABLES = load("1.1")
USERS = TABLES["users"]
ORG = {"sourcedId": "o-1", "name": "A", "type": "school"}
USER = {
    "sourcedId": "u-1", "enabledUser": "true", "orgSourcedIds": "o-1", "role": "student", "username": "a",
    "givenName": "A", "familyName": "B",
}  # fmt: skip
STATE = {"status": "active", "dateLastModified": "2026-08-20T18:25:43.511Z"}


def contents(new: Candidates) -> list[int]:
    """Return what is compared of records."""
    found: list[int] = content_of(new.frame, SEED).tolist()
    return found


def test_valid() -> None:
    """A record without fault is neither held back nor gone, and there is nothing to tell."""
    new = validate_rows(ORGS, ORG, {**ORG, "sourcedId": "o-2"})
    assert (new.valid.tolist(), new.batches, new.causes, new.note_names) == ([True, True], (), {}, ())
    assert (new.hash.tolist(), new.lines.tolist(), len(new)) == ([1, 2], [2, 3], 2)


@pytest.mark.parametrize(
    ("table", "record", "change", "code"),
    [
        (ORGS, ORG, {"sourcedId": ""}, "required-value"),
        (ORGS, ORG, {"sourcedId": "o 1"}, "invalid-guid"),
        (ORGS, ORG, {"sourcedId": " "}, "required-value"),
        (ORGS, ORG, {"sourcedId": "\ufeffo-1"}, "invalid-guid"),
        (ORGS, ORG, {"sourcedId": "x" * 256}, "invalid-guid"),
        (ORGS, ORG, {"type": "pub"}, "invalid-enum"),
        (ORGS, ORG, {"name": ""}, "required-value"),
        (ORGS, ORG, {"name": "   "}, "required-value"),
        (ORGS, ORG, {"name": "\N{NO-BREAK SPACE}"}, "required-value"),
        (USERS, USER, {"enabledUser": "1"}, "invalid-boolean"),
        (USERS, USER, {"orgSourcedIds": "o-1,,o-2"}, "invalid-guid"),
        (USERS, USER, {"orgSourcedIds": " "}, "required-value"),
    ],
)
def test_required_value_that_is_wrong(
    table: object, record: Mapping[str, str], change: dict[str, str], code: str
) -> None:
    """It holds back its record and no other, and is told once with column and line."""
    (column,) = change
    other = {**record, "sourcedId": "x-2"}
    new = validate_rows(table, other, {**record, **change}, {**other, "sourcedId": "x-3"})  # type: ignore[arg-type]
    errors = [one for one in new.batches if one.severity is Severity.ERROR]
    assert told(errors) == [(code, column, (3,))]
    assert new.held.tolist() == [False, True, False]
    assert new.causes == {1: Cause(code, "orgs.csv" if table is ORGS else "users.csv", 3)}


@pytest.mark.parametrize(
    ("table", "column", "value", "why"),
    [
        ("orgs", "parentSourcedId", "o 0", "characters"),
        ("users", "agentSourcedIds", "u-1,u 2", "characters"),
    ],
)
def test_optional_value_that_is_wrong(table: str, column: str, value: str, why: str) -> None:
    """It is left out with a warning that says why, and its record is valid and carries a note."""
    record = {"orgs": ORG, "users": USER}[table]
    new = validate_rows(TABLES[table], record, {**record, "sourcedId": "x-2", column: value})
    (found,) = [one for one in new.batches if one.code == "dropped-value"]
    assert (found.severity, found.column, found.lines) == (Severity.WARNING, column, (3,))
    assert why in found.message
    assert new.valid.all()
    assert new.frame[column].tolist() == ["", ""]
    assert ("dropped-value", column) in new.note_names
    assert new.notes[0] == 0 != new.notes[1]


@pytest.mark.parametrize(("column", "value"), [("status", "gone"), ("dateLastModified", "20/8/2026")])
def test_what_bulk_passes_over_cannot_be_wrong(column: str, value: str) -> None:
    """A bulk file should leave the column blank; what it holds instead is noted, and neither checked nor left out."""
    new = validate_rows(ORGS, {**ORG, column: value})
    assert [(one.severity, one.column) for one in new.batches] == [(Severity.INFO, column)]
    assert new.frame[column].tolist() == [value]


def test_value_left_out_is_no_content() -> None:
    """A record without its wrong value has the content of one that never had it."""
    wrong, none = contents(validate_rows(ORGS, {**ORG, "parentSourcedId": "o 0"}, ORG))
    assert wrong == none


def test_status_and_date_are_no_content() -> None:
    """A record of which only these differ has not changed."""
    one, other = contents(validate_rows(ORGS, {**ORG, **STATE}, ORG, mode=Mode.BULK))
    assert one == other


def test_repaired_value_is_the_content() -> None:
    """What was repaired compares as if it had been right."""
    one, other = contents(validate_rows(ORGS, {**ORG, "type": "School"}, ORG))
    assert one == other


def test_metadata_is_content() -> None:
    """A change in the vendor's own column is a change."""
    frame = frame_of(ORGS, ORG, ORG).assign(**{"metadata.x": ["1", "2"]})
    assert len(set(content_of(frame, SEED).tolist())) == 2


def test_repairs_are_information() -> None:
    """A repair is told with its first line and its count, is noted, and holds nothing back."""
    records = ({**ORG, "sourcedId": f"o-{i}", "type": "SCHOOL" if i else "school"} for i in range(4))
    new = validate_rows(ORGS, *records)
    (found,) = new.batches
    assert (found.code, found.severity, found.lines, found.count) == ("enum-case", Severity.INFO, (3,), 3)
    assert (new.notes.tolist(), new.note_names) == ([0, 1, 1, 1], (("enum-case", "type"),))
    assert new.valid.all()


@pytest.mark.parametrize("strict", [True, ("enum-case",)])
def test_strict_repairs_hold_back(strict: bool | tuple[str, ...]) -> None:
    """A repair that is not allowed holds its records back, and tells each line."""
    records = [{**ORG, "sourcedId": f"o-{i}", "type": "SCHOOL" if i else "school"} for i in range(4)]
    new = validate_rows(ORGS, *records, strict=strict)
    (found,) = new.batches
    assert (found.severity, found.lines, found.count) == (Severity.ERROR, (3, 4, 5), 3)
    assert new.held.tolist() == [False, True, True, True]
    assert new.causes[1] == Cause("enum-case", "orgs.csv", 3)


def test_strict_about_something_else() -> None:
    """Strictness names what it means."""
    assert validate_rows(ORGS, {**ORG, "type": "SCHOOL"}, strict=("boolean-case",)).valid.all()


def test_gone() -> None:
    """A record marked tobedeleted is gone; one that is held back is not."""
    gone = {**ORG, **STATE, "status": "tobedeleted"}
    new = validate_rows(ORGS, ORG | STATE, gone, {**gone, "sourcedId": "o 1"}, mode=Mode.DELTA)
    assert (new.gone.tolist(), new.held.tolist()) == ([False, True, False], [False, False, True])
    assert new.valid.tolist() == [True, False, False]


def test_id_is_enough_to_delete_by() -> None:
    """A record that is to be deleted may lack or misstate everything else: it is gone, with a warning."""
    new = validate_rows(ORGS, {**ORG, **STATE, "status": "tobedeleted", "name": "", "type": "pub"}, mode=Mode.DELTA)
    assert (new.gone.tolist(), new.held.tolist()) == ([True], [False])
    assert told(new.batches) == [("incomplete-deletion", "name", (2,)), ("incomplete-deletion", "type", (2,))]
    assert {one.severity for one in new.batches} == {Severity.WARNING}


def test_inactive_is_gone() -> None:
    """Status Inactive is read as tobedeleted, also in bulk."""
    new = validate_rows(ORGS, ORG, {**ORG, "sourcedId": "o-2", "status": "Inactive"})
    assert new.gone.tolist() == [False, True]
    assert codes(new.batches) == ["inactive-status", "tobedeleted-in-bulk"]


def test_inactive_refused() -> None:
    """Where that repair is not allowed the record is held back, and so not gone."""
    new = validate_rows(ORGS, {**ORG, "status": "inactive"}, strict=("inactive-status",))
    assert (new.gone.tolist(), new.held.tolist()) == ([False], [True])


@pytest.mark.parametrize("column", ["status", "dateLastModified"])
@pytest.mark.parametrize(("value", "code"), [("", "required-value"), ("x", "invalid-")])
def test_delta_tells_its_state(column: str, value: str, code: str) -> None:
    """In a delta status and dateLastModified are required, in bulk they are not."""
    record = ORG | STATE | {column: value}
    new = validate_rows(ORGS, record, mode=Mode.DELTA)
    assert new.held.all()
    assert [(one.column, one.code.startswith(code)) for one in new.batches] == [(column, True)]
    assert validate_rows(ORGS, record, mode=Mode.BULK).valid.all()


def test_causes_are_the_first_findings() -> None:
    """Of several faults the first in the order of columns is a record's cause; all are told."""
    new = validate_rows(ORGS, {"sourcedId": "o-1"})
    assert new.causes == {0: Cause("required-value", "orgs.csv", 2)}
    assert [one.column for one in new.batches] == ["name", "type"]


def test_hold() -> None:
    """More records are held back with their own cause; an earlier cause stays."""
    new = validate_rows(ORGS, ORG, {**ORG, "name": ""}, ORG)
    found = batch("duplicate-sourcedid", file="orgs.csv", lines=[3, 4])
    held = new.hold(np.array([False, True, True]), [found], "duplicate-sourcedid")
    assert held.held.tolist() == [False, True, True]
    assert {i: cause.code for i, cause in held.causes.items()} == {1: "required-value", 2: "duplicate-sourcedid"}
    assert codes(held.batches) == ["required-value", "duplicate-sourcedid"]
    assert new.held.tolist() == [False, True, False]


def test_no_records() -> None:
    """Nothing new is nothing to validate, in every table and mode."""
    for table in TABLES.values():
        for mode in (Mode.BULK, Mode.DELTA):
            new = validate_rows(table, mode=mode)
            assert (len(new), new.batches, len(contents(new))) == (0, (), 0)


def test_hashes_are_not_shared() -> None:
    """The candidates' hashes may change without those of the scan."""
    hashes = np.array([5], np.uint64)
    new = replace(validate_rows(ORGS, ORG), hash=hashes.copy())
    new.hash[0] = 0
    assert hashes[0] == 5


def test_recall() -> None:
    """What known records carry is told again, each code and column once with count and first line of today."""
    names = (("enum-case", "type"), ("dropped-value", "parentSourcedId"), ("bulk-date", "dateLastModified"))
    found = list(recall(ORGS, np.array([1, 3, 0, 1]), np.array([9, 4, 2, 7]), names))
    assert [(one.code, one.column, one.lines, one.count) for one in found] == [
        ("enum-case", "type", (4,), 3),
        ("dropped-value", "parentSourcedId", (4,), 1),
    ]
    assert [one.severity for one in found] == [Severity.INFO, Severity.WARNING]


def test_recall_of_everything_that_is_noted() -> None:
    """Whatever validation notes can be recalled."""
    record = {
        **USER, "status": "Active", "dateLastModified": "yesterday", "enabledUser": "TRUE", "role": "Student",
        "orgSourcedIds": "o-1, o-2", "agentSourcedIds": "a b", "grades": "KG, 01", "password": "x",
    }  # fmt: skip
    new = validate_rows(USERS, record)
    found = list(recall(USERS, new.notes, new.lines, new.note_names))
    assert new.valid.all()
    assert [(one.code, one.column) for one in found] == list(new.note_names)
    assert len(found) == 9
