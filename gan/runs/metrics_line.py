"""A line of metrics.jsonl: a JSON object with the CRC-32 of the rest of it, so that a damaged figure is not drawn."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

_CHECKSUM = "crc32"


def encode_line(values: Mapping[str, Any]) -> str:
    """Give a line, with its end."""
    return json.dumps({**values, _CHECKSUM: _checksum(values)}) + "\n"


def decode_line(line: str | bytes) -> dict[str, Any]:
    """Give the values of a line. Raises ValueError where it is no JSON object, or not what was written."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    if _CHECKSUM in content and content.pop(_CHECKSUM) != _checksum(content):  # lines of old have none
        raise ValueError("damaged: its checksum is another")
    return content


def _checksum(values: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(dict(values)).encode()):08x}"
