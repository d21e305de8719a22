"""Logs in to someone's SFTP server: the host is proved by its pinned key, and only then we prove ourselves.

Law: no key is ever added by itself, and each step of a login has its time.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import Timer
from typing import cast

import paramiko

from ingestd import secrets
from ingestd.sources.remote_folder import Paced, Patience, RemoteFolder, RemoteRefusalError, told
from ingestd.sources.remote_sftp import Sftp

OLD = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
    "keys": ["ssh-rsa", "ssh-dss"],
    "pubkeys": ["ssh-rsa", "ssh-dss"],
}
"""What paramiko would still speak and we do not."""

_UNHEARD = "paramiko.fetching"
logging.getLogger(_UNHEARD).setLevel(logging.CRITICAL + 1)  # what fails is told by us, once, without traces

_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class Account:
    """Where to log in, as whom, by what (references to secrets, one of them), and the keys that prove the host."""

    host: str
    port: int
    user: str
    key: str | None = None
    password: str | None = None
    known_hosts: Path | None = None
    fingerprints: tuple[str, ...] = ()


@contextmanager
def connected(
    account: Account,
    path: str,
    patience: Patience,
    *,
    hold: Callable[[paramiko.Transport | None], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[RemoteFolder]:
    """Log in, and log out at the end. `hold` is given the transport, by whose `close` another thread can end all of it.

    Raises:
        RemoteError: there is no server, it is not the one that was pinned, it refuses the login, or does not answer.
    """
    with told({}):
        line = socket.create_connection((account.host, account.port), timeout=patience.connect)
        transport = _transport(line, account)
    try:
        hold(transport)
        with told({}), _cut_after(4 * patience.connect, transport):
            _log_in(transport, account, patience)
            pace = Paced(transport.open_session(timeout=patience.connect), patience, clock)
            sftp = Sftp(cast("paramiko.Channel", pace.begin()))
        yield RemoteFolder(sftp, pace, path)
    finally:
        hold(None)
        transport.close()
        line.close()  # which a transport that was never started leaves open


def _transport(line: socket.socket, account: Account) -> paramiko.Transport:
    try:
        transport = paramiko.Transport(line, disabled_algorithms=OLD)
        transport.set_log_channel(_UNHEARD)
        pinned = set(known_keys(account))
        if pinned and not account.fingerprints:  # a server has a key of each kind, and shows that which is asked for
            options = transport.get_security_options()
            options.key_types = [name for name in options.key_types if _kind(name) in pinned] or options.key_types
    except BaseException:
        line.close()
        raise
    return transport


def _log_in(transport: paramiko.Transport, account: Account, patience: Patience) -> None:
    """Prove the host, and only then ourselves."""
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = patience.connect
    transport.start_client(timeout=patience.connect)
    _check_host(transport.get_remote_server_key(), account)
    if account.key:
        transport.auth_publickey(account.user, _private_key(secrets.resolve(account.key)))
    else:
        transport.auth_password(account.user, secrets.resolve(account.password or ""))
    if not transport.is_authenticated():
        raise RemoteRefusalError("login refused: the server wants more than one proof")


def _check_host(shown: paramiko.PKey, account: Account) -> None:
    known = known_keys(account).get(shown.get_name())
    if shown.fingerprint not in account.fingerprints and known != shown:
        raise RemoteRefusalError("host key is not the pinned one; ask the vendor before you pin another (README)")


def known_keys(account: Account) -> dict[str, paramiko.PKey]:
    """Return the keys that the file of known hosts has for this host, by kind.

    Raises:
        RemoteError: it has none, and no fingerprint stands in for it; or it cannot be read.
    """
    if account.known_hosts is None:
        return {}
    name = account.host if account.port == 22 else f"[{account.host}]:{account.port}"
    try:
        found = paramiko.HostKeys(str(account.known_hosts)).lookup(name)
    except OSError:
        raise RemoteRefusalError("the file of known_hosts cannot be read") from None
    if not found:
        if account.fingerprints:
            return {}
        raise RemoteRefusalError("the file of known_hosts does not name this host")
    return dict(found.items())


def _kind(algorithm: str) -> str:
    return "ssh-rsa" if algorithm.startswith("rsa-") else algorithm


def _private_key(text: str) -> paramiko.PKey:
    for kind in _KEYS:
        try:
            return kind.from_private_key(StringIO(f"{text}\n"))
        except paramiko.PasswordRequiredException:
            told = "the private key has a passphrase; use one without, kept as a credential"
            raise RemoteRefusalError(told) from None
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise RemoteRefusalError("the private key cannot be read; it must be an Ed25519, ECDSA or RSA key")


@contextmanager
def _cut_after(seconds: float, transport: paramiko.Transport) -> Iterator[None]:
    """Close the transport when this takes too long: paramiko waits for the answer to some requests without end."""
    timer = Timer(seconds, transport.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
