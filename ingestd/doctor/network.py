"""The embedded server's port, key and accounts; and vendors' servers: whether each is there and is the one pinned."""

import base64
import errno
import hashlib
import logging
import os
import socket
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ingestd.doctor.check import Check, fault, ok, warning

PATIENCE = 10.0
"""Seconds for each step towards a server."""
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")
_UNHEARD = "paramiko.doctor"


@dataclass(frozen=True, slots=True)
class Remote:
    """A vendor's server, and what proves that it is the one: a known_hosts file, fingerprints, or both."""

    host: str
    port: int
    known_hosts: Path | None
    fingerprints: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name by which a known_hosts file lists it."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


# The embedded server ------------------------------------------------------------------------------------------------


def look_at_server(host: str, port: int, folder: Path, feeds: Collection[str]) -> Iterator[Check]:
    """Yield what can be said of the embedded server; its key and accounts lie in `folder`."""
    yield judge_port(f"{host}:{port}", *_try_port(host, port))
    yield from (judge_key(key, key.stat()) for key in sorted(folder.glob("host_key*")) if key.suffix != ".pub")
    yield judge_accounts({path.stem: _feed_of(path) for path in sorted(folder.glob("accounts/*.toml"))}, feeds)


def judge_port(listen: str, error: int, banner: str) -> Check:
    """Judge where the server listens: `error` is why it cannot, or 0; `banner` is what answers there."""
    if not error:
        return ok("server", f"{listen} is free for it")
    if error != errno.EADDRINUSE:
        found = f"{listen} cannot be listened on ({errno.errorcode.get(error, 'unknown')})"
        return fault("server", found, "correct [server] listen; a port below 1024 takes CAP_NET_BIND_SERVICE")
    if banner.startswith("SSH-2.0-") and "OpenSSH" not in banner:
        return ok("server", f"{listen} is taken, by an SSH server as ours is")
    return fault("server", f"{listen} is taken by another program", "stop that one, or listen elsewhere")


def judge_key(path: Path, facts: os.stat_result) -> Check:
    """Judge who may read the server's private key."""
    if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return fault("host key", f"{path} is not its owner's alone", f"chmod 600 {path}")
    return ok("host key", f"{path} is its owner's alone")


def judge_accounts(accounts: Mapping[str, str | None], feeds: Collection[str]) -> Check:
    """Judge the accounts, by name with their feeds: None where a file cannot be read."""
    lost = sorted(name for name, feed in accounts.items() if feed not in feeds)
    if not accounts:
        return warning("accounts", "there are none: nobody can log in", "ingestd account add FEED --key FILE")
    if lost:
        found = f"accounts without a feed: {', '.join(map(ascii, lost))}"
        return warning("accounts", found, "ingestd account remove NAME, or configure the feed")
    return ok("accounts", f"{len(accounts)} for {len(set(accounts.values()))} of {len(feeds)} feeds")


def _try_port(host: str, port: int) -> tuple[int, str]:
    """Try to listen; return why that failed and what answers there instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            ear.bind((host, port))
            ear.listen()
        except OSError as error:
            return error.errno or errno.EIO, _banner(host, port)
    return 0, ""


def _banner(host: str, port: int) -> str:
    with suppress(OSError), socket.create_connection((host, port), PATIENCE) as line:
        return line.recv(64).decode("ascii", "replace")
    return ""


def _feed_of(account: Path) -> str | None:
    with suppress(OSError, ValueError):
        return str(tomllib.loads(account.read_text(encoding="utf-8")).get("feed"))
    return None


# Vendors' servers ---------------------------------------------------------------------------------------------------


def look_at_remote(remote: Remote, *, network: bool) -> Iterator[Check]:
    """Yield what can be said of a vendor's server; it is only spoken to with `network`."""
    known = _known(remote)
    yield judge_pin(remote, len(known))
    if not network:
        return
    pinned = known | set(remote.fingerprints)
    try:
        yield judge_remote(remote, _key_of(remote, pinned), pinned)
    except OSError as error:
        yield judge_silence(remote, error.strerror or "nothing came in time")
    except (paramiko.SSHException, EOFError):
        yield judge_silence(remote, "it does not speak SSH as we do")


def judge_pin(remote: Remote, known: int) -> Check:
    """Judge whether the server's key is pinned; `known` is how many keys its known_hosts file has of it."""
    if known or remote.fingerprints:
        return ok("remote", f"{remote.name} is pinned by {known + len(remote.fingerprints)} keys")
    remedy = f"ssh-keyscan -p {remote.port} {remote.host}, compare with what the vendor says, and write it there"
    return fault("remote", f"{remote.known_hosts} has no key of {remote.name}", remedy)


def judge_remote(remote: Remote, found: str, pinned: Collection[str]) -> Check:
    """Judge the fingerprint of the key that a server has."""
    if found not in pinned:
        remedy = "ask the vendor whether the key was changed, and by no means just pin the new one"
        return fault("remote", f"{remote.name} has another key than the one pinned: {found}", remedy)
    return ok("remote", f"{remote.name} answers, with the key that is pinned")


def judge_silence(remote: Remote, why: str) -> Check:
    """Judge a server that has shown no key."""
    return fault("remote", f"{remote.name} does not answer: {why}", "ask the vendor; look at firewalls and names")


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _known(remote: Remote) -> set[str]:
    """Return the fingerprints of all keys that the known_hosts file has of a server."""
    keys = paramiko.HostKeys()
    with suppress(OSError):
        if remote.known_hosts:
            keys.load(str(remote.known_hosts))
    return {fingerprint(key) for key in (keys.lookup(remote.name) or {}).values()}


def _key_of(remote: Remote, pinned: Collection[str]) -> str:
    """Return the fingerprint of the server's key that is pinned, else of the one that we like best."""
    shown: list[str] = []
    for kind in _KINDS:
        with suppress(IncompatiblePeer):
            shown.append(_ask(remote, kind))
    if not shown:
        raise paramiko.SSHException("no key of a kind that we take")
    return next((one for one in shown if one in pinned), shown[0])


def _ask(remote: Remote, kind: str) -> str:
    """Return the fingerprint of the server's key of one kind."""
    logging.getLogger(_UNHEARD).setLevel(logging.CRITICAL + 1)
    line = socket.create_connection((remote.host, remote.port), PATIENCE)
    with closing(paramiko.Transport(line)) as transport:
        transport.set_log_channel(_UNHEARD)
        transport.banner_timeout = PATIENCE
        transport.get_security_options().key_types = (kind,)
        transport.start_client(timeout=PATIENCE)
        return fingerprint(transport.get_remote_server_key())
