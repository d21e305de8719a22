"""`make bench-validation`: all rules over a million enrollments, beside pyarrow's bare read of the same bytes.

What is measured is the stage `validate` of enrollments.csv: repairs, the schema's checks, rules within and across
records, uniqueness, references. Beside it stands what pandera takes for the same checks when it is given the whole
frame, which the daemon does not do. Ratios are of medians of the same process, for the machine may be shared and noisy.
"""

import argparse
import io
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ingestd import generate
from ingestd.core.columns import flat, to_series
from ingestd.examine import NoPast, Terms, examine
from ingestd.stages import Stages
from ingestd.unpack import PackageLimits, open_package
from schemas import load

TABLE = "enrollments"


class Timed(Stages):
    """Stages that also say what one table took in each of them."""

    @contextmanager
    def measure(self, name: str, detail: str = "", *, may_stop: bool = True) -> Iterator[None]:
        """Run the block, and add its seconds to those of the stage if it is of the table."""
        begin = time.perf_counter()
        with super().measure(name, detail, may_stop=may_stop):
            yield
        if detail == TABLE:
            key = f"{name} {TABLE}"
            self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - begin


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="enrollments")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="ingestd-bench-") as name:
        folder = Path(name)
        generate.write_folder(_district(given.records), folder)
        data = (folder / f"{TABLE}.csv").read_bytes()
        rounds = [(_bare(data), _validated(folder), _by_pandera(data)) for _ in range(given.repeats)]
    bare, validated, pandera = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    ratios = sorted(validated / bare for bare, validated, _ in rounds)
    lines = data.count(b"\n") - 1
    print(f"{lines:,} enrollments, {len(data) / 1e6:.0f} MB, {given.repeats} repeats")
    print(f"pyarrow.csv alone: {bare:.2f} s; validate: {validated:.2f} s; ratio {validated / bare:.2f}", end=" ")
    print(f"(of single pairs {ratios[0]:.2f} to {ratios[-1]:.2f})")
    print(f"pandera on the whole frame: {pandera:.2f} s; ratio {pandera / bare:.2f};", end=" ")
    print(f"of both together {(validated + pandera) / bare:.2f}")


def _district(records: int) -> generate.Roster:
    """Return a district with so many enrollments, or a few more."""
    roster = generate.district(records // 9 + 100, 1)
    return {**roster, TABLE: roster[TABLE].iloc[:records]}


def _bare(data: bytes) -> float:
    """Return the seconds in which pyarrow reads a file's bytes as strings."""
    begin = time.perf_counter()
    _read(data)
    return time.perf_counter() - begin


def _read(data: bytes) -> pa.Table:
    header = next(io.BytesIO(data)).decode().strip().split(",")
    options = pa.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.large_string()), strings_can_be_null=False)
    return pa.csv.read_csv(pa.BufferReader(data), convert_options=options)


def _by_pandera(data: bytes) -> float:
    """Return the seconds in which the compiled schema validates a file's records."""
    cells = _read(data)
    frame = pd.DataFrame({name: to_series(flat(cells.column(name))) for name in cells.column_names}, copy=False)
    schema = load("1.1")[TABLE].schema
    begin = time.perf_counter()
    schema.validate(frame, lazy=True)
    return time.perf_counter() - begin


def _validated(folder: Path) -> float:
    """Return the seconds in which a package's enrollments are validated."""
    stages = Timed()
    with open_package(folder, PackageLimits()) as package:
        examined = examine(package, NoPast(), Terms(required=()), stages)
    if examined.is_rejected or examined.settled[TABLE].count.held_back:
        raise SystemExit("the district is not as it should be")
    return stages.seconds[f"validate {TABLE}"]


if __name__ == "__main__":
    main()
