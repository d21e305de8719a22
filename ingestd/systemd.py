"""What systemd tells a service and wants to hear from it. All of it is a no-op where there is no systemd.

The protocol is sd_notify(3): lines of `KEY=value` in one datagram to the socket that `$NOTIFY_SOCKET` names.
"""

import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send lines such as `READY=1` to systemd; return whether they were sent.

    A socket that is away or full is not our trouble, so nothing is raised: the daemon works on without systemd.
    """
    name = environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return False
    address = f"\0{name[1:]}" if name.startswith("@") else name  # @: the abstract namespace, unix(7)
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.settimeout(2)
        channel.connect(address)
        channel.sendall("\n".join(lines).encode())
        return True
    return False


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return within how many seconds systemd wants each `WATCHDOG=1`; None if it does not, or not from this process."""
    try:
        seconds = int(environ["WATCHDOG_USEC"]) / 1e6
        owner = int(environ.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return seconds if seconds > 0 and owner == os.getpid() else None


def credential_path(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of a credential (`LoadCredential=` in the unit), or None if there is no such one.

    A name that is more than the name of a file is refused by ValueError.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError("a credential's name is the name of a file, without a folder")
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = Path(folder) / name
    return path if path.is_file() else None


class Herald:
    """Tells systemd what is new: `READY=1` once, the status when it changed, and each time that all are alive."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.pulse = min(10.0, (watchdog_interval(environ) or math.inf) / 3)
        """How long, in seconds, may pass from one `tell` to the next."""
        self.is_alive = True
        """What was told last."""
        self._environ = environ
        self._is_ready = False
        self._status = ""

    def say(self, *lines: str) -> None:
        """Send lines as they are."""
        notify(*lines, environ=self._environ)

    def tell(self, *, is_ready: bool, is_alive: bool, status: str) -> None:
        """Send what is new; without `is_alive` the watchdog gets nothing, so that systemd restarts the service."""
        lines = ["WATCHDOG=1"] if is_alive else []
        if is_ready and not self._is_ready:
            lines.append("READY=1")
        if status != self._status:
            lines.append(f"STATUS={status}")
        self._is_ready, self._status, self.is_alive = self._is_ready or is_ready, status, is_alive
        if lines:
            self.say(*lines)
