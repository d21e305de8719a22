"""What a database says went wrong, in words that hold no value of the data and nothing of the URL.

A message of PostgreSQL may quote a row ("Key (email)=(…) already exists"), that of a driver the URL. So only the names
of errors are told: their class and SQLSTATE (PostgreSQL, appendix A).
"""

import re

from ingestd.errors import SinkError, TransientSinkError

_PASSING = (
    "08",  # connection exception
    "40",  # transaction rollback: serialization failure, deadlock
    "53",  # insufficient resources: too many connections, memory, disk
    "55P03",  # lock not available
    "57014",  # query canceled: it took too long, or an operator ended it
    "57P01",  # admin shutdown
    "57P02",  # crash shutdown
    "57P03",  # cannot connect now: the server is starting
    "57P05",  # idle session timeout
    "25006",  # read only: a standby that has not taken over yet
    "25P03",  # idle in transaction
    "25P04",  # transaction timeout
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
)
"""How the codes of faults begin that a later try may not meet."""
_REFUSED = {
    "password authentication failed": "the server refuses the user or the password",
    "no password supplied": "the server wants a password",
    r"pg_hba\.conf": "the server lets this machine, user or database not in",
    'role ".*" does not exist': "the server does not know the user",
    'database ".*" does not exist': "the server has no such database",
    "does not support SSL": "the server has no TLS, and the URL wants it",
    "certificate verify failed": "the server's certificate is not trusted",
}
"""Words in libpq's answer to a connection, of faults that no try mends; a server may say them in another language."""


def fault_of(error: Exception) -> SinkError:
    """Return what is to be raised for an error of SQLAlchemy or of a driver."""
    cause = getattr(error, "orig", None) or error
    code = str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or "")
    name = type(cause).__name__
    told = f"the sql sink failed: {name}{f' ({code})' if code else ''}"
    if code:
        return (TransientSinkError if code.startswith(_PASSING) else SinkError)(told)
    if name == "OperationalError" or getattr(error, "connection_invalidated", False):
        refused = next((words for said, words in _REFUSED.items() if re.search(said, str(cause))), None)
        return SinkError(f"the sql sink cannot connect: {refused}") if refused else TransientSinkError(told)
    return SinkError(told)
