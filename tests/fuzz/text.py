"""Text changed by its words and lines, which bytes alone rarely hit."""

import re
from random import Random

WORD = re.compile(rb"[^\s,:\[\]{}\"]+")
ODD = (
    b"nan",
    b"-inf",
    b"1e400",
    b"-1e39",
    b"1e6",
    b"1000000.1",
    b"1_0",
    b"0x1p3",
    b"",
    b"-",
    b"-0",
    b"0",
    b"1",
    b"-1",
    b"2",
    b"99999999999999999999",
    "٣".encode(),
    b"\xff",
    b"\xef\xbb\xbf",
    b'"',
    b'"\n"',
    b"..",
    b"../x",
    b"/etc/passwd",
    b"\x1b[2J",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b"id",
    b"split",
    b"Male",
    b"train",
    b"#",
    b"x" * 300,
)
GAPS = (b" ", b",", b"\n", b"\r\n", b"\r", b"\t", b"\0", b"\v", b"\x1c", "\u2028".encode(), b";", b'"', b"\n\n")


def mutate(data: bytes, rng: Random) -> bytes | None:
    """Change words for odd ones or one another, double, drop or swap lines, change what parts them."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        kind = rng.randrange(6)
        words = list(WORD.finditer(data, 1))  # the first byte names the reader
        lines = data.splitlines(keepends=True)
        if kind <= 2 and words:
            word = rng.choice(words)
            new = rng.choice(ODD) if kind else rng.choice(words).group()
            data = data[: word.start()] + new + data[word.end() :]
        elif kind == 3 and len(lines) > 1:
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[a] = rng.choice((b"", lines[b], lines[a] * 2))
            data = b"".join(lines)
        elif kind == 4 and words:
            place = rng.choice(words).end()
            data = data[:place] + rng.choice(GAPS) + data[place + rng.randrange(2) :]
        else:
            place = rng.randrange(len(data) + 1)
            data = data[:place] + rng.choice((*ODD, *GAPS)) + data[place:]
    return data
