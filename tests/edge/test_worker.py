"""A function in a process of its own: its value comes home, its death is told, and nothing that it does does harm.

Each test is of both ways in which that process comes about: forked off this one, and from one that was started anew.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deeds
import numpy as np
import pytest
from places import wait_until

from ingestd import log, worker
from ingestd.confine import Limits
from ingestd.errors import ConfigError, StoppingError, UnforeseenError, WorkerError
from ingestd.feedloop import describe
from ingestd.stages import Stages
from ingestd.unpack import PackageFault

LIMITS = Limits(memory=1 << 30, seconds=20)
TESTS = Path(__file__).parents[1]


def end_nursery() -> None:
    """End the process from which workers are forked; the next run has another."""
    if worker._nursery is not None:
        worker._lose(worker._nursery)


@pytest.fixture(scope="module", params=["forked", "anew"], autouse=True)
def _way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have workers forked off this process, or from one that is started anew, for this one has two threads."""
    end_nursery()
    if request.param == "forked":
        worker.start()
    else:
        is_over = threading.Event()
        thread = threading.Thread(target=is_over.wait)
        thread.start()
        worker.start()
        is_over.set()
        thread.join()
    yield
    end_nursery()


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def stage(self, name: str, detail: str) -> None:
        """Hear of a stage."""
        self.told.append((name, detail))

    def advance(self, done: int, total: int) -> None:
        """Hear how far it is."""
        self.told.append((done, total))


def value_of(deed: Callable[..., object], *args: object, limits: Limits = LIMITS) -> object:
    """Return what a deed returns."""
    return worker.run(deed, *args, limits=limits, stages=Stages()).value


def refusal_of(deed: Callable[..., object], *args: object, limits: Limits = LIMITS) -> str:
    """Return the words of the finding that a deed leads to."""
    with pytest.raises(PackageFault) as raised:
        value_of(deed, *args, limits=limits)
    assert raised.value.batch.code == "reader-stopped"
    return raised.value.batch.message


def is_there(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


# What comes home ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 3, "text", b"bytes", [1, (2, "3")], {"a": {"b": 1.5}}, frozenset({1})])
def test_a_value_comes_home(value: object) -> None:
    """As it was."""
    assert value_of(deeds.give, value) == value


def test_a_value_of_core_comes_home() -> None:
    """A finding is one."""
    assert value_of(deeds.finding) == deeds.FINDING


def test_a_large_frame_comes_home_intact() -> None:
    """Of some 200 MB."""
    found = worker.run(deeds.frame, 8_000_000, limits=LIMITS, stages=Stages())
    assert sum(found.value.memory_usage(index=False)) > 180e6
    assert found.value["id"].iloc[[0, 10, -1]].tolist() == ["0", "10", "7999999"]
    numbers = found.value["number"].to_numpy()
    assert (numbers == np.arange(8_000_000)).all()
    assert (found.value["id"].array._pa_array.cast("int64").to_numpy() == numbers).all()
    assert found.peak > 180e6


def test_an_array_comes_home_ready_to_use() -> None:
    """It can be written to, as one of this process's own."""
    found = value_of(deeds.give, np.arange(100_000))
    assert isinstance(found, np.ndarray) and found.flags.writeable and found.sum() == 4_999_950_000


def test_how_it_was_confined_comes_home() -> None:
    """And the most memory that it took, which is little for a number: not that of whom it was forked from."""
    found = worker.run(deeds.give, 1, limits=LIMITS, stages=Stages())
    assert found.confined.is_limited
    assert 0 <= found.peak < 100e6


def test_progress_is_told_and_seconds_are_taken_over() -> None:
    """Stages and how far they are, in their order; seconds are added to what was there."""
    heard = Heard()
    stages = Stages(show=heard, seconds={"read": 10.0})
    assert worker.run(deeds.count, limits=LIMITS, stages=stages).value == "counted"
    assert heard.told == [("scan", "users"), (1, 2), (2, 2), ("read", "users"), ("read", "orgs")]
    assert set(stages.seconds) == {"scan", "read"} and stages.seconds["read"] > 10
    assert stages.peak > 0


def test_many_at_a_time_do_not_disturb_each_other() -> None:
    """Feeds are at work side by side."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: value_of(deeds.give, number), range(12)))
    assert found == list(range(12))


def test_nothing_stays_behind() -> None:
    """No process, nothing open."""
    value_of(deeds.give, 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        value_of(deeds.give, number)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert worker._nursery is not None
    children = Path(f"/proc/{worker._nursery._pid}/task/{worker._nursery._pid}/children")
    assert wait_until(lambda: children.read_text() == "")


# What goes wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deed", "size"), [(deeds.take_memory, 4 << 30), (deeds.take_arrow_memory, 4 << 30)])
def test_too_much_memory_is_a_finding(deed: Callable[..., int], size: int) -> None:
    """It says how much was allowed."""
    assert "it took more memory than the 1024 MiB allowed" in refusal_of(deed, size)


def test_what_else_a_lack_of_memory_leads_to_is_the_same_finding() -> None:
    """A thread that cannot be started, say: libraries have many words for it."""
    assert "it took more memory than the 1024 MiB allowed" in refusal_of(deeds.crowd, 1000 << 20)


def test_no_memory_at_all_is_the_same_finding() -> None:
    """The C library ends a process that way; where there is some, yet not enough to answer, we do."""
    assert "it took more memory than the 1024 MiB allowed" in refusal_of(deeds.leave, 127)
    assert "it took more memory than the 0 MiB allowed" in refusal_of(deeds.take_memory, 64 << 20, limits=Limits(0, 20))


def test_too_much_memory_for_the_answer_is_a_finding() -> None:
    """The value was there, and there was no room to send it."""
    found = refusal_of(deeds.answer_too_much, limits=Limits(300 << 20, 20))
    assert "it took more memory than the 300 MiB allowed" in found


def test_too_much_processor_time_is_a_finding() -> None:
    """It says how much was allowed."""
    assert "it took more than 1 s of processor time" in refusal_of(deeds.burn, limits=Limits(1 << 30, 1))


@pytest.mark.parametrize(
    ("deed", "args", "name"),
    [
        (deeds.segfault, (), "SIGSEGV"),
        (deeds.abort, (), "SIGABRT"),
        (deeds.kill_itself, (signal.SIGBUS,), "SIGBUS"),
        (deeds.kill_itself, (signal.SIGILL,), "SIGILL"),
    ],
)
def test_a_crash_is_a_finding(deed: Callable[..., None], args: tuple[int, ...], name: str) -> None:
    """It says by which signal the reader died."""
    assert f"its reader crashed ({name})" in refusal_of(deed, *args)


@pytest.mark.parametrize(
    ("deed", "args", "how"),
    [(deeds.kill_itself, (signal.SIGKILL,), "signal 9"), (deeds.leave, (3,), "exit code 3")],
)
def test_an_end_from_outside_is_a_fault_of_the_world(
    deed: Callable[..., None], args: tuple[int, ...], how: str
) -> None:
    """Nobody can say that the drop is to blame; the run is tried again."""
    with pytest.raises(WorkerError, match=how) as raised:
        value_of(deed, *args)
    assert raised.value.exit_code == 4


def test_an_exception_of_ours_comes_home_as_itself() -> None:
    """With all that it carries."""
    with pytest.raises(PackageFault) as raised:
        value_of(deeds.fault)
    assert raised.value.batch == deeds.FINDING
    with pytest.raises(ConfigError) as told:
        value_of(deeds.problems)
    assert told.value.problems == ("one", "two")


def test_an_error_of_the_operating_system_comes_home_without_its_words() -> None:
    """What failed is known by its number; a file's name may be a value."""
    with pytest.raises(FileNotFoundError) as raised:
        value_of(deeds.open_what_is_not_there)
    assert deeds.SECRET not in repr(raised.value)


def test_a_fault_of_ours_comes_home_without_its_words() -> None:
    """Class and place are told, also in the log, and not a value of the data (law 9)."""
    with pytest.raises(UnforeseenError) as raised:
        value_of(deeds.blunder)
    error = raised.value
    assert error.kind == "ValueError" and error.at[-1].startswith("deeds.py:")
    assert describe(error) == {"error": "ValueError", "at": list(error.at)}
    assert "ValueError" in str(error)
    assert deeds.SECRET not in f"{error!r} {error} {log.render_exception(error)}"


def test_what_is_no_value_is_refused_and_not_made(tmp_path: Path) -> None:
    """A worker that was taken over could send anything; nothing of it is run."""
    with pytest.raises(WorkerError, match=r"no value: posix\.mkdir"):
        value_of(deeds.forge, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_an_answer_that_cannot_be_sent_is_a_fault_of_ours() -> None:
    """A piece of code, say."""
    with pytest.raises(UnforeseenError, match="TypeError"):
        value_of(deeds.give_code)


# What it cannot do --------------------------------------------------------------------------------------------------


def test_it_has_nothing_open_but_its_channel(tmp_path: Path) -> None:
    """No store, no lock, no connection, no log; what it says goes nowhere, and who stops it is the one that asked."""
    end_nursery()
    with (tmp_path / "file").open("w"), socket.socket():
        worker.start()
    found = value_of(deeds.describe_itself)
    assert found == {
        "open": ["/dev/null", "socket"],
        "ignores signals": [True] * 3,
    }


def test_libraries_that_were_at_work_here_work_there_too() -> None:
    """Arrow has threads, and pipes between them, that a fork must not break."""
    assert deeds.read_csv(Stages(), 1_000_000) == 1_000_000
    end_nursery()
    assert value_of(deeds.read_csv, 1_000_000) == 1_000_000


def test_a_lock_that_was_held_meanwhile_is_let_go(tmp_path: Path) -> None:
    """The process that forks workers holds none of this one's locks, for it lives longer."""
    end_nursery()
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert value_of(deeds.give, 1) == 1
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_pipe_that_was_open_meanwhile_is_let_go() -> None:
    """Who reads from it hears its end when this process closes it."""
    end_nursery()
    reader, writer = os.pipe()
    assert value_of(deeds.give, 1) == 1
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123 -- a descriptor, not a path
        assert pipe.read() == b""


# How it ends --------------------------------------------------------------------------------------------------------


def test_it_is_killed_when_asked_to_stop() -> None:
    """As soon as that is asked for, whatever it is at."""
    heard = Heard()
    with pytest.raises(StoppingError):
        worker.run(deeds.sleep, limits=LIMITS, stages=Stages(show=heard, stop=lambda: bool(heard.told)))
    (_, pid), *_ = heard.told
    assert not is_there(int(str(pid)))


def test_it_is_killed_when_it_comes_to_no_end() -> None:
    """One that waits takes no processor time, so the clock has a word too."""
    heard = Heard()
    stages = Stages(show=heard, clock=lambda: 1e6 if heard.told else 0.0)
    with pytest.raises(WorkerError, match="no end within"):
        worker.run(deeds.sleep, limits=LIMITS, stages=stages)


def test_it_ends_with_the_process_that_asked() -> None:
    """A kill of that leaves no process behind, neither the worker nor the one from which it was forked."""
    code = (
        "import deeds, sys, threading\n"
        "from ingestd import worker\n"
        "from ingestd.confine import Limits\n"
        "from ingestd.stages import Stages, Unseen\n"
        "class Show(Unseen):\n"
        "    def stage(self, name, detail):\n"
        "        print(worker._nursery._pid, detail, flush=True)\n"
        "worker.run(deeds.sleep, limits=Limits(1 << 30, 20), stages=Stages(show=Show()))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(map(is_there, pids))
        parent.kill()
    assert wait_until(lambda: not any(map(is_there, pids)))


def test_a_nursery_that_was_killed_is_replaced() -> None:
    """The process from which workers are forked may be ended from outside too."""
    worker.start()
    assert worker._nursery is not None
    os.kill(worker._nursery._pid, signal.SIGKILL)
    assert value_of(deeds.give, 1) == 1


def test_a_child_of_this_process_has_a_nursery_of_its_own() -> None:
    """It does not talk to that of its parent."""
    value_of(deeds.give, 1)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if value_of(deeds.give, 5) == 5 else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert value_of(deeds.give, 1) == 1
