"""The commands of `gan` that write a generator for use elsewhere, and take one from the SCGAN release."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.gan.options import OUTPUT, OVERWRITE, RUN, split_names
from cli.shared import as_json, print_json, say
from maskkit.files.outputs import refuse_existing

if TYPE_CHECKING:
    from gan.runs.export import Export


@click.command()
@RUN
@OUTPUT
@OVERWRITE
@as_json
def export(run_folder: Path, output: Path, overwrite: bool, as_json: bool) -> None:
    """Write the generator alone: .safetensors with its settings, or .onnx with the inputs z, c and s.

    RUN is a run's folder, a checkpoint file or an exported .safetensors file. Averaged weights are taken where there
    are any. An .onnx file is compared with torch before it is written, where ONNX Runtime is installed.

    Example: gan export run -o generator.onnx --json
    """
    import gan

    _report(gan.export_generator(run_folder, output, overwrite=overwrite), as_json)


@click.command("import-release")
@click.argument("weights", metavar="G_FILE", type=click.Path(path_type=Path))
@OUTPUT
@click.option("--attributes", help="Names of the attributes, in order, with commas; by default SCGAN's five of CelebA.")
@click.option("--scheme", default="scgan", show_default=True, help="Region scheme to assume for the layouts.")
@OVERWRITE
@as_json
def import_release(
    weights: Path, output: Path, attributes: str | None, scheme: str, overwrite: bool, as_json: bool
) -> None:
    """Turn a generator that the public SCGAN release has saved, G_FILE, into an exported .safetensors or .onnx file.

    Its names are {epoch}_{iteration}_G.pth, with the iteration within the epoch. Which index its layouts give to which
    region is not documented; --scheme is an assumption. One of deepfashion takes layouts that lie on their side.

    Example: gan import-release 20_12000_G.pth -o generator.safetensors
    """
    import gan

    refuse_existing(output, overwrite, [weights])
    names = split_names(attributes)
    if names is None:
        generator = gan.load_release(weights, scheme=scheme)
    else:
        generator = gan.load_release(weights, names, scheme=scheme)
    _report(gan.export_generator(generator, output, overwrite=overwrite), as_json)


def _report(result: "Export", as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "output": str(result.path),
                "bytes": result.size,
                "parameters": result.parameters,
                "step": result.step,
                "difference": result.difference,
            }
        )
        return
    agreement = "" if result.difference is None else f", within {result.difference:.1e} of torch's images"
    say(f"{result.path}: {result.parameters:,} parameters, {result.size:,} bytes{agreement}", err=True)
