"""Hugging Face diffusers: Parquet with the columns of its train_controlnet.py, image, conditioning_image and text."""

import re
from pathlib import Path
from typing import Any

from maskkit.errors import ExchangeError
from maskkit.exchange.formats.label_png import encode_png
from maskkit.exchange.formats.parquet import PICTURE, picture, value, write_tables
from maskkit.exchange.outgoing import Outgoing, Sample
from maskkit.masks.pictures import colorize

CAPTION = "a portrait of a person, {attributes}"
PLACE = re.compile(r"\{(?P<name>[^{}:|]+)(?P<words>:(?P<yes>[^{}:|]*)(\|(?P<no>[^{}:|]*))?)?\}")


def write(outgoing: Outgoing, folder: Path, caption: str = CAPTION) -> None:
    """Write a Parquet file for each shard: the photo, its mask in the scheme's colours, and a caption (`captions`)."""
    check_caption(caption, outgoing.attribute_names)

    def row(sample: Sample) -> dict[str, Any]:
        present = dict(zip(outgoing.attribute_names, sample.attributes.tolist(), strict=True))
        return {
            "image": picture(f"{sample.name}.image.png", encode_png(sample.image)),
            "conditioning_image": picture(
                f"{sample.name}.mask.png", encode_png(colorize(sample.mask, outgoing.scheme))
            ),
            "text": fill_caption(caption, present),
        }

    features = {"image": PICTURE, "conditioning_image": PICTURE, "text": value("string")}
    write_tables(outgoing, folder, lambda pointed: features, row)


def check_caption(caption: str, names: tuple[str, ...]) -> None:
    """Raise ExchangeError where a caption has a place that cannot be filled."""
    for place in PLACE.finditer(caption):
        if place["words"] is None and place["name"] != "attributes":
            raise ExchangeError(
                f"the caption says {place[0]}: write {{attributes}} for all, or {{{place['name']}:words if so|if not}}"
            )
        if place["words"] is not None and place["name"] not in names:
            raise ExchangeError(f"the caption asks for {place['name']}, and there are {', '.join(names) or 'none'}")
    rest = PLACE.sub("", caption)
    if "{" in rest or "}" in rest:
        raise ExchangeError(f"the caption {caption!r} has a brace without its other half")


def fill_caption(caption: str, present: dict[str, int]) -> str:
    """The caption of one photo: `{attributes}` becomes the names of all that it has, `{Male:man|woman}` one of two.

    Of names `_` becomes a blank and capitals small letters. What is left at the ends by an empty place, a blank or a
    comma, is cut.
    """

    def fill(place: re.Match[str]) -> str:
        if place["words"] is None:
            return ", ".join(name.replace("_", " ").lower() for name, has in present.items() if has)
        return place["yes"] if present[place["name"]] else place["no"] or ""

    return PLACE.sub(fill, caption).strip(" ,")
