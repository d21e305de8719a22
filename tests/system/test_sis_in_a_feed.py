"""A feed whose student information system has names of its own for files and columns."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import TABLES, Roster, changed, csv_of, enrollment, members_of, pack, roster, without, zip_of
from places import FEED, Done, Place, codes_of, documents_of, invoke, live_of, once, place, states_of

SAMPLES = os.environ.get("INGESTD_SAMPLES")
OURS = """
name = "Our own SIS"
quirks = ["It is odd.", "So are its files."]
[files]
Organizations = "orgs"
Sections = "classes"
[headers.users]
"Person ID" = "sourcedId"
"Log In" = "username"
Schools = "orgSourcedIds"
[headers.enrollments]
Section = "classSourcedId"
"""
DAY_1 = roster(6)


def place_of(folder: Path, sis: str = OURS, more: str = "") -> Place:
    """Return a place whose feed names a sis file of its own."""
    (folder / "sis").mkdir(parents=True)
    (folder / "sis/ours.toml").write_text(sis, encoding="utf-8")
    return place(folder, head='sis = "ours"\n', more=f'\n[limits]\ndelete = "100%"\nper_org_delete = "100%"\n{more}')


def odd(tables: Roster) -> bytes:
    """Return a drop as that system writes it: names of files and columns of its own."""
    files: dict[str, str | bytes] = dict(members_of(tables))
    files["Organizations.csv"] = files.pop("orgs.csv")
    files["SECTIONS.csv"] = files.pop("classes.csv")
    for table, names in {
        "users": {"sourcedId": "Person ID", "username": "log in", "orgSourcedIds": "Schools"},
        "enrollments": {"classSourcedId": "Section"},
    }.items():
        header = TABLES[table].header
        rows = [{names.get(name, name): row[name] for name in header} for row in tables[table]]
        files[f"{table}.csv"] = csv_of(rows)
    return pack(files)


def told(document: Mapping[str, Any], code: str) -> set[tuple[str, str | None, str]]:
    """Return file, column and severity of a run's findings of one code."""
    found = [one for one in document["listed_findings"] if one["code"] == code]
    return {(one["file"], one["column"], one["severity"]) for one in found}


def test_a_drop_with_names_of_its_own_is_applied(tmp_path: Path) -> None:
    """As if it had the standard's, and each name is told."""
    where = place_of(tmp_path)
    assert once(where, odd(DAY_1)).code == 0
    (document,) = documents_of(where)
    assert (document["state"], document["modes"]["orgs"]) == ("applied", "bulk")
    assert live_of(where, "users", "username") == {f"U{number}": f"user{number}" for number in range(1, 7)}
    assert live_of(where, "enrollments", "classSourcedId")["E1"] == "C1"
    assert told(document, "file-alias") == {("orgs.csv", None, "info"), ("classes.csv", None, "info")}
    assert told(document, "header-alias") == {
        ("users.csv", "sourcedId", "info"),
        ("users.csv", "username", "info"),
        ("users.csv", "orgSourcedIds", "info"),
        ("enrollments.csv", "classSourcedId", "info"),
    }


def test_days_are_compared_across_both_ways_of_writing(tmp_path: Path) -> None:
    """A system that begins to write the standard's names changes nobody, and one record that changed is one."""
    where = place_of(tmp_path)
    gone = without(DAY_1, "enrollments", "E6")
    once(where, odd(DAY_1))
    once(where, zip_of(DAY_1))
    once(where, odd(changed(gone, "users", "U1", givenName="Other")))
    same, other = documents_of(where)[1:]
    assert (states_of(where), sum(same["actions"].get("users", {}).values())) == (["applied"] * 3, 0)
    assert other["changeset"]["users"] == {"created": 0, "updated": 1, "deleted": 0, "unchanged": 5}
    assert other["changeset"]["enrollments"]["deleted"] == 1


def test_other_names_that_are_learnt_later_are_read_in_what_is_known(tmp_path: Path) -> None:
    """A column that nobody could read fills all records once the sis file says what it is."""
    where = place_of(tmp_path, 'name = "Our own SIS"\n')
    rows = [{**one, "Nickname": f"Nick{number}"} for number, one in enumerate(DAY_1["users"])]
    for one in rows:
        del one["middleName"]
    drop = zip_of(DAY_1, users=csv_of(rows))
    once(where, drop)
    assert "unknown-column" in codes_of(documents_of(where)[-1])
    assert set(live_of(where, "users", "middleName").values()) == {""}
    (where.folder / "sis/ours.toml").write_text(
        'name = "Our own SIS"\n[headers.users]\nNickname = "middleName"\n', encoding="utf-8"
    )
    once(where, zip_of({**DAY_1, "enrollments": [*DAY_1["enrollments"], enrollment(7, userSourcedId="U1")]},
                       users=csv_of(rows)))  # fmt: skip
    assert live_of(where, "users", "middleName")["U3"] == "Nick2"


@pytest.mark.parametrize("code", ["file-alias", "header-alias"])
def test_strictness_rejects_what_has_other_names(tmp_path: Path, code: str) -> None:
    """A feed may have its sender held to the standard."""
    where = place_of(tmp_path, more=f'[repairs]\nstrict = ["{code}"]\n')
    assert once(where, odd(DAY_1)).code == 1
    assert {severity for *_, severity in told(documents_of(where)[-1], code)} == {"catastrophic"}


def test_two_files_for_one_table_are_rejected(tmp_path: Path) -> None:
    """None of them is read, and nothing is removed."""
    where = place_of(tmp_path, OURS.replace("Sections = ", 'Schools = "orgs"\nSections = '))
    once(where, odd(DAY_1))
    members = {"Organizations.csv": csv_of(DAY_1["orgs"]), "Schools.csv": csv_of(DAY_1["orgs"][:1])}
    rest = {name: text for name, text in members_of(DAY_1).items() if name != "orgs.csv"}
    assert once(where, pack({**rest, **members})).code == 1
    assert "duplicate-file" in codes_of(documents_of(where)[-1])
    assert len(live_of(where, "orgs", "name")) == 2


def check(where: Place, *more: str) -> Done:
    """Return what `config check` says."""
    return invoke(where, "config", "check", *more)


def test_config_check_tells_what_to_know_of_a_feed_s_system(tmp_path: Path) -> None:
    """For people line by line, for programs by feed."""
    where = place_of(tmp_path)
    assert f"{FEED}: Our own SIS\n  - It is odd.\n  - So are its files.\n" in check(where).out
    assert check(where, "--json").json["sis"] == {
        FEED: {"name": "Our own SIS", "quirks": ["It is odd.", "So are its files."]}
    }


# Other people's drops -----------------------------------------------------------------------------------------------

REST = """
name = "A system that writes the names of the REST API"
[headers.orgs]
parent = "parentSourcedId"
[headers.academicSessions]
parent = "parentSourcedId"
[headers.courses]
org = "orgSourcedId"
schoolYear = "schoolYearSourcedId"
[headers.classes]
course = "courseSourcedId"
school = "schoolSourcedId"
terms = "termSourcedIds"
[headers.users]
orgs = "orgSourcedIds"
[headers.enrollments]
user = "userSourcedId"
class = "classSourcedId"
school = "schoolSourcedId"
"""


@pytest.mark.skipif(not SAMPLES, reason="INGESTD_SAMPLES does not name the folder of sample drops")
def test_headers_of_the_rest_api_are_read_where_the_sis_says_so(tmp_path: Path) -> None:
    """The set usechalk is rejected for its headers alone; under a sis file that names them it is applied."""
    drop = (Path(str(SAMPLES)) / "usechalk.zip").read_bytes()
    plain, told_so = place(tmp_path / "plain"), place_of(tmp_path / "told", REST)
    once(plain, drop)
    once(told_so, drop)
    assert (states_of(plain), states_of(told_so)) == (["rejected"], ["applied"])
    assert "missing-column" in codes_of(documents_of(plain)[-1])
    assert "missing-column" not in codes_of(documents_of(told_so)[-1])
    assert set(live_of(told_so, "enrollments", "schoolSourcedId").values()) == {"org-springfield"}
