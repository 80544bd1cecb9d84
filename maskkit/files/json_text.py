"""JSON from files that a stranger may have written, or a disk has damaged."""

import hashlib
import json
import re
from typing import Any

MOST_VALUES = 8_000_000  # each takes up to 90 bytes of memory, however short it is
DIGEST = "sha256"  # the key of an object's own digest
HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes) -> Any:
    """What `json.loads` gives. ValueError also for very many values, deep nesting, and half a surrogate pair.

    JSON may spell such a half, and no file, table or terminal could take the text that holds it.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    if text.count(",") > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    try:
        content = json.loads(text)
        if HALF_PAIR.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return content


def with_digest(content: dict[str, Any]) -> dict[str, Any]:
    """Add the SHA-256 of everything else in an object, whatever its spaces and order."""
    return {**content, DIGEST: _digest(content)}


def is_as_written(content: Any) -> bool:
    """Whether an object is what its digest promises; True where it promises nothing, as those of old."""
    return not isinstance(content, dict) or DIGEST not in content or content[DIGEST] == _digest(content)


def _digest(content: dict[str, Any]) -> str:
    others = {key: value for key, value in content.items() if key != DIGEST}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
