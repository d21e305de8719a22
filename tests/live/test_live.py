"""A sample of the matrix of `make live`: every way in, every client, every fate."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from live.matrix import Case, Fate, Verdict, batches_of, run
from live.sites import QUIET, SITES

CLIENTS = ("sftp", "scp", "lftp", "paramiko", "filepart")
SHIFTS = {"folder": 0, "embedded": 2, "remote": 1}
"""By how much the clients are shifted against the fates, so that each way in has other pairs of them."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's sshd can shut a vendor into a folder")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Verdict]]:
    """Return what came of the uploads by each way in; all go side by side, for most of it is waiting."""
    folder = tmp_path_factory.mktemp("live")
    with ThreadPoolExecutor() as pool:
        return dict(zip(SITES, pool.map(lambda target: _try(target, folder / target), SITES), strict=True))


def _try(target: str, folder: Path) -> list[Verdict]:
    folder.mkdir()
    shifted = (*CLIENTS[SHIFTS[target] :], *CLIENTS[: SHIFTS[target]])
    cases = [Case(client, fate) for client, fate in zip(shifted, Fate, strict=True)]
    batches = enumerate(batches_of(target, cases))
    return [one for number, batch in batches for one in run(target, batch, folder / str(number), pause=QUIET + 3)]


@pytest.mark.parametrize("target", SITES)
def test_no_upload_is_taken_early_lost_or_taken_twice(target: str, verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Hurt in the middle and mended after the quiet period is over, each comes to one run, not before its end."""
    assert {one.case.fate for one in verdicts[target]} == set(Fate)
    assert not [(one.case, one.faults) for one in verdicts[target] if one.faults]
