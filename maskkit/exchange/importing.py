"""Data sets of other projects to shards of format 1: what all formats share."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from maskkit.errors import ExchangeError, MaskkitError
from maskkit.exchange.formats import celebamask_hq, coco_reading, cvat, deepfashion
from maskkit.exchange.formats.pairs import read_label_pngs
from maskkit.exchange.grid import add_points, on_grid
from maskkit.exchange.import_options import ImportOptions, chosen_pairs
from maskkit.exchange.incoming import Incoming, Pair
from maskkit.exchange.label_order import Census
from maskkit.exchange.outgoing import OnProgress
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.masks.label_tables import translate_labels
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.shards.description import SPLITS, Dataset, describe_source
from maskkit.shards.own_files import DATASET
from maskkit.shards.versions import tool_versions
from maskkit.shards.writer import Outcome, Row, ShardWriter, Skip, finish_folder

MOST_DETECTORS = 256  # a shard names them by a byte


@dataclass(frozen=True)
class ImportResult:
    """What an import did: rows of each split, the rows left out by reason, and whether these are too many."""

    out: Path
    kept: int
    skipped: int
    splits: dict[str, int]
    reasons: dict[str, int]
    too_many_skipped: bool
    warnings: tuple[str, ...] = ()  # what speaks against the scheme that the labels were said to have


IMPORT_FORMATS: dict[str, Callable[[Path, ImportOptions], Incoming]] = {
    "label-png": lambda source, options: read_label_pngs(
        source, options.scheme, options.images, options.masks, options.ignore
    ),
    "celebamask-hq": lambda source, options: celebamask_hq.read(source, options.scheme, options.images, options.masks),
    "coco": lambda source, options: coco_reading.read(source, options.scheme, options.images),
    "cvat": lambda source, options: cvat.read(source, options.scheme, options.images, options.masks, options.ignore),
    "deepfashion": lambda source, options: deepfashion.read(source, options.brightness),
}


def import_masks(
    source: str | Path,
    out: str | Path,
    format: str,
    options: ImportOptions | None = None,
    *,
    max_skipped: float = 0.05,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportResult:
    """Turn photos and label maps of another project into shards in the folder `out` (docs/exchange.md).

    `format` is one of `IMPORT_FORMATS`. A pair that cannot be used is left out, with its reason in `ledger.csv`; where
    more than the share `max_skipped` is, the result says so. Points are absent unless the source is an export with
    points. `out` appears when it is whole; `overwrite` replaces an earlier data set if nothing else lies in its
    folder. The same source gives the same bytes. Raises ExchangeError and other MaskkitErrors.
    """
    source, options = Path(source), options or ImportOptions()
    options.check()
    if format not in IMPORT_FORMATS:
        raise ExchangeError(f"there is no import format {format!r}: take one of {', '.join(IMPORT_FORMATS)}")
    if not source.is_dir():
        raise ExchangeError(f"{source}: no such folder")
    check_folder(Path(out), DATASET, overwrite, options.places(source))
    incoming = IMPORT_FORMATS[format](source, options)
    census = Census(incoming)
    with closing(incoming):
        dataset = _import(incoming, options, source, Path(out), overwrite, on_progress)
    skipped, kept = dataset.skipped(), sum(dataset.counts().values())
    reasons = Counter(reason for entry in dataset.shards for _, reason in entry.skipped)
    too_many = skipped > max_skipped * (skipped + kept)
    return ImportResult(Path(out), kept, skipped, dataset.counts(), dict(reasons), too_many, census.doubts())


def _import(
    incoming: Incoming, options: ImportOptions, source: Path, out: Path, overwrite: bool, on_progress: OnProgress | None
) -> Dataset:
    """Check the request against the source, then write the folder."""
    incoming.pairs = chosen_pairs(incoming, options, source)
    wanted = load_scheme(options.translate) if options.translate else incoming.scheme
    if wanted != incoming.scheme:
        translate_labels(np.zeros((1, 1), np.uint8), incoming.scheme, wanted.name)  # refused before reading
    dataset = _describe(incoming, options, wanted)
    detectors = tuple(sorted({known.detector for known in incoming.known.values()}))
    if len(detectors) > MOST_DETECTORS:
        raise ExchangeError(f"samples.csv names {len(detectors)} detectors, and a shard holds {MOST_DETECTORS}")
    with whole_folder(out, DATASET, inputs=options.places(source), overwrite=overwrite) as folder:
        writer = ShardWriter(folder, dataset, options.shard_size, detectors)
        writer.write(_outcomes(incoming, dataset, source, on_progress))
        if not sum(dataset.counts().values()):
            first = dataset.shards[0].skipped[0]
            raise ExchangeError(f"{source}: none of {len(incoming.pairs):,} rows can be used; {first[0]}: {first[1]}")
        finish_folder(folder, dataset)
    return dataset


def _describe(incoming: Incoming, options: ImportOptions, scheme: RegionScheme) -> Dataset:
    # The folders are no part of the content, so that the same data set gives the same bytes wherever it lies.
    apart = ("attributes", "scheme", "images", "masks", "split")
    named = {key: value for key, value in asdict(options).items() if key not in apart}
    source = describe_source(incoming.kind, incoming.pairs)
    return Dataset(scheme, options.size, incoming.attribute_names, source, named, tool_versions([]))


def _outcomes(
    incoming: Incoming, dataset: Dataset, source: Path, on_progress: OnProgress | None
) -> Iterator[tuple[Pair, Outcome]]:
    """Every pair, split by split, with its row or why it is left out."""
    pairs = [pair for split in SPLITS for pair in incoming.pairs if pair.split == split]
    for done, pair in enumerate(pairs, 1):
        outcome: Outcome
        try:
            outcome = [_row(pair, incoming, dataset)]
        except MaskkitError as error:  # one odd pair must not end the import
            outcome = Skip(str(error).replace(f"{source}/", ""))
        yield pair, outcome
        if on_progress is not None:
            on_progress(done, len(pairs))


def _row(pair: Pair, incoming: Incoming, dataset: Dataset) -> Row:
    """Read one pair and bring it onto the grid; a MaskkitError says why it is left out."""
    if pair.problem:
        raise ExchangeError(pair.problem)
    image, mask = incoming.load(pair)
    row = Row(pair.id, *on_grid(image, mask, dataset.size), np.array(pair.attributes, dtype=np.uint8))
    if incoming.known:
        add_points(row, incoming.known[pair.id], incoming.scheme, image.shape[:2])
    if dataset.scheme != incoming.scheme:
        row.mask = translate_labels(row.mask, incoming.scheme, dataset.scheme.name)
    return row
