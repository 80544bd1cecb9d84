"""Parquet for Hugging Face `datasets`: data/SPLIT-00000-of-00001.parquet, which `load_dataset(folder)` understands."""

import json
from pathlib import Path
from typing import Any

from maskkit.errors import MissingExtraError
from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.outgoing import Outgoing, Sample
from maskkit.masks.regions import RegionScheme
from maskkit.points.landmarks import POINT_COUNT

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}


def write(outgoing: Outgoing, folder: Path) -> None:
    """Write a Parquet file for each shard: id, image and mask as PNG, attributes, points, detector, score and box.

    Its metadata tell `datasets` which columns are pictures. Raises MissingExtraError without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "exchange", "writing Parquet") from error
    (folder / "data").mkdir()
    for split in outgoing.splits:
        pointed = outgoing.has_landmarks(split)
        features = _features(outgoing.attribute_names, pointed)
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        schema = _schema(pa, outgoing.attribute_names, pointed).with_metadata(metadata)
        files = sum(entry.rows > 0 for entry in outgoing.dataset.of_split(split))
        for number, part in enumerate(outgoing.parts(split)):
            rows = [_row(sample, outgoing.scheme, outgoing.attribute_names) for sample in part]
            name = f"{SPLIT_NAMES[split]}-{number:05d}-of-{files:05d}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "data" / name, row_group_size=256)


def _schema(pa: Any, names: tuple[str, ...], pointed: bool) -> Any:
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("id", pa.string()), ("image", picture), ("mask", picture)]
    if names:
        columns.append(("attributes", pa.struct([(name, pa.uint8()) for name in names])))
    if pointed:
        columns.append(("landmarks", pa.list_(pa.list_(pa.float32(), 2), POINT_COUNT)))
        columns += [("detector", pa.string()), ("score", pa.float32()), ("box", pa.list_(pa.float32(), 4))]
    return pa.schema(columns)


def _features(names: tuple[str, ...], pointed: bool) -> dict[str, Any]:
    """The columns in the words of `datasets`."""

    def value(kind: str) -> dict[str, Any]:
        return {"dtype": kind, "_type": "Value"}

    def several(feature: dict[str, Any], length: int) -> dict[str, Any]:
        return {"feature": feature, "length": length, "_type": "Sequence"}

    features: dict[str, Any] = {"id": value("string"), "image": {"_type": "Image"}, "mask": {"_type": "Image"}}
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
    for key, picture in (("image", encode_png(sample.image)), ("mask", encode_png(sample.mask, scheme))):
        row[key] = {"bytes": picture, "path": f"{sample.name}.{key}.png"}
    return row
