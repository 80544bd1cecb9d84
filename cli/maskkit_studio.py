"""The commands `maskkit correct` and `maskkit studio`: rows of a data set decided on by hand."""

from dataclasses import asdict
from pathlib import Path

import click

import maskkit
from cli.maskkit_options import overwrite_option
from cli.shared import as_json, print_json, progress, say


@click.command()
@click.argument("shards", type=click.Path(file_okay=False, path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@overwrite_option
@as_json
def correct(shards: Path, files: tuple[Path, ...], out: Path, overwrite: bool, as_json: bool) -> None:
    """Make the data set OUT of SHARDS and of what was decided about its rows in FILES, without the photos.

    FILES are what `maskkit studio` writes, one or several people's. The bytes are those that a build of the photos
    with --corrections gives.

    \b
    Example:
      maskkit correct shards shards/corrections.json corrected
    """
    with progress("correcting") as advance:
        result = maskkit.correct_shards(
            shards, files, out, overwrite=overwrite, on_progress=lambda done, total: advance(done, total=total)
        )
    if as_json:
        print_json({**asdict(result), "out": str(result.out)})
    else:
        counts = f"{result.corrected:,} corrected, {result.accepted:,} accepted, {result.rejected:,} rejected"
        say(f"{result.rows:,} rows in {result.out}: {counts} by hand")
