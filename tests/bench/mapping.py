"""`make bench-mapping`: all target records mapped and held against the owned ones, beside a bare read of the same drop.

What is measured is the planning of a district of which nothing changed, as after a change of rules: every roster record
is mapped, every target record compared, and the plan is empty. Beside it stands what pyarrow takes to inflate the drop
and to read all its files as strings. Both are the best of several of the same process, for the machine may be shared.
"""

import argparse
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv

from ingestd import config, generate, log
from ingestd.core.pins import Pins
from ingestd.feed import Feed
from ingestd.policy import Policy, policy_of
from ingestd.rulebook import rules_of
from ingestd.stages import Stages
from ingestd.store import Store
from ingestd.tables import Tables
from ingestd.targets import Targets
from schemas import shapes

RULES = ("default", "microsoft-sds")
FEED = 'rules = "{rules}"\n[[sources]]\nkind = "folder"\npath = "inbox/{rules}"\n[scope]\ndemographics = true\n'
DROP = "day1.zip"
GOAL = 3.0
"""How many times as long as the bare read it may take at most."""


class Timed(Stages):
    """Stages whose seconds are told by target table."""

    @contextmanager
    def measure(self, name: str, detail: str = "", *, may_stop: bool = True) -> Iterator[None]:
        """Run the block as part of the stage of its target table."""
        with super().measure(f"{name} {detail}".strip(), detail, may_stop=may_stop):
            yield


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the district is made, and found the next time")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        _prepare(given.folder, given.users)
        return
    with TemporaryDirectory(prefix="ingestd-bench-") as name:
        folder = given.folder or Path(name)
        if not (folder / "ready").exists():  # in a process of its own, whose memory is not ours
            command = [sys.executable, __file__, "--prepare", "--folder", str(folder), "--users", str(given.users)]
            subprocess.run(command, check=True)
        _measure(folder, given.repeats)


def _prepare(folder: Path, users: int) -> None:
    """Make a district, and a feed of each rules that has applied it."""
    log.configure("error")
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "ingestd.toml").write_text("")
    generate.write_zip(generate.district(users, 1), folder / DROP)
    for rules in RULES:
        (folder / "feeds" / f"{rules}.toml").write_text(FEED.format(rules=rules))
    settings = config.load(folder / "ingestd.toml")
    for one in settings.feeds.values():
        feed = Feed(one, rules_of(one), settings.state_dir)
        run = feed.take_file(folder / DROP)
        feed.close()
        if run.state != "applied":
            raise SystemExit(f"the run is {run.state}: {run.document.get('breaches')} {run.document.get('error')}")
    (folder / "ready").touch()


def _measure(folder: Path, repeats: int) -> None:
    rounds = [_timed(lambda: _bare(folder / DROP)) for _ in range(repeats)]
    bare, records = min(rounds)
    print(f"{records:,} records; pyarrow.csv alone: {bare:.2f} s, the best of {repeats}")
    settings = config.load(folder / "ingestd.toml")
    for one in settings.feeds.values():
        store = Store(settings.state_dir / "feeds", one.key, shapes())
        policy = policy_of(one, rules_of(one), Pins(), store.seed)
        found = min((_planned(store, policy) for _ in range(repeats)), key=lambda planned: planned[0])
        store.close()
        seconds, peak, spent = found
        print(f"\n{one.key}: {seconds:.2f} s, ratio {seconds / bare:.2f} (goal: {GOAL:g}), peak {peak:.0f} MB")
        for stage, part in spent.items():
            print(f"    {stage:<26}{part:6.2f} s")


def _planned(store: Store, policy: Policy) -> tuple[float, float, Mapping[str, float]]:
    """Plan all target records; return the seconds, the peak of memory in MB, and the seconds by target table."""
    stages = Timed()
    Path("/proc/self/clear_refs").write_text("5")  # resets the kernel's high-water mark
    seconds, actions = _timed(lambda: _plan(store, policy, stages))
    if actions:
        raise SystemExit(f"{actions:,} actions are planned where nothing changed")
    status = Path("/proc/self/status").read_text()
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return seconds, peak, stages.seconds


def _plan(store: Store, policy: Policy, stages: Stages) -> int:
    tables = Tables(store.snapshot, {}, policy.scope, date(2026, 10, 1))
    targets = Targets(store.at("sqlite"), tables, policy, is_full=True, stages=stages)
    return sum(len(one) for one in targets.actions())


def _bare(drop: Path) -> int:
    """Inflate a drop and read all its tables as strings; return how many records they have."""
    records = 0
    with zipfile.ZipFile(drop) as package:
        for name in package.namelist():
            if name != "manifest.csv":
                data = package.read(name)
                header = data[: data.index(b"\n")].decode().strip().split(",")
                options = pa.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.large_string()))
                records += len(pa.csv.read_csv(pa.BufferReader(data), convert_options=options))
    return records


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    begin = time.perf_counter()
    found = work()
    return time.perf_counter() - begin, found


if __name__ == "__main__":
    main()
