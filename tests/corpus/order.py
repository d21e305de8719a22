"""Right drops at the wrong time: again, late, two at once, changed under our hands, or by a clock that is wrong.

What came already is not done again; what is newer takes the place of what waits; what moves is left alone until it is
at rest. Times that senders or clocks tell decide nothing but how long to wait.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from builders import Roster
from corpus.semantics_deltas import RENAMED, delta, users
from corpus.sets import FIRST, PLAIN, Sent, sent, without_rows
from corpus.sound import DAY_1, DAY_2, canary, with_cells
from corpus.story import QUIET, Play, Scene, Story, Watcher
from places import documents_of, write_rules

from ingestd import daemon

CENTURY = 4_102_444_800
"""The first second of 2100."""

ONE = sent(with_cells("U1", of=DAY_1, familyName=canary("one", 1)))
"""A drop in which one user has another name."""
FEW = sent(without_rows(DAY_1, users=[f"U{n}" for n in range(1, 13)], enrollments=[f"E{n}" for n in range(1, 13)]))
"""A drop that is held: twelve users in thirty are gone."""
FEWER = sent(without_rows(DAY_1, users=[f"U{n}" for n in range(1, 14)], enrollments=[f"E{n}" for n in range(1, 14)]))
BROKEN = sent(DAY_2, users=None)
"""A drop that is rejected."""


def days(*drops: Sent | bytes) -> Play:
    """Return the story of drops that come one after the other, each day one."""

    def play(scene: Scene) -> None:
        for one in drops:
            scene.send(one if isinstance(one, bytes) else one.zip)
            scene.take()

    return play


def then(*plays: Play) -> Play:
    """Return a story of several parts."""

    def play(scene: Scene) -> None:
        for one in plays:
            one(scene)

    return play


def discard(scene: Scene) -> None:
    """Refuse the newest run."""
    scene.command("discard", str(scene.last()["run"]))


def together(*drops: bytes, names: str, times: Sequence[int] = ()) -> Play:
    """Return the story of drops that come in this order, and are taken together; `times` are what senders say."""

    def play(scene: Scene) -> None:
        for i, (content, name) in enumerate(zip(drops, names.split(), strict=True)):
            path = scene.send(content, name)
            if times:
                os.utime(path, (times[i], times[i]))
        scene.take()

    return play


def story(
    name: str, bad: Play, twin: Play, states: str, codes: str = "", *, after: Roster = DAY_1,
    twin_states: str = "applied", twin_after: Roster = DAY_2, left: str = "", feed: str = "", top: str = "",
) -> Story:  # fmt: skip
    """Return a story; words are separated by blanks."""
    return Story(
        name=name, bad=bad, twin=twin, states=tuple(states.split()), codes=tuple(codes.split()), after=after,
        twin_states=tuple(twin_states.split()), twin_after=twin_after, left=tuple(left.split()), feed=feed, top=top,
    )  # fmt: skip


TODAY = days(PLAIN)
TWICE = "applied applied"
NEWER = "superseded applied"
SHIPPED = (Path(__file__).parents[2] / "config" / "rules" / "default.toml").read_text(encoding="utf-8")
RELEASED = then(days(FEW), Scene.release)
LATE = delta(users=[users(familyName=canary("late", 1), dateLastModified="2025-12-01T00:00:00.000Z")])
"""A delta that was made before another one, and comes after it."""


def with_other_rules(scene: Scene) -> None:
    """Give the feed other rules, by which the names of all patrons change."""
    write_rules(scene.where, SHIPPED.replace("{familyName}, {givenName}", "{givenName} {familyName}"), "default")


def release_the_first(scene: Scene) -> None:
    """Consent to the run of the first drop."""
    first = documents_of(scene.where)[1]
    scene.command("release", str(first["run"]), "--plan", str(first["digest"]))


REPEATS: Sequence[Story] = [
    story("the same again", days(FIRST), TODAY, "duplicate", "run.duplicate"),
    story("the same again under another name", together(FIRST.zip, names="other.zip"),
          together(PLAIN.zip, names="other.zip"), "duplicate", "run.duplicate"),
    story("yesterday's after today's", days(PLAIN, FIRST), days(PLAIN, ONE), TWICE, twin_states=TWICE,
          twin_after=ONE.after),
    story("rejected, and sent again as it was", days(BROKEN, BROKEN), TODAY, "rejected rejected", "missing-file"),
    story("held, and sent again as it was", days(FEW, FEW), TODAY, "held duplicate", "run.held run.duplicate"),
    story("refused, and sent again as it was", then(days(FEW), discard, days(FEW)), RELEASED, "discarded held",
          "run.discarded", twin_after=FEW.after),
    story("a delta twice", days(RENAMED, RENAMED), days(RENAMED), "applied duplicate", "run.duplicate",
          after=RENAMED.after, twin_after=RENAMED.after),
    story("a delta again after another one", days(RENAMED, LATE, RENAMED), days(LATE, RENAMED), "applied " + TWICE,
          after=RENAMED.after, twin_states=TWICE, twin_after=RENAMED.after),
    story("a delta that comes late", days(RENAMED, LATE), days(LATE, RENAMED), TWICE, after=LATE.after,
          twin_states=TWICE, twin_after=RENAMED.after),
]  # fmt: skip

CONSENT: Sequence[Story] = [
    story("held, and a newer one comes", days(FEW, PLAIN), TODAY, "superseded applied", "run.superseded",
          after=DAY_2),
    story("held, and a newer one is held too", days(FEW, FEWER), TODAY, "superseded held",
          "run.superseded too-many-deletes"),
    story("consent to a plan that has changed", then(days(FEW), with_other_rules, Scene.release), RELEASED, "held",
          "release-exit-3", twin_after=FEW.after),
    story("consent to another plan", then(days(FEW), lambda scene: scene.release("0" * 64)), RELEASED, "held",
          "release-exit-3", twin_after=FEW.after),
    story("consent to what a newer one has replaced", then(days(FEW, PLAIN), release_the_first), RELEASED,
          "superseded applied", "release-exit-2", after=DAY_2, twin_after=FEW.after),
]  # fmt: skip


# In the inbox -----------------------------------------------------------------------------------------------------


def made(make: Callable[[Path], object]) -> Play:
    """Return the story of something in the inbox that has a drop's name and is no file."""

    def play(scene: Scene) -> None:
        make(scene.where.inbox() / "roster.zip")
        scene.take()

    return play


def linked(path: Path) -> None:
    """Make a link to a drop that lies elsewhere."""
    elsewhere = path.parent.parent / "elsewhere.zip"
    elsewhere.write_bytes(PLAIN.zip)
    path.symlink_to(elsewhere)


def bound(path: Path) -> None:
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as made_one, chdir(path.parent):  # a socket's address has room for 107 bytes
        made_one.bind(path.name)


def growing(scene: Scene) -> None:
    """Send nothing at first, and then all of it."""
    path = scene.send(b"")
    scene.take()
    path.write_bytes(PLAIN.zip)
    scene.take()


def renamed_at_last(scene: Scene) -> None:
    """Send under a name that says that it is under way."""
    path = scene.send(PLAIN.zip, "roster.zip.filepart")
    scene.take()
    path.rename(path.with_suffix(""))
    scene.take()


def between(act: Callable[[Path], object], again: bool = False) -> Play:
    """Return the story of a drop to which something happens between the look at it and its claim."""

    def play(scene: Scene) -> None:
        path = scene.send(ONE.zip)
        with scene.feed() as feed:
            (drop,) = scene.sight(feed)
            act(path)
            scene.offer(feed, drop)
        if again:
            scene.take()

    return play


def swap(content: bytes) -> Callable[[Path], object]:
    """Return what puts another file in a file's place."""

    def act(path: Path) -> None:
        path.with_suffix(".part").write_bytes(content)
        path.with_suffix(".part").replace(path)

    return act


def into_link(path: Path) -> None:
    """Put a link in a file's place."""
    path.unlink()
    linked(path)


def while_copied(scene: Scene) -> None:
    """Send the rest of a drop while what is there of it is copied."""
    path = scene.send(ONE.zip)
    with scene.feed() as feed:
        (drop,) = scene.sight(feed)

        def stop() -> bool:
            with path.open("ab") as file:
                file.write(b"more")
            return False

        scene.offer(feed, drop, stop)
    path.write_bytes(PLAIN.zip)
    scene.take()


def with_a_writer(scene: Scene) -> None:
    """Have a drop open for writing while it is offered, and write on."""
    path = scene.send(ONE.zip)
    with path.open("r+b") as file, scene.feed() as feed:
        (drop,) = scene.sight(feed)
        scene.offer(feed, drop)
        file.write(PLAIN.zip)
        file.truncate()
    scene.take()


def hard_linked(scene: Scene) -> None:
    """Keep a second name of a drop, and change it through that when it is being read."""
    path = scene.send(PLAIN.zip)
    second = path.parent.parent / "second.zip"
    second.hardlink_to(path)
    scene.loop(Watcher("scan", lambda: second.write_bytes(ONE.zip)))


def while_applied(scene: Scene) -> None:
    """Send the next drop while one is being applied."""
    scene.send(ONE.zip, "one.zip")
    scene.loop(Watcher("apply", lambda: scene.send(PLAIN.zip, "two.zip")))


def two_at_work(scene: Scene) -> None:
    """Have two feeds' loops at the same inbox, as when a daemon runs and somebody types `once`."""
    scene.send(PLAIN.zip)
    with scene.feed() as one, scene.feed() as other:
        works = [Thread(target=daemon.once, args=[[feed]], kwargs={"requests": SimpleQueue()}) for feed in (one, other)]
        for work in works:
            work.start()
        for work in works:
            work.join()


UNMOVED = between(lambda _path: None)
GAP = "wait"
"""What is told of a drop that is not at rest: it is offered again later."""
INBOX: Sequence[Story] = [
    story("two at once, the newer one first by name", together(ONE.zip, PLAIN.zip, names="z.zip a.zip"),
          together(PLAIN.zip, ONE.zip, names="a.zip z.zip"), NEWER, after=DAY_2, twin_states=NEWER,
          twin_after=ONE.after),
    story("three at once, the first of which is held", together(FEW.zip, ONE.zip, PLAIN.zip, names="a.zip b.zip c.zip"),
          together(ONE.zip, PLAIN.zip, names="b.zip c.zip"), "superseded " + NEWER,
          after=DAY_2, twin_states=NEWER),
    story("two at once, the newer of which is rejected", together(PLAIN.zip, BROKEN.zip, names="a.zip b.zip"),
          together(PLAIN.zip, names="a.zip"), "applied rejected", "missing-file", after=DAY_2),
    story("two deltas at once", together(LATE.zip, RENAMED.zip, names="a.zip b.zip"),
          together(RENAMED.zip, names="b.zip"), TWICE, after=RENAMED.after, twin_after=RENAMED.after),
    story("a delta at once with a bulk set", together(RENAMED.zip, PLAIN.zip, names="a.zip b.zip"),
          together(PLAIN.zip, names="b.zip"), NEWER, "run.superseded", after=DAY_2),
    story("a file of 1970", together(PLAIN.zip, names="a.zip", times=[0]), TODAY, "applied", after=DAY_2),
    story("a file of 2100 before one of 1970", together(ONE.zip, PLAIN.zip, names="a.zip b.zip", times=[CENTURY, 0]),
          together(ONE.zip, PLAIN.zip, names="a.zip b.zip"), NEWER, after=DAY_2, twin_states=NEWER),
    story("a folder called .zip", made(Path.mkdir), TODAY, "", "file.ignored", left="roster.zip"),
    story("a link called .zip", made(linked), TODAY, "", "file.ignored", left="roster.zip"),
    story("a pipe called .zip", made(os.mkfifo), TODAY, "", "file.ignored", left="roster.zip"),
    story("a socket called .zip", made(bound), TODAY, "", "file.ignored", left="roster.zip"),
    story("a file that begins empty", growing, TODAY, "applied", after=DAY_2),
    story("a name that says that it is under way", renamed_at_last, TODAY, "applied", after=DAY_2),
    story("gone before it is claimed", between(Path.unlink), UNMOVED, "", GAP,
          twin_after=ONE.after),
    story("replaced before it is claimed", between(swap(PLAIN.zip), again=True), TODAY, "applied", GAP,
          after=DAY_2),
    story("a link before it is claimed", between(into_link), UNMOVED, "", GAP, left="roster.zip",
          twin_after=ONE.after),
    story("more comes while it is copied", while_copied, TODAY, "applied", GAP, after=DAY_2),
    story("open for writing", with_a_writer, TODAY, "applied", GAP, after=DAY_2),
    story("changed by another name while it is read", hard_linked, TODAY, "applied", after=DAY_2),
    story("the next one comes while it is applied", while_applied, days(ONE, PLAIN), TWICE, after=DAY_2,
          twin_states=TWICE),
    story("two processes at one inbox", two_at_work, TODAY, "applied", after=DAY_2),
]  # fmt: skip


# By the clock -----------------------------------------------------------------------------------------------------


def shifted(content: bytes, shift: timedelta) -> Play:
    """Return the story of a drop that comes when our clock is off."""

    def play(scene: Scene) -> None:
        scene.later = shift
        scene.send(content)
        scene.loop()

    return play


def rested(shift: timedelta) -> Play:
    """Return the story of a drop that has to lie still for an hour, by a clock that is off: not at first, but then."""

    def play(scene: Scene) -> None:
        scene.settle(QUIET, 'quiet_period = "1h"')
        scene.later = shift
        scene.send(PLAIN.zip)
        with scene.feed() as feed:
            assert not scene.sight(feed)
            (drop,) = scene.sight(feed, after=3601)
            scene.offer(feed, drop)

    return play


def nights(*moments: str) -> Play:
    """Return the story of ticks after a change of the rules, the first of them on the evening before."""

    def play(scene: Scene) -> None:
        with_other_rules(scene)
        for moment in moments:
            scene.tick(datetime.fromisoformat(moment).replace(tzinfo=UTC))

    return play


DAY = timedelta(days=1)
CUT = PLAIN.zip[:-30]
CHICAGO = {
    "top": 'timezone = "America/Chicago"\n',
    "feed": '\n[limits]\nupdate = "100%"\n[schedule]\napply_at = "02:30"\n',
}
PLAIN_NIGHT = nights("2100-03-10T20:00", "2100-03-11T09:00")


def tick(name: str, *moments: str) -> Story:
    """Return a story of ticks of which one alone has something to do."""
    return story(name, nights(*moments), PLAIN_NIGHT, "applied", after=DAY_1, twin_after=DAY_1, **CHICAGO)


CLOCK: Sequence[Story] = [
    story("our clock is a day behind", rested(-DAY), rested(timedelta()), "applied", after=DAY_2),
    story("cut off, and our clock is a day behind", shifted(CUT, -DAY), shifted(PLAIN.zip, -DAY), "",
          "incomplete-zip drop.waiting", left="roster.zip"),
    story("cut off, and our clock is a day ahead", shifted(CUT, DAY), shifted(PLAIN.zip, DAY), "rejected",
          "incomplete-zip"),
    tick("the night whose clocks skip the hour", "2100-03-13T20:00", "2100-03-14T08:31", "2100-03-14T09:31"),
    tick("the night that has the hour twice", "2100-11-06T20:00", "2100-11-07T07:31", "2100-11-07T08:31"),
    tick("the 29th of February", "2104-02-28T20:00", "2104-02-29T08:31", "2104-02-29T20:00"),
    tick("twice on a day", "2100-03-10T20:00", "2100-03-11T09:00", "2100-03-11T21:00"),
    tick("a clock that is set back a day", "2100-03-10T20:00", "2100-03-11T09:00", "2100-03-10T09:00",
         "2100-03-11T09:00"),
]  # fmt: skip

STORIES = [*REPEATS, *CONSENT, *INBOX, *CLOCK]
