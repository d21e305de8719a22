"""Passes a published file on by SFTP: whole or not at all under its name, and once at each place.

What is written there has a name of its own until it is whole. How it then looks there is remembered before it takes its
name, so that after a crash, or an answer that was lost, it is known whether it has it already. Only if somebody took
it away in between is it sent again: rather twice than never.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from ingestd import files
from ingestd.core.fetching import Listed
from ingestd.errors import SinkError, TransientSinkError
from ingestd.slots import lent
from ingestd.sources.remote_client import Account, connected
from ingestd.sources.remote_folder import Patience, RemoteError, RemoteFolder, RemoteRefusalError

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a file goes: an account, a folder there, and what it is called there."""

    account: Account
    folder: str
    name: str
    patience: Patience

    @property
    def place(self) -> str:
        """Return what tells it from others, as people read it."""
        account, folder = self.account, self.folder.strip("/")
        return f"sftp://{account.user}@{account.host}:{account.port}/{folder}/{self.name}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to a place: its SHA-256, how it looked there, and whether it is known to have its name."""

    sha256: str
    size: int
    mtime: int
    is_named: bool


def destination(settings: Mapping[str, Any], name: str) -> Destination:
    """Return what a table of `[[sinks.push]]` names; `name` is the file's name here."""
    account = Account(
        settings["host"],
        settings["port"],
        settings["user"],
        settings["key"],
        settings["password"],
        settings["known_hosts"],
        tuple(settings["host_key"]),
    )
    patience = Patience(
        settings["connect_timeout"].total_seconds(), settings["stall_timeout"].total_seconds(), settings["least_speed"]
    )
    return Destination(account, settings["path"], settings["name"] or name, patience)


class Pushes:
    """All places that one file is passed on to, and what came of it, which is kept in a file beside it."""

    def __init__(self, path: Path, destinations: Sequence[Destination]) -> None:
        self._path, self._destinations = path, destinations
        self._kept = path.with_name(f"{path.name}.pushed.json")
        self._log = structlog.get_logger()

    def due(self) -> Sequence[Destination]:
        """Return where the file is still to go, as it is now; nowhere, if there is none."""
        if not self._destinations or not self._path.exists():
            return ()
        return self._due(_sha256(self._path))

    def push(self) -> None:
        """Send the file wherever it is still to go. A place that fails keeps none of the others waiting.

        Raises:
            TransientSinkError: it did not get everywhere, and may when it is tried again soon.
            SinkError: it did not get everywhere; some place refuses us, or is not what was pinned.
        """
        if not self._destinations:
            return
        sha256 = _sha256(self._path)
        faults = {one.place: fault for one in self._due(sha256) if (fault := self._try(one, sha256))}
        if faults:
            is_final = any(isinstance(fault, RemoteRefusalError) for fault in faults.values())
            told = "; ".join(f"{place}: {fault.problem}" for place, fault in faults.items())
            count = f"{len(faults)} of {len(self._destinations)}"
            words = f"the csvzip sink published, and could not push to {count} places: {told}"
            raise SinkError(words) if is_final else TransientSinkError(words)

    def _due(self, sha256: str) -> Sequence[Destination]:
        known = self._recall()
        return [one for one in self._destinations if not _is_there(known.get(one.place), sha256)]

    def _try(self, destination: Destination, sha256: str) -> RemoteError | None:
        began = time.monotonic()
        try:
            account, patience = destination.account, destination.patience
            with lent(), connected(account, destination.folder, patience, hold=lambda _transport: None) as folder:
                self._push(folder, destination, sha256)
        except RemoteError as error:
            return error
        seconds = round(time.monotonic() - began, 3)
        self._log.info(
            "package.pushed", sink=destination.place, bytes=self._path.stat().st_size, sha256=sha256, seconds=seconds
        )
        return None

    def _push(self, folder: RemoteFolder, destination: Destination, sha256: str) -> None:
        part, name = f".{destination.name}.part", destination.name
        sent = self._recall().get(destination.place)
        if sent is None or sent.sha256 != sha256 or not _is_any(sent, folder.look(part), folder.look(name)):
            with self._path.open("rb") as file:
                there = folder.send(part, file)
            sent = Sent(sha256, there.size, there.mtime, is_named=False)
            self._remember(destination, sent)
        if _is_any(sent, folder.look(part)):
            folder.replace(part, name)
        self._remember(destination, replace(sent, is_named=True))

    # What is kept --------------------------------------------------------------------------------------------

    def _recall(self) -> dict[str, Sent]:
        """Return what was sent, by place. What cannot be read is not known: it is sent again."""
        try:
            return dict(_read(json.loads(self._kept.read_bytes())))
        except (OSError, ValueError, TypeError, AttributeError, LookupError):
            return {}

    def _remember(self, destination: Destination, sent: Sent) -> None:
        known = {**self._recall(), destination.place: sent}
        text = json.dumps({place: asdict(one) for place, one in known.items()}, indent=1, sort_keys=True)
        try:
            with files.replacing(self._kept, mode=_MODE) as file:
                file.write(f"{text}\n".encode())
            files.sync_folder(self._kept.parent)
        except OSError as error:
            raise TransientSinkError(f"the csvzip sink failed: {error.strerror}") from None


def _read(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Sent]]:
    for place, one in found.items():
        yield place, Sent(str(one["sha256"]), int(one["size"]), int(one["mtime"]), is_named=one["is_named"] is True)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TransientSinkError(f"the csvzip sink failed: {error.strerror}") from None


def _is_there(sent: Sent | None, sha256: str) -> bool:
    return sent is not None and sent.is_named and sent.sha256 == sha256


def _is_any(sent: Sent, *found: Listed | None) -> bool:
    """Return whether one of these files is what was sent, by how it looks."""
    return any(one is not None and (one.size, one.mtime) == (sent.size, sent.mtime) for one in found)
