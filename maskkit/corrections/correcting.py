"""A data set made again with what people decided about its rows, without its photos."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from maskkit.corrections.applying import apply_correction
from maskkit.corrections.correction_files import check_size, read_corrections
from maskkit.corrections.decisions import DIGEST, VERDICTS, Corrections
from maskkit.detection.cascade import STEPS
from maskkit.errors import CorrectionsError
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.masks.raster import rasterize
from maskkit.shards.description import BY_HAND, FACE_MARK, REJECTED, SPLITS, Dataset, ShardEntry, read_finished
from maskkit.shards.own_files import DATASET
from maskkit.shards.reader import Shard
from maskkit.shards.writer import Outcome, Rejection, Row, ShardWriter, Skip, finish_folder

SHARD_SIZE, LARGEST_SHARD_SIZE = 2048, 65536  # rows: where a data set does not say, and the most that it may say

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class CorrectResult:
    """What became of the rows: how many there are, and how many of them people accepted, corrected and rejected."""

    out: Path
    rows: int
    accepted: int
    corrected: int
    rejected: int


@dataclass(frozen=True)
class _Photo:
    """An input of a data set, of which its shards and `dataset.json` tell no more than this."""

    id: str
    split: str
    attributes: tuple[int, ...] = ()
    problem: str = ""


def correct_shards(
    shards: str | Path,
    files: Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> CorrectResult:
    """Make the data set `out` of `shards` and of what people decided in `files` about its rows.

    Corrected rows get their points and the mask that these draw, rejected rows are left out, all else stays. The bytes
    are those that a build of the photos with the same files gives. `out` appears when it is whole; `overwrite`
    replaces an earlier data set if nothing else lies in its folder. Raises CorrectionsError where a decision does not
    fit the data set, and other MaskkitErrors.
    """
    folder, out = Path(shards), Path(out)
    check_folder(out, DATASET, overwrite, [folder, *files])
    dataset, corrections = read_finished(folder), read_corrections(*files)
    check_size(corrections, dataset.size, files)
    detectors = _check_rows(folder, dataset, corrections)
    earlier = dataset.source.get(DIGEST)
    digest = f"{earlier}+{corrections.sha256()}" if earlier else corrections.sha256()
    made = replace(dataset, source={**dataset.source, DIGEST: digest}, shards=[], complete=False, discards=())
    several = any(entry.inputs is not None for entry in dataset.shards)
    with whole_folder(out, DATASET, inputs=[folder, *files], overwrite=overwrite) as partial:
        writer = ShardWriter(partial, made, _shard_size(dataset), detectors, several)
        writer.write(_outcomes(folder, dataset, corrections, several, on_progress))
        if not sum(made.counts().values()):
            raise CorrectionsError(f"{files[0]} rejects every row of {folder}, and an empty data set is of no use")
        finish_folder(partial, made)
    verdicts = [one.verdict for one in corrections.rows.values()]
    return CorrectResult(out, sum(made.counts().values()), *(verdicts.count(name) for name in VERDICTS))


def _check_rows(folder: Path, dataset: Dataset, corrections: Corrections) -> tuple[str, ...]:
    """The names of all steps by code; CorrectionsError where a decision is about a row that there is not."""
    names, steps = set(), set()
    for entry in dataset.shards:
        with Shard(folder / entry.file, dataset, entry) as shard:
            for name, step, _ in shard.found():
                names.add(name)
                steps.add(step)
    if unknown := sorted(corrections.rows.keys() - names):
        raise CorrectionsError(
            f"the corrections decide on {unknown[0]}, and {folder} has no such row; "
            "were they made for another data set?"
        )
    return (*STEPS, *sorted(steps - {*STEPS, BY_HAND, ""}), BY_HAND)


def _shard_size(dataset: Dataset) -> int:
    size = dataset.options.get("shard_size")
    return size if isinstance(size, int) and 1 <= size <= LARGEST_SHARD_SIZE else SHARD_SIZE


def _outcomes(
    folder: Path, dataset: Dataset, corrections: Corrections, several: bool, on_progress: OnProgress | None
) -> Iterator[tuple[_Photo, Outcome]]:
    """Every input of the data set, in its order, with what becomes of it."""
    total, done = sum(dataset.counts().values()), 0
    for split in SPLITS:
        for entry in dataset.of_split(split):
            with Shard(folder / entry.file, dataset, entry) as shard:
                for photo, parts in groupby(_parts(shard, entry, several), key=lambda part: part[0]):
                    yield _Photo(photo, split), _outcome([part for _, part in parts], shard, dataset, corrections)
            done += entry.rows
            if on_progress is not None:
                on_progress(done, total)


def _parts(shard: Shard, entry: ShardEntry, several: bool) -> list[tuple[str, tuple[str, int | str]]]:
    """The photos of a shard by id, each with one of its rows (id and number) or why it is left out (id and reason)."""
    parts: list[tuple[str, int | str]] = [(name, row) for row, (name, _, _) in enumerate(shard.found())]
    parts += entry.skipped
    return sorted(((_photo(part, several), part) for part in parts), key=lambda pair: (pair[0], pair[1][0]))


def _photo(part: tuple[str, int | str], several: bool) -> str:
    name, what = part
    of_photo = several and (isinstance(what, int) or what == REJECTED)
    return name.rpartition(FACE_MARK)[0] if of_photo else name


def _outcome(parts: list[tuple[str, int | str]], shard: Shard, dataset: Dataset, corrections: Corrections) -> Outcome:
    rows: list[Row | Rejection] = []
    for name, what in parts:
        if isinstance(what, int):
            rows.append(_row(shard.read(what), dataset, corrections))
        elif what == REJECTED:
            rows.append(Rejection(name))
        else:
            return Skip(what)
    return rows


def _row(sample: dict[str, Any], dataset: Dataset, corrections: Corrections) -> Row | Rejection:
    found: dict[str, Any] = {key: sample[key] for key in ("landmarks", "detector", "score", "quality") if key in sample}
    if "box" in sample:
        found["box"] = tuple(sample["box"].tolist())
    row = Row(sample["id"], sample["image"], sample["mask"], sample["attributes"], **found)
    decided = corrections.rows.get(row.id)
    made = row if decided is None else apply_correction(row, decided)
    if isinstance(made, Row) and made is not row and made.landmarks is not None:
        made.mask = rasterize(made.landmarks, dataset.size, dataset.scheme)
    return made
