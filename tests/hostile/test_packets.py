"""Packets that are none: each has an answer, or ends the connection; nothing else comes of it."""

import random
from collections.abc import Callable

import pytest
from examples import TIMES
from hostile_clients import (
    ENDED,
    EXTENDED,
    INIT,
    NEW,
    NO_ATTRS,
    OPEN,
    REALPATH,
    STAT,
    STATUS,
    Reply,
    Wire,
    text,
    u32,
    u64,
)
from hostile_mutations import mutated, requests
from hostile_world import World

ODD: dict[str, Callable[[Wire], Reply]] = {
    "empty": lambda wire: wire.say(b""),
    "of a kind and nothing else": lambda wire: wire.say(bytes([STAT])),
    "of half a number": lambda wire: wire.say(bytes([STAT, 0, 0])),
    "without its path": lambda wire: wire.ask(OPEN),
    "with a path longer than itself": lambda wire: wire.ask(OPEN, u32(0xFFFFFFFF), b"/inbox/a.zip"),
    "with a path of a negative length": lambda wire: wire.ask(OPEN, u32(0x80000000), b"/inbox/a.zip"),
    "of no known kind": lambda wire: wire.ask(77, text("/inbox")),
    "of kind 255": lambda wire: wire.ask(255, text("/inbox")),
    "an answer": lambda wire: wire.ask(STATUS, u32(0), text(""), text("")),
    "a second greeting": lambda wire: wire.say(bytes([INIT]) + u32(3)),
    "an extension that nobody has": lambda wire: wire.ask(EXTENDED, text("run@example.org"), text("id")),
    "an extension without a name": lambda wire: wire.ask(EXTENDED),
    "an extension whose name is no text": lambda wire: wire.ask(EXTENDED, text(b"\xff\xfe")),
    "with much behind its end": lambda wire: wire.ask(STAT, text("/nothing"), bytes(100_000)),
    "with all flags of opening": lambda wire: wire.ask(OPEN, text("/nothing/a"), u32(0xFFFFFFFF), NO_ATTRS),
    "with attributes without end": lambda wire: wire.ask(OPEN, text("/no/a"), u32(NEW), u32(1 << 31), u32(0xFFFFFFFF)),
    "of a path of a megabyte": lambda wire: wire.ask(STAT, text(b"/" + b"a" * (1 << 20))),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_packet_is_refused(wire: Wire, name: str) -> None:
    """With a status, or the end of the connection."""
    assert ODD[name](wire).is_refusal


@pytest.mark.parametrize("size", [0x00FFFFFF, 0x01000000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_packet_that_announces_too_much_ends_the_connection(wire: Wire, guarded: World, size: int) -> None:
    """No memory is taken for what was only announced."""
    before = guarded.memory()
    wire.send(u32(size) + bytes(1000))
    wire.channel.shutdown_write()
    assert wire.receive().kind == ENDED
    assert guarded.memory() - before < 8 << 20


def test_megabytes_in_one_packet_do_not_stop_the_others(wire: Wire, guarded: World) -> None:
    """They are refused at once, or put together in time."""
    handle = wire.open("/inbox/own.zip.part")
    wire.send(u32(12 << 20) + b"\x06\0\0\0\x63" + text(handle) + u64(0) + u32(11 << 20))
    sent = 0
    while sent < 11 << 20 and wire.send(bytes(1 << 20)):
        sent += 1 << 20
    assert guarded.serves()


def test_half_a_packet_is_waited_for_and_given_up_with_the_connection(wire: Wire, guarded: World) -> None:
    """Others are served meanwhile."""
    wire.send(u32(100) + bytes([STAT]))
    assert guarded.serves()


def test_a_packet_in_single_bytes_is_a_packet(wire: Wire) -> None:
    """However slowly it comes."""
    for byte in u32(len(packet := bytes([REALPATH]) + u32(9) + text("/inbox"))) + packet:
        wire.send(bytes([byte]))
    assert wire.receive().name == b"/inbox"


def test_a_request_before_the_greeting_ends_the_connection(guarded: World) -> None:
    """There is no version yet in which it could be answered."""
    with guarded.sftp(greet=False) as wire:
        assert wire.ask(STAT, text("/inbox")).kind == ENDED


def test_a_thousand_requests_at_once_are_answered_in_order(wire: Wire) -> None:
    """Though nobody reads the answers until all are sent."""
    packets = [bytes([STAT]) + u32(number) + text("/nothing") for number in range(1000)]
    assert wire.send(b"".join(u32(len(packet)) + packet for packet in packets))
    assert [wire.receive().body[:4] for _ in packets] == [u32(number) for number in range(1000)]


MUTATIONS = 300 * TIMES


def test_mutated_packets_neither_hang_the_server_nor_lead_out_of_it(world: World) -> None:
    """Requests of every kind with bits, bytes and lengths changed: each is answered within ten seconds."""
    chance = random.Random(20261125)
    before = world.untouched(*world.traces())
    said = heard = 0
    while said < MUTATIONS:
        with world.sftp() as wire:
            for packet in mutated(requests(wire), chance, MUTATIONS - said):
                said += 1
                if wire.say(packet).kind == ENDED:
                    break
                heard += 1
    for path in (world.own / "inbox").iterdir():
        path.unlink(missing_ok=True)
    assert heard > MUTATIONS // 2
    assert world.serves()
    assert world.untouched(*world.traces()) == before
