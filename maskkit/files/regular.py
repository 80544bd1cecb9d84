"""Files in: only regular ones are opened, because a pipe among them would make a command wait for ever."""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import TextIO

_KINDS = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip
# Without O_NONBLOCK the open itself would wait for a pipe's writer; a terminal must not become this process's own.
_PART = 1 << 20
_FLAGS = ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a regular file for reading. OSError for anything else, such as a pipe, a device or a folder.

    The kind is asked of the open file, so that nothing can take its place in between.
    """
    try:
        descriptor = os.open(path, _flags())
    except OSError as error:
        if error.errno == errno.ENXIO:  # what opening a socket gives
            raise _refusal(path, stat.S_IFSOCK) from error
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise _refusal(path, stat.S_IFMT(mode))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path, largest: int | None = None) -> bytes:
    """Read a regular file. OSError as `open_regular`, and where there are more than `largest` bytes."""
    with open_regular(path) as file:
        if largest is None:
            return file.read()
        content = bytearray()
        while part := file.read(_PART):  # counted on the way: a size told before need not hold
            content += part
            if len(content) > largest:
                raise OSError(errno.EFBIG, f"more than the {largest:,} bytes that are read of such a file", str(path))
    return bytes(content)


def read_regular_text(path: str | Path, largest: int) -> str:
    """Read a regular file of UTF-8 text, without a byte order mark.

    OSError as `read_regular` and where it holds zero bytes, UnicodeDecodeError.
    """
    content = read_regular(path, largest)
    _refuse_zeros(content)
    return content.decode("utf-8-sig")


def file_sha256(path: str | Path) -> str:
    """Give the SHA-256 of a regular file. OSError as `open_regular`."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular_text(path: str | Path, largest: int, newline: str | None = None) -> TextIO:
    """Open a regular file of UTF-8 text, which is read line by line. OSError as `read_regular`, by its size.

    Also where it holds zero bytes, then while it is read: no text has any, and a disk leaves them in a lost block.
    """
    file = open_regular(path)
    size = os.fstat(file.fileno()).st_size
    if size > largest:
        file.close()
        raise OSError(errno.EFBIG, f"{size:,} bytes, and at most {largest:,} are read of such a table", str(path))
    return io.TextIOWrapper(_Nonzero(file.detach()), encoding="utf-8-sig", newline=newline)


class _Nonzero(io.BufferedReader):
    """A file for TextIOWrapper, which reads it by `read1` alone."""

    def read1(self, size: int = -1, /) -> bytes:
        part = super().read1(size)
        _refuse_zeros(part)
        return part


def _refuse_zeros(content: bytes) -> None:
    if b"\0" in content:
        raise OSError(errno.EILSEQ, "damaged, or no text: it holds zero bytes")


def _flags() -> int:
    flags = 0
    for name in _FLAGS:
        flags |= getattr(os, name, 0)
    return flags


def _refusal(path: str | Path, kind: int) -> OSError:
    return OSError(errno.EINVAL, f"{_KINDS.get(kind, 'no file')}, and only regular files are read", str(path))
