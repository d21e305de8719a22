"""Rules files from disk: what a feed adds to them, and what they add to a feed."""

from pathlib import Path

import pytest
from places import FEED, place, write_rules

from ingestd.config import load
from ingestd.errors import ConfigError
from ingestd.rulebook import rules_of

RULES = """
[feed]
required = ["orgs", "users"]
scope = { contacts = true, orgs = ["S1"] }
[[table]]
name = "people"
from = "users"
key = ["id"]
[table.fields]
id = { from = "sourcedId" }
kind = { from = "role", map = "kind" }
[maps.kind]
"student" = "pupil"
"teacher" = "staff"
"""


def test_a_feed_has_entries_of_its_own_in_the_value_maps(tmp_path: Path) -> None:
    """They come before those of the file, which stay otherwise."""
    where = place(tmp_path, rules=RULES, head='maps = { kind = { student = "learner", aide = "helper" } }\n')
    assert rules_of(load(where.config).feeds[FEED]).maps["kind"] == {
        "student": "learner",
        "teacher": "staff",
        "aide": "helper",
    }


def test_an_entry_of_no_map_is_told_with_the_feed_s_file(tmp_path: Path) -> None:
    """And the nearest name."""
    where = place(tmp_path, rules=RULES, head='maps = { kinds = { aide = "helper" } }\n')
    with pytest.raises(ConfigError) as caught:
        rules_of(load(where.config).feeds[FEED])
    assert caught.value.problems == (
        "feeds/springfield.toml: maps.kinds: the rules own have no [maps.kinds]; did you mean kind?",
    )


def test_rules_say_how_a_feed_is_unless_it_says_otherwise(tmp_path: Path) -> None:
    """Setting by setting, also within a table."""
    where = place(tmp_path, rules=RULES, more="\n[scope]\norgs = []\ndemographics = true\n")
    feed = load(where.config).feeds[FEED]
    assert feed.required == ("orgs", "users")
    assert (feed.scope.contacts, feed.scope.orgs, feed.scope.demographics) == (True, (), True)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ('[feed]\nrequire = ["orgs"]\n', 'feed.require: is not a setting; allowed here: … did you mean "required"?'),
        ("[feed.scope]\ncontacts = 1\n", "feed.scope.contacts: 1 is not true or false"),
        ('feed = "x"\n', "feed: must be a table of a feed's settings"),
    ],
)
def test_what_rules_say_of_feeds_is_checked_by_itself(tmp_path: Path, said: str, fault: str) -> None:
    """The fault is told once for the rules file, not for the feed's."""
    where = place(tmp_path, rules="")
    write_rules(where, said)
    with pytest.raises(ConfigError) as caught:
        load(where.config)
    (problem,) = caught.value.problems
    begin, _, end = fault.partition("…")
    assert problem.startswith(f"{where.folder / 'rules' / 'own.toml'}: {begin}")
    assert problem.endswith(end)
