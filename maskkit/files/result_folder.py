"""Results of many inputs in one folder, named after them: no file is replaced but one that its record proves ours."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from maskkit.errors import OutputError
from maskkit.files.atomic import make_folder, write_atomically
from maskkit.files.hidden import clear_files
from maskkit.files.outputs import refuse_existing
from maskkit.files.records import DigestList, digest

RESULTS = DigestList("results", "results")


class ResultFolder:
    """A folder for results, which several commands may fill at once, each with names of its own.

    Nothing is replaced unless asked, and then only what the folder's record says was written here and is unchanged:
    the names come from those of the inputs, so nobody has named the files that are there.
    """

    def __init__(self, out: Path, inputs: Iterable[str | Path], overwrite: bool) -> None:
        """Make the folder. Raises OutputError where that is not possible."""
        make_folder(out)
        clear_files(out)
        self.out, self.inputs, self.overwrite = out, list(inputs), overwrite
        self._written = set(RESULTS.lines(out))

    def check(self, name: str) -> Path:
        """The path of one result; OutputError where something is in the way."""
        path = self.out / name
        try:
            refuse_existing(path, self.overwrite, self.inputs)
            foreign = path.exists() and (path.is_symlink() or (name, digest(path)) not in self._written)
        except OSError as error:  # such as a name that the file system finds too long
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        if foreign:
            raise OutputError(
                f"{path} was not written by maskkit, or was changed since, and is not replaced; "
                "move it away, or take another folder"
            )
        return path

    def write(self, name: str, content: bytes) -> Path:
        """Write one result and give its path. Raises OutputError."""
        path = self.check(name)
        replacing = path.exists()
        noted = name, hashlib.sha256(content).hexdigest()
        if noted not in self._written:  # first, so that a kill in between leaves no file of ours that is not proven
            try:
                RESULTS.append(self.out, *noted)
            except OSError as error:
                raise OutputError(f"{self.out / RESULTS.name} could not be written: {error.strerror}") from error
            self._written.add(noted)
        write_atomically(path, lambda file: file.write(content), overwrite=replacing)
        return path
