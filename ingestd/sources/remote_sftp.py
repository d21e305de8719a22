"""paramiko's SFTP client, with reads and writes that need no thread and keep many requests under way."""

from collections.abc import Callable, Iterator, MutableMapping

import paramiko
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_DATA,
    CMD_HANDLE,
    CMD_NAME,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STATUS,
    CMD_WRITE,
    int64,
)


class Sftp(paramiko.SFTPClient):
    """paramiko's client, with reads that need no thread, and listings in which one odd name does not cost the rest."""

    _request: Callable[..., tuple[int, paramiko.Message]]

    _async_request: Callable[..., int]
    _read_packet: Callable[[], tuple[int, bytes]]
    _convert_status: Callable[[paramiko.Message], None]
    _expecting: MutableMapping[int, object]

    def blocks(self, handle: object, window: list[tuple[int, int]]) -> list[bytes]:
        """Return parts of a file that are asked for together; a part that the server refuses is empty.

        paramiko's own `readv` asks from a thread, which dies loudly when the connection does.
        """
        asked = [self._async_request(type(None), CMD_READ, handle, int64(offset), count) for offset, count in window]
        answers = self._answers(len(asked))
        found = {number: answer.get_string() for number, kind, answer in answers if kind == CMD_DATA}
        return [found.get(number, b"") for number in asked]

    def write(self, handle: object, offset: int, blocks: list[bytes]) -> int:
        """Write what follows each other in a file, from an offset on, asked for together; return where it ends.

        Raises:
            OSError: the server refused some of it.
        """
        for block in blocks:
            self._async_request(type(None), CMD_WRITE, handle, int64(offset), block)
            offset += len(block)
        for _, kind, answer in self._answers(len(blocks)):
            if kind != CMD_STATUS:
                raise paramiko.SFTPError("expected a status")
            self._convert_status(answer)
        return offset

    def _answers(self, count: int) -> list[tuple[int, int, paramiko.Message]]:
        """Receive so many answers, and return the number of what each is for, its kind and itself."""
        found = []
        for _ in range(count):
            kind, packet = self._read_packet()
            answer = paramiko.Message(packet)
            number = answer.get_int()
            self._expecting.pop(number, None)
            found.append((number, kind, answer))
        return found

    def entries(self, path: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
        """Yield names and attributes; bytes that are not UTF-8 are surrogates, which no drop's name has."""
        kind, answer = self._request(CMD_OPENDIR, path)
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("expected a handle")
        handle = answer.get_string()
        try:
            while True:
                kind, answer = self._request(CMD_READDIR, handle)
                if kind != CMD_NAME:
                    raise paramiko.SFTPError("expected names")
                for _ in range(answer.get_int()):
                    name = answer.get_string().decode("utf-8", "surrogateescape")
                    answer.get_string()  # the line as `ls -l` shows it
                    facts = paramiko.SFTPAttributes._from_msg(answer)  # type: ignore[attr-defined]  # noqa: SLF001
                    if name not in {".", ".."}:
                        yield name, facts
        except EOFError:
            self._request(CMD_CLOSE, handle)
