"""Text in attributes of an HDF5 file, checked before HDF5's own library reads it.

Text of any length lies in a global heap, for which the format has no checksum. Over a damaged one, and over attributes
of strange types, version 2.0.0 of the library walks for ever, takes gigabytes or ends the process (tests/fuzz), and
Python can catch none of these. The layouts are those of the HDF5 File Format Specification, sections II.A, III.E, IV.A.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import h5py

from maskkit.files.regular import open_regular

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_HEADER, LARGEST_HEAP = 1 << 20, 1 << 24  # bytes
ATTRIBUTE, CONTINUATION, SHARED = 0x0C, 0x10, 2


class _Text(NamedTuple):
    """What an attribute holds of its text: how many bytes, in which heap, and its number there."""

    length: int
    heap: int
    number: int


def read_text(owner: h5py.Group | h5py.Dataset, name: str, path: Path) -> str:
    """The text of an attribute of a group or data set of the file `path`.

    KeyError where there is none; ValueError where it is something else, or lies in a way that no writer chooses.
    """
    if name not in owner.attrs:
        raise KeyError(f"the attribute {name} is missing")
    attribute = owner.attrs.get_id(name)
    kind = attribute.get_type()
    if attribute.shape != () or not (isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()):
        raise ValueError(f"the attribute {name} is not a text")
    with open_regular(path) as file:
        base = int(owner.file.userblock_size)
        texts = list(_texts(file, base, int(h5py.h5o.get_info(owner.id).addr), name.encode()))
        if not texts:
            raise ValueError(f"the attribute {name} lies in no header")
        for text in texts:
            _check_heap(file, base, text)
    content = str(owner.attrs[name])
    content.encode()  # h5py lets bytes pass that are no UTF-8
    return content


def _texts(file: BinaryIO, base: int, header: int, name: bytes) -> Iterator[_Text]:
    """The texts of all attributes of one name that the object header at `header` holds."""
    _check_superblock(file, base)
    for kind, flags, body in _messages(file, base, header):
        if kind != ATTRIBUTE:
            continue
        if flags & SHARED:
            raise ValueError("attributes are shared")
        found, data = _attribute(body)
        if found == name:
            yield _Text(*(int.from_bytes(data[a:b], "little") for a, b in ((0, 4), (4, 12), (12, 16))))


def _check_superblock(file: BinaryIO, base: int) -> None:
    start = _read(file, base, 48)
    version = start[8]
    widths = start[13:15] if version < 2 else start[9:11]
    at = {0: 24, 1: 28}.get(version, 12)
    stated = int.from_bytes(start[at : at + 8], "little")
    if start[:8] != SIGNATURE or version > 3 or widths != b"\x08\x08" or stated != base:
        raise ValueError("the file begins in a way that is not read")


def _messages(file: BinaryIO, base: int, header: int) -> Iterator[tuple[int, int, bytes]]:
    """Kind, flags and content of every message of an object header of version 1 or 2."""
    header += base
    start = _read(file, header, 32)
    second = start[:4] == b"OHDR"
    if second:
        flags = start[5]
        first = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        begin, length = header + first + width, int.from_bytes(_read(file, header + first, width), "little")
        head = 6 if flags & 4 else 4
    else:
        begin, length, head = header + 16, int.from_bytes(start[8:12], "little"), 8
    blocks, total = [(begin, length)], 0
    while blocks:
        begin, length = blocks.pop()
        total += max(length, 64)
        if total > LARGEST_HEADER:
            raise ValueError("a header is too long")
        block, place = _read(file, begin, length), 0
        while place + head <= len(block):
            kind, size, flags = _message_start(block[place : place + head], second)
            body = block[place + head : place + head + size]
            place += head + size
            if kind == CONTINUATION and len(body) >= 16:
                at, size = base + int.from_bytes(body[:8], "little"), int.from_bytes(body[8:16], "little")
                blocks.append((at + 4, size - 8) if second else (at, size))  # a signature and a checksum round it
            yield kind, flags, body


def _message_start(data: bytes, second: bool) -> tuple[int, int, int]:
    if second:
        return data[0], int.from_bytes(data[1:3], "little"), data[3]
    return int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little"), data[4]


def _attribute(body: bytes) -> tuple[bytes, bytes]:
    """The name and the data of an attribute's message."""
    version = body[0] if body else 0
    sizes = [int.from_bytes(body[place : place + 2], "little") for place in (2, 4, 6)]
    place = 9 if version == 3 else 8
    name = body[place : place + sizes[0]].split(b"\0")[0]
    for size in sizes:
        place += (size + 7) // 8 * 8 if version == 1 else size
    return name, body[place:]


def _check_heap(file: BinaryIO, base: int, text: _Text) -> None:
    """Walk the objects of a text's heap as HDF5 does; ValueError where that would not end, or finds another text."""
    place = base + text.heap
    start = _read(file, place, 16)
    size = int.from_bytes(start[8:16], "little")
    if start[:5] != b"GCOL\x01" or not 16 <= size <= LARGEST_HEAP:
        raise ValueError("a heap of texts is damaged")
    heap, at, lengths = _read(file, place, size), 16, dict[int, int]()
    while at + 16 <= size:
        number, length = int.from_bytes(heap[at : at + 2], "little"), int.from_bytes(heap[at + 8 : at + 16], "little")
        step = 16 + (length + 7) // 8 * 8 if number else length
        if step < 16 or step > size - at:
            raise ValueError("a heap of texts is damaged")
        lengths[number] = length
        at += step
    if lengths.get(text.number) != text.length:
        raise ValueError("a text is not as long as it claims")


def _read(file: BinaryIO, place: int, length: int) -> bytes:
    if not 0 <= length <= LARGEST_HEAP or place >= 1 << 63:
        raise ValueError("a length is not to be believed")
    file.seek(place)
    data = file.read(length)
    if len(data) != length:
        raise ValueError("it ends too early")
    return data
