"""Stories of a few days each, as folders that anyone can read; `pytest --accept` rewrites what is expected.

The first day of every story is `golden/base`. A folder for each further day says in `story.txt` what happens and has
the files that are others than the day before; `users.csv.absent` stands for a file that is left out. `feed.toml` and
`rules.toml` hold from that day on. A day with a file `tick` has no drop: the feed re-plans at its time of day.
`expected.json` has, for each day after the base, the plan and the reports, without what differs from run to run and
without noughts.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from places import FEED, Place, live_of, place, write_rules
from story_days import overlay, pack_day

GOLDEN = Path(__file__).parents[1] / "golden"
STORIES = sorted(path.name for path in GOLDEN.iterdir() if path.name != "base")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLANNED = ("digest", "changeset", "breaches", "actions", "held_back", "fields")
REPORTED = ("state", "oneroster", "modes", "tables", "findings", "listed_findings", "left_out", *PLANNED)


def days_of(story: str) -> list[Path]:
    """Return the folders of a story's days, the base first."""
    further = [path for path in (GOLDEN / story).iterdir() if path.is_dir()]
    return [GOLDEN / "base", *sorted(further, key=lambda path: int(path.name))]


def configure(where: Place, days: list[Path]) -> None:
    """Write the settings and rules that hold on the last of the days."""
    feed, rules = ([path for day in days if (path := day / name).exists()] for name in ("feed.toml", "rules.toml"))
    if rules:
        write_rules(where, rules[-1].read_text(encoding="utf-8"))
    text = ('rules = "own"\n' if rules else "") + feed[-1].read_text(encoding="utf-8")
    (where.folder / "feeds" / f"{FEED}.toml").write_text(text, encoding="utf-8")


def tell(story: str, folder: Path) -> list[dict[str, Any]]:
    """Live through a story; return what came out each day."""
    where, files, told = place(folder / "place"), dict[str, bytes](), []
    days = days_of(story)
    for number, day in enumerate(days, 1):
        configure(where, days[:number])
        files = overlay(files, day)
        now = NOON + timedelta(days=number)
        drop = None if (day / "tick").exists() else pack_day(folder / f"day-{number}.zip", files, number)
        told.append({"day": number, **live_through(where, drop, now), "patrons": live_of_patrons(where)})
    return told[1:] or told


def live_of_patrons(where: Place) -> int:
    """Return how many active patrons there are."""
    return len(live_of(where, "patrons", "patron_id", key="patron_id"))


def live_through(where: Place, drop: Path | None, now: datetime) -> dict[str, Any]:
    """Plan a day and then run it; return the plan and the report."""
    feed = where.feed(clock=lambda: now)
    try:
        planned = feed.preview(drop).document
        if drop is not None:
            feed.take_file(drop)
        feed.tick(now, lambda: False)
        runs = [run.id for run in feed.finished]
        folders = [feed.filing.find(run) for run in runs]
        reports = [json.loads((folder / "report.json").read_text()) for folder in folders if folder]
    finally:
        feed.close()
    return {"plan": reduced(planned, PLANNED), "reports": [reduced(report, REPORTED) for report in reports]}


def reduced(document: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what of a document is the same in every run of the story, and is not nothing."""
    kept: dict[str, Any] = pruned({name: document[name] for name in names if name in document})
    return kept


def pruned(value: Any) -> Any:
    """Return a value without noughts, blanks and what is empty."""
    if isinstance(value, dict):
        return {name: kept for name, one in value.items() if (kept := pruned(one)) not in (0, None, "", {}, [])}
    return [pruned(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each day's plan is what is expected, and its report tells of the same plan."""
    told = tell(story, tmp_path)
    expected = GOLDEN / story / "expected.json"
    if request.config.getoption("--accept"):
        expected.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert told == json.loads(expected.read_text(encoding="utf-8")), "look at it, then: pytest --accept"
    for day in told:
        last = day["reports"][-1]
        assert day["plan"] == {name: last[name] for name in PLANNED if name in last}
