"""What `gan render` does with a video that drives the generated face."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.gan_options import split_names
from cli.shared import print_json, progress, say, say_note

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
# What `gan render` takes for the way between two faces, and has no meaning where a video shows the way.
OF_A_WAY = {"start": "--from", "end": "--to", "frames": "--frames", "fps": "--fps", "attributes_to": "--attributes-to",
            "seed_to": "--seed-to", "path": "--path", "rows": "--rows"}  # fmt: skip


def also_drives(render: Callable[..., None]) -> Callable[..., None]:
    """Give `gan render` the option --drive and those that go with it."""

    @click.option("--drive", "clip", type=EXISTING, metavar="CLIP",
                  help="Follow the face of a video instead of the way from A to B.")  # fmt: skip
    @click.option("--relative", metavar="A",
                  help="With --drive: move A, a neutral face, as the face in the video moves.")  # fmt: skip
    @click.option("--clip", "beside", is_flag=True, help="With --drive: show the video, aligned, at the left.")
    @click.option("--bridge", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
                  help="With --drive: draw points into gaps of at most so long.  [default: none]")  # fmt: skip
    @wraps(render)
    def choose(clip: Path | None, relative: str | None, beside: bool, bridge: float, **options: Any) -> None:
        if clip is not None:
            _drive(clip, relative, beside, bridge, options)
            return
        if relative is not None or beside or bridge:
            raise click.UsageError("--relative, --clip and --bridge need a video; give --drive CLIP")
        for name in ("start", "end"):
            if options[name] is None:
                raise click.UsageError(f"Missing option '{OF_A_WAY[name]}'; or give --drive CLIP")
        render(**options)

    return choose


def _drive(clip: Path, relative: str | None, beside: bool, bridge: float, options: dict[str, Any]) -> None:
    source = click.get_current_context().get_parameter_source
    given = [option for name, option in OF_A_WAY.items() if source(name) == ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"{given[0]} has no meaning with --drive: the video shows the way")
    import gan

    run_drive = gan.drive  # before anything else, so that a missing torch is a sentence
    with progress("drive") as advance:
        result = run_drive(
            options["run_folder"], clip, options["output"], relative=relative, bridge=bridge, seed=options["seed"],
            attributes=split_names(options["attributes"]) or (), beside=beside, masks=options["masks"],
            scale=options["scale"], device=options["device"], overwrite=options["overwrite"],
            on_follow=lambda done, total: advance(done, "following the face", 2 * total),
            on_frame=lambda done, total: advance(total + done, "rendering", 2 * total),
        )  # fmt: skip
    for note in result.notes:
        say_note(note)
    if options["as_json"]:
        print_json({"output": str(options["output"]), "frames": result.frames, "neutral": result.neutral,
                    "notes": list(result.notes)})  # fmt: skip
    else:
        say(f"{options['output']}: {result.frames} frames", err=True)
