"""What the commands print: within 80 columns, the same words as the report, and no markup from others' names."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from report_documents import ALL, DIGEST, applied, document, failed, held, rejected, said
from rich.console import Console, RenderableType

from ingestd.cli import screen
from ingestd.core.findings import batch


def shown(draw: RenderableType | Callable[[Console], None], width: int = 80) -> str:
    """Return what a terminal of that width shows, without colours."""
    out = Console(file=StringIO(), width=width, highlight=False)
    if callable(draw):
        draw(out)
    else:
        out.print(draw)
    assert isinstance(out.file, StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines())


def run(about: dict[str, Any]) -> str:
    """Return a run as it is shown."""
    return shown(lambda out: screen.print_run(about, out))


@pytest.mark.parametrize("name", sorted(ALL))
def test_run_fits_80_columns(name: str) -> None:
    """No line of a run is wider than 80 columns."""
    assert max(map(len, run(ALL[name]()).splitlines())) <= 80


def test_run_begins_with_its_state_in_words() -> None:
    """The state is a word, not only a colour."""
    assert run(held()).startswith("HELD  springfield.17  roster.zip\nNothing has been changed.\n")


def test_held_run_ends_with_what_to_do() -> None:
    """The last lines of a held run are commands that fit, with enough of the digest."""
    told = run(held())
    assert told.endswith("    ingestd discard springfield.17")
    assert f"    ingestd release springfield.17 --plan {DIGEST[: screen.DIGITS]}\n" in told


def test_rejected_run_tells_first_what_rejects_it() -> None:
    """A rejected run's findings stand before what came, gravest first."""
    told = run(rejected())
    places = [told.index(word) for word in ("REJECTS THE DROP", "ERROR", "WARNING", "REPAIRED", "What came")]
    assert places == sorted(places)


def test_run_shows_what_failed_and_why() -> None:
    """What was done and what failed are columns, the reasons lie under them."""
    told = run(failed())
    assert re.search(r"patrons +120 +680 +0 +620\n  patrons: 620 actions: HTTP 503", told)


def test_run_says_what_was_left_out() -> None:
    """What scope leaves out is told with its reason, and its count where there is one."""
    told = run(applied())
    assert "  118 of classes: the class begins in more than 14 days\n" in told
    assert "  demographics: scope.demographics is false\n" in told


def test_names_of_others_are_neither_markup_nor_commands_to_the_terminal() -> None:
    """A drop called like markup, or with terminal codes, is shown as it is called, `?` for what is not printable."""
    assert run(document("duplicate", drop="[/red]a\x1b[2Jb.zip")).splitlines()[0].endswith("  [/red]a?[2Jb.zip")


def test_remedy_keeps_its_brackets() -> None:
    """A remedy that names a table of the configuration shows its brackets."""
    found = said(batch("zip-too-large", detail="x"))["listed_findings"]
    assert "raise [package]." in shown(screen.findings(found))


def test_report_path_is_one_line() -> None:
    """A long path is not broken, so that it can be copied."""
    folder = "/srv/ingestd/" + "x" * 90
    assert f"Report: {folder}/report.html" in run(held() | {"folder": folder}).splitlines()


def test_plan_that_is_held_says_how_to_consent() -> None:
    """A held plan has the digest in full, and the commands to consent and to refuse."""
    told = shown(lambda out: screen.print_plan(held(), out))
    assert f"Digest: {DIGEST}\n" in told
    assert "ingestd release springfield.17" in told
    assert "ingestd plan" not in told


def test_plan_without_actions_says_so() -> None:
    """A plan that has nothing to do says that."""
    empty: dict[str, Any] = {"listed_findings": [], "changeset": {}, "actions": {}, "digest": None, "breaches": []}
    told = shown(lambda out: screen.print_plan({"state": "planned", "feed": "a", "run": None, **empty}, out))
    assert told == "PLANNED  a\n\nNothing to do."


def test_check_of_a_sound_package() -> None:
    """A package without findings is accepted in so many words."""
    found = {"verdict": "accepted", "tables": {"orgs": {"rows": 1, "valid": 1, "held_back": 0}}, "findings": []}
    told = shown(lambda out: screen.print_check("a.zip", found, out))
    assert told.startswith("ACCEPTED  a.zip\n")
    assert told.endswith("Nothing is wrong with it.")


def test_runs_fit_and_numbers_are_aligned() -> None:
    """Runs are a line each, their numbers aligned on the right."""
    every = [ALL[name]() | {"run": f"springfield.{n}"} for n, name in enumerate(sorted(ALL))]
    lines = shown(screen.runs(every)).splitlines()
    assert len(lines) == 1 + len(every)
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= 80


def test_table_breaks_long_texts_only() -> None:
    """In a table that is too wide the long column is broken, a time or a number never."""
    told = shown(screen.table("", ("when", "what", "count#"), [("2026-11-22 06:00", "word " * 40, 1_234_567)]))
    assert "2026-11-22 06:00" in told
    assert "1,234,567" in told
    assert max(map(len, told.splitlines())) <= 80
