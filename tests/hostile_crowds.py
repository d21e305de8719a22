"""Many clients at once: those that upload, those that only take up room, and those that try keys."""

import hashlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import paramiko
from hostile_clients import DEADLINE, Address, closed_at_the_end, logged_in, met
from hostile_world import US, World

PIECE = 32 << 10


def seconds_to_log_in(address: Address, key: paramiko.PKey, user: str = US) -> float | None:
    """Log in, open SFTP and hang up; return how long it took, or None if it failed."""
    begin = time.monotonic()
    try:
        with logged_in(address, user, key) as transport, transport.open_sftp_client():
            return time.monotonic() - begin
    except (paramiko.SSHException, OSError, EOFError):
        return None


# Uploads ----------------------------------------------------------------------------------------------------------


def contents(count: int, size: int) -> dict[str, bytes]:
    """Return so many files of chance by name; the names say that none is a drop, so the daemon claims none."""
    chance = random.Random(4)
    return {f"load-{number}.zip.part": chance.randbytes(size) for number in range(count)}


def upload_at_once(world: World, files: dict[str, bytes]) -> set[str]:
    """Upload each file in a session of its own, all at the same time; return the names of those that failed."""
    with ThreadPoolExecutor(len(files)) as pool:
        done = pool.map(lambda one: _upload(world.address(), world.key, *one), files.items())
        return {name for name, well in zip(files, done, strict=True) if not well}


def _upload(address: Address, key: paramiko.PKey, name: str, content: bytes) -> bool:
    try:
        with logged_in(address, US, key) as transport, transport.open_sftp_client() as client:
            with client.open(f"/inbox/{name}", "wb") as file:
                file.set_pipelined(True)
                for start in range(0, len(content), PIECE):
                    file.write(content[start : start + PIECE])
            return client.stat(f"/inbox/{name}").st_size == len(content)
    except (paramiko.SSHException, OSError, EOFError):
        return False


def digests(files: dict[str, bytes]) -> set[str]:
    """Return the SHA-256 of each file."""
    return {hashlib.sha256(content).hexdigest() for content in files.values()}


# Connections that come to nothing -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Flood:
    """Connections that are held open before authentication, and what was seen while they were."""

    held: list[socket.socket] = field(default_factory=list)
    refused: int = 0
    logins: list[float | None] = field(default_factory=list)
    most_threads: int = 0

    @property
    def success(self) -> float:
        """Return the share of logins that succeeded."""
        return sum(one is not None for one in self.logins) / len(self.logins)

    def open_ones(self) -> int:
        """Return how many connections the server has not ended yet."""
        return sum(not _has_ended(one) for one in self.held)


def flood(
    world: World, silent: int, half_open: int, seconds: float, sources: Callable[[], Address], legit: Address
) -> Flood:
    """Hold connections from `sources` while a legitimate client logs in every second for so many seconds."""
    seen = Flood()
    kinds = [_silent] * silent + [_half_open] * half_open
    random.Random(5).shuffle(kinds)
    attack = threading.Thread(target=_hold, args=(seen, kinds, sources))
    attack.start()
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds or attack.is_alive():
        seen.logins.append(seconds_to_log_in(legit, world.key))
        seen.most_threads = max(seen.most_threads, world.threads())
        threading.Event().wait(max(0.0, begin + int(passed) + 1 - time.monotonic()))
    attack.join()
    return seen


@contextmanager
def let_go(seen: Flood) -> Iterator[Flood]:
    """Close what a flood holds at the end."""
    try:
        yield seen
    finally:
        for one in seen.held:
            one.close()


def _hold(seen: Flood, kinds: Sequence[Callable[[Address], socket.socket]], sources: Callable[[], Address]) -> None:
    for kind in kinds:
        try:
            seen.held.append(kind(sources()))
        except (paramiko.SSHException, OSError, EOFError):
            seen.refused += 1


def _silent(address: Address) -> socket.socket:
    return address.dial()


def _half_open(address: Address) -> socket.socket:
    """Exchange keys; the connection lives on in a socket of its own, without the thread of a transport."""
    connection = address.dial()
    kept = connection.dup()
    try:
        with closed_at_the_end(paramiko.Transport(connection)) as transport:
            transport.start_client(timeout=DEADLINE)
    except BaseException:
        kept.close()
        raise
    return kept


def _has_ended(connection: socket.socket) -> bool:
    """Return whether the other side hung up, after whatever it had said before."""
    try:
        connection.setblocking(False)
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


# Keys that are tried ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Siege:
    """What came of trying keys: how many were looked at, and how many connections did not come so far."""

    checked: int
    cut: int


def try_keys(address: Address, tries: int, user: str = US) -> Siege:
    """Try that many keys of no account, as many in a connection as it allows."""
    stranger = paramiko.ECDSAKey.generate()
    checked = cut = 0
    while checked + cut < tries:
        answered = _tries_of_one_connection(address, user, stranger, tries - checked - cut)
        checked += answered
        cut += not answered
    return Siege(checked, cut)


def _tries_of_one_connection(address: Address, user: str, key: paramiko.PKey, most: int) -> int:
    answered = 0
    try:
        with met(address) as transport:
            while answered < most:
                try:
                    transport.auth_publickey(user, key)
                except paramiko.AuthenticationException:
                    answered += transport.is_active() or not answered
                    if not transport.is_active():
                        break
    except (paramiko.SSHException, OSError, EOFError):
        pass
    return answered
