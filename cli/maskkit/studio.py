"""The commands `maskkit correct` and `maskkit studio`: rows of a data set decided on by hand."""

import webbrowser
from dataclasses import asdict
from pathlib import Path

import click

import maskkit
from cli.maskkit.options import overwrite_option
from cli.shared import as_json, print_json, progress, say, say_note
from maskkit.studio.serving import PORT, is_own_machine


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


@click.command()
@click.argument("shards", type=click.Path(file_okay=False, path_type=Path))
@click.option("--corrections", type=click.Path(dir_okay=False, path_type=Path),
              help="File that keeps what is decided.  [default: corrections.json in SHARDS]")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 for any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to be reached under; any but the default "
              "lets others on the network in who know the address with its token.")  # fmt: skip
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
def studio(shards: Path, corrections: Path | None, port: int, host: str, no_open: bool) -> None:
    """Look at the rows of SHARDS in a browser, the doubtful ones first, and accept, correct or reject each.

    Prints the address of the page with its token on a line of standard output, and serves it until Ctrl-C. What is
    decided is in the file of corrections at once; `maskkit correct` and --corrections of builds apply it.

    \b
    Example:
      maskkit studio shards
    """

    def ready(address: str) -> None:
        if not is_own_machine(host):
            say_note(
                f"{host} is reached from other machines too: whoever knows the address sees these photos and decides "
                "on them, and it goes over the network unencrypted"
            )
        say(address)
        if not no_open:
            webbrowser.open(address)

    with progress("inspecting") as advance:
        maskkit.serve_studio(
            shards, corrections, host=host, port=port, on_ready=ready,
            on_progress=lambda done, total: advance(done, total=total),
        )  # fmt: skip
