"""A daemon with its SFTP server as a process of its own, two tenants, canaries, and what must not change of it all."""

import hashlib
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import paramiko
from hostile_clients import OK, REMOVE, Address, Wire, sftp, text
from places import Daemon, Place, daemon, invoke, place, wait_until

US, OTHERS = "springfield", "shelbyville"
CANARY = b"canary-7c1f: what only others may see"
UPLOAD_SIZE, WAITING_SIZE, WAITING_FILES = 4, 24, 20
LIMITS = (
    'login_grace = "3s"',
    "sessions = 12",
    f'upload_size = "{UPLOAD_SIZE}MiB"',
    f'waiting_size = "{WAITING_SIZE}MiB"',
    f"waiting_files = {WAITING_FILES}",
)
"""Settings of `[server]`: small enough to run into, and large enough for eight uploads of two mebibytes."""
SERVER = '[server]\nlisten = "127.0.0.1:0"\n'

Facts = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class World:
    """A running daemon, the folder that holds it and the canaries, and the key of its clients."""

    folder: Path
    place: Place
    daemon: Daemon
    port: int
    key: paramiko.PKey
    sources: "count[int]"

    def address(self) -> Address:
        """Return where the server is, as called from an address that has not called before."""
        number = next(self.sources)
        return Address(self.port, f"127.{1 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}")

    def sftp(self, user: str = US, *, greet: bool = True) -> AbstractContextManager[Wire]:
        """Log in and open SFTP; the connection is closed at the end."""
        return sftp(self.address(), user, self.key, greet=greet)

    @property
    def own(self) -> Path:
        """Return the folder in which the server keeps what our account uploads."""
        return self.place.state / "server" / US

    @property
    def canary(self) -> Path:
        """Return a file beside the state folder."""
        return self.folder / "outside" / "secret.zip"

    @property
    def others_waiting(self) -> Path:
        """Return what another account has uploaded; its name says that it is not finished, so it is not claimed."""
        return self.place.state / "server" / OTHERS / "inbox" / "secret.zip.part"

    @property
    def others_receipt(self) -> Path:
        """Return a receipt of another account."""
        return self.place.state / "results" / OTHERS / "secret.zip.report.txt"

    @property
    def receipt(self) -> Path:
        """Return a receipt of our account."""
        return self.place.state / "results" / US / "own.zip.report.txt"

    def traces(self) -> tuple[Path, ...]:
        """Return where a drop of ours leaves traces once the daemon has claimed it."""
        state = self.place.state
        kept = (state / name / US for name in ("archive", "quarantine", "results", "inbox"))
        return (*kept, state / "runs", state / "feeds", *state.glob(f"{US}.roster.db*"))

    def leftovers(self) -> list[str]:
        """Return the files that the server keeps for our account."""
        return [path.name for path in sorted(self.own.rglob("*")) if not path.is_dir()]

    def digests(self) -> set[str]:
        """Return the SHA-256 of each file that the server keeps for our account."""
        return {hashlib.sha256(path.read_bytes()).hexdigest() for path in self.own.rglob("*") if path.is_file()}

    def threads(self) -> int:
        """Return how many threads the daemon has."""
        return sum(1 for _ in Path(f"/proc/{self.daemon.process.pid}/task").iterdir())

    def memory(self) -> int:
        """Return the bytes of memory that the daemon holds."""
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) << 10

    def serves(self, user: str = US) -> bool:
        """Return whether the next client can log in, upload, and take back what it uploaded."""
        with self.sftp(user) as wire:
            wire.put("/inbox/next.zip.part", b"next")
            return wire.ask(REMOVE, text("/inbox/next.zip.part")).code == OK

    def untouched(self, *but: Path) -> dict[str, Facts]:
        """Return the look of every file and folder, without the log, our own uploads, and what lies in `but`."""
        left_out = (self.daemon.log, self.own, *but)
        paths = (path for path in self.folder.rglob("*") if not any(path.is_relative_to(one) for one in left_out))
        return {str(path.relative_to(self.folder)): _look(path) for path in paths}


def _look(path: Path) -> Facts:
    facts = path.lstat()
    if stat.S_ISDIR(facts.st_mode):
        return (facts.st_mode, facts.st_uid, facts.st_gid)
    return (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_ino, facts.st_nlink, facts.st_size, facts.st_mtime_ns)


def write_public(key: paramiko.PKey, path: Path) -> Path:
    """Write the public half of a key as `ssh-keygen` does."""
    path.write_text(f"{key.get_name()} {key.get_base64()} test\n", encoding="ascii")
    return path


def add_account(where: Place, feed: str, key: paramiko.PKey, *more: str) -> None:
    """Give a feed an account with a key."""
    done = invoke(where, "account", "add", feed, "--key", write_public(key, where.folder / "account.pub"), *more)
    assert done.code == 0, done.err


@contextmanager
def serving(folder: Path, *settings: str, feeds: tuple[str, ...] = (US, OTHERS)) -> Iterator[World]:
    """Run a daemon whose `[server]` has further settings; each feed has an account of its name, with the same key."""
    where = place(folder / "place", *feeds)
    where.config.write_text(SERVER + "".join(f"{one}\n" for one in settings), encoding="utf-8")
    key = paramiko.ECDSAKey.generate()
    for feed in feeds:
        add_account(where, feed, key)
    (folder / "outside").mkdir()
    (folder / "outside" / "secret.zip").write_bytes(CANARY)
    with daemon(where) as running:
        assert running.waits_for("daemon.started") and running.waits_for("server.listening")
        (heard,) = running.logged("server.listening")
        world = World(folder, where, running, int(heard["port"]), key, count())
        assert world.serves()
        assert settles(world)
        yield world
        assert running.stop() == 0


def settles(world: World) -> bool:
    """Wait until the number of threads stays the same for half a second."""

    def rests() -> bool:
        before = world.threads()
        threading.Event().wait(0.5)
        return world.threads() == before

    return wait_until(rests)
