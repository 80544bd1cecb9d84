"""JSON from files that a stranger may have written."""

import json
import re
from typing import Any

MOST_VALUES = 8_000_000  # each takes up to 90 bytes of memory, however short it is
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
