"""Data sets of other projects to shards of format 1: what all formats share."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path

import cv2
import h5py
import numpy as np
import PIL

from maskkit.errors import ExchangeError, MaskkitError
from maskkit.exchange import celebamask_hq, deepfashion
from maskkit.exchange.grid import add_points, on_grid
from maskkit.exchange.import_options import ImportOptions, chosen_pairs
from maskkit.exchange.incoming import Incoming, Pair
from maskkit.exchange.outgoing import OnProgress
from maskkit.exchange.pairs import read_label_pngs
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.masks.label_tables import translate_labels
from maskkit.masks.regions import RegionScheme, load_scheme
from maskkit.shards.description import SPLITS, Dataset
from maskkit.shards.ledger import write_ledger, write_preview
from maskkit.shards.own_files import DATASET, PREVIEW
from maskkit.shards.shard_files import Row, write_shard


@dataclass(frozen=True)
class ImportResult:
    """What an import did: rows of each split, the rows left out by reason, and whether these are too many."""

    out: Path
    kept: int
    skipped: int
    splits: dict[str, int]
    reasons: dict[str, int]
    too_many_skipped: bool


IMPORT_FORMATS: dict[str, Callable[[Path, ImportOptions], Incoming]] = {
    "label-png": lambda source, options: read_label_pngs(source, options.scheme, options.images, options.masks),
    "celebamask-hq": lambda source, options: celebamask_hq.read(source, options.scheme, options.images, options.masks),
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
    with closing(incoming):
        dataset = _import(incoming, options, source, Path(out), overwrite, on_progress)
    skipped, kept = dataset.skipped(), sum(dataset.counts().values())
    reasons = Counter(reason for entry in dataset.shards for _, reason in entry.skipped)
    too_many = skipped > max_skipped * (skipped + kept)
    return ImportResult(Path(out), kept, skipped, dataset.counts(), dict(reasons), too_many)


def _import(
    incoming: Incoming, options: ImportOptions, source: Path, out: Path, overwrite: bool, on_progress: OnProgress | None
) -> Dataset:
    """Check the request against the source, then write the folder."""
    incoming.pairs = chosen_pairs(incoming, options, source)
    wanted = load_scheme(options.translate) if options.translate else incoming.scheme
    if wanted != incoming.scheme:
        translate_labels(np.zeros((1, 1), np.uint8), incoming.scheme, wanted.name)  # refused before reading
    dataset = _describe(incoming, options, wanted)
    done = count(1)

    def advance() -> None:
        if on_progress is not None:
            on_progress(next(done), len(incoming.pairs))

    with whole_folder(out, DATASET, inputs=options.places(source), overwrite=overwrite) as folder:
        _write(folder, incoming, dataset, options, source, advance)
        if not sum(dataset.counts().values()):
            first = dataset.shards[0].skipped[0]
            raise ExchangeError(f"{source}: none of {len(incoming.pairs):,} rows can be used; {first[0]}: {first[1]}")
        dataset.complete = True
        dataset.write(folder)
        write_ledger(folder, dataset)
        write_preview(folder, dataset, folder / PREVIEW)
    return dataset


def _describe(incoming: Incoming, options: ImportOptions, scheme: RegionScheme) -> Dataset:
    listing = json.dumps([(one.id, one.attributes, one.split, one.problem) for one in incoming.pairs])
    source = {
        "kind": incoming.kind,
        "inputs": len(incoming.pairs),
        "inputs_sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }
    # The folders are no part of the content, so that the same data set gives the same bytes wherever it lies.
    apart = ("attributes", "scheme", "images", "masks", "split")
    named = {key: value for key, value in asdict(options).items() if key not in apart}
    modules = {"numpy": np, "h5py": h5py, "opencv": cv2, "pillow": PIL}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return Dataset(
        scheme, options.size, incoming.attribute_names, source, named, {"maskkit": version("maskkit"), **versions}
    )


def _write(
    folder: Path,
    incoming: Incoming,
    dataset: Dataset,
    options: ImportOptions,
    source: Path,
    advance: Callable[[], None],
) -> None:
    """Write the shards of all splits, each when its rows are there."""
    detectors = tuple(sorted({known.detector for known in incoming.known.values()}))
    if len(detectors) > 256:
        raise ExchangeError(f"samples.csv names {len(detectors)} detectors, and a shard holds 256")
    for split in SPLITS:
        rows: list[Row] = []
        skipped: list[tuple[str, str]] = []
        pairs = [pair for pair in incoming.pairs if pair.split == split]
        for number, pair in enumerate(pairs, 1):
            try:
                rows.append(_row(pair, incoming, dataset))
            except MaskkitError as error:  # one odd pair must not end the import
                skipped.append((pair.id, str(error).replace(f"{source}/", "")))
            if len(rows) == options.shard_size or (number == len(pairs) and (rows or skipped)):
                name = f"{split}-{len(dataset.of_split(split)):05d}.h5"
                entry = write_shard(folder, name, rows, dataset, detectors)
                entry.skipped = skipped
                dataset.shards.append(entry)
                rows, skipped = [], []
            advance()


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
