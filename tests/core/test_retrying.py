"""When a failed run is tried again by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from ingestd.core.retrying import FIRST, LONGEST, after_failure, is_due

NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)


def test_the_first_try_comes_soon_and_the_next_ones_later() -> None:
    """Each pause is twice the one before, up to an hour; none is forgotten meanwhile."""
    document: dict[str, object] = {}
    pauses = []
    for number in range(1, 10):
        document |= after_failure(document, NOW, may_pass=True)
        assert document["tries"] == number
        pauses.append(datetime.fromisoformat(str(document["retry_at"])) - NOW)
    assert pauses[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert pauses[-3:] == [LONGEST] * 3


def test_what_only_somebody_can_mend_is_not_tried() -> None:
    """It counts as a try all the same."""
    assert after_failure({"tries": 2}, NOW, may_pass=False) == {"tries": 3, "retry_at": None}


@pytest.mark.parametrize(("late", "due"), [(-1, False), (0, True), (3600, True)])
def test_a_run_is_due_when_its_time_has_come(late: int, due: bool) -> None:
    """In whatever zone the time is told."""
    document = {"retry_at": NOW.isoformat()}
    assert is_due(document, NOW + timedelta(seconds=late)) is due


@pytest.mark.parametrize("document", [{}, {"retry_at": None}])
def test_a_run_without_a_time_is_not_due(document: dict[str, None]) -> None:
    """One that failed before times were kept, or whose fault only somebody can mend."""
    assert not is_due(document, NOW)
