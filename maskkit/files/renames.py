"""The last step of every result: a new name that fails where something is there, or two names that change places."""

import ctypes
import errno
import os
from pathlib import Path

AT_FDCWD = -100
NO_REPLACE, EXCHANGE = 1, 2  # of renameat2 in Linux
NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # said by file systems that do not know one of them


def place(partial: Path, path: Path) -> None:
    """Give a file the name `path`; FileExistsError where something has it, even if it came a moment ago."""
    if not _renameat2(partial, path, NO_REPLACE):
        os.link(partial, path)
        partial.unlink()


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change their names in one step; False where the file system cannot."""
    return _renameat2(one, other, EXCHANGE)


def _renameat2(old: Path, new: Path, flags: int) -> bool:
    """False where this system or file system does not know the call with these flags."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if call(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), ctypes.c_uint(flags)) == 0:
        return True
    number = ctypes.get_errno()
    if number in NOT_HERE:
        return False
    raise OSError(number, os.strerror(number), str(old), None, str(new))
