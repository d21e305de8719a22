"""A run in words: its verdict, and what to do next."""

import pytest
from report_documents import DIGEST, applied, document, duplicate, failed, held, rejected

from ingestd.core import report
from ingestd.core.guard import Limits, OrgLoss, guard
from ingestd.core.model import Changes


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
