"""Keys: the server's own, and the public ones of accounts. Only kinds that are safe today are taken.

Law: no private key is ever logged, told in an error, or left readable for others.
"""

import base64
import binascii
import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_ssh_public_key

from ingestd.errors import ConfigError, UsageError
from ingestd.files import sync_folder
from ingestd.secrets import resolve

KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
SMALLEST_RSA = 3072
HOST_KEY = "host.key"
"""What the server's own private key is called where none is given; no feed's folder beside it can have that name."""
WANTED = "give the one line of a .pub file, such as `ssh-keygen -t ed25519` writes"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its kind, its bytes in base64, and the comment that came with it."""

    kind: str
    data: str
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.data} {self.comment}".rstrip()

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint as `ssh-keygen -l` prints it."""
        return fingerprint(base64.b64decode(self.data))


def fingerprint(blob: bytes) -> str:
    """Return the SHA-256 of a public key's bytes as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_public_key(text: str) -> PublicKey:
    """Return the key of a .pub file, or of a line of authorized_keys without options.

    Raises:
        UsageError: it is none, or of a kind or size that is not taken; it says what to do.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in lines):
        raise UsageError(f"this is a private key, which nobody should have but its owner; {WANTED}")
    if lines and lines[0].startswith("---- BEGIN SSH2"):
        raise UsageError("this key is in the form of RFC 4716; `ssh-keygen -i -f FILE` turns it into a .pub file")
    if len(lines) != 1:
        raise UsageError(f"there must be one key in the file; {WANTED}")
    kind, _, rest = lines[0].partition(" ")
    data, _, comment = rest.strip().partition(" ")
    if kind not in KINDS:
        raise UsageError(f"a key must be one of {', '.join(KINDS)}, without options before it; {WANTED}")
    _check_key(kind, data)
    return PublicKey(kind, data, "".join(c for c in comment.strip()[:200] if c.isprintable()))


def host_key(folder: Path, reference: str | None) -> paramiko.PKey:
    """Return the server's key: by reference to a secret, or from `folder`, where it is made if there is none.

    Raises:
        ConfigError: the secret cannot be had, or is not a private key without a passphrase.
    """
    if reference:
        return _parse_private(resolve(reference), reference)
    path = folder / HOST_KEY
    if not path.exists():
        _make_key(path)
    return _parse_private(path.read_text(encoding="ascii"), str(path))


def _check_key(kind: str, data: str) -> None:
    try:
        blob = base64.b64decode(data, validate=True)
        key = load_ssh_public_key(f"{kind} {data}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise UsageError(f"the key is damaged; {WANTED}") from None
    if not blob[4:].startswith(kind.encode()):
        raise UsageError(f"the key is not of the kind that its line says; {WANTED}")
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise UsageError(f"an RSA key must have {SMALLEST_RSA} bits or more, this one has {key.key_size}; {WANTED}")


def _parse_private(text: str, where: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except (paramiko.SSHException, ValueError, IndexError, UnsupportedAlgorithm):
            continue
    raise ConfigError([f"server.host_key: {where} is not a private key of OpenSSH without a passphrase"])


def _make_key(path: Path) -> None:
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
