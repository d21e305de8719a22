"""The exit codes of runs (DESIGN section 7)."""

from collections.abc import Sequence

from ingestd.core.state import State
from ingestd.store import Run


def gravest(runs: Sequence[Run]) -> int:
    """Return the exit code for several runs: the gravest of 4, 1, 3, 0 (DESIGN section 7)."""
    codes = {exit_code(run) for run in runs}
    return next((code for code in (4, 1, 3) if code in codes), 0)


def exit_code(run: Run) -> int:
    """Return the exit code for one run."""
    sinks = (run.document.get("sinks") or {}).values()
    if run.state is State.FAILED or any(one.get("failed") for one in run.document.get("outcomes", ())):
        return 4
    if any(one.get("error") for one in sinks):
        return 4
    counts = run.document.get("findings", {})
    if run.state is State.REJECTED or counts.get("error") or counts.get("catastrophic"):
        return 1
    return 3 if run.state is State.HELD or run.document.get("waits_for") else 0
