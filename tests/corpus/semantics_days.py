"""What a bad record means over several days (law 1): it keeps its last good version, and is mended when it is right.

The first bad day is followed by what comes after it; the clean twin never had one.
"""

from collections.abc import Sequence

from builders import Roster, enrollment, klass
from corpus.order import TODAY, TWICE, days, story, then
from corpus.semantics_deltas import DELETED, E30, RENAMED, delta
from corpus.semantics_files import SET_1_2, alone
from corpus.sets import PLAIN, manifest_of, sent, told, with_rows, without_rows
from corpus.sound import DAY_1, DAY_2, canary, pupil, with_cells, without_news_of
from corpus.story import Scene, Story

ODD = canary("odd", 1)


def spoilt(*sourced_ids: str) -> Roster:
    """Return the second day's roster with users whose role there is not."""
    after = DAY_2
    for one in sourced_ids:
        after = with_cells(one, of=after, role=ODD)
    return after


ONE_SPOILT = sent(spoilt("U2"))
FOUR_SPOILT = sent(spoilt("U1", "U2", "U3", "U4"), after=without_news_of("U1", "U2", "U3", "U4"))
"""More than a tenth of the users."""
LEAVER = sent(without_rows(DAY_2, users=["U30"], enrollments=["E30"]))
NEWCOMER = with_rows(DAY_2, users=pupil(31), enrollments=enrollment(31))
NEWCOMER_TOLD = {
    **NEWCOMER,
    "users": [*DAY_2["users"], *told(pupil(31))],
    "enrollments": [*DAY_2["enrollments"], *told(enrollment(31))],
}
IN_C2 = enrollment(31, userSourcedId="U30", classSourcedId="C2")
"""An enrollment in the class that else has none."""
NEW_CLASS = [enrollment(number, sourcedId=f"N{number}", classSourcedId="C3") for number in (1, 2, 3)]

LATER_DAYS: Sequence[Story] = [
    story("held back, and mended the next day", days(ONE_SPOILT, PLAIN), TODAY, TWICE, "invalid-enum users:1:updated",
          after=DAY_2),
    story("held back on three days, and another one each day",
          days(*(sent(with_cells("U2", of=spoilt("U2"), familyName=canary("day", day))) for day in (1, 2, 3)), PLAIN),
          TODAY, f"{TWICE} {TWICE}", "users:1:updated", after=DAY_2),
    story("held back, and gone the next day", days(sent(spoilt("U30")), LEAVER), days(PLAIN, LEAVER), TWICE,
          "invalid-enum", after=LEAVER.after, twin_states=TWICE, twin_after=LEAVER.after),
    story("held back for two lines of one id, and mended",
          days(sent(with_rows(DAY_2, users=pupil(2, grades="10"))), PLAIN), TODAY, TWICE,
          "duplicate-sourcedid users:1:updated", after=DAY_2),
    story("too many held back, and let through", then(days(FOUR_SPOILT), Scene.release), TODAY, "applied",
          "too-many-held-back", after=FOUR_SPOILT.after),
    story("too many held back, and refused",
          then(days(FOUR_SPOILT), lambda scene: scene.command("discard", scene.last()["run"]), days(PLAIN)), TODAY,
          "discarded applied", "too-many-held-back", after=DAY_2),
    story("a new class held back, and three enrollments in it",
          days(sent(with_rows(DAY_2, classes=klass(3, classType=ODD), enrollments=NEW_CLASS))),
          days(sent(with_rows(DAY_2, classes=klass(3), enrollments=NEW_CLASS))), "applied",
          "reference-to-held-back reference-to-held-back:invalid-enum:classes.csv:4", after=DAY_2,
          twin_after=with_rows(DAY_2, classes=klass(3), enrollments=NEW_CLASS)),
    story("a class gone with an enrollment in it, and back the next day",
          days(sent(with_rows(DAY_2, enrollments=IN_C2)),
               sent(without_rows(with_rows(DAY_2, enrollments=IN_C2), classes=["C2"])),
               sent(with_rows(DAY_2, enrollments=IN_C2))),
          days(sent(with_rows(DAY_2, enrollments=IN_C2))), f"applied {TWICE}", "dangling-reference classes:1:created",
          after=with_rows(DAY_2, enrollments=IN_C2), twin_after=with_rows(DAY_2, enrollments=IN_C2)),
    story("deleted by a delta, and brought back by another", days(DELETED, delta(enrollments=told(E30))),
          days(RENAMED), TWICE, "enrollments:1:deleted enrollments:1:created",
          after={**DAY_1, "enrollments": [*DAY_1["enrollments"][:-1], *told(E30)]}, twin_after=RENAMED.after),
    story("gone from a bulk file, and back in the next", days(LEAVER, PLAIN), TODAY, TWICE,
          "users:1:deleted users:1:created", after=DAY_2),
    story("brought by a delta, and not in the bulk file that follows",
          days(delta(users=told(pupil(31)), enrollments=told(enrollment(31))), PLAIN),
          days(delta(users=told(pupil(31)), enrollments=told(enrollment(31))), sent(NEWCOMER)), TWICE,
          "users:1:deleted", after=DAY_2, twin_states=TWICE, twin_after=NEWCOMER_TOLD),
    story("left out for a day", days(sent(DAY_2, courses=None), PLAIN), TODAY, "rejected applied", "missing-file",
          after=DAY_2),
    story("from 1.1 to 1.2: every user has lost his org", days(SET_1_2), TODAY, "held", "too-many-updates"),
]  # fmt: skip

UNBORN = alone(manifest_of("1.1", {})).zip
"""A first day on which nothing came."""
FIRST_LOADS: Sequence[Story] = [
    Story(name="a first load with one held back, and mended", bad=days(ONE_SPOILT, PLAIN), twin=TODAY,
          states=("applied", "applied"), codes=("invalid-enum", "users:1:created"), day_1=UNBORN),
    Story(name="a first load with one held back", bad=days(ONE_SPOILT), twin=TODAY,
          codes=("invalid-enum", "reference-to-held-back:invalid-enum:users.csv:3"),
          after=without_rows(DAY_2, users=["U2"], enrollments=["E2"]), day_1=UNBORN),
]  # fmt: skip

STORIES = [*LATER_DAYS, *FIRST_LOADS]
