"""Who may come in, by a clock that the tests turn."""

import pytest

from ingestd.core.doorman import (
    BANNED_FROM,
    FAILED_TRY,
    LONGEST_BAN,
    MOST_SOURCES,
    WELCOME,
    Answer,
    Bounds,
    Doorman,
    source_of,
)

HOME, AWAY = "192.0.2.1", "198.51.100.1"


def test_grace_ends_a_connection_that_does_not_log_in() -> None:
    """At its end, not before; one that has logged in is not overdue."""
    doorman = Doorman(Bounds(grace=30))
    doorman.arrive(1, HOME, 0)
    doorman.arrive(2, HOME, 0)
    assert doorman.log_in(2, "a", 0)
    assert doorman.overdue(29.9) == ()
    assert doorman.overdue(30) == (1,)
    assert doorman.overdue(31) == ()


def test_tries_are_counted() -> None:
    """After so many failed tries a connection may show no other key."""
    doorman = Doorman(Bounds(tries=2))
    doorman.arrive(1, HOME, 0)
    assert doorman.may_try(1, 0)
    doorman.fail(1, 0)
    doorman.fail(1, 0)
    assert not doorman.may_try(1, 0)


def test_failed_tries_ban_their_source_for_a_while() -> None:
    """Over many connections too; the ban ends when the penalties have run out, and touches no other source."""
    doorman = Doorman(Bounds(tries=100))
    doorman.arrive(1, HOME, 0)
    needed = int(-(-BANNED_FROM // FAILED_TRY))
    for _ in range(needed):
        assert doorman.may_try(1, 0)
        doorman.fail(1, 0)
    assert not doorman.may_try(1, 0)
    assert doorman.arrive(2, HOME, 1) == Answer(is_admitted=False)
    assert doorman.arrive(3, AWAY, 1) == Answer(is_admitted=True)
    assert doorman.arrive(4, HOME, needed * FAILED_TRY) == Answer(is_admitted=True)


def test_each_further_ban_is_twice_as_long() -> None:
    """Patience gets no more keys looked at; a source that has been quiet for long begins anew."""
    doorman, now, lengths = Doorman(Bounds(tries=100)), 0.0, []
    for number in range(4):
        doorman.arrive(number, HOME, now)
        while doorman.may_try(number, now):
            doorman.fail(number, now)
        banned_at = now
        while doorman.is_banned(HOME, now):
            now += 1
        lengths.append(now - banned_at)
        doorman.leave(number, now)
    assert lengths == [16, 32, 64, 128]
    doorman.arrive(5, HOME, now + LONGEST_BAN)
    while doorman.may_try(5, now + LONGEST_BAN):
        doorman.fail(5, now + LONGEST_BAN)
    assert not doorman.is_banned(HOME, now + LONGEST_BAN + lengths[0])


def test_a_crowd_behind_one_address_is_not_banned() -> None:
    """Who has to make room has done nothing wrong."""
    doorman = Doorman(Bounds(per_source=3))
    for number in range(1000):
        assert doorman.arrive(number, HOME, 0).is_admitted


def test_a_login_forgives_the_keys_that_were_tried_before() -> None:
    """An agent with many keys shows them all, every night: its source is never banned for that."""
    doorman = Doorman(Bounds())
    for night in range(20):
        assert doorman.arrive(night, HOME, 0).is_admitted
        for _ in range(5):
            doorman.fail(night, 0)
        assert doorman.log_in(night, "a", 0)
        doorman.leave(night, 0)


def test_strangers_behind_an_address_do_not_shut_out_who_logs_in_from_there() -> None:
    """They linger until the grace ends, over and over; without a login from there that is a ban."""
    for logs_in in (True, False):
        doorman = Doorman(Bounds(grace=30))
        if logs_in:
            doorman.arrive(0, HOME, 0)
            assert doorman.log_in(0, "a", 0)
        for number in range(1, 10):
            doorman.arrive(number, HOME, 1)
        assert len(doorman.overdue(31)) == 9
        assert doorman.is_banned(HOME, 31) is not logs_in


def test_a_welcome_ends_and_never_covers_wrong_keys() -> None:
    """Keys are counted as ever; and long after the login lingering is a fault again."""
    doorman = Doorman(Bounds(grace=30, tries=100))
    doorman.arrive(0, HOME, 0)
    assert doorman.log_in(0, "a", 0)
    for number in range(1, 10):
        doorman.arrive(number, HOME, WELCOME)
    doorman.overdue(WELCOME + 30)
    assert doorman.is_banned(HOME, WELCOME + 30)
    doorman.arrive(10, AWAY, 0)
    assert doorman.log_in(10, "a", 0)
    doorman.arrive(11, AWAY, 0)
    while doorman.may_try(11, 0):
        doorman.fail(11, 0)
    assert doorman.is_banned(AWAY, 0)


def test_no_ban_is_longer_than_the_longest() -> None:
    """However many faults there were."""
    doorman = Doorman(Bounds(unknown=1))
    for number in range(5000):
        doorman.arrive(number, HOME, 0)
        doorman.leave(number, 0)
        doorman.fail(number, 0)
    assert doorman.is_banned(HOME, 1)
    assert not doorman.is_banned(HOME, LONGEST_BAN)


@pytest.mark.parametrize("bounds", [Bounds(unknown=3, per_source=10), Bounds(unknown=10, per_source=3)])
def test_who_has_lingered_longest_makes_room(bounds: Bounds) -> None:
    """At a bound the newcomer is let in, and the oldest of the source is shown out."""
    doorman = Doorman(bounds)
    for number in range(3):
        assert doorman.arrive(number, HOME, number) == Answer(is_admitted=True)
    assert doorman.arrive(3, HOME, 3) == Answer(is_admitted=True, shown_out=0)


def test_the_source_with_most_connections_makes_room() -> None:
    """An honest client that came first is not shown out for a flood from elsewhere."""
    doorman = Doorman(Bounds(unknown=3, per_source=10))
    doorman.arrive(0, HOME, 0)
    doorman.arrive(1, AWAY, 1)
    doorman.arrive(2, AWAY, 2)
    assert doorman.arrive(3, AWAY, 3).shown_out == 1


def test_an_account_has_so_many_sessions() -> None:
    """One that leaves makes room for another; other accounts have their own."""
    doorman = Doorman(Bounds(sessions=1))
    for number in range(3):
        doorman.arrive(number, HOME, 0)
    assert doorman.log_in(0, "a", 0)
    assert not doorman.log_in(1, "a", 0)
    assert doorman.log_in(2, "b", 0)
    doorman.leave(0, 1)
    assert doorman.log_in(1, "a", 0)


def test_penalties_are_remembered_of_so_many_sources() -> None:
    """A flood from ever new addresses takes no more memory than that."""
    doorman = Doorman(Bounds())
    for number in range(MOST_SOURCES + 100):
        doorman.arrive(number, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number / 1000)
        doorman.leave(number, number / 1000)
    assert len(doorman._penalties) <= MOST_SOURCES


def test_a_source_is_an_address_or_a_network_of_ipv6() -> None:
    """A host has a whole /64 to choose from; an IPv4 address in IPv6's clothes is itself."""
    assert source_of(HOME) == source_of(f"::ffff:{HOME}") == HOME
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") != source_of("2001:db8:0:1::1")
    assert source_of("fe80::1%eth0") == source_of("fe80::2")
