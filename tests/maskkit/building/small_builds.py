"""What the small builds of the tests are asked for, and what lies in their folders."""

from pathlib import Path

import maskkit

OPTIONS = maskkit.BuildOptions(size=32, shard_size=10, attributes=("Blond_Hair", "Young"))


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
