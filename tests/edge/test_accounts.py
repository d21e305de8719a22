"""Accounts of the embedded server, their keys, and the command that keeps them."""

import stat
import subprocess
from pathlib import Path

import pytest

from ingestd.errors import ConfigError, UsageError
from ingestd.server.accounts import Accounts, check_password
from ingestd.server.keys import host_key, parse_public_key


def public_key(folder: Path, name: str = "k", *words: str) -> str:
    """Make a key pair; return the public one's line."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-N", "", "-C", "vendor@example", "-f", str(path), *(words or ("-t", "ed25519"))]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text()


def test_an_account_is_kept_in_a_private_file(tmp_path: Path) -> None:
    """It is found again as it was added; a second key is added to it, the same key is not."""
    accounts = Accounts(tmp_path)
    first, second = (parse_public_key(public_key(tmp_path, name)) for name in "ab")
    for key in (first, second, first):
        accounts.add("springfield", "springfield", key, None)
    found = accounts.find("springfield")
    assert found
    assert found.keys == (first, second)
    assert found.keys[0].comment == "vendor@example"
    assert found.password is None
    (file,) = (tmp_path / "server" / "accounts").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_account_that_is_removed_is_gone(tmp_path: Path) -> None:
    """Who removes one that there is not is told which there are."""
    accounts = Accounts(tmp_path)
    accounts.add("a", "springfield", None, "correct horse battery")
    with pytest.raises(UsageError, match="there are: a"):
        accounts.remove("b")
    accounts.remove("a")
    assert accounts.find("a") is None


def test_a_password_is_kept_as_a_hash(tmp_path: Path) -> None:
    """Argon2id; only the right one opens, and none opens where there is no account."""
    made = Accounts(tmp_path).add("a", "springfield", None, "correct horse battery")
    assert made.password
    assert made.password.startswith("$argon2id$")
    assert check_password(made, "correct horse battery")
    assert not check_password(made, "wrong horse battery")
    assert not check_password(None, "correct horse battery")


def test_what_cannot_be_an_account_is_refused(tmp_path: Path) -> None:
    """A name with a path in it, another feed's account, a short password."""
    accounts = Accounts(tmp_path)
    accounts.add("a", "springfield", None, "correct horse battery")
    for name, feed, password in (("../a", "springfield", None), ("a", "other", None), ("b", "springfield", "short")):
        with pytest.raises(UsageError):
            accounts.add(name, feed, None, password)
    assert accounts.find("../accounts/a") is None


@pytest.mark.parametrize(
    ("words", "told"),
    [(("-t", "rsa", "-b", "2048"), "3072 bits or more"), (("-t", "ecdsa", "-b", "256"), ""), (("-t", "ed25519"), "")],
)
def test_keys_of_safe_kinds_are_taken(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """Others are refused with the reason; the fingerprint is that of OpenSSH."""
    line = public_key(tmp_path, "k", *words)
    if told:
        with pytest.raises(UsageError, match=told):
            parse_public_key(line)
        return
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "k.pub")], capture_output=True, text=True, check=True
    )
    assert parse_public_key(line).fingerprint in shown.stdout


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    """A private key, damaged data, options before the key, nothing at all."""
    line = public_key(tmp_path)
    kind, data, _ = line.split(" ", 2)
    wrong = ((tmp_path / "k").read_text(), f"{kind} {data[:-8]}", f"ssh-rsa {data}", f'command="x" {line}', "", "text")
    for text in wrong:
        with pytest.raises(UsageError):
            parse_public_key(text)


def test_a_host_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """By its reference, without a word of what it holds."""
    (tmp_path / "bad").write_text("no key, but secret")
    with pytest.raises(ConfigError) as refused:
        host_key(tmp_path, f"file:{tmp_path / 'bad'}")
    assert "secret" not in str(refused.value)
