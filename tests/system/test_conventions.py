"""How senders say that a drop is whole, and CSVs that come without a zip."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import changed, members_of, roster, zip_of
from places import FEED, Place, codes_of, documents_of, live_of, place, states_of, take_drop

from ingestd.feed import Feed
from ingestd.feedloop import Taken
from ingestd.intake import Claims
from ingestd.opening import open_served
from ingestd.sources.base import Drop

DAY_1 = roster(3)
WHOLE = zip_of(DAY_1)
DIGEST = hashlib.sha256(WHOLE).hexdigest()
LATER = timedelta(hours=1)


@contextmanager
def opened(where: Place, later: timedelta = timedelta()) -> Iterator[Feed]:
    """Open the feed at a time of day."""
    feed = where.feed(clock=lambda: datetime.now(UTC) + later)
    try:
        yield feed
    finally:
        feed.close()


def scan(feed: Feed, after: float = 0) -> list[Drop]:
    """Return the stable drops, so many seconds of our own clock later."""
    return list(feed.sources[0].scan(time.monotonic() + after, datetime.now(UTC)))


def take(where: Place, later: timedelta = timedelta()) -> list[Taken]:
    """Offer what is stable now; return what came of each."""
    with opened(where, later) as feed:
        return [take_drop(feed, drop) for drop in scan(feed)]


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """Return a feed with a quiet period that no test waits for."""
    return place(tmp_path, quiet="1h")


def put(where: Place, name: str, content: bytes | str = b"") -> Path:
    """Put any file into the inbox."""
    where.inbox().mkdir(parents=True, exist_ok=True)
    path = where.inbox() / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.zip.sha256", f"{DIGEST}  a.zip\n"), ("a.sha256", DIGEST.upper()), ("a.zip.done", ""), ("a.done", "")],
)
def test_a_sentinel_ends_the_quiet_period(where: Place, name: str, text: str) -> None:
    """The drop is taken at once, and the sentinel goes with it."""
    put(where, "a.zip", WHOLE)
    assert take(where) == []
    put(where, name, text)
    assert take(where) == [Taken.DONE]
    assert states_of(where) == ["applied"]
    assert list(where.inbox().iterdir()) == []


def test_a_stale_done_ends_nothing(where: Place) -> None:
    """It was there before the drop's last change, so it speaks of another one."""
    done, path = put(where, "a.zip.done"), put(where, "a.zip", WHOLE)
    os.utime(done, (4e9, 4e9))
    while path.stat().st_ctime_ns <= done.stat().st_ctime_ns:  # the kernel's clock has ticks
        os.utime(path, (0, 0))
    assert take(where) == []


def test_another_digest_makes_a_drop_wait_for_its_bytes(where: Place) -> None:
    """What is promised may still come; when it has, it is taken, and the stranger never was."""
    put(where, "a.zip.sha256", DIGEST)
    put(where, "a.zip", zip_of(changed(DAY_1, "users", "U1", familyName="Other")))
    assert take(where) == [Taken.WAIT]
    assert states_of(where) == []
    put(where, "a.zip", WHOLE)
    assert take(where) == [Taken.DONE]
    assert documents_of(where)[0]["sha256"] == DIGEST


@pytest.mark.parametrize("text", ["f" * 64, "no digest", f"{DIGEST}  a.zip 17"])
def test_a_promise_that_is_not_kept_rejects_the_drop_in_the_end(where: Place, text: str) -> None:
    """After `incomplete_after`, with a finding of its own; the inbox is clean again."""
    put(where, "a.zip", WHOLE)
    put(where, "a.zip.sha256", text)
    assert take(where, LATER) == [Taken.DONE]
    assert states_of(where) == ["rejected"]
    assert codes_of(documents_of(where)[0]) == {"digest-mismatch"}
    assert list(where.inbox().iterdir()) == []
    assert "digest-mismatch" in (where.state / "results" / FEED / "a.zip.report.txt").read_text()


def test_half_a_drop_with_its_done_is_not_taken(where: Place) -> None:
    """A sentinel spares the waiting and nothing else."""
    put(where, "a.zip", WHOLE[:-40])
    put(where, "a.zip.done")
    assert take(where) == [Taken.WAIT]


def test_a_sentinel_that_is_a_link_is_not_followed(where: Place, tmp_path: Path) -> None:
    """It is no file, so it speaks for nobody."""
    put(where, "a.zip", WHOLE)
    (tmp_path / "elsewhere").write_text(DIGEST)
    (where.inbox() / "a.zip.sha256").symlink_to(tmp_path / "elsewhere")
    assert take(where) == []


@pytest.mark.parametrize("ready", ["done", "sha256"])
def test_a_feed_may_ask_for_a_sentinel(tmp_path: Path, ready: str) -> None:
    """Without it nothing is taken, however long it has lain there."""
    where = place(tmp_path, more=f'ready = "{ready}"\n')
    put(where, "a.zip", WHOLE)
    with opened(where) as feed:
        assert scan(feed, after=7200) == []
    put(where, f"a.zip.{ready}", DIGEST)
    assert take(where) == [Taken.DONE]


def test_a_rename_by_link_and_unlink_is_a_new_file(tmp_path: Path) -> None:
    """So OpenSSH renames for clients of version 3: until the second name is there, the drop is not."""
    where = place(tmp_path)
    part = put(where, "a.zip.filepart", WHOLE)
    assert take(where) == []
    (where.inbox() / "a.zip").hardlink_to(part)
    part.unlink()
    assert take(where) == [Taken.DONE]


# Loose CSVs -----------------------------------------------------------------------------------------------------------


def loose(folder: Path, quiet: str = "0s") -> Place:
    """Return a feed that takes loose CSVs."""
    return place(folder, quiet=quiet, head="loose_csv = true\n")


def put_loose(where: Place) -> None:
    """Put the files of the first day into the inbox."""
    for name, text in members_of(DAY_1).items():
        put(where, name, text)


def test_loose_csvs_are_one_drop(tmp_path: Path) -> None:
    """Taken together, kept as a zip, with a receipt of that name."""
    where = loose(tmp_path)
    put_loose(where)
    assert take(where) == [Taken.DONE]
    assert states_of(where) == ["applied"]
    assert documents_of(where)[0]["drop"] == "loose-csv.zip"
    assert set(live_of(where, "users", "familyName")) == {"U1", "U2", "U3"}
    assert list(where.inbox().iterdir()) == []
    assert (where.state / "results" / FEED / "loose-csv.zip.report.txt").exists()


def test_the_same_loose_csvs_are_a_duplicate(tmp_path: Path) -> None:
    """However late they come: the zip has no times of theirs."""
    where = loose(tmp_path)
    for _ in range(2):
        put_loose(where)
        take(where)
    assert states_of(where) == ["applied", "duplicate"]


def test_loose_csvs_wait_for_the_last_of_them(tmp_path: Path) -> None:
    """The quiet period counts from the last change of any."""
    where = loose(tmp_path, quiet="60s")
    put_loose(where)
    with opened(where) as feed:
        assert (scan(feed, 0), scan(feed, 59)) == ([], [])
        put(where, "users.csv", members_of(DAY_1)["users.csv"])
        assert (scan(feed, 61), scan(feed, 120)) == ([], [])
        (drop,) = scan(feed, 122)
        assert take_drop(feed, drop) is Taken.DONE


@pytest.mark.parametrize("name", ["users.csv", "orgs.csv"])
def test_an_open_writer_keeps_loose_csvs_waiting(tmp_path: Path, name: str) -> None:
    """One that is open for writing is enough; nothing is taken of the others."""
    where = loose(tmp_path)
    put_loose(where)
    with (where.inbox() / name).open("ab"):
        assert take(where) == [Taken.WAIT]
    assert len(list(where.inbox().iterdir())) == len(members_of(DAY_1))
    assert take(where) == [Taken.DONE]


def test_loose_csvs_come_through_the_embedded_server(tmp_path: Path) -> None:
    """It knows when a file is whole and not when a set is: its zips are taken at once, CSVs when all are at rest."""
    inbox = tmp_path / "served"
    inbox.mkdir()
    for name, text in members_of(DAY_1).items():
        (inbox / name).write_text(text, encoding="utf-8")
    (inbox / "b.zip").write_bytes(zip_of(DAY_1))
    source, now = open_served(inbox, loose_csv=True), time.monotonic()
    seen = [{drop.path.name for drop in source.scan(now + late, datetime.now(UTC))} for late in (0, 59, 60)]
    assert seen == [{"b.zip"}, {"b.zip"}, {"b.zip", "loose-csv.zip"}]


def test_a_set_of_loose_csvs_that_lacks_files_is_rejected(tmp_path: Path) -> None:
    """As a zip would be."""
    where = loose(tmp_path)
    put(where, "users.csv", members_of(DAY_1)["users.csv"])
    take(where)
    assert states_of(where) == ["rejected"]


def test_loose_csvs_are_left_alone_unless_the_feed_takes_them(where: Place) -> None:
    """They are no drop."""
    put_loose(where)
    with opened(where) as feed:
        assert scan(feed, after=7200) == []


def test_a_kill_between_claim_and_removal_takes_loose_csvs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is durable, one file has left the inbox: the next start removes the rest, and applies the run."""
    where = loose(tmp_path)
    put_loose(where)

    def killed(_claims: Claims, drop: Drop) -> None:
        drop.parts[0].path.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, opened(where) as feed, pytest.raises(KeyboardInterrupt):
        patch.setattr(Claims, "_take_out", killed)
        feed.claim(scan(feed)[0], lambda: False)
    with opened(where) as feed:
        feed.resume()
        feed.work(lambda: False)
    assert states_of(where) == ["applied"]
    assert list(where.inbox().iterdir()) == []
