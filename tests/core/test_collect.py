"""Lists of what refers to a record, beside a model that goes from record to record."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from roster_world import frame

from ingestd.core.collect import collect
from ingestd.core.rules import Collect

TEACHERS = Collect("enrollments", "classSourcedId", "userSourcedId", {"role": ("teacher",)}, ("-primary",))
ROWS = [("C1", "U3", "teacher", ""), ("C1", "U2", "teacher", "true"), ("C2", "U1", "student", ""),
        ("C1", "U1", "teacher", ""), ("C1", "U3", "teacher", "")]  # fmt: skip


def lists(rule: Collect, rows: Sequence[tuple[str, ...]], *ids: str) -> list[str]:
    """Return the lists that some classes get from these enrollments: class, user, role, primary."""
    names = ("classSourcedId", "userSourcedId", "role", "primary")
    related = frame(**{name: [row[i] for row in rows] for i, name in enumerate(names)})
    return list(collect(frame(sourcedId=ids), related, rule)[0].to_pylist())


def test_a_list_has_what_is_wanted_in_its_order_once() -> None:
    """The primary teacher comes first, then the lesser id; a student is no teacher; who has none has a blank."""
    assert lists(TEACHERS, ROWS, "C1", "C2", "C3") == ["U2,U1,U3", "", ""]


def test_nobody_gives_nothing() -> None:
    """No records on either side are no fault."""
    assert lists(TEACHERS, [], "C1") == [""]
    assert lists(TEACHERS, ROWS) == []


def test_who_refers_by_a_list_refers_to_each() -> None:
    """A guardian of two students is in both lists."""
    guardians = Collect("users", "agentSourcedIds", "sourcedId")
    related = frame(sourcedId=["G1", "G2"], agentSourcedIds=["S1,S2", "S2"])
    assert collect(frame(sourcedId=["S1", "S2"]), related, guardians)[0].to_pylist() == ["G1", "G1,G2"]


OWN = frame(sourcedId=["S1", "S2", "S3"], agentSourcedIds=["G2,G1,X9", "", "G3"])
PEOPLE = frame(
    sourcedId=["G1", "G2", "G3", "S1", "S2", "S3"],
    agentSourcedIds=["S1,S2", "", "", "G2,G1,X9", "", "G3"],
    role=["parent", "guardian", "aide", "student", "student", "student"],
)
CONTACTS = Collect("users", None, "sourcedId", {"role": ("parent", "guardian")}, of="agentSourcedIds")


def test_a_record_s_own_list_is_taken_in_its_order() -> None:
    """As far as what it names is there and is what is wanted: X9 is nobody, and an aide is no contact."""
    assert collect(OWN, PEOPLE, CONTACTS)[0].to_pylist() == ["G2,G1", "", ""]


def test_both_directions_make_one_list() -> None:
    """The own list comes first; who refers back and stands in it already is there once."""
    both = replace(CONTACTS, by="agentSourcedIds")
    assert collect(OWN, PEOPLE, both)[0].to_pylist() == ["G2,G1", "G1", ""]


def test_a_list_ends_where_the_rules_say() -> None:
    """And the lists that would be longer are counted."""
    lists, crowded = collect(OWN, PEOPLE, replace(CONTACTS, most=1))
    assert (lists.to_pylist(), crowded) == (["G2", "", ""], 1)


WORDS = st.sampled_from(["", "A", "B", "C"])


@given(
    st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["teacher", "student"]), st.sampled_from(["", "true", "false"])))
)
def test_lists_are_those_of_the_model(rows: Sequence[tuple[str, ...]]) -> None:
    """Whatever the records and their order."""
    ids = ["A", "B", "D"]
    wanted = [
        [row[1] for row in sorted(sorted(rows, key=lambda one: one[1]), key=lambda one: one[3], reverse=True)
         if row[0] == one and row[1] and row[2] == "teacher"]
        for one in ids
    ]  # fmt: skip
    assert lists(TEACHERS, rows, *ids) == [",".join(dict.fromkeys(one)) for one in wanted]
