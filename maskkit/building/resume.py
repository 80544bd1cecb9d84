"""Going on with a stopped build: the same request or a refusal, and nothing left over that is not promised."""

from pathlib import Path
from typing import Any

from maskkit.errors import BuildError, ShardError
from maskkit.files.hidden import is_hidden
from maskkit.shards.description import FILE_NAME, LEDGER, PREVIEW, SHARD_NAME, Dataset, read_dataset
from maskkit.shards.own_files import names_not_yet_entered


def open_folder(out: Path, dataset: Dataset, fresh: bool) -> Dataset:
    """Make the folder, which the caller owns, ready for `dataset`: empty of data sets, or with a stopped build of it.

    Gives the data set as it stands. With `fresh` an earlier one of any request is discarded: the files that its
    `dataset.json` names. Raises BuildError where other things are in the way, and leaves the folder as it was.
    """
    begun = find_begun(out, dataset, fresh)
    if begun is dataset:
        described = out / FILE_NAME
        if described.exists():
            dataset.discards = tuple(sorted(_own_files(out, _read_own(described, fresh)) - {FILE_NAME}))
        # From here on nothing of an earlier build is trusted, and a kill loses no name of it.
        dataset.write(out, overwrite=described.exists())
    _sweep(out, begun)
    return begun


def find_begun(out: Path, dataset: Dataset, fresh: bool) -> Dataset:
    """The state of a stopped build of the same request in `out`, or `dataset` itself where the work begins anew.

    Writes nothing. Raises BuildError where the folder holds anything else.
    """
    described = out / FILE_NAME
    if not described.exists() and not described.is_symlink():
        if out.exists() and any(not is_hidden(path.name) for path in out.iterdir()):
            raise BuildError(f"{out} is not empty and holds no data set; take an empty or new folder")
        return dataset
    earlier = _read_own(described, fresh)
    if not fresh:
        _check_same_request(out, dataset, earlier)
    if fresh or not earlier.complete:
        _check_nothing_in_the_way(out, earlier)
    return dataset if fresh else earlier


def _read_own(described: Path, fresh: bool) -> Dataset:
    try:
        if described.is_symlink():
            raise ShardError(f"{described} is a symbolic link")
        return read_dataset(described.parent)
    except ShardError as error:
        if not fresh:
            raise
        raise BuildError(
            f"{error}; --fresh discards only a data set made by maskkit, so move this one away or take another folder"
        ) from error


def _own_files(out: Path, dataset: Dataset) -> set[str]:
    """The files in the folder that `dataset.json` promises, or that a kill kept from being entered or removed."""
    own = {FILE_NAME, *(entry.file for entry in dataset.shards), *filter(_may_be_ours, dataset.discards)}
    own.update(names_not_yet_entered(dataset))
    if dataset.complete:
        own |= {LEDGER, PREVIEW}
    return {name for name in own if (out / name).is_file()}


def _may_be_ours(name: str) -> bool:
    return SHARD_NAME.fullmatch(name) is not None or name in (LEDGER, PREVIEW)


def _check_nothing_in_the_way(out: Path, dataset: Dataset) -> None:
    """Raise BuildError for a file of somebody else's that has the name of one that a build writes."""
    own = _own_files(out, dataset)
    for path in sorted(out.iterdir()):
        if _may_be_ours(path.name) and path.name not in own:
            raise BuildError(f"{path} is not one of the data set's, and a build may write such a file; move it away")


def _sweep(out: Path, dataset: Dataset) -> None:
    """Remove what an earlier or a killed build left and `dataset.json` does not promise; touch nothing else."""
    promised = {FILE_NAME, *(entry.file for entry in dataset.shards)}
    if dataset.complete:
        promised |= {LEDGER, PREVIEW}
    for name in _own_files(out, dataset) - promised:
        (out / name).unlink()
    if dataset.discards:
        dataset.discards = ()
        dataset.write(out)


def _check_same_request(out: Path, dataset: Dataset, earlier: Dataset) -> None:
    new, old = _request(dataset), _request(earlier)
    for key in [*new, *(key for key in old if key not in new)]:
        if new.get(key) != old.get(key):
            raise BuildError(
                f"{out} was begun with {key} {old.get(key)}, and now it is {new.get(key)}; "
                "give the same options to go on, another folder, or --fresh to begin anew"
            )
    for entry in earlier.shards:
        path = out / entry.file
        if not path.is_file() or path.stat().st_size != entry.bytes:
            raise BuildError(f"{path} is missing or not what {FILE_NAME} promises; begin anew with --fresh")


def _request(dataset: Dataset) -> dict[str, Any]:
    named = {"attributes": list(dataset.attribute_names), "scheme": dataset.scheme.to_dict()}
    return {**dataset.options, **dataset.source, **dataset.versions, **named}
