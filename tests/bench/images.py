"""`make images`: tests/laws/test_partial_images.py at length. Prints a table; exits 1 if the law broke."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from partial_images import UNDER_WAY, Came, Tally, table, tally

SLICE = 1000


def judge(first: int, count: int) -> Tally:
    """Judge the images of seeds in a row."""
    with TemporaryDirectory() as folder:
        return tally(range(first, first + count), Path(folder))


def main() -> int:
    """Judge all, on every core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000, help="how many images")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first")
    given = parser.parse_args()
    begins = range(given.seed, given.seed + given.count, SLICE)
    counts = [min(SLICE, given.seed + given.count - begin) for begin in begins]
    with ProcessPoolExecutor() as workers:
        total = reduce(add, workers.map(judge, begins, counts))
    print(table(total))
    print(f"wrong, by seed: {', '.join(map(str, total.wrong)) or 'none'}")
    return 1 if total.wrong or any(total.came[kind, Came.REJECTED] for kind in UNDER_WAY) else 0


if __name__ == "__main__":
    sys.exit(main())
