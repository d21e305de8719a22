"""The catalogue: every code is told whole, in the same manner, and without a value of the data."""

import re
from string import Formatter
from typing import Any

import pytest

from ingestd.core.catalogue import BREACHES, CATALOGUE, GROUPS, WORDS, BreachEntry, Entry, fill, read_back, words_of
from ingestd.core.findings import batch, strict
from ingestd.core.model import Batch, Severity

EVERY: dict[str, Entry | BreachEntry] = {**CATALOGUE, **{f"breach {code}": one for code, one in BREACHES.items()}}
TITLE = 37
"""So wide may a title be for code, severity and title to fit 80 columns."""
MILD = (Severity.WARNING, Severity.INFO)
ENGLISH = re.compile(r"[ -~]+")


def texts(entry: Entry | BreachEntry) -> dict[str, str]:
    """Return all that an entry says, by field."""
    return {name: value for name in type(entry).__slots__ if type(value := getattr(entry, name)) is str}


def filled(code: str, words: dict[str, str]) -> Batch:
    """Return a finding whose message is filled with these words."""
    given: dict[str, Any] = dict(words)
    return batch(code, **given)


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_code_is_a_kebab_case_noun(code: str) -> None:
    """A code has small letters, digits and single hyphens, and fits the list of codes."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert len(code) <= 27


@pytest.mark.parametrize("code", EVERY)
def test_nothing_is_left_unsaid(code: str) -> None:
    """Every field of every entry has text, in plain ASCII, without a blank too many."""
    said = texts(EVERY[code])
    assert {"title", "cause", "remedy"} <= set(said)
    for name, text in said.items():
        assert text or name == "together"
        assert not text or ENGLISH.fullmatch(text)
        assert text == " ".join(text.split())


@pytest.mark.parametrize("code", EVERY)
def test_causes_and_remedies_are_sentences(code: str) -> None:
    """They begin with a capital and end in a full stop; a cause has no word that a message would have to fill."""
    for text in (EVERY[code].cause, EVERY[code].remedy):
        assert text[0].isupper()
        assert text.endswith(".")
    assert words_of(EVERY[code].cause) == ()


@pytest.mark.parametrize("code", EVERY)
def test_titles_are_short_names(code: str) -> None:
    """A title is no sentence, and no longer than a line of the list of codes has room for."""
    assert len(EVERY[code].title) <= TITLE
    assert not EVERY[code].title.endswith(".")


def test_titles_are_unique() -> None:
    """No two codes are called the same, of findings and breaches together."""
    titles = [entry.title.casefold() for entry in EVERY.values()]
    assert len(set(titles)) == len(titles)


def test_no_code_is_in_two_groups() -> None:
    """The groups are the catalogue, each code once."""
    assert [code for entries in GROUPS.values() for code in entries] == list(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_messages_are_parts_of_a_sentence(code: str) -> None:
    """A message begins small or with a name, and has no full stop: what shows it makes it a sentence."""
    first = CATALOGUE[code].message.split()[0]
    assert first[0].islower() or first[0] == "{" or first == "OneRoster"
    assert CATALOGUE[code].message.endswith("...") or not CATALOGUE[code].message.endswith(".")


def test_words_of_messages_are_documented() -> None:
    """Every word that a message is filled with is listed with what it holds, and none that no message has."""
    used = {word for entry in CATALOGUE.values() for word in words_of(entry.message)}
    assert used == set(WORDS)


def test_no_word_is_a_value_of_the_data() -> None:
    """A message is filled with names, counts and ids: no word is called value or cell (law 9)."""
    assert not {word for word in WORDS if re.search("value|cell|text|content|found|got", word)}


@pytest.mark.parametrize("code", CATALOGUE)
def test_words_are_plain(code: str) -> None:
    """A template's words have no format of their own; a remedy has only those that its message can tell."""
    for template in (CATALOGUE[code].message, CATALOGUE[code].remedy):
        assert all(not spec and not conversion for _, word, spec, conversion in Formatter().parse(template) if word)
    assert set(words_of(CATALOGUE[code].remedy)) <= set(words_of(CATALOGUE[code].message))


@pytest.mark.parametrize("code", [code for code, entry in CATALOGUE.items() if entry.together])
def test_what_is_said_of_many_ids_names_none(code: str) -> None:
    """It has the words of the message but for the id and its count."""
    assert set(words_of(CATALOGUE[code].together)) == set(words_of(CATALOGUE[code].message)) - {"id", "count"}


@pytest.mark.parametrize("code", CATALOGUE)
def test_severities_are_consistent(code: str) -> None:
    """Only what is mild can be switched to an error, and what rejects a drop or a record cannot be."""
    assert CATALOGUE[code].severity in MILD or not CATALOGUE[code].switchable


@pytest.mark.parametrize("code", CATALOGUE)
def test_only_a_note_needs_nothing_done(code: str) -> None:
    """What rejects a drop or holds a record back has a remedy that someone can carry out."""
    assert CATALOGUE[code].severity in MILD or not CATALOGUE[code].remedy.startswith("None")


@pytest.mark.parametrize("code", CATALOGUE)
def test_messages_can_be_read_back(code: str) -> None:
    """The words of a message that was made are found in it again, braces that are meant among them."""
    words = {word: f"{word}-1" for word in words_of(CATALOGUE[code].message)}
    message = filled(code, words).message
    assert read_back(CATALOGUE[code].message, message) == words
    assert "{{" not in message


@pytest.mark.parametrize("code", [code for code, entry in CATALOGUE.items() if entry.switchable])
def test_strictness_makes_an_error_of_it(code: str) -> None:
    """All that is switchable becomes an error under strictness, by its name or with all others, and else stays."""
    found = [filled(code, dict.fromkeys(words_of(CATALOGUE[code].message), "x"))]
    assert [strict(found, codes)[0].severity for codes in (True, [code], ["x"], False)] == [
        Severity.ERROR,
        Severity.ERROR,
        CATALOGUE[code].severity,
        CATALOGUE[code].severity,
    ]


def test_strictness_leaves_the_rest_alone() -> None:
    """A warning or a note that is not switchable stays what it is, however strict."""
    found = [batch("ignored-file", name="x"), batch("dropped-value", why="x"), batch("required-value")]
    assert strict(found, True) == tuple(found)


def test_a_word_that_is_not_given_is_shown_as_such() -> None:
    """A template without its words has placeholders, and braces that are meant are single."""
    assert fill("{count} of {id}, such as {{A:1}}", {"id": "c-1"}) == "<count> of c-1, such as {A:1}"


def test_a_message_of_another_template_has_no_words() -> None:
    """What does not fit a template, or fits it with two readings of one word, is not read."""
    assert read_back("{a} and {a}", "x and y") == {}
    assert read_back("{a} and {a}", "x and x") == {"a": "x"}
