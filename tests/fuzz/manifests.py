"""JSON changed by its values, so that it stays JSON."""

import copy
import json
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    7,
    8,
    255,
    256,
    65536,
    10**9,
    10**18,
    10**30,
    0.5,
    1e400,
    -1e400,
    float("nan"),
    "",
    "8",
    "\ud800",
    "\x1b[2J",
    "a\nb",
    "../x.h5",
    "/etc/passwd",
    "train-00001.h5",
    "train-\u0660\u0660\u0660\u0660\u0660.h5",
    "test",
    "x" * 500,
    "<b>&",
    [],
    {},
    [[]],
    [0],
    ["a", "b"],
    {"name": "x"},
    [1, 2, 3],
    [0, 1, 67],
    [68, 0, 1],
    [True, 1, 2],
    [256, 0, 0],
)


def mutate(data: bytes, rng: Random) -> bytes | None:
    """Replace, remove, double or move some values; the first byte stays."""
    try:
        content = json.loads(data[1:])
    except (ValueError, RecursionError):
        return None
    for _ in range(rng.choice((1, 1, 2, 3))):
        holders = [holder for holder in _holders(content) if holder]
        if not holders:
            break
        holder = rng.choice(holders)
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        kind = rng.randrange(5)
        if kind <= 1:
            holder[key] = copy.deepcopy(rng.choice(ODD))
        elif kind == 2:
            other = rng.choice(holders)
            holder[key] = copy.deepcopy(rng.choice(list(other.values()) if isinstance(other, dict) else other))
        elif kind == 3:
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(rng.choice(holder)))
        elif isinstance(key, str):
            holder[rng.choice(("name", "quality", key + "x", "inputs", "\ud800"))] = holder.pop(key)
    return data[:1] + json.dumps(content).encode()


def _holders(content: Any) -> list[Any]:
    if not isinstance(content, dict | list):
        return []
    values = content.values() if isinstance(content, dict) else content
    return [content, *(holder for value in values for holder in _holders(value))]
