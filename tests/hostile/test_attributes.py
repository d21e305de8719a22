"""Attributes: sizes are refused, modes and owners never reach the disk, whatever they are set on."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_clients import (
    ENDED,
    FSETSTAT,
    NEW,
    OK,
    REMOVE,
    SETSTAT,
    Reply,
    Wire,
    mode_attr,
    owner_attr,
    size_attr,
    text,
    times_attr,
)
from hostile_world import World

OWN = "/inbox/own.zip.part"
CONTENT = b"ours" * 100

RESIZED: dict[str, Callable[[Wire, bytes], Reply]] = {
    "cut to nothing": lambda wire, handle: wire.ask(SETSTAT, text(OWN), size_attr(0)),
    "cut by name while it is open": lambda wire, handle: wire.ask(SETSTAT, text("/inbox/open.zip.part"), size_attr(0)),
    "grown beyond all disks": lambda wire, handle: wire.ask(FSETSTAT, text(handle), size_attr((1 << 63) - 1)),
    "of a negative size": lambda wire, handle: wire.ask(FSETSTAT, text(handle), size_attr((1 << 64) - 1)),
    "by OpenSSH's lsetstat": lambda wire, handle: wire.ask(200, text("lsetstat@openssh.com"), text(OWN), size_attr(0)),
}
"""A file is open under the handle, and lies there under its name."""


@pytest.mark.parametrize("name", RESIZED)
def test_a_size_is_not_set(wire: Wire, guarded: World, name: str) -> None:
    """Paramiko's helper would make zeros of the file (reliability.md 2.4)."""
    wire.put(OWN, CONTENT)
    handle = wire.open("/inbox/open.zip.part")
    assert wire.write(handle, CONTENT).code == OK
    assert RESIZED[name](wire, handle).is_refusal
    assert wire.close(handle).code == OK
    assert {path.stat().st_size for path in guarded.own.rglob("o*.zip.part")} == {len(CONTENT)}
    assert wire.ask(REMOVE, text(OWN)).code == wire.ask(REMOVE, text("/inbox/open.zip.part")).code == OK


CHANGES = {
    "set-uid, and writable by all": mode_attr(0o106777),
    "a device": mode_attr(0o020777),
    "a symbolic link": mode_attr(0o120777),
    "an owner": owner_attr(1234, 5678),
    "times of another age": times_attr(1, 0xFFFFFFFF),
    "all of it, and the mode once more": (0x0C | 2).to_bytes(4)
    + owner_attr(1, 1)[4:]
    + mode_attr(0o6777)[4:]
    + bytes(8),
}


@pytest.mark.parametrize("name", CHANGES)
def test_no_attribute_reaches_the_disk(wire: Wire, guarded: World, name: str) -> None:
    """Whether it comes with the opening, by name or by handle; the answer is a status all the same."""
    attrs = CHANGES[name]
    handle = wire.open(OWN, NEW, attrs)
    replies = [wire.write(handle, CONTENT), wire.ask(FSETSTAT, text(handle), attrs), wire.close(handle)]
    replies += [wire.ask(SETSTAT, text(path), attrs) for path in (OWN, "/inbox", "/", "/results/own.zip.report.txt")]
    assert all(reply.code >= OK for reply in replies)
    for path in files(guarded.own):
        facts = path.stat()
        assert stat.S_ISREG(facts.st_mode) and not facts.st_mode & 0o7117
        assert (facts.st_uid, facts.st_gid) == (os.getuid(), os.getgid())
    assert wire.ask(REMOVE, text(OWN)).code == OK


def test_attributes_that_end_too_soon_are_answered(wire: Wire) -> None:
    """The flags announce all of them, and nothing follows."""
    handle = wire.open(OWN)
    reply = wire.ask(FSETSTAT, text(handle), b"\x80\x00\x00\x0f")
    assert reply.kind == ENDED or reply.code >= OK


def files(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return [path for path in folder.rglob("*") if not path.is_dir()]


ALGORITHMS = text("md5,sha1,sha256")
CHECKS: dict[str, Callable[[Wire, bytes], Reply]] = {
    "by handle": lambda wire, handle: wire.ask(200, text("check-file"), text(handle), ALGORITHMS, bytes(20)),
    "by its other name": lambda wire, handle: wire.ask(
        200, text("check-file-handle"), text(handle), ALGORITHMS, bytes(20)
    ),
    "by name": lambda wire, handle: wire.ask(200, text("check-file-name"), text(OWN), ALGORITHMS, bytes(20)),
    "of endless blocks": lambda wire, handle: wire.ask(
        200, text("check-file"), text(handle), ALGORITHMS, bytes(8), b"\x7f" + b"\xff" * 7, (256).to_bytes(4)
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_file_is_refused(wire: Wire, name: str) -> None:
    """It reads as long as the client likes, and with wrong arithmetic (reliability.md 0)."""
    handle = wire.open(OWN)
    assert wire.write(handle, CONTENT).code == OK
    assert CHECKS[name](wire, handle).is_refusal


def test_a_check_file_is_not_offered(guarded: World) -> None:
    """The server's greeting names no extension of that name."""
    with guarded.sftp(greet=False) as wire:
        hello = wire.say(b"\x01\x00\x00\x00\x03")
        assert hello.kind == 2
        assert b"check-file" not in hello.body
