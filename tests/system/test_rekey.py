"""Ids that change: a drop in which everybody has a new sourcedId."""

from pathlib import Path

from builders import Roster, breaches_of, documents_of, once, place, roster, states_of, target_of, user, zip_of

DAY_1 = roster(30)


def renamed(before: Roster, prefix: str = "2026-") -> Roster:
    """Return the roster with another sourcedId for every user, and all that refers to users changed with it."""
    users = [{**one, "sourcedId": f"{prefix}{one['sourcedId']}"} for one in before["users"]]
    enrollments = [{**one, "userSourcedId": f"{prefix}{one['userSourcedId']}"} for one in before["enrollments"]]
    return {**before, "users": users, "enrollments": enrollments}


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
