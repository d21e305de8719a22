"""Who the server is, and who we are: a host is proved before anything is told it."""

import subprocess
from pathlib import Path

import pytest
from intake_world import Log
from remote_world import Keys, Scripted, World, lay, listening, terms

from ingestd.sources.remote_visits import LONGEST_PAUSE


@pytest.mark.parametrize("is_hashed", [False, True])
def test_a_host_is_known_by_its_file(
    log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path, is_hashed: bool
) -> None:
    """A line as ssh-keyscan writes it, with the port, plain or hashed, proves the host."""
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd} {Path(f'{keys.host}.pub').read_text()}")
    if is_hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", str(known)], check=True, capture_output=True)
    lay(export, "a.zip", b"one")
    world = World(keys.account(sshd, fingerprints=(), known_hosts=known), terms(export), tmp_path)
    world.visit()
    assert (world.visits.problem, world.drops) == (None, {"a.zip": b"one"})


@pytest.mark.parametrize("by", ["fingerprint", "known_hosts"])
def test_another_host_key_stops_before_the_login(
    log: Log, keys: Keys, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, by: str
) -> None:
    """Whoever answers with another key hears neither our password nor our key."""
    other = Keys.make(tmp_path_factory.mktemp("other"))
    script = Scripted({"a.zip": (b"one", 1)})
    with script.serving(keys) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {Path(f'{other.host}.pub').read_text()}")
        pins = (
            {"fingerprints": (other.fingerprint,)}
            if by == "fingerprint"
            else {"fingerprints": (), "known_hosts": known}
        )
        world = World(keys.account(port, **pins), terms("/"), tmp_path)
        world.visit()
    assert world.visits.problem == "host key is not the pinned one; ask the vendor before you pin another (README)"
    assert script.logins == 0


def test_a_host_that_its_file_does_not_name_is_not_trusted(log: Log, keys: Keys, sshd: int, tmp_path: Path) -> None:
    """Nothing is ever added to the known hosts by itself."""
    known = tmp_path / "known_hosts"
    known.write_text("")
    world = World(keys.account(sshd, fingerprints=(), known_hosts=known), terms("/"), tmp_path)
    world.visit()
    assert world.visits.problem == "the file of known_hosts does not name this host"
    assert known.read_text() == ""


def test_a_password_logs_in_where_there_is_no_key(log: Log, keys: Keys, tmp_path: Path) -> None:
    """It is read when needed, from where the configuration says."""
    secret = tmp_path / "password"
    secret.write_text("right\n")
    with Scripted({"a.zip": (b"one", 1)}).serving(keys) as port:
        world = World(keys.account(port, key=None, password=f"file:{secret}"), terms("/"), tmp_path)
        world.visit()
    assert (world.visits.problem, world.drops) == (None, {"a.zip": b"one"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("wrong", "login refused: the server knows no such account, key or password"),
        (None, "the key or password cannot be read; see ingestd doctor"),
    ],
)
def test_a_login_that_fails_is_told(log: Log, keys: Keys, tmp_path: Path, content: str | None, told: str) -> None:
    """In words that hold nothing of the secret."""
    secret = tmp_path / "password"
    if content:
        secret.write_text(content)
    with Scripted().serving(keys) as port:
        world = World(keys.account(port, key=None, password=f"file:{secret}"), terms("/"), tmp_path)
        world.visit()
    assert world.visits.problem == told


def test_failures_double_the_pause_to_a_limit(log: Log, keys: Keys, tmp_path: Path) -> None:
    """Nobody is there: 10 s, 20 s, 40 s … an hour; it is logged once."""
    with listening(lambda line: line.close()) as port:
        pass
    world = World(keys.account(port), terms("/"), tmp_path)
    pauses = [world.visit() for _ in range(11)]
    assert pauses == [min(10 * 2.0**times, LONGEST_PAUSE) for times in range(11)]
    assert len(log.of("remote.lost")) == 1
