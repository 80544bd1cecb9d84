"""Going on with a stopped build: the same request or a refusal, and nothing left over that is not promised."""

from pathlib import Path
from typing import Any

from maskkit.errors import BuildError
from maskkit.files.atomic import make_folder
from maskkit.shards.description import FILE_NAME, SHARD_NAME, Dataset, read_dataset
from maskkit.shards.ledger import LEDGER, PREVIEW


def open_folder(out: Path, dataset: Dataset, fresh: bool) -> Dataset:
    """Make the folder ready for `dataset`: empty, or with a stopped build of the same request, whose state is given.

    Raises BuildError where the folder holds anything else, and leaves it as it was.
    """
    if not out.exists():
        make_folder(out)
    begun = find_begun(out, dataset, fresh)
    if begun is dataset:
        dataset.write(out)  # from here on nothing of an earlier build is trusted
    _sweep(out, begun)
    return begun


def find_begun(out: Path, dataset: Dataset, fresh: bool) -> Dataset:
    """The state of a stopped build of the same request in `out`, or `dataset` itself where the work begins anew.

    Writes nothing. Raises BuildError where the folder holds anything else.
    """
    described = out / FILE_NAME
    if not described.exists():
        if out.exists() and any(path.name != f".{FILE_NAME}.partial" for path in out.iterdir()):
            raise BuildError(f"{out} is not empty and holds no data set; take an empty or new folder")
        return dataset
    if fresh:
        return dataset
    earlier = read_dataset(out)
    _check_same_request(out, dataset, earlier)
    return earlier


def _sweep(out: Path, dataset: Dataset) -> None:
    """Remove what an earlier or a killed build left and `dataset.json` does not promise; touch nothing else."""
    promised = {FILE_NAME, *(entry.file for entry in dataset.shards)}
    if dataset.complete:
        promised |= {LEDGER, PREVIEW}
    for path in out.iterdir():
        name = path.name[1:].removesuffix(".partial") if path.name.endswith(".partial") else path.name
        ours = SHARD_NAME.fullmatch(name) or name in (FILE_NAME, LEDGER, PREVIEW)
        if ours and path.name not in promised:
            path.unlink()


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
