"""Parquet for Hugging Face `datasets`: data/SPLIT-00000-of-00001.parquet, which `load_dataset(folder)` understands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskkit.errors import MissingExtraError
from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing, Sample
from maskkit.masks.regions import RegionScheme
from maskkit.points.landmarks import POINT_COUNT

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
PICTURE = {"_type": "Image"}

Features = dict[str, Any]


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write a Parquet file for each shard: id, image and mask as PNG, attributes, points, detector, score and box.

    Its metadata tell `datasets` which columns are pictures. Raises MissingExtraError without pyarrow.
    """

    def row(sample: Sample) -> dict[str, Any]:
        return _row(sample, outgoing.scheme, outgoing.attribute_names)

    write_tables(outgoing, folder, lambda pointed: _features(outgoing.attribute_names, pointed), row)


def write_tables(
    outgoing: Outgoing, folder: Path, features: Callable[[bool], Features], row: Callable[[Sample], dict[str, Any]]
) -> None:
    """Write the rows that `row` makes, with the columns that `features` names for splits with or without points."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "exchange", "writing Parquet") from error
    (folder / "data").mkdir()
    for split in outgoing.splits:
        columns = features(outgoing.has_landmarks(split))
        metadata = {"huggingface": json.dumps({"info": {"features": columns}})}
        schema = pa.schema([(name, _arrow_type(pa, one)) for name, one in columns.items()]).with_metadata(metadata)
        files = sum(entry.rows > 0 for entry in outgoing.dataset.of_split(split))
        for number, part in enumerate(outgoing.parts(split)):
            name = f"{SPLIT_NAMES[split]}-{number:05d}-of-{files:05d}.parquet"
            table = pa.Table.from_pylist([row(sample) for sample in part], schema=schema)
            pq.write_table(table, folder / "data" / name, row_group_size=256)


def value(kind: str) -> Features:
    """A column of plain values in the words of `datasets`."""
    return {"dtype": kind, "_type": "Value"}


def picture(name: str, png: bytes) -> dict[str, Any]:
    """A picture as a cell of the kind PICTURE."""
    return {"bytes": png, "path": name}


def _arrow_type(pa: Any, feature: Features) -> Any:
    match feature.get("_type"):
        case "Image":
            return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        case "Value":
            return pa.type_for_alias(feature["dtype"])
        case "Sequence":
            return pa.list_(_arrow_type(pa, feature["feature"]), feature["length"])
        case _:
            return pa.struct([(name, _arrow_type(pa, one)) for name, one in feature.items()])


def _features(names: tuple[str, ...], pointed: bool) -> Features:
    def several(feature: Features, length: int) -> Features:
        return {"feature": feature, "length": length, "_type": "Sequence"}

    features: Features = {"id": value("string"), "image": PICTURE, "mask": PICTURE}
    if names:
        features["attributes"] = {name: value("uint8") for name in names}
    if pointed:
        features["landmarks"] = several(several(value("float32"), 2), POINT_COUNT)
        features |= {"detector": value("string"), "score": value("float32"), "box": several(value("float32"), 4)}
    return features


def _row(sample: Sample, scheme: RegionScheme, names: tuple[str, ...]) -> dict[str, Any]:
    row = {
        key: value for key, value in sample.about(names).items() if key != "split" and (key != "attributes" or names)
    }
    row["image"] = picture(f"{sample.name}.image.png", encode_png(sample.image))
    row["mask"] = picture(f"{sample.name}.mask.png", encode_png(sample.mask, scheme))
    return row
