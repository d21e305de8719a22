"""Batches of a plan for a webhook: how they are cut, named and signed, and what the answers to them mean."""

import base64
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core import delivery
from ingestd.core.columns import TEXT
from ingestd.core.delivery import Again, Declined, Parcel, Refused, Settled, Verdict, judge
from ingestd.core.model import Actions, Kind, Plan
from ingestd.core.plan import make_plan

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)


def plan_of(*sizes: int) -> Plan:
    """Return a plan with a group of so many creations for each size."""
    groups = []
    for number, size in enumerate(sizes):
        frame = pd.DataFrame({"id": pd.Series([str(one) for one in range(size)], dtype=TEXT)})
        hashes = np.arange(size, dtype=np.uint64)
        groups.append(Actions(f"t{number}", Kind.CREATE, ("id",), ("id",), frame, hashes, hashes))
    return make_plan(groups)


def said(status: int, body: bytes | None = b"", retry_after: str | None = None, count: int = 3) -> Verdict:
    """Return what an answer to a batch of three means."""
    return judge(status, body, retry_after, count, NOW)


# Cut and named ----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 4))
def test_batches_cover_a_plan_in_its_order(sizes: list[int], size: int) -> None:
    """Each action is in exactly one batch; none is empty or too long, or of two groups; their numbers count from 1."""
    found = delivery.parcels(plan_of(*sizes), size)
    rows = [(one.group, row) for one in found for row in range(one.start, one.stop)]
    assert rows == [(group, row) for group, length in enumerate(sizes) for row in range(length)]
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert all(1 <= len(one) <= size for one in found)


def test_keys_are_told_apart_by_run_plan_and_number() -> None:
    """And are the same each time they are asked for."""
    named = [("1", "d", 11), ("11", "d", 1), ("1", "d", 1), ("1", "e", 11)]
    assert len({delivery.key_of(*one) for one in named}) == 4
    assert delivery.key_of("1", "d", 1) == delivery.key_of("1", "d", 1)


def test_failures_are_told_by_the_rows_of_the_plan() -> None:
    """What the receiver counts is the place in the batch."""
    plan = plan_of(3, 2)
    first, second, third = delivery.parcels(plan, 2)
    found = delivery.outcomes(plan, [(first, {}), (second, {0: "no-seat"}), (third, {1: "gone"})])
    assert [(one.done, dict(one.failed)) for one in found] == [(2, {2: "no-seat"}), (1, {1: "gone"})]


# Signed -----------------------------------------------------------------------------------------------------


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    keys = delivery.parse_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = delivery.sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        "whsec_",
        "whsec_hunter2",
        base64.b64encode(bytes(32)).decode(),
        *(f"whsec_{base64.b64encode(bytes(size)).decode()}" for size in (23, 65)),
        f"whsec_{base64.b64encode(bytes(32)).decode()} hunter2",
    ],
)
def test_what_is_no_signing_secret_is_refused_without_a_word_of_it(secret: str) -> None:
    """Too short or long, not base64, without its beginning, or one of several."""
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        delivery.parse_keys(secret)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/roster",
        "https://app.example:8443/roster?tenant=1",
        "http://127.0.0.1:8080",
        "http://[::1]/x",
        "http://localhost/x",
    ],
)
def test_records_may_be_sent_there(url: str) -> None:
    """By TLS, or within this machine."""
    assert delivery.check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example",
        "https://",
        "https://app.example/#x",
        "https://app.example/a b",
        "https://ann:x@app.example",
        "https://ann@app.example",
        "http://app.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "https://app.example:99999",
        "https://app.example:0",
        "https://äpp.example",
        "https://[::1",
    ],
)
def test_nothing_is_sent_there(url: str) -> None:
    """In the open, with a password, or nowhere."""
    with pytest.raises(ValueError):
        delivery.check_url(url)


# Answered ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_a_batch_that_is_taken_is_done(status: int) -> None:
    """Whatever stands in the answer."""
    assert said(status, b"<html>") == Settled({})
    assert said(status, None) == Settled({})


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_declined_may_be_one_action_s_fault(status: int) -> None:
    """It is about what is in it, or how much."""
    assert said(status) == Declined(f"http-{status}")


def test_halves_are_the_whole() -> None:
    """Of odd numbers the second is the larger; both have its number."""
    assert Parcel(7, 2, 10, 15).halves() == (Parcel(7, 2, 10, 12), Parcel(7, 2, 12, 15))


@pytest.mark.parametrize("status", [402, 405, 406, 409, 415, 418, 451, 499])
def test_a_batch_that_is_refused_has_failed(status: int) -> None:
    """All of it, for good, and the next may well be taken."""
    assert said(status) == Settled(dict.fromkeys(range(3), f"http-{status}"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 403, 404, 410])
def test_who_refuses_us_or_is_elsewhere_is_sent_nothing_more(status: int) -> None:
    """A redirect is not followed: records go where the configuration says."""
    assert isinstance(said(status), Refused)


@pytest.mark.parametrize(("status", "is_clean"), [(408, True), (425, True), (429, True), (500, False), (503, False)])
def test_who_is_busy_or_broken_is_asked_again(status: int, is_clean: bool) -> None:
    """Whoever breaks may have done it before; whoever is busy has not."""
    found = said(status)
    assert isinstance(found, Again) and found.is_clean is is_clean


@pytest.mark.parametrize("status", [0, 100, 199, 504, 507, 530, 599, 600, 999])
def test_what_is_no_answer_is_asked_for_again(status: int) -> None:
    """Numbers that HTTP does not have, or that gateways made up."""
    assert isinstance(said(status), Again)


@pytest.mark.parametrize(
    ("listed", "failed"),
    [
        ("[]", {}),
        ('[{"index": 1, "reason": "no-seat"}]', {1: "no-seat"}),
        ('[{"index": 0}, {"index": 2, "reason": null}]', {0: "refused", 2: "refused"}),
        ('[{"index": 0, "reason": "Ann Lee has no seat"}]', {0: "refused"}),
        ('[{"index": 0, "reason": "No-Seat"}]', {0: "refused"}),
        (f'[{{"index": 0, "reason": "{"x" * 65}"}}]', {0: "refused"}),
        ('[{"index": 0, "reason": "ann\\n"}]', {0: "refused"}),
    ],
)
def test_a_part_that_failed_is_told_in_words(listed: str, failed: dict[int, str]) -> None:
    """A reason is a word of lower case, digits and hyphens; any other may have a child's name in it."""
    assert said(207, f'{{"failed": {listed}}}'.encode()) == Settled(failed)


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"no json",
        b"\xff",
        b"[]",
        b"{}",
        b'{"failed": 3}',
        b'{"failed": {"index": 1}}',
        b'{"failed": [1]}',
        b'{"failed": [{}]}',
        b'{"failed": [{"index": 3}]}',
        b'{"failed": [{"index": -1}]}',
        b'{"failed": [{"index": "1"}]}',
        b'{"failed": [{"index": true}]}',
        b'{"failed": [{"index": [1]}]}',
        b"[" * 100_000,
    ],
)
def test_a_part_that_cannot_be_told_is_asked_for_again(body: bytes | None) -> None:
    """It is not known which of the actions were done; under the same key it is told once more."""
    assert isinstance(said(207, body), Again)


@given(st.integers(0, 999), st.none() | st.binary(max_size=60), st.none() | st.text(max_size=40))
def test_any_answer_has_a_meaning(status: int, body: bytes | None, retry_after: str | None) -> None:
    """Whatever comes, nothing is raised, and no failure is of an action that is not there."""
    found: Any = said(status, body, retry_after)
    assert isinstance(found, Verdict)
    assert not isinstance(found, Settled) or set(found.failed) <= {0, 1, 2}
    assert not isinstance(found, Again) or found.wait is None or found.wait >= 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 26 Nov 2026 12:01:30 GMT", 90.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0.0),
        ("Thu, 26 Nov 2026 12:01:30 -0000", 90.0),
        ("", None),
        (None, None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("9" * 30, None),
        ("Thu, 99 Nov 2026 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    """What is neither is no wish."""
    assert delivery.parse_retry_after(value, NOW) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_up_to_a_minute(failures: int, chance: float) -> None:
    """Chance shortens them by at most half, so that many feeds do not come back at the same moment."""
    longest = delivery.pause(failures, 0.0)
    assert longest / 2 <= delivery.pause(failures, chance) <= longest <= delivery.pause(failures + 1, 0.0) <= 60


def test_the_first_pauses_double() -> None:
    """One second, two, four."""
    assert [delivery.pause(one, 0.0) for one in (1, 2, 3, 7, 8)] == [1, 2, 4, 60, 60]
