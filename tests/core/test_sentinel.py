"""What senders say of their drops by files beside them."""

import pytest

from ingestd.core.sentinel import Promise, Ready, contradiction, is_sentinel_name, is_vouched, sentinels_of
from ingestd.core.stability import Look

DIGEST = "0123456789abcdef" * 4


def look(ctime_ns: int) -> Look:
    """Return how a file looks that last changed then."""
    return Look(dev=1, ino=2, size=3, mtime_ns=0, ctime_ns=ctime_ns)


@pytest.mark.parametrize(
    ("text", "promise"),
    [
        (f"{DIGEST}\n", Promise(DIGEST)),
        (DIGEST.upper(), Promise(DIGEST)),
        (f"{DIGEST}  day 1.zip\n", Promise(DIGEST)),
        (f"{DIGEST} *day.zip\r\n", Promise(DIGEST)),
        (f"{DIGEST}  day 1.zip 4711\n", Promise(DIGEST, 4711)),
        (f"{DIGEST} 4711\n", Promise(DIGEST, 4711)),
        ("", None),
        (DIGEST[:40], None),
        (f"SHA256 (day.zip) = {DIGEST}", None),
        (f"{DIGEST}\n{DIGEST}\n", None),
    ],
)
def test_reads_what_sha256sum_writes(text: str, promise: Promise | None) -> None:
    """The digest, perhaps the name, perhaps the size; anything else promises nothing."""
    assert Promise.read(text.encode()) == promise


def test_bytes_of_any_kind_promise_nothing() -> None:
    """A sentinel is a stranger's file."""
    assert Promise.read(b"\xff\x00" * 100) is None


@pytest.mark.parametrize("name", ["a.zip.sha256", "a.sha256", "a.zip.done", "a.done"])
def test_both_ways_to_name_a_sentinel(name: str) -> None:
    """Behind the zip's whole name, or in place of its ending."""
    assert [one.name for one in sentinels_of("a.zip", look(1), {name: look(1)})] == [name]
    assert is_sentinel_name(name)


def test_others_sentinels_do_not_count() -> None:
    """Those of another drop, and names that are like one."""
    others = {"b.zip.done": look(9), "a.zip.done.zip": look(9), "a.zipdone": look(9)}
    assert sentinels_of("a.zip", look(1), others) == ()


def test_a_done_that_is_older_than_its_drop_is_stale() -> None:
    """It is yesterday's; a digest says of which bytes it speaks, whenever it came."""
    others = {"a.zip.done": look(1), "a.zip.sha256": look(1)}
    assert [one.kind for one in sentinels_of("a.zip", look(2), others)] == [Ready.SHA256]
    assert {one.kind for one in sentinels_of("a.zip", look(1), others)} == {Ready.DONE, Ready.SHA256}


@pytest.mark.parametrize(
    ("ready", "names", "vouched"),
    [
        (Ready.QUIET, "", False),
        (Ready.QUIET, "a.done", True),
        (Ready.QUIET, "a.sha256", True),
        (Ready.DONE, "a.sha256", False),
        (Ready.DONE, "a.sha256 a.done", True),
        (Ready.SHA256, "a.done", False),
        (Ready.SHA256, "a.sha256", True),
    ],
)
def test_what_ends_the_quiet_period(ready: Ready, names: str, vouched: bool) -> None:
    """Any sentinel, unless the feed asks for one of a kind."""
    found = sentinels_of("a.zip", look(1), {name: look(1) for name in names.split()})
    assert is_vouched(found, ready) is vouched


def test_says_in_what_a_drop_is_another_one() -> None:
    """The size, the digest, or that nothing was promised; of the right one nothing is said."""
    assert contradiction(Promise(DIGEST), DIGEST, 3) is None
    assert contradiction(Promise(DIGEST, 3), DIGEST, 3) is None
    assert contradiction(Promise(DIGEST, 4), DIGEST, 3) == "4 bytes are promised, and 3 came"
    assert contradiction(None, DIGEST, 3) == "there is no SHA-256 in it"
    assert "begins with ffffffffffff and not 0123456789ab" in str(contradiction(Promise(DIGEST), "f" * 64, 3))
