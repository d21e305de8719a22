"""What is particular to student information systems: the files that ship, and what becomes of one's own."""

from pathlib import Path

import pytest
from config_files import write

from ingestd.config import load, load_sis, shipped_folder
from ingestd.core.aliases import Aliases
from ingestd.core.pins import Pins
from ingestd.core.rules import Rules
from ingestd.policy import policy_of
from ingestd.rulebook import load_rules

SHIPPED = sorted((shipped_folder() / "sis").glob("*.toml"))
OURS = """
name = "Our own SIS"
quirks = ["It is odd."]
[identity]
username = "People: login"
key = "username"
[files]
Organizations = "orgs"
[headers.users]
"Log In" = "username"
[headers.orgs]
Title = "name"
"""


def rules() -> Rules:
    """Return the rules that every feed has that names none."""
    return load_rules(shipped_folder() / "rules/default.toml")


def reading(folder: Path, sis: str | None) -> str:
    """Return what decides how a feed's records are read, under a sis file of this text."""
    path = write(folder, springfield='sis = "ours"' if sis else "")
    if sis:
        (folder / "sis").mkdir(exist_ok=True)
        (folder / "sis/ours.toml").write_text(sis, encoding="utf-8")
    return policy_of(load(path).feeds["springfield"], rules(), Pins(), 1).terms.reading


def test_those_that_ship() -> None:
    """The systems whose rosters are most often sent as files."""
    assert [path.stem for path in SHIPPED] == [
        "aeries", "alma", "ascender", "aspen", "genesis", "infinite-campus", "powerschool", "skyward", "veracross",
    ]  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_that_ships_loads(path: Path) -> None:
    """It has a name, sentences for the operator, and sourcedId as the key; its comments tell fact from default."""
    sis, text = load_sis(path), path.read_text(encoding="utf-8")
    assert sis.name
    assert sis.quirks
    assert all(quirk[0].isupper() and quirk.endswith(".") for quirk in sis.quirks)
    assert sis.identity.key == "sourcedId"
    assert all(f"# {words}: " in text for words in ("Known", "Not known", "Only a default"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_feed_names_one_that_ships(path: Path, tmp_path: Path) -> None:
    """What is particular to the system is then the feed's."""
    feed = load(write(tmp_path, springfield=f'sis = "{path.stem}"')).feeds["springfield"]
    assert (feed.sis, feed.particulars) == (path, load_sis(path))


def test_a_feed_without_one(tmp_path: Path) -> None:
    """Nothing is particular to it."""
    assert load(write(tmp_path, springfield="")).feeds["springfield"].particulars is None


def test_other_names_become_the_sender_s_ways(tmp_path: Path) -> None:
    """In any case, and as the standard's."""
    (tmp_path / "sis").mkdir()
    (tmp_path / "sis/ours.toml").write_text(OURS, encoding="utf-8")
    feed = load(write(tmp_path, springfield='sis = "ours"')).feeds["springfield"]
    assert policy_of(feed, rules(), Pins(), 1).terms.ways.aliases == Aliases(
        {"organizations": "orgs"}, {"orgs": {"title": "name"}, "users": {"log in": "username"}}
    )


def test_records_are_read_anew_when_other_names_change(tmp_path: Path) -> None:
    """And only then: not for a quirk, a hint, or an order in the file."""
    headers = '[headers.orgs]\nTitle = "name"\n'
    swapped = OURS.replace(headers, "").replace("[headers.users]", f"{headers}[headers.users]")
    before = reading(tmp_path, OURS)
    assert reading(tmp_path, OURS.replace('"name"', '"identifier"')) != before
    assert reading(tmp_path, OURS.replace("Organizations", "Schools")) != before
    assert reading(tmp_path, None) != before
    assert reading(tmp_path, OURS.replace("odd", "very odd").replace("People", "Staff")) == before
    assert reading(tmp_path, swapped) == before
