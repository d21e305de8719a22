"""Who may come in: bounds on connections that have not logged in, penalties of sources, sessions of an account.

Law: time comes in as an argument, and every connection that arrived must leave. The penalties are those of OpenSSH's
PerSourcePenalties (sshd_config(5)): each fault bans its source for some seconds, they add up, and count only from
`BANNED_FROM` on; each further ban is twice as long. The bounds never turn away who comes last: they show out whoever
has lingered longest, for an honest client logs in within a second, and one that is silent has had its time. That is no
fault: behind one address there may be many vendors. From where someone has logged in lately, only a wrong key or
password is a fault: strangers behind a vendor's address do not shut the vendor out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

FAILED_TRY, NO_LOGIN, OVERDUE = 2.0, 1.0, 10.0
"""Seconds of penalty: a key or password that is not the account's; leaving, or being shown out, without a login."""

BANNED_FROM, LONGEST_BAN = 15.0, 600.0
"""Seconds of penalty from which on a source is banned, and the most that it can gather."""

WELCOME = 600.0
"""Seconds after a login in which lingering without one is no fault of its source."""

MOST_SOURCES = 10_000
"""How many sources with a penalty are remembered; of more, those that are nearest to its end are forgotten."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the doorman enforces; `grace` is in seconds, `per_source` and `unknown` are of those not logged in."""

    grace: float = 30
    tries: int = 6
    unknown: int = 128
    per_source: int = 64
    sessions: int = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a connection is let in, and which other is to be closed for it."""

    is_admitted: bool
    shown_out: int | None = None


@dataclass(slots=True)
class _Visitor:
    source: str
    since: float
    tries: int = 0
    account: str | None = None


@dataclass(slots=True)
class _Penalty:
    """What a source has to wait for; `bans` are those that it had, with this one."""

    until: float
    bans: int = 0
    is_ban: bool = False


@dataclass(slots=True)
class Doorman:
    """What is known of the connections that are open, by number, and of their sources."""

    bounds: Bounds
    _visitors: dict[int, _Visitor] = field(default_factory=dict)
    _penalties: dict[str, _Penalty] = field(default_factory=dict)
    _logins: dict[str, float] = field(default_factory=dict)

    def arrive(self, number: int, address: str, now: float) -> Answer:
        """Take in a new connection, or turn it away because its source is banned."""
        source = source_of(address)
        if self.is_banned(source, now):
            return Answer(is_admitted=False)
        shown_out = self._one_too_many(source)
        if shown_out is not None:
            del self._visitors[shown_out]
        self._visitors[number] = _Visitor(source, now)
        return Answer(is_admitted=True, shown_out=shown_out)

    def may_try(self, number: int, now: float) -> bool:
        """Return whether a connection may still show a key or a password."""
        visitor = self._visitors.get(number)
        return visitor is not None and visitor.tries < self.bounds.tries and not self.is_banned(visitor.source, now)

    def fail(self, number: int, now: float) -> None:
        """Take note of a key or a password that is not the account's."""
        if visitor := self._visitors.get(number):
            visitor.tries += 1
            self._punish(visitor.source, FAILED_TRY, now)

    def log_in(self, number: int, account: str, now: float) -> bool:
        """Give a connection one of the account's sessions, and forgive its failed tries; False if all are taken."""
        visitor = self._visitors.get(number)
        if visitor is None or sum(one.account == account for one in self._visitors.values()) >= self.bounds.sessions:
            return False
        visitor.account = account
        self._logins = {one: when for one, when in self._logins.items() if when + WELCOME > now} | {visitor.source: now}
        if penalty := self._penalties.get(visitor.source):
            penalty.until -= FAILED_TRY * visitor.tries
        return True

    def leave(self, number: int, now: float, penalty: float = NO_LOGIN) -> None:
        """Forget a connection; one that never logged in nor failed to leaves its source a penalty."""
        visitor = self._visitors.pop(number, None)
        if visitor and visitor.account is None and not visitor.tries and not self._is_welcome(visitor.source, now):
            self._punish(visitor.source, penalty, now)

    def overdue(self, now: float) -> tuple[int, ...]:
        """Return, and forget, the connections that did not log in within the grace."""
        late = tuple(n for n, one in self._strangers() if now - one.since >= self.bounds.grace)
        for number in late:
            self.leave(number, now, OVERDUE)
        return late

    def is_banned(self, source: str, now: float) -> bool:
        """Return whether a source is turned away at the moment."""
        penalty = self._penalties.get(source)
        return penalty is not None and penalty.is_ban and penalty.until > now

    def _is_welcome(self, source: str, now: float) -> bool:
        return now - self._logins.get(source, -WELCOME) < WELCOME

    def _strangers(self) -> Iterator[tuple[int, _Visitor]]:
        return ((number, one) for number, one in self._visitors.items() if one.account is None)

    def _one_too_many(self, source: str) -> int | None:
        """Return the oldest connection of this source, or of the one with most, if a bound is reached."""
        held: dict[str, list[int]] = {}
        for number, one in self._strangers():
            held.setdefault(one.source, []).append(number)
        if len(held.get(source, ())) >= self.bounds.per_source:
            return held[source][0]
        if sum(map(len, held.values())) >= self.bounds.unknown:
            return max(held.values(), key=len)[0]
        return None

    def _punish(self, source: str, seconds: float, now: float) -> None:
        penalty = self._current(source, now)
        rest = penalty.until + seconds - now
        if not penalty.is_ban and rest >= BANNED_FROM:
            penalty.is_ban = True
            rest *= 2 ** min(penalty.bans, 10)
            penalty.bans += 1
        penalty.until = now + min(rest, LONGEST_BAN)

    def _current(self, source: str, now: float) -> _Penalty:
        """Return the penalty of a source, a new one if the last has run out; bans long past are forgotten."""
        last = self._penalties.get(source)
        if last and last.until > now:
            return last
        self._make_room(now)
        bans = last.bans if last and last.until + LONGEST_BAN > now else 0
        penalty = self._penalties[source] = _Penalty(now, bans)
        return penalty

    def _make_room(self, now: float) -> None:
        if len(self._penalties) >= MOST_SOURCES:
            ends = sorted(one.until for one in self._penalties.values())[MOST_SOURCES // 10]
            self._penalties = {name: one for name, one in self._penalties.items() if one.until > max(now, ends)}


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 address, of which a host has all."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(IPv6Address(int(ip) >> 64 << 64)) + "/64"
    return str(ip)
