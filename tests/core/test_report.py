"""A run in words: verdicts, groups, the receipt, the rows of the CSV, the log line."""

import json
import re
import time
from typing import Any

import pytest
from report_documents import ALL, DIGEST, applied, document, duplicate, failed, first_load, held, refer, rejected, said

from ingestd.core import report
from ingestd.core.catalogue import CATALOGUE, fill
from ingestd.core.findings import batch
from ingestd.core.guard import Limits, OrgLoss, guard
from ingestd.core.model import Batch, Cause, Changes, Severity


def test_held_says_share_and_limit() -> None:
    """A held run says that nothing has been changed, and what share would go against which limit."""
    verdict = report.judge(held())
    assert (verdict.word, verdict.meaning) == ("Held", "nothing has been changed.")
    assert verdict.reasons == (
        "1,776 of 4,441 users would be removed (39.99%; the limit is 10%).",
        "Org school-4: 959 of its 2,410 enrollments would be removed (39.79%; the limit is 25%).",
    )


def test_held_gives_the_exact_commands() -> None:
    """A held run gives the commands to look, to consent with the full digest, and to refuse."""
    commands = [step.command for step in report.judge(held()).steps]
    assert commands == [
        "ingestd plan springfield",
        f"ingestd release springfield.17 --plan {DIGEST}",
        "ingestd discard springfield.17",
    ]


def test_held_after_additions_does_not_say_that_nothing_changed() -> None:
    """A run whose removals wait while its additions went through says so."""
    outcomes = [{"target": "patrons", "kind": "create", "done": 12, "failed": 0}]
    assert report.judge(held() | {"outcomes": outcomes}).meaning == "12 changes went through, the rest waits."


def test_held_without_a_breach_waits_for_consent() -> None:
    """A run held for another reason than a limit says that it waits."""
    assert report.judge(held() | {"breaches": []}).reasons == ("It waits for an administrator's consent.",)


def test_rejected_names_file_and_column() -> None:
    """A rejected run's reasons are what rejects it, with file and column, and nothing lesser."""
    assert report.judge(rejected()).reasons == (
        "academicSessions.csv is missing: the manifest says bulk, and it is not in the zip.",
        "users.csv, column enabledUser: the column is missing from the header; did you mean enabled?",
    )


def test_command_with_a_vendors_file_name_is_quoted() -> None:
    """A file name that a shell would act on is quoted in the command that is there to be copied."""
    steps = report.judge(rejected() | {"drop": "a;rm -rf x.zip"}).steps
    assert steps[-1].command == "ingestd check 'a;rm -rf x.zip'"


@pytest.mark.parametrize(
    ("counts", "meaning"),
    [
        ((1, 0, 0), "1 record is new."),
        ((0, 3, 0), "3 records are changed."),
        ((1200, 3, 1), "1,200 records are new, 3 changed and 1 gone."),
        ((1, 3, 0), "1 record is new and 3 changed."),
        ((0, 0, 0), "nothing had changed since the last drop."),
    ],
)
def test_applied_counts_in_words(counts: tuple[int, int, int], meaning: str) -> None:
    """An applied run says how many records are new, changed and gone."""
    created, updated, deleted = counts
    changeset = {"users": {"created": created, "updated": updated, "deleted": deleted, "unchanged": 9}}
    assert report.judge(document("applied", changeset=changeset)).meaning == meaning


def test_held_with_errors_says_what_stays() -> None:
    """A held run that also held records back says so after its breaches."""
    reasons = report.judge(held() | {"held_back": 3652}).reasons
    assert reasons[-1] == "3,652 records were held back for errors; what was accepted of them earlier stays as it is."


def test_orgs_are_counted_under_their_table() -> None:
    """What single orgs lose is told in one breath with what their table loses."""
    orgs = tuple(OrgLoss(f"school-{n}", 130, 334) for n in range(3))
    breaches = guard("users", Changes(0, 5, 402, 594), 1001, Limits(), orgs)
    (reason,) = report.judge(held() | {"breaches": [one.as_dict() for one in breaches]}).reasons
    assert reason.startswith("402 of 1,001 users would be removed (40.16%; the limit is 10%). 3 single orgs go over")


def test_roster_of_another_district_is_recognised() -> None:
    """A drop in which no known record came again is said to be perhaps another district's; its orgs are no news."""
    lost = {"orgs": 4, "users": 1001}
    breaches = [
        one.as_dict()
        for table, n in lost.items()
        for one in guard(table, Changes(9, 0, n, 0), n, Limits(), (OrgLoss("school-1", 300, 300),))
    ]
    changeset = {table: {"created": 9, "updated": 0, "deleted": n, "unchanged": 0} for table, n in lost.items()}
    assert report.judge(held() | {"breaches": breaches, "changeset": changeset}).reasons == (
        "None of the records known so far is in this drop: it may belong to another district.",
        "All 4 orgs would be removed; that is never done unasked.",
        "All 1,001 users would be removed; that is never done unasked.",
    )


def test_duplicate_names_the_first_run() -> None:
    """A duplicate says as which run the same file came before."""
    assert "(run springfield.9)" in report.judge(duplicate() | {"duplicate_of": "springfield.9"}).reasons[0]


def test_failure_before_the_plan_does_not_call_the_drop_good() -> None:
    """A run that failed before its drop was looked at says nothing of the drop."""
    verdict = report.judge(document("failed", error="OSError"))
    assert verdict.receipt[0] == "RECEIVED"
    assert "good" not in " ".join((*verdict.reasons, *verdict.receipt))


def test_failed_counts_what_was_done() -> None:
    """A failed run says how much was carried out, and that nothing needs to be sent again."""
    verdict = report.judge(failed())
    assert verdict.meaning == "800 of 1,420 actions were carried out."
    assert "nothing needs to be sent again" in verdict.steps[0].text


def test_when_it_is_tried_again_is_told() -> None:
    """Of a run that failed, and of one of which a sink lacks its part; without a time it is the next run."""
    at = {"retry_at": "2026-11-26T02:05:00+00:00"}
    down = {"sinks": {"crm": {"actions": {}, "outcomes": [], "error": "away"}}}
    for about, told in (
        ({**failed(), **at}, "it is tried again at 2026-11-26 02:05 UTC, and does what is left."),
        ({**failed(), "retry_at": None}, "it is tried again, and does what is left."),
        ({**applied(), **down, **at}, "Have what failed tried now, not at 2026-11-26 02:05 UTC."),
        ({**applied(), **down}, "Have what failed tried now, not at the next run."),
    ):
        assert any(step.text.endswith(told) for step in report.judge(about).steps)


@pytest.mark.parametrize(
    "state",
    ["received", "rejected", "held", "applying", "applied", "failed", "duplicate", "discarded", "superseded"],
)
def test_every_state_has_its_words(state: str) -> None:
    """A run of any state can be told with nothing but run, feed and state."""
    bare = {"run": "a.1", "feed": "a", "state": state}
    assert report.judge(bare).word
    assert report.render_receipt(bare).endswith("\n")
    assert report.summary_line(bare)["state"] == state


def test_cascade_is_folded_under_its_cause() -> None:
    """What follows from a finding is counted under it and is no group of its own."""
    groups = report.group_findings(rejected()["listed_findings"])
    assert "reference-to-held-back" not in [group.code for group in groups]
    assert next(group.cascaded for group in groups if group.code == "required-value") == 412 + 29


def test_cascade_is_told_with_the_places_of_its_cause() -> None:
    """A receipt says how many records a cause affects, which ids most of them miss, and the lines of the cause."""
    lines = [line.strip() for line in report.render_receipt(rejected()).splitlines()]
    at = lines.index("441 more records are affected by it:")
    assert lines[at + 1 : at + 5] == [
        "reference-to-held-back: enrollments.csv refers to records of",
        "classes.csv that were held back.",
        "ids: C-17 (412), C-19 (29)",
        "because of classes.csv, lines 214, 216",
    ]


def test_cascades_of_several_kinds_are_counted_each() -> None:
    """Where more than one kind of thing follows, each has its count, and the rest beyond four is added up."""
    cause = Cause("required-value", "users.csv", 2)
    follow = [
        batch("reference-to-held-back", file=f"{n}.csv", lines=(9,), stands_for=n, caused_by=cause, count=n, id="U-1",
              target="users.csv")
        for n in range(1, 8)
    ]  # fmt: skip
    findings = said(batch("required-value", file="users.csv", column="role", lines=(2,)), *follow)["listed_findings"]
    (group,) = report.group_findings(findings)
    lines = [line.strip() for line in report.group_lines(group, 72)]
    assert "28 more records are affected by it:" in lines
    assert [line for line in lines if line.startswith("because")] == [
        f"because of users.csv, line 2: {n}" for n in (7, 6, 5, 4)
    ]
    assert "and 6 more" in lines


def test_receipt_says_where_more_can_be_read() -> None:
    """A receipt with anything to mend ends with the command that explains a code; one without does not."""
    hint = "More about a code: ingestd explain-code CODE\n"
    assert report.render_receipt(rejected()).endswith(f"\n\n{hint}")
    repaired = document("applied", **said(batch("byte-order-mark", file="users.csv")))
    assert not any(hint in report.render_receipt(one) for one in (repaired, first_load(), duplicate()))


def test_reference_to_a_missing_file_follows_from_it() -> None:
    """What refers to a file that is missing is folded under the missing file."""
    findings = said(
        batch("missing-file", file="courses.csv", name="courses.csv", reason="classes.csv refers to it"),
        refer("dangling-reference", "courseSourcedId", 2, 7, "crs-1", "courses.csv"),
        refer("dangling-reference", "userSourcedId", 3, 1, "u-1", "users.csv"),
    )["listed_findings"]
    assert [(g.code, g.cascaded) for g in report.group_findings(findings)] == [
        ("missing-file", 7),
        ("dangling-reference", 0),
    ]


def test_ids_missing_from_one_file_are_one_note() -> None:
    """Hundreds of missing ids are one note with the true count, that names those missed most."""
    batches = [refer("dangling-reference", "userSourcedId", n + 2, 400 - n, f"u-{n}", "users.csv") for n in range(300)]
    (group,) = report.group_findings(said(*batches)["listed_findings"])
    (note,) = group.notes
    assert note.message == "enrollments.csv refers to records that users.csv does not have"
    assert note.count == sum(400 - n for n in range(300))
    assert note.ids.replace("\u00a0", " ").startswith("most often: u-0 (400), u-1 (399), ")


@pytest.mark.parametrize("code", ["dangling-reference", "dangling-optional-reference", "reference-to-held-back"])
def test_messages_about_ids_can_be_read_back(code: str) -> None:
    """The words that the catalogue's message was filled with are found in it again."""
    words: dict[str, Any] = {"count": "1,002", "file": "enrollments.csv", "id": "a.b_c@d/e-1", "target": "classes.csv"}
    assert report.read_message(code, batch(code, **words).message) == words


def test_remedy_is_filled_with_the_words_of_its_message() -> None:
    """A remedy names what its message names, and a placeholder where messages differ."""
    messages = [
        batch("file-name-case", name=f"{n.upper()}.csv", expected=f"{n}.csv").message for n in ("orgs", "users")
    ]
    assert report.find_remedy("file-name-case", messages[:1]) == "Name the file orgs.csv."
    assert report.find_remedy("file-name-case", messages) == "Name the file <expected>."


def test_symptom_comes_after_what_else_rejects() -> None:
    """That no record of a file is valid is told after the other things that reject a drop."""
    findings = said(
        batch("nothing-valid", file="classes.csv", count="3"),
        batch("nothing-valid", file="enrollments.csv", count="3"),
        batch("missing-column", file="users.csv", column="role", hint=""),
    )["listed_findings"]
    assert [group.code for group in report.group_findings(findings)] == ["missing-column", "nothing-valid"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dateLastModified is filled", "dateLastModified is filled."),
        ("orgs.csv has no records", "orgs.csv has no records."),
        ("the value is blank", "The value is blank."),
        ("org 1000: 3 of 4", "Org 1000: 3 of 4."),
    ],
)
def test_sentences_leave_names_as_they_are(text: str, told: str) -> None:
    """A message becomes a sentence; a file's or column's name in front keeps its spelling."""
    assert report.sentence(text) == told


def test_chain_of_causes_ends_at_the_root() -> None:
    """A finding caused by one that is itself caused lies under the first of the chain."""
    findings = said(
        batch("required-value", file="orgs.csv", column="name", lines=(3,)),
        Batch(
            "reference-to-held-back",
            Severity.ERROR,
            "2 of classes.csv refer to S-1, which was held back",
            "classes.csv",
            "schoolSourcedId",
            (5,),
            2,
            Cause("required-value", "orgs.csv", 3),
        ),
        Batch(
            "reference-to-held-back",
            Severity.ERROR,
            "40 of enrollments.csv refer to C-1, which was held back",
            "enrollments.csv",
            "classSourcedId",
            (9,),
            40,
            Cause("reference-to-held-back", "classes.csv", 5),
        ),
    )["listed_findings"]
    (group,) = report.group_findings(findings)
    assert (group.code, group.cascaded) == ("required-value", 42)


def test_causes_in_a_circle_end() -> None:
    """Findings that name each other as their cause are still shown, once each."""
    finding = {"severity": "error", "message": "m", "column": None, "count": 1}
    a = {"code": "a", "file": "f", "line": 1, "caused_by": {"code": "b", "file": "f", "line": 2}}
    b = {"code": "b", "file": "f", "line": 2, "caused_by": {"code": "a", "file": "f", "line": 1}}
    groups = report.group_findings([finding | a, finding | b])
    assert sorted(group.code for group in groups) == ["a", "b"]


def test_gravest_comes_first_then_what_most_follows_from() -> None:
    """Groups are ordered by gravity; within one, root causes lead, then the most frequent."""
    codes = [group.code for group in report.group_findings(rejected()["listed_findings"])]
    assert codes[2:] == ["required-value", "invalid-date", "dangling-reference", "unknown-column", "header-case"]


def test_capped_findings_keep_the_true_count() -> None:
    """A group whose lines are capped says how many lines are not shown."""
    findings = said(batch("blank-line", file="users.csv", lines=range(2, 1002)))["listed_findings"]
    (group,) = report.group_findings(findings)
    assert group.count == 1000
    assert group.notes[0].places[0].lines == "lines 2-101 and 900 more"


@pytest.mark.parametrize(
    ("lines", "count", "text"),
    [
        ((), 3, ""),
        ((7,), 1, "line 7"),
        ((4, 2, 3, 9), 4, "lines 2-4, 9"),
        ((2, 3), 10, "lines 2-3 and 8 more"),
        (range(2, 202, 2), 100, "lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32 and 84 more"),
    ],
)
def test_lines_are_told_as_runs(lines: Any, count: int, text: str) -> None:
    """Line numbers are told as runs, as many as fit, with the rest counted."""
    assert report.line_list(lines, count) == text


def test_every_code_has_a_remedy_without_braces() -> None:
    """A remedy that wants a word which only the message knows shows it as a placeholder."""
    remedies = {code: report.find_remedy(code) for code in CATALOGUE}
    assert not [code for code, remedy in remedies.items() if not remedy or re.search(r"\{\w+\}|\{\{", remedy)]


@pytest.mark.parametrize("name", sorted(ALL))
def test_receipt_fits_72_columns(name: str) -> None:
    """No line of a receipt is wider than 72 columns."""
    assert max(map(len, report.render_receipt(ALL[name]()).splitlines())) <= 72


def test_receipt_of_a_hostile_file_name() -> None:
    """A file name with line breaks or terminal codes cannot put a line or a colour into a receipt."""
    text = report.render_receipt(rejected() | {"drop": "a\nACCEPTED\x1b[2J\u202e" + "x" * 300})
    assert text.startswith("REJECTED  a ACCEPTED?[2J?")
    assert max(map(len, text.splitlines())) <= 72


def test_receipt_of_a_good_drop_asks_for_nothing() -> None:
    """A drop with nothing wrong is accepted, its rows counted, and nothing is asked for."""
    text = report.render_receipt(first_load())
    assert text.startswith("ACCEPTED  roster.zip\nThe drop is good.\n")
    assert "users.csv                        1,000,000     1,000,000             0" in text
    assert "\n\nWHAT TO DO\n  Nothing.\n\n" in text
    assert "FINDINGS" not in text


def test_receipt_does_not_tell_the_vendor_of_the_sink() -> None:
    """What went wrong on the receiving side stays there."""
    text = report.render_receipt(failed())
    assert text.startswith("ACCEPTED")
    assert "patrons" not in text


def test_receipt_tells_first_what_rejects() -> None:
    """A rejected drop's receipt has what rejects it, then what to do, then all else; nothing twice."""
    text = report.render_receipt(rejected())
    order = [
        "WHAT REJECTS IT",
        "missing-column",
        "WHAT TO DO",
        "SHA-256",
        "HELD BACK",
        "OTHER FINDINGS",
        "required-value",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert text.count("missing-column") == 1


def test_receipt_says_what_was_not_read() -> None:
    """A file that the feed does not take in is in the table of files, without counts."""
    text = report.render_receipt(applied())
    assert "demographics.csv                 not read: this feed does not take it in\n" in text


def test_receipt_of_a_duplicate_says_so() -> None:
    """A file that came before is told apart from a rejected one."""
    assert report.render_receipt(duplicate()).startswith("DUPLICATE  roster.zip\n")


def test_rows_are_complete() -> None:
    """Every line of every batch is a row, and the counts add up to the batches'."""
    rows = report.findings_rows(
        [
            batch("blank-line", file="users.csv", lines=range(2, 502)),
            batch("missing-manifest", detail=""),
            Batch("dangling-reference", Severity.ERROR, "m", "enrollments.csv", "userSourcedId", (4, 9), 412),
        ]
    )
    assert rows.num_rows == 500 + 1 + 2
    assert rows["severity"].to_pylist()[:3] == ["catastrophic", "error", "error"]
    assert rows["line"].to_pylist()[:3] == [None, 4, 9]
    assert rows["count"].to_pylist()[:3] == [1, 411, 1]
    assert sum(rows["count"].to_pylist()) == 500 + 1 + 412


def test_rows_have_the_fixed_columns() -> None:
    """Without a finding the columns are there all the same."""
    names = "severity code file line column count message remedy caused_by"
    assert report.findings_rows([]).column_names == names.split()


def test_rows_name_the_cause() -> None:
    """A finding that follows from another names its code, file and line."""
    rows = report.findings_rows([Batch("x", Severity.ERROR, "m", "e.csv", caused_by=Cause("bad", "c.csv", 12))])
    assert rows["caused_by"].to_pylist() == ["bad:c.csv:12"]


@pytest.mark.parametrize("gap", ["", " ", "\u00a0", '"', "'", " \"' "])
@pytest.mark.parametrize("start", list("=+-@\uff1d\uff0b\uff0d\uff20"))
def test_rows_are_no_formulas(start: str, gap: str) -> None:
    """A cell that a spreadsheet may run gets an apostrophe in front, in any column of text, behind blanks too."""
    start = gap + start
    rows = report.findings_rows([Batch("x", Severity.ERROR, f"{start}1", f"{start}2.csv", f"{start}3")])
    cells = (rows["message"], rows["file"], rows["column"])
    assert [cell[0].as_py() for cell in cells] == [f"'{start}1", f"'{start}2.csv", f"'{start}3"]


@pytest.mark.parametrize("start", list("\t\r\n"))
def test_rows_do_not_begin_with_what_a_spreadsheet_trims(start: str) -> None:
    """A tab or a line end in front of a cell gets an apostrophe, whatever follows."""
    assert report.findings_rows([Batch("x", Severity.ERROR, f"{start}a")])["message"][0].as_py() == f"'{start}a"


@pytest.mark.parametrize("mark", list(",;|\t"))
def test_rows_are_no_formulas_behind_a_separator(mark: str) -> None:
    """What another program takes for the beginning of a new cell is no formula there either."""
    rows = report.findings_rows([Batch("x", Severity.ERROR, "m", "f", f'a{mark} "=1+1')])
    assert rows["column"][0].as_py() == f"a{mark} \"'=1+1"


def test_rows_leave_plain_text_as_it_is() -> None:
    """No message and no remedy of the catalogue is changed by that, nor an id with a hyphen in it."""
    every = [(fill(one.message), report.find_remedy(code)) for code, one in CATALOGUE.items()]
    rows = report.findings_rows([Batch(code, one.severity, fill(one.message)) for code, one in CATALOGUE.items()])
    assert set(zip(rows["message"].to_pylist(), rows["remedy"].to_pylist(), strict=True)) == set(every)
    assert report.findings_rows([Batch("x", Severity.ERROR, "C-17, a=b")])["message"][0].as_py() == "C-17, a=b"


def test_rows_of_many_batches_are_quick() -> None:
    """A batch per dangling reference, 20,000 of them, is no matter of seconds."""
    many = [Batch("dangling-reference", Severity.ERROR, f"id {n}", "e.csv", "c", (n + 2,)) for n in range(20_000)]
    start = time.perf_counter()
    assert report.findings_rows(many).num_rows == 20_000
    assert time.perf_counter() - start < 2


def test_log_line_counts() -> None:
    """The log line has the run's counts, codes and seconds."""
    line = report.summary_line(applied())
    assert {"run": "springfield.17", "rows": 29170, "valid": 29157, "held_back": 13}.items() <= line.items()
    assert {"created": 101, "updated": 41, "deleted": 56, "create": 13, "done": 55}.items() <= line.items()
    assert {"left_out": 120, "breaches": 0, "seconds": 7.23}.items() <= line.items()
    assert line["codes"]["reference-to-held-back"] == 7
    assert report.summary_line(held())["codes"] == {"too-many-deletes": 1, "too-many-deletes-in-org": 1}


def test_log_line_has_no_text_of_others() -> None:
    """No message, reason, error, file name or district name reaches the log line."""
    spoilt = failed() | {"error": "CANARY", "feed_name": "CANARY", "drop": "CANARY.zip"}
    spoilt |= said(Batch("x", Severity.ERROR, "CANARY", "CANARY.csv", "CANARY"))
    spoilt["left_out"] = [{"table": "CANARY", "reason": "CANARY", "count": 1}]
    spoilt["outcomes"] = [{"target": "CANARY", "kind": "update", "done": 0, "failed": {"1": "CANARY"}}]
    assert "CANARY" not in json.dumps(report.summary_line(spoilt))
