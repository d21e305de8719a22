"""`ingestd explain-code`: one code or several, of findings and of breaches, or the list of all."""

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from ingestd.cli import main
from ingestd.cli.codes import Code
from ingestd.core.catalogue import BREACHES, CATALOGUE

EVERY = sorted({*CATALOGUE, *BREACHES})
FIELDS = ["code", "kind", "severity", "switchable", "title", "message", "cause", "remedy", "source"]


def explain(*words: str) -> Result:
    """Run the command, where there is no configuration."""
    return CliRunner().invoke(main, ["--config", "/nonexistent/ingestd.toml", "explain-code", *words])


def told(*words: str) -> list[dict[str, Any]]:
    """Return what the command prints as JSON."""
    ran = explain("--json", *words)
    assert ran.exit_code == 0
    found: list[dict[str, Any]] = json.loads(ran.output)
    return found


@pytest.mark.parametrize("code", EVERY)
def test_every_code_is_explained_within_80_columns(code: str) -> None:
    """A code is told by its title, its cause and its remedy, and no line is wider than 80 columns."""
    ran = explain(code)
    assert ran.exit_code == 0
    assert max(map(len, ran.output.splitlines())) <= 80
    entries = [entry for entry in (CATALOGUE.get(code), BREACHES.get(code)) if entry]
    words = " ".join(ran.output.split())
    assert all(entry.title in words and entry.cause in words for entry in entries)


def test_a_code_is_told_whole() -> None:
    """What it says, why, what to do, what it does and by which rule, in this order."""
    assert explain("field-count").output.splitlines() == [
        "A comma too many or too few",
        "field-count, error",
        "  Says    the line has more or fewer fields than the header",
        "  Why     A value has a comma in it and is not quoted, a quote is missing, or",
        "          fields at the end were left out because they are blank.",
        "  To do   Look for a stray comma or quote. Have the exporter quote values and",
        "          write every field.",
        "  Effect  It holds the record back. What was accepted of it earlier stays.",
        "  Rule    CSV Binding 1.2, section 3; RFC 4180",
    ]


def test_what_is_switchable_is_said_to_be() -> None:
    """A repair, or a warning that strictness makes an error, says by which setting."""
    assert "repairs.strict" in explain("byte-order-mark").output
    assert "repairs.strict" not in explain("ignored-file").output


def test_a_code_of_a_finding_and_of_a_breach_is_told_as_both() -> None:
    """An empty file is a finding of the drop, and a breach of the run."""
    assert [one["kind"] for one in told("empty-file")] == ["finding", "breach"]
    assert [one["kind"] for one in told("too-many-deletes")] == ["breach"]


def test_several_codes_are_told_in_the_order_given() -> None:
    """Each once, however often it is named."""
    codes = [one["code"] for one in told("header-case", "field-count", "header-case")]
    assert codes == ["header-case", "field-count"]


def test_json_has_the_same_fields_for_all() -> None:
    """Without a code all are told, each with all fields; of a breach some are null."""
    every = told()
    assert {tuple(one) for one in every} == {tuple(FIELDS)}
    assert len(every) == len(CATALOGUE) + len(BREACHES)
    assert {one["kind"] for one in every if one["severity"] is None} == {"breach"}


def test_the_list_has_a_line_for_each_code() -> None:
    """Without a code all are listed with their titles, within 80 columns."""
    lines = explain().output.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [(code, entry.title) for code, entry in CATALOGUE.items()]
    titles += [(code, entry.title) for code, entry in BREACHES.items()]
    for code, title in titles:
        assert [line for line in lines if line.split()[:1] == [code] and line.endswith(f"  {title}")]


@pytest.mark.parametrize(
    ("word", "question"),
    [
        ("feld-count", "did you mean field-count?"),
        ("Duplicate-File", "did you mean duplicate-file, "),
        ("date", "invalid-date"),
        ("zzz", "`ingestd explain-code` lists all"),
    ],
)
def test_an_unknown_code_is_answered_with_the_nearest(word: str, question: str) -> None:
    """A code that is none is a fault of usage, and the codes that it may have been are named."""
    ran = explain(word)
    assert ran.exit_code == 2
    assert question in ran.output


def test_all_unknown_codes_are_named_at_once() -> None:
    """Two wrong codes are two lines, and the right one between them is not told."""
    ran = explain("aa-aa", "field-count", "bb-bb")
    assert ran.exit_code == 2
    assert [line.split(";")[0] for line in ran.output.splitlines()] == [
        "ingestd: there is no code aa-aa",
        "ingestd: there is no code bb-bb",
    ]


def test_codes_are_completed_with_their_titles() -> None:
    """A shell is offered the codes that begin so, of findings and breaches, with what they are called."""
    command = main.commands["explain-code"]
    found = Code().shell_complete(click.Context(command), command.params[0], "too-many-d")
    assert [(one.value, one.help) for one in found] == [
        ("too-many-deletes", "Too many records would go"),
        ("too-many-deletes-in-org", "Too many records of one org would go"),
    ]
