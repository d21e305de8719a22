"""The corpus of bad inputs: the verdict on each, its code, what stays as it was; and its clean twin, accepted."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from corpus import csv_shape, encoding, semantics, wrappers, zip_resource, zip_structure
from corpus.case import MEMORY, SECONDS, Case, Outcome, Verdict, World, as_expected, by_id, bytes_of

CLASSES: Mapping[str, Sequence[Case]] = {
    "zip-structure": zip_structure.CASES,
    "zip-resource": zip_resource.CASES,
    "wrappers": wrappers.CASES,
    "encoding": encoding.CASES,
    "csv-shape": csv_shape.CASES,
    "semantics": semantics.CASES,
}
LEAST = {"zip-structure": 64, "zip-resource": 16, "wrappers": 20, "encoding": 28, "csv-shape": 52, "semantics": 84}
"""How many bad inputs each class must have, and as many twins."""

UNTOUCHED = {Verdict.REJECTED, Verdict.WAITS, Verdict.HELD, Verdict.FAILED}
STATES = {Verdict.REJECTED: "rejected", Verdict.HELD: "held", Verdict.FAILED: "failed", Verdict.WAITS: Verdict.WAITS}
"""The state of a run by the verdict; the rest are applied."""
GRAVE = {"catastrophic", "error"}

each_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{kind}/{case.name}") for kind, cases in CLASSES.items() for case in cases]
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the feeds that take the inputs."""
    return World(tmp_path_factory.mktemp("corpus"))


def tells(case: Case, found: Outcome) -> bool:
    """Return whether a finding (or breach) of the case's code says what it should, of the place where it should."""
    told = [
        (one.get("file", one.get("table")), one.get("line"), str(one["message"]))
        for one in (*found.findings, *found.document.get("breaches", ()))
        if one["code"] == case.code
    ]
    return any(
        case.file in {None, file} and case.line in {None, line} and case.says in message for file, line, message in told
    )


def assert_bounded(found: Outcome) -> None:
    """Check what holds for each input, good or bad: it is done soon, in little memory, and no value comes out."""
    assert found.seconds <= SECONDS
    assert found.peak <= MEMORY
    assert not found.canaries


@each_case
def test_bad_input_has_its_verdict(case: Case, world: World) -> None:
    """It is judged as it should be, in a finding that names the place, and nothing else is touched."""
    found = world.take(case.bad, case)
    assert_bounded(found)
    assert found.state == STATES.get(case.verdict, "applied")
    assert tells(case, found) if case.code else found.codes <= case.also
    assert found.waiting is None or found.waiting.code == case.code
    grave = {str(one["code"]) for one in found.findings if one["severity"] in GRAVE}
    assert case.verdict in {Verdict.HELD, Verdict.FAILED} or bool(grave) is (case.verdict is not Verdict.ACCEPTED)
    if case.verdict in UNTOUCHED:
        assert found.is_untouched
    else:
        assert as_expected(found.target, case.after) == by_id(case.after)
        assert as_expected(found.snapshot, case.after) == by_id(case.after)
        assert found.document["held_back"] == case.held_back


@each_case
def test_clean_twin_is_accepted(case: Case, world: World) -> None:
    """The nearest legal input is taken over whole, and what is wrong with the bad one is not said of it."""
    found = world.take(case.twin, case)
    assert_bounded(found)
    assert found.state == "applied"
    assert case.code not in found.codes
    assert not [one for one in found.findings if one["severity"] in GRAVE]
    assert as_expected(found.target, case.twin_after) == by_id(case.twin_after)
    assert as_expected(found.snapshot, case.twin_after) == by_id(case.twin_after)


def test_every_class_is_complete() -> None:
    """Each class has the cases that it should have, each under a name of its own, and no input is there twice."""
    assert CLASSES.keys() == LEAST.keys()
    for kind, cases in CLASSES.items():
        assert len(cases) >= LEAST[kind]
        assert len({case.name for case in cases}) == len(cases)
    inputs = Counter((bytes_of(case.bad), case.feed) for cases in CLASSES.values() for case in cases)
    assert set(inputs.values()) == {1}
