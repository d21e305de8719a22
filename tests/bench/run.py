"""`make bench`: a district's first load and daily drop, seconds and peak memory per stage, beside `unzip -p | wc -l`.

Every figure is of a process of its own, so that a peak is that of one run. Speed is told as a ratio to the baseline
measured in the same run, for the machine may be shared and noisy.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingestd.stages import Show, Stages

FEED = 'scope = { demographics = true }\n[[sources]]\nkind = "folder"\npath = "inbox/bench"\nquiet_period = "0s"\n'


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3, help="daily drops, and baselines of each")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _child(Path(given.child))
        return
    with tempfile.TemporaryDirectory(prefix="ingestd-bench-") as folder:
        results = _bench(Path(folder), given.users, given.repeats)
    print(json.dumps(results, indent=2) if given.json else _table(results, given.users))


def _bench(folder: Path, users: int, repeats: int) -> list[dict[str, object]]:
    drops = _drops(folder, users, repeats)
    (folder / "feeds").mkdir()
    (folder / "ingestd.toml").write_text("")
    (folder / "feeds" / "bench.toml").write_text(FEED)
    results = []
    for number, drop in enumerate(drops):
        baseline = min(_baseline(drop) for _ in range(3))
        name = "first load" if number == 0 else f"daily drop {number}"
        results.append({"name": name, "zip_bytes": drop.stat().st_size, "baseline": baseline, **_measure(folder, drop)})
    return results


def _drops(folder: Path, users: int, repeats: int) -> list[Path]:
    """Write day 1 and the days after it, in a process of their own: its memory is not ours."""
    code = (
        "import sys; from ingestd import generate as g; from pathlib import Path\n"
        f"r = g.district({users}, 1); g.write_zip(r, Path(sys.argv[1]) / 'day1.zip')\n"
        f"for day in range(2, {repeats + 2}):\n"
        "    r = g.next_day(r, day=day, seed=1); g.write_zip(r, Path(sys.argv[1]) / f'day{day}.zip')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    return [folder / f"day{day}.zip" for day in range(1, repeats + 2)]


def _baseline(drop: Path) -> float:
    """Return the seconds of `unzip -p DROP | wc -l`."""
    begin = time.perf_counter()
    with subprocess.Popen(["unzip", "-p", str(drop)], stdout=subprocess.PIPE) as unzip:
        subprocess.run(["wc", "-l"], stdin=unzip.stdout, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def _measure(folder: Path, drop: Path) -> dict[str, object]:
    """Run one drop in a fresh process, from the claim to the report."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--child", str(drop)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "wall": time.perf_counter() - begin}


def _child(drop: Path) -> None:
    from ingestd import config, log
    from ingestd.feed import Feed
    from ingestd.rulebook import load_rules

    log.configure("error")
    settings = config.load(Path("ingestd.toml"))
    begin = time.perf_counter()
    watch = _Watch()
    rules = load_rules(settings.feeds["bench"].rules)
    feed = Feed(settings.feeds["bench"], rules, settings.state_dir, stages=watch.stages)
    run = feed.take_file(drop)
    work = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    about = run.document
    if run.state != "applied":
        raise SystemExit(f"the run is {run.state}: {about.get('breaches')} {about.get('error')}")
    counts = {"actions": about["actions"], "changeset": about["changeset"]}
    spent = watch.made[-1].seconds
    stages = {name: {"seconds": seconds, **watch.peaks.get(name, {})} for name, seconds in spent.items()}
    peaks = {"peak_mb": peak / 1024, "worker_mb": max(one.peak for one in watch.made) / (1 << 20)}
    print(json.dumps({"work": work, **peaks, "stages": stages, **counts}))


class _Watch:
    """Measures each stage's peak memory in this process, by resetting the kernel's high-water mark."""

    def __init__(self) -> None:
        self.peaks: dict[str, dict[str, float]] = {}
        self.made: list[Stages] = []

    def stages(self, show: "Show", stop: Callable[[], bool]) -> "Stages":
        """Return stages that are measured here."""
        from ingestd.stages import Stages

        watch = self

        class Measured(Stages):
            @contextmanager
            def measure(self, name: str, detail: str = "", *, may_stop: bool = True) -> Iterator[None]:
                Path("/proc/self/clear_refs").write_text("5")
                with super().measure(name, detail, may_stop=may_stop):
                    yield
                before = watch.peaks.get(name, {"peak_mb": 0.0})
                watch.peaks[name] = {"peak_mb": max(before["peak_mb"], _high_water())}

        watch.made.append(Measured(show, stop))
        return watch.made[-1]


def _high_water() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _table(results: list[dict[str, object]], users: int) -> str:
    lines = [f"{users:,} users; baseline: unzip -p | wc -l, the best of three; {os.cpu_count()} cores", ""]
    for one in results:
        baseline, work, wall = (float(str(one[name])) for name in ("baseline", "work", "wall"))
        lines.append(
            f"{one['name']}: {work:.2f} s work ({work / baseline:.1f}x the baseline of {baseline:.2f} s), "
            f"{wall:.2f} s with start-up ({wall / baseline:.1f}x), peak {one['peak_mb']:.0f} MB, "
            f"of the worker {one['worker_mb']:.0f} MB"
        )
        stages = one["stages"]
        assert isinstance(stages, dict)
        for name, seen in stages.items():
            where = f"{seen['peak_mb']:7.0f} MB" if "peak_mb" in seen else "    in the worker"
            lines.append(f"    {name:<10}{seen['seconds']:7.2f} s {where}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
