"""A claim on real files: what is copied, what is refused, and that no sender can change what was copied."""

import errno
import hashlib
import mmap
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from intake_world import drop_at, put

from ingestd.claim import (
    CHUNK,
    NotReady,
    NotReadyError,
    copy_drop,
    has_writer,
    remove_drop,
)
from ingestd.files import make_private, sync_folder

CONTENT = b"PK, and then some"
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a zip in an inbox."""
    (tmp_path / "inbox").mkdir()
    return put(tmp_path / "inbox" / "a.zip", CONTENT)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return where the copies go; it does not exist yet."""
    return tmp_path / "spool"


def refusal(act: Callable[[], object]) -> NotReady:
    """Return why a claim is refused."""
    with pytest.raises(NotReadyError) as caught:
        act()
    return caught.value.reason


def test_copies_under_the_same_name_with_digest_and_size(path: Path, spool: Path) -> None:
    """The copy is byte for byte the drop, and the drop still lies where it lay."""
    copied = copy_drop(drop_at(path), spool)
    assert copied.path == spool / "a.zip"
    assert copied.path.read_bytes() == path.read_bytes() == CONTENT
    assert (copied.sha256, copied.size) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_the_spool_is_private(path: Path, spool: Path) -> None:
    """Nobody but the owner enters the folder or reads the copy, whatever the umask."""
    before = os.umask(0)
    try:
        copied = copy_drop(drop_at(path), spool)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (spool, copied.path)] == [0o700, 0o600]


def test_copies_chunk_by_chunk_and_tells_how_far(path: Path, spool: Path) -> None:
    """A file larger than a chunk comes over whole, with progress after each chunk."""
    content = os.urandom(2 * CHUNK + 5)
    put(path, content)
    seen: list[tuple[int, int]] = []
    copied = copy_drop(drop_at(path), spool, progress=lambda done, size: seen.append((done, size)))
    size = len(content)
    assert seen == [(CHUNK, size), (2 * CHUNK, size), (size, size)]
    assert (copied.sha256, copied.size) == (hashlib.sha256(content).hexdigest(), size)


def test_a_copy_replaces_what_an_earlier_attempt_left(path: Path, spool: Path) -> None:
    """After a crash the same claim is made again, over whatever lies there."""
    spool.mkdir()
    put(spool / "a.zip", b"older and longer than the new one is, by far")
    put(spool / ".copying", b"half, and longer than the new one is, by far")
    assert copy_drop(drop_at(path), spool).path.read_bytes() == CONTENT
    assert [each.name for each in spool.iterdir()] == ["a.zip"]


# What is refused ------------------------------------------------------------------------------------------------


def grow(path: Path) -> None:
    """Append, as a sender does that goes on."""
    with path.open("ab") as writer:
        writer.write(b"more")


def rewrite(path: Path) -> None:
    """Overwrite in place with as many bytes, and set the mtime back: only ctime tells."""
    before = path.stat()
    with path.open("r+b") as writer:
        writer.write(b"XX")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    """Truncate, as a sender does that begins again."""
    os.truncate(path, 3)


def replace_whole(path: Path) -> None:
    """Rename another file of the same content over it."""
    put(path.with_name("other"), CONTENT).rename(path)


def replace_by_link(path: Path) -> None:
    """Put a symbolic link to a file of the same content in its place."""
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def replace_by_pipe(path: Path) -> None:
    """Put a pipe in its place, on which a careless reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


TAMPERINGS = {
    grow: NotReady.CHANGED,
    rewrite: NotReady.CHANGED,
    cut: NotReady.CHANGED,
    replace_whole: NotReady.CHANGED,
    Path.unlink: NotReady.GONE,
    replace_by_link: NotReady.NOT_A_FILE,
    replace_by_pipe: NotReady.NOT_A_FILE,
}


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_refuses_what_is_not_as_it_was_sighted(path: Path, spool: Path, tamper: Callable[[Path], None]) -> None:
    """A file that changed after the look that made it a drop is not claimed, and nothing is kept of it."""
    drop = drop_at(path)
    tamper(path)
    assert refusal(lambda: copy_drop(drop, spool)) is TAMPERINGS[tamper]
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_refuses_what_changes_under_the_copy(path: Path, spool: Path, tamper: Callable[[Path], None]) -> None:
    """A file that changes between the first byte and the last is not claimed, and nothing is kept of it."""
    reason = refusal(lambda: copy_drop(drop_at(path), spool, progress=lambda _done, _size: tamper(path)))
    assert reason is NotReady.CHANGED
    assert list(spool.iterdir()) == []


def test_a_file_cut_between_two_chunks_is_refused(path: Path, spool: Path) -> None:
    """A copy that ends before the size that was sighted is not a copy."""
    put(path, bytes(2 * CHUNK))
    assert refusal(lambda: copy_drop(drop_at(path), spool, progress=lambda _done, _size: cut(path))) is NotReady.CHANGED


def test_a_file_that_grows_for_ever_ends_the_copy(path: Path, spool: Path) -> None:
    """No more is copied than was sighted, however fast the sender appends."""
    put(path, bytes(CHUNK))
    calls: list[int] = []

    def append(done: int, _size: int) -> None:
        calls.append(done)
        grow(path)

    assert refusal(lambda: copy_drop(drop_at(path), spool, progress=append)) is NotReady.CHANGED
    assert calls == [CHUNK]


def test_refuses_what_is_open_for_writing(path: Path, spool: Path) -> None:
    """A sender that has paused, with nothing changing, is told apart from one that has finished."""
    drop = drop_at(path)
    with path.open("ab"):
        assert refusal(lambda: copy_drop(drop, spool)) is NotReady.HAS_WRITER
    assert copy_drop(drop, spool).size == len(CONTENT)


def test_refuses_what_is_opened_for_writing_under_the_copy(path: Path, spool: Path) -> None:
    """A writer that comes while the copy is made has not changed anything yet, and is asked about again at the end."""
    writers: list[int] = []
    drop = drop_at(path)
    act = lambda: copy_drop(drop, spool, progress=lambda *_: writers.append(os.open(path, os.O_WRONLY)))  # noqa: E731
    assert refusal(act) is NotReady.HAS_WRITER
    os.close(writers[0])


def test_a_mapping_counts_as_a_writer(path: Path, spool: Path) -> None:
    """A file mapped for writing can change without a call, even when its descriptor is closed."""
    with path.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    assert refusal(lambda: copy_drop(drop_at(path), spool)) is NotReady.HAS_WRITER
    mapping.close()


@pytest.fixture
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder of nobody's in which root has a file, as where vendor and daemon are different users."""
    if os.geteuid() != 0:
        pytest.skip("takes a file of another user, which only root can make")
    with tempfile.TemporaryDirectory() as name:
        put(Path(name) / "a.zip", CONTENT)
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def is_so_for_nobody(act: Callable[[], bool]) -> bool:
    """Return what `act` returns in a child process without root's rights."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os._exit(0 if act() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_refuses_what_may_not_be_read(foreign: Path) -> None:
    """A file whose sender gave it mode 0600 waits; it does not stop the feed."""
    path = foreign / "a.zip"
    path.chmod(0o600)
    drop = drop_at(path)
    assert is_so_for_nobody(lambda: refusal(lambda: copy_drop(drop, foreign / "spool")) is NotReady.UNREADABLE)


def test_without_the_right_to_a_lease_a_drop_is_taken(foreign: Path) -> None:
    """Where the kernel does not tell of writers, quiet period and unchanged copy decide; the copy is safe from them."""
    path = foreign / "a.zip"
    path.chmod(0o644)
    drop = drop_at(path)

    def act() -> bool:
        descriptor = os.open(path, os.O_RDONLY)
        return has_writer(descriptor) is None and copy_drop(drop, foreign / "spool").size == len(CONTENT)

    with path.open("ab") as writer:
        assert is_so_for_nobody(act)
        writer.write(b"tampered")
    assert (foreign / "spool" / "a.zip").read_bytes() == CONTENT


# What no sender can do any more -----------------------------------------------------------------------------------


def test_a_hard_link_does_not_reach_the_copy(path: Path, spool: Path, tmp_path: Path) -> None:
    """A sender that kept a link (hardlink@openssh.com) changes its own file, not the copy; the drop is not removed."""
    link = tmp_path / "kept"
    link.hardlink_to(path)
    drop = drop_at(path)
    copied = copy_drop(drop, spool)
    put(link, b"tampered")
    assert copied.path.read_bytes() == CONTENT
    assert not remove_drop(drop)
    assert path.read_bytes() == b"tampered"


def test_a_descriptor_does_not_reach_the_copy(path: Path, spool: Path) -> None:
    """A sender that opens the file after the copy changes its own file, and then it is a new drop."""
    drop = drop_at(path)
    copied = copy_drop(drop, spool)
    with path.open("r+b") as writer:
        writer.write(b"tampered")
    assert copied.path.read_bytes() == CONTENT
    assert not remove_drop(drop)


# Removal ----------------------------------------------------------------------------------------------------------


def test_removes_the_drop_it_was_given(path: Path) -> None:
    """The file goes, and it is said to be gone."""
    assert remove_drop(drop_at(path))
    assert not path.exists()


@pytest.mark.parametrize("tamper", [grow, rewrite, cut, replace_whole, replace_by_link, replace_by_pipe])
def test_does_not_remove_another_file(path: Path, tamper: Callable[[Path], None]) -> None:
    """What has taken the drop's place is a new drop, and stays."""
    drop = drop_at(path)
    tamper(path)
    assert not remove_drop(drop)
    assert os.path.lexists(path)


def test_a_drop_that_is_gone_was_not_removed(path: Path) -> None:
    """Somebody else took it: nothing is raised."""
    drop = drop_at(path)
    path.unlink()
    assert not remove_drop(drop)


# The world ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_the_worlds_fault_and_leaves_nothing(path: Path, spool: Path) -> None:
    """A copy that cannot be written raises as the system does, keeps no half, and leaves the drop where it is."""
    put(path, bytes(2 * CHUNK))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK, hard))  # Python ignores SIGXFSZ, so the write says EFBIG
    try:
        with pytest.raises(OSError, match="too large") as caught:
            copy_drop(drop_at(path), spool)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert list(spool.iterdir()) == []
    assert path.exists()


def test_what_progress_raises_ends_the_copy(path: Path, spool: Path) -> None:
    """A daemon told to stop gets out of a long copy, and keeps no half."""

    def stop(_done: int, _size: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copy_drop(drop_at(path), spool, progress=stop)
    assert list(spool.iterdir()) == []


def test_leaves_no_descriptor_open(path: Path, spool: Path) -> None:
    """Whether it copies or refuses, every descriptor is closed again."""
    drop = drop_at(path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    copy_drop(drop, spool)
    grow(path)
    refusal(lambda: copy_drop(drop, spool))
    sync_folder(spool)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_private_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    """An operator's own mode stays."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o750)
    make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


# Open writers ---------------------------------------------------------------------------------------------------------


def test_tells_a_writer_from_none(path: Path) -> None:
    """Readers do not count, a writer does, and when it has closed it no longer does."""
    with path.open("rb") as reader, path.open("rb"):
        assert has_writer(reader.fileno()) is False
        with path.open("ab"):
            assert has_writer(reader.fileno()) is True
        assert has_writer(reader.fileno()) is False


def test_cannot_tell_where_there_are_no_leases(tmp_path: Path) -> None:
    """What the kernel gives no lease on is neither the one nor the other."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    assert has_writer(descriptor) is None
    os.close(descriptor)


MEETING = """
import os, sys, threading
from ingestd.claim import has_writer
path, done = sys.argv[1], threading.Event()
def write():
    while not done.is_set():
        os.close(os.open(path, os.O_WRONLY))
writer = threading.Thread(target=write)
writer.start()
seen = set()
reader = os.open(path, os.O_RDONLY)
for _ in range(20000):
    seen.add(has_writer(reader))
done.set()
writer.join()
print(sorted(seen))
"""


def test_a_writer_that_meets_the_lease_does_not_end_us(path: Path) -> None:
    """The kernel signals a broken lease by SIGIO, which kills by default: here it does not."""
    ran = subprocess.run([sys.executable, "-c", MEETING, path], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[False, True]")
