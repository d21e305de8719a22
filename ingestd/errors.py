"""Exceptions are for the world; what is wrong with a drop is a finding. One class per party at fault."""

import sqlite3
from collections.abc import Sequence
from typing import Self


class IngestdError(Exception):
    """Base of all errors that a command turns into a message and an exit code instead of a traceback."""

    exit_code = 4


class ConfigError(IngestdError):
    """The configuration, or a command's words, are wrong. `problems` has one line per fault, all at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[Self], tuple[Sequence[str]]]:
        return type(self), (self.problems,)


class UsageError(IngestdError):
    """What was asked for cannot be done as asked: an unknown run, a digest that does not fit."""

    exit_code = 2


class StaleDigestError(UsageError):
    """The plan to release is not the plan that would be applied now; there is a new one to look at."""

    exit_code = 3


class SinkError(IngestdError):
    """A sink failed for good; `transient` in a subclass means that a retry may help.

    `is_partly_done` says that a part of the plan was, or may have been, carried out: it must be made whole, under the
    same token, before another plan is applied.
    """

    is_partly_done = False


class TransientSinkError(SinkError):
    """A sink is busy or away; the same call may succeed later."""


class WorkerError(IngestdError):
    """The process that reads drops was ended from outside, or could not begin. The run failed, and is tried again."""


class UnforeseenError(IngestdError):
    """A fault of ours in the process that reads drops. Tells its class and where it arose, never its words (law 9)."""

    def __init__(self, kind: str, at: Sequence[str]) -> None:
        super().__init__(f"{kind} while a drop was read, at {', '.join(at)}")
        self.kind, self.at = kind, tuple(at)


class UnrecordedError(IngestdError):
    """A plan was carried out and the store could not say so. The run stays `applying`: what comes next finishes it."""


class StoppingError(IngestdError):
    """The daemon is asked to stop and the run has been abandoned at a safe point; it is resumed at the next start."""


def may_pass(error: Exception) -> bool:
    """Return whether a fault may be gone soon without anybody's doing: someone is away or busy, or there is no room."""
    passing = (TransientSinkError, WorkerError, OSError, sqlite3.OperationalError)
    return isinstance(error, passing) and not isinstance(error, FileNotFoundError)
