"""What a run notes as JSON: objects with the CRC-32 of the rest of them, so that a damaged figure is not taken."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

_CHECKSUM = "crc32"


def encode_line(values: Mapping[str, Any]) -> str:
    """Give a line of metrics.jsonl, with its end."""
    return json.dumps(with_checksum(values)) + "\n"


def decode_line(line: str | bytes) -> dict[str, Any]:
    """Give the values of a line. Raises ValueError where it is no JSON object, or not what was written."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    return without_checksum(content)


def with_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the checksum to an object's values."""
    return {**values, _CHECKSUM: _checksum(values)}


def without_checksum(content: Any) -> dict[str, Any]:
    """Undo `with_checksum`. Raises ValueError where the content is no object, or not what was written."""
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    values = {key: value for key, value in content.items() if key != _CHECKSUM}
    if _CHECKSUM in content and content[_CHECKSUM] != _checksum(values):  # those of old have none
        raise ValueError("damaged: its checksum is another")
    return values


def _checksum(values: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(dict(values)).encode()):08x}"
