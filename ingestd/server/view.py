"""What an account sees: `/inbox`, to put files into, and `/results`, to read receipts from. Nothing else is there.

Law: a path is split into a folder of ours and one name, and never given to the system as a path. What a session sent
looks to it as if it were still there, because clients confirm size and times after a transfer, and the daemon may have
taken the file by then.
"""

import itertools
import os
import posixpath
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from paramiko import ServerInterface, SFTPAttributes, SFTPHandle, SFTPServerInterface
from paramiko.sftp import SFTP_OK

from ingestd.server.beneath import Folder, open_folder
from ingestd.server.folders import Folders
from ingestd.server.refusal import RefusedError, denied, failed, missing, unsupported
from ingestd.server.upload import Upload, attributes_of_sent, check_attributes
from ingestd.sources.base import LONGEST_NAME

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

INBOX, RESULTS = "inbox", "results"


class Host(Protocol):
    """What a view needs of the connection that it serves."""

    number: int
    folders: Folders

    def uploaded(self, size: int, *, is_kept: bool) -> None:
        """Take note of an upload that has come to its end."""


class Receipt(SFTPHandle):
    """A file of `/results`, open for reading."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def read(self, offset: int, length: int) -> bytes | int:
        """Return what is there, at most 256 KiB of it."""
        return os.pread(self._file, min(length, 1 << 18), offset)

    def write(self, _offset: int, _data: "ReadableBuffer") -> int:
        """Refuse."""
        raise denied("results can be read, not written")

    def stat(self) -> SFTPAttributes | int:
        """Return how it looks."""
        return SFTPAttributes.from_stat(os.fstat(self._file))

    def chattr(self, attr: SFTPAttributes) -> int:  # noqa: ARG002 -- whatever it is
        """Refuse."""
        raise denied("results can be read, not written")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


class View(SFTPServerInterface):
    """One session's view, and its memory of what it sent."""

    _numbers = itertools.count()

    def __init__(self, server: ServerInterface, host: Host) -> None:
        super().__init__(server)
        self._host, self._folders = host, host.folders
        self._inbox, self._results = open_folder(self._folders.inbox), open_folder(self._folders.results)
        self._uploads: list[Upload] = []
        self._sent: dict[str, int] = {}

    def session_ended(self) -> None:
        """Let go of the folders; the uploads that are still open are closed, and so given up, by who calls this."""
        self._inbox.close()
        self._results.close()

    # Files ------------------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:  # noqa: ARG002 -- rights are ours
        """Open a receipt for reading, or an upload for writing."""
        folder, name = split(path)
        is_writing = flags & os.O_ACCMODE != os.O_RDONLY
        if folder == RESULTS and not is_writing:
            return Receipt(_open_file(self._results, name))
        if folder != INBOX or not name:
            raise denied("files are put into inbox")
        if not is_writing:
            raise denied("files in inbox can be written, not read")
        check_name(name)
        return self._upload(name, flags)

    def remove(self, path: str) -> int:
        """Take back a file that has not been taken."""
        name = self._name_in_inbox(path)
        with self._folders.lock:
            if not self._is_there(name):
                raise failed("it has been taken already") if name in self._sent else missing()
            (self._folders.inbox / name).unlink(missing_ok=True)
        self._sent.pop(name, None)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename a file, or an upload under way, to a name that is free."""
        return self._rename(oldpath, newpath, may_replace=False)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename a file, or an upload under way; what has the new name is replaced."""
        return self._rename(oldpath, newpath, may_replace=True)

    def stat(self, path: str) -> SFTPAttributes | int:
        """Return how a file or a folder looks."""
        folder, name = split(path)
        if not name:
            return self._stat_folder(folder)
        if folder == RESULTS:
            return _attributes(name, _file_facts(self._results, name))
        if upload := self._under_way(name):
            return upload.stat()
        if self._is_there(name):
            return _attributes(name, _file_facts(self._inbox, name))
        if name in self._sent:
            return attributes_of_sent(name, self._sent[name])
        raise missing()

    def lstat(self, path: str) -> SFTPAttributes | int:
        """Return the same as `stat`: there are no links."""
        return self.stat(path)

    def chattr(self, path: str, attr: SFTPAttributes) -> int:
        """Let times and rights be told, which changes nothing; refuse a size."""
        self._name_in_inbox(path)
        self.stat(path)
        check_attributes(attr)
        return SFTP_OK

    # Folders ----------------------------------------------------------------------------------------------------

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        """Return the files of a folder; of inbox those that wait, and this session's uploads under way."""
        folder, name = split(path)
        if name:
            raise missing()
        if not folder:
            return [self._stat_folder(INBOX), self._stat_folder(RESULTS)]
        found = {one.filename: one for one in _list(self._inbox if folder == INBOX else self._results)}
        if folder == INBOX:
            found |= {one.name: SFTPAttributes.from_stat(one.facts, one.name) for one in self._uploads}
        return list(found.values())

    def mkdir(self, path: str, attr: SFTPAttributes) -> int:  # noqa: ARG002 -- no folder is made
        """Refuse; there are the two folders."""
        folder, name = split(path)
        raise (
            denied("no folders can be made here; put files into inbox") if name else failed(f"/{folder} exists already")
        )

    def rmdir(self, path: str) -> int:
        """Refuse."""
        split(path)
        raise denied("no folder can be removed here")

    def canonicalize(self, path: str) -> str:
        """Return the path from the root on, without dots."""
        return "/".join(["", *_parts(path)]) or "/"

    def symlink(self, target_path: str, path: str) -> int:  # noqa: ARG002 -- whatever it is
        """Refuse."""
        raise denied("links are not allowed here")

    def readlink(self, path: str) -> str | int:  # noqa: ARG002 -- whatever it is
        """Refuse; there are no links."""
        raise unsupported("there are no links here")

    # Inside -----------------------------------------------------------------------------------------------------

    def _upload(self, name: str, flags: int) -> Upload:
        is_there = self._is_there(name)
        if flags & os.O_EXCL and (is_there or self._under_way(name)):
            raise failed("a file of that name exists already")
        if not flags & os.O_CREAT and not is_there:
            raise missing()
        is_going_on = not flags & os.O_TRUNC
        if is_going_on and not is_there and name in self._sent:
            raise failed("it has been taken already; to send it again, send it from its beginning")
        self._folders.check_room(files=1)
        part = self._folders.uploads / f"{self._host.number}-{next(self._numbers)}"
        upload = Upload(name, part, self._folders, self._ended)
        upload.is_appending = bool(flags & os.O_APPEND)
        self._uploads.append(upload)
        if is_going_on and is_there:
            self._go_on(upload)
        return upload

    def _go_on(self, upload: Upload) -> None:
        try:
            earlier = _open_file(self._inbox, upload.name)
            try:
                self._folders.check_room(os.fstat(earlier).st_size)
                upload.begin_with(earlier)
            finally:
                os.close(earlier)
        except (OSError, RefusedError):
            upload.close()
            raise

    def _ended(self, upload: Upload, is_kept: bool) -> None:
        self._uploads.remove(upload)
        if is_kept:
            self._sent[upload.name] = upload.sent_size
        self._host.uploaded(upload.sent_size, is_kept=is_kept)

    def _rename(self, oldpath: str, newpath: str, *, may_replace: bool) -> int:
        old, new = self._name_in_inbox(oldpath), self._name_in_inbox(newpath)
        check_name(new)
        with self._folders.lock:
            if old != new and self._is_there(new) and not may_replace:
                raise failed("a file of that name exists already")
            if upload := self._under_way(old):
                upload.name = new
            elif self._is_there(old):
                (self._folders.inbox / old).rename(self._folders.inbox / new)
            elif old not in self._sent:
                raise missing()
        if old in self._sent:  # also when it has been taken: to its sender it is called what the sender calls it
            self._sent[new] = self._sent.pop(old)
        return SFTP_OK

    def _name_in_inbox(self, path: str) -> str:
        folder, name = split(path)
        if folder != INBOX or not name:
            raise denied("only files in inbox can be changed")
        return name

    def _under_way(self, name: str) -> Upload | None:
        return next((one for one in reversed(self._uploads) if one.name == name), None)

    def _is_there(self, name: str) -> bool:
        try:
            _file_facts(self._inbox, name)
        except RefusedError:
            return False
        return True

    def _stat_folder(self, name: str) -> SFTPAttributes:
        facts = os.fstat((self._results if name == RESULTS else self._inbox).descriptor)
        attr = _attributes(name or "/", facts)
        attr.st_mode = stat.S_IFDIR | (0o755 if name == INBOX else 0o555)
        return attr


def split(path: str) -> tuple[str, str]:
    """Return the folder that a path names, and the file's name in it: `("", "")` is the root, `("inbox", "")` inbox.

    Raises:
        RefusedError: there is no such place.
    """
    folder, *rest = [*_parts(path), ""]
    if folder not in {"", INBOX, RESULTS} or len(rest) > 2:
        raise missing()
    return folder, rest[0] if rest else ""


def check_name(name: str) -> None:
    """Raise RefusedError unless a file in inbox may be called so."""
    if not name.isprintable():
        raise denied("a file's name may have printable characters only")
    if len(name.encode()) > LONGEST_NAME:
        raise denied(f"a file's name may have at most {LONGEST_NAME} bytes")


def _parts(path: str) -> list[str]:
    """Return a path's names from the root on; `..` goes up, and at the root stays there."""
    return [part for part in posixpath.normpath(f"/{path}").split("/") if part]


def _file_facts(folder: Folder, name: str) -> os.stat_result:
    try:
        facts = folder.stat(name)
    except (OSError, ValueError):
        raise missing() from None
    if not stat.S_ISREG(facts.st_mode):
        raise missing()
    return facts


def _open_file(folder: Folder, name: str) -> int:
    _file_facts(folder, name)
    file = folder.open(name, os.O_RDONLY)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise missing()
    return file


def _list(folder: Folder) -> Iterator[SFTPAttributes]:
    for name in folder.names():
        try:
            yield _attributes(name, _file_facts(folder, name))
        except RefusedError:
            continue


def _attributes(name: str, facts: os.stat_result) -> SFTPAttributes:
    """Return what a client may know of a file: size, times, and rights without an owner."""
    attr = SFTPAttributes.from_stat(facts, name)
    attr.st_uid = attr.st_gid = 0
    return attr
