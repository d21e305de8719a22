"""Opens the sources that a feed's settings name."""

import hashlib
from pathlib import Path

from ingestd import config
from ingestd.sources.folder import FolderSource
from ingestd.sources.remote import RemoteSource
from ingestd.sources.remote_client import Account
from ingestd.sources.remote_folder import Patience
from ingestd.sources.remote_visits import After, Terms

LOOSE_QUIET = 60.0
"""Seconds that loose CSVs lie unchanged in the embedded server's inbox: it knows when a file is whole, not a set."""


def open_source(
    settings: config.FolderSource | config.SftpSource, fetched: Path, *, loose_csv: bool = False
) -> FolderSource | RemoteSource:
    """Return a source that has not begun to look.

    Args:
        settings: one table of `[[sources]]`.
        fetched: the feed's folder for what comes from remote hosts.
        loose_csv: whether CSVs that lie loose in a folder are taken.
    """
    if isinstance(settings, config.FolderSource):
        quiet = settings.quiet_period.total_seconds()
        loose_quiet = quiet if loose_csv else None
        return FolderSource(settings.path, quiet_period=quiet, ready=settings.ready, loose_quiet=loose_quiet)
    return RemoteSource(account_of(settings), _terms(settings), fetched / _place(settings))


def open_served(inbox: Path, *, loose_csv: bool = False) -> FolderSource:
    """Return the folder that the embedded server fills as a source; what it puts there is whole."""
    return FolderSource(inbox, quiet_period=0, loose_quiet=LOOSE_QUIET if loose_csv else None)


def account_of(settings: config.SftpAccount) -> Account:
    """Return where we log in."""
    return Account(
        settings.host,
        settings.port,
        settings.user,
        settings.key,
        settings.password,
        settings.known_hosts,
        settings.host_key,
    )


def _terms(settings: config.SftpSource) -> Terms:
    patience = Patience(
        settings.connect_timeout.total_seconds(), settings.stall_timeout.total_seconds(), settings.least_speed
    )
    return Terms(
        settings.path,
        settings.every.total_seconds(),
        settings.settle.total_seconds(),
        After(settings.after),
        settings.move_to or "",
        settings.max_size,
        patience,
    )


def _place(settings: config.SftpSource) -> str:
    """Return a folder's name that is the remote folder's own: what is remembered stays with it, in whatever order."""
    told = f"{settings.user}@{settings.host}:{settings.port}:{settings.path}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]
