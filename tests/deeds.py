"""What workers are asked to do in tests: good work, and all kinds of bad. Importable by its name in any process."""

import ctypes
import mmap
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ingestd.core.columns import to_series
from ingestd.core.findings import batch
from ingestd.core.model import Batch
from ingestd.errors import ConfigError
from ingestd.stages import Stages
from ingestd.zipends import PackageFault

SECRET = "Ann Fern, born 2011-03-04"
FINDING = batch("incomplete-zip", detail="it is cut off")


class Forged:
    """Something that is no value: who unpickles it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def give(_stages: Stages, value: object) -> object:
    """Return what was given."""
    return value


def finding(_stages: Stages) -> Batch:
    """Return a value of core."""
    return FINDING


def frame(_stages: Stages, rows: int) -> pd.DataFrame:
    """Return a frame of two columns, of which the first has texts and the second numbers."""
    numbers = np.arange(rows)
    return pd.DataFrame({"id": to_series(pc.cast(pa.array(numbers), pa.large_string())), "number": numbers})


def read_csv(_stages: Stages, rows: int) -> int:
    """Read a CSV with Arrow, in several threads, and return how many rows it had."""
    return int(pa.csv.read_csv(pa.BufferReader(b"a,b\n" + b"1,2\n" * rows)).num_rows)


def count(stages: Stages) -> str:
    """Tell of two stages, the second of which has two parts."""
    with stages.measure("scan", "users"):
        stages.show.advance(1, 2)
        stages.show.advance(2, 2)
    for table in ("users", "orgs"):
        with stages.measure("read", table):
            pass
    return "counted"


def give_code(_stages: Stages) -> object:
    """Return what cannot be sent."""
    return give.__code__


def describe_itself(_stages: Stages) -> dict[str, object]:
    """Return what this process has open, and which signals it is deaf to."""
    targets = {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    return {
        "open": sorted(target.partition(":")[0] for target in targets),
        "ignores signals": [
            signal.getsignal(one) is signal.SIG_IGN for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        ],
    }


def sleep(stages: Stages) -> None:
    """Tell the number of this process, then do nothing for ever."""
    stages.show.stage("process", str(os.getpid()))
    while True:
        time.sleep(1)


# Bad deeds ----------------------------------------------------------------------------------------------------------


def take_memory(_stages: Stages, size: int) -> int:
    """Take memory as Python does."""
    return len(bytearray(size))


def take_arrow_memory(_stages: Stages, size: int) -> int:
    """Take memory as Arrow does."""
    return int(pa.allocate_buffer(size).size)


def crowd(_stages: Stages, size: int) -> None:
    """Start more threads than there is room for, with most of it taken."""
    held = mmap.mmap(-1, size)
    threads = [threading.Thread(target=time.sleep, args=(60,), daemon=True) for _ in range(500)]
    for thread in threads:
        thread.start()
    held.close()


def answer_too_much(_stages: Stages) -> bytes:
    """Return more than there is memory for a copy of."""
    return bytes(200 << 20)


def burn(_stages: Stages) -> None:
    """Compute for ever."""
    while True:
        pass


def segfault(_stages: Stages) -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


def abort(_stages: Stages) -> None:
    """Do what C libraries do that are at a loss."""
    os.abort()


def kill_itself(_stages: Stages, number: int) -> None:
    """Be ended by a signal, as from outside."""
    os.kill(os.getpid(), number)


def leave(_stages: Stages) -> None:
    """End without an answer."""
    os._exit(3)


def fault(_stages: Stages) -> None:
    """Raise an exception of ours that carries a finding."""
    raise PackageFault(FINDING)


def problems(_stages: Stages) -> None:
    """Raise an exception of ours that carries several texts."""
    raise ConfigError(["one", "two"])


def open_what_is_not_there(_stages: Stages) -> None:
    """Have the operating system say no."""
    Path(f"/no/such/{SECRET}").read_bytes()


def blunder(_stages: Stages) -> None:
    """Raise what nobody foresaw, with a value of the data in its words."""
    raise ValueError(SECRET) from KeyError(SECRET)


def forge(_stages: Stages, folder: Path) -> Forged:
    """Return what is no value."""
    return Forged(folder)
