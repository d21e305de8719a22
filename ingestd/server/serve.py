"""The embedded server as the daemon has it: started, kept or replaced as the configuration says, and ended."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from ingestd.config import Config
from ingestd.config.models import Server
from ingestd.core.doorman import Bounds
from ingestd.errors import IngestdError
from ingestd.server import folders, keys
from ingestd.server.accounts import Accounts
from ingestd.server.listener import Listener, Times


class PortTakenError(IngestdError):
    """The server cannot listen where it is told to."""


class Serving:
    """A server, or none. Entered once; `follow` is called with each configuration that comes into force."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._as_said: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def port(self) -> int | None:
        """Return where it listens."""
        return self._listener.port if self._listener else None

    def follow(self, config: Config) -> None:
        """Have the server that the configuration asks for. While nothing that concerns it changes, sessions go on.

        Raises:
            ConfigError: the host key cannot be had.
            PortTakenError: it cannot listen there.
        """
        said = (config.server, config.state_dir, tuple(config.feeds))
        if said == self._as_said:
            return
        self._stop()
        self._as_said = said
        if config.server:
            self._listener = _listener(config, config.server)
            self._listener.start()

    def _stop(self) -> None:
        listener, self._listener, self._as_said = self._listener, None, None
        if listener:
            listener.stop()


def feed_folders(config: Config) -> Mapping[str, folders.Folders]:
    """Return every feed's folders; nothing is made."""
    server = config.server or Server()
    room = folders.Room(server.upload_size, server.waiting_size, server.waiting_files, server.keep_free)
    return {feed: folders.folders_of(config.state_dir, feed, room) for feed in config.feeds}


def _listener(config: Config, server: Server) -> Listener:
    own = config.state_dir / "server"
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = keys.host_key(own, server.host_key)
    bounds = Bounds(
        grace=server.login_grace.total_seconds(),
        tries=server.tries,
        unknown=server.unknown,
        per_source=server.unknown_per_source,
        sessions=server.sessions,
    )
    accounts, times = Accounts(config.state_dir), Times(idle=server.idle.total_seconds())
    try:
        return Listener(server.listen, key, accounts, feed_folders(config), bounds, times)
    except OSError as error:
        where = f"{server.listen.host}:{server.listen.port}"
        raise PortTakenError(f"server.listen: cannot listen on {where}: {error.strerror}; is it in use?") from None
