"""What may come out of a reader."""

import contextlib
from collections.abc import Iterator

from maskkit.errors import MaskkitError


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Pass over our own errors, whose text must be one that can be shown and written."""
    try:
        yield
    except MaskkitError as error:
        str(error).encode()
