"""A TCP relay between client and server: it counts what the client sends, and can cut the connection with a reset."""

import select
import socket
import struct
import time
from contextlib import suppress
from threading import Event, Thread

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close() sends RST."""


class Relay:
    """Listens on a free port of 127.0.0.1 and passes everything on to `port`, which may be set anew."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.arrivals: list[tuple[float, int]] = []
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._ear.getsockname()[1]
        self._cut = Event()
        self._serving: list[Thread] = []
        self._listening = Thread(target=self._listen)
        self._listening.start()

    @property
    def sent(self) -> int:
        """Return how many bytes the clients have sent since `forget`."""
        return sum(size for _, size in self.arrivals)

    def sent_at(self, size: int) -> float:
        """Return the time of day at which so many bytes had been sent; raise ValueError if they never were."""
        total = 0
        for at, more in self.arrivals:
            total += more
            if total >= size:
                return at
        raise ValueError(f"{total} of {size} bytes were sent")

    def forget(self) -> None:
        """Count from zero."""
        self.arrivals = []

    def reset(self) -> None:
        """Send a reset to both ends of every connection."""
        self._cut.set()
        self._join()
        self._cut = Event()

    def close(self) -> None:
        """Cut what is there, and listen no more."""
        with suppress(OSError):
            self._ear.shutdown(socket.SHUT_RDWR)
        self._listening.join()
        self._ear.close()
        self.reset()

    def _join(self) -> None:
        for thread in self._serving:
            thread.join()
        self._serving = []

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._ear.accept()
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        thread = Thread(target=self._pass_on, args=(client, server, self._cut))
        self._serving.append(thread)
        thread.start()

    def _pass_on(self, client: socket.socket, server: socket.socket, cut: Event) -> None:
        with client, server, suppress(OSError):
            while not cut.is_set():
                for ready in select.select([client, server], [], [], 0.1)[0]:
                    if not (data := ready.recv(1 << 16)):
                        return
                    (server if ready is client else client).sendall(data)
                    if ready is client:
                        self.arrivals.append((time.time(), len(data)))
            for end in (client, server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
