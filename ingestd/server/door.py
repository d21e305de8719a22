"""One connection: who it is, and the little that it may do, which is the `sftp` subsystem."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import paramiko
import structlog
from paramiko import Channel, PKey, ServerInterface
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)

from ingestd.core.doorman import Doorman
from ingestd.server.accounts import Account, Accounts, check_key, check_password
from ingestd.server.folders import Folders

MOST_CHANNELS = 4
"""Channels of a connection at a time."""
PATIENCE = 5.0
"""Seconds that the end of a session is waited for."""
LOOKS, BETWEEN = 40, 0.05
"""How often, and seconds apart, a place is looked for: a session that its client has ended has not ended here yet."""


class House(Protocol):
    """Whose door it is."""

    doorman: Doorman
    lock: threading.RLock

    def look_after(self, now: float) -> None:
        """Forget the connections that are over."""


class Connection(ServerInterface):
    """What paramiko asks about one connection. `folders` are those of its account's feed, once it has logged in."""

    def __init__(
        self,
        number: int,
        house: House,
        accounts: Accounts,
        folders: Mapping[str, Folders],
        clock: Callable[[], float],
    ) -> None:
        self.number = number
        self.transport: paramiko.Transport | None = None
        self.folders: Folders
        self.last_seen = clock()
        self._house, self._accounts, self._all_folders, self._clock = house, accounts, folders, clock
        self._account: Account | None = None
        self._channels = self._sessions = 0
        self._is_in = False
        self._served: set[int] = set()
        self._done, self._away = threading.Event(), threading.Event()
        self._log = structlog.get_logger()

    @property
    def is_over(self) -> bool:
        """Return whether both the connection and its sessions have ended."""
        return not (self.transport and self.transport.is_active()) and self._sessions == 0

    def close(self) -> None:
        """End it; its sessions end soon after."""
        self._away.set()
        if self.transport:
            self.transport.close()

    def wait(self) -> None:
        """Wait a little for its sessions to end."""
        if self._sessions:
            self._done.wait(PATIENCE)

    def seen(self) -> None:
        """Take note that its client is there."""
        self.last_seen = self._clock()

    def ended(self) -> None:
        """Take note that a session has ended."""
        with self._house.lock:
            self._sessions -= 1
            self._channels -= 1
            if not self._sessions:
                self._done.set()

    def uploaded(self, size: int, *, is_kept: bool) -> None:
        """Log an upload that has come to its end."""
        event = "upload.received" if is_kept else "upload.discarded"
        self._log.info(event, feed=self._feed, bytes=size)

    # Who it is --------------------------------------------------------------------------------------------------

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 -- the same for all: it tells nobody who is here
        """Return how one may log in: by key; by password too if some account has one."""
        return "publickey,password" if any(one.password for one in self._accounts.all()) else "publickey"

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        """Return whether the key is one of the account's; that its client has it is checked by paramiko."""
        return self._judge(username, lambda account: check_key(account, key.asbytes()))

    def check_auth_password(self, username: str, password: str) -> int:
        """Return whether the account has a password, and this is it."""
        return self._judge(username, lambda account: check_password(account, password))

    def _judge(self, username: str, is_right: Callable[[Account | None], bool]) -> int:
        with self._house.lock:
            if not self._house.doorman.may_try(self.number, self._clock()):
                raise paramiko.SSHException("too many tries")
        account = self._accounts.find(username)
        if is_right(account) and account and account.feed in self._all_folders:
            self._account, self._feed = account, account.feed
            return AUTH_SUCCESSFUL
        with self._house.lock:
            self._house.doorman.fail(self.number, self._clock())
        self._log.info("server.login_failed")
        return AUTH_FAILED

    # What it may do ---------------------------------------------------------------------------------------------

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 -- its number says nothing
        """Let a session be opened by who has logged in, if the account has one left."""
        if kind != "session" or self._account is None:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        for _ in range(LOOKS):
            with self._house.lock:
                if self._channels >= MOST_CHANNELS:
                    break
                if self._come_in(self._account):
                    self._channels += 1
                    return OPEN_SUCCEEDED
            self._away.wait(BETWEEN)
        return OPEN_FAILED_RESOURCE_SHORTAGE

    def check_channel_subsystem_request(self, channel: Channel, name: str) -> bool:
        """Start `sftp`, once on a channel."""
        assert self.transport is not None
        self.transport.accept(0)  # or paramiko keeps it for ever
        if name != "sftp" or channel.get_id() in self._served:
            return False
        self._served.add(channel.get_id())
        with self._house.lock:
            self._sessions += 1
            self._done.clear()
        try:
            return super().check_channel_subsystem_request(channel, name)
        except (OSError, RuntimeError):  # a folder cannot be opened; no thread is left
            self.ended()
            return False

    def _come_in(self, account: Account) -> bool:
        if self._is_in:
            return True
        self._house.look_after(self._clock())  # who uploads file by file comes again as soon as the last has ended
        if self._house.doorman.log_in(self.number, account.name, self._clock()):
            self._is_in = True
            self.folders = self._all_folders[account.feed]
            self._log.info("server.login", feed=account.feed, account=account.name)
        return self._is_in
