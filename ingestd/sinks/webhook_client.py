"""One exchange with a webhook over HTTP: a request, and the whole answer to it within a time, or none."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

ANSWER = 4 << 20
"""How long an answer may be that is read: each of thousands of actions may have its reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came whole; `body` is None if it is longer than anybody needs."""

    status: int
    retry_after: str | None
    body: bytes | None


class UnansweredError(Exception):
    """No whole answer came in time. `is_clean` says that nothing was sent, for sure."""

    def __init__(self, why: str, *, is_clean: bool) -> None:
        super().__init__(why)
        self.why, self.is_clean = why, is_clean


class WebhookClient:
    """Posts to one URL; keeps its connection open.

    It runs a loop of its own, for that gives one deadline over all of an exchange: the name, the connection, TLS, and
    an answer that comes a byte at a time. Redirects are not followed, and the environment has no say in where it goes.
    """

    def __init__(self, url: str, timeout: float, connect_timeout: float, ca: Path | None = None) -> None:
        """Set it up; nothing is opened yet.

        Args:
            url: where to post.
            timeout: seconds that an exchange may take.
            connect_timeout: seconds of it that may pass until there is a connection.
            ca: a file with the certificates to trust instead of those of the system.
        """
        self._url = url
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._ca = ca
        self._runner: asyncio.Runner | None = None
        self._http: httpx.AsyncClient | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body and return the answer.

        Raises:
            UnansweredError: there is none.
            OSError: the certificates to trust cannot be read.
        """
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._post(body, headers))

    def reach(self) -> None:
        """Connect, have the server prove who it is, and say nothing.

        Raises:
            UnansweredError: it cannot be reached, or has no certificate that is trusted.
            OSError: the certificates to trust cannot be read.
        """
        parts = urlsplit(self._url)
        trusted = ssl.create_default_context(cafile=self._ca) if parts.scheme == "https" else None
        host, port = parts.hostname or "", parts.port or (443 if trusted else 80)
        try:
            with socket.create_connection((host, port), self._connect_timeout) as line:
                if trusted:
                    trusted.wrap_socket(line, server_hostname=host).close()
        except ssl.SSLCertVerificationError:
            raise UnansweredError("its certificate is not one that is trusted", is_clean=True) from None
        except OSError:
            raise UnansweredError("it cannot be reached", is_clean=True) from None

    def close(self) -> None:
        """Close the connection."""
        if self._runner is not None:
            if self._http is not None:
                self._runner.run(self._http.aclose())
            self._runner.close()
        self._runner = self._http = None

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        http = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                async with http.stream("POST", self._url, content=body, headers=dict(headers)) as response:
                    retry_after = response.headers.get("retry-after")
                    return Answer(response.status_code, retry_after, await _read(response))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise UnansweredError("it cannot be reached", is_clean=True) from None
        except (TimeoutError, httpx.TimeoutException):
            raise UnansweredError("it did not answer in time", is_clean=False) from None
        except httpx.HTTPError:
            raise UnansweredError("it broke off its answer", is_clean=False) from None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            trusted = ssl.create_default_context(cafile=self._ca)
            limits = httpx.Timeout(self._timeout, connect=self._connect_timeout)
            self._http = httpx.AsyncClient(verify=trusted, timeout=limits, follow_redirects=False, trust_env=False)
        return self._http


async def _read(response: httpx.Response) -> bytes | None:
    """Return the body as it is on the wire; it was asked for unpacked."""
    parts, length = [], 0
    async for part in response.aiter_raw():
        length += len(part)
        if length > ANSWER:
            return None
        parts.append(part)
    return b"".join(parts)
