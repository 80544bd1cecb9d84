"""Options that several commands of `maskkit` share."""

import click

from maskkit.detection.cascade import FaceChoice

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace earlier results that are there.")
scheme_option = click.option(
    "--scheme", default="scgan", show_default=True, help="Region scheme: a name or a .json file."
)


def _face(context: click.Context, parameter: click.Parameter, text: str) -> FaceChoice:
    """The number of a face, from 1, or the word all."""
    if text == "all":
        return text
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 999):
        raise click.BadParameter(f"{text!r}: give the number of a face, from 1 by falling size, or all")
    return int(text)


face_option = click.option(
    "--face", default="1", callback=_face, metavar="N|all", show_default="the largest",
    help="Of several faces the one of this number by falling size, or all.",
)  # fmt: skip
