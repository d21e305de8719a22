"""A sample of the matrix of `make live`: every way in, every client, every fate."""

import os
from pathlib import Path

import pytest
from live.matrix import Case, Fate, batches_of, run
from live.sites import QUIET, SITES

CLIENTS = ("sftp", "scp", "lftp", "paramiko", "filepart")
SHIFTS = {"folder": 0, "embedded": 2, "remote": 1}
"""By how much each way in is shifted, so that together they have more pairs of client and fate."""


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's sshd can shut a vendor into a folder")


@pytest.mark.parametrize("target", SITES)
def test_no_upload_is_taken_early_lost_or_taken_twice(target: str, tmp_path: Path) -> None:
    """Hurt in the middle and mended after the quiet period is over, each comes to one run, not before its end."""
    clients = CLIENTS[SHIFTS[target] :] + CLIENTS[: SHIFTS[target]]
    cases = [Case(client, fate) for client, fate in zip(clients, Fate, strict=True)]
    batches = batches_of(target, cases)
    verdicts = [
        one
        for number, batch in enumerate(batches)
        for one in run(target, batch, tmp_path / str(number), pause=QUIET + 3)
    ]
    assert len(verdicts) == len(cases)
    assert not [(one.case, one.faults) for one in verdicts if one.faults]
    assert max(one.latency for one in verdicts) < 20
