"""Handles that are not what they are used as, and bytes at places where no file can have them."""

from collections.abc import Callable

import pytest
from hostile_clients import (
    CLOSE,
    FSETSTAT,
    FSTAT,
    HANDLE,
    NEW,
    NO_ATTRS,
    OK,
    OPEN,
    OPENDIR,
    READ,
    READDIR,
    REMOVE,
    WRITE,
    Reply,
    Wire,
    subsystem,
    text,
    u32,
    u64,
)
from hostile_world import OTHERS, WAITING_FILES, World

OWN = "/inbox/own.zip.part"
READ_ALL = u64(0) + u32(1 << 15)
AS_WHAT: dict[str, Callable[[Wire, bytes], Reply]] = {
    "read": lambda wire, handle: wire.ask(READ, text(handle), READ_ALL),
    "write": lambda wire, handle: wire.ask(WRITE, text(handle), u64(0), text(b"more")),
    "close": lambda wire, handle: wire.ask(CLOSE, text(handle)),
    "fstat": lambda wire, handle: wire.ask(FSTAT, text(handle)),
    "fsetstat": lambda wire, handle: wire.ask(FSETSTAT, text(handle), NO_ATTRS),
    "readdir": lambda wire, handle: wire.ask(READDIR, text(handle)),
}
NO_HANDLES = {
    "empty": b"",
    "never given": b"hx999999",
    "a path": b"/inbox/own.zip.part",
    "not text": b"\xff\xfe\x00",
    "long": b"h" * 200_000,
}


@pytest.mark.parametrize("name", NO_HANDLES)
def test_a_handle_that_was_never_given_is_refused(wire: Wire, name: str) -> None:
    """By every request that takes one."""
    replies = {what: use(wire, NO_HANDLES[name]) for what, use in AS_WHAT.items()}
    assert {what: reply for what, reply in replies.items() if not reply.is_refusal} == {}


def test_a_closed_handle_is_refused(wire: Wire) -> None:
    """By every request, closing it once more too."""
    handle = wire.open(OWN)
    assert wire.close(handle).code == OK
    replies = {what: use(wire, handle) for what, use in AS_WHAT.items()}
    assert {what: reply for what, reply in replies.items() if not reply.is_refusal} == {}
    assert wire.ask(REMOVE, text(OWN)).code == OK


def test_a_file_is_not_listed_and_a_folder_neither_read_nor_written(wire: Wire) -> None:
    """Each handle is of one kind."""
    file, folder = wire.open(OWN), wire.ask(OPENDIR, text("/inbox"))
    assert folder.kind == HANDLE
    assert AS_WHAT["readdir"](wire, file).is_refusal
    assert AS_WHAT["read"](wire, folder.string).is_refusal
    assert AS_WHAT["write"](wire, folder.string).is_refusal
    assert AS_WHAT["fsetstat"](wire, folder.string).is_refusal


def test_what_is_open_for_writing_is_not_read(wire: Wire) -> None:
    """The inbox is for putting in."""
    handle = wire.open(OWN)
    assert wire.write(handle, b"ours").code == OK
    assert AS_WHAT["read"](wire, handle).is_refusal


def test_a_handle_is_worth_nothing_on_another_channel(wire: Wire) -> None:
    """Not even on one of the same session, if it has a second one at all."""
    handle = wire.open(OWN)
    try:
        other = subsystem(wire.channel.get_transport())
    except (OSError, EOFError, AssertionError):
        return
    assert AS_WHAT["write"](other, handle).is_refusal


@pytest.mark.parametrize("offset", [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_bytes_beyond_all_limits_are_refused(wire: Wire, guarded: World, offset: int) -> None:
    """A file of holes counts as large as it looks: who unpacks it reads all of it."""
    handle = wire.open(OWN)
    assert wire.write(handle, b"far out", offset).is_refusal
    assert all(path.lstat().st_size < 1 << 30 for path in guarded.own.rglob("*"))


def test_handles_without_end_are_refused(wire: Wire, guarded: World) -> None:
    """Of two hundred openings of one file, none closed, there are as many as files may wait; others are served."""
    replies = [wire.ask(OPEN, text(OWN), u32(NEW), NO_ATTRS) for _ in range(200)]
    assert sum(reply.kind == HANDLE for reply in replies) == WAITING_FILES
    assert all(reply.kind == HANDLE or reply.is_refusal for reply in replies)
    assert guarded.serves(OTHERS)


def test_an_upload_that_is_open_twice_does_not_mix(wire: Wire, guarded: World) -> None:
    """Each handle has a file of its own; what is closed last is what lies there."""
    first, second = wire.open(OWN), wire.ask(OPEN, text(OWN), u32(NEW), NO_ATTRS)
    if second.kind == HANDLE:
        assert wire.write(second.string, b"second").code == OK
    assert wire.write(first, b"first upload").code == OK
    assert wire.close(first).code == OK
    contents = {path.read_bytes() for path in guarded.own.rglob("*") if path.is_file()}
    assert contents <= {b"first upload", b"second"}
    if second.kind == HANDLE:
        assert wire.close(second.string).code >= OK
    assert wire.ask(REMOVE, text(OWN)).code == OK
