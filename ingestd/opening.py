"""Opens the sources that a feed's settings name."""

import hashlib
from pathlib import Path

from ingestd import config
from ingestd.sources.folder import FolderSource
from ingestd.sources.remote import RemoteSource
from ingestd.sources.remote_client import Account
from ingestd.sources.remote_folder import Patience
from ingestd.sources.remote_visits import After, Terms


def open_source(settings: config.FolderSource | config.SftpSource, fetched: Path) -> FolderSource | RemoteSource:
    """Return a source that has not begun to look.

    Args:
        settings: one table of `[[sources]]`.
        fetched: the feed's folder for what comes from remote hosts.
    """
    if isinstance(settings, config.FolderSource):
        return FolderSource(settings.path, quiet_period=settings.quiet_period.total_seconds())
    return RemoteSource(_account(settings), _terms(settings), fetched / _place(settings))


def _account(settings: config.SftpSource) -> Account:
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
