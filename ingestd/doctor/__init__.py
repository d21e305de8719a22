"""The doctor looks at the machine that the daemon runs on: what it finds, and what to do about it.

Law: it changes nothing. In an inbox it makes a file that every source passes over, and removes it. What it finds is a
`Check`; the functions that judge take facts, so that every verdict can be shown without a machine that is sick.
"""

import os
import pwd
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingestd.config import Config, FolderSource, SftpSource
from ingestd.doctor.applications import look_at_applications
from ingestd.doctor.check import Check, State, User, fault, ok, stat_of
from ingestd.doctor.folders import look_at_state
from ingestd.doctor.inboxes import lease_right, look_at_inbox, look_at_inotify
from ingestd.doctor.machine import look_at_clock, look_at_machine
from ingestd.doctor.network import look_at_remote, look_at_server
from ingestd.doctor.sshd import look_at_sshd
from ingestd.doctor.stores import all_references, look_at_secret, look_at_store
from ingestd.opening import account_of

__all__ = ["Check", "State", "configuration", "examine", "look_at_machine"]


def configuration(problems: Sequence[str]) -> Iterator[Check]:
    """Yield a check for each fault of the configuration, or the one that it has none."""
    if not problems:
        yield ok("configuration", "it is sound")
    for problem in problems:
        yield fault("configuration", problem, "correct it; `ingestd config check` looks again")


def examine(config: Config, *, network: bool = False) -> Iterator[Check]:
    """Yield all that there is to say of a configured machine but `look_at_machine`, inbox by inbox, feed by feed.

    Vendors' servers and applications are spoken to only with `network`.
    """
    user = _daemon(config.state_dir)
    sources = [one for feed in config.feeds.values() for one in feed.sources]
    inboxes = [one.path for one in sources if isinstance(one, FolderSource)]
    stores = config.state_dir / "feeds"
    if os.geteuid() not in {0, user.uid}:
        remedy = f"run the doctor as root, or as {user.name}"
        yield fault("user", f"the state folder is {user.name}'s, and you are somebody else", remedy)
        return
    yield ok("user", f"permissions are looked at for {user.name}, whose the state folder is")
    yield from look_at_state(config.state_dir, user)
    yield look_at_clock(stores, datetime.now(UTC))
    yield from map(look_at_secret, all_references(config))
    yield from (look_at_store(feed, stores / f"{feed}.db") for feed in config.feeds)
    yield look_at_inotify(len(inboxes))
    for inbox in inboxes:
        yield from look_at_inbox(inbox, user, has_lease_right=_has_lease_right(user))
        yield from look_at_sshd(inbox, user)
    if config.server:
        yield from look_at_server(*config.server.listen, config.state_dir / "server", config.feeds)
    pushes = [push for feed in config.feeds.values() for sink in feed.sinks for push in sink.push]
    for remote in (*(one for one in sources if isinstance(one, SftpSource)), *pushes):
        yield from look_at_remote(account_of(remote), remote.path, network=network)
    for feed in config.feeds.values() if network else ():
        yield from look_at_applications(feed, config.state_dir)


def _daemon(state_dir: Path) -> User:
    """Return the user whom the daemon runs as: the state folder's owner, else ourselves."""
    facts = stat_of(state_dir)
    uid = facts.st_uid if facts else os.geteuid()
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return User(f"user {uid}", uid, frozenset())
    return User(found.pw_name, uid, frozenset(os.getgrouplist(found.pw_name, found.pw_gid)))


def _has_lease_right(user: User) -> bool | None:
    """Return whether the daemon has CAP_LEASE: what we have, if we are its user."""
    return lease_right(Path("/proc/self/status").read_text()) if os.geteuid() == user.uid else None
