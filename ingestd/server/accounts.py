"""Accounts of the embedded server: a small TOML file each, read at every login, so that a change acts at once."""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ingestd.errors import UsageError
from ingestd.files import make_private, replacing
from ingestd.server.keys import PublicKey, fingerprint, parse_public_key

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
SHORTEST_PASSWORD = 12
_AT_ONCE = BoundedSemaphore(2)
"""How many passwords are checked at a time: each takes 64 MiB, and strangers may ask."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may log in, to which feed, with what. `password` is an Argon2id hash in PHC form."""

    name: str
    feed: str
    keys: tuple[PublicKey, ...] = ()
    password: str | None = None

    def has_key(self, blob: bytes) -> bool:
        """Return whether a public key, in SSH's own bytes, is one of the account's."""
        return fingerprint(blob) in {key.fingerprint for key in self.keys}


class Accounts:
    """The folder of accounts."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "server" / "accounts"

    def find(self, name: str) -> Account | None:
        """Return an account, or None if there is none of that name, or its file is damaged."""
        if not NAME.fullmatch(name):
            return None
        try:
            return _read(self._folder / f"{name}.toml")
        except (OSError, ValueError, KeyError, TypeError, UsageError):
            return None

    def all(self) -> Sequence[Account]:
        """Return all accounts, by name."""
        found = [self.find(path.stem) for path in sorted(self._folder.glob("*.toml"))]
        return [account for account in found if account]

    def add(self, name: str, feed: str, key: PublicKey | None, password: str | None) -> Account:
        """Make an account, or give one that exists another key or a new password; return it as it is then.

        Raises:
            UsageError: the name is none, it belongs to another feed, or the password is short.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be an account's name: a-z, 0-9, - and _, at most 64, not - or _ first")
        account = self.find(name) or Account(name, feed)
        if account.feed != feed:
            raise UsageError(f"the account {name} belongs to the feed {account.feed}; choose another with --name")
        if key and key.fingerprint not in {one.fingerprint for one in account.keys}:
            account = replace(account, keys=(*account.keys, key))
        if password is not None:
            account = replace(account, password=hash_password(password))
        self._write(account)
        return account

    def remove(self, name: str) -> None:
        """Remove an account; who is logged in with it stays until the session ends.

        Raises:
            UsageError: there is none.
        """
        if NAME.fullmatch(name) and (path := self._folder / f"{name}.toml").exists():
            path.unlink()
            return
        known = ", ".join(account.name for account in self.all()) or "none"
        raise UsageError(f"there is no account {name}; there are: {known}")

    def _write(self, account: Account) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_private(self._folder)
        keys = "".join(f"    {json.dumps(str(key), ensure_ascii=False)},\n" for key in account.keys)
        text = f'feed = "{account.feed}"\nkeys = [\n{keys}]\n'
        if account.password:
            text += f'password = "{account.password}"\n'
        with replacing(self._folder / f"{account.name}.toml", mode=0o600) as file:
            file.write(text.encode())


def check_key(account: Account | None, blob: bytes) -> bool:
    """Return whether the key opens the account; there may be none."""
    return account is not None and account.has_key(blob)


def check_password(account: Account | None, password: str) -> bool:
    """Return whether the password opens the account. It takes as long where there is no account, or no password."""
    known = account.password if account else None
    with _AT_ONCE:
        try:
            Argon2id.verify_phc_encoded(password.encode(), known or _decoy())
        except (InvalidKey, ValueError):
            return False
    return known is not None


def hash_password(password: str) -> str:
    """Return the hash of a password that is long enough, in PHC form.

    Raises:
        UsageError: it is not long enough.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"a password must have at least {SHORTEST_PASSWORD} characters; a key is better: --key FILE")
    # 64 MiB and three rounds, which RFC 9106 has for where memory is scarce; one lane, for logins are few.
    hashing = Argon2id(salt=os.urandom(16), length=32, iterations=3, lanes=1, memory_cost=64 << 10)
    return hashing.derive_phc_encoded(password.encode())


@cache
def _decoy() -> str:
    return hash_password(os.urandom(32).hex())


def _read(path: Path) -> Account:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return Account(path.stem, raw["feed"], tuple(map(parse_public_key, raw["keys"])), raw.get("password"))
