"""The check against mass change, at the edges of its limits."""

import pytest

from ingestd.core.guard import Limits, OrgLoss, guard, guard_held_back, largest_at_risk
from ingestd.core.model import Changes, TableCount

DEFAULT = Limits()
DELETES, UPDATES, EMPTIED, IN_ORG = "too-many-deletes", "too-many-updates", "table-emptied", "too-many-deletes-in-org"


def codes(
    live: int, limits: Limits = DEFAULT, *losses: OrgLoss, deleted: int = 0, updated: int = 0, created: int = 0
) -> list[str]:
    """Return the codes of the breaches of a table `users` with `live` records."""
    changes = Changes(created, updated, deleted, live - deleted - updated)
    return [breach.code for breach in guard("users", changes, live, limits, losses)]


@pytest.mark.parametrize(
    ("live", "limits", "deleted", "updated", "expected"),
    [
        pytest.param(0, DEFAULT, 0, 0, [], id="first load"),
        pytest.param(1000, DEFAULT, 0, 0, [], id="nothing changes"),
        pytest.param(1000, DEFAULT, 99, 0, [], id="deletes below the limit"),
        pytest.param(1000, DEFAULT, 100, 0, [], id="deletes at the limit"),
        pytest.param(1000, DEFAULT, 101, 0, [DELETES], id="deletes above the limit"),
        pytest.param(1000, DEFAULT, 999, 0, [DELETES], id="all but one deleted"),
        pytest.param(1000, DEFAULT, 1000, 0, [EMPTIED], id="all deleted"),
        pytest.param(1000, DEFAULT, 0, 749, [], id="updates below the limit"),
        pytest.param(1000, DEFAULT, 0, 750, [], id="updates at the limit"),
        pytest.param(1000, DEFAULT, 0, 751, [UPDATES], id="updates above the limit"),
        pytest.param(1000, DEFAULT, 0, 1000, [UPDATES], id="all updated"),
        pytest.param(1000, DEFAULT, 200, 800, [DELETES, UPDATES], id="both limits at once"),
        pytest.param(19, DEFAULT, 18, 0, [], id="smaller than the minimum"),
        pytest.param(20, DEFAULT, 2, 0, [], id="as large as the minimum, at the limit"),
        pytest.param(20, DEFAULT, 3, 0, [DELETES], id="as large as the minimum, above the limit"),
        pytest.param(19, DEFAULT, 0, 19, [], id="smaller than the minimum, all updated"),
        pytest.param(19, DEFAULT, 19, 0, [EMPTIED], id="smaller than the minimum, emptied"),
        pytest.param(1, DEFAULT, 1, 0, [EMPTIED], id="a single record goes"),
        pytest.param(1, Limits(minimum=0), 0, 1, [UPDATES], id="no minimum"),
        pytest.param(0, Limits(minimum=0), 0, 0, [], id="no minimum, first load"),
        pytest.param(10_000_000, Limits(delete=0), 1, 0, [DELETES], id="none allowed, one of very many deleted"),
        pytest.param(1000, Limits(delete=1, update=1), 999, 1, [], id="all allowed"),
        pytest.param(1000, Limits(delete=1), 1000, 0, [EMPTIED], id="all allowed, emptied all the same"),
        pytest.param(100, Limits(delete=0.29), 29, 0, [], id="at a limit that floats write a little too low"),
        pytest.param(1000, Limits(delete=0.7 / 100), 7, 0, [], id="at a percentage that floats write a little too low"),
        pytest.param(1000, Limits(delete=0.7 / 100), 8, 0, [DELETES], id="above that percentage"),
    ],
)
def test_boundaries(live: int, limits: Limits, deleted: int, updated: int, expected: list[str]) -> None:
    """What is exactly at a limit is allowed, what is above is a breach, emptying a table always is one."""
    assert codes(live, limits, deleted=deleted, updated=updated) == expected


@pytest.mark.parametrize(
    ("deleted", "of", "expected"),
    [
        pytest.param(25, 100, [], id="at the limit"),
        pytest.param(26, 100, [IN_ORG], id="above the limit"),
        pytest.param(100, 100, [IN_ORG], id="a school goes"),
        pytest.param(19, 19, [], id="a school smaller than the minimum goes"),
        pytest.param(6, 20, [IN_ORG], id="a school as large as the minimum, above the limit"),
    ],
)
def test_boundaries_of_an_org(deleted: int, of: int, expected: list[str]) -> None:
    """An org's part of a table has a limit of its own, and the same minimum."""
    assert codes(10_000, DEFAULT, OrgLoss("S1", deleted, of), deleted=deleted) == expected


def test_all_replaced_is_emptied() -> None:
    """When every id is another one, the table would be emptied first, however many come in their place."""
    assert codes(50, deleted=50, created=60) == [EMPTIED]


def test_all_breaches_are_told() -> None:
    """Not the first breach is returned but each: of the table, and of every org."""
    losses = (OrgLoss("S1", 150, 300), OrgLoss("S2", 1, 300), OrgLoss("S3", 150, 300))
    assert codes(1000, DEFAULT, *losses, deleted=301, updated=760) == [DELETES, UPDATES, IN_ORG, IN_ORG]


def test_breach_says_how_much_of_what() -> None:
    """A breach has counts, share, limit and the org in words and as values."""
    breach = guard("users", Changes(deleted=1001), 10_000, DEFAULT)[0]
    assert breach.message == "1,001 of 10,000 users would be removed (10.01%; the limit is 10%)"
    assert (breach.table, breach.org, breach.count, breach.of, breach.limit) == ("users", None, 1001, 10_000, 0.10)
    breach = guard("users", Changes(deleted=30), 10_000, DEFAULT, (OrgLoss("S1", 30, 60),))[0]
    assert breach.message == "org S1: 30 of its 60 users would be removed (50.00%; the limit is 25%)"
    assert breach.org == "S1"


@pytest.mark.parametrize(("deleted", "updated"), [(10, 0), (0, 90), (9, 90), (9, 30)])
def test_only_a_table_up_to_the_largest_at_risk_can_have_a_breach(deleted: int, updated: int) -> None:
    """So a larger one need not be counted to its end."""
    changes = Changes(updated=updated, deleted=deleted)
    largest = round(largest_at_risk(changes, Limits()))
    assert guard("users", changes, largest - 1, Limits()) != ()
    assert guard("users", changes, largest + 1, Limits()) == ()


def test_without_changes_nothing_is_at_risk() -> None:
    """And a limit of nothing puts every table at risk."""
    assert largest_at_risk(Changes(), Limits()) == 0
    assert largest_at_risk(Changes(deleted=1), Limits(delete=0.0)) == float("inf")


@pytest.mark.parametrize(
    ("rows", "held_back", "is_breach"),
    [(1000, 100, False), (1000, 101, True), (20, 2, False), (20, 3, True), (19, 19, False), (0, 0, False)],
)
def test_too_many_records_held_back(rows: int, held_back: int, is_breach: bool) -> None:
    """Exactly the limit is allowed, more is a breach; a file of fewer records than `minimum` is not judged."""
    found = guard_held_back("users", TableCount(rows, rows - held_back, held_back), DEFAULT)
    assert [breach.code for breach in found] == ["too-many-held-back"] * is_breach
    if found:
        assert (found[0].count, found[0].of, found[0].limit) == (held_back, rows, 0.1)
