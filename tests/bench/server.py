"""`make bench-server`: uploads, logins, floods and tried keys on the SFTP server, beside OpenSSH in the same run.

The clients of the load are OpenSSH's own `sftp`, a process each, so that neither server waits for a client in Python.
"""

import argparse
import hashlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko
from hostile_clients import Address
from hostile_crowds import contents, flood, let_go, seconds_to_log_in, try_keys
from hostile_world import US, World, serving, write_public

SSHD = "/usr/sbin/sshd"
ROOM = ("sessions = 100",)
"""Settings under which fifty sessions of one account from one address are no offence."""


@dataclass(frozen=True, slots=True)
class Server:
    """Something that takes uploads: where it listens, whom it knows, where its inbox is, and where files end up."""

    port: int
    user: str
    inbox: str
    kept: Path


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--mebibytes", type=int, default=20, help="of each upload")
    parser.add_argument("--repeats", type=int, default=3, help="of the load, on each server in turn")
    parser.add_argument("--seconds", type=int, default=60, help="of each flood")
    parser.add_argument("--silent", type=int, default=1000)
    parser.add_argument("--half-open", type=int, default=200)
    parser.add_argument("--tries", type=int, default=5000, help="keys tried from one address")
    parser.add_argument("--only", choices=["load", "flood", "siege"])
    given = parser.parse_args()
    parts: dict[str, Callable[[Path, argparse.Namespace], object]] = {"load": load, "flood": floods, "siege": siege}
    for name, part in parts.items():
        if given.only in {None, name}:
            with tempfile.TemporaryDirectory(prefix="ingestd-bench-") as folder:
                print(json.dumps({name: part(Path(folder), given)}, indent=2), flush=True)


# Load -------------------------------------------------------------------------------------------------------------


def load(folder: Path, given: argparse.Namespace) -> object:
    """Upload from many sessions at once to either server in turn."""
    (folder / "drops").mkdir()
    files = contents(given.sessions, given.mebibytes << 20)
    for name, content in files.items():
        (folder / "drops" / name).write_bytes(content)
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    del files
    with serving(folder, *ROOM) as world, openssh(folder, world.key) as theirs:
        world.key.write_private_key_file(str(folder / "key"))
        ours = Server(world.port, US, "/inbox", world.place.state)
        before = world.memory()
        runs: list[dict[str, float]] = []
        for _ in range(given.repeats):
            ours_took, most = _with_peak(world, lambda: _upload_all(folder, ours, wanted))
            theirs_took = _upload_all(folder, theirs, wanted)
            rate = given.sessions * given.mebibytes
            runs.append(
                {
                    "ours MiB/s": round(rate / ours_took, 1),
                    "OpenSSH MiB/s": round(rate / theirs_took, 1),
                    "ratio": round(theirs_took / ours_took, 3),
                    "RSS MiB before": before >> 20,
                    "RSS MiB at most": most >> 20,
                }
            )
        return {
            "runs": runs,
            "complete and identical": f"{len(wanted)} of {len(wanted)} in each run",
            **logins(world, theirs),
        }


def _upload_all(folder: Path, server: Server, wanted: dict[str, str]) -> float:
    """Upload all at once; return the seconds, after a look at what lies there then."""
    begin = time.monotonic()
    clients = [_start_sftp(folder, server, name) for name in wanted]
    codes = [client.wait() for client in clients]
    took = time.monotonic() - begin
    if any(codes):
        raise SystemExit(f"{sum(map(bool, codes))} of {len(codes)} uploads to {server.user}@ failed after {took:.1f} s")
    _compare_and_remove(server.kept, wanted)
    return took


def _start_sftp(folder: Path, server: Server, name: str) -> "subprocess.Popen[bytes]":
    source = f"127.0.6.{1 + int(name.split('.', maxsplit=1)[0].removeprefix('load-'))}"  # a vendor each
    options = (
        f"BindAddress={source}",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "LogLevel=ERROR",
    )
    words = ["sftp", "-q", "-F", "none", "-b", "-", "-i", str(folder / "key"), "-P", str(server.port)]
    words += [word for option in options for word in ("-o", option)]
    client = subprocess.Popen([*words, f"{server.user}@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert client.stdin is not None
    client.stdin.write(f"put {folder / 'drops' / name} {server.inbox}/{name}\n".encode())
    client.stdin.close()
    return client


def _compare_and_remove(kept: Path, wanted: dict[str, str]) -> None:
    """Look for every upload by its digest, wherever it went; exit if one is not there."""
    size = max(path.stat().st_size for path in kept.rglob("*") if path.is_file())
    found = {}
    for path in kept.rglob("*"):
        if path.is_file() and path.stat().st_size == size:
            found[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    missing = set(wanted.values()) - set(found)
    if missing:
        raise SystemExit(f"{len(missing)} of {len(wanted)} uploads are not there as they were sent")
    for path in found.values():
        path.unlink()


def _with_peak(world: World, work: Callable[[], float]) -> tuple[float, int]:
    """Return what work returns, and the most memory that the daemon held meanwhile."""
    done, most = threading.Event(), [world.memory()]

    def watch() -> None:
        while not done.wait(0.1):
            most.append(world.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work(), max(most)
    finally:
        done.set()
        watcher.join()


def logins(world: World, theirs: Server) -> dict[str, object]:
    """Return how long logins take, one after another and fifty at once."""
    places = {"ours": (world.port, US), "OpenSSH": (theirs.port, theirs.user)}
    return {f"logins, {name}": _login_times(world.key, port, user) for name, (port, user) in places.items()}


def _login_times(key: paramiko.PKey, port: int, user: str) -> dict[str, object]:
    calls = [Address(port, f"127.0.3.{number + 1}") for number in range(200)]
    alone = [seconds_to_log_in(one, key, user) for one in calls]
    with ThreadPoolExecutor(50) as pool:
        crowd = list(pool.map(lambda one: seconds_to_log_in(one, key, user), calls))
    return {"200 one by one": _spread(alone), "200, fifty at once": _spread(crowd)}


def _spread(times: Sequence[float | None]) -> dict[str, object]:
    taken = sorted(one for one in times if one is not None)
    cuts = statistics.quantiles(taken, n=100)
    return {"failed": len(times) - len(taken), "p50 s": round(cuts[49], 3), "p99 s": round(cuts[98], 3)}


@contextmanager
def openssh(folder: Path, key: paramiko.PKey) -> Iterator[Server]:
    """Serve with `sshd -i` for each connection, so that the port is ours and nobody else's."""
    if os.getuid() != 0:
        raise SystemExit("sshd lets others than root log in only when it runs as root")
    inbox = folder / "openssh"
    inbox.mkdir()
    config = _configure(folder, key)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        done = threading.Event()
        listener.settimeout(0.2)
        serve = threading.Thread(target=_accept, args=(listener, config, done))
        serve.start()
        try:
            yield Server(listener.getsockname()[1], "root", str(inbox), inbox)
        finally:
            done.set()
            serve.join()


def _configure(folder: Path, key: paramiko.PKey) -> Path:
    write_public(key, folder / "authorized_keys")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
    lines = [
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "Subsystem sftp internal-sftp",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        "LogLevel QUIET",
    ]
    config = folder / "sshd_config"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("/run/sshd").mkdir(exist_ok=True)
    return config


def _accept(listener: socket.socket, config: Path, done: threading.Event) -> None:
    running: list[subprocess.Popen[bytes]] = []
    while not done.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            command = [SSHD, "-i", "-f", str(config)]
            connection.setblocking(True)
            running.append(
                subprocess.Popen(
                    command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=subprocess.DEVNULL
                )
            )
    for one in running:
        one.wait()


# Floods and sieges --------------------------------------------------------------------------------------------------


def floods(folder: Path, given: argparse.Namespace) -> object:
    """Hold connections before authentication: from many addresses, from one other, and from the client's own."""
    legit = "127.0.0.1"
    crowd = itertools.cycle(f"127.0.{net}.{host}" for net in range(4, 8) for host in range(1, 255))
    attackers = {
        "from 1016 addresses": lambda: next(crowd),
        "from one other": lambda: "127.0.2.1",
        "from its own": lambda: legit,
    }
    results = {}
    for number, (name, source) in enumerate(attackers.items()):
        (folder / str(number)).mkdir()
        with serving(folder / str(number), *ROOM) as world:
            results[name] = _flooded(world, given, source, Address(world.port, legit))
    return results


def _flooded(world: World, given: argparse.Namespace, source: Callable[[], str], legit: Address) -> dict[str, object]:
    before = world.threads()
    found = flood(world, given.silent, given.half_open, given.seconds, lambda: Address(world.port, source()), legit)
    with let_go(found):
        end = time.monotonic() + 35
        while found.open_ones() and time.monotonic() < end:
            threading.Event().wait(0.5)
        return {
            "logins": len(found.logins),
            "succeeded": f"{100 * found.success:.1f} %",
            **_spread(found.logins),
            "connections held": len(found.held),
            "turned away at once": found.refused,
            "threads before": before,
            "threads at most": found.most_threads,
            "open 35 s after the end": found.open_ones(),
            "threads then": world.threads(),
        }


def siege(folder: Path, given: argparse.Namespace) -> object:
    """Try keys from one address, then log in from it and from another."""
    with serving(folder, *ROOM) as world:
        attacker = Address(world.port, "127.0.9.1")
        begin = time.monotonic()
        found = try_keys(attacker, given.tries)
        took = time.monotonic() - begin
        return {
            "tries": given.tries,
            "reached the key check": found.checked,
            "cut before": found.cut,
            "seconds": round(took, 1),
            "right key from the same address": seconds_to_log_in(attacker, world.key) is not None,
            "right key from another": seconds_to_log_in(Address(world.port, "127.0.9.2"), world.key) is not None,
        }


if __name__ == "__main__":
    main()
