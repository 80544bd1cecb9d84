"""Which files of a folder are a data set's: those that its `dataset.json` names and those that its format does."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from maskkit.errors import ShardError
from maskkit.files.hidden import is_hidden
from maskkit.files.records import Listed
from maskkit.shards.description import FILE_NAME, LEDGER, PREVIEW, SPLITS, Dataset, read_dataset


class DatasetFiles:
    """A data set's own record: `dataset.json` with its shards, and what is derived from them."""

    what = "a data set"

    def write(self, folder: Path) -> None:
        """Nothing more: `dataset.json` is part of every data set."""

    def read(self, folder: Path) -> Listed:
        """Its shards with their sizes, the other files by name alone; nothing where there is no data set of ours."""
        if (folder / FILE_NAME).is_symlink():
            return {}
        try:
            dataset = read_dataset(folder)
        except ShardError:
            return {}
        by_name = (FILE_NAME, LEDGER, PREVIEW, *names_not_yet_entered(dataset))
        return {**{entry.file: entry.bytes for entry in dataset.shards}, **dict.fromkeys(by_name)}


DATASET = DatasetFiles()


def names_not_yet_entered(dataset: Dataset) -> list[str]:
    """The shards that a kill may have left without an entry: the next of each split of an unfinished build."""
    return [] if dataset.complete else [f"{split}-{len(dataset.of_split(split)):05d}.h5" for split in SPLITS]


def inputs_below(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of the paths below a folder that lie in no data set of ours, nor in what a crash left of one.

    People like to keep the shards beside the photos, and a data set's preview is no photo.
    """
    known: dict[PurePosixPath, bool] = {}

    def is_result(parent: PurePosixPath) -> bool:
        if parent not in known:
            known[parent] = is_hidden(parent.name) or bool(DATASET.read(folder / parent))
        return known[parent]

    return [name for name in names if not any(is_result(one) for one in PurePosixPath(name).parents if one.name)]
