"""Scope in a feed: what is left out is not in the application, has a reason, and comes and goes like anything else."""

from datetime import UTC, datetime
from pathlib import Path

from builders import Roster, added, changed, csv_of, roster, row, user, zip_of
from places import FEED, Place, breaches_of, codes_of, documents_of, invoke, live_of, once, place, rows_of, snapshot_of

FREE = '\n[limits]\nupdate = "100%"\ndelete = "100%"\nper_org_delete = "100%"\n'
GUARDIAN = user(50, sourcedId="G1", role="guardian", agentSourcedIds="U1")
FAMILY = changed(added(roster(3), "users", GUARDIAN), "users", "U1", agentSourcedIds="G1")
SCHOOLS: Roster = {
    **roster(30),
    "orgs": [*roster()["orgs"], row("orgs", sourcedId="S2", name="Low", type="school", identifier="0002")],
    "users": [user(number, orgSourcedIds="S1" if number > 20 else "S2") for number in range(1, 31)],
}
"""Twenty users of school S2, whose classes are those of S1 all the same, and ten of S1."""
ADMINISTRATORS = """
[[table]]
name = "people"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
right = { template = "{role}{feed.administrator}", map = "right" }
[maps.right]
"student" = "none"
"administrator" = "none"
"administratortrue" = "all"
"studenttrue" = "some"
"""


def rescoped(where: Place, scope: str, more: str = FREE) -> Place:
    """Give the feed another scope."""
    return place(where.folder, more=more + scope)


def people(where: Place) -> set[str]:
    """Return the users in the application."""
    return set(live_of(where, "users", "role"))


def test_what_is_out_of_scope_is_not_in_the_application(tmp_path: Path) -> None:
    """It is kept in the snapshot, counted by table and reason, and listed by name on demand."""
    where = place(tmp_path, more=FREE + '\n[scope]\norgs = ["identifier:0001"]\n')
    assert once(where, zip_of(SCHOOLS)).code == 0
    assert people(where) == {f"U{number}" for number in range(21, 31)}
    assert len(live_of(where, "enrollments", "role")) == 10
    assert len(snapshot_of(where)["users"]) == 30
    document = documents_of(where)[-1]
    counts = {(one["table"], one["count"]) for one in document["left_out"] if "not in scope" in one["reason"]}
    assert counts == {("orgs", 2), ("users", 20)}
    assert invoke(where, "scope", FEED, "--json").json[1] == {
        "table": "users",
        "reason": "org",
        "why": "its org is not in scope (scope.orgs)",
        "count": 20,
        "of": 30,
    }
    listed = invoke(where, "scope", FEED, "enrollments", "--json").json
    assert [one["sourcedId"] for one in listed] == [f"E{number}" for number in range(1, 21)]
    assert "U20" in invoke(where, "scope", FEED, "users").out


def test_a_day_in_scope_is_like_any_other(tmp_path: Path) -> None:
    """One who moves to a school in scope is created, one who moves out of it removed, all others let be."""
    where = place(tmp_path, more=FREE + '\n[scope]\norgs = ["S1"]\n')
    once(where, zip_of(SCHOOLS))
    moved = changed(changed(SCHOOLS, "users", "U1", orgSourcedIds="S1"), "users", "U30", orgSourcedIds="S2")
    once(where, zip_of(moved))
    actions = documents_of(where)[-1]["actions"]
    assert actions["users"] == {"create": 1, "update": 0, "remove": 1}
    assert actions["enrollments"] == {"create": 1, "update": 0, "remove": 1}
    assert people(where) == {"U1", *(f"U{number}" for number in range(21, 30))}


def test_a_change_of_scope_is_planned_and_guarded_like_any_other(tmp_path: Path) -> None:
    """Two users in three would go: that is held; and with the former scope there is nothing to do."""
    where = place(tmp_path)
    once(where, zip_of(SCHOOLS))
    narrow = rescoped(where, '\n[scope]\norgs = ["S1"]\n', more="")
    plan = invoke(narrow, "plan", FEED, "--json")
    assert plan.code == 3
    assert ("too-many-deletes", "users") in breaches_of(plan.json)
    wide = rescoped(where, "", more="")
    assert invoke(wide, "plan", FEED, "--json").json["actions"] == {}


def test_an_org_of_the_scope_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It is told with every run; what else is in scope is taken."""
    where = place(tmp_path, more=FREE + '\n[scope]\norgs = ["S1", "identifier:9999"]\n')
    assert once(where, zip_of(SCHOOLS)).code == 1
    document = documents_of(where)[-1]
    assert document["state"] == "applied"
    assert "listed-org-missing" in codes_of(document)
    assert len(people(where)) == 10


def test_contacts_are_kept_and_not_passed_on(tmp_path: Path) -> None:
    """Nor does a student name them, until the feed asks for them."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(FAMILY))
    assert people(where) == {"U1", "U2", "U3"}
    assert live_of(where, "users", "agentSourcedIds")["U1"] == ""
    assert len(snapshot_of(where)["users"]) == 4
    once(rescoped(where, "\n[scope]\ncontacts = true\n"), zip_of(changed(FAMILY, "users", "U2", grades="10")))
    assert people(where) == {"U1", "U2", "U3", "G1"}
    assert live_of(where, "users", "agentSourcedIds")["U1"] == "G1"


def test_the_last_contact_leaves_nothing_behind(tmp_path: Path) -> None:
    """A feed whose roster has no contacts any more is as one that never had any."""
    where = place(tmp_path, more=FREE)
    once(where, zip_of(FAMILY))
    once(where, zip_of(roster(3)))
    once(where, zip_of(added(roster(3), "users", user(4))))
    assert people(where) == {"U1", "U2", "U3", "U4"}
    assert documents_of(where)[-1]["actions"]["users"] == {"create": 1, "update": 0, "remove": 0}


def test_user_flags_are_neither_kept_nor_passed_on_unless_asked_for(tmp_path: Path) -> None:
    """They are the most private column there is."""
    flags = "metadata.microsoft.userFlags"
    rows = [{**one, flags: "homeless"} for one in roster(3)["users"]]
    drop = zip_of(roster(3), users=csv_of(rows))
    where = place(tmp_path, more=FREE)
    once(where, drop)
    for database in (where.store(), where.target()):
        assert b"homeless" not in database.read_bytes()
    rows[1]["grades"] = "10"
    once(rescoped(where, "\n[scope]\nuser_flags = true\n"), zip_of(roster(3), users=csv_of(rows)))
    assert set(live_of(where, "users", flags).values()) == {"homeless"}


def test_a_class_comes_in_when_its_day_has_come(tmp_path: Path) -> None:
    """Without a drop: the daily tick plans anew, and so the class goes again some days after its end."""
    where = place(tmp_path, more=FREE + "\n[scope]\nclass_lead_days = 14\nclass_archive_after_days = 14\n")
    longer = row("academicSessions", sourcedId="T2", title="2027", type="schoolYear", schoolYear="2027")
    longer |= {"startDate": "2025-08-20", "endDate": "2027-06-12"}
    days = changed(added(roster(3), "academicSessions", longer), "classes", "C2", termSourcedIds="T1,T2")
    drop = zip_of(changed(days, "enrollments", "E3", classSourcedId="C2"))
    seen = []
    for number, day in enumerate(("2025-08-01", "2025-08-05", "2025-08-06", "2026-06-26", "2026-06-27")):
        now = datetime.fromisoformat(f"{day}T12:00:00+00:00").astimezone(UTC)
        feed = where.feed(clock=lambda now=now: now)  # type: ignore[misc]
        if not number:
            feed.take_file(where.drop(drop))
        feed.tick(now, lambda: False)
        feed.close()
        seen.append(len(live_of(where, "classes", "title")) if rows_of(where.target(), "select 1 from classes") else 0)
    assert seen == [0, 0, 2, 2, 1]


def test_nobody_is_an_administrator_by_the_data_alone(tmp_path: Path) -> None:
    """Rules see whom the feed names, by id, username or address; one who is nobody is told by place, not by name."""
    named = 'administrators = ["U1", "USER3@springfield.example", "gone@springfield.example"]\n'
    where = place(tmp_path, head=named, more=FREE, rules=ADMINISTRATORS)
    days = changed(changed(roster(3), "users", "U1", role="administrator"), "users", "U2", role="administrator")
    once(where, zip_of(days))
    assert live_of(where, "people", "right", key="id") == {"U1": "all", "U2": "none", "U3": "some"}
    document = documents_of(where)[-1]
    assert "listed-admin-missing" in codes_of(document)
    assert "gone" not in str(document)
