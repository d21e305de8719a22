"""When a failed run is tried again by itself: soon, then less and less often, as long as the fault may pass.

Law: a fault that only somebody can mend waits for the next start or tick; whoever is away is not asked every minute.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

FIRST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""The first pause, which doubles with each try, and the longest."""


def after_failure(document: Mapping[str, Any], now: datetime, *, may_pass: bool) -> dict[str, Any]:
    """Return what a run's document says of its tries: `tries`, so far, and `retry_at`, None if only others can mend it.

    Args:
        document: as it was before this try.
        now: the time, with a zone.
        may_pass: whether the fault may be gone soon, without anybody's doing.
    """
    tries = int(document.get("tries") or 0) + 1
    pause = min(LONGEST, FIRST * 2 ** min(tries - 1, 16))
    return {"tries": tries, "retry_at": (now + pause).isoformat(timespec="seconds") if may_pass else None}


def is_due(document: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a failed run is to be tried again."""
    retry_at = document.get("retry_at")
    return bool(retry_at) and datetime.fromisoformat(str(retry_at)) <= now
