"""PNGs changed chunk by chunk, with the checksums that belong to them."""

import struct
import zlib
from collections.abc import Iterator
from random import Random

import numpy as np

from maskkit.exchange.formats.label_png import encode_png
from maskkit.masks.regions import load_scheme

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = (b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"sRGB", b"acTL",
         b"fcTL", b"fdAT", b"IDAT", b"IEND", b"IHDR", b"bKGD")  # fmt: skip
SIDES = (0, 1, 2, 3, 8, 9, 64, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31)

Chunks = list[tuple[bytes, bytes]]


def starts() -> Iterator[bytes]:
    """Label maps of every kind that is read, and of some that are not."""
    scheme = load_scheme("scgan")
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8) % len(scheme)
    yield encode_png(labels, scheme)
    yield encode_png(labels)
    yield encode_png(scheme.palette[labels])
    yield encode_png(np.dstack([scheme.palette[labels], labels]))
    header = (0, 0, 0)
    for depth in (1, 2, 4, 8, 16):
        row = bytes(8 * max(depth, 8) // 8)[: max(1, 8 * depth // 8)]
        yield join(
            [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, 0, *header)), _packed((b"\0" + row) * 8), (b"IEND", b"")]
        )
    rows = b"".join(b"\0" + bytes(n) for n in (1, 1, 2, 2, 4, 4, 4) for _ in range(2))  # enough for an interlaced one
    interlaced = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    yield join([(b"IHDR", interlaced), _packed(rows + bytes(64)), (b"IEND", b"")])


def split(data: bytes) -> Chunks:
    """The chunks of a PNG, as many as are whole."""
    chunks: Chunks = []
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        if place + 12 + length > len(data):
            break
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def join(chunks: Chunks) -> bytes:
    """A PNG of these chunks, each with its length and checksum."""
    parts = [SIGNATURE]
    for kind, body in chunks:
        parts += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(kind + body))]
    return b"".join(parts)


def mutate(data: bytes, rng: Random) -> bytes | None:
    """Change the header, pixels or other chunks, double, drop, swap or insert some."""
    chunks = split(data) if data.startswith(SIGNATURE) else []
    if not chunks:
        return None
    for _ in range(rng.choice((1, 1, 2, 3))):
        number = rng.randrange(len(chunks))
        kind, body = chunks[number]
        way = rng.randrange(6)
        if way == 0 and chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13:
            chunks[0] = (b"IHDR", _header(chunks[0][1], rng))
        elif way == 1 and kind == b"IDAT":
            chunks[number] = _packed(_some_bytes(_unpacked(body), rng))
        elif way == 2:
            chunks.insert(number, (rng.choice(KINDS), rng.choice((body, b"", rng.randbytes(rng.randrange(64))))))
        elif way == 3 and len(chunks) > 1:
            del chunks[number]
        elif way == 4:
            other = rng.randrange(len(chunks))
            chunks[number], chunks[other] = chunks[other], chunks[number]
        else:
            chunks[number] = (kind, _some_bytes(body, rng))
        if not chunks:
            return None
    return join(chunks)


def _header(body: bytes, rng: Random) -> bytes:
    fields = list(struct.unpack(">IIBBBBB", body))
    number = rng.randrange(7)
    choices = ((*SIDES,), (*SIDES,), (1, 2, 4, 8, 16, 3, 0), (0, 2, 3, 4, 6, 1), (0, 1), (0, 1), (0, 1, 2))
    fields[number] = rng.choice(choices[number])
    return struct.pack(">IIBBBBB", *fields)


def _packed(raw: bytes) -> tuple[bytes, bytes]:
    return b"IDAT", zlib.compress(raw)


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, 1 << 16)
    except zlib.error:
        return bytes(72)


def _some_bytes(body: bytes, rng: Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)
