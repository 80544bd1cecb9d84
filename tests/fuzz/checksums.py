"""The checksums of HDF5's metadata, put right after a change, so that the library reads on."""

import struct
from collections.abc import Iterator


def mended(data: bytes) -> bytes:
    """The file with the checksums of its superblock and object headers (version 2) put right."""
    changed = bytearray(data)
    if data[:8] == b"\x89HDF\r\n\x1a\n" and len(data) > 48 and data[8] in (2, 3):
        changed[44:48] = struct.pack("<I", lookup3(bytes(changed[:44])))
    for place in _found(data, b"OHDR"):
        end = _header_end(changed, place)
        if end and end + 4 <= len(changed):
            changed[end : end + 4] = struct.pack("<I", lookup3(bytes(changed[place:end])))
    return bytes(changed)


def _found(data: bytes, signature: bytes) -> Iterator[int]:
    place = data.find(signature)
    while place >= 0:
        yield place
        place = data.find(signature, place + 1)


def _header_end(data: bytearray, place: int) -> int:
    """Where the checksum of an object header's first chunk stands, 0 where there is none."""
    if place + 30 > len(data):
        return 0
    flags = data[place + 5]
    start = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(data[start : start + width], "little")
    return start + width + size if size < 1 << 20 else 0


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 (hashlittle, initial value 0), the checksum of HDF5's metadata."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask

    def turned(x: int, k: int) -> int:
        return ((x << k) | (x >> (32 - k))) & mask

    if not data:
        return c
    last = (len(data) - 1) // 12 * 12
    for start in range(0, last, 12):
        x, y, z = struct.unpack_from("<III", data, start)
        a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
        a = ((a - c) & mask) ^ turned(c, 4)
        c = (c + b) & mask
        b = ((b - a) & mask) ^ turned(a, 6)
        a = (a + c) & mask
        c = ((c - b) & mask) ^ turned(b, 8)
        b = (b + a) & mask
        a = ((a - c) & mask) ^ turned(c, 16)
        c = (c + b) & mask
        b = ((b - a) & mask) ^ turned(a, 19)
        a = (a + c) & mask
        c = ((c - b) & mask) ^ turned(b, 4)
        b = (b + a) & mask
    x, y, z = struct.unpack("<III", data[last:].ljust(12, b"\0"))
    a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
    for k, pair in zip((14, 11, 25, 16, 4, 14, 24), "cabcabc", strict=True):
        if pair == "c":
            c = ((c ^ b) - turned(b, k)) & mask
        elif pair == "a":
            a = ((a ^ c) - turned(c, k)) & mask
        else:
            b = ((b ^ a) - turned(a, k)) & mask
    return c
