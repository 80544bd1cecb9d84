"""Whether a shard is what was written: the SHA-256 that `dataset.json` has of it, or the seal of one that is alone."""

import hashlib
import os
from pathlib import Path

from maskkit.errors import DamageError, ShardError
from maskkit.files.regular import open_regular
from maskkit.files.seal import check_seal
from maskkit.shards.description import FILE_NAME, ShardEntry, read_dataset

# Device, inode, size, times and digest of the files that this process has read through. A shard of 100 MB takes 0.08 s,
# and a row 0.05 ms, so each is read through when it is first opened and not again while nobody touches it.
_Stamp = tuple[int, int, int, int, int, str]
_checked: set[_Stamp] = set()


def check_shard(path: Path, entry: ShardEntry, anew: bool = False) -> None:
    """Compare a shard with its size and SHA-256 in `dataset.json`, once in this process unless `anew`.

    Raises ShardError, OSError where it cannot be read.
    """
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size != entry.bytes:
            raise ShardError(f"{path}: {status.st_size:,} bytes, and dataset.json promises {entry.bytes:,}")
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, entry.sha256)
        if stamp in _checked and not anew:
            return
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != entry.sha256:
        raise ShardError(
            f"{path} is damaged: its SHA-256 is {digest[:12]}..., and dataset.json promises {entry.sha256[:12]}..."
        )
    _checked.add(stamp)


def check_lone_shard(path: Path) -> None:
    """Compare a shard that was named by itself with the `dataset.json` beside it, or with its seal, if it has either.

    Raises ShardError, OSError where it cannot be read.
    """
    if (path.parent / FILE_NAME).exists():
        try:
            entries = read_dataset(path.parent).shards
        except ShardError:  # of another program, or damaged, which is no reason to refuse the shard
            entries = []
        for entry in entries:
            if entry.file == path.name:
                check_shard(path, entry)
                return
    with open_regular(path) as file:
        try:
            check_seal(file, path)
        except DamageError as error:
            raise ShardError(str(error)) from error
