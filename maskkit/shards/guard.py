"""The guard of HDF5 and MATLAB files: what shards and other projects' files may be made of, before memory is taken."""

import io
import math
import os
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from maskkit.errors import ExchangeError, MaskkitError, MissingExtraError
from maskkit.files.regular import open_regular

LARGEST_ROW = 1 << 26  # bytes of one row, and of the chunks that it lies in
LARGEST_RATIO = 1100  # deflate packs at most 1032 to 1; a data set that claims more has never been written
LARGEST_MATLAB = 1 << 28
LARGEST_VARIABLE = 1 << 26
MATLAB_CHILD = Path(__file__).with_name("matlab_child.py")


def open_hdf5(path: Path, refusal: type[MaskkitError], keep: int = 1 << 20) -> h5py.File:
    """Open an HDF5 file for reading; `refusal`, which names it, where it is none or no regular file.

    HDF5 will `keep` so many bytes of each data set unpacked.
    """
    try:
        with open_regular(path) as file:  # HDF5 would wait for a pipe; it opens by name, so that is what is compared
            try:
                opened = h5py.File(path, "r", rdcc_nbytes=keep)
            except (OSError, RuntimeError, ValueError) as error:
                raise refusal(f"{path}: not an HDF5 file that can be read") from error
            if not os.path.sameopenfile(opened.id.get_vfd_handle(), file.fileno()):
                opened.close()
                raise refusal(f"{path}: it was replaced while it was opened")
    except OSError as error:
        raise refusal(f"{path}: {error.strerror or 'not an HDF5 file that can be read'}") from error
    return opened


def own_dataset(file: h5py.File, name: str, path: Path, refusal: type[MaskkitError]) -> h5py.Dataset:
    """A data set that holds its own data: links and outside storage would let a file read others of this machine."""
    inside = isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
    if not inside or file[name].is_virtual or file[name].external:
        raise refusal(f"{path}: {name} is missing or does not hold its own data; such files are refused")
    return file[name]


def check_claims(data: h5py.Dataset, name: str, path: Path, refusal: type[MaskkitError], packed: bool = True) -> None:
    """Refuse a data set that claims more memory than its file could fill, where `packed` says that it is read by rows.

    A row and a chunk have a largest size too, since each is unpacked whole.
    """
    item = data.dtype.itemsize
    ratio, row = (LARGEST_RATIO, data.shape[1:]) if packed else (1, data.shape)
    unpacked = unpacked_for_row(data) if packed else math.prod(data.chunks or ()) * item
    largest = max(math.prod(row) * item, unpacked)
    if largest > LARGEST_ROW or math.prod(data.shape) * item > ratio * path.stat().st_size:
        raise refusal(f"{path}: {name} claims the shape {data.shape}, which this file cannot hold")


def checked_numbers(file: h5py.File, name: str, *dimensions: int) -> h5py.Dataset:
    """A data set of numbers in another project's file, with one of these numbers of axes; else ExchangeError."""
    path = Path(file.filename)
    try:
        data = own_dataset(file, name, path, ExchangeError)
        if data.dtype.kind not in "fiu" or data.ndim not in dimensions:
            raise ExchangeError(f"{path}: {name} is {data.dtype} {data.shape}, not numbers of {dimensions} axes")
        check_claims(data, name, path, ExchangeError)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ExchangeError(f"{path}: {name} cannot be read ({error})") from error
    return data


def unpacked_for_row(data: h5py.Dataset) -> int:
    """The bytes of all chunks that hold a part of one row; 0 where the rows are not packed."""
    if not data.chunks:
        return 0
    across = zip(data.shape[1:], data.chunks[1:], strict=True)
    return int(math.prod([*data.chunks, *(-(-side // chunk) for side, chunk in across)]) * data.dtype.itemsize)


def read_matlab(path: Path, name: str) -> NDArray[Any]:
    """One numeric variable of a MATLAB 5 file; ExchangeError where it is missing, too large or something else."""
    if find_spec("scipy") is None:
        raise MissingExtraError("scipy", "exchange", "reading MATLAB files")
    _check_matlab(path)
    try:
        with open_regular(path) as file:
            child = subprocess.run([sys.executable, "-P", str(MATLAB_CHILD), name], stdin=file, capture_output=True)
    except OSError as error:
        raise ExchangeError(f"{path}: {error.strerror or error}") from error
    if child.returncode:
        said = child.stderr.decode(errors="replace").strip().splitlines()
        ended = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
        crashed = f"damaged: SciPy's reader ended with {ended} on it"
        raise ExchangeError(f"{path}: {said[-1] if said and child.returncode == 1 else crashed}")
    values: NDArray[Any] = np.load(io.BytesIO(child.stdout), allow_pickle=False)
    return values


def _check_matlab(path: Path) -> None:
    """Raise ExchangeError for a file whose elements claim, once unpacked, more memory than such tables need."""
    try:
        size = path.stat().st_size
        if size > LARGEST_MATLAB:
            raise ExchangeError(f"{path}: {size:,} bytes, and at most {LARGEST_MATLAB:,} are read")
        with open_regular(path) as file:
            order = {b"IM": "<", b"MI": ">"}.get(file.read(128)[126:])
            if order is None:
                raise ExchangeError(f"{path}: not a MATLAB 5 file (save it with -v7, not -v7.3)")
            while len(tag := file.read(8)) == 8:
                kind, length = struct.unpack(f"{order}II", tag)
                start = file.tell()
                packed = file.read(min(length, 4096)) if kind == 15 else b""
                inner = zlib.decompressobj().decompress(packed, 8) if packed else tag
                if len(inner) < 8 or struct.unpack(f"{order}II", inner)[1] > LARGEST_VARIABLE:
                    raise ExchangeError(f"{path}: a variable is larger than the {LARGEST_VARIABLE:,} bytes allowed")
                file.seek(start + length)
    except (OSError, zlib.error) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "damaged"
        raise ExchangeError(f"{path}: {reason}") from error
