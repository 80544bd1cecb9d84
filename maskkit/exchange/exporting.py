"""Shards to the formats of other projects: what all formats share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskkit.errors import ExchangeError
from maskkit.exchange.folders import CHECKED, EXPORT, MANIFEST
from maskkit.exchange.formats import (
    arrays,
    celebamask_hq,
    coco,
    cvat,
    diffusers,
    label_png,
    parquet,
    pix2pix,
    tar,
    yolo,
)
from maskkit.exchange.outgoing import OnProgress, Outgoing, write_classes, write_json
from maskkit.files.records import files_below
from maskkit.files.regular import file_sha256
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.shards.description import SPLITS

EXPORT_FORMATS: dict[str, Callable[..., None]] = {
    "palette": partial(label_png.write, palette=True),
    "grey": partial(label_png.write, palette=False),
    "celebamask-hq": celebamask_hq.write,
    "coco": partial(coco.write, polygons=False),
    "coco-polygons": partial(coco.write, polygons=True),
    "cvat": cvat.write,
    "yolo": yolo.write,
    "webdataset": tar.write,
    "parquet": parquet.write,
    "diffusers": diffusers.write,
    "pix2pix": partial(pix2pix.write, joined=True),
    "cyclegan": partial(pix2pix.write, joined=False),
    "numpy": arrays.write,
}
FORMAT_OF_OPTION = {"caption": "diffusers", "rows_per_tar": "webdataset"}


@dataclass(frozen=True)
class ExportResult:
    """What an export did: the folder, its format and scheme, and the rows of each split."""

    out: Path
    format: str
    scheme: str
    splits: dict[str, int]


def export_shards(
    shards: str | Path,
    out: str | Path,
    format: str,
    *,
    split: str | None = None,
    scheme: str | None = None,
    caption: str | None = None,
    rows_per_tar: int | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> ExportResult:
    """Write the photos, label maps, attributes and points of a data set into the folder `out`, in one of the formats
    `EXPORT_FORMATS` (docs/exchange.md).

    `split` takes one split instead of all; `scheme` gives the labels in another built-in scheme where a table leads
    there. `caption` is of `diffusers`: `{attributes}` becomes the names of those that a photo has, `{Male:man|woman}`
    one of two. `rows_per_tar` is of `webdataset`. `out` appears when it is whole; `overwrite` replaces an earlier
    export whose files are as they were written. The same data set gives the same bytes. Raises ExchangeError,
    ShardError, SchemeError, OutputError, or MissingExtraError where a format needs a library that is not installed.
    """
    if format not in EXPORT_FORMATS:
        raise ExchangeError(f"there is no export format {format!r}: take one of {', '.join(EXPORT_FORMATS)}")
    if split is not None and split not in SPLITS:
        raise ExchangeError(f"there is no split {split!r}: take one of {', '.join(SPLITS)}")
    options = {"caption": caption, "rows_per_tar": rows_per_tar}
    asked = {name: value for name, value in options.items() if value is not None}
    for name in asked:
        if FORMAT_OF_OPTION[name] != format:
            raise ExchangeError(f"{name} is an option of {FORMAT_OF_OPTION[name]}, and the format is {format}")
    check_folder(Path(out), EXPORT, overwrite, [shards])
    outgoing = Outgoing(Path(shards), (split,) if split else SPLITS, scheme, on_progress)
    outgoing.splits = tuple(one for one in outgoing.splits if outgoing.count(one))
    if not outgoing.total:
        raise ExchangeError(f"{shards}: there are no rows to export")
    counts = {one: outgoing.count(one) for one in outgoing.splits}
    with whole_folder(Path(out), EXPORT, inputs=[shards], overwrite=overwrite) as folder:
        EXPORT_FORMATS[format](outgoing, folder, **asked)
        write_classes(folder, outgoing.scheme)
        about = {"format": "maskkit-export", "version": 1, "layout": format, "image_size": outgoing.size}
        names = {"attribute_names": list(outgoing.attribute_names), "scheme": outgoing.scheme.to_dict()}
        tables = sorted(filter(CHECKED.fullmatch, files_below(folder)))
        digests = {name: file_sha256(folder / name) for name in tables}
        write_json(folder / MANIFEST, {**about, "splits": counts, **names, "sha256": digests})
    return ExportResult(Path(out), format, outgoing.scheme.name, counts)
