"""The shipped profiles, each through the same days: what the application then has, as files that anyone can read.

The days are in `tests/profiles/days`; a profile's folder has its feed's settings, and per day the run and the tables of
the application. `pytest --accept` rewrites them: look at what changed against the rules in README and the profile.
Profiles for CSVs publish those, and what they publish must pass the format's validator, which knows nothing of ours.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rosters
from builders import pack
from formats import apple, canvas, sds
from places import FEED, Place, invoke, place, rows_of, tables_of
from rosters import completed, files_of
from story_days import overlay, pack_day

from ingestd.config import shipped
from ingestd.core.manifest import render
from ingestd.core.state import State

PROFILES = Path(__file__).parents[1] / "profiles"
NAMES = sorted(path.name for path in PROFILES.iterdir() if path.name != "days")
DAYS = {
    number: datetime.fromisoformat(f"{day}T12:00:00+00:00").astimezone(UTC)
    for number, day in enumerate(("2026-01-20", "2026-02-02", "2026-06-08", "2026-06-09"), 1)
}
FREE = """
[limits]
delete = "100%"
update = "100%"
per_org_delete = "100%"
max_held_back = "100%"
"""
VALIDATORS = {"apple-school-manager": apple.faults, "microsoft-sds": sds.faults, "canvas": canvas.faults}
PUBLISHED = {*VALIDATORS, "oneroster"}
LEFT = ("state", "actions", "held_back", "breaches", "left_out")
INITIAL_PASSWORD = ("# create_only", "# initial_password")
"""How the lines of `formative` begin that few want; its story has them."""


def configured(profile: str, folder: Path, feed: str) -> Place:
    """Return a feed with the profile's rules and these settings, and limits that hold nothing."""
    text = shipped("rules", profile).read_text(encoding="utf-8")
    for line in INITIAL_PASSWORD:
        text = text.replace(line, line.removeprefix("# "))
    where = place(folder, rules=text)
    sink = '\n[[sinks]]\nkind = "csvzip"\npath = "out.zip"\n' if profile in PUBLISHED else ""
    (where.folder / "feeds" / f"{FEED}.toml").write_text(f'rules = "own"\n{feed}{FREE}{sink}', encoding="utf-8")
    return where


def days(profile: str, folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Live through the days; yield what there is to see after each, as texts by the names of files."""
    feed_toml = (PROFILES / profile / "feed.toml").read_text(encoding="utf-8")
    where, files = configured(profile, folder / "place", feed_toml), dict[str, bytes]()
    for number, now in DAYS.items():
        day = PROFILES / "days" / str(number)
        feed = where.feed(clock=lambda now=now: now)  # type: ignore[misc]
        try:
            if day.exists():
                files = overlay(files, day)
                files["manifest.csv"] = render("1.1", {name.removesuffix(".csv"): "bulk" for name in files})
                feed.take_file(pack_day(folder / f"day-{number}.zip", files, number))
            feed.tick(now, lambda: False)
            document = feed.finished[-1].document if feed.finished else {}
        finally:
            feed.close()
        yield number, {"run.json": told(document), **(published(where) if profile in PUBLISHED else kept(where))}


def told(document: Mapping[str, Any]) -> str:
    """Return what came of a run, without what differs from run to run."""
    found = {name: document[name] for name in LEFT if document.get(name)}
    found["findings"] = sorted({one["message"] for one in document.get("listed_findings", ())})
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def kept(where: Place) -> dict[str, str]:
    """Return the target tables as CSV, in the order of their keys."""
    found = {}
    for table, columns in tables_of(where.target()).items():
        shown = [name for name in columns if name not in {"_run", "_changed_at"}]
        if table.startswith("_"):
            continue
        out = io.StringIO()
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(shown)
        lines.writerows(
            sorted(
                rows_of(
                    where.target(), f'select {", ".join(f"{chr(34)}{one}{chr(34)}" for one in shown)} from "{table}"'
                )
            )
        )
        found[f"{table}.csv"] = out.getvalue()
    return found


def published(where: Place) -> dict[str, str]:
    """Return the CSVs as they are published."""
    with zipfile.ZipFile(where.state / "out.zip") as package:
        return {name: package.read(name).decode("utf-8") for name in package.namelist()}


@pytest.mark.parametrize("profile", NAMES)
def test_profile(profile: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each day's run and tables are what is expected; what is published passes the format's validator."""
    for number, found in days(profile, tmp_path):
        folder = PROFILES / profile / str(number)
        if request.config.getoption("--accept"):
            folder.mkdir(exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            for name, text in found.items():
                (folder / name).write_bytes(text.encode("utf-8"))
        expected = {path.name: path.read_bytes().decode("utf-8") for path in folder.iterdir()}
        assert found == expected, f"day {number}: look at it, then: pytest --accept"
        files = {name: text.encode("utf-8") for name, text in found.items() if name != "run.json"}
        assert VALIDATORS.get(profile, lambda _files: [])(files) == []


def test_what_is_passed_on_as_oneroster_is_a_roster(tmp_path: Path) -> None:
    """`ingestd check` finds nothing in it that was not in what came: each reference leads somewhere."""
    for number, _found in days("oneroster", tmp_path):
        checked = invoke(None, "check", tmp_path / "place" / "var" / "out.zip", "--json")
        assert (number, checked.code, checked.json["findings"]) == (number, 0, [])


@pytest.mark.parametrize("profile", sorted(VALIDATORS))
def test_a_roster_of_1_2_gives_the_same_tables(profile: str, tmp_path: Path) -> None:
    """There the roles of users are a table of their own; what is published passes the validator all the same."""
    where = configured(profile, tmp_path / "place", "[scope]\ndemographics = true\n")
    drop = where.drop(pack(files_of("1.2", completed("1.2", rosters.roster("1.2")))))
    feed = where.feed()
    assert feed.take_file(drop).state is State.APPLIED
    feed.close()
    found = published(where)
    assert VALIDATORS[profile]({name: text.encode("utf-8") for name, text in found.items()}) == []
    people = "staff.csv" if profile == "apple-school-manager" else "users.csv"
    assert len(found[people].splitlines()) > 1
