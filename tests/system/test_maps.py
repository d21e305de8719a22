"""`ingestd maps`: what is found, what becomes of it, and what is still to be decided."""

import tomllib
from pathlib import Path

import pytest
from builders import changed, roster, zip_of
from places import FEED, Place, invoke, once, place, write_rules

RULES = """
[[table]]
name = "patrons"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
kind = { from = "grades", item = 1, map = "kinds" }
school = { from = "orgSourcedIds", item = 1, lookup = "orgs", take = "name", map = "schools" }
[maps]
on_unmapped = "hold_run"
[maps.kinds]
"09" = "High school"
[maps.schools]
"""
DAY_1 = changed(changed(roster(4), "users", "U2", grades="10,11"), "users", "U3", grades="")


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Return a feed whose run is held: two values have no entry."""
    made = place(tmp_path, rules=RULES)
    assert once(made, zip_of(DAY_1)).code == 3
    return made


def entries(where: Place) -> list[tuple[str, str, int, str | None]]:
    """Return what is listed."""
    found = invoke(where, "maps", FEED, "--json").json
    return [(one["map"], one["value"], one["count"], one["becomes"]) for one in found]


def test_the_values_of_a_held_run_are_listed_unmapped_first(where: Place) -> None:
    """Each value once with how often it is found; a blank, which no map is asked for, stays blank."""
    assert entries(where) == [
        ("kinds", "10", 1, None),
        ("schools", "High", 4, None),
        ("kinds", "09", 2, "High school"),
        ("kinds", "", 1, ""),
    ]


def test_what_is_unmapped_can_be_filled_in_and_put_into_the_rules(where: Place) -> None:
    """With both values decided the next plan holds nothing for them."""
    printed = invoke(where, "maps", FEED, "--toml").out
    assert tomllib.loads(printed) == {"maps": {"kinds": {"10": ""}, "schools": {"High": ""}}}
    decided = RULES.replace('"09" =', '"10" = "High school"\n"09" =').replace(
        "[maps.schools]", '[maps.schools]\n"High" = "1"'
    )
    write_rules(where, decided)
    assert {value: becomes for _, value, _, becomes in entries(where)} == {
        "09": "High school", "10": "High school", "": "", "High": "1",
    }  # fmt: skip
    assert invoke(where, "maps", FEED, "--toml").out == ""


def test_the_table_is_read_by_people(where: Place) -> None:
    """A row for each value, its map and where it is used."""
    lines = invoke(where, "maps", FEED).out.splitlines()
    assert lines[0].split() == ["map", "value", "becomes", "found", "for"]
    assert lines[1].split() == ["kinds", "10", "—", "not", "mapped", "1", "patrons.kind"]
    assert max(map(len, lines)) <= 80


def test_without_a_roster_or_a_map_there_is_nothing_to_list(tmp_path: Path) -> None:
    """Which is said."""
    empty = place(tmp_path)
    assert "no roster yet" in invoke(empty, "maps", FEED).out
    assert invoke(empty, "maps", FEED, "--json").json == []
