"""Opens a name beneath a folder so that the kernel itself sees to it that nothing outside is reached.

openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; where the kernel, or a filter of system calls, has it not,
openat(2) with O_NOFOLLOW, which is as sound because a name here is one component and never a path.
"""

import ctypes
import errno
import os
from dataclasses import dataclass

_OPENAT2 = 437  # the same number on every architecture, as of all calls since Linux 5.1
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_ABSENT = {errno.ENOSYS, errno.EPERM}
_SYSCALL = ctypes.CDLL(None, use_errno=True).syscall


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder held open, so that it stays the same one whatever becomes of its path."""

    descriptor: int

    def open(self, name: str, flags: int, mode: int = 0) -> int:
        """Return a descriptor of the file `name` in the folder.

        Raises:
            OSError: ENOENT; ELOOP for a link of any kind; whatever else open(2) may say.
        """
        _check_is_name(name)
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            return _openat2(self.descriptor, name, flags, mode)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return os.open(name, flags, mode, dir_fd=self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the facts of `name` itself; OSError if there is none."""
        _check_is_name(name)
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        return sorted(os.listdir(self.descriptor))  # noqa: PTH208 -- a descriptor, not a path

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.descriptor)


def open_folder(path: str | os.PathLike[str]) -> Folder:
    """Return a folder held open; the path is ours, and trusted."""
    return Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _check_is_name(name: str) -> None:
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _openat2(folder: int, name: str, flags: int, mode: int) -> int:
    resolve = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | _NO_XDEV
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, resolve)
    number = ctypes.c_long(_OPENAT2)
    found = _SYSCALL(number, folder, os.fsencode(name), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(found)
