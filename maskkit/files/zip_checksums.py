"""The checksums of a zip's parts, at which torch does not look in its own files."""

import zipfile
from typing import BinaryIO


def damaged_part(file: BinaryIO) -> str | None:
    """Name the first part of an open zip that is not what was written, and go back to its start.

    None where all are, and for a file that is no zip, such as one by torch before 1.6, which has no checksums. Raises
    zipfile.BadZipFile where the table of contents is damaged.
    """
    try:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            return archive.testzip()
    finally:
        file.seek(0)
