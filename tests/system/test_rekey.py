"""Ids that change: a drop in which everybody has a new sourcedId."""

from pathlib import Path

import pytest
from builders import changed, renamed, roster, row, user, without, zip_of
from places import (
    FEED,
    Place,
    breaches_of,
    documents_of,
    invoke,
    live_of,
    once,
    place,
    rows_of,
    snapshot_of,
    stamped_target_of,
    states_of,
    target_of,
    write_rules,
)

DAY_1 = roster(30)
PLACES = """
[[table]]
name = "places"
from = "users"
each = "orgSourcedIds"
key = ["user", "place"]
on_absent = "delete"
[table.fields]
user = { from = "sourcedId" }
place = { from = "orgSourcedIds" }

[[table]]
name = "logins"
from = "users"
key = ["login"]
[table.fields]
login = { from = "username" }
"""
MAPPED = """
[[table]]
name = "people"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
name = { from = "username" }
kind = { from = "grades", item = 1, map = "kind" }
[maps.kind]
"09" = "High"
"""


DAY_2 = renamed(DAY_1)


def test_a_mass_change_of_ids_is_held(tmp_path: Path) -> None:
    """It is called what it is, beside the breaches that it causes; nothing is done."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    before = target_of(where)
    assert once(where, zip_of(DAY_2)).code == 3
    assert states_of(where) == ["applied", "held"]
    assert breaches_of(documents_of(where)[-1]) >= {("ids-changed", "users"), ("table-emptied", "users")}
    told = next(one for one in documents_of(where)[-1]["breaches"] if one["code"] == "ids-changed")
    assert told["message"] == "30 of 30 users would be removed and come again under another sourcedId"
    assert target_of(where) == before


def test_no_limit_lets_a_change_of_ids_pass(tmp_path: Path) -> None:
    """A sixth of the users is less than these limits allow, and yet it is no turnover."""
    where = place(tmp_path, more='\n[limits]\ndelete = "100%"\nper_org_delete = "100%"\nupdate = "100%"\n')
    once(where, zip_of(DAY_1))
    some = renamed({**DAY_1, "users": DAY_1["users"][:5], "enrollments": DAY_1["enrollments"][:5]})
    rest = {**DAY_1, **{name: some[name] + DAY_1[name][5:] for name in ("users", "enrollments")}}
    once(where, zip_of(rest))
    assert states_of(where)[-1] == "held"
    assert breaches_of(documents_of(where)[-1]) == {("ids-changed", "users")}


def test_a_turnover_is_no_change_of_ids(tmp_path: Path) -> None:
    """Others come for those who go."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    others = [user(100 + number) for number in range(30)]
    once(where, zip_of({**DAY_1, "users": others, "enrollments": DAY_1["enrollments"][:0]}))
    assert "ids-changed" not in {code for code, _ in breaches_of(documents_of(where)[-1])}


# The change of ids --------------------------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path) -> Place:
    """Return a place where a drop with other ids for everybody is held."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    once(where, zip_of(DAY_2))
    return where


def suggested(where: Place) -> Path:
    """Return the list that the held run suggests, as a file."""
    path = where.folder / "ids.csv"
    path.write_text(invoke(where, "rekey", FEED, "--suggest").out)
    return path


def listed(where: Place, *lines: str, header: str = "old,new") -> Path:
    """Return a list of ids, as a file."""
    path = where.folder / "ids.csv"
    path.write_text("".join(f"{line}\n" for line in (header, *lines)))
    return path


def test_ids_change_in_place(held: Place) -> None:
    """The list that the held run suggests is used: all stay who they are, nobody is removed or created."""
    path = suggested(held)
    assert path.read_text().splitlines()[:2] == ["table,old,new", "users,U1,2026-U1"]
    done = invoke(held, "rekey", FEED, path, "--json")
    assert (done.code, done.json["state"], done.json["rekey"]) == (0, "applied", {"users": 30})
    assert done.json["actions"] == {
        "users": {"rekey": 30, "create": 0, "update": 0, "remove": 0},
        "patrons": {"rekey": 30, "create": 0, "update": 0, "remove": 0},
        "enrollments": {"create": 0, "update": 30, "remove": 0},
    }
    assert done.json["changeset"]["users"] == {"created": 0, "updated": 30, "deleted": 0, "unchanged": 0}
    assert done.json["fields"] == {"users": {"sourcedId": 30}, "enrollments": {"userSourcedId": 30}}
    assert set(live_of(held, "users", "username")) == {f"2026-U{number}" for number in range(1, 31)}
    assert len(rows_of(held.target(), "SELECT 1 FROM users")) == 30


def test_after_it_the_held_drop_changes_nothing(held: Place) -> None:
    """It is planned anew when it is looked at: what was a turnover is nothing to do."""
    invoke(held, "rekey", FEED, suggested(held))
    planned = invoke(held, "plan", FEED, "--json")
    assert (planned.code, planned.json["breaches"], planned.json["actions"]) == (0, [], {})
    assert planned.json["changeset"]["users"] == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 30}
    assert planned.json["changeset"]["enrollments"]["unchanged"] == 30
    before = stamped_target_of(held)
    assert invoke(held, "release", f"{FEED}.2", "--plan", planned.json["digest"]).code == 0
    assert stamped_target_of(held) == before
    assert once(held, zip_of(changed(DAY_2, "users", "2026-U1", givenName="Ann"))).code == 0
    assert documents_of(held)[-1]["actions"]["users"] == {"create": 0, "update": 1, "remove": 0}


def test_the_store_is_as_if_the_ids_had_always_been_the_new_ones(held: Place, tmp_path: Path) -> None:
    """Snapshot and owned records equal those of a feed that never knew the old ids."""
    invoke(held, "rekey", FEED, suggested(held))
    other = place(tmp_path / "other")
    once(other, zip_of(DAY_2))
    assert snapshot_of(held) == snapshot_of(other)
    assert target_of(held) == target_of(other)


def test_a_story_goes_on_under_the_new_id(held: Place) -> None:
    """`explain` tells it under both ids, and what the application has of it."""
    invoke(held, "rekey", FEED, suggested(held))
    for sourced_id in ("2026-U1", "U1"):
        story = invoke(held, "explain", FEED, "users", sourced_id, "--values", "--json").json
        assert [(one["run"], one["what"]) for one in story["events"]] == [
            (f"{FEED}.1", "created"),
            (f"{FEED}.3", "rekeyed"),
        ]
        assert story["events"][1]["columns"] == {"sourcedId": ["U1", "2026-U1"]}
    found = invoke(held, "explain", FEED, "users", "2026-U1", "--json").json["owned"]
    assert {"target": "users", "key": "2026-U1", "active": True} in found


def test_keys_that_rules_make_of_ids_change_too(tmp_path: Path) -> None:
    """A record per user and school, and one whose key has nothing of the id, which is not touched."""
    where = place(tmp_path, rules=PLACES)
    once(where, zip_of(changed(DAY_1, "users", "U1", orgSourcedIds="S1,D1")))
    done = invoke(where, "rekey", FEED, listed(where, "U1,N1", "U2,N2"), "--json").json
    assert done["actions"] == {"places": {"rekey": 3, "create": 0, "update": 0, "remove": 0}}
    done = invoke(where, "rekey", FEED, listed(where, "S1,N-S1"), "--table", "orgs", "--json").json
    assert done["actions"] == {"places": {"rekey": 30, "create": 0, "update": 0, "remove": 0}}
    rows = rows_of(where.target(), "SELECT user, place FROM places WHERE user LIKE 'N%' ORDER BY 1, 2")
    assert rows == [("N1", "D1"), ("N1", "N-S1"), ("N2", "N-S1")]
    assert invoke(where, "plan", FEED, "--json").json["actions"] == {}


def test_lists_of_ids_and_ids_of_other_tables_change_too(tmp_path: Path) -> None:
    """Agents of users, and demographics, whose ids are those of users."""
    where = place(tmp_path, more="\n[scope]\ndemographics = true\n")
    agents = changed(DAY_1, "users", "U3", agentSourcedIds="U1,U2")
    once(where, zip_of({**agents, "demographics": [row("demographics", sourcedId="U1", sex="female")]}))
    assert invoke(where, "rekey", FEED, listed(where, "U1,N1")).code == 0
    assert live_of(where, "users", "agentSourcedIds")["U3"] == "N1,U2"
    assert live_of(where, "demographics", "sex") == {"N1": "female"}
    assert len(rows_of(where.target(), "SELECT 1 FROM demographics")) == 1


def test_a_record_held_back_keeps_what_it_had_under_its_new_key(tmp_path: Path) -> None:
    """A value that no map has holds the record back (law 1): its key changes, and nothing else of it."""
    where = place(tmp_path, rules=MAPPED)
    once(where, zip_of(DAY_1))
    once(where, zip_of(changed(DAY_1, "users", "U1", grades="12", username="other")))
    done = invoke(where, "rekey", FEED, listed(where, "U1,N1"), "--json").json
    assert done["actions"] == {"people": {"rekey": 1, "create": 0, "update": 0, "remove": 0}}
    assert live_of(where, "people", "name", key="id")["N1"] == "user1"


def test_what_the_application_has_under_the_new_id_already_is_not_lost(tmp_path: Path) -> None:
    """Someone who left and comes back under the same id: that record is made active, the other one is removed."""
    where = place(tmp_path)
    once(where, zip_of(DAY_1))
    once(where, zip_of(without(without(DAY_1, "enrollments", "E2"), "users", "U2")))
    done = invoke(where, "rekey", FEED, listed(where, "U1,U2"), "--json").json
    assert done["actions"]["users"] == {"create": 1, "update": 0, "remove": 1}
    assert live_of(where, "users", "username")["U2"] == "user1"
    assert rows_of(where.target(), "SELECT _active FROM users WHERE sourcedId = 'U1'") == [(0,)]


def test_ids_can_change_back(held: Place) -> None:
    """As long as nobody else has the old ones: the same records have them again."""
    before = target_of(held)
    invoke(held, "rekey", FEED, suggested(held))
    back = listed(held, *(f"2026-U{number},U{number}" for number in range(1, 31)))
    assert invoke(held, "rekey", FEED, back).code == 0
    assert target_of(held) == before
    assert once(held, zip_of(changed(DAY_1, "users", "U1", givenName="Ann"))).code == 0
    assert documents_of(held)[-1]["actions"]["users"] == {"create": 0, "update": 1, "remove": 0}


def test_what_else_is_to_be_planned_is_guarded(tmp_path: Path) -> None:
    """New rules change everybody in the same run: it is held, looked at and released like any other."""
    where = place(tmp_path, rules=MAPPED)
    once(where, zip_of(DAY_1))
    write_rules(where, MAPPED.replace('"High"', '"Upper"') + '[maps.other]\n"1" = "2"\n')
    path = listed(where, "U1,N1")
    assert invoke(where, "rekey", FEED, path).code == 3
    assert breaches_of(documents_of(where)[-1]) == {("too-many-updates", "people")}
    planned = invoke(where, "plan", FEED, "--json").json
    assert planned["actions"] == {"people": {"rekey": 1, "create": 0, "update": 30, "remove": 0}}
    assert invoke(where, "release", planned["run"], "--plan", planned["digest"]).code == 0
    assert live_of(where, "people", "kind", key="id")["N1"] == "Upper"


def test_what_a_list_would_do_can_be_looked_at(held: Place) -> None:
    """The plan that its run has, with reasons to consent or not; nothing is changed by looking."""
    before = snapshot_of(held), target_of(held), states_of(held)
    shown = invoke(held, "rekey", FEED, suggested(held), "--preview", "--json").json
    assert shown["actions"]["users"] == {"rekey": 30, "create": 0, "update": 0, "remove": 0}
    assert "30" in invoke(held, "rekey", FEED, suggested(held), "--preview").out
    assert (snapshot_of(held), target_of(held), states_of(held)) == before
    assert invoke(held, "rekey", FEED, suggested(held), "--json").json["digest"] == shown["digest"]
    assert invoke(held, "rekey", FEED, "--suggest", "--preview").code == 2


# Mistakes -----------------------------------------------------------------------------------------------------------

MISTAKES = {
    "unknown ids": (["X1,N1", "X2,N2", "U1,N3"], ["users: 2 old ids are not live (X1, X2)"]),
    "ids that are taken": (["U1,U2"], ["users: 1 new id is live already (U2)"]),
    "all at once": (["X1,U2"], ["1 old id is not live (X1)", "1 new id is live already (U2)"]),
    "twice": (["U1,N1", "U1,N2", "U2,N2"], ["line 3: the old id is on", "line 4: the new id is on"]),
    "blank": (["U1,", "U2,a b"], ["lines 2, 3: the new id is blank, or has characters"]),
    "nothing": (["U1,U1"], ["no id that changes"]),
    "ragged": (["U1,N1,x", "U2"], ["it cannot be read as CSV"]),
    "many": ([f"X{n},N{n}" for n in range(9)], ["9 old ids are not live (X0, X1, X2, X3, X4 and 4 more)"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_changes_nothing(held: Place, mistake: str) -> None:
    """All that is wrong with a list is told, with exit code 2, before there is a run."""
    lines, said = MISTAKES[mistake]
    before = snapshot_of(held), target_of(held), states_of(held)
    done = invoke(held, "rekey", FEED, listed(held, *lines))
    assert done.code == 2
    assert all(words in done.err for words in said), done.err
    assert (snapshot_of(held), target_of(held), states_of(held)) == before


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ("from,to", "U1,N1", "its header is not old,new"),
        ("table,old,new", "pupils,U1,N1", "there is no table 'pupils'"),
    ],
)
def test_a_list_has_a_header(held: Place, header: str, line: str, said: str) -> None:
    """The columns old and new, and table, which names one of OneRoster's."""
    done = invoke(held, "rekey", FEED, listed(held, line, header=header))
    assert (done.code, said in done.err) == (2, True)


def test_a_list_is_named_or_asked_for(held: Place) -> None:
    """Not both, not neither; and a list is made of a drop that is held."""
    assert invoke(held, "rekey", FEED).code == 2
    assert invoke(held, "rekey", FEED, suggested(held), "--suggest").code == 2
    invoke(held, "discard", f"{FEED}.2")
    done = invoke(held, "rekey", FEED, "--suggest")
    assert (done.code, "is held" in done.err) == (2, True)
