"""Uploads a file with paramiko at a bounded rate: `send.py ACCOUNT PORT KEY RATE FILE REMOTE [--filepart]`."""

import argparse
import time
from pathlib import Path

import paramiko

PIECES = 20
"""Writes a second."""


def main() -> None:
    """Upload; an exception is a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("account")
    parser.add_argument("port", type=int)
    parser.add_argument("key", type=Path)
    parser.add_argument("rate", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("remote")
    parser.add_argument("--filepart", action="store_true", help="under another name, renamed at the end")
    given = parser.parse_args()
    key = paramiko.Ed25519Key.from_private_key_file(str(given.key))
    with paramiko.Transport(("127.0.0.1", given.port)) as transport:
        transport.connect(username=given.account, pkey=key)
        with transport.open_sftp_client() as sftp:
            name = f"{given.remote}.filepart" if given.filepart else given.remote
            _write(sftp, name, given.file.read_bytes(), given.rate // PIECES)
            if given.filepart:
                sftp.rename(name, given.remote)


def _write(sftp: paramiko.SFTPClient, name: str, content: bytes, piece: int) -> None:
    with sftp.open(name, "wb") as file:
        for start in range(0, len(content), piece):
            file.write(content[start : start + piece])
            time.sleep(1 / PIECES)


if __name__ == "__main__":
    main()
