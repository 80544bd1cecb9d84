"""One owner at a time: a lock that ends with its process, whatever ends it, and tells the others who has it."""

import fcntl
import json
import logging
import os
import shlex
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maskkit.errors import OutputError
from maskkit.files.hidden import is_same_file

LONGEST_COMMAND = 200  # characters that are shown
LARGEST_NOTE = 4096  # bytes

log = logging.getLogger(__name__)


@contextmanager
def locked(lock: Path, result: Path) -> Iterator[bool]:
    """Hold the lock file `lock` on behalf of `result` while the block lasts; it is removed at the end.

    Gives whether there is a lock: False, with a warning, on a file system that knows none. Raises OutputError that
    names the holder where another process has it. A lock file that a killed process left holds nobody up.
    """
    descriptor = _acquire(lock, result)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        if is_same_file(descriptor, lock):  # the folder that it lies in may have been replaced
            with suppress(OSError):
                lock.unlink()
        os.close(descriptor)


def _acquire(lock: Path, result: Path) -> int | None:
    while True:
        descriptor = _open(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_same_file(descriptor, lock):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _note(), 0)
                return descriptor
            os.close(descriptor)  # its holder ended, and removed it between our opening and locking
        except BlockingIOError as error:
            holder = _holder(os.pread(descriptor, LARGEST_NOTE, 0))
            os.close(descriptor)
            raise OutputError(
                f"{result} is being written by {holder}; wait for its end, stop it, or give another name"
            ) from error
        except OSError as error:
            with suppress(OSError):
                lock.unlink()
            os.close(descriptor)
            log.warning(
                "%s: this file system knows no locks (%s); see to it that no second command writes there",
                result, error.strerror,
            )  # fmt: skip
            return None


def _open(lock: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            descriptor = os.open(lock, flags, 0o666)
        except FileNotFoundError:  # one who ended just now has taken away the empty folder that he had made
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, flags, 0o666)
    except OSError as error:
        raise OutputError(f"the lock {lock} could not be made: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OutputError(f"{lock} is in the way of a lock; move it away")
    return descriptor


def _note() -> bytes:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:LONGEST_COMMAND]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": command}).encode()


def _holder(note: bytes) -> str:
    """Who says to hold a lock, in words. Anybody may have written it."""
    try:
        said = {key: str(value)[:LONGEST_COMMAND] for key, value in json.loads(note).items()}
        text = f"process {said['pid']} on {said['host']} since {said['since']} ({said['command']})"
    except (ValueError, KeyError, AttributeError, RecursionError):
        return "another process"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
