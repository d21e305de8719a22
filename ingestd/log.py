"""The log: one line per fact, JSON when nobody watches, pretty on a terminal, on stderr.

Law 9: no child's data in a log. So nothing passes but what is listed here: events by name, fields by name and by the
shape of their values. Whatever else is given shows the name of its type. An exception shows its class and where it
came from; its message only if it is one of our own, which are written without values. A line of a library shows
where it was logged, not what it says.
"""

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, suppress
from numbers import Integral, Real
from pathlib import PurePath
from traceback import StackSummary, walk_tb
from types import TracebackType
from typing import Any, TextIO

import structlog

from ingestd.errors import IngestdError

EVENTS: Mapping[str, str] = {
    "daemon.started": "the daemon is up, and how many feeds it serves",
    "daemon.stopped": "the daemon has ended in good order",
    "config.loaded": "the configuration was read, at the start or on SIGHUP",
    "config.refused": "on SIGHUP the configuration has faults; the old one stays; `ingestd config check` tells them",
    "feed.failed": "a feed's own turn failed; the other feeds go on, and this one is tried again",
    "watchdog.withheld": "a feed's thread is stuck or dead, so systemd is no longer told that all is well",
    "folder.lost": "an inbox is not there or cannot be read; `problem` says why",
    "folder.found": "an inbox that was lost is back",
    "file.ignored": "something that is not a drop lies in an inbox, and stays there",
    "remote.lost": "a remote folder could not be visited, or a file there not fetched or cleared; `problem` says why",
    "remote.found": "a remote folder that was lost is in order again",
    "drop.fetched": "a drop was fetched whole from a remote folder, and is about to be claimed",
    "watcher.failed": "a folder cannot be watched; it is looked through at every rescan instead",
    "watcher.restarted": "a folder was no longer watched, so it is watched anew; a rescan finds what came meanwhile",
    "drop.stuck": "a drop was claimed and could not be removed from the inbox; look at the inbox's permissions",
    "drop.waiting": "a drop is there and not taken yet: still growing, cut off, or without what its sender promises",
    "run.received": "a drop was claimed and is now a run",
    "run.waiting": "a drop builds on an older run that is held or failed, and is worked on after it",
    "run.duplicate": "the same zip has been here before; nothing was done",
    "run.rejected": "the drop has a catastrophic finding and lies in quarantine with its report",
    "run.held": "the plan waits for consent, because of a breach or an unmapped value",
    "run.released": "someone consented to a held run",
    "run.discarded": "someone refused a held run",
    "run.superseded": "a newer drop took the place of a run that was not applied",
    "run.applied": "the plan was carried out and the snapshot has advanced",
    "report.failed": "a run came to its end, and its report could not be written; the run stands",
    "run.unfiled": "a run came to its end, and its folder could not be moved; it stands, and the next start moves it",
    "run.unknown": "the store does not know a run that has a folder (is it from a backup?); the drop is in quarantine",
    "run.failed": "the world failed (sink, disk, network); the daemon tries it again",
    "run.resumed": "a run that a stop had cut short goes on",
    "sink.failed": "nothing, or a part alone, of a plan was done in a sink; it is tried again",
    "package.pushed": "a csvzip sink passed its zip on, and a server has it whole under its name",
    "stamina.retry_scheduled": "a sink was busy or away, and is tried again soon",
    "library.message": "a library has something to say; `logger`, `file` and `line` tell where to look",
    "server.listening": "the embedded SFTP server takes connections on this port",
    "server.stopped": "the embedded SFTP server takes no connections any more, and its sessions have ended",
    "server.login": "a vendor has logged in to the embedded SFTP server",
    "server.login_failed": "somebody showed a key or a password that is not the account's, or there is no such account",
    "upload.received": "a client closed its upload, which is in the inbox now, whole",
    "upload.discarded": "an upload was given up: its connection ended, or a write was refused; nothing of it is kept",
    "error.unexpected": "a fault in ingestd itself ended a thread or the process",
    "event.unlisted": "an event that this table does not list; its text is not shown",
}
"""Every event and what it means to the operator."""

_WORD = re.compile(r"[A-Za-z0-9_.,:/<>+-]{1,200}")
_PHRASE = re.compile(r"[A-Za-z0-9_.,:;() -]{1,120}")


def _count(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def _word(value: object) -> object:
    return str(value) if isinstance(value, str) and _WORD.fullmatch(value) else None


def _phrase(value: object) -> object:
    return str(value) if isinstance(value, str) and _PHRASE.fullmatch(value) else None


def _words(value: object) -> object:
    """Return a list of words, or how many things there are."""
    if not isinstance(value, list | tuple):
        return _count(value)
    words = [_word(one) for one in value]
    return None if None in words else words


def _name(value: object) -> object:
    """Return a file's name or path, or a sourcedId."""
    text = str(value) if isinstance(value, str | PurePath) else ""
    return text if 0 < len(text) <= 4096 and text.isprintable() else None


def _counts(value: object) -> object:
    """Return a table of counts, of any depth, all of whose names are words."""
    if not isinstance(value, Mapping):
        return _count(value)
    counts = {_word(name): _counts(one) for name, one in value.items()}
    return None if None in counts or None in counts.values() else counts


def _trace(value: object) -> object:
    return str(value) if isinstance(value, _Trace) else None


class _Trace(str):
    """An exception as `_render_exception` writes it, and nobody else."""

    __slots__ = ()


_Shape = Callable[[object], object]
_FIELDS: Mapping[_Shape, str] = {
    _word: "level timestamp feed account run state stage digest sha256 code severity table target action kind logger "
    "callable function error errno signal oneroster version",
    _phrase: "reason problem",
    _words: "feeds at",
    _name: "drop file path folder source sink sourced_id",
    _count: "line port count rows valid held_back of limit bytes seconds runs waiting attempt times pause pid "
    "exit_code created updated deleted unchanged rekey create update remove done failed breaches left_out retry_num "
    "wait_for waited_so_far",
    _counts: "changeset actions findings stages tables outcomes codes",
    _trace: "exception",
}
FIELDS: Mapping[str, _Shape] = {name: shape for shape, names in _FIELDS.items() for name in names.split()}
"""Every field that a line may have, and the function that lets its values pass (or gives None)."""


class _Lines:
    """Writes lines. A log that cannot be written (a full disk, a reader that has gone) stops no run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = write


def configure(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set the log up for this process; may be called again.

    Args:
        level: `debug`, `info`, `warning` or `error`; libraries are heard from `warning` on in any case.
        json: whether lines are JSON; by default when `stream` is not a terminal.
        stream: where to; by default stderr.
    """
    out = stream or sys.stderr
    pretty = out.isatty() if json is None else not json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _render_exception,
            keep_listed,
            structlog.dev.ConsoleRenderer(colors=True) if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _report
    threading.excepthook = lambda fault: _report(fault.exc_type, fault.exc_value, fault.exc_traceback)
    sys.unraisablehook = lambda fault: _report(fault.exc_type, fault.exc_value, fault.exc_traceback)


def bound(**fields: object) -> AbstractContextManager[None]:
    """Return a context in which every line of this thread also has these fields (`feed`, `run`)."""
    return structlog.contextvars.bound_contextvars(**fields)


def keep_listed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Return the line with what may be logged; anything else shows the name of its type (law 9)."""
    said = event.pop("event", None)
    kept = {name: _pass(name, value) for name, value in event.items()}
    return {"event": said if said in EVENTS else "event.unlisted", **kept}


def render_exception(error: BaseException) -> str:
    """Return an exception and its causes: class, our own message, and a line per frame. No values."""
    return "\n".join(line for one in _causes(error) for line in _describe(one))


def _pass(name: str, value: object) -> object:
    if name in FIELDS and value is None:
        return None
    passed = FIELDS[name](value) if name in FIELDS else None
    return f"<{type(value).__name__}>" if passed is None else passed


def _render_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = event.pop("exc_info", None)
    error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else sys.exception()
    if found and error:
        event["exception"] = _Trace(render_exception(error))
    return event


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> Iterator[str]:
    said = f": {error}" if isinstance(error, IngestdError) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{said}".removeprefix("builtins.")
    for frame in StackSummary.extract(walk_tb(error.__traceback__), lookup_lines=False):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def _report(_kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    """Log what nobody caught, in place of Python's own traceback, which would show values."""
    structlog.get_logger().error("error.unexpected", exc_info=error)


class _Library(logging.Handler):
    """Takes the lines of libraries, without their text, which may hold values."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log where a library's line came from."""
        place = {"logger": record.name, "file": record.pathname, "line": record.lineno, "function": record.funcName}
        error = record.exc_info[1] if record.exc_info else None
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        structlog.get_logger().log(level, "library.message", **place, exc_info=error)
