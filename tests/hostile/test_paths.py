"""Paths that lead out, and links that would: an account sees `/inbox` and `/results`, whatever it asks for."""

from collections.abc import Callable

import pytest
from hostile_clients import (
    EXTENDED,
    FOR_READING,
    HANDLE,
    LSTAT,
    MKDIR,
    NAME,
    NEW,
    NO_ATTRS,
    OPEN,
    OPENDIR,
    READ,
    READLINK,
    REALPATH,
    REMOVE,
    RENAME,
    RMDIR,
    SETSTAT,
    STAT,
    SYMLINK,
    Reply,
    Wire,
    mode_attr,
    text,
    u32,
    u64,
)
from hostile_world import World

TRAVERSALS: dict[str, Callable[[World], bytes]] = {
    "above the root": lambda w: b"/../../outside/secret.zip",
    "above the inbox": lambda w: b"/inbox/../../../../outside/secret.zip",
    "many times above": lambda w: b"/inbox/" + b"../" * 64 + bytes(w.canary)[1:],
    "absolute": lambda w: bytes(w.canary),
    "behind an absolute one": lambda w: b"/inbox/" + bytes(w.canary),
    "another account's inbox": lambda w: b"/inbox/../../shelbyville/inbox/secret.zip.part",
    "another account's results": lambda w: b"/results/../shelbyville/secret.zip.report.txt",
    "the accounts": lambda w: b"/../accounts/springfield.toml",
    "dots between slashes": lambda w: b"//inbox/.//../.././../outside/secret.zip",
    "back slashes": lambda w: b"/inbox\\..\\..\\..\\outside\\secret.zip",
    "a zero byte": lambda w: b"/inbox/secret.zip.part\0/../../../outside/secret.zip",
    "dots in overlong UTF-8": lambda w: b"/inbox/\xc0\xae\xc0\xae/\xc0\xae\xc0\xae/outside/secret.zip",
    "dots of full width": lambda w: "/inbox/\uff0e\uff0e/\uff0e\uff0e/outside/secret.zip".encode(),
    "percent signs": lambda w: b"/inbox/%2e%2e/%2e%2e/outside/secret.zip",
    "the file system by /proc": lambda w: b"/proc/self/root" + bytes(w.canary),
    "a home": lambda w: b"~root/../" + bytes(w.canary)[1:],
    "five thousand letters": lambda w: b"/inbox/" + b"a" * 5000,
    "five thousand folders": lambda w: b"/inbox/" + b"a/" * 5000,
}


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_path_that_leads_out_is_refused_by_every_request(guarded: World, wire: Wire, name: str) -> None:
    """Reading, writing, listing, asking about, changing, removing and renaming of what is not there: a clean no."""
    path = text(TRAVERSALS[name](guarded))
    own = text("/inbox/own.zip.part")
    wire.put("/inbox/own.zip.part", b"ours")
    replies = {
        "read": wire.ask(OPEN, path, u32(FOR_READING), NO_ATTRS),
        "write": wire.ask(OPEN, path, u32(NEW), NO_ATTRS),
        "list": wire.ask(OPENDIR, path),
        "stat": wire.ask(STAT, path),
        "lstat": wire.ask(LSTAT, path),
        "setstat": wire.ask(SETSTAT, path, mode_attr(0o6777)),
        "mkdir": wire.ask(MKDIR, path, NO_ATTRS),
        "rmdir": wire.ask(RMDIR, path),
        "rename to": wire.ask(RENAME, own, path),
        "rename from": wire.ask(RENAME, path, text("/inbox/taken.zip.part")),
        "posix-rename": wire.ask(EXTENDED, text("posix-rename@openssh.com"), own, path),
        "remove": wire.ask(REMOVE, path),
        "readlink": wire.ask(READLINK, path),
    }
    assert {request: reply for request, reply in replies.items() if not reply.is_refusal} == {}
    assert wire.ask(REMOVE, own).code == 0


@pytest.mark.parametrize("name", TRAVERSALS)
def test_the_real_path_of_anything_is_beneath_the_root(guarded: World, wire: Wire, name: str) -> None:
    """It is absolute, without dots, and tells nothing of the disk; or there is none."""
    reply = wire.ask(REALPATH, text(TRAVERSALS[name](guarded)))
    if not reply.is_refusal:
        assert reply.kind == NAME
        assert reply.name.startswith(b"/")
        assert not {b"..", b"."} & set(reply.name.split(b"/"))


LINKS: dict[str, Callable[[Wire, World], Reply]] = {
    "symlink to a file outside": lambda wire, w: wire.ask(SYMLINK, text(bytes(w.canary)), text("/inbox/a.zip")),
    "symlink in the draft's order": lambda wire, w: wire.ask(SYMLINK, text("/inbox/a.zip"), text(bytes(w.canary))),
    "symlink to above": lambda wire, w: wire.ask(SYMLINK, text("../../shelbyville/inbox"), text("/inbox/up")),
    "symlink within the inbox": lambda wire, w: wire.ask(SYMLINK, text("own.zip"), text("/inbox/a.zip")),
    "hard link of a file outside": lambda wire, w: _hardlink(wire, bytes(w.canary), b"/inbox/a.zip"),
    "hard link of a receipt": lambda wire, w: _hardlink(wire, b"/results/own.zip.report.txt", b"/inbox/a.zip"),
    "hard link of an own upload": lambda wire, w: _hardlink(wire, b"/inbox/own.zip.part", b"/inbox/b.zip.part"),
    "target of the inbox": lambda wire, w: wire.ask(READLINK, text("/inbox")),
}


def _hardlink(wire: Wire, old: bytes, new: bytes) -> Reply:
    return wire.ask(EXTENDED, text("hardlink@openssh.com"), text(old), text(new))


@pytest.mark.parametrize("name", LINKS)
def test_no_link_is_made_or_read(guarded: World, wire: Wire, name: str) -> None:
    """Neither symbolic nor hard: with either a file could be changed after its claim, or one outside be reached."""
    wire.put("/inbox/own.zip.part", b"ours")
    assert LINKS[name](wire, guarded).is_refusal
    assert wire.ask(REMOVE, text("/inbox/own.zip.part")).code == 0


@pytest.mark.parametrize("folder", ["inbox", "results"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_that_lies_there_is_not_followed(guarded: World, wire: Wire, folder: str, kind: str) -> None:
    """However it came there: it can be neither read, written through, listed, nor asked about as what it points to."""
    seen = guarded.own / "inbox" if folder == "inbox" else guarded.receipt.parent
    link = seen / "link.zip.part"
    link.symlink_to(guarded.canary if kind == "file" else guarded.canary.parent)
    try:
        path = f"/{folder}/link.zip.part" + ("" if kind == "file" else "/secret.zip")
        assert wire.ask(OPEN, text(path), u32(FOR_READING), NO_ATTRS).is_refusal
        assert _written(wire, path) or guarded.canary.read_bytes().startswith(b"canary")
        assert wire.ask(OPENDIR, text(path)).is_refusal
        about = wire.ask(STAT, text(path))
        assert about.is_refusal or u64(guarded.canary.stat().st_size) not in about.body
    finally:
        link.unlink(missing_ok=True)


def _written(wire: Wire, path: str) -> bool:
    reply = wire.ask(OPEN, text(path), u32(NEW), NO_ATTRS)
    return reply.is_refusal


def test_a_receipt_can_be_read_and_not_changed(guarded: World, wire: Wire) -> None:
    """Which shows too that the refusals of this file are not those of a server that refuses all."""
    path = text("/results/own.zip.report.txt")
    handle = wire.ask(OPEN, path, u32(FOR_READING), NO_ATTRS)
    assert handle.kind == HANDLE
    assert wire.ask(READ, text(handle.string), u64(0), u32(100)).string == guarded.receipt.read_bytes()
    changes = (
        wire.ask(OPEN, path, u32(NEW), NO_ATTRS),
        wire.ask(REMOVE, path),
        wire.ask(RENAME, path, text("/results/other.txt")),
        wire.ask(RENAME, path, text("/inbox/taken.zip.part")),
        wire.ask(OPEN, text("/results/new.txt"), u32(NEW), NO_ATTRS),
    )
    assert all(reply.is_refusal for reply in changes)
