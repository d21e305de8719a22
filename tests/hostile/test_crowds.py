"""Many clients at once, in small: `make bench-server` has the numbers of the goals."""

from itertools import cycle

from hostile_clients import Address
from hostile_crowds import contents, digests, flood, let_go, seconds_to_log_in, try_keys, upload_at_once
from hostile_world import World
from places import wait_until

SILENT, HALF_OPEN, SECONDS = 100, 20, 5
GOAL = 0.99


def test_eight_uploads_at_once_are_all_whole(guarded: World) -> None:
    """Two mebibytes each, in a session each."""
    files = contents(8, 2 << 20)
    assert upload_at_once(guarded, files) == set()
    assert guarded.digests() == digests(files)
    for name in files:
        (guarded.own / "inbox" / name).unlink()


def test_who_logs_in_is_served_while_others_hold_connections_open(guarded: World) -> None:
    """A hundred say nothing and twenty stop after the exchange of keys, from other addresses; the grace cuts all."""
    before = guarded.threads()
    attackers = cycle(f"127.0.4.{host}" for host in range(1, 255))
    legit = guarded.address()
    seen = flood(guarded, SILENT, HALF_OPEN, SECONDS, lambda: Address(guarded.port, next(attackers)), legit)
    with let_go(seen):
        assert seen.success >= GOAL
        assert len(seen.held) + seen.refused == SILENT + HALF_OPEN
        assert seen.most_threads - before <= 2 * (SILENT + HALF_OPEN)
        assert wait_until(lambda: seen.open_ones() == 0)


def test_who_tries_keys_is_banned_and_others_are_not(guarded: World) -> None:
    """Of a hundred tries at most twenty are looked at; after that not even the right key is, from that address."""
    attacker = guarded.address()
    siege = try_keys(attacker, 100)
    assert siege.checked <= 20
    assert siege.cut >= 80
    assert seconds_to_log_in(attacker, guarded.key) is None
    assert seconds_to_log_in(guarded.address(), guarded.key) is not None
