"""`make live`: uploads of real clients by what befalls them by the ways in, many at a time; a table of what came of it.

By default 8 of each. What is stopped stays so for 90 seconds; see `tests/live/matrix.py` for what is asked of each.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from live.clients import CLIENTS
from live.matrix import Case, Fate, Verdict, batches_of, run
from live.sites import SITES


def main() -> None:
    """Do the whole matrix and print the table; exit with 1 if anything was amiss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", choices=SITES, default=list(SITES))
    parser.add_argument("--repeats", type=int, default=8, help="uploads of each kind")
    parser.add_argument("--at-once", type=int, default=1, help="repeats that go side by side, 25 uploads each")
    parser.add_argument("--pause", type=float, default=90, help="seconds that a client is stopped")
    given = parser.parse_args()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="ingestd-live-") as folder:
        for number, (target, cases) in enumerate(_batches(given.targets, given.repeats, given.at_once)):
            verdicts += run(target, cases, Path(folder) / str(number), pause=given.pause)
            print(f"{len(verdicts)} uploads", file=sys.stderr)
    print("\n".join(_table(given.targets, verdicts)))
    amiss = [f"{one.target}: {one.case.feed}: {', '.join(one.faults)}" for one in verdicts if one.faults]
    print("\n".join(amiss))
    sys.exit(bool(amiss))


def _batches(targets: Sequence[str], repeats: int, at_once: int) -> Iterator[tuple[str, list[Case]]]:
    for target in targets:
        for first in range(0, repeats, at_once):
            numbers = range(first, min(first + at_once, repeats))
            cases = [Case(client, fate, n) for n in numbers for fate in Fate for client in CLIENTS]
            yield from ((target, batch) for batch in batches_of(target, cases))


def _table(targets: Sequence[str], verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "| target | fate | uploads | amiss | latency p50 | p99 | max |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for target in targets:
        mine = [one for one in verdicts if one.target == target]
        for fate in Fate:
            yield _row(target, fate, [one for one in mine if one.case.fate is fate])
        yield _row(target, "all", mine)


def _row(target: str, fate: str, verdicts: Sequence[Verdict]) -> str:
    taken = sorted(one.latency for one in verdicts)
    at = [taken[min(len(taken) - 1, int(len(taken) * part))] for part in (0.5, 0.99)]
    amiss = sum(bool(one.faults) for one in verdicts)
    figures = " | ".join(f"{one:.2f} s" for one in (*at, taken[-1]))
    return f"| {target} | {fate} | {len(taken)} | {amiss} | {figures} |"


if __name__ == "__main__":
    os.umask(0o022)
    main()
