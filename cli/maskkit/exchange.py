"""`maskkit export` and `maskkit import`: masks to and from other projects."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import maskkit
from cli.shared import EXIT_FAILED, as_json, print_json, progress, say, say_error, say_note
from maskkit.exchange import EXPORT_FORMATS, IMPORT_FORMATS
from maskkit.exchange.formats.deepfashion import RANGES
from maskkit.shards.description import SPLITS

FOLDER = click.Path(file_okay=False, path_type=Path)

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the export or data set that is in OUT.")


@click.command("export")
@click.argument("shards", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--format", "kind", type=click.Choice(list(EXPORT_FORMATS)), required=True)
@click.option("--split", type=click.Choice(SPLITS), help="One split instead of all.")
@click.option("--scheme", help="Give the labels in another built-in scheme, where a table leads there.")
@click.option("--caption", help="Of diffusers: each photo's text; {attributes} and {Male:man|woman} are filled in.")
@click.option("--rows-per-tar", type=click.IntRange(1), help="Of webdataset: rows in each file, 512 if not given.")
@overwrite_option
@as_json
def export_command(
    shards: Path, out: Path, kind: str, split: str | None, scheme: str | None, caption: str | None,
    rows_per_tar: int | None, overwrite: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write the photos, masks, attributes and points of SHARDS into the folder OUT in another project's format.

    \b
    Examples:
      maskkit export shards spade --format grey
      maskkit export shards coco --format coco --split val
      maskkit export shards control --format diffusers --caption "a {Male:man|woman}, {attributes}"
    """
    with progress("exporting") as advance:
        result = maskkit.export_shards(
            shards, out, kind, split=split, scheme=scheme, caption=caption, rows_per_tar=rows_per_tar,
            overwrite=overwrite, on_progress=lambda done, total: advance(done, total=total),
        )  # fmt: skip
    if as_json:
        print_json({**asdict(result), "out": str(result.out)})
    else:
        rows = ", ".join(f"{name} {count:,}" for name, count in result.splits.items())
        say(f"{out}: {result.format}, scheme {result.scheme}, rows: {rows}")
    return 0


@click.command("import")
@click.argument("source", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--format", "kind", type=click.Choice(list(IMPORT_FORMATS)), required=True)
@click.option("--size", default=128, show_default=True, help="Side of the stored photos and masks in pixels.")
@click.option("--scheme", help="What the labels mean, a name or a .json file, where SOURCE does not say.")
@click.option("--translate", metavar="SCHEME", help="Give the labels in another built-in scheme, such as scgan.")
@click.option("--split", help="One split for all rows, or a CSV file with the columns id, split.")
@click.option("--attributes", help="Attributes to keep, in this order, with commas between; all if not given.")
@click.option("--images", help="Folder of the photos, below SOURCE, or anywhere by a path from /.")
@click.option("--masks", help="Folder of the masks, below SOURCE, or anywhere by a path from /.")
@click.option("--ignore", type=click.IntRange(0, 255),
              help="Of label PNGs: a value, often 255, of pixels without a class; they become background.")  # fmt: skip
@click.option("--brightness", type=click.Choice(RANGES), default="fixed", show_default=True,
              help="Of DeepFashion: the stored range, or each picture's own as in SCGAN's release.")  # fmt: skip
@click.option("--shard-size", default=2048, show_default=True, help="Rows in each file.")
@click.option("--limit", type=click.IntRange(1), help="Take only the first N rows by id.")
@click.option("--max-skipped", type=click.FloatRange(0, 1), default=0.05, show_default=True,
              help="Fail if a larger share of the rows had to be left out.")  # fmt: skip
@overwrite_option
@as_json
def import_command(
    source: Path, out: Path, kind: str, attributes: str | None, max_skipped: float, overwrite: bool, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Turn the photos and masks of another project in SOURCE into shards in OUT.

    OUT/ledger.csv lists every pair, and why it was left out where it was; OUT/preview.png shows a random sheet.

    \b
    Examples:
      maskkit import CelebAMask-HQ shards --format celebamask-hq --size 256
      maskkit import pairs shards --format label-png --scheme mine.json
    """
    names = None if attributes is None else tuple(name for name in attributes.split(",") if name)
    with progress("importing") as advance:
        result = maskkit.import_masks(
            source, out, kind, maskkit.ImportOptions(attributes=names, **options), max_skipped=max_skipped,
            overwrite=overwrite, on_progress=lambda done, total: advance(done, total=total),
        )  # fmt: skip
    if as_json:
        print_json({**asdict(result), "out": str(result.out)})
    else:
        reasons = "".join(f"\n  left out, {reason}: {count}" for reason, count in result.reasons.items())
        say(f"{result.kept:,} rows in {out} ({result.splits}){reasons}\nlook at {out / 'preview.png'}")
    for warning in result.warnings:
        say_note(f"warning: {warning}")
    if result.too_many_skipped:
        share = result.skipped / (result.kept + result.skipped)
        say_error(f"{share:.1%} of the rows were left out, more than --max-skipped {max_skipped}")
        return EXIT_FAILED
    return 0
