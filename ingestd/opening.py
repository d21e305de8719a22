"""Opens the sources that a feed's settings name."""

import hashlib
from datetime import timedelta
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
        quiet = settings.quiet_period.total_seconds()
        return FolderSource(settings.path, quiet_period=quiet, ready=settings.ready, loose_csv=settings.loose_csv)
    return RemoteSource(account_of(settings), _terms(settings), fetched / _place(settings))


def served(inbox: Path) -> config.FolderSource:
    """Return the settings of the folder that the embedded server fills; what it puts there is whole."""
    return config.FolderSource.model_construct(kind="folder", path=inbox, quiet_period=timedelta(0))


def account_of(settings: config.SftpSource) -> Account:
    """Return where a remote source logs in."""
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
