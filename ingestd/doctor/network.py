"""The embedded server's port, key and accounts; and vendors' servers: whether each is there and is the one pinned."""

import errno
import os
import socket
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from ingestd.doctor.check import Check, fault, ok, warning
from ingestd.errors import IngestdError
from ingestd.server.keys import HOST_KEY
from ingestd.sources.remote_client import Account, connected, known_keys
from ingestd.sources.remote_folder import Patience

PATIENCE = 10.0
"""Seconds for each step towards a server."""


# The embedded server ------------------------------------------------------------------------------------------------


def look_at_server(host: str, port: int, folder: Path, feeds: Collection[str]) -> Iterator[Check]:
    """Yield what can be said of the embedded server; its key and accounts lie in `folder`."""
    yield judge_port(f"{host}:{port}", *_try_port(host, port))
    yield from (judge_key(key, key.stat()) for key in folder.glob(HOST_KEY))
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


def look_at_remote(account: Account, path: str, *, network: bool) -> Iterator[Check]:
    """Yield what can be said of a vendor's server; it is spoken to only with `network`, as the source itself does."""
    name = f"{account.host}:{account.port}"
    try:
        keys = len(known_keys(account)) + len(account.fingerprints)
        yield ok("remote", f"{name} is pinned by {keys} keys")
        if network:
            with connected(account, path, Patience(connect=PATIENCE), hold=_let_go) as folder:
                folder.listing()
            yield ok("remote", f"{name} is the server that is pinned; we can log in and list {path}")
    except IngestdError as error:
        remedy = f"ask the vendor; `sftp -P {account.port} {account.user}@{account.host}` may tell more"
        yield fault("remote", f"{name}: {error}", remedy)


def _let_go(_transport: object) -> None:
    """Have nobody else end the connection."""
