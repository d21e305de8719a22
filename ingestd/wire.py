"""How values travel between this process and its workers: pickled, with large arrays beside the pickle, uncopied.

Law: what comes from a worker may be forged, for it has read other people's bytes. So nothing is made of it but
values: classes of `core`, which touches no world, and those that are listed here.
"""

import io
import pickle
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ingestd.errors import WorkerError
from schemas import Table, load

_PURE = ("ingestd.core.", "ingestd.errors")
"""Modules whose classes are but values."""
_VALUES = frozenset(
    {
        "builtins.slice",
        "ingestd.confine.Confined",
        "ingestd.examine.Examined",
        "ingestd.unpack.Completeness",
        "ingestd.unpack.Verdict",
        "ingestd.wire._table",
        "ingestd.worker.Answer",
        "ingestd.worker.Kind",
        "ingestd.zipends.PackageFault",
        # Of what frames and arrays are made
        "numpy._core.multiarray._reconstruct",
        "numpy._core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ndarray",
        "pandas.DataFrame",
        "pandas.Index",
        "pandas.RangeIndex",
        "pandas.StringDtype",
        "pandas._libs.internals._unpickle_block",
        "pandas.arrays.ArrowStringArray",
        "pandas.core.indexes.base._new_Index",
        "pandas.core.internals.managers.BlockManager",
        "pyarrow.lib._restore_array",
        "pyarrow.lib.py_buffer",
        "pyarrow.lib.type_for_alias",
    }
)
"""What else may be in a value, by full name."""
_PARTS = 1 << 16
"""Buffers of one value, at most: a column of a frame has three."""
_LENGTH = struct.Struct("<Q")

Part = memoryview
"""Bytes on their way."""
Tick = Callable[[], None]
"""Called whenever nothing came for as long as the channel's timeout, and with each value; it may raise."""


def encode(value: object) -> list[Part]:
    """Return what is sent of a value: the pickle, then its large buffers, of which none is copied."""
    buffers: list[pickle.PickleBuffer] = []
    data = io.BytesIO()
    _Pickler(data, protocol=5, buffer_callback=buffers.append).dump(value)
    return [data.getbuffer(), *(one.raw() for one in buffers)]


def send(channel: socket.socket, parts: Sequence[Part]) -> None:
    """Send what `encode` made of a value.

    Raises:
        OSError: the other side is gone.
    """
    channel.sendall(b"".join(map(_LENGTH.pack, (len(parts), *map(len, parts)))))
    for part in parts:
        channel.sendall(part)


def receive(channel: socket.socket, at_most: int, tick: Tick) -> Any:
    """Return the value that a worker sends next; its arrays are those that were received, and may be written to.

    Raises:
        EOFError: the worker has ended.
        WorkerError: what it sent is no value, or has more than `at_most` bytes.
    """
    return _receive(channel, _Unpickler, at_most, tick)


def receive_request(channel: socket.socket) -> Any:
    """Return, in a worker, what it is asked to do. The process that asks is trusted."""
    return _receive(channel, pickle.Unpickler, sys.maxsize, lambda: None)


def _receive(channel: socket.socket, unpickler: type[pickle.Unpickler], at_most: int, tick: Tick) -> Any:
    tick()
    (count,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size, tick))
    if not 0 < count <= _PARTS:
        raise WorkerError("a worker process sent what is no value")
    lengths = [length for (length,) in _LENGTH.iter_unpack(_exactly(channel, count * _LENGTH.size, tick))]
    if sum(lengths) > at_most:
        raise WorkerError(f"a worker process sent {sum(lengths)} bytes, and {at_most} are allowed")
    data, *buffers = (_exactly(channel, length, tick) for length in lengths)
    try:
        return unpickler(io.BytesIO(data), buffers=buffers).load()
    except WorkerError:
        raise
    except Exception as error:  # whatever a forged value leads to
        raise WorkerError(f"a worker process sent what is no value: {type(error).__name__}") from None


def _exactly(channel: socket.socket, length: int, tick: Tick) -> memoryview:
    held = np.empty(length, np.uint8).data
    rest = held
    while rest:
        try:
            count = channel.recv_into(rest)
        except TimeoutError:
            tick()
            continue
        except ConnectionResetError:
            count = 0
        if not count:
            raise EOFError("the worker has ended")
        rest = rest[count:]
    return held


class _Pickler(pickle.Pickler):
    """Sends a table of the schemas by its name: both sides have it, and it is large and has code in it."""

    def reducer_override(self, value: object) -> Any:
        if isinstance(value, Table):
            return _table, (value.version, value.name)
        return NotImplemented


def _table(version: str, name: str) -> Table:
    return load(version)[name]


class _Unpickler(pickle.Unpickler):
    """Makes values, and calls nothing else: classes of `core`, and what is listed."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in _VALUES:
            return super().find_class(module, name)
        found = super().find_class(module, name) if module.startswith(_PURE) else None
        if isinstance(found, type) and found.__module__ == module:
            return found
        raise WorkerError(f"a worker process sent what is no value: {full}")
