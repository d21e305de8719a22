"""How much an account may fill: one upload, all that waits, and how many files; each no is clean, and ends in time."""

from hostile_clients import HANDLE, NEW, NO_ATTRS, OK, OPEN, REMOVE, Wire, text, u32
from hostile_world import OTHERS, UPLOAD_SIZE, WAITING_FILES, WAITING_SIZE, World

PIECE = bytes(128 << 10)


def fill(wire: Wire, path: str, mebibytes: int) -> int:
    """Write so many mebibytes to a new file that stays open; return how many were taken."""
    handle = wire.open(path)
    count = (mebibytes << 20) // len(PIECE)
    return sum(wire.write(handle, PIECE, number * len(PIECE)).code == OK for number in range(count)) * len(PIECE) >> 20


def kept(world: World) -> int:
    """Return how many bytes the server keeps for our account."""
    return sum(path.stat().st_size for path in world.own.rglob("*") if path.is_file())


def test_an_upload_has_a_largest_size(wire: Wire, guarded: World) -> None:
    """What goes beyond is refused, and no more than that size lies on the disk."""
    assert fill(wire, "/inbox/own.zip.part", UPLOAD_SIZE + 3) == UPLOAD_SIZE
    assert kept(guarded) <= UPLOAD_SIZE << 20
    assert guarded.serves()


def test_what_waits_has_a_largest_size(wire: Wire, guarded: World) -> None:
    """However many files it is spread over, and others have their own room."""
    count = WAITING_SIZE // UPLOAD_SIZE + 2
    taken = sum(fill(wire, f"/inbox/own-{number}.zip.part", UPLOAD_SIZE) for number in range(count))
    assert taken <= WAITING_SIZE
    assert kept(guarded) <= WAITING_SIZE << 20
    assert guarded.serves(OTHERS)


def test_files_that_wait_are_counted(wire: Wire) -> None:
    """Finished ones too, and of no bytes."""
    names = [f"/inbox/own-{number}.zip.part" for number in range(WAITING_FILES)]
    for name in names:
        wire.put(name, b"")
    refused = wire.ask(OPEN, text("/inbox/more.zip.part"), u32(NEW), NO_ATTRS)
    assert refused.kind != HANDLE and refused.is_refusal
    assert [wire.ask(REMOVE, text(name)).code for name in names] == [OK] * WAITING_FILES
