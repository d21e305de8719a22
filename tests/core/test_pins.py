"""Pins: what their file says, what it must not say, and what they leave of a plan."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from roster_world import SEED, frame, owned_of

from ingestd.core.columns import arrow
from ingestd.core.hashing import find_unsorted, hash_ids, hash_rows
from ingestd.core.mapping import KEY_JOIN, Mapped, compared, key_text
from ingestd.core.model import Hashes, Kind, OnAbsent
from ingestd.core.pinfile import parse_pins
from ingestd.core.pins import Pinned, Pins, Spared, plan_pinned
from ingestd.core.plan import Owned
from ingestd.core.rules import OnUnmapped, Rule, Rules, Target
from schemas import shapes

PEOPLE = Target(
    "people", "users", ("id",), OnAbsent.DEACTIVATE, fields={name: Rule(const="") for name in ("id", "name", "email")}
)
PLACES = Target("places", "users", ("user", "place"), OnAbsent.DELETE, fields={"user": Rule(), "place": Rule()})
ORGS = Target("orgs", "orgs", ("sourcedId",), OnAbsent.DEACTIVATE)
RULES = Rules((PEOPLE, PLACES, ORGS), {}, OnUnmapped.HOLD_RECORD, "")
HEADER = "target,key,field\n"


def parse(*lines: str) -> Pins:
    """Return the pins of a file that has no faults."""
    pins, faults = parse_pins(HEADER + "\n".join(lines), RULES, shapes())
    assert not faults
    return pins


# The file ---------------------------------------------------------------------------------------------------------


def test_a_line_pins_a_record_or_a_field() -> None:
    """A blank field is the whole record, beside which its fields need no pin."""
    pins = parse("people,U1,", "people,U1,email", "people,U2,name", "people,U2,email", "", "orgs,S1,metadata.house")
    assert pins.targets == {"people": {"U1": (), "U2": ("email", "name")}, "orgs": {"S1": ("metadata.house",)}}


@pytest.mark.parametrize(
    ("cell", "key"),
    [('"U1,S1"', ("U1", "S1")), ('"U1, S1"', ("U1", "S1")), ('"""U,1"",S1"', ("U,1", "S1"))],
)
def test_a_key_of_several_fields_is_joined_by_commas(cell: str, key: tuple[str, str]) -> None:
    """As `explain` prints it, too; a field that has a comma itself is in quotes."""
    assert parse(f"places,{cell},").targets == {"places": {KEY_JOIN.join(key): ()}}


def test_a_key_of_one_field_is_taken_as_it_is() -> None:
    """A comma in it joins nothing."""
    assert parse('people," U,1 ",').targets == {"people": {" U,1 ": ()}}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("peple,U1,", "target 'peple' is not one of people, places, orgs; did you mean people?"),
        ("people,U1,mail", "field 'mail' is not one of id, name, email; did you mean email?"),
        ("people,U1,id", "id is of the key, which never changes; leave the field blank to pin the whole record"),
        ("places,U1,", "the key of places is 2 fields, user, place; join them by commas, in quotes"),
        ("people, ,", "the key is missing; write that of a record of people"),
        ("people,U1", "has 2 cells, not 3; a blank field pins the whole record, a key with a comma is in quotes"),
        ('people,"U1,', "is not CSV; close its quotes, and double those that are meant"),
    ],
)
def test_every_fault_is_told_with_its_line(line: str, fault: str) -> None:
    """Together with the faults of other lines, and with what to do; no key is told."""
    _, faults = parse_pins(f"{HEADER}people,U1,\nclasses,C1,\n{line}", RULES, shapes())
    assert faults[0].startswith("line 3: target 'classes' is not one of")
    assert faults[1:] == (f"line 4: {fault}",)


@pytest.mark.parametrize("text", ["", "people,U1,\n", "target;key;field\n"])
def test_a_file_begins_with_its_header(text: str) -> None:
    """Without it nothing is read: what would be the first pin may be meant as a header."""
    assert parse_pins(text, RULES, shapes())[1] == ("line 1: is not the header; write target,key,field",)


def test_the_fingerprint_is_of_the_pins() -> None:
    """It is blank without any, and does not depend on the order of lines."""
    assert Pins().fingerprint == parse().fingerprint == ""
    assert parse("people,U1,", "people,U2,").fingerprint == parse("people,U2,", "people,U1,").fingerprint
    assert parse("people,U1,").fingerprint != parse("people,U1,email").fingerprint


# The plan ---------------------------------------------------------------------------------------------------------


def people(*cells: str) -> pd.DataFrame:
    """Return people, each given as "id name email"."""
    return frame(**{name: [one.split(" ")[at] for one in cells] for at, name in enumerate(("id", "name", "email"))})


def desired(*cells: str) -> Mapped:
    """Return target records as the mapping gives them."""
    records = people(*cells)
    keys = hash_ids(key_text(records, PEOPLE.key), SEED)
    contents = hash_rows(records, compared(PEOPLE, list(records.columns)), SEED)
    return Mapped(PEOPLE, records, keys, contents, np.zeros(len(records), bool), {}, ())


def owned(*cells: str) -> Owned:
    """Return the same as what is owned."""
    there = desired(*cells)
    return owned_of(there.keys, there.contents, [arrow(there.frame["id"])])


def stamped(before: Owned, spared: Spared) -> Owned:
    """Return what is kept of the owned records once the stamp is recorded."""
    at = find_unsorted(before.keys, spared.stamp.keys)
    contents = np.append(spared.stamp.contents, np.uint64(0))[at]
    return replace(before, contents=np.where(at >= 0, contents, before.contents))


def pinned(*lines: str, returning: Hashes | None = None) -> Pinned:
    """Return pins of people, each given as "key,field"."""
    found = parse(*(f"people,{line}" for line in lines)).of("people", SEED)
    assert found
    return replace(found, returning=returning) if returning is not None else found


def told(spared: Spared) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the kinds of actions and their records."""
    return [
        (str(one.kind), [{str(name): cell for name, cell in row.items()} for row in one.frame.to_dict("records")])
        for one in spared.actions
    ]


def never() -> Mapped:
    """Say that the snapshot is not asked for."""
    raise AssertionError("what was desired before need not be known")


def test_a_pinned_record_gets_no_action() -> None:
    """It is not created, not updated and not removed; the others are, and what is left out is counted."""
    spared = plan_pinned(
        desired("1 Ann a", "2 Bo b", "4 Di d"),
        owned("1 Anna a", "2 Bob b", "3 Cy c", "5 Ed e"),
        pinned("1,", "3,", "4,"),
        never,
    )
    assert told(spared) == [("update", [{"id": "2", "name": "Bo", "email": "b"}]), ("remove", [{"id": "5"}])]
    assert spared.left_out == 3


def test_a_pinned_field_is_not_in_updates() -> None:
    """The record's other fields are updated, and other records wholly."""
    before = "1 Ann a", "2 Bob b"
    spared = plan_pinned(desired("1 Anna x", "2 Bo y"), owned(*before), pinned("1,email"), lambda: desired(*before))
    assert told(spared) == [
        ("update", [{"id": "2", "name": "Bo", "email": "y"}]),
        ("update", [{"id": "1", "name": "Anna"}]),
    ]
    assert spared.left_out == 0


def test_records_with_the_same_pins_are_updated_together() -> None:
    """There is a group of updates for each choice of fields, not for each record."""
    spared = plan_pinned(
        desired("1 A x", "2 B y", "3 C z"),
        owned("1 a a", "2 b b", "3 c c"),
        pinned("1,email", "2,email", "3,name"),
        lambda: desired("1 a a", "2 b b", "3 c c"),
    )
    assert told(spared) == [
        ("update", [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]),
        ("update", [{"id": "3", "email": "z"}]),
    ]


def test_the_change_of_a_pinned_field_alone_is_no_action() -> None:
    """Neither on the day of the pin, when what was desired before tells it, nor on a later one."""
    pins, before = pinned("1,email"), owned("1 Ann a")
    first = plan_pinned(desired("1 Ann x"), before, pins, lambda: desired("1 Ann a"))
    second = plan_pinned(desired("1 Ann y"), stamped(before, first), pins, never)
    assert (told(first), first.left_out) == (told(second), second.left_out) == ([], 1)


def test_a_new_pin_alone_is_no_action() -> None:
    """What is known of the record is kept in another way, and the snapshot is not asked."""
    spared = plan_pinned(desired("1 Ann a"), owned("1 Ann a"), pinned("1,email"), never)
    assert told(spared) == []
    assert len(spared.stamp.keys) == 1


@pytest.mark.parametrize("pin", ["1,", "1,email", "1,name"])
def test_a_pinned_record_is_another_one_without_its_pin(pin: str) -> None:
    """What is kept of it is not what the roster says, so that it will be updated, though the roster never changed."""
    before = owned("1 Ann a")
    kept = stamped(before, plan_pinned(desired("1 Ann a"), before, pinned(pin), never))
    spared = plan_pinned(desired("1 Ann a"), kept, pinned("9,"), never)
    assert told(spared) == [("update", [{"id": "1", "name": "Ann", "email": "a"}])]


def test_a_record_with_all_fields_pinned_is_not_updated() -> None:
    """There would be nothing in the update."""
    spared = plan_pinned(desired("1 Anna x"), owned("1 Ann a"), pinned("1,name", "1,email"), never)
    assert told(spared) == []


def test_a_record_with_a_pinned_field_is_removed_all_the_same() -> None:
    """The pin is of its value, not of its being there."""
    assert told(plan_pinned(desired(), owned("1 Ann a"), pinned("1,email"), never)) == [("remove", [{"id": "1"}])]


def test_a_new_record_is_created_with_its_pinned_field() -> None:
    """There is no value yet that could be kept; from then on it is."""
    first = plan_pinned(desired("1 Ann a"), owned(), pinned("1,email"), never)
    assert told(first) == [("create", [{"id": "1", "name": "Ann", "email": "a"}])]
    kept = replace(owned("1 Ann a"), contents=first.actions[0].contents)
    assert told(plan_pinned(desired("1 Ann x"), kept, pinned("1,email"), never)) == []


def test_a_record_that_comes_back_keeps_its_pinned_field() -> None:
    """It lies inactive in the application: it is updated, for a creation would set all fields."""
    spared = plan_pinned(
        desired("1 Ann a", "2 Bob b"), owned(), pinned("1,email", returning=desired("1 Ann a").keys), never
    )
    assert told(spared) == [
        ("create", [{"id": "2", "name": "Bob", "email": "b"}]),
        ("update", [{"id": "1", "name": "Ann"}]),
    ]
    assert [one.kind for one in spared.actions] == [Kind.CREATE, Kind.UPDATE]
