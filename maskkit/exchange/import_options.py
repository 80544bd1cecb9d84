"""What an import is asked for, and the rows of a source that answer it."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from maskkit.errors import ExchangeError
from maskkit.exchange.incoming import Incoming, Pair, choose, read_splits
from maskkit.shards.description import SPLITS


@dataclass(frozen=True)
class ImportOptions:
    """What decides the content of an imported data set."""

    size: int = 128  # the side of the stored photos and masks
    scheme: str | None = None  # what the labels mean, where the source does not say: a name or a file
    translate: str | None = None  # the built-in scheme whose labels are wanted instead
    split: str | None = None  # one split for all rows, or a CSV file with the columns id, split; else the source's
    attributes: tuple[str, ...] | None = None  # which of the source's attributes to keep, in this order; else all
    images: str | None = None  # the folders of photos and masks, below the source or anywhere
    masks: str | None = None
    ignore: int | None = None  # of label PNGs: a value that stands for pixels without a class, which become background
    brightness: str = "fixed"  # of DeepFashion: `fixed` or `per-image`
    shard_size: int = 2048  # rows
    limit: int | None = None  # only the first rows by id

    def places(self, source: Path) -> list[Path]:
        """Everything that an import of `source` may read: names that are no files do no harm."""
        folders = [source / name for name in (self.images, self.masks) if name]
        return [source, *folders, *(Path(name) for name in (self.scheme, self.split) if name)]

    def check(self) -> None:
        """Raise ExchangeError for a value that cannot be worked with, before any work starts."""
        bounds = {"size": (self.size, 8, 4096), "shard size": (self.shard_size, 1, 65536)}
        bounds["limit"] = (1 if self.limit is None else self.limit, 1, 1 << 40)
        for name, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise ExchangeError(f"the {name} is {value}; it must lie between {least} and {most}")


def chosen_pairs(incoming: Incoming, options: ImportOptions, source: Path) -> list[Pair]:
    """The rows that are asked for, by id, with the attributes and splits that are asked for."""
    if not incoming.pairs:
        raise ExchangeError(f"{source}: there are no pairs of photo and mask")
    pairs = incoming.pairs
    if options.attributes is not None:
        missing = [name for name in options.attributes if name not in incoming.attribute_names]
        if missing or len(set(options.attributes)) < len(options.attributes):
            named, known = ", ".join(missing or options.attributes), ", ".join(incoming.attribute_names) or "none"
            raise ExchangeError(f"{source}: of the attributes {named} not each is there once; there are {known}")
        names = incoming.attribute_names
        pairs = [replace(one, attributes=choose(one.attributes, names, options.attributes)) for one in pairs]
        incoming.attribute_names = options.attributes
    if options.split in SPLITS:
        pairs = [replace(one, split=options.split) for one in pairs]
    elif options.split is not None:
        splits = read_splits(Path(options.split))
        pairs = [
            replace(one, split=splits.get(one.id, "train"),
                    problem=one.problem or ("" if one.id in splits else "no row in the table of splits"))
            for one in pairs
        ]  # fmt: skip
    pairs = sorted(map(_printable, pairs), key=lambda one: one.id)
    twice = [one.id for one, following in pairwise(pairs) if one.id == following.id]
    if twice:
        raise ExchangeError(f"{source}: two pairs have the id {twice[0]}")
    return pairs[: options.limit]


def _printable(one: Pair) -> Pair:
    """Escape a name that no table can hold, such as one with a line break or not in UTF-8, and leave its pair out."""
    if one.id.isprintable():
        return one
    escaped = one.id.encode("unicode_escape").decode("ascii")
    return replace(one, id=escaped, problem="the name holds characters that cannot be printed")
