"""The one way in which a request is refused: an SFTP status with words that a vendor can act on."""

import errno
import os

from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OP_UNSUPPORTED, SFTP_PERMISSION_DENIED


class RefusedError(Exception):
    """A request is not carried out: the status and the words that the client is told."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


def denied(words: str) -> RefusedError:
    """Return the refusal of what nobody may do here."""
    return RefusedError(SFTP_PERMISSION_DENIED, words)


def failed(words: str) -> RefusedError:
    """Return the refusal of what cannot be done as things are."""
    return RefusedError(SFTP_FAILURE, words)


def missing() -> RefusedError:
    """Return the refusal of what needs a file that is not there."""
    return RefusedError(SFTP_NO_SUCH_FILE, "no such file")


def unsupported(words: str) -> RefusedError:
    """Return the refusal of a request that is not offered."""
    return RefusedError(SFTP_OP_UNSUPPORTED, words)


def of_system(error: OSError) -> RefusedError:
    """Return how a fault of the system is told: by its usual words, never by a path of ours."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return missing()
    return failed(os.strerror(error.errno).lower() if error.errno else "the server cannot do that now")
