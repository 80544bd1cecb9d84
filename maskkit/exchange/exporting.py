"""Shards to the formats of other projects: what all formats share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskkit.errors import ExchangeError
from maskkit.exchange import arrays, celebamask_hq, coco, label_png, parquet, tar
from maskkit.exchange.folders import EXPORT, MANIFEST
from maskkit.exchange.outgoing import OnProgress, Outgoing, write_classes, write_json
from maskkit.files.whole_folder import check_folder, whole_folder
from maskkit.shards.description import SPLITS

EXPORT_FORMATS: dict[str, Callable[[Outgoing, Path], None]] = {
    "palette": partial(label_png.write, palette=True),
    "grey": partial(label_png.write, palette=False),
    "celebamask-hq": celebamask_hq.write,
    "coco": partial(coco.write, polygons=False),
    "coco-polygons": partial(coco.write, polygons=True),
    "webdataset": tar.write,
    "parquet": parquet.write,
    "numpy": arrays.write,
}


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
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> ExportResult:
    """Write the photos, label maps, attributes and points of a data set into the folder `out`, in one of the formats
    `EXPORT_FORMATS` (docs/exchange.md).

    `split` takes one split instead of all; `scheme` gives the labels in another built-in scheme where a table leads
    there. `out` appears when it is whole; `overwrite` replaces an earlier export whose files are as they were written.
    The same data set gives the same bytes. Raises ExchangeError, ShardError,
    SchemeError, OutputError, or MissingExtraError where a format needs a library that is not installed.
    """
    if format not in EXPORT_FORMATS:
        raise ExchangeError(f"there is no export format {format!r}: take one of {', '.join(EXPORT_FORMATS)}")
    if split is not None and split not in SPLITS:
        raise ExchangeError(f"there is no split {split!r}: take one of {', '.join(SPLITS)}")
    check_folder(Path(out), EXPORT, overwrite, [shards])
    outgoing = Outgoing(Path(shards), (split,) if split else SPLITS, scheme, on_progress)
    outgoing.splits = tuple(one for one in outgoing.splits if outgoing.count(one))
    if not outgoing.total:
        raise ExchangeError(f"{shards}: there are no rows to export")
    counts = {one: outgoing.count(one) for one in outgoing.splits}
    with whole_folder(Path(out), EXPORT, inputs=[shards], overwrite=overwrite) as folder:
        EXPORT_FORMATS[format](outgoing, folder)
        write_classes(folder, outgoing.scheme)
        about = {"format": "maskkit-export", "version": 1, "layout": format, "image_size": outgoing.size}
        names = {"attribute_names": list(outgoing.attribute_names), "scheme": outgoing.scheme.to_dict()}
        write_json(folder / MANIFEST, {**about, "splits": counts, **names})
    return ExportResult(Path(out), format, outgoing.scheme.name, counts)
